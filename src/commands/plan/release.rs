//! What becomes of repositories whose object is deleted, or no longer names their environment; and of
//! environments that are deleted. As in the controllers, only what status recorded is let go of.

use jiff::Timestamp;
use kube::ResourceExt;

use super::asked::Asked;
use super::report::{Kind, Outcome, Refused, Row};
use crate::api::conditions::Reason;
use crate::api::{EnvironmentAccount, ImageRepository, ORPHAN};
use crate::controllers::image_repository::{LeftTarget, place_of_arn};
use crate::controllers::ledger::Ledger;
use crate::controllers::{environment_account, finalizer};
use crate::desired::{self, Extent, Stopped, Target, World};
use crate::domain::names::EnvironmentName;
use crate::domain::repository::{Change, Deletion, Difference, Released, plan_deletion};
use crate::domain::{Registry, RepositoryName};
use crate::ecr;

/// A repository to let go of.
pub(super) struct Release {
    environment: EnvironmentName,
    name: RepositoryName,
    deletion: Deletion,
}

/// Adds what the object has recorded of targets that are no longer `wanted`.
pub(super) fn ask(
    asked: &mut Asked,
    (at, object): (usize, &ImageRepository),
    wanted: &[Result<Target, Stopped>],
    world: &World,
) {
    let recorded = object.status.as_ref().map(|it| it.targets.as_slice());
    let ledger = Ledger::of_targets(recorded.unwrap_or_default());
    let is_left_alone = is_deleted(object)
        && (object.annotations().contains_key(ORPHAN) || !finalizer::is_on(object));
    let extents: Vec<Extent> = wanted.iter().map(Extent::of).collect();
    let left = LeftTarget::of(ledger.left(&extents), wanted).into_iter();
    let left = left.filter(|it| !it.is_taken_over && !is_left_alone);
    for LeftTarget { row: it, .. } in left {
        let place = it.arn.as_deref().and_then(place_of_arn);
        let (Some((registry, name)), Ok(environment)) = (place, it.environment.parse()) else {
            continue; // which the controller waits with for a person
        };
        let reached_by = world.registries().get(&registry).cloned();
        let environment = reached_by.unwrap_or(environment);
        let usable = usable(&environment, world);
        let release = Release {
            deletion: desired::deletion(object, &environment, world, Timestamp::now()),
            environment: environment.clone(),
            name,
        };
        let target = usable.map(|()| (environment, registry, release));
        if let Some((wanted, release)) = asked.target(at, target, world) {
            wanted.released.push((at, release));
        }
    }
}

/// Whether the object is on its way out.
pub(super) fn is_deleted<K: kube::Resource>(object: &K) -> bool {
    object.meta().deletion_timestamp.is_some()
}

/// Nobody reaches a registry whose environment is gone or suspended.
fn usable(name: &EnvironmentName, world: &World) -> Result<(), Stopped> {
    let stopped = match world.environment(name.as_str()) {
        Some(object) => match desired::environment(object, world) {
            Ok(_) => return Ok(()),
            Err(stopped) => stopped,
        },
        None => Stopped {
            environment: None,
            region: None,
            reason: Reason::EnvironmentNotFound,
            field: "spec.environments".to_owned(),
            message: format!("there is no EnvironmentAccount {name}: create it"),
        },
    };
    Err(Stopped {
        environment: Some(name.to_string()),
        ..stopped
    })
}

/// Adds an environment that is deleted: it stays as long as a repository was made through it, and what
/// its registries have only one of stays as it is.
pub(super) fn ask_of_environment(asked: &mut Asked, object: &EnvironmentAccount, world: &World) {
    let name = object.name_any();
    if !asked.looks_at(&name) {
        return;
    }
    let repositories = world.repositories().map(|it| &**it);
    let holding = environment_account::holding(object, repositories);
    let at = asked.object(Kind::EnvironmentAccount, name.clone());
    let refused = holding.map(|message| Refused {
        field: None,
        reason: Reason::Deleting,
        message,
        counts: None,
    });
    let outcome = match refused {
        Some(_) => Outcome::Refused,
        None => Outcome::InStep,
    };
    asked.objects[at].rows.push(Row {
        environment: name,
        outcome,
        refused: refused.into_iter().collect(),
        ..Row::in_step()
    });
}

impl Release {
    /// What becomes of it, made from a read of its own as the controller's.
    pub(super) async fn look(&self, handle: &ecr::Registry) -> Row {
        match self.decide(handle).await {
            Ok(released) => self.row(handle.name(), released),
            Err(error) => Row::unread((&self.environment, handle.name()), &error),
        }
    }

    async fn decide(&self, handle: &ecr::Registry) -> Result<Released, ecr::Error> {
        let observed = handle.observe(&self.name).await?;
        let released = plan_deletion(&self.deletion, observed.as_ref(), None);
        if released != Released::AskContents {
            return Ok(released);
        }
        let contents = handle.contents(&self.name).await?;
        let observed = observed.as_ref();
        Ok(plan_deletion(&self.deletion, observed, Some(contents)))
    }

    fn row(&self, registry: &Registry, released: Released) -> Row {
        let row = Row {
            environment: self.environment.to_string(),
            registry: Some(registry.clone()),
            ..Row::in_step()
        };
        let changed = |changes: &[Change], field, observed: String, desired: String| Row {
            outcome: Outcome::Change,
            calls: changes.iter().map(Change::operation).collect(),
            differences: vec![Difference {
                field,
                observed,
                desired,
            }],
            ..row.clone()
        };
        match released {
            Released::LeftAlone(_) | Released::Condemned(None, _) | Released::AskContents => row,
            Released::Kept(changes, why) => {
                let owner = self.deletion.owner.object.clone();
                changed(&changes, "owner", owner, format!("nobody: {why}"))
            }
            Released::Condemned(Some(change), due) => {
                let end = format!("deleted after {due}, once nobody uses it");
                changed(&[change], "repository", "it holds images".to_owned(), end)
            }
            Released::Deleted(change) => Row {
                outcome: Outcome::Delete,
                made: vec![format!("repository {}, which is empty", self.name)],
                calls: vec![change.operation()],
                ..row
            },
        }
    }
}
