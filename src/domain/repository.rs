//! The ECR repository: what is desired of it, what was observed, and the plan that leads from one
//! to the other. A plan writes nothing to a repository that does not bear our owner tag.

use std::collections::{BTreeMap, BTreeSet};

use super::names::RepositoryName;
use super::origin::Created;
use super::owner::Owner;
use super::{lifecycle, policy};

mod deletion;
mod gap;
mod held;
mod plan;
mod release;
pub mod stock;
pub mod tombstone;
mod words;

pub use deletion::{Contents, Deletion, DeletionPolicy, Kept, LeftAlone, Released, plan_deletion};
pub use held::{Because, Held};
pub use plan::{Change, Create, Difference, ImageId, MOST_IMAGES, Plan, Refusal, plan};

/// The most tags that a repository bears, whosever they are.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html>
pub const MOST_TAGS: usize = 50;

/// What one repository should be. A field that is `None` is not managed: it is left as it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Desired {
    /// Its name in the registry.
    pub name: RepositoryName,
    /// The object on whose behalf it is managed.
    pub owner: Owner,
    /// Whether anything may be written at all.
    pub management: Management,
    /// What to do where a repository of this name exists and nobody owns it.
    pub adoption: Adoption,
    /// Which tags may be moved.
    pub mutability: Option<Mutability>,
    /// Whether images are scanned when pushed.
    pub scan_on_push: Option<bool>,
    /// At-rest encryption. ECR keeps it for life, so a difference is refused, never attempted.
    pub encryption: Option<Encryption>,
    /// The repository policy.
    pub policy: Setting<policy::Document>,
    /// The lifecycle policy.
    pub lifecycle: Setting<lifecycle::Document>,
    /// How far the lifecycle policy may go.
    pub safety: lifecycle::Safety,
    /// Resource tags to hold, besides the owner tags. Others on the repository are left alone.
    pub tags: BTreeMap<String, String>,
    /// Tag keys that this object once set and no longer wants.
    pub retired_tags: BTreeSet<String>,
}

/// What a repository is, as one read or one page of a list told it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observed {
    /// Its ARN.
    pub arn: String,
    /// Which tags may be moved.
    pub mutability: Mutability,
    /// Whether images are scanned when pushed.
    pub scan_on_push: bool,
    /// At-rest encryption.
    pub encryption: Encryption,
    /// All its resource tags, the owner tags among them.
    pub tags: BTreeMap<String, String>,
    /// When it was created.
    pub created: Option<Created>,
    /// Its repository policy; read one by one, so a list leaves it unread.
    pub policy: Reading<policy::Document>,
    /// Its lifecycle policy; read one by one, so a list leaves it unread.
    pub lifecycle: Reading<lifecycle::Document>,
}

/// A document that we may want, want gone, or not care about.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Setting<T> {
    /// Not ours: whatever is there stays.
    #[default]
    Unmanaged,
    /// We put one there once, and it is no longer wanted.
    Absent,
    /// Exactly this one.
    Present(T),
}

/// What is known of something that ECR does not list.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reading<T> {
    /// Not read yet: a plan leaves it alone.
    NotRead,
    /// Read, and nothing was there.
    Absent,
    /// Read.
    Present(T),
    /// Read, and not understood; kept as text. It equals no document of ours.
    Foreign(String),
}

impl Desired {
    /// The tags to hold: the user's, and the owner tags over them.
    pub fn all_tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        tags.extend(self.owner.tags());
        tags
    }

    /// Whether it says anything about documents, which no list tells.
    pub fn manages_documents(&self) -> bool {
        self.policy != Setting::Unmanaged || self.lifecycle != Setting::Unmanaged
    }

    /// Whether `observed` leaves open how a managed document is: a plan made from it says nothing
    /// about that document, so it takes a read to know that the repository is in step.
    pub fn needs_reading(&self, observed: &Observed) -> bool {
        (self.policy != Setting::Unmanaged && observed.policy == Reading::NotRead)
            || (self.lifecycle != Setting::Unmanaged && observed.lifecycle == Reading::NotRead)
    }
}

impl Observed {
    /// What is left of the policy without the quarantine of [a tombstone](tombstone).
    fn lifted(&self) -> policy::Lifted {
        match &self.policy {
            Reading::Present(document) => document.lifted(),
            Reading::NotRead | Reading::Absent | Reading::Foreign(_) => policy::Lifted::AsItWas,
        }
    }

    /// The call that lifts the quarantine, if the policy was read and has our statement in it.
    fn lifting(&self) -> Option<Change> {
        match self.lifted() {
            policy::Lifted::AsItWas => None,
            policy::Lifted::Nothing => Some(Change::DeleteRepositoryPolicy),
            policy::Lifted::Document(left) => Some(Change::SetRepositoryPolicy(left)),
        }
    }
}

/// Whether this cluster manages the repository, or only looks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Management {
    /// Create and correct it.
    Manage,
    /// Report how it differs, write nothing.
    Observe,
}

/// What to do with a repository that exists and bears nobody's owner tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Adoption {
    /// Leave it alone and say so.
    Never,
    /// Make it ours.
    IfUnowned,
}

/// Which tags of a repository can be moved to another image.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html>
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Mutability {
    /// All.
    Mutable,
    /// None.
    Immutable,
    /// All but those that match a filter (`MUTABLE_WITH_EXCLUSION`).
    MutableExcept(BTreeSet<String>),
    /// Only those that match a filter (`IMMUTABLE_WITH_EXCLUSION`).
    ImmutableExcept(BTreeSet<String>),
    /// A mode that ECR knows and this program does not; observed, never desired.
    Other(String),
}

/// Encryption at rest. <https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html>
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Encryption {
    /// Keys that Amazon S3 manages (`AES256`).
    Aes256,
    /// AWS KMS, with the key of this ARN; `None` means the account's `aws/ecr` key.
    Kms(Option<String>),
    /// Two layers with AWS KMS; GovCloud only.
    KmsDsse(Option<String>),
    /// A type that ECR knows and this program does not; observed, never desired.
    Other(String),
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
