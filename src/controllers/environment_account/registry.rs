//! What a registry has only one of, for each of the environment's: planned from what was last read,
//! recorded, planned again from a read right before the call, written, and read again. ECR has no
//! conditional put, so between that read and the put somebody else's change can still be lost; the
//! read after it sees one that came later. Only the holder of the lease comes here, and one object
//! at a time, so that each registry has one writer of ours.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use tracing::{info, warn};

use super::record;
use crate::api::EnvironmentAccount;
use crate::api::conditions::Reason;
use crate::api::environment_account::RegistryStatus;
use crate::api::targets::{Difference as ShownDifference, TargetState};
use crate::controllers::condition::{self, Verdict};
use crate::controllers::outcome::{self, Retry};
use crate::controllers::wakes::{Key, Kind};
use crate::controllers::{Context, Stop};
use crate::desired::{self, Environment, LeftRegistry, World};
use crate::domain::names::EnvironmentName;
use crate::domain::registry::{self, Change, Desired, Part, Plan, Record};
use crate::domain::repository::{Difference, Management};
use crate::domain::{Registry, RepositoryName};
use crate::ecr::{self, Drift, Priority, Seen};

/// So many differences, and names that are replicated too, are shown.
const SHOWN: usize = 10;

/// One registry, and what there is to do about it.
pub(super) struct Place {
    pub(super) name: Registry,
    tenure: Tenure,
    pub(super) found: Result<Found, Stop>,
}

/// Whose a registry is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Tenure {
    /// The environment's.
    Own,
    /// Nobody's any more: our part in it only goes.
    Left,
    /// Another environment's, which alone writes to it. Our part stays recorded here.
    Anothers,
}

/// What was found in a registry that could be reached.
pub(super) struct Found {
    registry: ecr::Registry,
    priority: Priority,
    desired: Desired,
    pub(super) plan: Plan,
}

/// How one registry ended.
pub(super) struct End {
    pub(super) name: Registry,
    tenure: Tenure,
    pub(super) identity: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) retry: Retry,
    pub(super) done: Vec<Change>,
    differences: Vec<Difference>,
    also_replicated: Vec<String>,
    record: Record,
}

/// Every registry of the environment, and those that it had and left something of ours in.
pub(super) async fn look(
    cx: &Context,
    object: &EnvironmentAccount,
    environment: &Environment,
    world: &World,
) -> Vec<Place> {
    let own = environment.registries.iter();
    let own = own.map(|it| (it.clone(), Ok(Tenure::Own)));
    let left = desired::left(object, environment, world).map(|it| match it {
        LeftRegistry::Nobodys(name) => (name, Ok(Tenure::Left)),
        LeftRegistry::Anothers(name, stopped) => (name, Err(stopped)),
    });
    let places = own.chain(left).map(async |(name, tenure)| match tenure {
        Ok(tenure) => Place {
            found: find(cx, (object, environment), (&name, tenure), world).await,
            name,
            tenure,
        },
        Err(stopped) => Place {
            found: Err(Stop::Stopped(stopped)),
            name,
            tenure: Tenure::Anothers,
        },
    });
    join_all(places).await
}

async fn find(
    cx: &Context,
    (object, environment): (&EnvironmentAccount, &Environment),
    (name, tenure): (&Registry, Tenure),
    world: &World,
) -> Result<Found, Stop> {
    let signed_in = cx.sign_in(environment, name).await;
    let priority = priority(object);
    let registry = signed_in.map_err(Stop::Failed)?.at(priority);
    let mut desired = match tenure {
        Tenure::Left | Tenure::Anothers => Desired::nothing(environment.management),
        Tenure::Own => {
            let listed = registry.at(Priority::Sweep).listed().await;
            listed.map_err(Stop::Failed)?;
            desired::registry(object, environment, name, world).map_err(Stop::Stopped)?
        }
    };
    desired.replication.of_ours(|it| match registry.seen(it) {
        Seen::Present(observed) => Some(Arc::unwrap_or_clone(observed)),
        Seen::Absent | Seen::Unknown => None,
    });
    let record = desired::recorded(object, name);
    let parts = desired.parts(&record);
    let observed = registry.settings(&parts).await.map_err(Stop::Failed)?;
    let plan = registry::plan(&desired, &record, &observed);
    Ok(Found {
        registry,
        priority,
        desired,
        plan,
    })
}

