//! Layers and configurations on their way in.

use serde_json::{Value, json};

use super::super::call::{Answer, Call, RepositoryAt};
use super::super::ecr::layers;
use super::super::ecr::registry::templates;
use super::super::refusal::Refusal;
use super::super::state::{Upload, digest, uuid};
use super::blobs;
use super::operations::Request;

/// Begins an upload, takes a whole blob at once, or mounts one of another repository.
pub(super) fn start(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    let at = repository_to_push(call, request)?;
    if let Some(digest) = request.input["mount"].as_str()
        && mount(call, request, &at, digest)
    {
        return Ok(stored(&at, digest));
    }
    if let Some(claimed) = request.input["digest"].as_str() {
        call.permit("ecr:CompleteLayerUpload", &at.registry, Some(&at.name))?;
        return take(call, &at, request.body.to_vec(), claimed);
    }
    let id = uuid(&call.state.make_up("upload"));
    call.repository(&at)
        .uploads
        .insert(id.clone(), Upload::default());
    Ok(accepted(&at, &id, 0, 202))
}

/// One more part of an upload.
pub(super) fn part(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    let at = request.find(call, "ecr:UploadLayerPart")?;
    let id = request.text("uploadId");
    let upload = call
        .repository(&at)
        .uploads
        .get_mut(id)
        .ok_or_else(|| unknown(id))?;
    let begins = request.input["contentRange"]
        .as_str()
        .and_then(|it| it.trim_start_matches("bytes ").split('-').next())
        .and_then(|it| it.parse::<usize>().ok());
    if begins.is_some_and(|it| it != upload.content.len()) {
        return Err(Refusal::new(
            "BLOB_UPLOAD_INVALID",
            "The part does not continue the upload.",
        )
        .with_status(416)
        .into());
    }
    upload.content.extend_from_slice(request.body);
    upload.parts.push(request.body.len() as u64);
    let received = upload.content.len();
    Ok(accepted(&at, id, received, 202))
}

/// How far an upload is.
pub(super) fn get(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    let at = request.find(call, "ecr:UploadLayerPart")?;
    let id = request.text("uploadId");
    let received = call
        .repository(&at)
        .uploads
        .get(id)
        .ok_or_else(|| unknown(id))?
        .content
        .len();
    Ok(accepted(&at, id, received, 204))
}

/// Forgets an upload.
pub(super) fn cancel(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    let at = request.find(call, "ecr:UploadLayerPart")?;
    let id = request.text("uploadId");
    call.repository(&at)
        .uploads
        .remove(id)
        .ok_or_else(|| unknown(id))?;
    Ok(json!({"status": 204}))
}

/// Ends an upload, perhaps with its last part.
pub(super) fn complete(call: &mut Call<'_>, request: &Request<'_>) -> Answer {
    let at = request.find(call, "ecr:CompleteLayerUpload")?;
    let id = request.text("uploadId");
    let upload = call
        .repository(&at)
        .uploads
        .remove(id)
        .ok_or_else(|| unknown(id))?;
    let mut content = upload.content;
    content.extend_from_slice(request.body);
    take(call, &at, content, request.text("digest"))
}

/// The repository that is pushed to; made now where a template says so.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-create-on-push.html>
fn repository_to_push(call: &mut Call<'_>, request: &Request<'_>) -> Result<RepositoryAt, Refusal> {
    let (registry, name) = (&request.registry, request.name());
    call.permit("ecr:InitiateLayerUpload", registry, Some(name))?;
    let missing = match call.find(registry, name) {
        Ok(at) => return Ok(at),
        Err(refusal) => refusal,
    };
    let made = templates::made_by_template(call, registry, name, "CREATE_ON_PUSH")?;
    let made = made.ok_or(missing)?;
    call.permit("ecr:CreateRepository", registry, Some(name))?;
    call.registry(registry)
        .repositories
        .insert(name.to_owned(), made);
    call.find(registry, name)
}

/// Takes a blob over from another repository of the registry, where the account has that switched
/// on and both are encrypted alike; otherwise the client uploads it.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/blob-mounting.html>
fn mount(call: &mut Call<'_>, request: &Request<'_>, at: &RepositoryAt, digest: &str) -> bool {
    let enabled = call.registry(&at.registry).settings.get("BLOB_MOUNTING");
    if enabled.is_none_or(|it| it != "ENABLED") {
        return false;
    }
    let from = request.text("from");
    let allowed = call
        .permit("ecr:GetDownloadUrlForLayer", &at.registry, Some(from))
        .is_ok();
    let Some(source) = call.find(&at.registry, from).ok().filter(|_| allowed) else {
        return false;
    };
    let held = call.repository(&source);
    let (size, encryption) = (held.layers.get(digest).copied(), held.encryption.clone());
    let repository = call.repository(at);
    match size {
        Some(size) if repository.encryption == encryption => {
            repository.layers.insert(digest.to_owned(), size);
            true
        }
        _ => false,
    }
}

fn take(call: &mut Call<'_>, at: &RepositoryAt, content: Vec<u8>, claimed: &str) -> Answer {
    let digest = digest(&content);
    if digest != claimed {
        return Err(Refusal::new(
            "DIGEST_INVALID",
            format!("the content has the digest {digest}, not {claimed}"),
        )
        .into());
    }
    layers::keep(call, at, content.into());
    Ok(stored(at, &digest))
}

fn stored(at: &RepositoryAt, digest: &str) -> Value {
    json!({
        "status": 201,
        "headers": {
            "location": format!("/v2/{}/blobs/{digest}", at.name),
            "docker-content-digest": digest,
        },
    })
}

fn accepted(at: &RepositoryAt, id: &str, received: usize, status: u16) -> Value {
    json!({
        "status": status,
        "headers": {
            "location": format!("/v2/{}/blobs/uploads/{id}", at.name),
            "docker-upload-uuid": id,
            "range": format!("0-{}", received.saturating_sub(1)),
        },
    })
}

fn unknown(id: &str) -> Refusal {
    let unknown = blobs::unknown(id);
    Refusal {
        code: "BLOB_UPLOAD_UNKNOWN".to_owned(),
        ..unknown
    }
}
