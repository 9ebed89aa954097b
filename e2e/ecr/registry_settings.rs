//! What a registry has only one of, read and written by the real SDK: what it does not know has to
//! come back as it was.

use std::collections::BTreeSet;

use ecr_operator::commands::demo::hand::Hand;
use ecr_operator::domain::owner::Owner;
use ecr_operator::domain::registry::{
    Change, Desired, Part, Record, Replication, Setting, plan, replicates,
};
use ecr_operator::domain::repository::Management;
use ecr_operator::ecr::Drift;
use serde_json::{Value, json};

use super::*;

fn hand(emulator: &Emulator) -> Hand<'_> {
    Hand {
        emulator,
        account: PROD,
        region: HERE,
    }
}

/// A rule that somebody made, with a field that the SDK has no name for.
fn theirs() -> Value {
    json!({
        "destinations": [{"region": "eu-west-1", "registryId": PROD}],
        "repositoryFilters": [{"filter": "theirs/", "filterType": "PREFIX_MATCH"}],
        "deleteReplication": {"enabled": true},
    })
}

fn desired() -> Desired {
    let owner = Owner {
        cluster: "east".parse().unwrap(),
        object: "payments/api".to_owned(),
        uid: "u1".to_owned(),
    };
    Desired {
        replication: Replication {
            destinations: BTreeSet::from([registry_name(PROD, THERE)]),
            wanted: BTreeMap::from([(name("payments/api"), owner)]),
            kept: BTreeSet::new(),
        },
        ..Desired::nothing(Management::Manage)
    }
}

#[tokio::test]
async fn a_field_that_the_sdk_does_not_know_is_there_after_we_have_written() {
    let emulator = emulator("").await;
    let configuration = json!({"replicationConfiguration": {"rules": [theirs()]}});
    hand(&emulator)
        .ecr("PutReplicationConfiguration", &configuration)
        .await
        .unwrap();
    let registry = registry(&emulator, HERE).await;
    let parts = BTreeSet::from([Part::Replication]);
    let observed = registry.settings(&parts).await.unwrap();
    let document = observed.replication.as_ref().unwrap();
    assert_eq!(document["rules"], json!([theirs()]));
    let plan = plan(&desired(), &Record::default(), &observed);
    let since = emulator.journal().last();
    for change in &plan.changes {
        registry.apply_setting(change).await.unwrap();
    }
    assert_eq!(
        operations(&emulator, since),
        ["PutReplicationConfiguration"]
    );
    let now = registry
        .settings(&parts)
        .await
        .unwrap()
        .replication
        .unwrap();
    assert_eq!(now["rules"][0], theirs());
    assert!(replicates(
        &now,
        &name("payments/api"),
        &registry_name(PROD, THERE)
    ));
    let there = registry_name(PROD, THERE);
    assert_eq!(
        registry.replicates(&name("payments/api"), &there),
        Some(true)
    );
    let by_hand = hand(&emulator).ecr("DescribeRegistry", &json!({})).await;
    assert_eq!(
        by_hand.unwrap()["replicationConfiguration"]["rules"][0],
        theirs()
    );
}

#[tokio::test]
async fn each_change_is_one_call_and_done_twice_is_done() {
    let emulator = emulator("").await;
    let registry = registry(&emulator, HERE).await;
    let scanner = format!("arn:aws:iam::{PROD}:role/scanner");
    let profile = format!("arn:aws:signer:{HERE}:{PROD}:/signing-profiles/images");
    let policy = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Sid": "Ours",
            "Effect": "Allow",
            "Principal": {"AWS": "111111111111"},
            "Action": "ecr:ReplicateImage",
            "Resource": "*",
        }],
    });
    let scanning = json!({"scanType": "ENHANCED", "rules": [{
        "scanFrequency": "CONTINUOUS_SCAN",
        "repositoryFilters": [{"filter": "prod-*", "filterType": "WILDCARD"}],
    }]});
    let signing = json!({"rules": [{"signingProfileArn": profile}]});
    let changes = [
        Change::PutReplicationConfiguration(json!({"rules": [theirs()]})),
        Change::PutRegistryScanningConfiguration(scanning.clone()),
        Change::PutSigningConfiguration(signing.clone()),
        Change::PutRegistryPolicy(policy.to_string()),
        Change::PutAccountSetting(Setting::BlobMounting, "ENABLED"),
        Change::RegisterPullTimeUpdateExclusion(scanner.clone()),
    ];
    let parts: BTreeSet<Part> = changes.iter().map(Change::part).collect();
    let before = registry.settings(&parts).await.unwrap();
    for change in &changes {
        let since = emulator.journal().last();
        registry.apply_setting(change).await.unwrap();
        registry.apply_setting(change).await.unwrap();
        assert_eq!(operations(&emulator, since), [change.operation(); 2]);
    }
    let put = registry.settings(&parts).await.unwrap();
    assert_eq!(put.scanning, Some(scanning));
    assert_eq!(put.exclusions, Some(BTreeSet::from([scanner.clone()])));
    assert_eq!(put.settings[&Setting::BlobMounting], "ENABLED");
    let back = [
        Change::DeleteSigningConfiguration,
        Change::DeleteRegistryPolicy,
        Change::DeregisterPullTimeUpdateExclusion(scanner),
    ];
    for change in &back {
        let since = emulator.journal().last();
        registry.apply_setting(change).await.unwrap();
        registry.apply_setting(change).await.unwrap();
        assert_eq!(operations(&emulator, since), [change.operation(); 2]);
    }
    let gone = registry.settings(&parts).await.unwrap();
    assert_eq!((gone.signing, gone.policy), (before.signing, before.policy));
    assert_eq!(gone.exclusions, before.exclusions);
}

#[tokio::test]
async fn what_was_read_is_kept_until_it_is_read_again() {
    let emulator = emulator("").await;
    let registry = registry(&emulator, HERE).await;
    let parts = BTreeSet::from([Part::Replication, Part::Policy]);
    let since = emulator.journal().last();
    for _ in 0..3 {
        registry.settings(&parts).await.unwrap();
    }
    assert_eq!(operations(&emulator, since).len(), 2, "each is read once");
    let since = emulator.journal().last();
    let hour = std::time::Duration::from_hours(1);
    assert_eq!(registry.refresh_settings(hour).await.unwrap(), Drift::None);
    assert_eq!(
        operations(&emulator, since),
        ["DescribeRegistry"],
        "policies less often"
    );
    let configuration = json!({"replicationConfiguration": {"rules": [theirs()]}});
    hand(&emulator)
        .ecr("PutReplicationConfiguration", &configuration)
        .await
        .unwrap();
    assert_eq!(registry.refresh_settings(hour).await.unwrap(), Drift::Some);
    // What nobody asks about any more is forgotten, and read no more.
    registry.settings(&BTreeSet::new()).await.unwrap();
    let since = emulator.journal().last();
    registry
        .refresh_settings(std::time::Duration::ZERO)
        .await
        .unwrap();
    assert_eq!(operations(&emulator, since), [""; 0]);
}
