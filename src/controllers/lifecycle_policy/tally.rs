//! What each lifecycle policy comes to in all repositories together, added up from the status of
//! their objects, and in caches from that of their rules. Counts stand on the object that they count; a policy shows totals and the worst.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use kube::ResourceExt;
use kube::runtime::reflector::Store;
use tokio::time::sleep;

use super::approvals;
use crate::api::image_repository::LifecycleRecord;
use crate::api::lifecycle_policy::WorstRepository;
use crate::api::{ImageRepository, PullThroughRule};
use crate::controllers::Context;
use crate::controllers::wakes::{Key, Kind, Wakes};

/// How often it is added up: nothing is read for it but our own memory.
const PERIOD: Duration = Duration::from_secs(2);
/// The repositories that a policy names.
const WORST: usize = 10;

/// One policy's totals.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    /// Images that would expire.
    pub expiring: i64,
    /// Images that would be archived.
    pub transitioning: i64,
    /// Places where it waits for a person.
    pub held: i64,
    /// Places where it would take an image in use.
    pub in_use: i64,
    /// Where it would expire most.
    pub worst: Vec<WorstRepository>,
}

/// The totals by name of policy.
pub type Tallies = BTreeMap<String, Tally>;

/// Keeps the totals, and wakes the policies whose totals have changed. Never returns.
pub async fn follow(
    cx: Arc<Context>,
    repositories: Store<ImageRepository>,
    rules: Store<PullThroughRule>,
) {
    loop {
        let (objects, of_caches) = (repositories.state(), rules.state());
        let asks = approvals::asks(&objects, &cx.findings);
        let world = cx.world.load_full();
        let news = cx.approvals.update(&world, asks);
        drop(world);
        for policy in news.in_force {
            wake_all(&cx.wakes, &policy, &objects, &of_caches);
        }
        let now = Arc::new(tallies(&objects, &of_caches));
        let before = cx.tallies.swap(Some(Arc::clone(&now)));
        let differing = differing(before.as_deref(), &now);
        for policy in differing.union(&news.offered).cloned() {
            cx.wakes.wake(Key {
                kind: Kind::Lifecycle,
                namespace: None,
                name: policy,
            });
        }
        let sum = |of: fn(&Tally) -> i64| now.values().map(of).sum();
        cx.meters.lifecycle.held.set(sum(|it| it.held));
        cx.meters.lifecycle.in_use.set(sum(|it| it.in_use));
        sleep(PERIOD).await;
    }
}

/// Wakes everything that a policy applies to.
fn wake_all(
    wakes: &Wakes,
    policy: &str,
    objects: &[Arc<ImageRepository>],
    rules: &[Arc<PullThroughRule>],
) {
    let names = |found: &LifecycleRecord| found.policy == policy;
    let asks = |object: &&Arc<ImageRepository>| {
        let targets = object.status.iter().flat_map(|it| &it.targets);
        let mut records = targets.filter_map(|it| it.record.as_ref()?.lifecycle.as_ref());
        records.any(names)
    };
    for object in objects.iter().filter(asks) {
        wakes.wake(Key::of(Kind::Repository, &**object));
    }
    for rule in rules.iter().filter(|it| policy_of(it) == Some(policy)) {
        wakes.wake(Key::of(Kind::Rule, &**rule));
    }
}

/// The lifecycle policy of what a cache makes.
fn policy_of(rule: &PullThroughRule) -> Option<&str> {
    let template = rule.spec.repository_template.as_ref()?;
    let policy = template.lifecycle_policy_ref.as_ref()?;
    Some(&policy.name)
}

fn differing(before: Option<&Tallies>, now: &Tallies) -> BTreeSet<String> {
    let policies = before.into_iter().flatten().chain(now);
    let policies = policies.map(|(policy, _)| policy);
    policies
        .filter(|it| before.and_then(|before| before.get(*it)) != now.get(*it))
        .cloned()
        .collect()
}

/// Adds up what the status of `objects` says.
pub(super) fn tallies(objects: &[Arc<ImageRepository>], rules: &[Arc<PullThroughRule>]) -> Tallies {
    let mut tallies = of_caches(rules);
    for object in objects {
        let repository = format!(
            "{}/{}",
            object.namespace().unwrap_or_default(),
            object.name_any()
        );
        for target in object.status.iter().flat_map(|it| &it.targets) {
            let Some(found) = target.record.as_ref().and_then(|it| it.lifecycle.as_ref()) else {
                continue;
            };
            let tally = tallies.entry(found.policy.clone()).or_default();
            tally.expiring += found.expiring;
            tally.transitioning += found.transitioning;
            tally.held += i64::from(found.held);
            tally.in_use += i64::from(found.in_use.is_some());
            if found.expiring > 0 {
                tally.worst.push(WorstRepository {
                    repository: repository.clone(),
                    environment: target.environment.clone(),
                    expiring: found.expiring,
                    images: found.images,
                });
            }
        }
    }
    for tally in tallies.values_mut() {
        tally.worst.sort_by_cached_key(|it| {
            (
                Reverse(it.expiring),
                it.repository.clone(),
                it.environment.clone(),
            )
        });
        tally.worst.truncate(WORST);
    }
    tallies
}

/// Where policies wait in what caches had made already: of a cache only the number is known.
fn of_caches(rules: &[Arc<PullThroughRule>]) -> Tallies {
    let mut tallies = Tallies::new();
    for rule in rules {
        let Some(policy) = policy_of(rule) else {
            continue;
        };
        let targets = rule.status.iter().flat_map(|it| &it.targets);
        let records = targets.filter_map(|it| it.record.as_ref()?.retrofit.as_ref());
        for found in records.filter(|it| it.held > 0) {
            let tally = tallies.entry(policy.to_owned()).or_default();
            tally.held += i64::from(found.held);
            tally.in_use += i64::from(found.in_use);
        }
    }
    tallies
}
