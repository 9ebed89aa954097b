//! No record is lost but of a target that was released, whatever stops and whatever leaves the spec.

use std::sync::Arc;

use proptest::collection::{btree_map, btree_set};
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};

use super::*;
use crate::api::image_repository::RepositoryRecord;
use crate::api::targets::TargetState;
use crate::api::{EnvironmentAccount, ImageRepository, PullThroughRule};
use crate::desired::{self, Objects, Stopped, World};

const ENVIRONMENTS: [&str; 3] = ["dev", "prod", "stage"];
const REGIONS: [&str; 3] = ["eu-central-1", "eu-west-1", "us-east-1"];

type Rows = BTreeMap<TargetKey, Target<RepositoryRecord>>;

/// What an environment is like.
#[derive(Clone, Copy, Debug)]
enum Account {
    Usable,
    Missing,
    Suspended,
    Leaving,
    GrantsNothing,
    Invalid,
}

fn accounts() -> impl Strategy<Value = Vec<Account>> {
    let account = select(vec![
        Account::Usable,
        Account::Missing,
        Account::Suspended,
        Account::Leaving,
        Account::GrantsNothing,
        Account::Invalid,
    ]);
    proptest::collection::vec(account, ENVIRONMENTS.len())
}

fn environments() -> impl Strategy<Value = Vec<String>> {
    let named = btree_set(select(ENVIRONMENTS.to_vec()), 0..=ENVIRONMENTS.len());
    named.prop_map(|it| it.into_iter().map(str::to_owned).collect())
}

fn keys() -> impl Strategy<Value = TargetKey> {
    let region = proptest::option::weighted(0.8, select(REGIONS.to_vec()));
    (select(ENVIRONMENTS.to_vec()), region).prop_map(|(environment, region)| TargetKey {
        environment: environment.to_owned(),
        region: region.map(str::to_owned),
    })
}

/// Rows as any version may have written them.
fn rows() -> impl Strategy<Value = Rows> {
    btree_map(keys(), any::<bool>(), 0..8).prop_map(|rows| {
        let row = |(key, is_recorded): (TargetKey, bool)| {
            let mut row = Target::pending(key.clone());
            row.record = is_recorded.then(|| RepositoryRecord {
                tag_keys: vec![key.to_string()],
                ..RepositoryRecord::default()
            });
            (key, row)
        };
        rows.into_iter().map(row).collect()
    })
}

fn environment(at: usize, account: Account) -> Option<Arc<EnvironmentAccount>> {
    let grants = json!([{"namespaceSelector": {}, "repositoryPrefixes": ["{namespace}/"]}]);
    let mut object = json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "EnvironmentAccount",
        "metadata": {"name": ENVIRONMENTS[at], "uid": format!("e{at}")},
        "spec": {
            "accountId": (at + 1).to_string().repeat(12),
            "region": REGIONS[0],
            "replicaRegions": [REGIONS[1]],
            "grants": grants,
        },
    });
    match account {
        Account::Usable => {}
        Account::Missing => return None,
        Account::Suspended => object["spec"]["suspend"] = json!(true),
        Account::Leaving => {
            object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        Account::GrantsNothing => object["spec"]["grants"] = json!([]),
        Account::Invalid => object["spec"]["accountId"] = json!("none"),
    }
    Some(Arc::new(serde_json::from_value(object).unwrap()))
}

fn world(accounts: &[Account], objects: Objects) -> World {
    let accounts = accounts.iter().enumerate();
    let objects = Objects {
        environments: accounts
            .filter_map(|(at, it)| environment(at, *it))
            .collect(),
        namespaces: BTreeMap::from([("payments".to_owned(), BTreeMap::new())]),
        ..objects
    };
    World::new("east".parse().unwrap(), objects)
}

fn repository(environments: &[String], spec: &Value) -> Arc<ImageRepository> {
    let mut object = json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "ImageRepository",
        "metadata": {"name": "api", "namespace": "payments", "uid": "u1"},
        "spec": spec,
    });
    object["spec"]["environments"] = json!(environments);
    Arc::new(serde_json::from_value(object).unwrap())
}

