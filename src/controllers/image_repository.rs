//! `ImageRepository`: the same repository in every environment it names. The order of things is the
//! crash safety: targets stand in status before anything is made, the owner tags come with the
//! creation, and whatever is left of a target that is no longer wanted is read from that record.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use jiff::Timestamp;
use kube::{Api, Client, ResourceExt};
use tracing::{info, warn};

use super::driver::{Done, Reconcile};
use super::outcome::Retry;
use super::{Context, Stop, environment_account, ledger, live};
use crate::api::ImageRepository;
use crate::api::image_repository::ImageRepositoryStatus;
use crate::api::targets::TargetKey;
use crate::desired::{self, Extent, Stopped, Subject, Target, World};
use crate::domain::RepositoryName;
use crate::domain::lifecycle::safety::Counts;
use crate::domain::origin::Maker;
use crate::domain::repository::{self, Change, Difference, Held, Observed, Plan, Refusal};
use crate::ecr::{self, ErrorKind, Priority, Seen};

pub(super) mod guard;
mod record;
mod release;
mod replica;
mod status;

pub(crate) use release::{LeftTarget, place_of_arn};
pub(super) use replica::known as unreplicated;
pub(super) use status::shows;

/// How one target ended.
type End = ledger::End<Result<Settled, Stop>>;

/// What one reconciliation came to.
struct Results {
    /// What became of all that is asked for.
    ends: Vec<End>,
    /// What became of all that no longer is.
    releases: BTreeMap<TargetKey, Release>,
    /// What other objects have to do with it.
    others: Others,
}

/// What was done to a target, and what is left to say about it.
pub(super) struct Settled {
    target: Target,
    done: Vec<Change>,
    held: Vec<Held>,
    /// How much the lifecycle policy would take, if it was looked at.
    counts: Option<Counts>,
    refusals: Vec<Refusal>,
    differences: Vec<Difference>,
    /// Why its images are not replicated though they should be.
    unreplicated: Option<replica::Unreplicated>,
    /// It had been made before, was gone, and was made again: it is empty now.
    made_again: bool,
}

/// What other objects have to do with it.
struct Others {
    /// Why claims of the object on old names are not in force.
    contested: Vec<Stopped>,
    /// The younger cache that it stops.
    stops: Option<String>,
}

/// How letting go of one target ended.
enum Release {
    /// Nothing of ours is left there.
    Done(String),
    /// Not yet; the sentence says why.
    NotYet(String, Retry),
}

impl Reconcile for ImageRepository {
    type Status = ImageRepositoryStatus;

    fn api(&self, client: &Client) -> Api<Self> {
        Api::namespaced(client.clone(), &self.namespace().unwrap_or_default())
    }

    fn status(&self) -> Option<&ImageRepositoryStatus> {
        self.status.as_ref()
    }

    async fn reconcile(&self, cx: &Context) -> Done<ImageRepositoryStatus> {
        if self.metadata.deletion_timestamp.is_some() {
            let done = release::deleted(self, cx).await;
            return done.of(self.resource_version());
        }
        let (targets, others) = wanted(self, &cx.world.load_full());
        let before = match record::before(self, cx, &targets).await {
            Ok(before) => before,
            Err(error) => {
                warn!(%error, "targets could not be recorded, so nothing was made");
                return Done::nothing(Retry::BackingOff);
            }
        };
        let asked: Vec<Extent> = targets.iter().map(Extent::of).collect();
        let left = LeftTarget::of(before.ledger.left(&asked), &targets);
        let (ends, releases) = tokio::join!(
            join_all(targets.into_iter().map(|it| settle_target(self, cx, it))),
            join_all(left.into_iter().map(|it| it.release(self, cx))),
        );
        let results = Results {
            ends,
            releases: releases.into_iter().collect(),
            others,
        };
        let done = status::done(self, before.ledger, results, Timestamp::now());
        done.of(before.version)
    }
}

/// What the object asks for, and what other objects have to do with it. Both at once, so that
/// nobody holds the world while calls wait for their turn: hundreds of them would keep as many of its
/// versions in memory.
fn wanted(object: &ImageRepository, world: &World) -> (Vec<Result<Target, Stopped>>, Others) {
    let others = Others {
        contested: contested(object, world),
        stops: desired::stopped_by_repository(object, world),
    };
    (desired::repository(object, world), others)
}

