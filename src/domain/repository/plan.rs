//! From desired and observed to the calls that close the gap. One [`Change`] is one AWS call, named
//! as AWS names it; what may not be done is a [`Refusal`], and what is not equal a [`Difference`].

use std::collections::{BTreeMap, BTreeSet};

use super::gap::gap;
use super::{
    Adoption, Desired, Encryption, Held, Management, Mutability, Observed, Setting, lifecycle,
    policy,
};
use crate::domain::lifecycle::safety::InUse;
use crate::domain::owner::{Foreign, Ownership};
use crate::domain::pull_through::Prefix;

/// What to do about one repository, what was refused, and how it differs from what is desired.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// The calls to make, in order. Empty when in step, observing or refused.
    pub changes: Vec<Change>,
    /// Changes that wait for something; they block no other.
    pub held: Vec<Held>,
    /// What is desired and cannot or must not be done, for a person to read.
    pub refusals: Vec<Refusal>,
    /// Every managed field that is not as desired, whether or not a change closes it.
    pub differences: Vec<Difference>,
}

/// One AWS call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Make the repository, with all that the call takes.
    CreateRepository(Create),
    /// Set mutability and its exclusion filters together.
    PutImageTagMutability(Mutability),
    /// Set scan on push.
    PutImageScanningConfiguration(bool),
    /// Put the repository policy.
    SetRepositoryPolicy(policy::Document),
    /// Take the repository policy off.
    DeleteRepositoryPolicy,
    /// Put the lifecycle policy.
    PutLifecyclePolicy(lifecycle::Document),
    /// Take the lifecycle policy off.
    DeleteLifecyclePolicy,
    /// Add tags, or change their values.
    TagResource(BTreeMap<String, String>),
    /// Remove tags by key.
    UntagResource(BTreeSet<String>),
    /// Delete these images; at most [`MOST_IMAGES`] of them. Only [a tombstone](super::tombstone)
    /// ends so.
    BatchDeleteImage(BTreeSet<ImageId>),
    /// Delete the repository if ECR finds it empty; never with `force`.
    DeleteRepository,
}

/// The most images that one call names.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html>
pub const MOST_IMAGES: usize = 100;

/// An image as a deletion names it. With a tag the image goes only if the tag still leads to this
/// digest and is its last one, so an image that got another tag meanwhile stays.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct ImageId {
    /// The digest of its manifest.
    pub digest: String,
    /// One of its tags; `None`: it has none.
    pub tag: Option<String>,
}

/// What `CreateRepository` takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Create {
    /// Tag mutability; `None` leaves ECR's default, mutable.
    pub mutability: Option<Mutability>,
    /// Scan on push; `None` leaves ECR's default, off.
    pub scan_on_push: Option<bool>,
    /// Encryption; `None` leaves ECR's default, AES256.
    pub encryption: Option<Encryption>,
    /// Resource tags, the owner tags among them: tags at creation are atomic with it.
    pub tags: BTreeMap<String, String>,
}

/// Something desired that is not done, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The repository exists, bears no owner tag and no mark that we released it, and adoption was not
    /// asked for.
    NotAdopted,
    /// The repository bears somebody else's owner tag.
    OwnedByAnother(Foreign),
    /// Nobody owns the repository, and a pull-through cache may have made it: pods may pull images of
    /// an upstream from it.
    MayBeCached {
        /// The cache's.
        prefix: Prefix,
        /// What [`RELEASED_BY`](crate::domain::owner::RELEASED_BY) says if it is this object's after all.
        mark: String,
    },
    /// ECR keeps a repository's encryption for life.
    EncryptionImmutable,
    /// With the tags that others put on it, the repository would bear more than ECR takes.
    TooManyTags {
        /// How many it bears that are not asked for.
        others: usize,
        /// How many are asked for, the owner tags among them.
        asked: usize,
    },
    /// Observe mode, and there is no such repository.
    Missing,
    /// The policy is as desired, but that these roles or users were deleted, and IAM shows their
    /// unique ids. To write it again would fail, or name other principals than those of before.
    PrincipalsGone(BTreeSet<String>),
    /// This call was made again and again, and each time somebody undid it.
    Contested(&'static str),
    /// The lifecycle policy in force is about to take an image that pods use.
    ImageInUse(InUse),
}

