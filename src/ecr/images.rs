//! Facts about images: which tags and digests of a repository can be pulled now, what else is there,
//! and what indexes are made of.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::primitives::{DateTime, DateTimeFormat};
use aws_sdk_ecr::types::{
    DescribeImagesFilter, ImageDetail, ImageFailure, ImageFailureCode, ImageIdentifier,
    ImageStatusFilter,
};
use serde::Deserialize;

use super::error::{Error, ErrorKind};
use super::operation::Operation;
use super::registry::{Registry, found};
use crate::domain::facts::Images;
use crate::domain::lifecycle::safety::{Children, Inventory};
use crate::domain::repository::stock::{Image, Kind, Look};
use crate::domain::repository::{ImageId, MOST_IMAGES};
use crate::domain::{Moment, RepositoryName};

/// AWS's largest page of `DescribeImages`.
const IMAGES_A_PAGE: i32 = 1000;
/// The most images that one `BatchGetImage` names.
const IMAGES_A_BATCH: usize = 100;
/// The media types of indexes.
const INDEXES: [&str; 2] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

impl Registry {
    /// Lists the images of `name` that can be pulled: a call for every 1,000. Archived images can
    /// not be pulled and are left out; a repository that does not exist has no images.
    pub async fn images(&self, name: &RepositoryName) -> Result<Images, Error> {
        let mut images = Images::default();
        let note = |image: ImageDetail| {
            if let Some(digest) = image.image_digest {
                let tags = image.image_tags.unwrap_or_default().into_iter();
                images.tags.extend(tags.map(|it| (it, digest.clone())));
                images.digests.insert(digest);
            }
            Ok(())
        };
        self.each_image(name, &ImageStatusFilter::Active, note)
            .await?;
        Ok(images)
    }

    /// Lists all images of `name`, archived ones too: a call for every 1,000.
    pub async fn inventory(&self, name: &RepositoryName) -> Result<Inventory, Error> {
        let mut inventory = Inventory::default();
        let note = |image: ImageDetail| {
            let media_type = image.image_manifest_media_type.unwrap_or_default();
            if let Some(digest) = image.image_digest {
                let tags = image.image_tags.unwrap_or_default().into_iter();
                inventory.tags.extend(tags.map(|it| (it, digest.clone())));
                if INDEXES.contains(&media_type.as_str()) {
                    inventory.indexes.insert(digest.clone());
                }
                inventory.digests.insert(digest);
            }
            Ok(())
        };
        self.each_image(name, &ImageStatusFilter::Any, note).await?;
        Ok(inventory)
    }

    /// What the given indexes of `name` are made of: a call for every 100. ECR takes it for a pull of
    /// each index, unless our role is excluded from that.
    pub async fn children(
        &self,
        name: &RepositoryName,
        indexes: &BTreeSet<String>,
    ) -> Result<Children, Error> {
        let mut children = Children::new();
        let indexes: Vec<&String> = indexes.iter().collect();
        for batch in indexes.chunks(IMAGES_A_BATCH) {
            let id = |it: &&String| ImageIdentifier::builder().image_digest(*it).build();
            let send = self.session.read.batch_get_image();
            let send = send.registry_id(self.id()).repository_name(name.as_str());
            let send = send.set_image_ids(Some(batch.iter().map(id).collect()));
            let send = send.set_accepted_media_types(Some(INDEXES.map(str::to_owned).to_vec()));
            let answer = self.call(Operation::BatchGetImage, || send.clone().send());
            let answer = answer.await?;
            for image in self.items(Operation::BatchGetImage, answer.images)? {
                let digest = image.image_id.and_then(|it| it.image_digest);
                let manifest = image.image_manifest.unwrap_or_default();
                // One that does not read has no images that we could know of.
                let index: Index = serde_json::from_str(&manifest).unwrap_or_default();
                let of = index.manifests.into_iter().map(|it| it.digest);
                children.insert(digest.unwrap_or_default(), of.collect());
            }
        }
        Ok(children)
    }

    /// The images of `name` with what they are deleted by, archived ones too: a call for every 1,000.
    /// A repository that does not exist holds none. `at` is a moment of AWS's before the first call.
    pub async fn look(&self, name: &RepositoryName, at: Moment) -> Result<Look, Error> {
        let mut images = BTreeMap::new();
        let note = |image: ImageDetail| {
            let (digest, image) = looked_at(image).ok_or_else(|| {
                let message = "an image is told without its digest or the time of its push";
                let (kind, call) = (ErrorKind::Unexpected, Operation::DescribeImages);
                Error::new(kind, call, &self.name, message)
            })?;
            images.insert(digest, image);
            Ok(())
        };
        // Without this status archived images are left out, and to delete them is a loss too.
        self.each_image(name, &ImageStatusFilter::Any, note).await?;
        Ok(Look { at, images })
    }

