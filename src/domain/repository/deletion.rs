//! What becomes of a repository when its object is deleted. Retain is the default, and whatever is
//! in doubt is kept: an object that is pruned must never cost an image. A repository with images is
//! never deleted here: it gets a [tombstone](super::tombstone), and its object goes.

use std::collections::BTreeMap;

use super::release::freed;
use super::{Change, MOST_TAGS, Management, Observed, tombstone};
use crate::domain::Moment;
use crate::domain::owner::{self, Owner, Ownership};

/// What the object asks for, and what its environment allows.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Deletion {
    /// The object's owner identity, that must stand on the repository.
    pub owner: Owner,
    /// What the object asks for.
    pub policy: DeletionPolicy,
    /// Whether anything may be written in the environment, and for the object.
    pub management: Management,
    /// `spec.allowDelete` of the environment.
    pub allow_delete: bool,
    /// When the delay of a tombstone that is put now is over.
    pub due: Moment,
}

/// What happens to the repository when its object is deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum DeletionPolicy {
    /// It stays, with the mark of who released it in place of our owner tags.
    Retain,
    /// It is deleted if it holds no image and the environment allows it; else it stays.
    DeleteIfEmpty,
    /// It is deleted with its images where the environment allows it: after a delay, and once
    /// nobody uses them.
    Delete,
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
    /// Nothing may or need be done.
    LeftAlone(LeftAlone),
    /// It depends on what the repository holds: find out, and ask again.
    AskContents,
    /// It stays. Make these calls, the last of which takes our owner tags off, and it is nobody's.
    Kept(Vec<Change>, Kept),
    /// It bears a tombstone of this moment, once this call is made; `None`: it does already.
    Condemned(Option<Change>, Moment),
    /// Make this call and it is gone.
    Deleted(Change),
}

/// Why nothing is written to a repository whose object is deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum LeftAlone {
    /// It no longer exists, or was never ours.
    #[error("nothing of ours is there")]
    NotOurs,
    /// The object or its environment is Observe, or the object is suspended.
    #[error("it is only observed, or suspended")]
    Observed,
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
    /// It was to get a tombstone, and ECR does not take as many further tags.
    #[error("it bears nearly {MOST_TAGS} tags, so there is no room for a tombstone's three")]
    NoRoom,
    /// An image came while its images were being deleted.
    #[error("an image was pushed while it was being deleted: somebody uses it")]
    ImageCame,
}

/// What to do with one repository of a deleted object; `contents` is `None` until it was asked
/// for. Never `force`: if an image arrives between this decision and the call, ECR refuses the
/// call, and the next decision knows that there are images.
pub fn plan_deletion(
    deletion: &Deletion,
    observed: Option<&Observed>,
    contents: Option<Contents>,
) -> Released {
    let Deletion {
        owner,
        policy,
        management,
        allow_delete,
        due,
    } = deletion;
    let (observed, ownership) = match observed.map(|it| (it, owner.judge(&it.tags))) {
        None | Some((_, Ownership::Unowned | Ownership::Released | Ownership::Foreign(_))) => {
            return Released::LeftAlone(LeftAlone::NotOurs);
        }
        Some(found) => found,
    };
    match management {
        Management::Observe => return Released::LeftAlone(LeftAlone::Observed),
        Management::Manage => {}
    }
    let is_ours = ownership == Ownership::Ours;
    let kept = match (policy, is_ours, allow_delete, contents) {
        (DeletionPolicy::Retain, _, _, _) => Kept::AsAsked,
        (_, false, _, _) => Kept::AnotherUid,
        (_, true, false, _) => Kept::NotAllowed,
        (_, true, true, None) => return Released::AskContents,
        (_, true, true, Some(Contents::Empty)) => {
            return Released::Deleted(Change::DeleteRepository);
        }
        (DeletionPolicy::DeleteIfEmpty, true, true, Some(Contents::Images)) => Kept::HoldsImages,
        (DeletionPolicy::Delete, true, true, Some(Contents::Images)) => {
            return condemned(observed, due);
        }
    };
    Released::Kept(freed(observed), kept)
}

/// Whether there is room for all tags that the end of a repository is marked by.
pub(super) fn has_room(observed: &Observed) -> bool {
    let further = owner::MARKS.iter();
    let further = further.filter(|it| !observed.tags.contains_key(**it));
    observed.tags.len() + further.count() <= MOST_TAGS
}

/// A tombstone that stands already keeps its moment: asking again does not prolong the delay.
fn condemned(observed: &Observed, due: &Moment) -> Released {
    if let Some(Ok(standing)) = tombstone::of(&observed.tags) {
        return Released::Condemned(None, standing);
    }
    if !has_room(observed) {
        return Released::Kept(freed(observed), Kept::NoRoom);
    }
    let tag = BTreeMap::from([(owner::DELETE_AFTER.to_owned(), due.to_string())]);
    Released::Condemned(Some(Change::TagResource(tag)), due.clone())
}

#[cfg(test)]
mod tests;
