//! The cache rules of one registry, and the templates beside them: one list of each for all.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::warn;

use super::super::pull_through_rule;
use super::super::wakes::{Key, Kind};
use crate::api::PullThroughRule;
use crate::desired::CacheTarget;
use crate::domain::repository::Setting;
use crate::domain::{pull_through, template};
use crate::ecr;

/// One rule of one registry, as its object wants it.
type Wanted = (Arc<PullThroughRule>, CacheTarget);

/// The objects whose rule or template is not as it should be, or not as their status says.
pub(super) async fn differing(handle: &ecr::Registry, wanted: &[Wanted]) -> Vec<Key> {
    if wanted.is_empty() {
        return Vec::new();
    }
    match compare(handle, wanted).await {
        Ok(differing) => differing,
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            warn!(error, "cache rules not compared");
            Vec::new()
        }
    }
}

async fn compare(handle: &ecr::Registry, wanted: &[Wanted]) -> Result<Vec<Key>, ecr::Error> {
    let rules = handle.rules().await?;
    let manages_template = |(_, it): &Wanted| it.template.settings != Setting::Unmanaged;
    let templates = if wanted.iter().any(manages_template) {
        handle.templates().await?
    } else {
        BTreeMap::new()
    };
    let differs = |(object, target): &&Wanted| {
        let rule = pull_through::plan(&target.desired, &rules);
        let template = template::plan(&target.template, &templates);
        !rule.changes.is_empty()
            || !template.changes.is_empty()
            || !pull_through_rule::shows(object, target, (&rule, &template))
    };
    let differing = wanted.iter().filter(differs);
    Ok(differing
        .map(|(object, _)| Key::of(Kind::Rule, &**object))
        .collect())
}