fn rule(environments: &[String]) -> Arc<PullThroughRule> {
    let object = json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "PullThroughRule",
        "metadata": {"name": "quay", "uid": "r1"},
        "spec": {"upstreamRegistry": "quay", "environments": environments},
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

/// What is asked, and what of it is stopped.
fn asked<T: desired::Placed>(answers: &[Result<T, Stopped>]) -> Vec<Extent> {
    answers.iter().map(Extent::of).collect()
}

/// Sees that after `asked` has ended anyhow, and all but `kept` of what is left was released, nothing
/// else is missing.
fn nothing_is_lost(rows: &Rows, asked: &[Extent], kept: &[Index]) -> Result<(), TestCaseError> {
    let ledger = Ledger::of(rows.clone());
    let left: BTreeSet<TargetKey> = ledger.left(asked).into_iter().map(|it| it.0).collect();
    for extent in asked {
        prop_assert!(
            !left.iter().any(|it| extent.covers(it)),
            "{extent} is asked for"
        );
    }
    let mut released = left.clone();
    if !left.is_empty() {
        let kept = kept.iter().map(|it| it.index(left.len()));
        for at in kept {
            released.remove(left.iter().nth(at).unwrap());
        }
    }
    let ends = asked.iter().map(|extent| End {
        extent: extent.clone(),
        result: TargetState::Stopped,
    });
    let ends: Vec<End<TargetState>> = ends.collect();
    let after = ledger.merge(&ends, &released, |key, row, state| Target {
        state: *state,
        ..row.unwrap_or_else(|| Target::pending(key))
    });
    for (key, row) in rows.iter().filter(|(_, row)| row.is_recorded()) {
        let now = after.find(key).map(|it| &it.record);
        let before = (!released.contains(key)).then_some(&row.record);
        prop_assert_eq!(now, before, "{} of {:?}", key, asked);
    }
    for row in after.rows().filter(|it| !it.is_recorded()) {
        let key = row.key();
        prop_assert!(
            asked.iter().any(|it| it.covers(&key)),
            "{} says nothing",
            key
        );
    }
    Ok(())
}

proptest! {
    #[test]
    fn no_record_of_a_repository_is_lost(
        accounts in accounts(),
        environments in environments(),
        suspended in any::<bool>(),
        rows in rows(),
        kept in proptest::collection::vec(any::<Index>(), 0..3),
    ) {
        let object = repository(&environments, &json!({"suspend": suspended}));
        let older = repository(&[ENVIRONMENTS[1].to_owned()], &json!({"repositoryName": "payments/api"}));
        let repositories = vec![Arc::clone(&object), older];
        let world = world(&accounts, Objects { repositories, ..Objects::default() });
        let asked = asked(&desired::repository(&object, &world));
        nothing_is_lost(&rows, &asked, &kept)?;
    }

    #[test]
    fn no_record_of_a_cache_is_lost(
        accounts in accounts(),
        environments in environments(),
        rows in rows(),
        kept in proptest::collection::vec(any::<Index>(), 0..3),
    ) {
        let object = rule(&environments);
        let rules = vec![Arc::clone(&object)];
        let world = world(&accounts, Objects { rules, ..Objects::default() });
        let asked = asked(&desired::pull_through(&object, &world));
        nothing_is_lost(&rows, &asked, &kept)?;
    }

    #[test]
    fn environment_that_is_asked_for_is_never_left(
        accounts in accounts(),
        environments in environments(),
        rows in rows(),
    ) {
        let object = repository(&environments, &json!({}));
        let repositories = vec![Arc::clone(&object)];
        let world = world(&accounts, Objects { repositories, ..Objects::default() });
        let asked = asked(&desired::repository(&object, &world));
        for (key, _) in Ledger::of(rows).left(&asked) {
            let at = ENVIRONMENTS.iter().position(|it| *it == key.environment).unwrap();
            let is_elsewhere = key.region.as_deref() != Some(REGIONS[0]);
            let may_leave = match accounts[at] {
                Account::Usable => is_elsewhere,
                Account::Missing
                | Account::Suspended
                | Account::Leaving
                | Account::GrantsNothing
                | Account::Invalid => false,
            };
            prop_assert!(may_leave || !environments.contains(&key.environment), "{}", key);
        }
    }
}
