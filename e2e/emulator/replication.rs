//! Replication between regions and accounts.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{
    ImageIdentifier, ImageTagMutability, RctAppliedFor, ReplicationConfiguration,
    ReplicationDestination, ReplicationRule,
};
use ecr_operator::emulator::Emulator;
use serde_json::json;

use super::{DEV, PROD, REGION, ecr, plain, raw, seeded};

const SEED: &str = r#"
accounts:
  "111111111111":
    registries:
      eu-central-1:
        repositories:
          web:
            images: [{tags: ["1"]}, {tags: [other]}]
"#;

fn destination(account: &str, region: &str) -> ReplicationDestination {
    ReplicationDestination::builder()
        .registry_id(account)
        .region(region)
        .build()
        .unwrap()
}

async fn replicate_to(client: &Client, destination: ReplicationDestination) {
    let rule = ReplicationRule::builder()
        .destinations(destination)
        .build()
        .unwrap();
    let configuration = ReplicationConfiguration::builder()
        .rules(rule)
        .build()
        .unwrap();
    client
        .put_replication_configuration()
        .replication_configuration(configuration)
        .send()
        .await
        .unwrap();
}

/// Pushes image 1 once more, under another tag, and tells what became of its replication.
async fn push(client: &Client, tag: &str) -> String {
    let id = ImageIdentifier::builder().image_tag("1").build();
    let got = client
        .batch_get_image()
        .repository_name("web")
        .image_ids(id)
        .send()
        .await
        .unwrap();
    let manifest = got.images()[0].image_manifest().unwrap();
    let put = client
        .put_image()
        .repository_name("web")
        .image_manifest(manifest)
        .image_tag(tag);
    put.send().await.unwrap();
    let id = ImageIdentifier::builder().image_tag(tag).build();
    let told = client
        .describe_image_replication_status()
        .repository_name("web")
        .image_id(id);
    let told = told.send().await.unwrap();
    let status = &told.replication_statuses()[0];
    format!(
        "{} {}",
        status.status().unwrap().as_str(),
        status.failure_code().unwrap_or("-")
    )
}

async fn tags(emulator: &Emulator, account: &str, region: &str) -> Vec<String> {
    let there = ecr(emulator, plain(account), region);
    let listed = there
        .list_images()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    listed
        .image_ids()
        .iter()
        .filter_map(|it| it.image_tag().map(str::to_owned))
        .collect()
}

#[tokio::test]
async fn a_push_is_copied_to_another_region_and_a_backfill_brings_the_rest() {
    let emulator = seeded(SEED).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    replicate_to(&dev, destination(DEV, "eu-west-1")).await;
    assert_eq!(push(&dev, "2").await, "COMPLETE -");
    assert_eq!(tags(&emulator, DEV, "eu-west-1").await, ["2"]);
    let begun = dev
        .start_replication_backfill()
        .destination(destination(DEV, "eu-west-1"));
    let id = begun.send().await.unwrap().replication_backfill_id.unwrap();
    emulator.clock().advance(jiff::SignedDuration::from_secs(2));
    let told = dev
        .describe_replication_backfill_results()
        .replication_backfill_id(id)
        .send()
        .await;
    assert_eq!(told.unwrap().status().unwrap().as_str(), "COMPLETE");
    assert_eq!(tags(&emulator, DEV, "eu-west-1").await, ["1", "2", "other"]);
}

#[tokio::test]
async fn another_account_must_allow_it_in_its_registry_policy() {
    let emulator = seeded(SEED).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    replicate_to(&dev, destination(PROD, REGION)).await;
    assert_eq!(push(&dev, "2").await, "FAILED AccessDenied");
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"AWS": format!("arn:aws:iam::{DEV}:root")},
        "Action": ["ecr:ReplicateImage", "ecr:CreateRepository"],
        "Resource": format!("arn:aws:ecr:{REGION}:{PROD}:repository/*"),
    }]});
    let prod = ecr(&emulator, plain(PROD), REGION);
    prod.put_registry_policy()
        .policy_text(policy.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(push(&dev, "3").await, "COMPLETE -");
    assert_eq!(tags(&emulator, PROD, REGION).await, ["3"]);
}

#[tokio::test]
async fn an_image_arrives_without_its_tag_where_that_cannot_be_moved() {
    let emulator = seeded(SEED).await;
    let there = ecr(&emulator, plain(DEV), "eu-west-1");
    let dev = ecr(&emulator, plain(DEV), REGION);
    replicate_to(&dev, destination(DEV, "eu-west-1")).await;
    push(&dev, "2").await;
    there
        .put_image_tag_mutability()
        .repository_name("web")
        .image_tag_mutability(ImageTagMutability::Immutable)
        .send()
        .await
        .unwrap();
    let id = ImageIdentifier::builder().image_tag("other").build();
    let got = dev
        .batch_get_image()
        .repository_name("web")
        .image_ids(id)
        .send()
        .await
        .unwrap();
    let manifest = got.images()[0].image_manifest().unwrap();
    let put = dev
        .put_image()
        .repository_name("web")
        .image_manifest(manifest)
        .image_tag("2");
    put.send().await.unwrap();
    let listed = there
        .describe_images()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    let mut tags: Vec<_> = listed
        .image_details()
        .iter()
        .map(|it| it.image_tags().len())
        .collect();
    tags.sort_unstable();
    assert_eq!(tags, [0, 1]);
}

#[tokio::test]
async fn a_replica_is_made_by_the_template_of_its_destination() {
    let emulator = seeded(SEED).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let there = ecr(&emulator, plain(DEV), "eu-west-1");
    there
        .create_repository_creation_template()
        .prefix("ROOT")
        .applied_for(RctAppliedFor::Replication)
        .image_tag_mutability(ImageTagMutability::Immutable)
        .send()
        .await
        .unwrap();
    replicate_to(&dev, destination(DEV, "eu-west-1")).await;
    push(&dev, "2").await;
    let made = there.describe_repositories().repository_names("web").send();
    let made = made.await.unwrap();
    let mutability = made.repositories()[0].image_tag_mutability();
    assert_eq!(mutability, Some(&ImageTagMutability::Immutable));
}

#[tokio::test]
async fn what_is_deleted_is_deleted_in_replicas_only_where_a_rule_says_so() {
    for (enabled, left) in [(false, vec!["2", "3"]), (true, vec!["3"])] {
        let emulator = seeded(SEED).await;
        let dev = ecr(&emulator, plain(DEV), REGION);
        let rules = json!({"replicationConfiguration": {"rules": [{
            "destinations": [{"region": "eu-west-1", "registryId": DEV}],
            "deleteReplication": {"enabled": enabled},
        }]}});
        raw(&emulator, "PutReplicationConfiguration", &rules).await;
        push(&dev, "2").await;
        push(&dev, "3").await;
        let id = ImageIdentifier::builder().image_tag("2").build();
        let deleted = dev
            .batch_delete_image()
            .repository_name("web")
            .image_ids(id);
        assert!(deleted.send().await.unwrap().failures().is_empty());
        assert_eq!(tags(&emulator, DEV, "eu-west-1").await, left);
    }
}
