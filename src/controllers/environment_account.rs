//! `EnvironmentAccount`: proves who we are in the account, and says which of its registries answer.
//! It stays while a repository that was made through it is not released, since nothing else knows
//! how to reach the account.

use futures::future::join_all;
use jiff::Timestamp;
use kube::api::ListParams;
use kube::runtime::events::Event;
use kube::{Api, Client, ResourceExt};
use tracing::{debug, warn};

use super::condition::{self, Summary, Verdict};
use super::driver::{Done, Reconcile};
use super::outcome::Retry;
use super::{Context, finalizer, live, tidings, tombstones};
use crate::api::conditions::Reason;
use crate::api::environment_account::{EnvironmentAccountStatus, RegistryStatus};
use crate::api::{EnvironmentAccount, ImageRepository, ORPHAN};
use crate::desired::{self, World};
use crate::domain::registry::Change;

pub mod preflight;
mod record;
mod registry;

use registry::End;
pub(super) use registry::{ask, sweep};

impl Reconcile for EnvironmentAccount {
    type Status = EnvironmentAccountStatus;

    fn api(&self, client: &Client) -> Api<Self> {
        Api::all(client.clone())
    }

    fn status(&self) -> Option<&EnvironmentAccountStatus> {
        self.status.as_ref()
    }

    async fn reconcile(&self, cx: &Context) -> Done<EnvironmentAccountStatus> {
        let latest = match live::latest(cx, self).await {
            Ok(latest) => latest,
            Err(stop) => {
                debug!(%stop, "nothing is done");
                return Done::nothing(Retry::BackingOff);
            }
        };
        let world = cx.world.load_full();
        if latest.metadata.deletion_timestamp.is_some() {
            let done = deleted(&latest, cx, &world).await;
            return done.of(latest.resource_version());
        }
        match settle(&latest, cx, &world).await {
            Ok(done) => done,
            Err(error) => {
                warn!(%error, "nothing could be recorded, so nothing was written");
                Done::nothing(Retry::BackingOff)
            }
        }
    }
}

/// Looks at every registry, records what will be put there, and puts it.
async fn settle(
    object: &EnvironmentAccount,
    cx: &Context,
    world: &World,
) -> kube::Result<Done<EnvironmentAccountStatus>> {
    let version = finalizer::put(cx, object).await?;
    let environment = match desired::environment(object, world) {
        Ok(environment) => environment,
        Err(stopped) => {
            let verdict = Verdict::of_stopped("spec", &stopped);
            return Ok(unseen(object, world, verdict, Retry::WhenAsked).of(version));
        }
    };
    let places = registry::look(cx, object, &environment, world).await;
    let version = record::before((object, version), cx, &places).await?;
    let ends = places.into_iter().map(|it| it.settle(cx, object));
    let done = done(object, world, join_all(ends).await);
    let done = tombstones::show(cx, &environment, done).await;
    Ok(preflight::show(cx, object, done).of(version))
}

fn done(
    object: &EnvironmentAccount,
    world: &World,
    ends: Vec<End>,
) -> Done<EnvironmentAccountStatus> {
    let counted = ends.iter().filter(|it| it.counts());
    let verdicts: Vec<Verdict> = counted.map(|it| it.verdict.clone()).collect();
    let identity = ends.iter().find_map(|it| it.identity.clone());
    let retry = ends.iter().map(|it| it.retry).max();
    let written = ends.iter().filter(|it| !it.done.is_empty());
    let told = written.map(|it| {
        let calls: Vec<&str> = it.done.iter().map(Change::operation).collect();
        let note = format!("{}: {}", it.verdict.place, calls.join(", "));
        tidings::normal("RegistryUpdated", calls[0], &note)
    });
    let mut events: Vec<Event> = told.collect();
    let mut done = shown(object, world, &verdicts, record::after(object, ends));
    done.retry = retry.unwrap_or(Retry::WhenAsked);
    if let Some(status) = &mut done.status {
        status.identity_arn = identity.or(status.identity_arn.take());
    }
    events.append(&mut done.events);
    done.events = events;
    done
}

/// An environment whose registries are not looked at: what is recorded of them stays.
fn unseen(
    object: &EnvironmentAccount,
    world: &World,
    verdict: Verdict,
    retry: Retry,
) -> Done<EnvironmentAccountStatus> {
    let registries = record::kept(object, verdict.state);
    let mut done = shown(object, world, &[verdict], registries);
    done.retry = retry;
    done
}

fn shown(
    object: &EnvironmentAccount,
    world: &World,
    verdicts: &[Verdict],
    registries: Vec<RegistryStatus>,
) -> Done<EnvironmentAccountStatus> {
    let before = object.status.clone().unwrap_or_default();
    let summary = Summary::of(verdicts);
    let (generation, now) = (object.metadata.generation, Timestamp::now());
    let (conditions, event) = condition::told(&before.conditions, &summary, generation, now);
    let status = EnvironmentAccountStatus {
        observed_generation: object.metadata.generation,
        conditions,
        identity_arn: before.identity_arn,
        tombstones: before.tombstones,
        next_deletions: before.next_deletions,
        repositories: i64::try_from(world.repositories_in(&object.name_any()).count()).ok(),
        registries,
        preflight: before.preflight,
    };
    Done::showing(status, event)
}

async fn deleted(
    object: &EnvironmentAccount,
    cx: &Context,
    world: &World,
) -> Done<EnvironmentAccountStatus> {
    // The API server is asked: the world changes with what is wanted, and this is about what was
    // recorded.
    let repositories: Api<ImageRepository> = Api::all(cx.client.clone());
    let repositories = match repositories.list(&ListParams::default()).await {
        Ok(repositories) => repositories,
        Err(error) => {
            warn!(%error, "it is not known which repositories the environment still has");
            return Done::nothing(Retry::BackingOff);
        }
    };
    if let Some(message) = holding(object, &repositories) {
        let verdict = Verdict::failing("deletion", Reason::Deleting, &message);
        return unseen(object, world, verdict, Retry::BackingOff);
    }
    if let Err(message) = tombstones::leave(cx, object).await {
        let verdict = Verdict::failing("deletion", Reason::Deleting, &message);
        return unseen(object, world, verdict, Retry::BackingOff);
    }
    match finalizer::take_off(cx, object).await {
        Ok(()) => Done::nothing(Retry::WhenAsked),
        Err(error) => {
            warn!(%error, "the finalizer is still on");
            Done::nothing(Retry::BackingOff)
        }
    }
}

/// Why the object of an environment stays though it is deleted: one of these has a repository there,
/// as its status says, and nothing else knows how to reach it.
pub fn holding<'a>(
    object: &EnvironmentAccount,
    repositories: impl IntoIterator<Item = &'a ImageRepository>,
) -> Option<String> {
    let name = object.name_any();
    if object.annotations().contains_key(ORPHAN) {
        return None;
    }
    let holds = |it: &&ImageRepository| {
        let mut targets = it.status.iter().flat_map(|it| &it.targets);
        targets.any(|it| it.environment == name && it.record.is_some())
    };
    let holding = repositories.into_iter().find(holds)?;
    Some(format!(
        "ImageRepository {}/{} still has a repository in this account: delete it, or take {name} out \
         of its environments; or annotate this object with {ORPHAN}=true",
        holding.namespace().unwrap_or_default(),
        holding.name_any(),
    ))
}
