//! One target's row, from what its plan comes to.

use super::{Outcome, Refused, Row};
use crate::api::conditions::Reason;
use crate::commands::plan::previewed;
use crate::controllers::outcome;
use crate::desired::{CacheTarget, Stopped, Target};
use crate::domain::names::EnvironmentName;
use crate::domain::repository::{self, Because, Difference, Held, Management, Refusal};
use crate::domain::{Registry, pull_through, template};
use crate::ecr;

impl Row {
    /// A target of which nothing can be said but why.
    pub(in crate::commands::plan) fn stopped(stopped: &Stopped) -> Self {
        let refused = Refused {
            field: None,
            reason: stopped.reason,
            message: stopped.to_string(),
            counts: None,
        };
        let outcome = match stopped.reason {
            Reason::Suspended => Outcome::Suspended,
            _ => Outcome::Refused,
        };
        Self {
            environment: stopped.environment.clone().unwrap_or_default(),
            registry: None,
            outcome,
            refused: vec![refused],
            ..Self::in_step()
        }
    }

    /// A target that could not be read.
    pub(in crate::commands::plan) fn unread(
        (environment, registry): (&EnvironmentName, &Registry),
        error: &ecr::Error,
    ) -> Self {
        let refused = Refused {
            field: None,
            reason: outcome::of_error(error.kind).0,
            message: error.to_string(),
            counts: None,
        };
        Self {
            environment: environment.to_string(),
            registry: Some(registry.clone()),
            outcome: Outcome::Unread,
            refused: vec![refused],
            ..Self::in_step()
        }
    }

    /// What the plan of a repository comes to.
    pub(in crate::commands::plan) fn of_repository(
        target: &Target,
        plan: repository::Plan,
    ) -> Self {
        let repository::Plan {
            mut changes,
            held,
            refusals,
            differences,
        } = plan;
        let mut refused: Vec<_> = refusals.iter().map(refused).collect();
        let mut previews = Vec::new();
        for it in held {
            if it.because == Because::NotPreviewed {
                previews.push((it.field, previewed::to_be(&target.desired.safety)));
                changes.push(it.change);
            } else {
                refused.push(waits(&it, &target.desired));
            }
        }
        let made = made(&target.desired, &changes);
        Self {
            environment: target.environment.to_string(),
            registry: Some(target.registry.clone()),
            outcome: outcome(
                (!made.is_empty(), !changes.is_empty(), !refused.is_empty()),
                (target.desired.management, &differences),
            ),
            calls: changes.iter().map(repository::Change::operation).collect(),
            made,
            differences,
            refused,
            previewed: previews,
        }
    }

    /// What the plans of a cache rule and of its template come to.
    pub(in crate::commands::plan) fn of_rule(
        target: &CacheTarget,
        rule: pull_through::Plan,
        template: template::Plan,
    ) -> Self {
        let of_rule = rule.refusals.iter().map(|it| Refused {
            field: match it {
                pull_through::Refusal::Immutable { field, .. }
                | pull_through::Refusal::Foreign { field, .. } => Some(*field),
                pull_through::Refusal::Overlap { .. }
                | pull_through::Refusal::TooManyRules
                | pull_through::Refusal::Missing(_) => None,
            },
            reason: outcome::of_rule_refusal(it),
            message: it.to_string(),
            counts: None,
        });
        let of_template = template.refusals.iter().map(|it| Refused {
            field: None,
            reason: outcome::of_template_refusal(it),
            message: it.to_string(),
            counts: None,
        });
        let refused: Vec<_> = of_rule.chain(of_template).collect();
        let differences = [rule.differences, template.differences].concat();
        let (mut calls, mut made) = (Vec::new(), Vec::new());
        // As in the controller: the template first, and nothing where something is refused.
        if refused.is_empty() {
            calls.extend(template.changes.iter().map(template::Change::operation));
            calls.extend(rule.changes.iter().map(pull_through::Change::operation));
            made.extend(template.changes.iter().filter_map(made_template));
            made.extend(rule.changes.iter().filter_map(made_rule));
        }
        Self {
            environment: target.environment.to_string(),
            registry: Some(target.registry.clone()),
            outcome: outcome(
                (!made.is_empty(), !calls.is_empty(), !refused.is_empty()),
                (target.desired.management, &differences),
            ),
            calls,
            made,
            differences,
            refused,
            previewed: Vec::new(),
        }
    }
}

