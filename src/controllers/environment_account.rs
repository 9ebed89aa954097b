//! `EnvironmentAccount`: proves who we are in the account, and says which of its registries answer.
//! It stays while a repository that was made through it is not released, since nothing else knows
//! how to reach the account.

use futures::future::join_all;
use jiff::Timestamp;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt};
use tracing::warn;

use super::condition::{self, Summary, Verdict};
use super::driver::{Done, Reconcile};
use super::outcome::Retry;
use super::{Context, finalizer, tidings, tombstones};
use crate::api::conditions::Reason;
use crate::api::environment_account::{EnvironmentAccountStatus, RegistryStatus};
use crate::api::{EnvironmentAccount, ImageRepository};
use crate::desired::{self, Environment, World};
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
        let world = cx.world.load_full();
        if self.metadata.deletion_timestamp.is_some() {
            return deleted(self, cx, &world).await;
        }
        if let Err(error) = finalizer::put(cx, self).await {
            warn!(%error, "the finalizer is not on yet");
            return Done {
                status: None,
                events: Vec::new(),
                retry: Retry::BackingOff,
            };
        }
        let environment = match desired::environment(self, &world) {
            Ok(environment) => environment,
            Err(stopped) => {
                let verdict = Verdict::of_stopped("spec", &stopped);
                return unseen(self, &world, verdict, Retry::WhenAsked);
            }
        };
        match settle(self, cx, &environment, &world).await {
            Ok(ends) => {
                let done = done(self, &world, &ends);
                let done = tombstones::show(cx, &environment, done).await;
                preflight::show(cx, self, done)
            }
            Err(error) => {
                warn!(%error, "nothing could be recorded, so nothing was written");
                Done {
                    status: None,
                    events: Vec::new(),
                    retry: Retry::BackingOff,
                }
            }
        }
    }
}

/// Looks at every registry, records what will be put there, and puts it.
async fn settle(
    object: &EnvironmentAccount,
    cx: &Context,
    environment: &Environment,
    world: &World,
) -> kube::Result<Vec<End>> {
    let mut places = registry::look(cx, object, environment, world).await;
    if !places.iter().any(|it| it.acts(object)) {
        let ends = places.into_iter().map(|it| it.settle(cx, object));
        return Ok(join_all(ends).await);
    }
    let latest = registry::latest(object, cx).await?;
    places = places
        .into_iter()
        .map(|it| it.recorded_in(&latest))
        .collect();
    record::before(&latest, cx, &places).await?;
    let ends = places.into_iter().map(|it| it.settle(cx, &latest));
    Ok(join_all(ends).await)
}

fn done(
    object: &EnvironmentAccount,
    world: &World,
    ends: &[End],
) -> Done<EnvironmentAccountStatus> {
    let counted = ends.iter().filter(|it| it.counts());
    let verdicts: Vec<Verdict> = counted.map(|it| it.verdict.clone()).collect();
    let identity = ends.iter().find_map(|it| it.identity.clone());
    let retry = ends.iter().map(|it| it.retry).max();
    let registries = ends.iter().filter_map(End::shown).collect();
    let mut done = shown(object, world, &verdicts, registries);
    done.retry = retry.unwrap_or(Retry::WhenAsked);
    if let Some(status) = &mut done.status {
        status.identity_arn = identity.or(status.identity_arn.take());
    }
    let written = ends.iter().filter(|it| !it.done.is_empty());
    let told = written.map(|it| {
        let calls: Vec<&str> = it.done.iter().map(Change::operation).collect();
        let note = format!("{}: {}", it.verdict.place, calls.join(", "));
        tidings::normal("RegistryUpdated", calls[0], &note)
    });
    done.events = told.chain(done.events).collect();
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
    let mut conditions = before.conditions.clone();
    let summary = Summary::of(verdicts);
    condition::summarise(
        &mut conditions,
        &summary,
        object.metadata.generation,
        Timestamp::now(),
    );
    let events = tidings::of_transition(&before.conditions, &conditions)
        .into_iter()
        .collect();
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
    Done {
        status: Some(status),
        events,
        retry: Retry::WhenAsked,
    }
}

async fn deleted(
    object: &EnvironmentAccount,
    cx: &Context,
    world: &World,
) -> Done<EnvironmentAccountStatus> {
    let name = object.name_any();
    let orphaned = object.annotations().contains_key(crate::api::ORPHAN);
    let holding = match holding(cx, &name).await {
        Ok(holding) => holding.filter(|_| !orphaned),
        Err(error) => {
            warn!(%error, "it is not known which repositories the environment still has");
            return Done {
                status: None,
                events: Vec::new(),
                retry: Retry::BackingOff,
            };
        }
    };
    if let Some(holding) = holding {
        let message = format!(
            "ImageRepository {holding} still has a repository in this account: delete it, or take \
             {name} out of its environments; or annotate this object with {}=true",
            crate::api::ORPHAN,
        );
        let verdict = Verdict::failing("deletion", Reason::Deleting, &message);
        return unseen(object, world, verdict, Retry::BackingOff);
    }
    let retry = match finalizer::take_off(cx, object).await {
        Ok(()) => Retry::WhenAsked,
        Err(error) => {
            warn!(%error, "the finalizer is still on");
            Retry::BackingOff
        }
    };
    Done {
        status: None,
        events: Vec::new(),
        retry,
    }
}

/// An object with a repository in the environment `name`, as `namespace/name`. The API server is
/// asked: the world changes with what is wanted, and this is about what was recorded.
async fn holding(cx: &Context, name: &str) -> kube::Result<Option<String>> {
    let repositories: Api<ImageRepository> = Api::all(cx.client.clone());
    let repositories = repositories.list(&ListParams::default()).await?;
    let holds = |it: &ImageRepository| {
        let mut targets = it.status.iter().flat_map(|it| &it.targets);
        targets.any(|it| it.environment == name && it.record.is_some())
    };
    let holding = repositories.items.iter().find(|it| holds(it));
    Ok(holding.map(|it| format!("{}/{}", it.namespace().unwrap_or_default(), it.name_any())))
}
