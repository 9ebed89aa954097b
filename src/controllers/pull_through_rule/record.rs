//! What stands in `status.targets` about what we made, written before we make it: nothing else
//! tells our rules and templates from others.

use std::collections::BTreeMap;

use super::{Look, Looked};
use crate::api::PullThroughRule;
use crate::api::pull_through_rule::{PullThroughRuleStatus, RuleRecord};
use crate::api::targets::{Target as Shown, TargetState};
use crate::controllers::{Context, driver};
use crate::desired::CacheTarget;
use crate::domain::repository::Setting;

/// One target as status shows it.
pub(super) type Recorded = Shown<RuleRecord>;

/// Makes sure that each target that will be written to stands in status, with all that it is about
/// to be given. Returns the targets as they stand there, by environment and region.
pub(super) async fn before(
    object: &PullThroughRule,
    cx: &Context,
    looks: &[Looked],
) -> kube::Result<BTreeMap<(String, String), Recorded>> {
    let present = object.status.clone().unwrap_or_default();
    let recorded = with_intent(&present.targets, looks);
    let targets: Vec<Recorded> = recorded.values().cloned().collect();
    if targets != present.targets {
        driver::show(cx, object, &PullThroughRuleStatus { targets, ..present }).await?;
    }
    Ok(recorded)
}

/// The targets in status, and those that are about to be made.
pub(super) fn with_intent(
    present: &[Recorded],
    looks: &[Looked],
) -> BTreeMap<(String, String), Recorded> {
    let at = |it: &Recorded| (it.environment.clone(), it.region.clone());
    let mut recorded: BTreeMap<_, _> = present.iter().map(|it| (at(it), it.clone())).collect();
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
            valid: before.valid,
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
        template_hash: match &target.template.settings {
            Setting::Present(settings) => Some(settings.hash()),
            Setting::Absent | Setting::Unmanaged => None,
        },
        valid: None,
        prewarmed: Vec::new(),
    }
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
