//! What is known of images, since when, and what has become too old to be believed. Pure: the clock is
//! an argument, and it is the monotonic one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::facts::{Facts, Images};
use crate::domain::origin::Origin;
use crate::domain::{Registry, RepositoryName};
use crate::ecr;

/// The most images that one call lists.
const IMAGES_A_CALL: usize = 1_000;
/// What a call takes at the rate that every registry is called at first, ten a second.
const A_CALL: Duration = Duration::from_millis(100);
/// How much longer it takes to list all of a registry than its calls take: between rounds it rests, and
/// what pods use is listed in every other turn.
const WITH_REST: u32 = 4;
/// Facts that are about to become too old go this much earlier, many at a time.
const AT_A_TIME: Duration = Duration::from_secs(1);

/// What is known of every registry that rules lead to.
#[derive(Debug, Default)]
pub(super) struct Known(BTreeMap<Registry, Arc<Repositories>>);

/// What is known of one registry.
#[derive(Clone, Debug, Default)]
pub(super) struct Repositories {
    by_name: BTreeMap<RepositoryName, Repository>,
    /// Rounds that have ended.
    pub(super) rounds: u64,
    /// Why its last round told nothing at all.
    failure: Option<String>,
}

/// What is known of one repository.
#[derive(Clone, Debug)]
struct Repository {
    /// Since when rules lead to it.
    wanted: Instant,
    /// The last list that came to its end.
    confirmed: Option<Confirmed>,
    /// When the last list began, however it ended.
    tried: Option<Instant>,
    /// Why the last list did not come to its end.
    failure: Option<String>,
    /// Who made it, as far as that was read.
    origin: Origin,
}

#[derive(Clone, Debug)]
struct Confirmed {
    /// When the list began: what was deleted while it ran may be in it.
    at: Instant,
    images: Arc<Images>,
}

/// What a round has listed of a registry.
#[derive(Debug)]
pub(super) struct Listed {
    /// All repositories that rules lead to.
    pub(super) names: BTreeSet<RepositoryName>,
    /// Who made those of which it was read this time.
    pub(super) origins: BTreeMap<RepositoryName, Origin>,
    /// The lists of those that there was time for.
    pub(super) looks: Vec<Look>,
}

/// A round that has listed nothing.
#[derive(Debug)]
pub(super) struct Failed {
    /// The repositories that rules name.
    pub(super) names: BTreeSet<RepositoryName>,
    /// Why.
    pub(super) why: String,
}

/// One list of one repository.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) name: RepositoryName,
    pub(super) began: Instant,
    pub(super) images: Result<Images, Failure>,
}

/// Why nothing was listed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Failure {
    /// AWS does not let us: that stays so until somebody acts.
    Refused(String),
    /// It may pass, or somebody else is told of it.
    Other(String),
}

impl Failure {
    /// The failure of this call.
    pub(super) fn of(error: &ecr::Error) -> Self {
        match error.kind.is_refusal() {
            true => Self::Refused(error.to_string()),
            false => Self::Other(error.to_string()),
        }
    }

    /// Why, for people.
    pub(super) fn why(&self) -> &str {
        match self {
            Self::Refused(why) | Self::Other(why) => why,
        }
    }
}

impl Look {
    /// The list of a repository that was not there at that moment.
    pub(super) fn nothing(name: RepositoryName, began: Instant) -> Self {
        Self {
            name,
            began,
            images: Ok(Images::default()),
        }
    }
}

/// How fresh the facts of one registry are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Freshness {
    /// The oldest confirmation; for a repository without one, when rules first led to it.
    pub oldest: Option<Instant>,
    /// Repositories of which it is not known what they hold.
    pub not_known: usize,
    /// Those of them for which that has been so for longer than the age, and one of them.
    pub(super) overdue: Option<Overdue>,
}

/// Repositories that were not confirmed in time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Overdue {
    pub(super) count: usize,
    /// How old a fact may be here.
    pub(super) limit: Duration,
    pub(super) first: RepositoryName,
    /// Why it was not confirmed, as far as that is known.
    pub(super) failure: Option<String>,
}

