//! Bringing the configuration in line, and the leader's loop that turns certificates and
//! configuration together: a new authority is trusted everywhere before anything of it is shown.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::pin;
use std::time::Duration;

use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhook, MutatingWebhookConfiguration};
use kube::api::PostParams;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::contest::{self, Contest, Repair};
use super::{Install, Selectors, desired};
use crate::controllers::certificates::{self, Keeper, Store};
use crate::controllers::driver::MANAGER;
use crate::controllers::installed::Installed;

/// A round that takes longer is given up and begun again.
const ROUND: Duration = Duration::from_secs(10);
/// The configuration and the certificates are looked at this often though nothing happens.
const SWEEP: Duration = Duration::from_secs(60);

/// What a round came to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settled {
    /// What was written.
    pub written: Written,
    /// The policies that the API server refuses, with its reason. The others are in force.
    pub refused: BTreeMap<String, String>,
    /// The field manager other than ours that changed last what was found.
    pub editor: Option<String>,
    /// What was written put right what somebody else had changed.
    pub repair: Option<Repair>,
    /// An object of the chart that is not there, so that nothing could be written.
    pub missing: Option<Installed>,
}

impl Settled {
    fn without(missing: Installed) -> Self {
        Self {
            missing: Some(missing),
            ..Self::default()
        }
    }
}

/// What was done to the configuration.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Written {
    /// It was as it should be, or how it should be is not known.
    #[default]
    Nothing,
    /// It differed: the policies have changed, or somebody edited it.
    Replaced,
}

/// Why the configuration could not be brought in line; it is tried again.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be read.
    #[error("read the webhook configuration {name}")]
    Read {
        /// Its name.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// It could not be written, for instance since it has changed meanwhile.
    #[error("write the webhook configuration {name}")]
    Write {
        /// Its name.
        name: String,
        /// What the API server said.
        source: kube::Error,
    },
    /// The certificates come first, and could not be brought in line.
    #[error("bring the certificates in line")]
    Certificates(#[source] certificates::Error),
    /// The API server did not answer in time.
    #[error("the API server did not answer within {ROUND:?}")]
    TimedOut,
}

type Configurations = Api<MutatingWebhookConfiguration>;

/// Keeps certificates and configuration in line until `term` ends: at once when `woken` is notified
/// or when somebody else changes either, and every minute. `policies` says which policies there are,
/// `None` while that is not known yet: then the configuration stays as it is, since "not loaded" is
/// not "no policy". `told` hears what each round came to. Only the leader may run this.
pub async fn lead(
    (configurations, install): (&Configurations, &Install),
    keeper: &Keeper,
    policies: impl Fn() -> Option<BTreeMap<String, Selectors>>,
    told: impl Fn(&Settled),
    (woken, term): (&Notify, &CancellationToken),
) {
    let edits = changes(configurations, &install.name);
    let mut edits = pin!(stream::select(
        edits,
        changes(&keeper.secrets, &keeper.name)
    ));
    let mut memory = Memory::default();
    loop {
        let policies = policies();
        let round = round(
            (configurations, install),
            keeper,
            policies.as_ref(),
            &mut memory,
        );
        let next = match timeout(ROUND, round).await.unwrap_or(Err(Error::TimedOut)) {
            Ok((settled, next)) => {
                told(&settled);
                until(next).min(SWEEP)
            }
            Err(error) => {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "admission is not in line"
                );
                Duration::from_secs(1)
            }
        };
        let patience = memory.contest.patience(Instant::now());
        let wait = async {
            sleep(patience).await;
            tokio::select! {
                () = woken.notified() => {}
                _ = edits.next() => {}
                () = sleep(next.saturating_sub(patience)) => {}
            }
        };
        tokio::select! {
            () = term.cancelled() => return,
            () = wait => {}
        }
    }
}

/// Tells whenever the object of this name has changed, by whomever.
fn changes<K>(api: &Api<K>, name: &str) -> impl Stream<Item = ()>
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let config = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let changes = watcher(api.clone(), config).default_backoff();
    changes.touched_objects().map(drop)
}

/// What the rounds of a term know of each other.
#[derive(Default)]
struct Memory {
    trusted: Trusted,
    /// The webhooks that the last round wanted; `None` before the first.
    wanted: Option<Vec<MutatingWebhook>>,
    contest: Contest,
}

/// When the newest authority was first seen in the configuration; forgotten with the term, since
/// waiting again costs nothing.
#[derive(Default)]
struct Trusted(Option<(String, Timestamp)>);

impl Trusted {
    fn since(&self, store: &Store) -> Option<Timestamp> {
        let (authority, since) = self.0.as_ref()?;
        (*authority == store.newest.name).then_some(*since)
    }
}

