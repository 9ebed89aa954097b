//! What would change in what a registry has only one of: replication, scanning, signing, policy,
//! account settings and exclusions; also what would be taken out, being recorded as ours and no longer
//! asked for.

use std::sync::Arc;

use kube::ResourceExt;

use super::asked::Asked;
use super::release;
use super::report::{Kind, Refused, Row};
use crate::api::EnvironmentAccount;
use crate::controllers::outcome;
use crate::desired::{self, Environment, LeftRegistry, Stopped, World};
use crate::domain::Registry;
use crate::domain::names::EnvironmentName;
use crate::domain::registry::{self, Change, Desired, Record};
use crate::ecr::{self, Seen};

/// Our part of one registry, and what status says of it: nothing, for an object of a file.
pub(super) struct Settings {
    environment: EnvironmentName,
    pub(super) registry: Registry,
    desired: Desired,
    record: Record,
}

/// Adds what the environments of `world` ask of their registries. Where nothing is asked and nothing
/// recorded, no registry is read for it.
pub(super) fn ask(asked: &mut Asked, world: &World) {
    for object in world.environments() {
        if release::is_deleted(&**object) {
            release::ask_of_environment(asked, object, world);
            continue;
        }
        let Ok(environment) = desired::environment(object, world) else {
            continue;
        };
        let all = Settings::of(object, &environment, world);
        let concern = |it: &Result<Settings, Stopped>| it.as_ref().map_or(true, Settings::concern);
        let all: Vec<_> = all.into_iter().filter(concern).collect();
        if all.is_empty() || !asked.looks_at(environment.name.as_str()) {
            continue;
        }
        let at = asked.object(Kind::EnvironmentAccount, object.name_any());
        for settings in all {
            let target = settings.map(|it| (it.environment.clone(), it.registry.clone(), it));
            if let Some((wanted, settings)) = asked.target(at, target, world) {
                wanted.settings = Some((at, settings));
            }
        }
    }
}

impl Settings {
    fn of(
        object: &EnvironmentAccount,
        environment: &Environment,
        world: &World,
    ) -> Vec<Result<Self, Stopped>> {
        let settings = |place: &Registry, desired| Self {
            environment: environment.name.clone(),
            registry: place.clone(),
            desired,
            record: desired::recorded(object, place),
        };
        let own = environment.registries.iter().map(|it| {
            let desired = desired::registry(object, environment, it, world);
            desired.map(|desired| settings(it, desired))
        });
        let left = desired::left(object, environment, world).filter_map(|it| match it {
            LeftRegistry::Nobodys(it) => {
                Some(Ok(settings(&it, Desired::nothing(environment.management))))
            }
            LeftRegistry::Anothers(..) => None, // nothing would be done
        });
        own.chain(left).collect()
    }

    /// Whether we have, or had, a part in anything.
    fn concern(&self) -> bool {
        !self.desired.parts(&self.record).is_empty()
    }

    /// Whether what repositories there are bears on it: none of another owner is replicated.
    pub(super) fn needs_list(&self) -> bool {
        !self.desired.replication.wanted.is_empty()
    }

    /// What the plan comes to, made from a read.
    pub(super) async fn look(&self, handle: &ecr::Registry) -> Row {
        let mut desired = self.desired.clone();
        desired.replication.of_ours(|it| match handle.seen(it) {
            Seen::Present(observed) => Some(Arc::unwrap_or_clone(observed)),
            Seen::Absent | Seen::Unknown => None,
        });
        match handle.settings(&desired.parts(&self.record)).await {
            Ok(observed) => self.row(registry::plan(&desired, &self.record, &observed)),
            Err(error) => Row::unread((&self.environment, &self.registry), &error),
        }
    }

    fn row(&self, plan: registry::Plan) -> Row {
        let registry::Plan {
            changes,
            refusals,
            differences,
            intent: _,
            record: _,
        } = plan;
        let refused = refusals.iter().map(|it| Refused {
            field: None,
            reason: outcome::of_setting_refusal(it),
            message: it.to_string(),
            counts: None,
        });
        let refused: Vec<Refused> = refused.collect();
        Row {
            environment: self.environment.to_string(),
            registry: Some(self.registry.clone()),
            outcome: super::report::outcome(
                (false, !changes.is_empty(), !refused.is_empty()),
                (self.desired.management, &differences),
            ),
            calls: changes.iter().map(Change::operation).collect(),
            made: Vec::new(),
            differences,
            refused,
            previewed: Vec::new(),
        }
    }
}
