//! Images: described, got, deleted.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::super::call::RepositoryAt;
use super::super::refusal::Refusal;
use super::super::state::Repository;

pub(super) mod delete;
pub(super) mod describe;
pub(super) mod get;
pub(crate) mod referrers;
pub(super) mod storage;

/// An image by digest, by tag, or by both.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageId {
    /// The digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) image_digest: Option<String>,
    /// The tag.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) image_tag: Option<String>,
}

impl ImageId {
    /// The digest.
    pub(super) fn digest(&self) -> Option<&str> {
        self.image_digest.as_deref()
    }

    /// The tag.
    pub(super) fn tag(&self) -> Option<&str> {
        self.image_tag.as_deref()
    }

    /// Why this can be no image, as a failure of a batch operation.
    fn malformed(&self) -> Option<Value> {
        let valid = |it: &str| {
            it.split_once(':').is_some_and(|(kind, hex)| {
                let of_kind = |it: u8| it.is_ascii_alphanumeric() || b"-_+.".contains(&it);
                !kind.is_empty()
                    && kind.bytes().all(of_kind)
                    && !hex.is_empty()
                    && hex.bytes().all(|it| it.is_ascii_hexdigit())
            })
        };
        match (self.digest(), self.tag()) {
            (None, None) => Some(self.failure(
                "MissingDigestAndTag",
                "Invalid request parameters: both tag and digest cannot be null",
            )),
            (Some(it), _) if !valid(it) => Some(self.failure(
                "InvalidImageDigest",
                "Invalid request parameters: image digest should satisfy the regex '[a-zA-Z0-9-_+.]+:[a-fA-F0-9]+'",
            )),
            (_, Some(it)) if !super::push::is_tag(it) => Some(self.failure(
                "InvalidImageTag",
                "Invalid request parameters: image tag should satisfy the regex '[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}'",
            )),
            _ => None,
        }
    }

    /// A failure of a batch operation.
    fn failure(&self, code: &str, reason: &str) -> Value {
        json!({"imageId": self, "failureCode": code, "failureReason": reason})
    }

    /// The digest of the image that is meant, or a refusal where there is none.
    pub(super) fn resolve(
        &self,
        repository: &Repository,
        at: &RepositoryAt,
    ) -> Result<String, Refusal> {
        if let Some(failure) = self.malformed() {
            let reason = failure["failureReason"].as_str().unwrap_or_default();
            return Err(Refusal::new("InvalidParameterException", reason));
        }
        let digest = repository.resolve(self.digest(), self.tag());
        digest.map(str::to_owned).ok_or_else(|| self.not_found(at))
    }

    /// `ImageNotFoundException`.
    fn not_found(&self, at: &RepositoryAt) -> Refusal {
        Refusal::new(
            "ImageNotFoundException",
            format!(
                "The image with imageId {self} does not exist within the repository with name '{}' \
                 in the registry with id '{}'",
                at.name, at.registry.account
            ),
        )
    }
}

impl std::fmt::Display for ImageId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (digest, tag) = (
            self.digest().unwrap_or("null"),
            self.tag().unwrap_or("null"),
        );
        write!(f, "{{imageDigest:'{digest}', imageTag:'{tag}'}}")
    }
}