/// Why claims of this object on old names are not in force.
fn contested(object: &ImageRepository, world: &World) -> Vec<Stopped> {
    let name = format!(
        "{}/{}",
        object.namespace().unwrap_or_default(),
        object.name_any()
    );
    let ours = Subject::Repository(name);
    let stopped = world
        .compiled()
        .stopped
        .iter()
        .filter(|(subject, _)| *subject == ours);
    stopped.map(|(_, stopped)| stopped.clone()).collect()
}

async fn settle_target(
    object: &ImageRepository,
    cx: &Context,
    target: Result<Target, Stopped>,
) -> End {
    End {
        extent: Extent::of(&target),
        result: match target {
            Ok(target) => settle(object, cx, target).await,
            Err(stopped) => Err(Stop::Stopped(stopped)),
        },
    }
}

/// Brings one repository to what is desired of it. A plan made from the registry's list is made
/// again from one targeted read before it changes anything, since lists lag behind, and the API server
/// is asked whether the object still says so, since watches do; a creation needs neither, because ECR
/// itself refuses a second repository of the name.
async fn settle(
    object: &ImageRepository,
    cx: &Context,
    mut target: Target,
) -> Result<Settled, Stop> {
    let registry = cx.registry(&target.environment, &target.registry).await?;
    let registry = registry.at(priority(object, &target));
    let arn = target.arn();
    cx.approvals.grant(&arn, &mut target.desired);
    let mut settled = settle_in(cx, &registry, object, target).await?;
    if settled.refusals.is_empty() {
        let missing = replica::missing(&registry, &settled.target).await;
        settled.unreplicated = missing.map_err(Stop::Failed)?;
    }
    if let Some(replica::Unreplicated::To(_)) = settled.unreplicated {
        environment_account::ask(cx, settled.target.environment.as_str());
    }
    Ok(settled)
}

async fn settle_in(
    cx: &Context,
    registry: &ecr::Registry,
    object: &ImageRepository,
    mut target: Target,
) -> Result<Settled, Stop> {
    let known = known(object, registry, &target).await;
    let known = known.map_err(Stop::Failed)?;
    let looked = guard::look_again(cx, registry, (object, &mut target), known.as_ref()).await?;
    let name = &target.desired.name;
    let mut plan = repository::plan(&target.desired, known.as_ref());
    let _turn = turn(registry, name, &plan).await;
    if (!plan.changes.is_empty() || !plan.held.is_empty()) && known.is_some() {
        live::confirm(cx, object).await?;
        plan = anew(registry, &target).await?;
    }
    let repairs = repairs(object, &target, known.as_ref());
    if repairs {
        plan = uncontested(registry, name, plan);
    }
    match apply(registry, name, &plan.changes).await {
        // The list was older than the repository, or it is our own whose reply was lost.
        Err(error) if error.kind == ErrorKind::AlreadyExists => {
            plan = anew(registry, &target).await?;
            apply(registry, name, &plan.changes).await
        }
        result => result,
    }
    .map_err(Stop::Failed)?;
    // Last, since what is held blocks nothing else.
    let done = plan.changes.len();
    let (mut plan, counts) = judged(cx, registry, (object, &target), plan).await?;
    if repairs {
        plan = uncontested(registry, name, plan);
    }
    if let Some(released @ [_, ..]) = plan.changes.get(done..) {
        live::confirm(cx, object).await?; // a preview takes its time
        let applied = apply(registry, name, released).await;
        applied.map_err(Stop::Failed)?;
    }
    let Plan {
        changes,
        held,
        refusals,
        mut differences,
    } = plan;
    for change in changes.iter().filter(|_| repairs) {
        registry.repaired(name, change);
    }
    if refusals.is_empty() && !changes.is_empty() {
        // The changes have closed all others.
        differences.retain(|it| held.iter().any(|held| held.field == it.field));
    }
    let made = changes
        .iter()
        .any(|it| matches!(it, Change::CreateRepository(_)));
    let made_again = made && record::was_ready(object, &target);
    Ok(Settled {
        target,
        done: changes,
        held,
        counts: counts.or(looked),
        refusals,
        differences,
        unreplicated: None,
        made_again,
    })
}

/// Nobody else writes to the repository while the plan is made again and carried out; in particular
/// no tombstone ends it.
async fn turn(registry: &ecr::Registry, name: &RepositoryName, plan: &Plan) -> Option<ecr::Turn> {
    match plan.changes.is_empty() && plan.held.is_empty() {
        true => None,
        false => Some(registry.turn(name).await),
    }
}