impl Known {
    /// Forgets registries that no rule leads to.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(&Registry) -> bool) {
        self.0.retain(|registry, _| is_wanted(registry));
    }

    /// What is known of one registry.
    pub(super) fn of(&self, registry: &Registry) -> Arc<Repositories> {
        self.0.get(registry).cloned().unwrap_or_default()
    }

    /// Takes in what a round listed.
    pub(super) fn take(&mut self, registry: &Registry, listed: Listed, now: Instant) {
        let Listed {
            names,
            origins,
            looks,
        } = listed;
        let known = Arc::make_mut(self.0.entry(registry.clone()).or_default());
        known.by_name.retain(|name, _| names.contains(name));
        known.want(names, now);
        for (name, origin) in origins {
            if let Some(repository) = known.by_name.get_mut(&name) {
                repository.origin = origin;
            }
        }
        for look in looks {
            if let Some(repository) = known.by_name.get_mut(&look.name) {
                repository.take(look);
            }
        }
        known.rounds += 1;
        known.failure = None;
    }

    /// Takes in that rules lead to these repositories, though none could be listed.
    pub(super) fn fail(&mut self, registry: &Registry, failed: Failed, now: Instant) {
        let Failed { names, why } = failed;
        let known = Arc::make_mut(self.0.entry(registry.clone()).or_default());
        known.want(names, now);
        known.rounds += 1;
        known.failure = Some(why);
    }

    /// The facts that are not too old, until the moment when that has to be asked again.
    pub(super) fn facts(&self, max_age: Duration, now: Instant) -> (Facts, Option<Instant>) {
        let mut facts = Facts::default();
        let mut next = None;
        for (registry, repositories) in &self.0 {
            let limit = repositories.limit(max_age);
            for (name, it) in &repositories.by_name {
                match it.origin {
                    Origin::Unmarked => {}
                    // Images become too old to be believed, and their repository stays whose it is.
                    Origin::Cache | Origin::Somebody => {
                        facts.made_by(registry, name.clone(), it.origin);
                    }
                }
                let Some(confirmed) = &it.confirmed else {
                    continue;
                };
                if !is_old(confirmed.at, limit, now) {
                    facts.record(registry, name.clone(), Arc::clone(&confirmed.images));
                    let until = confirmed.at.checked_add(limit - at_a_time(limit));
                    next = [next, until].into_iter().flatten().min();
                }
            }
        }
        (facts, next)
    }

    /// How fresh each registry's facts are.
    pub(super) fn freshness(
        &self,
        max_age: Duration,
        now: Instant,
    ) -> BTreeMap<Registry, Freshness> {
        let all = self.0.iter();
        all.map(|(registry, it)| (registry.clone(), it.freshness(max_age, now)))
            .collect()
    }
}

impl Repositories {
    fn want(&mut self, names: BTreeSet<RepositoryName>, now: Instant) {
        for name in names {
            self.by_name.entry(name).or_insert(Repository {
                wanted: now,
                confirmed: None,
                tried: None,
                failure: None,
                origin: Origin::default(),
            });
        }
    }

    /// The names of the repositories.
    pub(super) fn names(&self) -> impl Iterator<Item = &RepositoryName> {
        self.by_name.keys()
    }

    /// Who made a repository, as far as that was read.
    pub(super) fn origin(&self, name: &RepositoryName) -> Origin {
        self.by_name
            .get(name)
            .map_or_else(Origin::default, |it| it.origin)
    }

    /// When a repository was last listed, or that was last tried.
    pub(super) fn tried(&self, name: &RepositoryName) -> Option<Instant> {
        self.by_name.get(name)?.tried
    }

    /// How old a fact may be: `max_age`, but never less than it takes to list all of a healthy registry
    /// of this size once.
    fn limit(&self, max_age: Duration) -> Duration {
        let calls = |it: &Repository| {
            let images = it
                .confirmed
                .as_ref()
                .map_or(0, |it| it.images.digests.len());
            1 + images / IMAGES_A_CALL
        };
        let calls: usize = self.by_name.values().map(calls).sum();
        let pass = A_CALL.saturating_mul(u32::try_from(calls).unwrap_or(u32::MAX));
        max_age.max(pass.saturating_mul(WITH_REST))
    }

    fn freshness(&self, max_age: Duration, now: Instant) -> Freshness {
        let limit = self.limit(max_age);
        let is_old = |since: Instant| is_old(since, limit, now);
        let not_known = self.by_name.values().filter(|it| match &it.confirmed {
            Some(confirmed) => is_old(confirmed.at),
            None => true,
        });
        let mut overdue = self.by_name.iter().filter(|(_, it)| is_old(it.since()));
        let count = overdue.clone().count();
        Freshness {
            oldest: self.by_name.values().map(Repository::since).min(),
            not_known: not_known.count(),
            overdue: overdue.next().map(|(name, it)| Overdue {
                count,
                limit,
                first: name.clone(),
                failure: self.failure.clone().or_else(|| it.failure.clone()),
            }),
        }
    }
}

impl Repository {
    fn since(&self) -> Instant {
        self.confirmed.as_ref().map_or(self.wanted, |it| it.at)
    }

    fn take(&mut self, look: Look) {
        let Look {
            name: _,
            began,
            images,
        } = look;
        self.tried = Some(began);
        match images {
            Ok(images) => {
                let images = Arc::new(images);
                self.confirmed = Some(Confirmed { at: began, images });
                self.failure = None;
            }
            Err(failure) => self.failure = Some(failure.why().to_owned()),
        }
    }
}

fn is_old(since: Instant, limit: Duration, now: Instant) -> bool {
    now.duration_since(since) >= limit - at_a_time(limit)
}

/// What goes earlier, so that no fact is believed for longer than its limit.
fn at_a_time(limit: Duration) -> Duration {
    AT_A_TIME.min(limit / 10)
}

#[cfg(test)]
mod tests;