    /// Deletes images by what they were looked at as. What is gone already is no failure; what another
    /// image still needs, or got another tag, is left for the next look.
    pub(super) async fn delete_images(
        &self,
        name: &RepositoryName,
        images: &BTreeSet<ImageId>,
    ) -> Result<(), Error> {
        const CALL: Operation = Operation::BatchDeleteImage;
        debug_assert!(images.len() <= MOST_IMAGES, "{}", images.len());
        let id = |it: &ImageId| {
            let id = ImageIdentifier::builder().image_digest(&it.digest);
            id.set_image_tag(it.tag.clone()).build()
        };
        let send = self.session.write.batch_delete_image();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let send = send.set_image_ids(Some(images.iter().map(id).collect()));
        let answer = self.call(CALL, || send.clone().send()).await;
        let Some(answer) = found(answer, &["RepositoryNotFoundException"])? else {
            return Ok(());
        };
        let serious = answer.failures().iter().find(|it| is_serious(it));
        let Some(failure) = serious else {
            return Ok(());
        };
        let message = format!(
            "image {} is not deleted: {} {}",
            failure
                .image_id()
                .and_then(|it| it.image_digest())
                .unwrap_or("?"),
            failure.failure_code().map_or("", ImageFailureCode::as_str),
            failure.failure_reason().unwrap_or_default(),
        );
        Err(Error::new(ErrorKind::Unexpected, CALL, &self.name, message))
    }

    /// Shows `note` every image of this status. A repository that does not exist has none.
    async fn each_image(
        &self,
        name: &RepositoryName,
        status: &ImageStatusFilter,
        mut note: impl FnMut(ImageDetail) -> Result<(), Error> + Send,
    ) -> Result<(), Error> {
        const CALL: Operation = Operation::DescribeImages;
        let mut next = None;
        loop {
            let filter = DescribeImagesFilter::builder().image_status(status.clone());
            let send = self.session.read.describe_images();
            let send = send.registry_id(self.id()).repository_name(name.as_str());
            let send = send.filter(filter.build()).max_results(IMAGES_A_PAGE);
            let send = send.set_next_token(next);
            let answer = self.call(CALL, || send.clone().send()).await;
            let Some(page) = found(answer, &["RepositoryNotFoundException"])? else {
                return Ok(());
            };
            for image in self.items(CALL, page.image_details)? {
                note(image)?;
            }
            next = page.next_token;
            if next.is_none() {
                return Ok(());
            }
        }
    }
}

/// Whether the next look does not answer it.
fn is_serious(failure: &ImageFailure) -> bool {
    match failure.failure_code() {
        Some(
            ImageFailureCode::ImageNotFound
            | ImageFailureCode::ImageTagDoesNotMatchDigest
            | ImageFailureCode::ImageReferencedByManifestList,
        ) => false,
        Some(_) | None => true,
    }
}

/// An image by its digest, as a deletion has to know it.
fn looked_at(image: ImageDetail) -> Option<(String, Image)> {
    let media_type = image.image_manifest_media_type.unwrap_or_default();
    let pushed = image.image_pushed_at?.secs();
    let came = image
        .last_activated_at
        .map_or(pushed, |it| pushed.max(it.secs()));
    let pulled = image.last_recorded_pull_time;
    let used = pulled.map_or(came, |it| came.max(it.secs()));
    let image_kind = match INDEXES.contains(&media_type.as_str()) {
        true => Kind::Index,
        false => Kind::Single,
    };
    let tags = image.image_tags.unwrap_or_default();
    Some((
        image.image_digest?,
        Image {
            tags: tags.into_iter().collect(),
            kind: image_kind,
            came: moment(came)?,
            used: moment(used)?,
        },
    ))
}

fn moment(seconds: i64) -> Option<Moment> {
    let text = DateTime::from_secs(seconds).fmt(DateTimeFormat::DateTime);
    text.ok()?.parse().ok()
}

/// A manifest of an index, as far as it matters.
#[derive(Default, Deserialize)]
struct Index {
    #[serde(default)]
    manifests: Vec<Child>,
}

#[derive(Deserialize)]
struct Child {
    digest: String,
}
