use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::model::{US, World, asked, destination, statement};
use super::*;

mod replication;

fn nothing() -> Desired {
    Desired::nothing(Management::Manage)
}

fn replicated(names: &[&str]) -> Desired {
    Desired {
        replication: Replication {
            destinations: BTreeSet::from([destination(US)]),
            wanted: asked(names),
            kept: BTreeSet::new(),
        },
        ..nothing()
    }
}

fn replicating(rules: &Value) -> World {
    World {
        replication: json!({"rules": rules}),
        ..World::empty()
    }
}

fn to(region: &str, filters: &[&str]) -> Value {
    let filter = |it: &&str| json!({"filter": it, "filterType": "PREFIX_MATCH"});
    let filters: Vec<Value> = filters.iter().map(filter).collect();
    json!({
        "destinations": [{"region": region, "registryId": "333333333333"}],
        "repositoryFilters": filters,
    })
}

fn rules(of: &[(&str, &[&str])]) -> Rules {
    let owned = |(key, filters): &(&str, &[&str])| {
        let filters = filters.iter().map(|it| (*it).to_owned()).collect();
        ((*key).to_owned(), filters)
    };
    of.iter().map(owned).collect()
}

fn check(desired: &Desired, record: &Record, world: &World, expected: &Expect) -> Plan {
    let plan = plan(desired, record, &world.observed());
    let changes = plan.changes.iter().map(|it| match it {
        Change::PutReplicationConfiguration(it)
        | Change::PutRegistryScanningConfiguration(it)
        | Change::PutSigningConfiguration(it) => it.to_string(),
        Change::PutRegistryPolicy(text) => text.clone(),
        Change::PutAccountSetting(setting, value) => format!("{setting}={value}"),
        Change::RegisterPullTimeUpdateExclusion(arn)
        | Change::DeregisterPullTimeUpdateExclusion(arn) => arn.clone(),
        Change::DeleteRegistryPolicy | Change::DeleteSigningConfiguration => String::new(),
    });
    let changes = changes
        .zip(&plan.changes)
        .map(|(with, it)| format!("{} {with}\n", it.operation()));
    let refusals = plan.refusals.iter().map(|it| format!("! {it}\n"));
    expected.assert_eq(&changes.chain(refusals).collect::<String>());
    plan
}

