//! Which repositories of a registry rules lead to, which of them are not there, and who made those
//! below the prefixes of caches.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::Instant;
use tracing::warn;

use super::Looker;
use super::known::Failure;
use super::sign_in::{declaring, sign_in};
use crate::domain::RepositoryName;
use crate::domain::origin::{Maker, Origin};
use crate::domain::pull_through::{self, Prefix};
use crate::ecr;

/// A registry of more repositories than this is looked at for new cached ones in every fifth round:
/// the whole of it has to be listed for that.
const MANY: usize = 1_000;

/// The repositories that rules lead to.
pub(super) struct Names {
    pub(super) all: BTreeSet<RepositoryName>,
    /// Those of them that are known not to be there.
    pub(super) absent: Option<Absent>,
    /// Who made them, where it was read.
    pub(super) origins: BTreeMap<RepositoryName, Origin>,
}

/// Repositories that a list of all did not have.
pub(super) struct Absent {
    pub(super) names: BTreeSet<RepositoryName>,
    /// When the list began.
    pub(super) since: Instant,
}

/// What ECR reports of a registry with caches.
struct Present {
    /// `None`: nobody has listed it yet.
    repositories: Option<Arc<ecr::Snapshot>>,
    /// When the list began, if it is of this round.
    since: Option<Instant>,
    rules: BTreeMap<Prefix, pull_through::Observed>,
    home: Home,
}

/// What the home region's registry says of the repositories: what ECR replicates bears no tags, so who
/// made it is only known there.
enum Home {
    /// This is the home region's registry.
    Here,
    Elsewhere(Arc<ecr::Snapshot>),
    /// It was not listed this time: what it said before still holds.
    NotKnown,
}

impl Looker<'_> {
    /// What a cache has filled is only seen in a new list, and led to only with the rules, which say
    /// who made it. Where one of the two is missing, what was known of before is looked at.
    pub(super) async fn names(&self, handle: &ecr::Registry) -> Result<Names, Failure> {
        let repositories = &self.destinations.repositories;
        if self.destinations.caches.is_empty() {
            return Ok(Names {
                all: repositories.clone(),
                absent: None,
                origins: BTreeMap::new(),
            });
        }
        let known = self.known.names().filter(|it| self.is_cached(it));
        let known: BTreeSet<_> = repositories.iter().chain(known).cloned().collect();
        match self.present(handle).await {
            Ok(present) => Ok(self.names_in(&present, known)),
            Err(error) if known.is_empty() => Err(Failure::of(&error)),
            Err(error) => {
                warn!(registry = %self.registry, %error, "its repositories could not be listed");
                Ok(Names {
                    all: known,
                    absent: None,
                    origins: BTreeMap::new(),
                })
            }
        }
    }

    async fn present(&self, handle: &ecr::Registry) -> Result<Present, ecr::Error> {
        let known = handle.snapshot();
        let many = known.as_ref().is_some_and(|it| it.len() > MANY);
        let is_due = !many || self.known.rounds.is_multiple_of(5);
        let since = is_due.then(Instant::now);
        let repositories = match since {
            Some(_) => Some(handle.refresh().await?),
            None => known,
        };
        Ok(Present {
            repositories,
            since,
            rules: handle.rules().await?,
            home: match since {
                Some(_) => self.home().await,
                None => Home::NotKnown,
            },
        })
    }

    async fn home(&self) -> Home {
        let Some(environment) = declaring(self.registry, &self.cx.world.load_full()) else {
            return Home::NotKnown;
        };
        let home = environment.home();
        if home == self.registry {
            return Home::Here;
        }
        let listed = async {
            let handle = sign_in(self.cx, home).await?;
            handle.refresh().await.map_err(|it| Failure::of(&it))
        };
        match listed.await {
            Ok(listed) => Home::Elsewhere(listed),
            Err(failure) => {
                warn!(registry = %home, why = failure.why(), "what it says of its replicas stays");
                Home::NotKnown
            }
        }
    }

    fn names_in(&self, present: &Present, known: BTreeSet<RepositoryName>) -> Names {
        let repositories = &self.destinations.repositories;
        let there = present.repositories.iter().flat_map(|it| it.iter());
        let cached = there.filter(|(name, _)| self.is_cached(name));
        let origins: BTreeMap<_, _> = cached
            .filter_map(|(name, observed)| {
                let maker = Maker::of(name, &present.rules, &self.destinations.caches)?;
                let origin = match (maker.judge(observed), &present.home) {
                    (Origin::Unmarked, Home::Elsewhere(home)) => {
                        maker.judge_replica(home.get(name))
                    }
                    (Origin::Unmarked, Home::NotKnown) => self.known.origin(name),
                    (origin, _) => origin,
                };
                Some((name.clone(), origin))
            })
            .collect();
        let list = present.repositories.as_ref().zip(present.since);
        let absent = list.map(|(there, since)| {
            let names = repositories.iter().filter(|it| !there.contains_key(*it));
            let names = names.cloned().collect();
            Absent { names, since }
        });
        // What a new list does not have is gone.
        let mut all = match absent {
            Some(_) => repositories.clone(),
            None => known,
        };
        all.extend(origins.keys().cloned());
        Names {
            all,
            absent,
            origins,
        }
    }

    fn is_cached(&self, name: &RepositoryName) -> bool {
        let mut prefixes = self.destinations.caches.keys();
        prefixes.any(|it| it.covers(name))
    }
}
