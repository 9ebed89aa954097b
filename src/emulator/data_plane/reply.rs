//! Answers of the data plane as HTTP.

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde_json::{Value, json};

use super::super::refusal::Refusal;
use super::super::server::Whole;
use super::super::state::Blobs;

/// Writes an answer.
pub(crate) fn reply(
    operation: &str,
    answer: Result<&Value, &Refusal>,
    blobs: &Blobs,
    endpoint: &str,
) -> Whole {
    match answer {
        Ok(it) => write(operation, it, blobs),
        Err(refusal) => refuse(refusal, endpoint),
    }
}

fn write(operation: &str, answer: &Value, blobs: &Blobs) -> Whole {
    let body = match (answer["blob"].as_str(), answer["body"].as_str()) {
        (Some(digest), _) => blobs.get(digest).cloned().unwrap_or_default(),
        (None, Some(text)) => Bytes::from(text.to_owned()),
        (None, None) => Bytes::new(),
    };
    let body = match (answer["part"][0].as_u64(), answer["part"][1].as_u64()) {
        (Some(first), Some(last)) => {
            let index = |it: u64| usize::try_from(it).unwrap_or(usize::MAX).min(body.len());
            body.slice(index(first)..index(last + 1))
        }
        _ => body,
    };
    let length = answer["length"].as_u64().unwrap_or(body.len() as u64);
    // A HEAD request is told the length of what it does not get; the server leaves the body out.
    let empty = operation.starts_with("Head");
    let mut response = Response::new(Full::new(if empty { Bytes::new() } else { body }));
    *response.status_mut() = status(answer["status"].as_u64());
    let headers = response.headers_mut();
    for (name, value) in answer["headers"].as_object().into_iter().flatten() {
        let value = value.as_str().and_then(|it| HeaderValue::from_str(it).ok());
        if let (Ok(name), Some(value)) = (HeaderName::try_from(name), value) {
            headers.insert(name, value);
        }
    }
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    with_version(response)
}

fn refuse(refusal: &Refusal, endpoint: &str) -> Whole {
    let (code, status_code) = match refusal.code.as_str() {
        "RepositoryNotFoundException" => ("NAME_UNKNOWN", 404),
        "ImageNotFound" | "ImageNotFoundException" | "ImageInaccessible" => {
            ("MANIFEST_UNKNOWN", 404)
        }
        "AccessDeniedException" | "UpstreamAccessDenied" => ("DENIED", 403),
        "ThrottlingException" | "UpstreamTooManyRequests" => ("TOOMANYREQUESTS", 429),
        "UpstreamUnavailable" | "UnableToGetUpstreamImageException" => ("UNAVAILABLE", 503),
        "LayersNotFoundException" | "ReferencedImagesNotFoundException" => {
            ("MANIFEST_BLOB_UNKNOWN", 404)
        }
        "ImageTagAlreadyExistsException" => ("TAG_INVALID", 400),
        "ImageDigestDoesNotMatchException" => ("DIGEST_INVALID", 400),
        "InvalidParameterException" | "InvalidImageTag" => ("MANIFEST_INVALID", 400),
        "InvalidImageDigest" => ("DIGEST_INVALID", 400),
        "LimitExceededException" => ("DENIED", 403),
        other => (other, refusal.status),
    };
    let body = json!({"errors": [{"code": code, "message": refusal.message}]}).to_string();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status(Some(u64::from(status_code)));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    if status_code == 401 {
        let challenge = format!("Basic realm=\"{endpoint}/\",service=\"ecr.amazonaws.com\"");
        if let Ok(it) = HeaderValue::from_str(&challenge) {
            headers.insert(header::WWW_AUTHENTICATE, it);
        }
    }
    with_version(response)
}

fn with_version(mut response: Whole) -> Whole {
    let version = HeaderValue::from_static("registry/2.0");
    response
        .headers_mut()
        .insert("docker-distribution-api-version", version);
    response
}

fn status(code: Option<u64>) -> StatusCode {
    let code = code.and_then(|it| u16::try_from(it).ok());
    code.and_then(|it| StatusCode::from_u16(it).ok())
        .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}