/// The plan with its lifecycle policy released or held for good, and how much it would take.
async fn judged(
    cx: &Context,
    registry: &ecr::Registry,
    (object, target): (&ImageRepository, &Target),
    plan: Plan,
) -> Result<(Plan, Option<Counts>), Stop> {
    let usage = cx.usage.load_full();
    let used = usage.map(|it| guard::used(&it, object, target));
    let judged = guard::judged(registry, &target.desired, used.as_ref(), plan).await;
    judged.map_err(Stop::Failed)
}

/// The plan from one targeted read. Pods pull an upstream's images from what a cache has made, so that
/// is never taken over; whether one may have made it is asked of ECR, where a cache needs no object.
async fn anew(registry: &ecr::Registry, target: &Target) -> Result<Plan, Stop> {
    let desired = &target.desired;
    let observed = registry.observe(&desired.name).await;
    let observed = observed.map_err(Stop::Failed)?;
    let plan = repository::plan(desired, observed.as_ref());
    let Some(observed) = observed.filter(|it| desired.adopts(it)) else {
        return Ok(plan);
    };
    let rules = registry.rules().await.map_err(Stop::Failed)?;
    match Maker::of(&desired.name, &rules, &BTreeMap::new()) {
        Some(maker) if maker.may_have_made(&observed) => Ok(plan.refused(Refusal::MayBeCached {
            prefix: maker.prefix,
            mark: desired.owner.mark_of_release(),
        })),
        Some(_) | None => Ok(plan),
    }
}

/// What is known of the repository, from the registry's list or from a read since; read by itself
/// where an edit would wait for the first list, and read anew where this object manages its
/// documents, nobody has read them, and status does not say that these very documents were put.
async fn known(
    object: &ImageRepository,
    registry: &ecr::Registry,
    target: &Target,
) -> Result<Option<Observed>, ecr::Error> {
    let name = &target.desired.name;
    if registry.seen(name) == Seen::Unknown {
        if priority(object, target) == Priority::Edit && registry.may_read_ahead() {
            return registry.observe(name).await;
        }
        registry.at(Priority::Sweep).listed().await?;
    }
    match registry.seen(name) {
        Seen::Unknown | Seen::Absent => Ok(None),
        Seen::Present(observed) => {
            if target.desired.needs_reading(&observed) && !record::was_put(object, target) {
                return registry.observe(name).await;
            }
            Ok(Some(Arc::unwrap_or_clone(observed)))
        }
    }
}

/// Whether what is to be done undoes what somebody else did: nobody edited the object, and the
/// repository is there, or was.
fn repairs(object: &ImageRepository, target: &Target, known: Option<&Observed>) -> bool {
    priority(object, target) != Priority::Edit
        && (known.is_some() || record::was_ready(object, target))
}

/// The plan without the repairs that were made again and again and undone each time; these are
/// refused until the hour is over or a person edits the object.
fn uncontested(registry: &ecr::Registry, name: &RepositoryName, mut plan: Plan) -> Plan {
    let contested = |it: &Change| registry.is_contested(name, it);
    let (contested, changes): (Vec<_>, Vec<_>) = plan.changes.drain(..).partition(contested);
    // What comes after a creation needs it.
    let no_creation = contested
        .iter()
        .any(|it| matches!(it, Change::CreateRepository(_)));
    plan.changes = if no_creation { Vec::new() } else { changes };
    let refusals = contested.iter().map(Change::operation);
    plan.refusals.extend(refusals.map(Refusal::Contested));
    plan
}

async fn apply(
    registry: &ecr::Registry,
    name: &RepositoryName,
    changes: &[Change],
) -> Result<(), ecr::Error> {
    for change in changes {
        registry.apply(name, change).await?;
        info!(registry = %registry.name(), repository = %name, change = change.operation(), "applied");
    }
    Ok(())
}

/// An edit that a person waits for goes before what should exist and does not, and that before what
/// somebody else has changed.
fn priority(object: &ImageRepository, target: &Target) -> Priority {
    let seen = object.status.as_ref().and_then(|it| it.observed_generation);
    if seen.is_some() && seen != object.metadata.generation {
        Priority::Edit
    } else if record::was_ready(object, target) {
        Priority::Repair
    } else {
        Priority::Create
    }
}

#[cfg(test)]
mod tests;