fn priority(object: &EnvironmentAccount) -> Priority {
    let seen = object.status.as_ref().and_then(|it| it.observed_generation);
    if seen == object.metadata.generation {
        Priority::Repair
    } else {
        Priority::Edit
    }
}

impl Place {
    /// Does what there is to do.
    pub(super) async fn settle(self, cx: &Context, object: &EnvironmentAccount) -> End {
        let mut end = End {
            verdict: Verdict::ready(&self.name.to_string(), Reason::Succeeded),
            tenure: self.tenure,
            identity: None,
            retry: Retry::WhenAsked,
            done: Vec::new(),
            differences: Vec::new(),
            also_replicated: Vec::new(),
            record: desired::recorded(object, &self.name),
            name: self.name,
        };
        match self.found {
            Ok(found) => end.settle(cx, found).await,
            Err(stop) => (end.verdict, end.retry) = Verdict::of_stop(&end.verdict.place, &stop),
        }
        end
    }
}

impl End {
    async fn settle(&mut self, cx: &Context, found: Found) {
        self.identity = Some(found.registry.identity_arn().to_owned());
        // Nothing new is put, and nobody edited the object: somebody has undone what we did.
        let is_repair =
            found.priority == Priority::Repair && self.record.covers(&found.plan.intent);
        self.record = found.plan.intent.clone();
        self.differences.clone_from(&found.plan.differences);
        self.also_replicated = also_replicated(&found);
        let written = if found.plan.changes.is_empty() {
            self.end_as(&found.plan, found.desired.management);
            Ok(())
        } else {
            let written = self.write(&found).await;
            for change in self.done.iter().filter(|_| is_repair) {
                found.registry.setting_repaired(change);
            }
            written
        };
        if let Err(error) = written {
            (self.verdict, self.retry) = Verdict::of_failure(&self.verdict.place, &error);
        }
        if self.done.iter().any(|it| it.part() == Part::Replication) {
            wake(cx, &found.desired);
        }
    }

    /// One read, one put, and one read again for each part that is not as it should be.
    async fn write(&mut self, found: &Found) -> Result<(), ecr::Error> {
        let Found {
            registry,
            priority,
            desired,
            plan,
        } = found;
        let parts: BTreeSet<Part> = plan.changes.iter().map(Change::part).collect();
        let parts: Vec<Part> = parts.into_iter().collect();
        registry.read_settings(&parts).await?;
        let now = registry::plan(desired, &plan.intent, &registry.known_settings());
        if !plan.intent.covers(&now.intent) {
            self.overtaken("somebody else has changed it before we could");
            return Ok(());
        }
        for change in &now.changes {
            if *priority != Priority::Edit && registry.is_setting_contested(change) {
                self.contested(change);
                return Ok(());
            }
            registry.apply_setting(change).await?;
            let operation = change.operation();
            info!(registry = %self.name, change = operation, "applied");
            self.done.push(change.clone());
        }
        registry.read_settings(&parts).await?;
        let after = registry::plan(desired, &now.record, &registry.known_settings());
        self.differences.clone_from(&after.differences);
        if after.changes.is_empty() {
            self.end_as(&after, desired.management);
        } else {
            self.overtaken("somebody else has changed it after us");
        }
        Ok(())
    }

