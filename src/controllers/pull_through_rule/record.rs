//! What stands in `status.targets` about what we made, written before we make it: nothing else
//! tells our rules and templates from others.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::{Look, Looked, retrofit};
use crate::api::PullThroughRule;
use crate::api::pull_through_rule::{PullThroughRuleStatus, RuleRecord};
use crate::api::targets::Target as Row;
use crate::controllers::ledger::Ledger;
use crate::controllers::{Context, driver};
use crate::desired::{CacheTarget, Placed};
use crate::domain::Registry;

/// One target as status shows it.
pub(super) type Recorded = Row<RuleRecord>;

/// What is recorded, and the version of the object that has it.
pub(super) struct Before {
    pub(super) ledger: Ledger<Recorded>,
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
    let recorded = Ledger::of_targets(&present.targets);
    let ledger = with_intent(recorded.clone(), looks);
    let mut version = object.resource_version();
    if ledger != recorded {
        let status = PullThroughRuleStatus {
            targets: ledger.rows().cloned().collect(),
            ..present
        };
        version = driver::show(cx, object, &status, version).await?;
    }
    Ok(Before { ledger, version })
}

/// The targets in status, and those that are about to be made.
fn with_intent(mut ledger: Ledger<Recorded>, looks: &[Looked]) -> Ledger<Recorded> {
    let looks = looks.iter().filter_map(|it| it.result.as_ref().ok());
    for Look { target, .. } in looks.filter(|it| it.is_to_write()) {
        let intent = of(target);
        ledger.record(&target.key(), |before| RuleRecord {
            // What is to be taken away was put, until it is gone.
            template_hash: intent.template_hash.or(before.template_hash),
            retrofit: match &target.retrofit {
                Some(desired) => Some(retrofit::with_intent(before.retrofit, desired)),
                None => before.retrofit,
            },
            since: before.since,
            valid: before.valid,
            observed: before.observed,
            prewarmed: before.prewarmed,
            ..intent
        });
    }
    ledger
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
        since: None,
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
        Some(Registry::new(account, it.region.as_ref()?.parse().ok()?))
    });
    registries.collect()
}
