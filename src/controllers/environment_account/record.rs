//! What stands in `status.registries` about our part in what a registry has only one of. It is written
//! before the call that writes the part, and nothing else says what may be taken out again.

use super::registry::Place;
use crate::api::EnvironmentAccount;
use crate::api::environment_account::{EnvironmentAccountStatus, RegistryStatus};
use crate::api::registry::{FilterRecord, RegistryRecord};
use crate::api::targets::TargetState;
use crate::controllers::{Context, driver};
use crate::domain::Registry;
use crate::domain::registry::{Record, Rules};

/// The record as status shows it; `None`: there is nothing of ours.
pub(super) fn shown(record: &Record) -> Option<RegistryRecord> {
    let Record {
        replication,
        scanning,
        signing,
        sids,
        exclusions,
    } = record;
    (!record.is_empty()).then(|| RegistryRecord {
        replication: filters(replication),
        scanning: filters(scanning),
        signing: filters(signing),
        policy_sids: sids.iter().cloned().collect(),
        pull_time_update_exclusions: exclusions.iter().cloned().collect(),
    })
}

/// Writes what all places are about to be given, beside what they have, on the object of this version;
/// gives the version that it is of then.
///
/// # Errors
/// When the object is not what it was when it was read: what it records now is not known.
pub(super) async fn before(
    (object, version): (&EnvironmentAccount, Option<String>),
    cx: &Context,
    places: &[Place],
) -> kube::Result<Option<String>> {
    let present = object.status.clone().unwrap_or_default();
    let mut recorded = present.registries.clone();
    for place in places {
        let Ok(found) = &place.found else { continue };
        if found.plan.changes.is_empty() {
            continue;
        }
        let record = shown(&found.plan.intent);
        let region = place.name.region.as_str();
        match recorded.iter_mut().find(|it| it.region == region) {
            Some(it) => it.record = record,
            None => recorded.push(RegistryStatus {
                record,
                ..pending(&place.name)
            }),
        }
    }
    if recorded == present.registries {
        return Ok(version);
    }
    let status = EnvironmentAccountStatus {
        registries: recorded,
        ..present
    };
    driver::show(cx, object, &status, version).await
}

/// The registries of an object that is not looked at: what is recorded stays recorded.
pub(super) fn kept(object: &EnvironmentAccount, state: TargetState) -> Vec<RegistryStatus> {
    let shown = object.status.iter().flat_map(|it| &it.registries);
    let recorded = shown.filter(|it| it.record.is_some());
    recorded
        .map(|it| RegistryStatus {
            state,
            reason: None,
            message: None,
            ..it.clone()
        })
        .collect()
}

fn pending(registry: &Registry) -> RegistryStatus {
    RegistryStatus {
        region: registry.region.to_string(),
        uri: registry.host(),
        state: TargetState::Pending,
        reason: None,
        message: None,
        differences: Vec::new(),
        also_replicated: Vec::new(),
        record: None,
    }
}

fn filters(rules: &Rules) -> Vec<FilterRecord> {
    let rules = rules.iter().filter(|(_, filters)| !filters.is_empty());
    rules
        .map(|(of, filters)| FilterRecord {
            of: of.clone(),
            filters: filters.iter().cloned().collect(),
        })
        .collect()
}
