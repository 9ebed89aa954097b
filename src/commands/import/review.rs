//! What is imported. Objects are made from what was found, and then each is put to the plan that
//! the controllers would carry out: one that would change more than owner tags is only observed, or
//! left out.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt;

use super::cache::{self, Rule};
use super::candidate::{self, Candidate};
use super::found::Found;
use super::lifecycle::Lifecycles;
use super::manifest::Imported;
use super::registry;
use crate::api::{ImageRepository, ManagementPolicy};
use crate::commands::rules;
use crate::controllers::outcome;
use crate::desired::{self, Environment, Objects, World};
use crate::domain::RepositoryName;
use crate::domain::names::ClusterId;
use crate::domain::repository::{Change, plan};

/// What is to be imported, and how.
pub(super) struct Ask<'a> {
    /// What the cluster calls itself in owner tags.
    pub(super) cluster: &'a ClusterId,
    /// Whose account it is.
    pub(super) environment: &'a Environment,
    /// The namespace of all repositories; `None`: by their names.
    pub(super) namespace: Option<&'a str>,
    /// Whether to manage what is imported.
    pub(super) management: ManagementPolicy,
}

impl Ask<'_> {
    /// What to say of an object that was there already.
    pub(super) fn added(&self, is_there: bool) -> Option<String> {
        is_there.then(|| format!("there already; {} is added to it", self.environment.name))
    }
}

/// The manifests for what was `found`, beside the `objects` that there are.
pub(super) fn import(ask: &Ask<'_>, objects: Objects, found: &Found) -> Imported {
    let mut imported = Imported::default();
    let mut lifecycles = Lifecycles::of(&objects.lifecycles);
    let before = World::new(ask.cluster.clone(), objects.clone());
    let rules = cache::rules(ask, &before, found, (&mut lifecycles, &mut imported));
    let candidates = candidate::all(ask, &before, found, (&mut lifecycles, &mut imported));
    let world = with(ask, objects, &lifecycles, (&candidates, &rules));
    for rule in rules {
        let name = rule.object.name_any();
        match rule.settle(ask, found, &world) {
            Ok(rule) => imported.rules.push(rule),
            Err(why) => imported.leave_out(format!("PullThroughRule {name}"), why),
        }
    }
    cache::leave_templates_out(found, &mut imported);
    for candidate in candidates {
        settle(candidate, ask, found, (&world, &mut imported));
    }
    registry::add(ask, found, &world, &mut imported);
    let of_repositories = imported.repositories.iter().flat_map(|(it, _)| {
        let overrides = it.spec.overrides.iter();
        let refs = overrides.filter_map(|it| it.lifecycle_policy_ref.as_ref());
        refs.chain(&it.spec.lifecycle_policy_ref)
    });
    let of_rules = imported.rules.iter();
    let of_rules = of_rules.filter_map(|(it, _)| it.spec.repository_template.as_ref());
    let of_rules = of_rules.filter_map(|it| it.lifecycle_policy_ref.as_ref());
    let used = of_repositories.chain(of_rules);
    let used: BTreeSet<&str> = used.map(|it| it.name.as_str()).collect();
    let made = lifecycles.made.into_iter();
    imported.lifecycles = made
        .filter(|it| used.contains(it.name_any().as_str()))
        .collect();
    imported
}

/// The world with everything in it that is to be written.
fn with(
    ask: &Ask<'_>,
    mut objects: Objects,
    lifecycles: &Lifecycles,
    (candidates, rules): (&[Candidate], &[Rule]),
) -> World {
    let made = lifecycles.made.iter().cloned().map(Arc::new);
    objects.lifecycles.extend(made);
    let key = |it: &ImageRepository| (it.namespace(), it.name_any());
    let replaced: BTreeSet<_> = candidates.iter().map(|it| key(&it.object)).collect();
    objects
        .repositories
        .retain(|it| !replaced.contains(&key(it)));
    let written = candidates.iter().map(|it| Arc::new(it.object.clone()));
    objects.repositories.extend(written);
    let replaced: BTreeSet<_> = rules.iter().map(|it| it.object.name_any()).collect();
    objects
        .rules
        .retain(|it| !replaced.contains(&it.name_any()));
    let written = rules.iter().map(|it| Arc::new(it.object.clone()));
    objects.rules.extend(written);
    rules::name_namespaces(&mut objects);
    World::new(ask.cluster.clone(), objects)
}

/// Writes the object if it changes owner tags alone; observes if it would change more.
fn settle(
    candidate: Candidate,
    ask: &Ask<'_>,
    found: &Found,
    (world, imported): (&World, &mut Imported),
) {
    let Candidate {
        mut object,
        mut remarks,
        name,
        is_there,
    } = candidate;
    let would = match would_change(&object, ask, found, (world, &name)) {
        Ok(would) => would,
        Err(why) => return imported.leave_out(format!("repository {name}"), why),
    };
    if !would.is_empty() && is_there {
        let why = format!("it would change {}", would.join("; "));
        return imported.leave_out(format!("repository {name}"), why);
    }
    if !would.is_empty() {
        object.spec.management_policy = ManagementPolicy::Observe;
        let would = would
            .iter()
            .map(|it| format!("only observed: would change {it}"));
        remarks.extend(would);
    }
    imported.repositories.push((object, remarks));
}

/// What of the repository would be changed besides its owner tags.
fn would_change(
    object: &ImageRepository,
    ask: &Ask<'_>,
    found: &Found,
    (world, name): (&World, &RepositoryName),
) -> Result<Vec<String>, String> {
    let here = ask.environment.name.as_str();
    let of_here = |it: &Result<desired::Target, desired::Stopped>| match it {
        Ok(it) => it.environment.as_str() == here,
        Err(it) => it.concerns(here),
    };
    let target = desired::repository(object, world).into_iter().find(of_here);
    let target = target.ok_or("it is not asked for")?;
    let target = target.map_err(|it| it.to_string())?;
    let observed = &found.repositories[name];
    let plan = plan(&target.desired, Some(observed));
    if let Some(refusal) = plan.refusals.first() {
        return Err(outcome::of_refusal(refusal).1);
    }
    let other = plan.differences.iter().filter(|it| it.field != "owner");
    let other = other.map(|it| format!("{}: {} -> {}", it.field, it.observed, it.desired));
    let other: Vec<String> = other.collect();
    let tags_alone = |it: &Change| matches!(it, Change::TagResource(_) | Change::UntagResource(_));
    debug_assert!(!other.is_empty() || plan.changes.iter().all(tags_alone));
    Ok(other)
}