    fn end_as(&mut self, plan: &Plan, management: Management) {
        self.record.clone_from(&plan.record);
        let place = self.verdict.place.clone();
        self.verdict = match (plan.refusals.first(), management) {
            (Some(refusal), _) => {
                let reason = outcome::of_setting_refusal(refusal);
                Verdict::stopped(&place, reason, &refusal.to_string())
            }
            (None, Management::Observe) if !plan.differences.is_empty() => {
                Verdict::ready(&place, Reason::Drifted)
            }
            (None, Management::Observe | Management::Manage) => {
                Verdict::ready(&place, Reason::Succeeded)
            }
        };
    }

    fn overtaken(&mut self, what: &str) {
        let message = format!("{what}: it is looked at again");
        self.verdict = Verdict::failing(&self.verdict.place, Reason::Progressing, &message);
        self.retry = Retry::BackingOff;
    }

    fn contested(&mut self, change: &Change) {
        let message = format!(
            "{} was made three times within the hour and undone each time: find who else writes to \
             this registry (CloudTrail names them), then edit the object to try at once",
            change.operation()
        );
        self.verdict = Verdict::stopped(&self.verdict.place, Reason::Contested, &message);
        self.retry = Retry::Patiently;
    }

    /// Whether it is left, and nothing of ours is in it any more.
    pub(super) fn is_released(&self) -> bool {
        self.tenure == Tenure::Left && self.record.is_empty()
    }

    /// What status shows of the registry.
    pub(super) fn shown(&self) -> RegistryStatus {
        let tells = self.verdict.state != TargetState::Ready;
        let differences = self.differences.iter().take(SHOWN);
        let differences = differences.map(|it| ShownDifference {
            field: it.field.to_owned(),
            observed: condition::shortened(&it.observed),
            desired: condition::shortened(&it.desired),
        });
        RegistryStatus {
            region: self.name.region.to_string(),
            uri: self.name.host(),
            state: self.verdict.state,
            reason: tells.then_some(self.verdict.reason),
            message: tells.then(|| self.verdict.message.clone()),
            differences: differences.collect(),
            also_replicated: self.also_replicated.clone(),
            record: record::shown(&self.record),
        }
    }

    /// Whether it counts for the environment: a registry that is left does while it fails.
    pub(super) fn counts(&self) -> bool {
        match self.tenure {
            Tenure::Own => true,
            Tenure::Left => self.verdict.state != TargetState::Ready,
            Tenure::Anothers => false,
        }
    }
}

fn also_replicated(found: &Found) -> Vec<String> {
    let snapshot = found.registry.snapshot().unwrap_or_default();
    let names = registry::also_replicated(&found.desired.replication, snapshot.keys());
    let names = names.into_iter().map(RepositoryName::to_string);
    names.take(SHOWN).collect()
}

/// Those that asked for replication say whether they have it.
fn wake(cx: &Context, desired: &Desired) {
    for owner in desired.replication.wanted.values() {
        if let Some((namespace, name)) = owner.object.split_once('/') {
            cx.wakes.wake(Key {
                kind: Kind::Repository,
                namespace: Some(namespace.to_owned()),
                name: name.to_owned(),
            });
        }
    }
}

/// Asks the environment of this object to look at its registries again.
pub(in crate::controllers) fn ask(cx: &Context, environment: &str) {
    cx.wakes.wake(Key {
        kind: Kind::Environment,
        namespace: None,
        name: environment.to_owned(),
    });
}

/// Reads again what was read of a registry before, and wakes the environment where it has changed.
pub(in crate::controllers) async fn sweep(
    cx: &Context,
    (environment, registry): (&EnvironmentName, &Registry),
    documents: Duration,
) {
    let drift = async {
        let handle = cx.registry(environment, registry).await?;
        let handle = handle.at(Priority::Sweep);
        let drift = handle.refresh_settings(documents).await;
        drift.map_err(Stop::Failed)
    };
    match drift.await {
        Ok(Drift::None) | Err(Stop::Stopped(_)) => {}
        Ok(Drift::Some) => ask(cx, environment.as_str()),
        Err(error) => warn!(%registry, %error, "the registry's own settings were not compared"),
    }
}
