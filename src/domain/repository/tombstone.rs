//! The end of a repository whose object is gone and was to take its images along. The tombstone is a
//! tag on the repository itself, so nothing else has to remember it: the object is let go at once, a
//! restart forgets nothing, an object made again cancels it, and without its environment nobody acts
//! on it. What is in doubt waits.

use std::collections::BTreeMap;

use super::deletion::Kept;
use super::release::freed;
use super::{Change, Management, Observed};
use crate::domain::Moment;
use crate::domain::names::{ClusterId, InvalidName};
use crate::domain::owner;

/// On what terms an environment lets repositories go with their images.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    /// The cluster, whose owner tag must stand on the repository.
    pub cluster: ClusterId,
    /// Whether anything may be written in the environment.
    pub management: Management,
    /// `spec.allowDelete` of the environment.
    pub allow_delete: bool,
    /// Now.
    pub now: Moment,
    /// When the environment's own object has stood for the delay: where everything was pruned and
    /// comes back, the objects that cancel the tombstones may come after the environment.
    pub settled: Moment,
    /// Images that were pulled or pushed since are in use.
    pub unused_since: Moment,
}

/// What was found out besides the repository itself; `None`: not asked yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Findings {
    /// The pods of this cluster that use the repository.
    pub pods: Option<Pods>,
    /// The living object that asks for the repository, read from the API server itself.
    pub claimant: Option<Claimant>,
    /// What the repository holds.
    pub holdings: Option<Holdings>,
}

/// The pods of this cluster that use a repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Pods {
    /// The cluster's pods have not been read yet.
    NotLoaded,
    /// None does.
    None,
    /// Some do; a few of them by name.
    Some(Vec<String>),
}

/// Whether an object lives that asks for the repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Claimant {
    /// None does.
    Nobody,
    /// This one does, as `namespace/name`.
    Object(String),
}

/// What a repository holds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Holdings {
    /// Not one image.
    Nothing,
    /// Images, of which one was pulled or pushed at this moment and none later.
    Images(Moment),
}

/// What is to be done with a repository that bears a tombstone.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// It bears none, or none of this cluster's.
    NotOurs,
    /// Nothing yet.
    Waits(Waiting),
    /// It depends on what has not been found out: ask, and decide again.
    Ask(Question),
    /// It stays. Make these calls, and it is nobody's.
    Kept(Vec<Change>, Kept),
    /// Make this call and it is gone.
    Deleted(Change),
}

/// What has to be found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Question {
    /// [`Findings::pods`].
    Pods,
    /// [`Findings::claimant`].
    Claimant,
    /// [`Findings::holdings`].
    Holdings,
}

/// Why a repository with a tombstone still stands.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Waiting {
    /// This cluster only observes the account.
    #[error("this cluster only observes the account")]
    Observed,
    /// Somebody wrote something else on the tombstone.
    #[error(
        "its tag {} is no moment: put one there, or take the tag off",
        owner::DELETE_AFTER
    )]
    Unreadable,
    /// The delay is not over.
    #[error("the delay ends at {0}")]
    Delay(Moment),
    /// The cluster's pods have not been read yet.
    #[error("it is not known yet which images pods use")]
    PodsNotLoaded,
    /// Pods use it.
    #[error("pods use it: {}", .0.join(", "))]
    InUse(Vec<String>),
    /// An object asks for it, and has not cancelled the tombstone yet.
    #[error("ImageRepository {0} asks for it")]
    Claimed(String),
    /// An image was pulled or pushed lately.
    #[error("an image was pulled or pushed at {0}")]
    UsedLately(Moment),
}

/// The tombstone among a repository's tags; `None`: it bears none.
pub fn of(tags: &BTreeMap<String, String>) -> Option<Result<Moment, InvalidName>> {
    tags.get(owner::DELETE_AFTER).map(|it| it.parse())
}

/// What to do with one repository. What costs nothing to know is asked first, and whether the
/// repository still is what it was is read last, by whoever carries this out.
pub fn plan_end(terms: &Terms, observed: Option<&Observed>, findings: &Findings) -> End {
    let Terms {
        cluster,
        management,
        allow_delete,
        now,
        settled,
        unused_since,
    } = terms;
    let ours = observed.filter(|it| {
        let owner = it.tags.get(owner::CLUSTER);
        owner.is_some_and(|it| it == cluster.as_str())
    });
    let Some((observed, due)) = ours.and_then(|it| Some((it, of(&it.tags)?))) else {
        return End::NotOurs;
    };
    match management {
        Management::Observe => return End::Waits(Waiting::Observed),
        Management::Manage => {}
    }
    let Ok(due) = due else {
        return End::Waits(Waiting::Unreadable);
    };
    if !allow_delete {
        return End::Kept(freed(observed), Kept::NotAllowed);
    }
    let due = due.max(settled.clone());
    if *now < due {
        return End::Waits(Waiting::Delay(due));
    }
    judge(unused_since, findings)
}

fn judge(unused_since: &Moment, findings: &Findings) -> End {
    let Findings {
        pods,
        claimant,
        holdings,
    } = findings;
    match pods {
        None => return End::Ask(Question::Pods),
        Some(Pods::NotLoaded) => return End::Waits(Waiting::PodsNotLoaded),
        Some(Pods::Some(names)) => return End::Waits(Waiting::InUse(names.clone())),
        Some(Pods::None) => {}
    }
    match holdings {
        None => return End::Ask(Question::Holdings),
        Some(Holdings::Images(used)) if used > unused_since => {
            return End::Waits(Waiting::UsedLately(used.clone()));
        }
        Some(Holdings::Nothing | Holdings::Images(_)) => {}
    }
    match (claimant, holdings) {
        (None, _) => End::Ask(Question::Claimant),
        (Some(Claimant::Object(name)), _) => End::Waits(Waiting::Claimed(name.clone())),
        (Some(Claimant::Nobody), Some(Holdings::Images(_))) => {
            End::Deleted(Change::DeleteRepositoryWithImages)
        }
        (Some(Claimant::Nobody), Some(Holdings::Nothing) | None) => {
            End::Deleted(Change::DeleteRepository)
        }
    }
}

#[cfg(test)]
mod tests;