#[test]
fn quotas_are_counted_with_what_others_have_and_nothing_is_written_beyond_them() {
    let theirs: Vec<Value> = (0..10)
        .map(|it| to("us-east-1", &[&format!("t{it}")]))
        .collect();
    let record = Record {
        replication: rules(&[("333333333333/us-east-1", &["t3"])]),
        ..Record::default()
    };
    check(
        &replicated(&["shop/api"]),
        &Record::default(),
        &replicating(&json!(theirs)),
        &expect![[r#"
            ! replication: with those of others there would be 11 rules, and ECR allows 10: ask for less, or take out what others no longer need
        "#]],
    );
    // What is no longer wanted makes room.
    let plan = plan(
        &replicated(&["shop/api"]),
        &record,
        &replicating(&json!(theirs)).observed(),
    );
    assert_eq!((plan.changes.len(), plan.refusals.len()), (1, 0));

    let far: Vec<Value> = (0..25)
        .map(|it| to(&format!("eu-north-{it}"), &["t"]))
        .collect();
    let refused = super::plan(
        &replicated(&["shop/api"]),
        &Record::default(),
        &replicating(&json!(far[..9].to_vec())).observed(),
    );
    assert_eq!(refused.refusals, [], "ten rules, ten destinations");
    let all: Vec<Value> = far.iter().map(|it| it["destinations"][0].clone()).collect();
    let mut one = to("us-east-1", &["t"]);
    one["destinations"] = json!(all);
    check(
        &replicated(&["shop/api"]),
        &Record::default(),
        &replicating(&json!([one])),
        &expect![[r#"
            ! replication: with those of others there would be 26 destinations, and ECR allows 25: ask for less, or take out what others no longer need
        "#]],
    );
}

#[test]
fn a_document_of_another_form_is_not_written_over() {
    check(
        &replicated(&["shop/api"]),
        &Record::default(),
        &replicating(&json!({"v2": []})),
        &expect![[r#"
            ! replication: what is there cannot be read, so that nothing is written over it
        "#]],
    );
}

#[test]
fn a_scan_filter_joins_the_one_rule_of_its_frequency() {
    let desired = Desired {
        scanning: rules(&[("SCAN_ON_PUSH", &["prod-*"])]),
        ..nothing()
    };
    let world = World {
        scanning: json!({"scanType": "ENHANCED", "rules": [{
            "scanFrequency": "SCAN_ON_PUSH",
            "repositoryFilters": [{"filter": "theirs*", "filterType": "WILDCARD"}],
        }]}),
        ..World::empty()
    };
    let plan = check(
        &desired,
        &Record::default(),
        &world,
        &expect![[r#"
            PutRegistryScanningConfiguration {"rules":[{"repositoryFilters":[{"filter":"theirs*","filterType":"WILDCARD"},{"filter":"prod-*","filterType":"WILDCARD"}],"scanFrequency":"SCAN_ON_PUSH"}],"scanType":"ENHANCED"}
        "#]],
    );
    assert_eq!(plan.record.scanning, desired.scanning);
}

#[test]
fn a_scan_type_that_a_rule_of_somebody_else_does_not_go_with_is_refused() {
    let desired = Desired {
        scan_type: Some("BASIC"),
        ..nothing()
    };
    let world = World {
        scanning: json!({"scanType": "ENHANCED", "rules": [{
            "scanFrequency": "CONTINUOUS_SCAN",
            "repositoryFilters": [{"filter": "*", "filterType": "WILDCARD"}],
        }]}),
        ..World::empty()
    };
    check(
        &desired,
        &Record::default(),
        &world,
        &expect![[r#"
            ! registry.scanning: a rule of frequency CONTINUOUS_SCAN does not go with scan type BASIC: change scanType, or take the rule out, whoever made it
        "#]],
    );
}

#[test]
fn a_statement_is_added_beside_those_of_others_which_stay_as_they_are() {
    let (sid, ours) = statement("east", "Replicate", "444444444444");
    assert_eq!(sid, "EcrOperator6bdb262bReplicate");
    let desired = Desired {
        statements: BTreeMap::from([(sid.clone(), ours)]),
        ..nothing()
    };
    let theirs = r#"{"Version":"2008-10-17","Statement":{"Sid":"Theirs","Effect":"Deny","Principal":"*","Action":"ecr:DeleteRepository","Resource":"*"}}"#;
    let mut world = World {
        policy: Some(theirs.to_owned()),
        ..World::empty()
    };
    let plan = check(
        &desired,
        &Record::default(),
        &world,
        &expect![[r#"
            PutRegistryPolicy {"Statement":[{"Action":"ecr:DeleteRepository","Effect":"Deny","Principal":"*","Resource":"*","Sid":"Theirs"},{"Action":["ecr:ReplicateImage"],"Effect":"Allow","Principal":{"AWS":["444444444444"]},"Resource":["arn:aws:ecr:eu-central-1:333333333333:repository/*"],"Sid":"EcrOperator6bdb262bReplicate"}],"Version":"2008-10-17"}
        "#]],
    );
    // ECR writes it in its own way, which is no difference.
    world.apply(&plan.changes[0]);
    let spelled = world
        .policy
        .unwrap()
        .replace(r#"["444444444444"]"#, r#""arn:aws:iam::444444444444:root""#);
    world.policy = Some(spelled);
    check(&desired, &plan.record, &world, &expect![""]);
    // Nobody wants it any more.
    check(
        &nothing(),
        &plan.record,
        &world,
        &expect![[r#"
            PutRegistryPolicy {"Statement":[{"Action":"ecr:DeleteRepository","Effect":"Deny","Principal":"*","Resource":"*","Sid":"Theirs"}],"Version":"2008-10-17"}
        "#]],
    );
    let record = Record {
        sids: BTreeSet::from(["Theirs".to_owned(), sid]),
        ..Record::default()
    };
    check(
        &nothing(),
        &record,
        &world,
        &expect![[r#"
            DeleteRegistryPolicy 
        "#]],
    );
}

#[test]
fn a_policy_longer_than_ecr_takes_is_refused_before_the_call() {
    let (sid, ours) = statement("east", "Replicate", "444444444444");
    let desired = Desired {
        statements: BTreeMap::from([(sid, ours)]),
        ..nothing()
    };
    let long = format!(
        r#"{{"Version":"2012-10-17","Id":"{}","Statement":[]}}"#,
        "x".repeat(10_100)
    );
    let world = World {
        policy: Some(long),
        ..World::empty()
    };
    let plan = plan(&desired, &Record::default(), &world.observed());
    assert_eq!(plan.changes, []);
    assert!(matches!(
        plan.refusals[..],
        [Refusal::TooMany {
            field: "registry.policyStatements",
            most: 10_240,
            ..
        }]
    ));
}

#[test]
fn only_exclusions_of_ours_are_taken_out() {
    let desired = Desired {
        exclusions: BTreeSet::from(["arn:new".to_owned(), "arn:theirs".to_owned()]),
        ..nothing()
    };
    let record = Record {
        exclusions: BTreeSet::from(["arn:old".to_owned(), "arn:gone".to_owned()]),
        ..Record::default()
    };
    let is = ["arn:old", "arn:theirs", "arn:others"].map(str::to_owned);
    let world = World {
        exclusions: BTreeSet::from(is),
        ..World::empty()
    };
    let plan = check(
        &desired,
        &record,
        &world,
        &expect![[r#"
            DeregisterPullTimeUpdateExclusion arn:old
            RegisterPullTimeUpdateExclusion arn:new
        "#]],
    );
    assert_eq!(
        plan.record.exclusions,
        BTreeSet::from(["arn:new".to_owned()])
    );
}

#[test]
fn only_what_is_asked_about_is_read() {
    let record = Record::default();
    assert_eq!(nothing().parts(&record), BTreeSet::new());
    let desired = Desired {
        settings: BTreeMap::from([(Setting::BlobMounting, "ENABLED")]),
        ..replicated(&["shop/api"])
    };
    let parts = BTreeSet::from([Part::Replication, Part::Setting(Setting::BlobMounting)]);
    assert_eq!(desired.parts(&record), parts);
    let record = Record {
        sids: BTreeSet::from(["EcrOperatorX".to_owned()]),
        ..record
    };
    assert_eq!(nothing().parts(&record), BTreeSet::from([Part::Policy]));
}
