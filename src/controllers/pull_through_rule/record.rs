//! What stands in `status.targets` about what we made, written before we make it: nothing else
//! tells our rules and templates from others.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::{Look, Looked, retrofit};
use crate::api::PullThroughRule;
use crate::api::pull_through_rule::{PullThroughRuleStatus, RuleRecord};
use crate::api::targets::{Target as Shown, TargetState};
use crate::controllers::{Context, driver};
use crate::desired::CacheTarget;
use crate::domain::Registry;

/// One target as status shows it.
pub(super) type Recorded = Shown<RuleRecord>;
/// All of them, by environment and region.
pub(super) type Targets = BTreeMap<(String, String), Recorded>;

/// What is recorded, and the version of the object that has it.
pub(super) struct Before {
    pub(super) targets: Targets,
    pub(super) version: Option<String>,
}

/// Makes sure that each target that will be written to stands in status, with all that it is about
/// to be given.
///
/// # Errors
/// When the object is not what it was when it was read: what it records now is not known.
pub(super) async fn before(
    object: &PullThroughRule,
    cx: &Context,
    looks: &[Looked],
) -> kube::Result<Before> {
    let present = object.status.clone().unwrap_or_default();
    let recorded = with_intent(&present.targets, looks);
    let targets: Vec<Recorded> = recorded.values().cloned().collect();
    let mut version = object.resource_version();
    if targets != present.targets {
        let status = PullThroughRuleStatus { targets, ..present };
        version = driver::show(cx, object, &status, version).await?;
    }
    Ok(Before {
        targets: recorded,
        version,
    })
}

/// The targets in status, and those that are about to be made.
fn with_intent(present: &[Recorded], looks: &[Looked]) -> Targets {
    let at = |it: &Recorded| (it.environment.clone(), it.region.clone());
    let mut recorded: Targets = present.iter().map(|it| (at(it), it.clone())).collect();
    let looks = looks.iter().filter_map(|it| it.as_ref().ok());
    for Look { target, .. } in looks.filter(|it| it.is_to_write()) {
        let at = (
            target.environment.to_string(),
            target.registry.region.to_string(),
        );
        let shown = recorded
            .entry(at)
            .or_insert_with_key(|(environment, region)| pending(environment, region));
        let before = shown.record.take().unwrap_or_default();
        let intent = of(target);
        shown.record = Some(RuleRecord {
            // What is to be taken away was put, until it is gone.
            template_hash: intent.template_hash.or(before.template_hash),
            retrofit: match &target.retrofit {
                Some(desired) => Some(retrofit::with_intent(before.retrofit, desired)),
                None => before.retrofit,
            },
            valid: before.valid,
            observed: before.observed,
            prewarmed: before.prewarmed,
            ..intent
        });
    }
    recorded
}

/// What a target has when all of it is done.
pub(super) fn of(target: &CacheTarget) -> RuleRecord {
    let rule = &target.desired.rule;
    RuleRecord {
        account_id: target.registry.account.to_string(),
        ecr_repository_prefix: rule.prefix.to_string(),
        upstream_registry_url: rule.source.url().to_owned(),
        upstream_repository_prefix: rule.upstream_prefix.to_string(),
        template_hash: target.template_hash(),
        valid: None,
        retrofit: None,
        observed: None,
        prewarmed: Vec::new(),
    }
}

/// The registries that status says something was made in.
pub(in crate::controllers) fn registries<'a>(
    targets: impl Iterator<Item = &'a Recorded>,
) -> BTreeSet<Registry> {
    let registries = targets.filter_map(|it| {
        let account = it.record.as_ref()?.account_id.parse().ok()?;
        Some(Registry::new(account, it.region.parse().ok()?))
    });
    registries.collect()
}

/// A target of which nothing is known yet.
pub(super) fn pending(environment: &str, region: &str) -> Recorded {
    Recorded {
        environment: environment.to_owned(),
        region: region.to_owned(),
        state: TargetState::Pending,
        reason: None,
        message: None,
        arn: None,
        uri: None,
        differences: Vec::new(),
        record: None,
    }
}
