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
    /// At least one.
    Images,
}

/// How a deletion ends for one repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Released {
    /// It no longer exists, or was never ours: nothing to do.
    NothingOfOurs,
    /// Make these calls and it is somebody else's to keep.
    Untagged(Vec<Change>),
    /// Make this call and it is gone.
    Deleted(Vec<Change>),
}

/// What to do with one repository of a deleted object. Never `force`: if an image arrives between
/// this decision and the call, ECR refuses the call, and the next decision keeps the repository.
pub fn plan_deletion(
    deletion: &Deletion,
    observed: Option<&Observed>,
    contents: Contents,
) -> Released {
    let Deletion {
        owner,
        policy,
        allow_delete,
    } = deletion;
    let Some(observed) = observed else {
        return Released::NothingOfOurs;
    };
    match owner.judge(&observed.tags) {
        Ownership::Unowned | Ownership::Foreign(_) | Ownership::OursUnderAnotherUid => {
            Released::NothingOfOurs
        }
        Ownership::Ours => match (policy, allow_delete, contents) {
            (DeletionPolicy::DeleteIfEmpty, true, Contents::Empty) => {
                Released::Deleted(vec![Change::DeleteRepository])
            }
            (DeletionPolicy::Retain, _, _)
            | (DeletionPolicy::DeleteIfEmpty, false, _)
            | (DeletionPolicy::DeleteIfEmpty, true, Contents::Images) => {
                Released::Untagged(vec![Change::UntagResource(BTreeSet::from(
                    owner::KEYS.map(str::to_owned),
                ))])
            }
        },
    }
}
