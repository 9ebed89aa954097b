//! What becomes of a repository when its object is deleted. Retain is the default, and whatever is
//! in doubt is kept: an object that is pruned must never cost an image.

use std::collections::BTreeSet;

use super::{Change, Observed};
use crate::domain::owner::{self, Owner, Ownership};

/// What the object asks for, and what its environment allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deletion {
    /// The object's owner identity, that must stand on the repository.
    pub owner: Owner,
    /// What the object asks for.
    pub policy: DeletionPolicy,
    /// `spec.allowDelete` of the environment.
    pub allow_delete: bool,
}

/// What happens to the repository when its object is deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeletionPolicy {
    /// It stays, without our owner tags.
    Retain,
    /// It is deleted if it holds no image and the environment allows it; else it stays.
    DeleteIfEmpty,
}

/// Whether a repository holds images.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Contents {
    /// Not one.
    Empty,
    /// At least one, in whatever state: an archived image is an image.
    Images,
}

/// How a deletion ends for one repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Released {
    /// It no longer exists, or was never ours: nothing to do.
    NothingOfOurs,
    /// It depends on what the repository holds: find out, and ask again.
    AskContents,
    /// It stays. Make this call, which takes our owner tags off, and it is somebody else's.
    Kept(Change, Kept),
    /// Make this call and it is gone.
    Deleted(Change),
}

/// Why a repository outlives its object.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Kept {
    /// The object said so.
    #[error("deletionPolicy is Retain")]
    AsAsked,
    /// It was to be deleted, and its environment forbids it.
    #[error("the environment does not allow deletion")]
    NotAllowed,
    /// It was to be deleted if empty, and it is not.
    #[error("it holds images")]
    HoldsImages,
    /// It was made for an earlier object of the same name, and this one never took it over.
    #[error("an earlier object of this name made it")]
    AnotherUid,
}

/// What to do with one repository of a deleted object; `contents` is `None` until it was asked
/// for. Never `force`: if an image arrives between this decision and the call, ECR refuses the
/// call, and the next decision keeps the repository.
pub fn plan_deletion(
    deletion: &Deletion,
    observed: Option<&Observed>,
    contents: Option<Contents>,
) -> Released {
    let Deletion {
        owner,
        policy,
        allow_delete,
    } = deletion;
    let ownership = observed.map(|it| owner.judge(&it.tags));
    let kept = match (ownership, policy, allow_delete) {
        (None | Some(Ownership::Unowned | Ownership::Foreign(_)), _, _) => {
            return Released::NothingOfOurs;
        }
        (Some(_), DeletionPolicy::Retain, _) => Kept::AsAsked,
        (Some(Ownership::OursUnderAnotherUid), DeletionPolicy::DeleteIfEmpty, _) => {
            Kept::AnotherUid
        }
        (Some(Ownership::Ours), DeletionPolicy::DeleteIfEmpty, false) => Kept::NotAllowed,
        (Some(Ownership::Ours), DeletionPolicy::DeleteIfEmpty, true) => match contents {
            None => return Released::AskContents,
            Some(Contents::Empty) => return Released::Deleted(Change::DeleteRepository),
            Some(Contents::Images) => Kept::HoldsImages,
        },
    };
    let owner_tags = BTreeSet::from(owner::KEYS.map(str::to_owned));
    Released::Kept(Change::UntagResource(owner_tags), kept)
}

#[cfg(test)]
mod tests;
