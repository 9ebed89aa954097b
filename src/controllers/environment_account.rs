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
use crate::api::targets::TargetState;
use crate::api::{EnvironmentAccount, ImageRepository};
use crate::desired::{self, Environment, World};
use crate::domain::Registry;
use crate::ecr;

pub mod preflight;

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
                return shown(self, &world, None, &[(None, verdict)], Retry::WhenAsked);
            }
        };
        let looked = join_all(
            environment
                .registries
                .iter()
                .map(async |registry| (registry.clone(), look(cx, &environment, registry).await)),
        )
        .await;
        let identity = looked
            .iter()
            .find_map(|(_, result)| result.as_ref().ok().cloned());
        let mut retry = Retry::WhenAsked;
        let verdicts = looked.into_iter().map(|(registry, result)| {
            let (verdict, again) = judge(&registry, result);
            retry = retry.max(again);
            (Some(registry), verdict)
        });
        let verdicts: Vec<_> = verdicts.collect();
        let done = shown(self, &world, identity, &verdicts, retry);
        let done = tombstones::show(cx, &environment, done).await;
        preflight::show(cx, self, done)
    }
}

/// Signs in to one registry and lists it if nobody has; gives the ARN that AWS knows us by.
async fn look(
    cx: &Context,
    environment: &Environment,
    registry: &Registry,
) -> Result<String, ecr::Error> {
    let registry = cx.sign_in(environment, registry).await?;
    registry.listed().await?;
    Ok(registry.identity_arn().to_owned())
}

fn judge(registry: &Registry, result: Result<String, ecr::Error>) -> (Verdict, Retry) {
    let place = registry.to_string();
    match result {
        Ok(_) => (Verdict::ready(&place, Reason::Succeeded), Retry::WhenAsked),
        Err(error) => Verdict::of_failure(&place, &error),
    }
}

fn shown(
    object: &EnvironmentAccount,
    world: &World,
    identity_arn: Option<String>,
    verdicts: &[(Option<Registry>, Verdict)],
    retry: Retry,
) -> Done<EnvironmentAccountStatus> {
    let registries = verdicts.iter().filter_map(|(registry, verdict)| {
        let registry = registry.as_ref()?;
        let tells = verdict.state != TargetState::Ready;
        Some(RegistryStatus {
            region: registry.region.to_string(),
            uri: registry.host(),
            state: verdict.state,
            reason: tells.then_some(verdict.reason),
            message: tells.then(|| verdict.message.clone()),
        })
    });
    let registries = registries.collect();
    let verdicts: Vec<Verdict> = verdicts.iter().map(|(_, it)| it.clone()).collect();
    let before = object.status.clone().unwrap_or_default();
    let mut conditions = before.conditions.clone();
    let summary = Summary::of(&verdicts);
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
        identity_arn: identity_arn.or(before.identity_arn),
        tombstones: before.tombstones,
        next_deletions: before.next_deletions,
        repositories: i64::try_from(world.repositories_in(&object.name_any()).count()).ok(),
        registries,
        preflight: before.preflight,
    };
    Done {
        status: Some(status),
        events,
        retry,
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
        return shown(object, world, None, &[(None, verdict)], Retry::BackingOff);
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
