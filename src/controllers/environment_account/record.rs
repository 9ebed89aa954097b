//! What stands in `status.registries` about our part in what a registry has only one of. It is written
//! before the call that writes the part, and nothing else says what may be taken out again.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::registry::{self, Place};
use crate::api::EnvironmentAccount;
use crate::api::environment_account::{EnvironmentAccountStatus, RegistryStatus};
use crate::api::registry::{FilterRecord, RegistryRecord};
use crate::api::targets::{TargetKey, TargetState};
use crate::controllers::ledger::{End, Ledger};
use crate::controllers::{Context, driver};
use crate::desired::Extent;
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
    let mut ledger = ledger(object);
    for place in places {
        let Ok(found) = &place.found else { continue };
        if found.plan.changes.is_empty() {
            continue;
        }
        let row = ledger.row(&key(object, &place.name), || pending(&place.name));
        row.record = shown(&found.plan.intent);
    }
    if ledger == self::ledger(object) {
        return Ok(version);
    }
    let status = EnvironmentAccountStatus {
        registries: home_first(object, ledger),
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

/// What the object shows once these are the ends of its registries. One that is left and has nothing
/// of ours in it any more is shown no longer.
pub(super) fn after(object: &EnvironmentAccount, ends: Vec<registry::End>) -> Vec<RegistryStatus> {
    let (released, ends): (Vec<_>, Vec<_>) = ends.into_iter().partition(registry::End::is_released);
    let released: BTreeSet<TargetKey> = released.iter().map(|it| key(object, &it.name)).collect();
    let ends = ends.into_iter().map(|it| End {
        extent: Extent::Target(key(object, &it.name)),
        result: it,
    });
    let ends: Vec<End<registry::End>> = ends.collect();
    let ledger = ledger(object).merge(&ends, &released, |_, _, end| end.shown());
    home_first(object, ledger)
}

fn home_first(object: &EnvironmentAccount, ledger: Ledger<RegistryStatus>) -> Vec<RegistryStatus> {
    let mut rows = ledger.into_rows();
    rows.sort_by_key(|it| it.region != object.spec.region);
    rows
}

/// What the object shows of its registries.
fn ledger(object: &EnvironmentAccount) -> Ledger<RegistryStatus> {
    let rows = object.status.iter().flat_map(|it| &it.registries);
    Ledger::of(rows.map(|it| (TargetKey::new(&object.name_any(), &it.region), it.clone())))
}

/// Where a registry stands in it.
fn key(object: &EnvironmentAccount, registry: &Registry) -> TargetKey {
    TargetKey::new(&object.name_any(), &registry.region)
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
