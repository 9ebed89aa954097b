//! What a lifecycle policy would do to a repository, asked of ECR itself. A preview changes no image,
//! but a repository has one at a time, and it may be somebody else's.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_StartLifecyclePolicyPreview.html>

use std::time::Duration;

use aws_sdk_ecr::operation::get_lifecycle_policy_preview::GetLifecyclePolicyPreviewOutput;
use aws_sdk_ecr::types::{
    ImageActionType, LifecyclePolicyPreviewResult, LifecyclePolicyPreviewStatus,
};
use tokio::time::sleep;

use super::error::{Error, ErrorKind};
use super::operation::Operation;
use super::registry::{Registry, found};
use crate::domain::RepositoryName;
use crate::domain::lifecycle::safety::Taken;
use crate::domain::lifecycle::{ActionType, Document};

/// AWS's largest page of `GetLifecyclePolicyPreview`.
const RESULTS_A_PAGE: i32 = 100;
/// How long after the one before it each look is taken; after the last one somebody asks again.
const LOOKS: [Duration; 5] = [
    Duration::from_millis(250),
    Duration::from_millis(750),
    Duration::from_secs(1),
    Duration::from_secs(3),
    Duration::from_secs(5),
];

/// What one page of a preview says.
enum Page {
    /// Nothing yet.
    UnderWay,
    /// It is of another policy, is gone, or came to nothing: it has to be started anew.
    NotOurs,
    /// It is ours: what would be taken, and where it goes on.
    Ours(Vec<Taken>, Option<String>),
}

impl Registry {
    /// The images of `name` that `document` would act on, as a preview tells that begins now or is
    /// under way now. `None`: it is not done yet, or somebody else's is in the way.
    pub async fn preview(
        &self,
        name: &RepositoryName,
        document: &Document,
    ) -> Result<Option<Vec<Taken>>, Error> {
        const CALL: Operation = Operation::StartLifecyclePolicyPreview;
        let send = self.session.write.start_lifecycle_policy_preview();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let send = send.lifecycle_policy_text(document.as_str());
        // One that is under way is as fresh as ours would be; whose it is, its text tells.
        found(
            self.call(CALL, || send.clone().send()).await,
            &["LifecyclePolicyPreviewInProgressException"],
        )?;
        for after in LOOKS {
            sleep(after).await;
            match self.preview_page(name, document, None).await? {
                Page::UnderWay => {}
                Page::NotOurs => return Ok(None),
                Page::Ours(taken, next) => {
                    return self.rest_of_preview(name, document, (taken, next)).await;
                }
            }
        }
        Ok(None)
    }

    async fn rest_of_preview(
        &self,
        name: &RepositoryName,
        document: &Document,
        (mut taken, mut next): (Vec<Taken>, Option<String>),
    ) -> Result<Option<Vec<Taken>>, Error> {
        while next.is_some() {
            match self.preview_page(name, document, next).await? {
                Page::Ours(more, after) => {
                    taken.extend(more);
                    next = after;
                }
                // Somebody began another one between two pages.
                Page::UnderWay | Page::NotOurs => return Ok(None),
            }
        }
        Ok(Some(taken))
    }

    async fn preview_page(
        &self,
        name: &RepositoryName,
        document: &Document,
        next: Option<String>,
    ) -> Result<Page, Error> {
        const CALL: Operation = Operation::GetLifecyclePolicyPreview;
        let send = self.session.read.get_lifecycle_policy_preview();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let send = send.max_results(RESULTS_A_PAGE).set_next_token(next);
        let answer = self.call(CALL, || send.clone().send()).await;
        let Some(page) = found(answer, &["LifecyclePolicyPreviewNotFoundException"])? else {
            return Ok(Page::NotOurs);
        };
        if !is_of(&page, document) {
            return Ok(Page::NotOurs);
        }
        match page.status {
            Some(LifecyclePolicyPreviewStatus::InProgress) => Ok(Page::UnderWay),
            Some(LifecyclePolicyPreviewStatus::Complete) => {
                let results = self.items(CALL, page.preview_results)?;
                Ok(Page::Ours(
                    results.into_iter().map(taken).collect(),
                    page.next_token,
                ))
            }
            Some(LifecyclePolicyPreviewStatus::Expired) => Ok(Page::NotOurs),
            status => {
                let status = status.map_or("none", |it| match it {
                    LifecyclePolicyPreviewStatus::Failed => "FAILED",
                    _ => "unknown",
                });
                let message = format!("the preview of {name} has status {status}");
                Err(Error::new(ErrorKind::Unexpected, CALL, &self.name, message))
            }
        }
    }
}

/// Whether a preview is one of `document`, however ECR spells it.
fn is_of(page: &GetLifecyclePolicyPreviewOutput, document: &Document) -> bool {
    let text = page.lifecycle_policy_text.as_deref().map(Document::parse);
    text.is_some_and(|it| it.is_ok_and(|it| it == *document))
}

fn taken(result: LifecyclePolicyPreviewResult) -> Taken {
    let action = result.action.and_then(|it| it.r#type);
    Taken {
        digest: result.image_digest.unwrap_or_default(),
        tags: result.image_tags.unwrap_or_default(),
        // In doubt the image is lost.
        action: match action {
            Some(ImageActionType::Transition) => ActionType::Transition,
            _ => ActionType::Expire,
        },
    }
}
