//! Facts about images: which tags and digests of a repository can be pulled now.

use aws_sdk_ecr::primitives::{DateTime, DateTimeFormat};
use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageStatusFilter};

use super::error::{Error, ErrorKind};
use super::operation::Operation;
use super::registry::{Registry, found};
use crate::domain::facts::Images;
use crate::domain::repository::tombstone::Holdings;
use crate::domain::{Moment, RepositoryName};

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
            let send = send.set_next_token(next);
            let answer = self.call(CALL, || send.clone().send()).await;
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

    /// What a repository holds, archived images too, and when one was last pulled or pushed: a call
    /// for every 1,000. One that does not exist holds nothing.
    pub async fn holdings(&self, name: &RepositoryName) -> Result<Holdings, Error> {
        const CALL: Operation = Operation::DescribeImages;
        let mut last = None;
        let mut next = None;
        loop {
            // Without this filter archived images are left out, and to delete them is a loss too.
            let any = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any);
            let send = self.session.read.describe_images();
            let send = send.registry_id(self.id()).repository_name(name.as_str());
            let send = send.filter(any.build()).max_results(IMAGES_A_PAGE);
            let send = send.set_next_token(next);
            let answer = self.call(CALL, || send.clone().send()).await;
            let Some(page) = found(answer, &["RepositoryNotFoundException"])? else {
                return Ok(Holdings::Nothing);
            };
            for image in &self.items(CALL, page.image_details)? {
                let used = last_use(image).ok_or_else(|| {
                    let message = "an image is told without the time of its push";
                    Error::new(ErrorKind::Unexpected, CALL, &self.name, message)
                })?;
                last = last.max(Some(used));
            }
            next = page.next_token;
            if next.is_none() {
                return Ok(last.map_or(Holdings::Nothing, Holdings::Images));
            }
        }
    }
}

/// When an image was last pulled, pushed or brought back from the archive.
fn last_use(image: &ImageDetail) -> Option<Moment> {
    let times = [
        image.last_recorded_pull_time,
        image.image_pushed_at,
        image.last_activated_at,
    ];
    image.image_pushed_at?;
    let seconds = times.into_iter().flatten().map(|it| it.secs()).max()?;
    let text = DateTime::from_secs(seconds).fmt(DateTimeFormat::DateTime);
    text.ok()?.parse().ok()
}