fn made_rule(change: &pull_through::Change) -> Option<String> {
    use pull_through::Change::{CreatePullThroughCacheRule, UpdatePullThroughCacheRule};
    match change {
        CreatePullThroughCacheRule(rule) => Some(format!("cache rule {}", rule.prefix)),
        UpdatePullThroughCacheRule { .. } => None,
    }
}

fn made_template(change: &template::Change) -> Option<String> {
    use template::Change::{
        CreateRepositoryCreationTemplate, DeleteRepositoryCreationTemplate,
        UpdateRepositoryCreationTemplate,
    };
    match change {
        CreateRepositoryCreationTemplate(it) => Some(format!("creation template {}", it.prefix)),
        UpdateRepositoryCreationTemplate(_) | DeleteRepositoryCreationTemplate(_) => None,
    }
}

fn refused(refusal: &Refusal) -> Refused {
    let (reason, message) = outcome::of_refusal(refusal);
    let field = match refusal {
        Refusal::EncryptionImmutable => Some("encryption"),
        Refusal::PrincipalsGone(_) => Some("access"),
        Refusal::ImageInUse(_) => Some("lifecyclePolicyRef"),
        Refusal::TooManyTags { .. } => Some("tags"),
        Refusal::NotAdopted
        | Refusal::OwnedByAnother(_)
        | Refusal::MayBeCached { .. }
        | Refusal::Missing
        | Refusal::Contested(_) => None,
    };
    Refused {
        field,
        reason,
        message,
        counts: None,
    }
}

/// What a change means that waits for a person or for pods.
fn waits(held: &Held, desired: &repository::Desired) -> Refused {
    let (reason, _, _, message) = outcome::of_held(&held.because, desired);
    let counts = match held.because {
        Because::OverBudget { counts, .. } => Some(counts),
        Because::NotPreviewed
        | Because::UsageNotKnown
        | Because::InUse(_)
        | Because::Suspending(_)
        | Because::Suspended(_) => None,
    };
    Refused {
        field: Some(held.field),
        reason,
        message,
        counts,
    }
}

/// What would be made with a new repository; nothing where there is one.
fn made(desired: &repository::Desired, changes: &[repository::Change]) -> Vec<String> {
    use repository::Change::{
        BatchDeleteImage, CreateRepository, DeleteLifecyclePolicy, DeleteRepository,
        DeleteRepositoryPolicy, PutImageScanningConfiguration, PutImageTagMutability,
        PutLifecyclePolicy, SetRepositoryPolicy, TagResource, UntagResource,
    };
    if !matches!(changes.first(), Some(CreateRepository(_))) {
        return Vec::new();
    }
    let word = |it: &repository::Change| match it {
        CreateRepository(_) => format!("repository {}", desired.name),
        SetRepositoryPolicy(_) => "access policy".to_owned(),
        PutLifecyclePolicy(_) => "lifecycle policy".to_owned(),
        PutImageTagMutability(_)
        | PutImageScanningConfiguration(_)
        | DeleteRepositoryPolicy
        | DeleteLifecyclePolicy
        | TagResource(_)
        | UntagResource(_)
        | BatchDeleteImage(_)
        | DeleteRepository => it.operation().to_owned(),
    };
    changes.iter().map(word).collect()
}

/// How a target stands that is created, changed or refused, as the first three say.
pub(in crate::commands::plan) fn outcome(
    (created, changed, refused): (bool, bool, bool),
    (management, differences): (Management, &[Difference]),
) -> Outcome {
    match (refused, created, changed, management) {
        (true, ..) => Outcome::Refused,
        (_, true, ..) => Outcome::Create,
        (_, _, true, _) => Outcome::Change,
        (_, _, _, Management::Observe) if !differences.is_empty() => Outcome::Observe,
        (_, _, _, Management::Observe | Management::Manage) => Outcome::InStep,
    }
}
