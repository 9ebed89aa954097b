//! Layers that come in part by part, and where they are got from.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::json;

use super::super::call::{Answer, Call, RepositoryAt};
use super::super::manifest::Manifest;
use super::super::refusal::Refusal;
use super::super::state::{Repository, Status, Upload, digest, uuid};

/// How large ECR would like parts to be.
const PART: u64 = 10 * 1024 * 1024;
/// All parts but the last are at least this large.
const LEAST_PART: u64 = 5 * 1024 * 1024;
/// A download address works for this long.
const ADDRESS_FOR: SignedDuration = SignedDuration::from_hours(1);

#[derive(Deserialize)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UploadPart {
    upload_id: String,
    part_first_byte: u64,
    part_last_byte: u64,
    layer_part_blob: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Complete {
    upload_id: String,
    layer_digests: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    layer_digests: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GetUrl {
    layer_digest: String,
}

/// `InitiateLayerUpload`.
pub(super) fn initiate(call: &mut Call<'_>, at: &RepositoryAt, _: &Nothing) -> Answer {
    let id = uuid(&call.state.make_up("upload"));
    call.repository(at)
        .uploads
        .insert(id.clone(), Upload::default());
    Ok(json!({"uploadId": id, "partSize": PART}))
}

/// `UploadLayerPart`.
pub(super) fn upload_part(call: &mut Call<'_>, at: &RepositoryAt, input: &UploadPart) -> Answer {
    let blob = STANDARD
        .decode(&input.layer_part_blob)
        .map_err(|_| Refusal::serialization("layerPartBlob is no base64"))?;
    let uploads = &mut call.repository(at).uploads;
    let upload = uploads
        .get_mut(&input.upload_id)
        .ok_or_else(|| not_found(at, &input.upload_id))?;
    let received = upload.content.len() as u64;
    let length = blob.len() as u64;
    let fits = input.part_first_byte == received
        && (input.part_last_byte + 1).checked_sub(received) == Some(length);
    if !fits {
        return Err(Refusal::new(
            "InvalidLayerPartException",
            format!(
                "Invalid layer part upload for upload with id '{}' in the repository with name \
                 '{}' in the registry with id '{}'",
                input.upload_id, at.name, at.registry.account
            ),
        )
        .with("registryId", at.registry.account.as_str())
        .with("repositoryName", at.name.as_str())
        .with("uploadId", input.upload_id.as_str())
        .with("lastValidByteReceived", received.saturating_sub(1))
        .into());
    }
    upload.content.extend_from_slice(&blob);
    upload.parts.push(length);
    Ok(json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "uploadId": input.upload_id,
        "lastByteReceived": input.part_last_byte,
    }))
}

/// `CompleteLayerUpload`.
pub(super) fn complete(call: &mut Call<'_>, at: &RepositoryAt, input: &Complete) -> Answer {
    let Complete {
        upload_id,
        layer_digests,
    } = input;
    let uploads = &call.repository(at).uploads;
    let upload = uploads
        .get(upload_id)
        .ok_or_else(|| not_found(at, upload_id))?;
    let here = format!(
        "the repository with name '{}' in the registry with id '{}'",
        at.name, at.registry.account
    );
    if upload.content.is_empty() {
        return Err(Refusal::new(
            "EmptyUploadException",
            format!("Upload with id '{upload_id}' in {here} does not contain any layer parts"),
        )
        .into());
    }
    if upload.parts.iter().rev().skip(1).any(|it| *it < LEAST_PART) {
        return Err(Refusal::new(
            "LayerPartTooSmallException",
            format!(
                "Upload with id '{upload_id}' in {here} has parts smaller than {LEAST_PART} bytes"
            ),
        )
        .into());
    }
    let digest = digest(&upload.content);
    if !layer_digests.contains(&digest) {
        return Err(Refusal::new(
            "InvalidLayerException",
            format!(
                "Layer digests '{}' do not match the uploaded layer's digest '{digest}' in {here}",
                layer_digests.join(", ")
            ),
        )
        .into());
    }
    if call.repository(at).layers.contains_key(&digest) {
        return Err(Refusal::new(
            "LayerAlreadyExistsException",
            format!("Layer with digest '{digest}' already exists in {here}"),
        )
        .into());
    }
    let upload = call
        .repository(at)
        .uploads
        .remove(upload_id)
        .unwrap_or_default();
    keep(call, at, upload.content.into());
    Ok(json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "uploadId": upload_id,
        "layerDigest": digest,
    }))
}