/// One managed field that is not as desired.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The field, as the resource's spec names it; `owner` for the owner tags.
    pub field: &'static str,
    /// What was observed.
    pub observed: String,
    /// What is desired.
    pub desired: String,
}

/// What to do about a repository, given what was observed of it (`None`: it does not exist).
pub fn plan(desired: &Desired, observed: Option<&Observed>) -> Plan {
    let Some(observed) = observed else {
        return create(desired);
    };
    match may_write(desired, observed) {
        Ok(()) => gap(desired, observed, &desired.all_tags()).guard(desired, observed),
        // The owner tags are another's, or none are wanted: they are no difference to show.
        Err(refusal) => Plan {
            changes: Vec::new(),
            refusals: refusal.into_iter().collect(),
            ..gap(desired, observed, &desired.tags)
        },
    }
}

/// Whether anything may be written to an existing repository; if not, why, where that is not what
/// was asked for.
fn may_write(desired: &Desired, observed: &Observed) -> Result<(), Option<Refusal>> {
    match desired.management {
        Management::Observe => return Err(None),
        Management::Manage => {}
    }
    match (desired.owner.judge(&observed.tags), desired.adoption) {
        (Ownership::Ours | Ownership::OursUnderAnotherUid | Ownership::Released, _)
        | (Ownership::Unowned, Adoption::IfUnowned) => Ok(()),
        (Ownership::Unowned, Adoption::Never) => Err(Some(Refusal::NotAdopted)),
        (Ownership::Foreign(owner), _) => Err(Some(Refusal::OwnedByAnother(owner))),
    }
}

impl Plan {
    /// The same, of which nothing is done for this reason.
    #[must_use]
    pub fn refused(self, refusal: Refusal) -> Self {
        Self {
            changes: Vec::new(),
            held: Vec::new(),
            refusals: vec![refusal],
            differences: self.differences,
        }
    }
}

impl Desired {
    /// Whether the plan for this repository makes it ours though nobody says that it was.
    pub fn adopts(&self, observed: &Observed) -> bool {
        self.owner.judge(&observed.tags) == Ownership::Unowned && may_write(self, observed).is_ok()
    }
}

fn create(desired: &Desired) -> Plan {
    let (changes, refusals) = match desired.management {
        Management::Manage => (creation(desired), Vec::new()),
        Management::Observe => (Vec::new(), vec![Refusal::Missing]),
    };
    Plan {
        changes,
        held: Vec::new(), // a new repository has no images to lose
        refusals,
        differences: vec![Difference {
            field: "repositoryName",
            observed: "absent".to_owned(),
            desired: desired.name.to_string(),
        }],
    }
}

fn creation(desired: &Desired) -> Vec<Change> {
    let Desired {
        name: _,
        owner: _,
        management: _,
        adoption: _,
        mutability,
        scan_on_push,
        encryption,
        policy,
        lifecycle,
        safety: _,
        tags: _,
        retired_tags: _,
    } = desired;
    let mut changes = vec![Change::CreateRepository(Create {
        mutability: mutability.clone(),
        scan_on_push: *scan_on_push,
        encryption: encryption.clone(),
        tags: desired.all_tags(),
    })];
    if let Setting::Present(document) = policy {
        changes.push(Change::SetRepositoryPolicy(document.clone()));
    }
    if let Setting::Present(document) = lifecycle {
        changes.push(Change::PutLifecyclePolicy(document.clone()));
    }
    changes
}

impl Change {
    /// AWS's name for the call.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::CreateRepository(_) => "CreateRepository",
            Self::PutImageTagMutability(_) => "PutImageTagMutability",
            Self::PutImageScanningConfiguration(_) => "PutImageScanningConfiguration",
            Self::SetRepositoryPolicy(_) => "SetRepositoryPolicy",
            Self::DeleteRepositoryPolicy => "DeleteRepositoryPolicy",
            Self::PutLifecyclePolicy(_) => "PutLifecyclePolicy",
            Self::DeleteLifecyclePolicy => "DeleteLifecyclePolicy",
            Self::TagResource(_) => "TagResource",
            Self::UntagResource(_) => "UntagResource",
            Self::BatchDeleteImage(_) => "BatchDeleteImage",
            Self::DeleteRepository => "DeleteRepository",
        }
    }
}
