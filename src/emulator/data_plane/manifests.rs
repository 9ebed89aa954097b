//! Manifests, tags and referrers.

use serde_json::{Value, json};

use super::super::call::{Answer, Call, Stop};
use super::super::ecr;
use super::super::ecr::images::referrers::{descriptor, referrers};
use super::super::manifest::OCI_INDEX;
use super::super::refusal::Refusal;
use super::super::state::digest;
use super::operations::Request;

/// A manifest by tag or digest, which on a pull-through cache may be imported first.
pub(super) fn get(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    let input = json!({
        "registryId": request.registry.account,
        "repositoryName": request.name(),
        "imageIds": [id(request.text("reference"))],
    });
    let got = ecr::answer(call, "BatchGetImage", &input)?;
    if let Some(failure) = got["failures"].get(0) {
        let code = failure["failureCode"].as_str().unwrap_or_default();
        let reason = failure["failureReason"].as_str().unwrap_or_default();
        return Err(Refusal::new(code, reason).into());
    }
    let image = &got["images"][0];
    Ok(json!({
        "status": 200,
        "headers": {
            "content-type": image["imageManifestMediaType"],
            "docker-content-digest": image["imageId"]["imageDigest"],
        },
        "body": image["imageManifest"],
    }))
}

/// A manifest that is pushed by tag or digest. What is there already is no mistake.
pub(super) fn put(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    let reference = request.text("reference");
    let manifest = std::str::from_utf8(request.body)
        .map_err(|_| Refusal::new("MANIFEST_INVALID", "the manifest is no text"))?;
    let mut input = json!({
        "registryId": request.registry.account,
        "repositoryName": request.name(),
        "imageManifest": manifest,
    });
    if let Some(it) = request.input["mediaType"]
        .as_str()
        .filter(|it| it.contains("manifest") || it.contains("index"))
    {
        input["imageManifestMediaType"] = it.into();
    }
    let named = id(reference);
    for member in ["imageTag", "imageDigest"] {
        if let Some(it) = named.get(member) {
            input[member] = it.clone();
        }
    }
    match ecr::answer(call, "PutImage", &input) {
        Err(Stop::Refused(refusal)) if refusal.code == "ImageAlreadyExistsException" => {}
        other => drop(other?),
    }
    let digest = digest(request.body);
    let mut headers = json!({
        "location": format!("/v2/{}/manifests/{digest}", request.name()),
        "docker-content-digest": digest,
    });
    let subject = serde_json::from_str::<Value>(manifest).unwrap_or_default();
    if let Some(it) = subject["subject"]["digest"].as_str() {
        headers["oci-subject"] = it.into();
    }
    Ok(json!({"status": 201, "headers": headers}))
}

/// Tags in pages.
pub(super) fn list_tags(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    let at = request.find(call, "ecr:ListImages")?;
    let tags = call.repository(&at).tagged.keys().cloned();
    let (tags, next) = page(request, tags);
    let mut headers = json!({"content-type": "application/json"});
    if let Some(last) = next {
        let count = request.text("n");
        let link = format!(
            "</v2/{}/tags/list?n={count}&last={last}>; rel=\"next\"",
            at.name
        );
        headers["link"] = link.into();
    }
    let body = json!({"name": at.name, "tags": tags}).to_string();
    Ok(json!({"status": 200, "headers": headers, "body": body}))
}

/// The repositories of the registry.
pub(super) fn list_repositories(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    call.permit("ecr:DescribeRepositories", &request.registry, None)?;
    let names = call
        .registry(&request.registry)
        .repositories
        .keys()
        .cloned();
    let (names, _) = page(request, names);
    let body = json!({"repositories": names}).to_string();
    Ok(json!({"status": 200, "headers": {"content-type": "application/json"}, "body": body}))
}

/// The index of the artifacts that refer to an image.
pub(super) fn list_referrers(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    let at = request.find(call, "ecr:BatchGetImage")?;
    let wanted = request.input["artifactType"].as_str();
    let all = referrers(call.repository(&at), request.text("subject"));
    let meant =
        all.filter(|(_, it)| wanted.is_none_or(|wanted| it.artifact.as_deref() == Some(wanted)));
    let descriptors: Vec<Value> = meant.map(|(digest, it)| descriptor(digest, it)).collect();
    let mut headers = json!({"content-type": OCI_INDEX});
    if wanted.is_some() {
        headers["oci-filters-applied"] = "artifactType".into();
    }
    let body = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": descriptors});
    Ok(json!({"status": 200, "headers": headers, "body": body.to_string()}))
}

fn page(request: &Request<'_>, all: impl Iterator<Item = String>) -> (Vec<String>, Option<String>) {
    let count = request.text("n").parse().unwrap_or(1000);
    let last = request.text("last");
    let mut rest = all.skip_while(|it| !last.is_empty() && it.as_str() <= last);
    let page: Vec<String> = rest.by_ref().take(count).collect();
    let more = rest.next().is_some();
    let next = page.last().filter(|_| more).cloned();
    (page, next)
}

fn id(reference: &str) -> Value {
    match reference.contains(':') {
        true => json!({"imageDigest": reference}),
        false => json!({"imageTag": reference}),
    }
}