async fn round(
    (configurations, install): (&Configurations, &Install),
    keeper: &Keeper,
    policies: Option<&BTreeMap<String, Selectors>>,
    memory: &mut Memory,
) -> Result<(Settled, Timestamp), Error> {
    let Memory {
        trusted,
        wanted,
        contest,
    } = memory;
    let now = Timestamp::now();
    let kept = certificates::settle(keeper, |it| trusted.since(it), now).await;
    let (store, next) = match kept {
        Ok(kept) => kept,
        // Nothing helps but that somebody installs it, which the watch reports.
        Err(certificates::Error::Missing(it)) => return Ok((Settled::without(it), now + SWEEP)),
        Err(error) => return Err(Error::Certificates(error)),
    };
    let Some(policies) = policies else {
        return Ok((Settled::default(), next));
    };
    let settled = settle(configurations, install, policies, &store.bundle()).await?;
    let before = wanted.replace(desired(install, policies, &store.bundle()));
    // What was as we want it after the last round, and had to be written, was changed by others.
    let repair = (settled.written != Written::Nothing && before == *wanted)
        .then(|| contest.repaired(settled.editor.clone(), Instant::now()));
    let settled = Settled { repair, ..settled };
    if trusted.since(&store).is_none() {
        trusted.0 = Some((store.newest.name.clone(), Timestamp::now()));
        return Ok((settled, Timestamp::now() + keeper.lifetimes.settle));
    }
    Ok((settled, next))
}

fn until(at: Timestamp) -> Duration {
    at.duration_since(Timestamp::now())
        .try_into()
        .unwrap_or_default()
}

/// Makes the webhooks what `policies` and `ca_bundle` say. When this returns, every API server will
/// trust all of `ca_bundle` as soon as it has noticed. A policy that the API server refuses does not
/// keep the others out of force.
pub async fn settle(
    configurations: &Configurations,
    install: &Install,
    policies: &BTreeMap<String, Selectors>,
    ca_bundle: &str,
) -> Result<Settled, Error> {
    let name = &install.name;
    let live = configurations.get_opt(name).await;
    let live = live.map_err(|source| Error::Read {
        name: name.clone(),
        source,
    })?;
    let Some(live) = live else {
        return Ok(Settled::without(Installed::of::<
            MutatingWebhookConfiguration,
        >(name)));
    };
    let write = |source| Error::Write {
        name: name.clone(),
        source,
    };
    let settled = Settled {
        editor: contest::editor(live.managed_fields()),
        ..Settled::default()
    };
    match put(configurations, &live, desired(install, policies, ca_bundle)).await {
        Ok(written) => Ok(Settled { written, ..settled }),
        Err(kube::Error::Api(status)) if status.is_invalid() => {
            let alone = |policy: &String, selectors: &Selectors| {
                let alone = BTreeMap::from([(policy.clone(), selectors.clone())]);
                desired(install, &alone, ca_bundle)
            };
            let refused = refused(configurations, &live, policies, alone)
                .await
                .map_err(write)?;
            let accepted = policies
                .iter()
                .filter(|(policy, _)| !refused.contains_key(*policy));
            let accepted = accepted
                .map(|(policy, it)| (policy.clone(), it.clone()))
                .collect();
            let wanted = desired(install, &accepted, ca_bundle);
            let written = put(configurations, &live, wanted).await.map_err(write)?;
            Ok(Settled {
                written,
                refused,
                ..settled
            })
        }
        Err(source) => Err(write(source)),
    }
}

/// One write at most, over exactly what was found. Only the webhooks are ours: labels, annotations and
/// owners stay as the chart, or whoever else, has set them.
async fn put(
    configurations: &Configurations,
    live: &MutatingWebhookConfiguration,
    webhooks: Vec<MutatingWebhook>,
) -> Result<Written, kube::Error> {
    if live.webhooks.as_deref().unwrap_or_default() == webhooks {
        return Ok(Written::Nothing);
    }
    let parameters = PostParams {
        dry_run: false,
        field_manager: Some(MANAGER.to_owned()),
    };
    let wanted = with(live, webhooks);
    configurations
        .replace(&live.name_any(), &parameters, &wanted)
        .await?;
    info!("the webhook configuration is written");
    Ok(Written::Replaced)
}

fn with(
    live: &MutatingWebhookConfiguration,
    webhooks: Vec<MutatingWebhook>,
) -> MutatingWebhookConfiguration {
    MutatingWebhookConfiguration {
        metadata: live.metadata.clone(),
        webhooks: Some(webhooks),
    }
}

/// The policies that the API server takes in no configuration, each tried alone by a dry run.
async fn refused(
    configurations: &Configurations,
    live: &MutatingWebhookConfiguration,
    policies: &BTreeMap<String, Selectors>,
    alone: impl Fn(&String, &Selectors) -> Vec<MutatingWebhook>,
) -> Result<BTreeMap<String, String>, kube::Error> {
    let dry_run = PostParams {
        dry_run: true,
        field_manager: None,
    };
    let (mut refused, name) = (BTreeMap::new(), live.name_any());
    for (policy, selectors) in policies {
        let tried = with(live, alone(policy, selectors));
        match configurations.replace(&name, &dry_run, &tried).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.is_invalid() => {
                warn!(
                    policy,
                    reason = status.message,
                    "the API server refuses the policy"
                );
                refused.insert(policy.clone(), status.message.clone());
            }
            Err(error) => return Err(error),
        }
    }
    Ok(refused)
}
