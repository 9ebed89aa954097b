//! The registry that container clients speak to, under `/v2/`: requests are read into operations
//! here, answered by functions of the state in [`operations`], and written back as HTTP.
//! <https://github.com/opencontainers/distribution-spec/blob/main/spec.md>

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::call::Caller;
use super::iam::is_account;
use super::protocol::{self, Asked, Service};
use super::refusal::Refusal;
use super::state::{RegistryKey, State};

mod blobs;
mod manifests;
mod operations;
mod reply;
mod uploads;

pub(crate) use operations::answer;
pub(crate) use reply::reply;

/// Reads what a request asks; `None` where the path means nothing.
pub(crate) fn read(parts: &Parts, body: &Bytes) -> Option<Asked> {
    let path = parts.uri.path().strip_prefix("/v2")?;
    let (operation, mut input) = route(&parts.method, path.trim_start_matches('/'))?;
    let query = parts.uri.query().unwrap_or_default();
    for name in ["digest", "mount", "from", "n", "last", "artifactType"] {
        if let Some(it) = protocol::parameter(query, name) {
            input[name] = it.into();
        }
    }
    let told = [
        ("range", header::RANGE),
        ("contentRange", header::CONTENT_RANGE),
        ("mediaType", header::CONTENT_TYPE),
    ];
    for (name, header) in told {
        if let Some(it) = parts.headers.get(header).and_then(|it| it.to_str().ok()) {
            input[name] = it.into();
        }
    }
    Some(Asked {
        service: Service::Registry,
        operation: operation.to_owned(),
        input,
        body: body.clone(),
    })
}

fn route(method: &Method, path: &str) -> Option<(&'static str, Value)> {
    if path.is_empty() {
        return Some(("Ping", json!({})));
    }
    if path == "_catalog" {
        return Some(("ListRepositories", json!({})));
    }
    let named = |name: &str, what: &str, it: &str| json!({"repositoryName": name, what: it});
    if let Some(name) = path.strip_suffix("/tags/list") {
        return Some(("ListTags", json!({"repositoryName": name})));
    }
    let at = |middle: &str| {
        path.rsplit_once(middle)
            .filter(|(name, _)| !name.is_empty())
    };
    if let Some((name, id)) =
        at("/blobs/uploads/").or_else(|| at("/blobs/uploads").filter(|(_, id)| id.is_empty()))
    {
        let operation = match (method, id.is_empty()) {
            (&Method::POST, true) => "StartUpload",
            (&Method::PATCH, false) => "UploadPart",
            (&Method::PUT, false) => "CompleteUpload",
            (&Method::GET, false) => "GetUpload",
            (&Method::DELETE, false) => "CancelUpload",
            _ => return None,
        };
        return Some((operation, named(name, "uploadId", id)));
    }
    let (name, operation, what, it) = if let Some((name, it)) = at("/manifests/") {
        let operation = match *method {
            Method::GET => "GetManifest",
            Method::HEAD => "HeadManifest",
            Method::PUT => "PutManifest",
            _ => "Unsupported",
        };
        (name, operation, "reference", it)
    } else if let Some((name, it)) = at("/blobs/") {
        let operation = match *method {
            Method::GET => "GetBlob",
            Method::HEAD => "HeadBlob",
            _ => "Unsupported",
        };
        (name, operation, "blob", it)
    } else {
        let (name, it) = at("/referrers/")?;
        (name, "ListReferrers", "subject", it)
    };
    Some((operation, named(name, what, it)))
}

/// Who holds the token of a request, and which registry is meant: the token's, unless the host
/// names one.
pub(crate) fn identify(
    state: &State,
    parts: &Parts,
    now: Timestamp,
) -> Result<(Caller, RegistryKey), Refusal> {
    let unauthorized = || Refusal::new("UNAUTHORIZED", "Not Authorized").with_status(401);
    let password = basic(&parts.headers).ok_or_else(unauthorized)?;
    let token = state.tokens.get(&password).ok_or_else(unauthorized)?;
    if token.expires <= now {
        let expired = "Your authorization token has expired. Reauthenticate and try again.";
        return Err(Refusal::new("DENIED", expired).with_status(403));
    }
    let host = parts
        .headers
        .get(header::HOST)
        .and_then(|it| it.to_str().ok());
    let host = host.or_else(|| parts.uri.host()).unwrap_or_default();
    Ok((
        token.caller.clone(),
        registry_of(host).unwrap_or_else(|| token.registry.clone()),
    ))
}

/// The password of basic authentication for the user `AWS`.
fn basic(headers: &HeaderMap) -> Option<String> {
    let header = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let decoded = STANDARD
        .decode(header.strip_prefix("Basic ")?.trim())
        .ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.strip_prefix("AWS:").map(str::to_owned)
}

/// The registry that a host like `111111111111.dkr.ecr.eu-central-1.amazonaws.com` means.
pub(crate) fn registry_of(host: &str) -> Option<RegistryKey> {
    let (account, rest) = host.split_once(".dkr.ecr.")?;
    let region = rest.split('.').next().filter(|it| !it.is_empty())?;
    is_account(account).then(|| RegistryKey::new(account, region))
}