/// Keeps a layer or configuration in a repository and returns its digest.
pub(crate) fn keep(call: &mut Call<'_>, at: &RepositoryAt, content: bytes::Bytes) -> String {
    let size = content.len() as u64;
    let digest = call.state.blobs.put(content);
    call.repository(at).layers.insert(digest.clone(), size);
    digest
}

/// `BatchCheckLayerAvailability`.
pub(super) fn check(call: &mut Call<'_>, at: &RepositoryAt, input: &Check) -> Answer {
    let repository = call.repository(at);
    let (mut layers, mut failures) = (Vec::new(), Vec::new());
    for digest in &input.layer_digests {
        let failure = |code: &str, reason: &str| json!({"layerDigest": digest, "failureCode": code, "failureReason": reason});
        match repository.layers.get(digest) {
            _ if digest.is_empty() => {
                failures.push(failure("MissingLayerDigest", "Invalid request parameters: layer digest cannot be null"));
            }
            _ if !is_digest(digest) => failures.push(failure(
                "InvalidLayerDigest",
                "Invalid request parameters: layer digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
            )),
            None => layers.push(json!({"layerDigest": digest, "layerAvailability": "UNAVAILABLE"})),
            Some(size) => layers.push(json!({
                "layerDigest": digest,
                "layerAvailability": if is_archived(repository, digest) { "ARCHIVED" } else { "AVAILABLE" },
                "layerSize": size,
                "mediaType": media_type(repository, digest),
            })),
        }
    }
    Ok(json!({"layers": layers, "failures": failures}))
}

/// `GetDownloadUrlForLayer`.
pub(super) fn download_url(call: &mut Call<'_>, at: &RepositoryAt, input: &GetUrl) -> Answer {
    let digest = &input.layer_digest;
    let repository = call.repository(at);
    let message = |what: &str| {
        format!(
            "Layer with digest '{digest}' {what} the repository with name '{}' in the registry with id '{}'",
            at.name, at.registry.account
        )
    };
    if !repository.layers.contains_key(digest) {
        return Err(Refusal::new("LayersNotFoundException", message("does not exist in")).into());
    }
    let images = || holders(repository, digest);
    if images().next().is_none() || is_archived(repository, digest) {
        let message = message("is not associated with an image that can be pulled in");
        return Err(Refusal::new("LayerInaccessibleException", message).into());
    }
    let expires = call
        .now
        .checked_add(ADDRESS_FOR)
        .unwrap_or(call.now)
        .as_second();
    let signature = signature(digest, expires);
    let url = format!(
        "{}/_layers/{digest}?expires={expires}&signature={signature}",
        call.endpoint
    );
    Ok(json!({"downloadUrl": url, "layerDigest": digest}))
}

/// What makes a download address hard to come by without asking.
pub(crate) fn signature(digest: &str, expires: i64) -> String {
    super::super::state::digest(format!("download {digest} until {expires}").as_bytes())[7..39]
        .to_owned()
}

fn is_digest(text: &str) -> bool {
    text.split_once(':').is_some_and(|(kind, hex)| {
        !kind.is_empty() && !hex.is_empty() && hex.bytes().all(|it| it.is_ascii_hexdigit())
    })
}

/// The images that have the layer, with their statuses.
fn holders<'a>(repository: &'a Repository, digest: &'a str) -> impl Iterator<Item = Status> + 'a {
    let holds = move |manifest: &str| {
        // The digest stands in the manifest as it is: a manifest without it need not be read.
        manifest.contains(digest)
            && Manifest::read(manifest.to_owned(), None)
                .is_ok_and(|it| it.blobs().iter().any(|it| it.digest == digest))
    };
    repository
        .images
        .values()
        .filter(move |it| holds(&it.manifest))
        .map(|it| it.status)
}

fn is_archived(repository: &Repository, digest: &str) -> bool {
    let mut holders = holders(repository, digest).peekable();
    holders.peek().is_some() && holders.all(|it| it != Status::Active)
}

fn media_type(repository: &Repository, digest: &str) -> String {
    let told = repository
        .images
        .values()
        .filter(|it| it.manifest.contains(digest))
        .find_map(|it| {
            let manifest = Manifest::read(it.manifest.clone(), None).ok()?;
            manifest
                .blobs()
                .into_iter()
                .find(|it| it.digest == digest)?
                .media_type
        });
    told.unwrap_or_else(|| "application/vnd.docker.image.rootfs.diff.tar.gzip".to_owned())
}

fn not_found(at: &RepositoryAt, id: &str) -> Refusal {
    Refusal::new(
        "UploadNotFoundException",
        format!(
            "Upload with id '{id}' could not be found for the repository with name '{}' in the registry with id '{}'",
            at.name, at.registry.account
        ),
    )
}
