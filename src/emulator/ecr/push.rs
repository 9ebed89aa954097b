//! Manifests that come in: `PutImage`.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::BareManifests;
use super::super::call::{Answer, Call, RepositoryAt};
use super::super::manifest::Manifest;
use super::super::refusal::Refusal;
use super::super::state::{Image, Repository, Status};
use super::{registry, replication, scanning};

/// An image has at most this many tags.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
const MOST_TAGS: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutImage {
    image_manifest: String,
    image_manifest_media_type: Option<String>,
    image_tag: Option<String>,
    image_digest: Option<String>,
}

/// `PutImage`.
pub(super) fn put_image(call: &mut Call<'_>, at: &RepositoryAt, input: &PutImage) -> Answer {
    let manifest = Manifest::read(
        input.image_manifest.clone(),
        input.image_manifest_media_type.as_deref(),
    )
    .map_err(|it| Refusal::invalid("ImageManifest", &it))?;
    let digest = manifest.digest();
    if let Some(claimed) = input.image_digest.as_ref().filter(|it| **it != digest) {
        return Err(Refusal::new(
            "ImageDigestDoesNotMatchException",
            format!(
                "The image digest '{claimed}' does not match the digest '{digest}' of the manifest"
            ),
        )
        .into());
    }
    let tag = input.image_tag.as_deref();
    if tag.is_some_and(|it| !is_tag(it)) {
        return Err(Refusal::invalid(
            "imageTag",
            "must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'",
        )
        .into());
    }
    let now = call.now;
    let bare = call.bare_manifests;
    let repository = call.repository(at);
    // A layer is never forgotten: where none is, none was ever uploaded.
    if bare == BareManifests::Refused || !repository.layers.is_empty() {
        layers_are_there(repository, at, &manifest)?;
    }
    acceptable(repository, at, &manifest, tag)?;
    keep(repository, &manifest, tag, now);
    scanning::pushed(call, at, &digest);
    registry::signing::pushed(call, at, &digest);
    replication::pushed(call, at, &digest, tag);
    Ok(json!({"image": view(at, &digest, tag, &manifest)}))
}

/// Refuses what ECR would not take.
fn acceptable(
    repository: &Repository,
    at: &RepositoryAt,
    manifest: &Manifest,
    tag: Option<&str>,
) -> Result<(), Refusal> {
    images_are_there(repository, at, manifest)?;
    let digest = manifest.digest();
    let named = tag.and_then(|it| repository.tagged.get(it));
    let exists = match tag {
        Some(_) => named == Some(&digest),
        None => repository.images.contains_key(&digest),
    };
    if exists {
        let tag = tag.unwrap_or("null");
        return Err(Refusal::new(
            "ImageAlreadyExistsException",
            format!(
                "Image with digest '{digest}' and tag '{tag}' already exists in the repository \
                 with name '{}' in registry with id '{}'",
                at.name, at.registry.account
            ),
        ));
    }
    if let (Some(tag), Some(_)) = (tag, named)
        && !repository.may_move(tag)
    {
        return Err(Refusal::new(
            "ImageTagAlreadyExistsException",
            format!(
                "The image tag '{tag}' already exists in the '{}' repository and cannot be \
                 overwritten because the tag is immutable.",
                at.name
            ),
        ));
    }
    let tags = repository
        .tagged
        .values()
        .filter(|it| **it == digest)
        .count();
    if tag.is_some() && tags >= MOST_TAGS {
        return Err(Refusal::new(
            "LimitExceededException",
            format!("The image with digest '{digest}' already has the maximum of {MOST_TAGS} tags"),
        ));
    }
    Ok(())
}

/// Refuses a manifest whose layers or configuration were not uploaded before.
fn layers_are_there(
    repository: &Repository,
    at: &RepositoryAt,
    manifest: &Manifest,
) -> Result<(), Refusal> {
    let layers = manifest.blobs().into_iter().map(|it| it.digest);
    let missing: Vec<String> = layers
        .filter(|it| !repository.layers.contains_key(it))
        .collect();
    if !missing.is_empty() {
        return Err(Refusal::new(
            "LayersNotFoundException",
            format!(
                "Layers with digests '{}' required for pushing image into repository with name \
                 '{}' in the registry with id '{}' do not exist",
                missing.join(", "),
                at.name,
                at.registry.account
            ),
        ));
    }
    Ok(())
}

/// Refuses an index of images that were not pushed before.
fn images_are_there(
    repository: &Repository,
    at: &RepositoryAt,
    manifest: &Manifest,
) -> Result<(), Refusal> {
    let children = manifest.children().into_iter();
    let absent: Vec<String> = children
        .filter(|it| !repository.images.contains_key(it))
        .collect();
    if !absent.is_empty() {
        return Err(Refusal::new(
            "ReferencedImagesNotFoundException",
            format!(
                "Images with digests '{}' required for pushing image into repository with name \
                 '{}' in the registry with id '{}' do not exist",
                absent.join(", "),
                at.name,
                at.registry.account
            ),
        ));
    }
    Ok(())
}

/// Keeps a manifest, and gives it the tag.
pub(super) fn keep(
    repository: &mut Repository,
    manifest: &Manifest,
    tag: Option<&str>,
    now: Timestamp,
) {
    let digest = manifest.digest();
    repository
        .images
        .entry(digest.clone())
        .or_insert_with(|| Image {
            manifest: manifest.text.clone(),
            media_type: manifest.media_type.clone(),
            artifact: manifest.artifact(),
            size: manifest.size(),
            subject: manifest.subject(),
            children: manifest.children().into_iter().collect(),
            pushed: now,
            pulled: None,
            status: Status::Active,
            archived: None,
            activated: None,
            validated: None,
            scanned: None,
            replicas: Vec::new(),
            signed: Vec::new(),
        });
    if let Some(tag) = tag {
        repository.tagged.insert(tag.to_owned(), digest);
    }
}

fn view(at: &RepositoryAt, digest: &str, tag: Option<&str>, manifest: &Manifest) -> Value {
    let mut id = json!({"imageDigest": digest});
    if let Some(tag) = tag {
        id["imageTag"] = tag.into();
    }
    json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "imageId": id,
        "imageManifest": manifest.text,
        "imageManifestMediaType": manifest.media_type,
    })
}

/// `[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}`
pub(super) fn is_tag(text: &str) -> bool {
    let word = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    (1..=128).contains(&text.len())
        && text.bytes().next().is_some_and(word)
        && text.bytes().all(|it| word(it) || it == b'.' || it == b'-')
}
