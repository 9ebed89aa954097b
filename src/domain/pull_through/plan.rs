//! From a desired rule and the registry's rules to the call that closes the gap. A rule that ECR
//! cannot change is refused, never deleted and made again: the cache would be empty for a while.

use std::collections::BTreeMap;

use super::{Claim, Desired, MOST_RULES, Management, Observed, Prefix, RoleArn, Rule, SecretArn};
use crate::domain::repository::Difference;

/// What to do about one rule, what was refused, and how it differs from what is desired.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// The calls to make. Empty when in step, observing or refused.
    pub changes: Vec<Change>,
    /// What is desired and cannot or must not be done, for a person to read.
    pub refusals: Vec<Refusal>,
    /// Every field that is not as desired, whether or not a change closes it.
    pub differences: Vec<Difference>,
}

/// One AWS call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Make the rule.
    CreatePullThroughCacheRule(Rule),
    /// Change what it signs in with.
    UpdatePullThroughCacheRule {
        /// The rule.
        prefix: Prefix,
        /// The secret; `None` leaves what is there.
        credential: Option<SecretArn>,
        /// The role; `None` leaves what is there.
        role: Option<RoleArn>,
    },
}

impl Change {
    /// AWS's name for the call.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::CreatePullThroughCacheRule(_) => "CreatePullThroughCacheRule",
            Self::UpdatePullThroughCacheRule { .. } => "UpdatePullThroughCacheRule",
        }
    }
}

/// Something desired that is not done, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is a rule of this prefix that ECR cannot make into the desired one.
    #[error("a rule for {prefix} exists whose {field} is {observed}, and ECR cannot change it")]
    Immutable {
        /// The rule.
        prefix: Prefix,
        /// The field, as the spec names it.
        field: &'static str,
        /// What it is.
        observed: String,
    },
    /// There is a rule of this prefix that this object did not make, and it is not as desired.
    #[error(
        "the registry has a rule for {prefix} that this object did not make, with {observed} in \
         place of what {field} says: give the same once, or delete that rule"
    )]
    Foreign {
        /// The rule.
        prefix: Prefix,
        /// The field, as the spec names it.
        field: &'static str,
        /// What it is.
        observed: String,
    },
    /// Another rule already has part of what this one would claim.
    #[error(
        "prefix {prefix} overlaps the rule for {other} that the registry has: choose another, or \
         delete that rule"
    )]
    Overlap {
        /// The desired prefix.
        prefix: Prefix,
        /// The prefix that is there.
        other: Prefix,
    },
    /// The registry is full.
    #[error("the registry has {MOST_RULES} rules already, and AWS allows no more")]
    TooManyRules,
    /// Observe mode, and there is no such rule.
    #[error("there is no rule for {0}, and this cluster only observes")]
    Missing(Prefix),
}

/// What to do about one rule, given all rules of its registry. One that exists keeps its prefix:
/// only a new one can overlap.
pub fn plan(desired: &Desired, observed: &BTreeMap<Prefix, Observed>) -> Plan {
    match observed.get(&desired.rule.prefix) {
        Some(existing) => correct(desired, existing),
        None => create(desired, observed),
    }
}

fn create(desired: &Desired, observed: &BTreeMap<Prefix, Observed>) -> Plan {
    let rule = &desired.rule;
    let prefix = &rule.prefix;
    let mut plan = Plan {
        differences: vec![Difference {
            field: "ecrRepositoryPrefix",
            observed: "absent".to_owned(),
            desired: prefix.to_string(),
        }],
        ..Plan::default()
    };
    match desired.management {
        Management::Observe => plan.refusals.push(Refusal::Missing(prefix.clone())),
        Management::Manage => {
            let overlapping = observed.keys().filter(|it| prefix.overlaps(it));
            plan.refusals
                .extend(overlapping.map(|other| Refusal::Overlap {
                    prefix: prefix.clone(),
                    other: other.clone(),
                }));
            if observed.len() >= MOST_RULES {
                plan.refusals.push(Refusal::TooManyRules);
            }
            if plan.refusals.is_empty() {
                plan.changes
                    .push(Change::CreatePullThroughCacheRule(rule.clone()));
            }
        }
    }
    plan
}

fn correct(desired: &Desired, observed: &Observed) -> Plan {
    let Desired {
        management,
        claim,
        rule,
    } = desired;
    let immutable = immutable_differences(rule, observed);
    let updatable = updatable_differences(rule, observed);
    let mut plan = Plan::default();
    match (management, claim) {
        (Management::Observe, _) => {}
        (Management::Manage, _) if !immutable.is_empty() => {
            let refusal = |it: &Difference| Refusal::Immutable {
                prefix: rule.prefix.clone(),
                field: it.field,
                observed: it.observed.clone(),
            };
            plan.refusals = immutable.iter().map(refusal).collect();
        }
        (Management::Manage, Claim::New) => {
            let refusal = |it: &Difference| Refusal::Foreign {
                prefix: rule.prefix.clone(),
                field: it.field,
                observed: it.observed.clone(),
            };
            plan.refusals = updatable.iter().map(refusal).collect();
        }
        (Management::Manage, Claim::Recorded) if updatable.is_empty() => {}
        (Management::Manage, Claim::Recorded) => {
            plan.changes.push(Change::UpdatePullThroughCacheRule {
                prefix: rule.prefix.clone(),
                credential: rule.credential.clone(),
                role: rule.role.clone(),
            });
        }
    }
    plan.differences = [immutable, updatable].concat();
    plan
}

fn immutable_differences(rule: &Rule, observed: &Observed) -> Vec<Difference> {
    // A rule made before ECR named its upstreams is known by its URL alone.
    let kind = observed
        .upstream
        .as_deref()
        .unwrap_or(rule.source.upstream().name());
    [
        ("upstreamRegistry", kind, rule.source.upstream().name()),
        ("upstreamRegistryUrl", &observed.url, rule.source.url()),
        (
            "upstreamRepositoryPrefix",
            observed.upstream_prefix.as_str(),
            rule.upstream_prefix.as_str(),
        ),
    ]
    .into_iter()
    .filter_map(|(field, observed, desired)| difference(field, observed, desired))
    .collect()
}

fn updatable_differences(rule: &Rule, observed: &Observed) -> Vec<Difference> {
    let credential = rule.credential.as_ref().map(SecretArn::as_str);
    let role = rule.role.as_ref().map(RoleArn::as_str);
    [
        ("credentials", &observed.credential, credential),
        ("roles", &observed.role, role),
    ]
    .into_iter()
    .filter_map(|(field, observed, desired)| {
        difference(field, observed.as_deref().unwrap_or("absent"), desired?)
    })
    .collect()
}

fn difference(field: &'static str, observed: &str, desired: &str) -> Option<Difference> {
    (observed != desired).then(|| Difference {
        field,
        observed: observed.to_owned(),
        desired: desired.to_owned(),
    })
}
