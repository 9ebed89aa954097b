//! Drift, by registry and not by object: each registry is listed once a period and compared with
//! what is wanted of it, and only what differs is woken. Policies are not listed by ECR, so each
//! round reads those of a share of the repositories, and within the document period all of them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::stores::Stores;
use super::wakes::{Key, Kind};
use super::{Context, Stop, environment_account, image_repository};
use crate::api::{ImageRepository, PullThroughRule};
use crate::desired::{self, CacheTarget, Target, World};
use crate::domain::names::EnvironmentName;
use crate::domain::repository;
use crate::domain::{Registry, RepositoryName};
use crate::ecr::{self, ErrorKind, Priority, Seen};

mod rules;

/// How often things are looked at.
#[derive(Clone, Copy, Debug)]
pub struct Periods {
    /// Each registry's list.
    pub registry: Duration,
    /// Every repository's policies once in this time.
    pub documents: Duration,
    /// Every lifecycle policy in force against the images in use, once in this time.
    pub lifecycle: Duration,
}

/// What is wanted in one registry, and by whom.
#[derive(Default)]
struct Wanted {
    targets: Vec<(Arc<ImageRepository>, Target)>,
    rules: Vec<(Arc<PullThroughRule>, CacheTarget)>,
}

/// Sweeps until dropped, for the objects in `stores`: these have the latest status, which the world
/// has not. Each registry has rounds of its own, so that a slow or silent one is late itself
/// and delays no other, and so that not all are asked at once.
pub async fn run(cx: Arc<Context>, stores: Stores, periods: Periods) {
    let mut rounds: BTreeMap<Registry, Round> = BTreeMap::new();
    let mut under_way = JoinSet::new();
    loop {
        let (world, now) = (cx.world.load_full(), Instant::now());
        rounds.retain(|registry, it| it.under_way || world.registries().contains_key(registry));
        for (registry, environment) in world.registries() {
            let first = || Round::first(registry, now, periods.registry);
            let round = rounds.entry(registry.clone()).or_insert_with(first);
            if round.under_way || now < round.due {
                continue;
            }
            round.under_way = true;
            let place = (environment.clone(), registry.clone());
            let wanted = Wanted::of(&place, &stores, &world);
            let (cx, after) = (Arc::clone(&cx), round.after.clone());
            under_way.spawn(async move {
                let last = sweep(&cx, (&place.0, &place.1), &wanted, (periods, after)).await;
                (place.1, last)
            });
        }
        let waiting = rounds.values().filter(|it| !it.under_way);
        let next = waiting.map(|it| it.due).min();
        tokio::select! {
            () = sleep_until(next.unwrap_or(now + periods.registry)) => {}
            Some(ended) = under_way.join_next() => {
                let (registry, last) = ended.expect("a round neither panics nor is cancelled alone");
                if let Some(round) = rounds.get_mut(&registry) {
                    round.end(last, Instant::now(), periods.registry);
                }
            }
        }
    }
}

/// How far a registry's rounds have come.
struct Round {
    due: Instant,
    under_way: bool,
    /// The repository whose documents were read last; the next round goes on behind it.
    after: Option<RepositoryName>,
}

impl Round {
    /// The first round of a registry comes at its own time within the first period.
    fn first(registry: &Registry, now: Instant, period: Duration) -> Self {
        let mut hasher = DefaultHasher::new();
        registry.hash(&mut hasher);
        let share = u32::try_from(hasher.finish() % 100).unwrap_or_default();
        Self {
            due: now + period * share / 100,
            under_way: false,
            after: None,
        }
    }

    fn end(&mut self, last: Option<RepositoryName>, now: Instant, period: Duration) {
        self.under_way = false;
        self.after = last.or_else(|| self.after.take());
        while self.due <= now {
            self.due += period;
        }
    }
}

impl Wanted {
    fn of(place: &(EnvironmentName, Registry), stores: &Stores, world: &World) -> Self {
        let (environment, registry) = place;
        let mut wanted = Self::default();
        for object in stores.repositories.state() {
            if object.metadata.deletion_timestamp.is_some() {
                continue;
            }
            let targets = desired::repository(&object, world).into_iter().flatten();
            let here = targets.filter(|it| it.registry == *registry);
            wanted
                .targets
                .extend(here.map(|it| (Arc::clone(&object), it)));
        }
        for object in stores.rules.state() {
            let targets = desired::pull_through(&object, world).into_iter().flatten();
            let here =
                targets.filter(|it| it.registry == *registry && it.environment == *environment);
            wanted
                .rules
                .extend(here.map(|it| (Arc::clone(&object), it)));
        }
        wanted
            .targets
            .sort_by(|a, b| a.1.desired.name.cmp(&b.1.desired.name));
        wanted
    }

