//! Brings repositories in line that the cache has made already: a few at a time, behind everything
//! else that the registry is asked, each from a targeted read.

use std::collections::BTreeSet;

use tracing::info;

use super::Look;
use crate::api::image_repository::Document;
use crate::api::pull_through_rule::RetrofitRecord;
use crate::domain::RepositoryName;
use crate::domain::owner::Ownership;
use crate::domain::repository::{self, Setting};
use crate::domain::retrofit::{self, Desired};
use crate::ecr::{self, Priority};

/// Repositories of one registry that are settled before the object shows how far it has come.
const A_TURN: usize = 25;

/// How one repository ended.
enum End {
    InStep,
    Differing,
    /// Gone, or somebody else's meanwhile.
    NoneOfOurs,
}

/// One turn, and how all of them stand after it.
pub(super) async fn settle(look: &Look, desired: &Desired) -> Result<RetrofitRecord, ecr::Error> {
    let registry = look.registry.at(Priority::Sweep);
    let survey = retrofit::survey(desired, &look.rules, &*registry.listed().await?);
    let mut record = RetrofitRecord {
        retrofitted: count(survey.in_step),
        differing: count(survey.differing),
        left: count(survey.to_settle.len().saturating_sub(A_TURN)),
        ..intent(desired)
    };
    for name in survey.to_settle.iter().take(A_TURN) {
        match settle_one(&registry, desired, name).await? {
            End::InStep => record.retrofitted += 1,
            End::Differing => record.differing += 1,
            End::NoneOfOurs => {}
        }
    }
    if record.left == 0 {
        record.hash = look.target.template_hash();
    }
    Ok(record)
}

async fn settle_one(
    registry: &ecr::Registry,
    desired: &Desired,
    name: &RepositoryName,
) -> Result<End, ecr::Error> {
    let Some(observed) = registry.observe(name).await? else {
        return Ok(End::NoneOfOurs);
    };
    if let Ownership::Foreign(_) = desired.owner.judge(&observed.tags) {
        return Ok(End::NoneOfOurs);
    }
    let plan = repository::plan(&desired.repository(name), Some(&observed));
    for change in &plan.changes {
        registry.apply(name, change).await?;
        info!(registry = %registry.name(), repository = %name, change = change.operation(), "applied");
    }
    Ok(if plan.refusals.is_empty() && plan.held.is_empty() {
        End::InStep
    } else {
        End::Differing
    })
}

/// What is about to be put on repositories: it stands in status first, so that it can be taken off.
pub(super) fn intent(desired: &Desired) -> RetrofitRecord {
    let policy = matches!(desired.policy, Setting::Present(_));
    let lifecycle = matches!(desired.lifecycle, Setting::Present(_));
    // In the order of a set, as they stand there when something is added.
    let documents = [
        policy.then_some(Document::RepositoryPolicy),
        lifecycle.then_some(Document::LifecyclePolicy),
    ];
    RetrofitRecord {
        documents: documents.into_iter().flatten().collect(),
        tag_keys: desired.tags.keys().cloned().collect(),
        ..RetrofitRecord::default()
    }
}

/// What stands in status, and what is about to be put besides.
pub(super) fn with_intent(before: Option<RetrofitRecord>, desired: &Desired) -> RetrofitRecord {
    fn union<T: Ord>(a: Vec<T>, b: Vec<T>) -> Vec<T> {
        let all: BTreeSet<T> = a.into_iter().chain(b).collect();
        all.into_iter().collect()
    }
    let before = before.unwrap_or_default();
    let intent = intent(desired);
    RetrofitRecord {
        documents: union(before.documents, intent.documents),
        tag_keys: union(before.tag_keys, intent.tag_keys),
        ..before
    }
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
