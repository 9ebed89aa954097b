//! What a retrofit would do to the repositories that a cache has made, as one line of its target.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::report::{Outcome, Refused, Row};
use crate::desired::CacheTarget;
use crate::domain::pull_through::{Observed, Prefix};
use crate::domain::repository::{self, Change, Difference, Management};
use crate::domain::retrofit::{self, Survey};
use crate::ecr::Snapshot;

/// Adds what is not as the target's retrofit asks. A list has no documents, so what a repository's
/// own read would tell is not in it; a target that is refused has no retrofit.
pub(super) fn add(
    row: &mut Row,
    (target, waits): (&CacheTarget, Option<&Refused>),
    rules: &BTreeMap<Prefix, Observed>,
    listed: &Snapshot,
) {
    let Some(desired) = &target.retrofit else {
        return;
    };
    if row.outcome == Outcome::Refused {
        return;
    }
    let Survey {
        in_step: _,
        differing,
        to_settle,
        waiting,
        unproven: _, // nothing is done to them
    } = retrofit::survey(desired, rules, listed);
    let plans = to_settle.iter().map(|name| {
        let desired = desired.repository(name);
        repository::plan(&desired, listed.get(name).map(Arc::as_ref)).changes
    });
    let calls: Vec<&str> = plans.flatten().map(|it| Change::operation(&it)).collect();
    let differing = differing + to_settle.len() + waiting.len();
    if differing == 0 {
        return;
    }
    let prefix = &desired.prefix;
    row.differences.push(Difference {
        field: "retrofit",
        observed: format!("{differing} below {prefix} otherwise"),
        desired: "as repositoryTemplate".to_owned(),
    });
    row.calls.extend(calls);
    if let (Some(waits), false) = (waits, row.outcome == Outcome::Create) {
        row.refused.push(waits.clone());
        row.outcome = Outcome::Refused;
    }
    match (row.outcome, desired.management) {
        (Outcome::Create, _) => row
            .made
            .push(format!("retrofit of {differing} below {prefix}")),
        (Outcome::InStep, Management::Manage) => row.outcome = Outcome::Change,
        (Outcome::InStep, Management::Observe) => row.outcome = Outcome::Observe,
        _ => {}
    }
}
