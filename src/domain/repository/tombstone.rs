//! The end of a repository whose object is gone and was to take its images along. Its state stands on
//! the repository itself, in tags and in its policy, so nothing else has to remember it: the object
//! goes at once, a restart at any point goes on where the last one stopped, an object made again
//! cancels it, and without its environment nobody deletes.
//!
//! ```text
//! delete-after -> condemned-at -> quarantined-at -> policy denies push and pull
//!   -> look again at everything -> BatchDeleteImage of what was looked at -> DeleteRepository
//! ```
//!
//! Whatever speaks against it lifts the quarantine. `DeleteRepository` never has `force`, so ECR
//! itself refuses when an image came. What is in doubt waits.

use std::collections::{BTreeMap, BTreeSet};

use super::Change;
use super::deletion::Kept;
use super::stock::Look;
use crate::domain::Moment;
use crate::domain::moment::MOST_SECONDS_APART;
use crate::domain::names::{ClusterId, InvalidName};
use crate::domain::owner;
use crate::domain::policy::Unfit;

mod end;

pub use end::plan_end;

/// On what terms an environment lets repositories go with their images.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Terms {
    /// The cluster, whose owner tag must stand on the repository.
    pub cluster: ClusterId,
    /// What this cluster may do in the environment.
    pub authority: Authority,
    /// `spec.allowDelete` of the environment.
    pub allow_delete: bool,
    /// What time it is.
    pub clocks: Clocks,
    /// When the delay of a tombstone that is looked at for the first time now is over.
    pub due: Moment,
    /// What was condemned at this moment or earlier has had its delay.
    pub condemned_before: Moment,
    /// When the environment's own object has stood for the delay: where everything was pruned and
    /// comes back, the objects that cancel the tombstones may come after the environment.
    pub settled: Moment,
    /// Images that were pulled or pushed since are in use.
    pub unused_since: Moment,
}

/// What this cluster may do in an environment.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Authority {
    /// Delete, on the terms.
    #[error("it manages the account")]
    Manages,
    /// Only look.
    #[error("this cluster only observes the account")]
    Observes,
    /// Nothing until `spec.suspend` is false.
    #[error("the environment is suspended")]
    Suspended,
    /// Nothing more: its object is deleted.
    #[error("the environment itself is being deleted")]
    Leaving,
}

/// The three clocks, read at one time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Clocks {
    /// AWS's, from the answers to our reads: images and tombstones are dated by it.
    pub aws: Moment,
    /// The API server's, from its answer to a read.
    pub kubernetes: Moment,
    /// Our own.
    pub ours: Moment,
    /// How many seconds lie between the first and the last of them.
    pub seconds_apart: u64,
}

impl Clocks {
    fn agree(&self) -> bool {
        self.seconds_apart <= MOST_SECONDS_APART
    }
}

/// What was found out besides the repository itself; `None`: not asked yet.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Findings {
    /// The pods of this cluster that use the repository.
    pub pods: Option<Pods>,
    /// The living object that asks for the repository, read from the API server itself.
    pub claimant: Option<Claimant>,
    /// What the repository holds.
    pub look: Option<Look>,
    /// What it held when it was first decided that it may go; `None`: that is being decided.
    pub first_look: Option<Look>,
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

/// What is to be done with a repository that bears a tombstone: at most the next step.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum End {
    /// It bears none, or none of this cluster's.
    NotOurs,
    /// Nothing yet.
    Waits(Waiting),
    /// It depends on what has not been found out: ask, and decide again.
    Ask(Question),
    /// Make this call: from now on the delay counts.
    Condemned(Change),
    /// Make this call: it stands on the repository that a quarantine begins.
    Announced(Change),
    /// Make this call: nobody pushes or pulls any more. Then look again at everything.
    Quarantined(Change),
    /// Delete these images. Then look again at who uses it.
    Emptied(BTreeSet<super::ImageId>),
    /// Make these calls, and the quarantine is lifted.
    Lifted(Vec<Change>, Waiting),
    /// It stays. Make these calls, and it is somebody else's.
    Kept(Vec<Change>, Kept),
    /// Make this call and it is gone, unless an image came.
    Deleted(Change),
}

/// What has to be found out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Question {
    /// [`Findings::pods`].
    Pods,
    /// [`Findings::claimant`].
    Claimant,
    /// [`Findings::look`].
    Images,
    /// The repository's policy, by a read of its own.
    Policy,
}

/// Why a repository with a tombstone still stands.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Waiting {
    /// Nothing may be deleted in the environment.
    #[error("{0}")]
    NoAuthority(Authority),
    /// Somebody took the tombstone off while the quarantine stood.
    #[error("its tag {} was taken off", owner::DELETE_AFTER)]
    TombstoneGone,
    /// Somebody wrote something else on this tag of ours.
    #[error("its tag {0} is no moment: put one there, or take the tag off")]
    Unreadable(&'static str),
    /// Nobody knows what time it is.
    #[error(
        "the clocks differ by {} s, and nothing is deleted while they differ by more than \
         {MOST_SECONDS_APART}: here it is {}, AWS says {}, the API server says {}",
        .0.seconds_apart, .0.ours, .0.aws, .0.kubernetes
    )]
    ClocksDiffer(Clocks),
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
    /// It cannot be put under quarantine.
    #[error("{0}")]
    NoQuarantine(Unfit),
    /// A call failed.
    #[error("{0}")]
    Failed(String),
}

impl Waiting {
    /// Whether it says what `earlier` said, be it in other numbers.
    pub fn repeats(&self, earlier: &Self) -> bool {
        match (self, earlier) {
            (Self::ClocksDiffer(_), Self::ClocksDiffer(_)) | (Self::Failed(_), Self::Failed(_)) => {
                true
            }
            _ => self == earlier,
        }
    }
}

/// The tombstone among a repository's tags; `None`: it bears none.
pub fn of(tags: &BTreeMap<String, String>) -> Option<Result<Moment, InvalidName>> {
    tags.get(owner::DELETE_AFTER).map(|it| it.parse())
}

/// Whether the tags are those of a repository whose end this cluster has to see to.
pub fn is_ending(tags: &BTreeMap<String, String>, cluster: &ClusterId) -> bool {
    is_of(tags, cluster) && (tags.contains_key(owner::DELETE_AFTER) || is_announced(tags))
}

/// Whether the tags announce a quarantine.
pub fn is_announced(tags: &BTreeMap<String, String>) -> bool {
    tags.contains_key(owner::QUARANTINED_AT)
}

fn is_of(tags: &BTreeMap<String, String>, cluster: &ClusterId) -> bool {
    tags.get(owner::CLUSTER)
        .is_some_and(|it| it == cluster.as_str())
}

#[cfg(test)]
mod tests;
