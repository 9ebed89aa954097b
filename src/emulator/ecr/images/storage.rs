//! `UpdateImageStorageClass`: into the archive and back.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/archive_restore_image.html>

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::json;

use super::super::super::call::{Answer, Call, RepositoryAt};
use super::super::super::refusal::Refusal;
use super::super::super::state::{Repository, Status};
use super::ImageId;

/// A restored image can be pulled after this time; with AWS it is some minutes.
const RESTORED_AFTER: SignedDuration = SignedDuration::from_secs(2);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Update {
    image_id: ImageId,
    target_storage_class: String,
}

/// `UpdateImageStorageClass`.
pub(in super::super) fn update(call: &mut Call<'_>, at: &RepositoryAt, input: &Update) -> Answer {
    let now = call.now;
    let repository = call.repository(at);
    let digest = input.image_id.resolve(repository, at)?;
    let status = repository.images[&digest].status;
    match (input.target_storage_class.as_str(), status) {
        ("ARCHIVE", Status::Active) => {
            if let Some(index) = active_index_of(repository, &digest) {
                return Err(not_supported(&format!(
                    "The image is referenced by the manifest list '{index}', which is not archived"
                ))
                .into());
            }
            archive(repository, &digest, now);
        }
        ("STANDARD", Status::Archived) => restore(repository, &digest, now),
        (target, status) => {
            return Err(not_supported(&format!(
                "An image with the status {} cannot be transitioned to {target}",
                status.as_str()
            ))
            .into());
        }
    }
    Ok(json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "imageId": ImageId {
            image_digest: Some(digest.clone()),
            image_tag: input.image_id.image_tag.clone(),
        },
        "imageStatus": repository.images[&digest].status.as_str(),
    }))
}

/// Moves an image to the archive, and what an index lists with it unless another needs it.
pub(in super::super) fn archive(repository: &mut Repository, digest: &str, now: Timestamp) {
    let Some(image) = repository.images.get_mut(digest) else {
        return;
    };
    image.status = Status::Archived;
    image.archived = Some(now);
    for child in image.children.clone() {
        if active_index_of(repository, &child).is_none() {
            archive(repository, &child, now);
        }
    }
}

fn restore(repository: &mut Repository, digest: &str, now: Timestamp) {
    let Some(image) = repository.images.get_mut(digest) else {
        return;
    };
    if image.status == Status::Archived {
        image.status = Status::Activating;
        image.activated = Some(now);
        for child in image.children.clone() {
            restore(repository, &child, now);
        }
    }
}

/// Ends the restorations that have taken long enough.
pub(in super::super) fn time_passes(repository: &mut Repository, now: Timestamp) {
    for image in repository
        .images
        .values_mut()
        .filter(|it| it.status == Status::Activating)
    {
        let since = image.activated.map(|it| now.duration_since(it));
        if since.is_none_or(|it| it >= RESTORED_AFTER) {
            image.status = Status::Active;
        }
    }
}

/// An index that lists the image and can be pulled.
pub(in super::super) fn active_index_of<'a>(
    repository: &'a Repository,
    digest: &str,
) -> Option<&'a String> {
    let lists = repository
        .images
        .iter()
        .filter(|(_, it)| it.children.contains(digest));
    lists
        .filter(|(_, it)| it.status == Status::Active)
        .map(|(index, _)| index)
        .next()
}

fn not_supported(why: &str) -> Refusal {
    Refusal::new("ImageStorageClassUpdateNotSupportedException", why)
}
