//! The end of repositories whose objects are gone and were to take their images along. What stands
//! under a tombstone is known from each registry's list, so a round costs little until a delay is
//! over; then all that speaks against it is asked, the living and the repository itself last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::driver::Done;
use super::wakes::{Key, Kind};
use super::{Context, Stop};
use crate::api::environment_account::{EnvironmentAccountStatus, NextDeletion};
use crate::api::{EnvironmentAccount, ORPHAN};
use crate::desired::{self, Environment};
use crate::domain::RepositoryName;
use crate::domain::names::ClusterId;
use crate::domain::owner;
use crate::domain::repository::Observed;
use crate::domain::repository::tombstone::{Waiting, is_announced, is_ending};
use crate::ecr::{self, Priority, Seen};

mod end;

use end::Ending;

/// What was said last of each repository of one environment that waits, so that nothing is said
/// twice, and nothing asked again before its answer can be another one.
type Told = BTreeMap<RepositoryName, Waiting>;

/// Looks at every environment once a period, each for itself, until dropped.
pub async fn run(cx: Arc<Context>, period: Duration) {
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    let mut under_way = BTreeSet::new();
    let mut rounds = JoinSet::new();
    let mut next = Instant::now() + period;
    loop {
        tokio::select! {
            () = sleep_until(next) => {
                next = Instant::now() + period;
                for object in cx.world.load_full().environments() {
                    let name = object.name_any();
                    if under_way.insert(name.clone()) {
                        let told = told.remove(&name).unwrap_or_default();
                        rounds.spawn(round(Arc::clone(&cx), Arc::clone(object), told));
                    }
                }
            }
            Some(ended) = rounds.join_next() => {
                let (name, waiting) = ended.expect("a round neither panics nor is cancelled alone");
                under_way.remove(&name);
                told.insert(name, waiting);
            }
        }
    }
}

/// One look at one environment.
async fn round(cx: Arc<Context>, object: Arc<EnvironmentAccount>, told: Told) -> (String, Told) {
    let name = object.name_any();
    match look(&cx, &object, &told).await {
        Ok(waiting) => (name, waiting),
        Err(error) => {
            debug!(%error, environment = name, "no tombstone is looked at");
            (name, told)
        }
    }
}

async fn look(cx: &Context, object: &EnvironmentAccount, told: &Told) -> Result<Told, Stop> {
    let mut waiting = Told::new();
    if !may_have_tombstones(object) {
        return Ok(waiting);
    }
    let ending = sign_in(cx, object).await?;
    let names = listed(cx, object, &ending.registry).await?;
    if names.is_empty() {
        return Ok(waiting);
    }
    let terms = ending.terms().await?;
    for name in names {
        let earlier = told.get(&name);
        if let Some(why) = ending.look(&name, &terms, earlier).await {
            ending.tell_waiting(&name, &why, earlier).await;
            waiting.insert(name, why);
        }
    }
    Ok(waiting)
}

/// Whether a registry of the environment may hold a repository whose end is to be seen to: where
/// deletion is allowed, or was when status was written.
fn may_have_tombstones(object: &EnvironmentAccount) -> bool {
    let shown = object.status.as_ref().and_then(|it| it.tombstones);
    (object.spec.allow_delete && !object.spec.suspend) || shown.is_some_and(|it| it > 0)
}

async fn sign_in<'a>(cx: &'a Context, object: &'a EnvironmentAccount) -> Result<Ending<'a>, Stop> {
    let environment = desired::reachable(object, &cx.world.load());
    let environment = environment.map_err(Stop::Stopped)?;
    let registry = cx.sign_in(&environment, environment.home()).await;
    Ok(Ending {
        cx,
        object,
        environment: environment.name,
        registry: registry.map_err(Stop::Failed)?.at(Priority::Sweep),
    })
}

/// The repositories of the environment whose end is to be seen to. Where no object asks for any
/// repository, nobody else lists the registry.
async fn listed(
    cx: &Context,
    object: &EnvironmentAccount,
    registry: &ecr::Registry,
) -> Result<Vec<RepositoryName>, Stop> {
    let world = cx.world.load_full();
    let is_swept = world.repositories_in(&object.name_any()).next().is_some();
    let is_known = registry.snapshot().is_some();
    let is_left = !ending(registry, world.cluster()).is_empty();
    if !is_known || (!is_swept && is_left) {
        registry.refresh().await.map_err(Stop::Failed)?;
    }
    if !is_known {
        cx.wakes.wake(Key::of(Kind::Environment, object));
    }
    let ending = ending(registry, world.cluster()).into_iter();
    Ok(ending.map(|(name, _)| name).collect())
}

/// Lifts every quarantine of an environment that is about to go: nobody could reach it after that.
///
/// # Errors
/// Why the environment has to stay.
pub async fn leave(cx: &Context, object: &EnvironmentAccount) -> Result<(), String> {
    if object.annotations().contains_key(ORPHAN) || !may_have_tombstones(object) {
        return Ok(());
    }
    let failed = |error: Stop| {
        format!(
            "a repository may still be under quarantine, which denies to push and to pull, and is \
             not lifted yet: {error}; or annotate this object with {ORPHAN}=true"
        )
    };
    let ending = sign_in(cx, object).await.map_err(failed)?;
    for name in listed(cx, object, &ending.registry).await.map_err(failed)? {
        drop(ending.registry.turn(&name).await); // whoever ends it sees that the environment goes
        if let Seen::Present(observed) = ending.registry.seen(&name)
            && is_announced(&observed.tags)
        {
            ending.carry_out(&name).await.map_err(failed)?;
        }
    }
    Ok(())
}

/// Shows how many repositories of an environment wait for their end, and the first of them to go.
pub async fn show(
    cx: &Context,
    environment: &Environment,
    mut done: Done<EnvironmentAccountStatus>,
) -> Done<EnvironmentAccountStatus> {
    const SHOWN: usize = 10;
    let home = cx.sign_in(environment, environment.home()).await;
    if let (Some(status), Ok(home)) = (&mut done.status, home)
        && home.snapshot().is_some()
    {
        let standing = ending(&home, cx.world.load().cluster());
        status.tombstones = i64::try_from(standing.len()).ok().filter(|it| *it > 0);
        let next = standing.into_iter().filter_map(|(name, observed)| {
            Some(NextDeletion {
                delete_after: observed.tags.get(owner::DELETE_AFTER)?.clone(),
                repository_name: name.to_string(),
            })
        });
        status.next_deletions = next.collect();
        status.next_deletions.sort_unstable();
        status.next_deletions.truncate(SHOWN);
    }
    done
}

/// The repositories of a registry whose end this cluster has to see to, as last seen. No call is made.
fn ending(registry: &ecr::Registry, cluster: &ClusterId) -> Vec<(RepositoryName, Arc<Observed>)> {
    let snapshot = registry.snapshot().unwrap_or_default();
    let ours = snapshot
        .iter()
        .filter(|(_, it)| is_ending(&it.tags, cluster));
    ours.map(|(name, it)| (name.clone(), Arc::clone(it)))
        .collect()
}

/// What time it is for AWS, as its answers tell it: what is deleted is dated by it.
///
/// # Errors
/// [`Stop::Unconfirmed`] before the first answer.
pub fn now(registry: &ecr::Registry) -> Result<Timestamp, Stop> {
    let date = registry.date().and_then(|it| Timestamp::try_from(it).ok());
    date.ok_or_else(|| Stop::Unconfirmed("AWS has not told the time yet".to_owned()))
}