    fn is_nothing(&self) -> bool {
        self.targets.is_empty() && self.rules.is_empty()
    }
}

/// One registry's round; gives the last repository whose documents were read.
async fn sweep(
    cx: &Context,
    (environment, registry): (&EnvironmentName, &Registry),
    wanted: &Wanted,
    (periods, after): (Periods, Option<RepositoryName>),
) -> Option<RepositoryName> {
    environment_account::sweep(cx, (environment, registry), periods.documents).await;
    if wanted.is_nothing() {
        return None;
    }
    let handle = match look(cx, environment, registry).await {
        Ok(handle) => handle,
        Err(error) => {
            warn!(%registry, %error, "the sweep will be tried again");
            return None;
        }
    };
    let last = read_documents(&handle, wanted, (periods, after.as_ref())).await;
    let repositories = wanted
        .targets
        .iter()
        .filter(|(object, target)| differs(&handle, object, target))
        .map(|(object, _)| Key::of(Kind::Repository, &**object));
    let mut differing: Vec<Key> = repositories.collect();
    differing.extend(rules::differing(cx, &handle, (&wanted.rules, periods)).await);
    let found = u64::try_from(differing.len()).unwrap_or(u64::MAX);
    for key in differing {
        cx.wakes.wake(key);
    }
    cx.meters
        .drift
        .get_or_create(&registry.into())
        .inc_by(found);
    cx.meters
        .swept
        .get_or_create(&registry.into())
        .set(Timestamp::now().as_second());
    debug!(%registry, found, "swept");
    last
}

async fn look(
    cx: &Context,
    environment: &EnvironmentName,
    registry: &Registry,
) -> Result<ecr::Registry, Stop> {
    let handle = cx
        .registry(environment, registry)
        .await?
        .at(Priority::Sweep);
    handle.refresh().await.map_err(Stop::Failed)?;
    Ok(handle)
}

/// Reads the documents of the next share of the repositories, going round in order of name.
async fn read_documents(
    handle: &ecr::Registry,
    wanted: &Wanted,
    (periods, after): (Periods, Option<&RepositoryName>),
) -> Option<RepositoryName> {
    // What is not there has no documents: to ask for them would be an error each time.
    let there = handle.snapshot().unwrap_or_default();
    let targets = wanted.targets.iter().map(|(_, it)| &it.desired);
    let managed = targets.filter(|it| it.manages_documents() && there.contains_key(&it.name));
    let mut concerned = rules::retrofitted(&wanted.rules, &there);
    concerned.extend(managed.map(|it| it.name.clone()));
    let concerned: Vec<RepositoryName> = concerned.into_iter().collect();
    let share = share(concerned.len(), periods);
    let start = concerned.partition_point(|it| after.is_some_and(|after| it <= after));
    let (before, ahead) = concerned.split_at(start);
    let mut last = None;
    for name in ahead.iter().chain(before).take(share) {
        match handle.read_documents(name).await {
            Ok(()) => {}
            Err(error) if error.kind == ErrorKind::NotFound => {
                debug!(repository = %name, "deleted since the list");
            }
            Err(error) => {
                warn!(error = &error as &dyn std::error::Error, repository = %name, "not read");
                break;
            }
        }
        last = Some(name.clone());
    }
    last
}

/// How many of `count` repositories one round reads, so that all are read within the period.
fn share(count: usize, periods: Periods) -> usize {
    let rounds = periods.documents.as_secs_f64() / periods.registry.as_secs_f64();
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a share of a count"
    )]
    let share = (f64::from(count) / rounds.max(1.0)).ceil() as usize;
    share
}

/// Whether there is something to do, or something else to show than what status has: a repository
/// that is nobody's any more is not written, and its object must not go on saying that it is ready.
fn differs(handle: &ecr::Registry, object: &ImageRepository, target: &Target) -> bool {
    let observed = match handle.seen(&target.desired.name) {
        Seen::Unknown => return false,
        Seen::Absent => None,
        Seen::Present(observed) => Some(observed),
    };
    let plan = repository::plan(&target.desired, observed.as_deref());
    let unreplicated = image_repository::unreplicated(handle, target);
    !plan.changes.is_empty()
        || !image_repository::shows(object, target, &plan, unreplicated.as_ref())
}

#[cfg(test)]
mod tests;
