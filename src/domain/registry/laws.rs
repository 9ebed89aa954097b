//! Laws of every plan, over registries and wishes that nobody thought of: what others have in a
//! document survives (E6), and two who manage one registry come to rest (F20).

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::model::{EU, Manager, US, World, asked, destination, statement};
use super::*;

const NAMES: [&str; 6] = ["ab", "ab/c", "ab-d", "cd", "cd/e", "ef"];
const PROFILES: [&str; 2] = ["arn:signer:one", "arn:signer:two"];
const ARNS: [&str; 4] = ["arn:role/a", "arn:role/b", "arn:role/c", "arn:role/d"];

fn some_of<const N: usize>(of: [&'static str; N]) -> impl Strategy<Value = BTreeSet<String>> {
    btree_set(proptest::sample::select(of.to_vec()), 0..N)
        .prop_map(|it| it.into_iter().map(str::to_owned).collect())
}

fn filters() -> impl Strategy<Value = BTreeSet<String>> {
    btree_set("[a-e]{2}\\*", 1..4)
}

fn rules(keys: Vec<&'static str>) -> impl Strategy<Value = Rules> {
    btree_map(proptest::sample::select(keys), filters(), 0..3).prop_map(|it| {
        it.into_iter()
            .map(|(key, it)| (key.to_owned(), it))
            .collect()
    })
}

fn replication() -> impl Strategy<Value = Replication> {
    (some_of([EU, US]), some_of(NAMES), some_of(NAMES)).prop_map(|(to, wanted, kept)| {
        let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
        Replication {
            destinations: to.iter().map(|it| destination(it)).collect(),
            wanted: asked(&wanted),
            kept: kept.iter().map(|it| it.parse().unwrap()).collect(),
        }
    })
}

/// Wishes of a cluster. Account-wide values are of no owner: two clusters that manage one registry
/// have to agree on them, so all here do.
fn desired(cluster: &'static str) -> impl Strategy<Value = Desired> {
    let statements = btree_map("[A-C]", "[12]{12}", 0..3).prop_map(move |it| {
        let statements = it.into_iter();
        statements
            .map(|(name, account)| statement(cluster, &name, &account))
            .collect()
    });
    let parts = (
        replication(),
        rules(vec!["SCAN_ON_PUSH", "CONTINUOUS_SCAN"]),
    );
    (
        parts,
        statements,
        some_of(ARNS),
        rules(PROFILES.to_vec()),
        any::<bool>(),
    )
        .prop_map(
            |((replication, scanning), statements, exclusions, signing, mounts)| Desired {
                replication,
                scan_type: Some("ENHANCED"),
                scanning,
                statements,
                settings: mounts
                    .then_some((Setting::BlobMounting, "ENABLED"))
                    .into_iter()
                    .collect(),
                exclusions,
                signing,
                ..Desired::nothing(Management::Manage)
            },
        )
}

fn foreign_rule(key: Value, kind: &'static str) -> impl Strategy<Value = Value> {
    let unknown = option::of(Just(json!({"enabled": true})));
    (filters(), unknown).prop_map(move |(filters, unknown)| {
        let filters: Vec<Value> = filters
            .iter()
            .map(|it| json!({"filter": it.trim_end_matches('*'), "filterType": kind}))
            .collect();
        let mut rule = key.clone();
        rule["repositoryFilters"] = json!(filters);
        if let Some(unknown) = unknown {
            rule["deleteReplication"] = unknown;
        }
        rule
    })
}

/// A registry in which others have something everywhere.
fn world() -> impl Strategy<Value = World> {
    let to = json!({"destinations": [{"region": "us-west-2", "registryId": "333333333333"}]});
    let replication = vec(foreign_rule(to, "PREFIX_MATCH"), 0..3);
    let scanning = vec(
        foreign_rule(json!({"scanFrequency": "SCAN_ON_PUSH"}), "WILDCARD"),
        0..2,
    );
    let profile = json!({"signingProfileArn": PROFILES[0]});
    let signing = option::of(vec(foreign_rule(profile, "WILDCARD_MATCH"), 1..3));
    let policy = option::of(Just(
        r#"{"Version":"2008-10-17","Id":"x","Statement":{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"ecr:DeleteRepository","Resource":"*","Odd":1}}"#,
    ));
    (replication, scanning, signing, policy, some_of(ARNS)).prop_map(
        |(replication, scanning, signing, policy, exclusions)| World {
            replication: json!({"rules": replication, "newer": 1}),
            scanning: json!({"scanType": "ENHANCED", "rules": scanning, "newer": 1}),
            signing: signing.map(|it| json!({"rules": it, "newer": 1})),
            policy: policy.map(str::to_owned),
            exclusions,
            ..World::empty()
        },
    )
}

/// Everything in a world that somebody put there, one line for each.
fn lines(world: &World) -> BTreeSet<String> {
    let of_rules = |name: &str, document: &Value| {
        let rules = document["rules"].as_array().cloned().unwrap_or_default();
        let lines = rules.into_iter().flat_map(|mut rule| {
            let filters = rule["repositoryFilters"].take();
            let filters = filters.as_array().cloned().unwrap_or_default();
            filters.into_iter().map(move |it| format!("{rule} {it}"))
        });
        lines.map(|it| format!("{name} {it}")).collect::<Vec<_>>()
    };
    let policy: Value = world
        .policy
        .as_deref()
        .map_or(Value::Null, |it| serde_json::from_str(it).unwrap());
    let statements = match &policy["Statement"] {
        Value::Array(list) => list.clone(),
        Value::Null => Vec::new(),
        one => vec![one.clone()],
    };
    let statements = statements.into_iter().map(|it| it.to_string());
    let exclusions = world.exclusions.iter().cloned();
    let signing = world.signing.clone().unwrap_or_default();
    of_rules("replication", &world.replication)
        .into_iter()
        .chain(of_rules("scanning", &world.scanning))
        .chain(of_rules("signing", &signing))
        .chain(statements)
        .chain(exclusions)
        .collect()
}

fn manager(desired: Desired) -> Manager {
    Manager {
        desired,
        record: Record::default(),
    }
}

proptest! {
    #[test]
    fn a_plan_settles_and_stays_settled(desired in desired("east"), world in world()) {
        let (mut manager, mut world) = (manager(desired), world);
        manager.reconcile(&mut world);
        let after = manager.reconcile(&mut world);
        prop_assert_eq!(&after.changes, &[]);
        if after.refusals.is_empty() {
            prop_assert_eq!(&after.differences, &[]);
        }
    }

    #[test]
    fn what_others_have_survives_and_so_do_fields_that_nobody_knows(
        wishes in vec(desired("east"), 1..4), world in world(),
    ) {
        let (before, mut world) = (lines(&world), world);
        let mut manager = manager(Desired::nothing(Management::Manage));
        for desired in wishes {
            manager.desired = desired;
            manager.reconcile(&mut world);
            let now = lines(&world);
            prop_assert!(before.is_subset(&now), "{:?} of {now:?}", before.difference(&now));
            prop_assert_eq!(&world.replication["newer"], &json!(1));
            prop_assert_eq!(&world.scanning["newer"], &json!(1));
        }
    }

    #[test]
    fn what_nobody_wants_any_more_goes_and_nothing_else(
        wishes in vec(desired("east"), 1..4), world in world(),
    ) {
        let (before, mut world) = (lines(&world), world);
        let mut manager = manager(Desired::nothing(Management::Manage));
        for desired in wishes {
            manager.desired = desired;
            manager.reconcile(&mut world);
        }
        manager.desired = Desired::nothing(Management::Manage);
        manager.reconcile(&mut world);
        prop_assert_eq!(lines(&world), before);
        prop_assert_eq!(&manager.record, &Record::default());
    }

    #[test]
    fn a_crash_after_any_call_ends_in_the_same_world(
        first in desired("east"), then in desired("east"), world in world(),
    ) {
        let (mut manager, mut world) = (manager(first), world);
        manager.reconcile(&mut world);
        manager.desired = then;
        let plan = plan(&manager.desired, &manager.record, &world.observed());
        for calls in 0..=plan.changes.len() {
            let (mut crashed, mut whole) = (world.clone(), world.clone());
            plan.changes[..calls].iter().for_each(|it| crashed.apply(it));
            let mut restarted = Manager { record: plan.intent.clone(), ..manager.clone() };
            restarted.reconcile(&mut crashed);
            let mut through = manager.clone();
            through.reconcile(&mut whole);
            prop_assert_eq!(&crashed, &whole);
            prop_assert_eq!(&restarted.record, &through.record);
        }
    }

    /// F20: what both want is there once, and nobody takes it from the other.
    #[test]
    fn two_clusters_that_manage_one_registry_come_to_rest(
        one in desired("east"), other in desired("west"), world in world(),
    ) {
        let (mut one, mut other, mut world) = (manager(one), manager(other), world);
        for _ in 0..2 {
            one.reconcile(&mut world);
            other.reconcile(&mut world);
        }
        let (a, b) = (one.reconcile(&mut world), other.reconcile(&mut world));
        prop_assert_eq!(&a.changes, &[]);
        prop_assert_eq!(&b.changes, &[]);
        // When the one lets go, the other has all that it wants, at the latest the next time.
        one.desired = Desired::nothing(Management::Manage);
        one.reconcile(&mut world);
        other.reconcile(&mut world);
        let settled = other.reconcile(&mut world);
        prop_assert_eq!(&settled.changes, &[]);
        if settled.refusals.is_empty() {
            prop_assert_eq!(&settled.differences, &[]);
        }
    }

    /// F21: whatever is done to our part between two looks, the next puts it back beside theirs.
    #[test]
    fn what_others_do_between_two_looks_survives_the_repair(
        desired in desired("east"), before in world(), after in world(),
    ) {
        let (mut manager, mut world) = (manager(desired), before);
        manager.reconcile(&mut world);
        let theirs = lines(&after);
        world = after; // somebody has put whole documents without ours
        manager.reconcile(&mut world);
        prop_assert!(theirs.is_subset(&lines(&world)));
        let settled = manager.reconcile(&mut world);
        prop_assert_eq!(&settled.changes, &[]);
    }

    #[test]
    fn an_observer_writes_nothing(desired in desired("east"), world in world()) {
        let desired = Desired { management: Management::Observe, ..desired };
        let observed = plan(&desired, &Record::default(), &world.observed());
        prop_assert_eq!(&observed.changes, &[]);
        prop_assert_eq!(&observed.record, &Record::default());
    }
}
