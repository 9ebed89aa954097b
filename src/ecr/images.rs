//! Facts about images: which tags and digests of a repository can be pulled now.

use aws_sdk_ecr::types::{DescribeImagesFilter, ImageStatusFilter};

use super::error::Error;
use super::operation::Operation;
use super::registry::{Registry, found};
use crate::domain::RepositoryName;
use crate::domain::facts::Images;

/// AWS's largest page of `DescribeImages`.
const IMAGES_A_PAGE: i32 = 1000;

impl Registry {
    /// Lists the images of `name` that can be pulled: a call for every 1,000. Archived images can
    /// not be pulled and are left out; a repository that does not exist has no images.
    pub async fn images(&self, name: &RepositoryName) -> Result<Images, Error> {
        const CALL: Operation = Operation::DescribeImages;
        let mut images = Images::default();
        let mut next = None;
        loop {
            let active = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Active);
            let send = self.session.read.describe_images();
            let send = send.registry_id(self.id()).repository_name(name.as_str());
            let send = send.filter(active.build()).max_results(IMAGES_A_PAGE);
            let send = send.set_next_token(next).send();
            let answer = self.call(CALL, send).await;
            let Some(page) = found(answer, &["RepositoryNotFoundException"])? else {
                return Ok(Images::default());
            };
            for image in self.items(CALL, page.image_details)? {
                let Some(digest) = image.image_digest else {
                    continue;
                };
                for tag in image.image_tags.unwrap_or_default() {
                    images.tags.insert(tag, digest.clone());
                }
                images.digests.insert(digest);
            }
            next = page.next_token;
            if next.is_none() {
                return Ok(images);
            }
        }
    }
}
