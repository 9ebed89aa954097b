//! The document that a `LifecyclePolicy` comes to.

use kube::ResourceExt;

use super::{Stopped, World};
use crate::api::LifecyclePolicy;
use crate::api::image_repository::LifecycleRecord;
use crate::api::lifecycle_policy as wire;
use crate::domain::lifecycle::safety::{Budget, InUse, Protect, Safety};
use crate::domain::lifecycle::{
    Action, ActionType, CountType, CountUnit, Document, Rule, Selection, StorageClass, TagStatus,
};

/// The document that the policy's rules come to, or everything in them that ECR would refuse.
pub fn lifecycle(object: &LifecyclePolicy) -> Result<Document, Stopped> {
    let rules = object
        .spec
        .rules
        .iter()
        .enumerate()
        .map(|(i, it)| rule(i, it));
    let rules: Vec<Rule> = rules.collect::<Result<_, _>>()?;
    Document::from_rules(&rules).map_err(|invalid| {
        let mut violations = invalid.violations.iter();
        let first = violations
            .next()
            .map_or_else(String::new, |it| format!("spec.{}", it.path()));
        let others: String = violations.map(|it| format!("; spec.{it}")).collect();
        let problem = invalid
            .violations
            .first()
            .map_or("", |it| it.problem.as_str());
        Stopped::invalid(first, format!("{problem}{others}"))
    })
}

/// How far the policy may go in a repository where `record` tells what became of it before.
pub(super) fn safety(
    object: &LifecyclePolicy,
    document: &Document,
    record: Option<LifecycleRecord>,
) -> Safety {
    let wire::LifecycleSafety {
        max_expiring_percent,
        max_expiring_images,
        protect_in_use,
        approved_hash,
    } = &object.spec.safety;
    // Of another document nothing is known here.
    let record = record.filter(|it| it.hash == document.hash());
    let revision = object.metadata.generation.unwrap_or_default();
    let not_negative = |number: i64| u32::try_from(number).unwrap_or_default();
    let count = |number: Option<i64>| number.and_then(|it| usize::try_from(it).ok());
    Safety {
        policy: object.name_any(),
        revision,
        budget: Budget {
            percent: not_negative(*max_expiring_percent),
            images: not_negative(*max_expiring_images),
        },
        protect: match protect_in_use {
            wire::ProtectInUse::Warn => Protect::Warn,
            wire::ProtectInUse::Suspend => Protect::Suspend,
        },
        approval: (!approved_hash.is_empty()).then(|| approved_hash.clone()),
        approved: record.as_ref().and_then(|it| count(it.approved)),
        asked: record.as_ref().and_then(|it| count(it.to_approve)),
        suspended: record.as_ref().and_then(|it| it.suspended) == Some(revision),
        found: record.and_then(|it| it.in_use).map(InUse),
    }
}

/// The document of the policy that an object names; `None`: there is no such policy.
pub(super) fn referred(name: &str, world: &World) -> Option<Result<Document, Stopped>> {
    let of_policy = |it: Stopped| Stopped {
        field: format!("LifecyclePolicy {name} {}", it.field),
        ..it
    };
    Some(world.document(name)?.clone().map_err(of_policy))
}

fn rule(index: usize, it: &wire::LifecycleRule) -> Result<Rule, Stopped> {
    let positive = |field: &str, number: i64| {
        let number = u32::try_from(number).ok().filter(|it| *it > 0);
        let field = format!("spec.rules[{index}].{field}");
        number.ok_or_else(|| Stopped::invalid(field, "write a whole number from 1"))
    };
    let wire::LifecycleRule {
        priority,
        description,
        selection,
        action,
    } = it;
    Ok(Rule {
        priority: positive("priority", *priority)?,
        description: description.clone(),
        selection: Selection {
            tag_status: match selection.tag_status {
                wire::TagStatus::Tagged => TagStatus::Tagged,
                wire::TagStatus::Untagged => TagStatus::Untagged,
                wire::TagStatus::Any => TagStatus::Any,
            },
            tag_pattern_list: selection.tag_pattern_list.clone(),
            tag_prefix_list: selection.tag_prefix_list.clone(),
            count_type: count_type(selection.count_type),
            count_number: positive("selection.countNumber", selection.count_number)?,
            count_unit: count_unit(selection),
            storage_class: selection.storage_class.map(|it| match it {
                wire::StorageClass::Standard => StorageClass::Standard,
                wire::StorageClass::Archive => StorageClass::Archive,
            }),
        },
        action: Action {
            kind: match action.type_ {
                wire::ActionType::Expire => ActionType::Expire,
                wire::ActionType::Transition => ActionType::Transition,
            },
            target_storage_class: action.target_storage_class.map(|it| match it {
                wire::TargetStorageClass::Archive => StorageClass::Archive,
            }),
        },
    })
}

fn count_type(it: wire::CountType) -> CountType {
    match it {
        wire::CountType::ImageCountMoreThan => CountType::ImageCountMoreThan,
        wire::CountType::SinceImagePushed => CountType::SinceImagePushed,
        wire::CountType::SinceImagePulled => CountType::SinceImagePulled,
        wire::CountType::SinceImageTransitioned => CountType::SinceImageTransitioned,
    }
}

/// ECR wants the unit of a time, and there is only one.
fn count_unit(selection: &wire::Selection) -> Option<CountUnit> {
    match (selection.count_type, selection.count_unit) {
        (wire::CountType::ImageCountMoreThan, None) => None,
        (
            wire::CountType::SinceImagePushed
            | wire::CountType::SinceImagePulled
            | wire::CountType::SinceImageTransitioned,
            None,
        )
        | (_, Some(wire::CountUnit::Days)) => Some(CountUnit::Days),
    }
}

#[cfg(test)]
mod tests;
