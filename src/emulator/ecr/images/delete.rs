//! `BatchDeleteImage`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Answer, Call, RepositoryAt};
use super::super::super::state::Repository;
use super::super::replication;
use super::ImageId;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct BatchDelete {
    image_ids: Vec<ImageId>,
}

/// `BatchDeleteImage`. By tag the tag goes, and the image with its last tag; by digest the image
/// goes with all its tags.
pub(in super::super) fn batch_delete(
    call: &mut Call<'_>,
    at: &RepositoryAt,
    input: &BatchDelete,
) -> Answer {
    let repository = call.repository(at);
    let (mut deleted, mut failures) = (Vec::<ImageId>::new(), Vec::new());
    for id in &input.image_ids {
        match delete(repository, id) {
            Ok(gone) => deleted.extend(gone),
            Err(failure) => failures.push(failure),
        }
    }
    for id in &deleted {
        let tags: Vec<String> = id.image_tag.iter().cloned().collect();
        replication::deleted(call, at, id.digest().unwrap_or_default(), &tags);
    }
    Ok(json!({"imageIds": deleted, "failures": failures}))
}

fn delete(repository: &mut Repository, id: &ImageId) -> Result<Vec<ImageId>, Value> {
    if let Some(failure) = id.malformed() {
        return Err(failure);
    }
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
    let tags: Vec<String> = repository
        .tagged
        .iter()
        .filter(|(_, it)| **it == digest)
        .map(|(tag, _)| tag.clone())
        .collect();
    let named = |tag: Option<&String>| ImageId {
        image_digest: Some(digest.clone()),
        image_tag: tag.cloned(),
    };
    match &id.image_tag {
        Some(tag) if tags.len() > 1 => {
            repository.tagged.remove(tag);
            return Ok(vec![named(Some(tag))]);
        }
        _ => {}
    }
    if let Some(index) = index_of(repository, &digest) {
        return Err(id.failure(
            "ImageReferencedByManifestList",
            &format!("Requested image referenced by manifest list: [{index}]"),
        ));
    }
    repository.remove(&digest);
    Ok(match tags.is_empty() {
        true => vec![named(None)],
        false => tags.iter().map(|it| named(Some(it))).collect(),
    })
}

/// An index that lists the image.
fn index_of<'a>(repository: &'a Repository, digest: &str) -> Option<&'a String> {
    repository
        .images
        .iter()
        .find(|(_, it)| it.children.contains(digest))
        .map(|(index, _)| index)
}
