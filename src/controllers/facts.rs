//! What ECR holds of the images that rules lead to. Every process that serves loads its own, with calls that
//! only read: the repositories that claims lead to, and those that a cache has filled. Each registry
//! is listed in rounds of its own, so that one that does not answer delays no other. A round takes no
//! longer than its period; what it does not come to is listed in the next ones, the oldest first and
//! what pods use in between. What was not confirmed for longer than the age is not known. A process that AWS
//! lets in nowhere is not ready: it knows nothing, and one that is to be replaced by it may know all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::future::{BoxFuture, ready};
use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::{Notify, mpsc};
use tokio::time::Instant;
use tracing::{debug, warn};

use super::Context;
use super::timer::at;
use crate::desired::{Destinations, World};
use crate::domain::facts::Facts;
use crate::domain::{Registry, RepositoryName};

use known::{Failed, Failure, Known, Listed, Look, Repositories};
use names::{Absent, Names};
use report::Report;
use sign_in::sign_in;

mod known;
mod metrics;
mod names;
mod report;
mod sign_in;

pub use known::Freshness;
pub use metrics::FactsGauge;

/// Repositories whose images are listed at the same time; the registry's limiter sets the pace.
const AT_ONCE: usize = 16;
/// A replica is ready after its first round, so that one is short.
const FIRST: Duration = Duration::from_secs(10);
/// How often images are listed, and for how long a list is believed.
#[derive(Clone, Copy, Debug)]
pub struct Timing {
    /// The rest between two rounds, and the longest that one takes.
    pub period: Duration,
    /// How old a fact may be; more where it takes longer to list the whole registry.
    pub max_age: Duration,
}

/// Keeps facts fresh for as long as it is polled: a round of each registry when it is first `asked`,
/// which is when there is a world, and from then on one each period, and one whenever `asked`. `loaded`
/// is given the facts whenever they change, from the end of the first rounds on; or, as long as there are
/// none since AWS lets us in nowhere, why.
pub async fn follow(
    cx: Arc<Context>,
    timing: Timing,
    asked: Arc<Notify>,
    loaded: impl Fn(Result<&Arc<Facts>, &str>),
) {
    // Of a world that nobody has compiled nothing is known, which is not the same as nothing.
    asked.notified().await;
    let (tx, rx) = mpsc::unbounded_channel();
    let mut rounds = Rounds::new(&cx, timing);
    rounds.ask();
    let run = async {
        let mut report = Report::new(timing, tx);
        let (mut is_loaded, mut has_changed, mut expiry) = (false, true, None);
        loop {
            rounds.begin();
            if has_changed {
                let now = Instant::now();
                let facts;
                (facts, expiry) = rounds.known.facts(timing.max_age, now);
                let refusal = rounds.refusal();
                is_loaded = is_loaded || (rounds.all_have_ended_once() && refusal.is_none());
                match refusal {
                    Some(why) if !is_loaded => loaded(Err(why)),
                    Some(_) | None if is_loaded => loaded(Ok(&Arc::new(facts))),
                    Some(_) | None => {}
                }
                let freshness = rounds.known.freshness(timing.max_age, now);
                report.changes(&freshness);
                cx.meters.inputs.facts.set(freshness);
            }
            let next_due = rounds.next_due();
            has_changed = tokio::select! {
                () = asked.notified() => {
                    rounds.ask();
                    !is_loaded
                }
                Some(round) = rounds.running.next() => {
                    rounds.end(round);
                    true
                }
                () = at(expiry) => true,
                () = at(next_due) => false,
            };
        }
    };
    tokio::join!(run, report::publish(&cx, rx));
}

/// What is known, and whose turn it is to be listed.
struct Rounds<'c> {
    cx: &'c Context,
    timing: Timing,
    world: Arc<World>,
    known: Known,
    /// When the next round of each registry is due. It waits for the one that is under way.
    due: BTreeMap<Registry, Instant>,
    under_way: BTreeSet<Registry>,
    /// The registries that AWS did not let us into last, and why.
    refused: BTreeMap<Registry, String>,
    running: FuturesUnordered<BoxFuture<'c, Round>>,
}

/// What came of one registry's round.
struct Round {
    registry: Registry,
    listed: Result<Listed, Failure>,
}

impl<'c> Rounds<'c> {
    fn new(cx: &'c Context, timing: Timing) -> Self {
        Self {
            cx,
            timing,
            world: cx.world.load_full(),
            known: Known::default(),
            due: BTreeMap::new(),
            under_way: BTreeSet::new(),
            refused: BTreeMap::new(),
            running: FuturesUnordered::new(),
        }
    }

    fn registries(&self) -> &BTreeMap<Registry, Destinations> {
        &self.world.compiled().registries
    }

    /// Makes a round of each registry due, and forgets those that no rule leads to any more.
    fn ask(&mut self) {
        self.world = self.cx.world.load_full();
        let now = Instant::now();
        self.due = self
            .registries()
            .keys()
            .map(|it| (it.clone(), now))
            .collect();
        let due = &self.due;
        self.known.retain(|it| due.contains_key(it));
        self.refused.retain(|it, _| due.contains_key(it));
    }

