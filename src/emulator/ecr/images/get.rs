//! `BatchGetImage`, which on the prefix of a pull-through cache imports what is missing.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::FirstPullByDigest;
use super::super::super::call::{Answer, Call, RepositoryAt, Stop};
use super::super::super::state::{RegistryKey, Status};
use super::super::super::upstream::Failure;
use super::super::pull_through::{self, Cached};
use super::ImageId;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct BatchGet {
    repository_name: String,
    image_ids: Vec<ImageId>,
}

/// `BatchGetImage`.
pub(in super::super) fn batch_get(
    call: &mut Call<'_>,
    registry: &RegistryKey,
    input: &BatchGet,
) -> Answer {
    let BatchGet {
        repository_name: name,
        image_ids,
    } = input;
    let upstream = import(call, registry, name, image_ids)?;
    let at = match call.find(registry, name) {
        Ok(it) => it,
        // The upstream would not even say whether there is such an image.
        Err(_)
            if upstream
                .iter()
                .any(|it| matches!(it, Err(Failure::Upstream(_)))) =>
        {
            let failures: Vec<Value> = image_ids
                .iter()
                .zip(&upstream)
                .filter_map(|(id, it)| refused(id, it))
                .collect();
            return Ok(json!({"images": [], "failures": failures}));
        }
        Err(refusal) => return Err(refusal.into()),
    };
    let (mut images, mut failures) = (Vec::new(), Vec::new());
    for (id, upstream) in image_ids.iter().zip(&upstream) {
        match refused(id, upstream).map_or_else(|| get(call, &at, id), Err) {
            Ok(it) => images.push(it),
            Err(it) => failures.push(it),
        }
    }
    Ok(json!({"images": images, "failures": failures}))
}

/// Imports what is asked for by tag from the upstream, where there is one. By digest nothing is
/// imported, unless the emulator was told to.
fn import(
    call: &mut Call<'_>,
    registry: &RegistryKey,
    name: &str,
    ids: &[ImageId],
) -> Result<Vec<Cached>, Stop> {
    let by_digest = call.first_pull_by_digest == FirstPullByDigest::Imports;
    let mut results = Vec::new();
    for id in ids {
        results.push(match (id.digest(), id.tag(), id.malformed()) {
            (None, Some(tag), None) => pull_through::refresh(call, registry, name, tag)?,
            (Some(digest), None, None) if by_digest => {
                pull_through::refresh(call, registry, name, digest)?
            }
            _ => Ok(()),
        });
    }
    Ok(results)
}

fn refused(id: &ImageId, upstream: &Cached) -> Option<Value> {
    match upstream {
        Err(Failure::Upstream(code)) => {
            Some(id.failure(code, "The upstream registry did not provide the image"))
        }
        Ok(()) | Err(Failure::NotFound) => None,
    }
}

fn get(call: &mut Call<'_>, at: &RepositoryAt, id: &ImageId) -> Result<Value, Value> {
    if let Some(failure) = id.malformed() {
        return Err(failure);
    }
    let records = records_pulls(call, &at.registry);
    let now = call.now;
    let repository = call.repository(at);
    let Some(digest) = repository.resolve(id.digest(), id.tag()).map(str::to_owned) else {
        return Err(
            match (
                id.digest(),
                id.tag().and_then(|it| repository.tagged.get(it)),
            ) {
                (Some(_), Some(_)) => id.failure(
                    "ImageTagDoesNotMatchDigest",
                    "Requested tag does not match the digest",
                ),
                _ => id.failure("ImageNotFound", "Requested image not found"),
            },
        );
    };
    let image = repository
        .images
        .get_mut(&digest)
        .expect("it was resolved in this repository");
    if image.status != Status::Active {
        return Err(id.failure("ImageInaccessible", "Requested image is archived"));
    }
    if records {
        image.pulled = Some(now);
    }
    let mut image_id = json!({"imageDigest": digest});
    if let Some(tag) = id.tag() {
        image_id["imageTag"] = tag.into();
    }
    Ok(json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "imageId": image_id,
        "imageManifest": image.manifest,
        "imageManifestMediaType": image.media_type,
    }))
}

/// Whether a pull by this caller counts as one: the registry may exclude some principals.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_RegisterPullTimeUpdateExclusion.html>
pub(crate) fn records_pulls(call: &mut Call<'_>, registry: &RegistryKey) -> bool {
    let names = &call.caller.names;
    !call
        .registry(registry)
        .exclusions
        .keys()
        .any(|it| names.contains(it))
}
