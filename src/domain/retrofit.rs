//! Repositories that a cache made before it had its template, brought in line with it: each is
//! planned as any other repository, for the cache rule as its owner. A name proves nothing: only what
//! ECR reports as made by the cache is touched, see [`Origin`], and the rest is counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::names::RepositoryName;
use super::origin::{Maker, Origin};
use super::owner::{Owner, Ownership};
use super::pull_through::{self, Prefix};
use super::repository::{self, Adoption, Encryption, Management, Mutability, Setting};
use super::{lifecycle, policy};

/// What the repositories of one cache should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Desired {
    /// Where the cache is.
    pub prefix: Prefix,
    /// The cache rule's object.
    pub owner: Owner,
    /// Whether anything may be written at all.
    pub management: Management,
    /// Which tags may be moved; `None` leaves it.
    pub mutability: Option<Mutability>,
    /// At-rest encryption, which no call changes; `None` does not compare it.
    pub encryption: Option<Encryption>,
    /// The repository policy.
    pub policy: Setting<policy::Document>,
    /// The lifecycle policy.
    pub lifecycle: Setting<lifecycle::Document>,
    /// How far the lifecycle policy may go.
    pub safety: lifecycle::Safety,
    /// Resource tags.
    pub tags: BTreeMap<String, String>,
    /// Tags that were set once and are no longer wanted.
    pub retired_tags: BTreeSet<String>,
    /// What to think of documents that nobody has read.
    pub unread: Unread,
}

/// What to think of documents that no list tells.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unread {
    /// Status says that these very ones were put on all repositories: the sweep reads them in turn.
    InStep,
    /// They have to be read.
    Unknown,
}

/// How the repositories of one cache stand.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Survey {
    /// How many are as desired, and ours.
    pub in_step: usize,
    /// How many are not, and no call is to be made: what differs cannot be changed, or only by
    /// another cluster.
    pub differing: usize,
    /// Those that are to be read, and then written if they still differ.
    pub to_settle: Vec<RepositoryName>,
    /// Those that only their lifecycle policy is missing from, which is to be previewed first.
    pub waiting: Vec<RepositoryName>,
    /// Those that nobody owns and that nothing proves to be the cache's: they are left alone.
    pub unproven: Vec<RepositoryName>,
}

impl Desired {
    /// Whether a repository of this name would be the cache's, whoever made it.
    pub fn covers(
        &self,
        name: &RepositoryName,
        rules: &BTreeMap<Prefix, pull_through::Observed>,
    ) -> bool {
        let inner = |it: &&Prefix| it.as_str().len() > self.prefix.as_str().len();
        self.prefix != Prefix::Root
            && self.prefix.covers(name)
            && !rules
                .keys()
                .filter(inner)
                .any(|it| *it != Prefix::Root && it.covers(name))
    }

    /// What one of them should be.
    pub fn repository(&self, name: &RepositoryName) -> repository::Desired {
        let Self {
            prefix: _,
            owner,
            management,
            mutability,
            encryption,
            policy,
            lifecycle,
            safety,
            tags,
            retired_tags,
            unread: _,
        } = self;
        repository::Desired {
            name: name.clone(),
            owner: owner.clone(),
            management: *management,
            adoption: Adoption::IfUnowned,
            mutability: mutability.clone(),
            scan_on_push: None, // no template has it
            encryption: encryption.clone(),
            policy: policy.clone(),
            lifecycle: lifecycle.clone(),
            safety: safety.clone(),
            tags: tags.clone(),
            retired_tags: retired_tags.clone(),
        }
    }
}

/// Whose a repository is that the cache covers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// The cache made it, or it is ours already.
    OfTheCache,
    /// Nobody owns it, and nothing proves that the cache made it.
    Unproven,
    /// Somebody owns it.
    Foreign,
}

impl Desired {
    /// Whose a repository is that the cache covers.
    pub fn standing(&self, observed: &repository::Observed) -> Standing {
        let maker = Maker {
            prefix: self.prefix.clone(),
            since: None,
        };
        match (self.owner.judge(&observed.tags), maker.judge(observed)) {
            (Ownership::Foreign(_), _) => Standing::Foreign,
            (Ownership::Ours | Ownership::OursUnderAnotherUid, _)
            | (Ownership::Unowned | Ownership::Released, Origin::Cache) => Standing::OfTheCache,
            (Ownership::Unowned | Ownership::Released, Origin::Unmarked | Origin::Somebody) => {
                Standing::Unproven
            }
        }
    }
}

/// How the cache's repositories among `observed` stand, given all rules of the registry.
pub fn survey(
    desired: &Desired,
    rules: &BTreeMap<Prefix, pull_through::Observed>,
    observed: &BTreeMap<RepositoryName, Arc<repository::Observed>>,
) -> Survey {
    let mut survey = Survey::default();
    let covered = observed
        .iter()
        .filter(|(name, _)| desired.covers(name, rules));
    for (name, observed) in covered {
        match desired.standing(observed) {
            Standing::OfTheCache => {}
            Standing::Unproven => {
                survey.unproven.push(name.clone());
                continue;
            }
            Standing::Foreign => continue,
        }
        let repository = desired.repository(name);
        let plan = repository::plan(&repository, Some(observed));
        let to_read = desired.unread == Unread::Unknown && repository.needs_reading(observed);
        if !plan.changes.is_empty() || (to_read && desired.management == Management::Manage) {
            survey.to_settle.push(name.clone());
        } else if plan.to_preview().is_some() {
            survey.waiting.push(name.clone());
        } else if plan.differences.is_empty() {
            survey.in_step += 1;
        } else {
            survey.differing += 1;
        }
    }
    survey
}

#[cfg(test)]
mod tests;