    /// Begins the rounds that are due.
    fn begin(&mut self) {
        let now = Instant::now();
        let world = Arc::clone(&self.world);
        for registry in world.compiled().registries.keys() {
            let is_due = self.due.get(registry).is_some_and(|it| *it <= now);
            if !is_due || self.under_way.contains(registry) {
                continue;
            }
            self.due.remove(registry);
            self.under_way.insert(registry.clone());
            let known = self.known.of(registry);
            let longest = match known.rounds {
                0 => self.timing.period.min(FIRST),
                _ => self.timing.period,
            };
            let (cx, world, registry) = (self.cx, Arc::clone(&world), registry.clone());
            let round = async move {
                let destinations = &world.compiled().registries[&registry];
                let looker = Looker {
                    cx,
                    registry: &registry,
                    destinations,
                    known: &known,
                    until: now + longest,
                };
                let listed = looker.list().await;
                Round { registry, listed }
            };
            self.running.push(round.boxed());
        }
    }

    /// Takes in what a round came to, unless no rule leads to its registry any more.
    fn end(&mut self, round: Round) {
        let Round { registry, listed } = round;
        self.under_way.remove(&registry);
        let Some(destinations) = self.world.compiled().registries.get(&registry) else {
            return;
        };
        let now = Instant::now();
        self.refused.remove(&registry);
        match listed {
            Ok(listed) => {
                let (names, looks) = (listed.names.len(), listed.looks.len());
                debug!(%registry, repositories = names, listed = looks, "images listed");
                self.known.take(&registry, listed, now);
            }
            Err(failure) => {
                let why = failure.why().to_owned();
                warn!(%registry, why, "its images could not be listed");
                if let Failure::Refused(why) = failure {
                    self.refused.insert(registry.clone(), why);
                }
                let names = destinations.repositories.clone();
                self.known.fail(&registry, Failed { names, why }, now);
            }
        }
        self.due.entry(registry).or_insert(now + self.timing.period);
    }

    fn next_due(&self) -> Option<Instant> {
        let waiting = self
            .due
            .iter()
            .filter(|(it, _)| !self.under_way.contains(*it));
        waiting.map(|(_, due)| *due).min()
    }

    fn all_have_ended_once(&self) -> bool {
        self.registries()
            .keys()
            .all(|it| self.known.of(it).rounds > 0)
    }

    /// Why AWS lets us into no registry at all; `None` where it does, or was not asked.
    fn refusal(&self) -> Option<&str> {
        let mut registries = self.registries().keys();
        let is_refused = registries.all(|it| self.refused.contains_key(it));
        let first = self.refused.values().next();
        first.map(String::as_str).filter(|_| is_refused)
    }
}

/// One look at a registry.
struct Looker<'r> {
    cx: &'r Context,
    registry: &'r Registry,
    destinations: &'r Destinations,
    known: &'r Repositories,
    until: Instant,
}

impl Looker<'_> {
    async fn list(&self) -> Result<Listed, Failure> {
        let handle = sign_in(self.cx, self.registry).await?;
        let Names {
            all: names,
            absent,
            origins,
        } = self.names(&handle).await?;
        let looks = stream::iter(self.in_order(&names))
            .take_while(|_| ready(Instant::now() < self.until))
            .map(|name| {
                let (handle, absent) = (&handle, absent.as_ref());
                async move {
                    let began = match absent {
                        Some(Absent { names, since }) if names.contains(&name) => {
                            return Look::nothing(name, *since);
                        }
                        Some(_) | None => Instant::now(),
                    };
                    let images = handle.images(&name).await;
                    let images = images.map_err(|it| Failure::of(&it));
                    Look {
                        name,
                        began,
                        images,
                    }
                }
            });
        let looks: Vec<Look> = looks.buffer_unordered(AT_ONCE).collect().await;
        match refusal(&looks) {
            Some(refused) => Err(refused),
            None => Ok(Listed {
                names,
                origins,
                looks,
            }),
        }
    }

    /// The repositories in the order in which they are to be listed: what was never listed and what was
    /// listed longest ago first, every other one of those that pods use as long as there are such.
    fn in_order(&self, names: &BTreeSet<RepositoryName>) -> Vec<RepositoryName> {
        let usage = self.cx.usage.load_full();
        let mut oldest: Vec<_> = names.iter().collect();
        oldest.sort_by_cached_key(|it| self.known.tried(it));
        let is_used = |it: &&RepositoryName| {
            let usage = usage.as_ref();
            usage.is_some_and(|usage| !usage.of(self.registry, it).is_empty())
        };
        let (used, others): (Vec<_>, Vec<&RepositoryName>) = oldest.into_iter().partition(is_used);
        let pairs = used.len().max(others.len());
        let in_turn = (0..pairs).flat_map(|at| [used.get(at), others.get(at)]);
        in_turn.flatten().map(|it| (*it).clone()).collect()
    }
}

/// The refusal of every look that there was time for; `None` where one was none.
fn refusal(looks: &[Look]) -> Option<Failure> {
    let refused = |it: &Look| match &it.images {
        Err(failure @ Failure::Refused(_)) => Some(failure.clone()),
        Err(Failure::Other(_)) | Ok(_) => None,
    };
    let refused: Option<Vec<Failure>> = looks.iter().map(refused).collect();
    refused?.into_iter().next()
}
