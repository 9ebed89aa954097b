//! The cache rules of one registry, with their templates, the repositories that the caches have
//! made, and what pods use of them: one list of rules and of templates for all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tracing::warn;

use super::super::wakes::{Key, Kind};
use super::super::{Context, pull_through_rule};
use super::Periods;
use crate::api::PullThroughRule;
use crate::api::pull_through_rule::RuleRecord;
use crate::desired::{self, CacheTarget, Placed};
use crate::domain::pull_through::{Observed, Prefix};
use crate::domain::repository::{Management, Setting};
use crate::domain::retrofit::Standing;
use crate::domain::{RepositoryName, prewarm, pull_through, retrofit, template};
use crate::ecr::{self, Snapshot, Validation};

/// One rule of one registry, as its object wants it.
pub(super) type Wanted = (Arc<PullThroughRule>, CacheTarget);

/// The objects whose rule, template or cache is not as it should be, or not as their status says.
pub(super) async fn differing(
    cx: &Context,
    handle: &ecr::Registry,
    (wanted, periods): (&[Wanted], Periods),
) -> Vec<Key> {
    if wanted.is_empty() {
        return Vec::new();
    }
    match compare(cx, handle, (wanted, periods)).await {
        Ok(differing) => differing,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            warn!(error, "cache rules not compared");
            Vec::new()
        }
    }
}

async fn compare(
    cx: &Context,
    handle: &ecr::Registry,
    (wanted, periods): (&[Wanted], Periods),
) -> Result<Vec<Key>, ecr::Error> {
    let rules = handle.rules().await?;
    let manages_template = |(_, it): &Wanted| it.template.settings != Setting::Unmanaged;
    let templates = if wanted.iter().any(manages_template) {
        handle.templates().await?
    } else {
        BTreeMap::new()
    };
    let mut differing = Vec::new();
    for (at, (object, target)) in wanted.iter().enumerate() {
        let rule = pull_through::plan(&target.desired, &rules);
        let template = template::plan(&target.template, &templates);
        let differs = !rule.changes.is_empty()
            || !template.changes.is_empty()
            || !pull_through_rule::shows(object, target, (&rule, &template))
            || made_differ(cx, handle, (object, target), &rules)
            || use_differs(cx, object, target)
            || (is_due(at, periods) && validity_differs(handle, object, target).await?);
        if differs {
            differing.push(Key::of(Kind::Rule, &**object));
        }
    }
    Ok(differing)
}

/// The repositories whose documents a retrofit looks after, among those that are there.
pub(super) fn retrofitted(wanted: &[Wanted], there: &Snapshot) -> BTreeSet<RepositoryName> {
    let retrofits = wanted.iter().filter_map(|(_, it)| it.retrofit.as_ref());
    let ours = retrofits.flat_map(|it| {
        let covered = there.iter().filter(|(name, observed)| {
            it.covers(name, &BTreeMap::new())
                && it.standing(observed) == Standing::OfTheCache
                && it.repository(name).manages_documents()
        });
        covered.map(|(name, _)| name.clone())
    });
    ours.collect()
}

/// Whether repositories that the cache has made are to be brought in line, or stand otherwise than
/// status says.
fn made_differ(
    cx: &Context,
    handle: &ecr::Registry,
    (object, target): (&PullThroughRule, &CacheTarget),
    rules: &BTreeMap<Prefix, Observed>,
) -> bool {
    let (Some(desired), Some(there)) = (&target.retrofit, handle.snapshot()) else {
        return false;
    };
    let survey = retrofit::survey(desired, rules, &there);
    let shown = recorded(object, target).and_then(|it| it.retrofit.as_ref());
    let same = |shown: u32, now: usize| usize::try_from(shown) == Ok(now);
    let is_new =
        |it: &RepositoryName| pull_through_rule::why_waits(cx, (target, desired), it).is_none();
    let differing = survey.differing + survey.waiting.len();
    !survey.to_settle.is_empty()
        || survey.waiting.iter().any(is_new)
        || !shown.is_some_and(|it| {
            same(it.retrofitted, survey.in_step)
                && same(it.differing, differing)
                && same(it.unproven, survey.unproven.len())
        })
}

/// Whether pods use something else than when it was last fetched.
fn use_differs(cx: &Context, object: &PullThroughRule, target: &CacheTarget) -> bool {
    let follows = desired::imports_per_hour(object).is_some()
        && target.desired.management == Management::Manage;
    let (true, Some(usage), Some(record)) =
        (follows, cx.usage.load_full(), recorded(object, target))
    else {
        return false;
    };
    if record.valid != Some(true) {
        return false;
    }
    let targets = object.status.iter().flat_map(|it| &it.targets);
    let registries = pull_through_rule::registries(targets);
    let wanted = prewarm::wanted(&target.desired.rule, &registries, &usage);
    record.observed.as_ref().map(|it| &it.hash) != Some(&wanted.hash())
}

/// Whether ECR says something else of the rule's upstream than status does.
async fn validity_differs(
    handle: &ecr::Registry,
    object: &PullThroughRule,
    target: &CacheTarget,
) -> Result<bool, ecr::Error> {
    let Some(record) = recorded(object, target) else {
        return Ok(false);
    };
    let validation = handle.validate(&target.desired.rule.prefix).await?;
    Ok(validation.map(|it| it == Validation::Valid) != record.valid)
}

/// Whether it is the turn of the rule at this place: each has one within the document period.
fn is_due(at: usize, periods: Periods) -> bool {
    let round = periods.registry.as_secs().max(1);
    let rounds = (periods.documents.as_secs() / round).max(1);
    let now = u64::try_from(Timestamp::now().as_second()).unwrap_or_default() / round;
    let at = u64::try_from(at).unwrap_or_default();
    (now + at).is_multiple_of(rounds)
}

fn recorded<'a>(object: &'a PullThroughRule, target: &CacheTarget) -> Option<&'a RuleRecord> {
    object.target(&target.key())?.record.as_ref()
}
