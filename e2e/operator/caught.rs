//! The safety catch where it is harder to see: in what caches had made, in indexes, and before the
//! archive.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::lifecycle::{POLICY, approve, delete, keep, pod, policy, push, waits};
use super::scene::{Scene, subject};
use super::{DEV, PROD, REGION, STAGE};

const HUB: &str = "pullthroughrules.ecr-operator.dev hub";
const CACHED: &str = "hub/library/redis";
const JOINS: &str = "hub/library/postgres";
const INDEXED: &str = "shop/multi";
const COLD: &str = "shop/cold";

#[tokio::test(flavor = "multi_thread")]
async fn the_safety_catch_holds_in_caches_in_indexes_and_before_the_archive() {
    let scene = Scene::set("caught").await;
    scene.namespace("shop").await;
    for name in [CACHED, "hub/library/nginx"] {
        create(&scene, name).await;
    }
    push(&scene, DEV, CACHED, 10).await;
    let mut operator = scene.operator("caught").await;
    let others = json!({"environments": ["stage", "prod"]}); // so that these are swept too
    scene.repository("shop/idle", others).await;
    scene.ready("shop/idle").await;

    a_cache_comes_to_rest_while_a_policy_waits_below_it(&scene).await;
    what_pods_use_by_the_upstreams_name_is_kept_in_the_cache(&scene).await;
    a_repository_that_joins_a_cache_asks_again(&scene).await;
    an_index_is_kept_while_a_pod_uses_an_image_of_it(&scene).await;
    what_pods_use_is_not_archived(&scene).await;
    what_would_leave_the_archive_for_good_is_over_budget_too(&scene).await;
    operator.alive().unwrap();
}

/// Creates a repository with the mark of those that the cache makes.
async fn create(scene: &Scene, name: &str) {
    let mark = json!([{"Key": "ecr-operator.dev/cache", "Value": "hub"}]);
    let create = json!({"repositoryName": name, "tags": mark});
    scene.by_hand(DEV, "CreateRepository", create).await;
}

/// A rule for Docker Hub in dev, home and replica, under the policy.
fn rule() -> Value {
    let credentials = [REGION, "eu-west-1"].map(|region| {
        let secret = "secret:ecr-pullthroughcache/docker-hub-x1Y2z3";
        let arn = format!("arn:aws:secretsmanager:{region}:{DEV}:{secret}");
        json!({"environment": "dev", "region": region, "secretArn": arn})
    });
    json!({
        "upstreamRegistry": "docker-hub",
        "ecrRepositoryPrefix": "hub",
        "environments": ["dev"],
        "credentials": credentials,
        "repositoryTemplate": {"lifecyclePolicyRef": {"name": "shrinking"}},
        "retrofit": "Enabled",
    })
}

async fn a_cache_comes_to_rest_while_a_policy_waits_below_it(scene: &Scene) {
    keep(scene, 5, json!({"maxExpiringPercent": 10})).await;
    let since = scene.now();
    scene.cache("hub", rule()).await;
    scene.because(HUB, "LifecycleOverBudget").await;
    let message = scene.message(HUB).await;
    for part in [
        "dev/eu-central-1",
        CACHED,
        "would expire 5 of 10 images (50.0 %)",
        "approvedHash",
    ] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    let expected = [
        "dev hub CreatePullThroughCacheRule",
        "dev hub CreatePullThroughCacheRule",
        "dev hub CreateRepositoryCreationTemplate",
        "dev hub CreateRepositoryCreationTemplate",
        "dev hub/library/nginx PutLifecyclePolicy", // there is nothing in it
        "dev hub/library/nginx TagResource",
        "dev hub/library/redis TagResource",
    ];
    scene.settles("one of two is held", since, &expected).await;
    assert_eq!(retrofit(scene, "held").await, "1");
    assert_eq!(retrofit(scene, "left").await, "0");
    waits(scene, POLICY, ".status.held", "1").await;
    scene.because(POLICY, "LifecycleOverBudget").await;

    let since = scene.now();
    scene.is_quiet().await;
    let entries = scene.stage.emulator.journal().since(since);
    let mut previews = entries.iter().filter(|it| it.operation.contains("Preview"));
    assert!(previews.next().is_none(), "what waits is not asked again");
}

async fn retrofit(scene: &Scene, field: &str) -> String {
    scene.target(HUB, &format!("record.retrofit.{field}")).await
}

/// Who approves does so for what nobody uses.
async fn what_pods_use_by_the_upstreams_name_is_kept_in_the_cache(scene: &Scene) {
    pod(scene, "queue", "redis:v1").await;
    scene.because(HUB, "ImageInUse").await;
    let since = scene.now();
    approve(scene, POLICY, "1").await;
    scene.settles("v1 is in use", since, &[]).await;
    scene.because(HUB, "ImageInUse").await;
    let message = scene.message(HUB).await;
    assert!(message.contains("is used by shop/queue"), "{message}");
    scene.because(POLICY, "ImageInUse").await;
    let since = scene.now();
    delete(scene, "queue").await;
    scene.ready(HUB).await;
    let expected = ["dev hub/library/redis PutLifecyclePolicy"];
    scene.settles("nobody uses it", since, &expected).await;
    scene.ready(POLICY).await;
}

/// The approval is of what was there.
async fn a_repository_that_joins_a_cache_asks_again(scene: &Scene) {
    let since = scene.now();
    create(scene, JOINS).await;
    push(scene, DEV, JOINS, 10).await;
    scene.because(HUB, "LifecycleOverBudget").await;
    let message = scene.message(HUB).await;
    assert!(message.contains(JOINS), "{message}");
    let owner = ["dev hub/library/postgres TagResource"];
    scene.settles("it is held", since, &owner).await;
    let since = scene.now();
    approve(scene, POLICY, "1").await;
    scene.ready(HUB).await;
    let expected = ["dev hub/library/postgres PutLifecyclePolicy"];
    scene.settles("it is approved", since, &expected).await;
}

async fn an_index_is_kept_while_a_pod_uses_an_image_of_it(scene: &Scene) {
    scene
        .repository(INDEXED, json!({"environments": ["stage"]}))
        .await;
    scene.ready(INDEXED).await;
    push(scene, STAGE, INDEXED, 2).await;
    let images =
        json!({"repositoryName": INDEXED, "imageIds": [{"imageTag": "v1"}, {"imageTag": "v2"}]});
    let images = scene.by_hand(STAGE, "BatchGetImage", images).await;
    let images = images["images"].as_array().unwrap();
    let digests = images.iter().map(|it| &it["imageId"]["imageDigest"]);
    let digests: Vec<&str> = digests.map(|it| it.as_str().unwrap()).collect();
    index(scene, &digests).await;

    let host = format!("{STAGE}.dkr.ecr.{REGION}.amazonaws.com");
    pod(scene, "arm", &format!("{host}/{INDEXED}@{}", digests[1])).await;
    scene.account_swept_twice(scene.now(), STAGE).await; // meanwhile the pod is known
    policy(
        scene,
        "daily",
        &[older_than_a_day()],
        json!({"maxExpiringPercent": 100}),
    )
    .await;
    scene
        .stage
        .emulator
        .clock()
        .advance(SignedDuration::from_hours(30));
    let since = scene.now();
    let with_policy = json!({"lifecyclePolicyRef": {"name": "daily"}});
    scene.edit(INDEXED, with_policy).await;
    scene.because(INDEXED, "ImageInUse").await;
    let message = scene.message(INDEXED).await;
    for part in ["all (sha256:", "would expire and is used by shop/arm"] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    let looks = scene.stage.emulator.journal().since(since);
    let mut looks = looks.iter().filter(|it| it.operation == "BatchGetImage");
    assert!(looks.any(|it| subject(it) == INDEXED), "the index is read");
    scene.settles("a pod uses an image of it", since, &[]).await;

    let since = scene.now();
    delete(scene, "arm").await;
    scene.ready(INDEXED).await;
    let expected = ["stage shop/multi PutLifecyclePolicy"];
    scene.settles("nobody uses it", since, &expected).await;
}

/// Pushes an index of these images with the tag `all`.
async fn index(scene: &Scene, digests: &[&str]) {
    let manifests = digests.iter().map(|digest| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": digest,
            "size": 2,
        })
    });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests.collect::<Vec<_>>(),
    });
    let image = json!({
        "repositoryName": INDEXED,
        "imageTag": "all",
        "imageManifest": manifest.to_string(),
    });
    scene.by_hand(STAGE, "PutImage", image).await;
}

fn older_than_a_day() -> Value {
    json!({
        "priority": 1,
        "selection": {
            "tagStatus": "any", "countType": "sinceImagePushed", "countNumber": 1, "countUnit": "days",
        },
        "action": {"type": "expire"},
    })
}

fn not_pulled_for_a_month() -> Value {
    json!({
        "priority": 1,
        "selection": {
            "tagStatus": "any", "countType": "sinceImagePulled", "countNumber": 30, "countUnit": "days",
        },
        "action": {"type": "transition", "targetStorageClass": "archive"},
    })
}

fn a_quarter_in_the_archive() -> Value {
    json!({
        "priority": 2,
        "selection": {
            "tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned",
            "countNumber": 90, "countUnit": "days",
        },
        "action": {"type": "expire"},
    })
}

/// Lets so many days pass for the images of the cold repository.
async fn days(scene: &Scene, days: i64) {
    let step = SignedDuration::from_hours(24 * days);
    scene.stage.emulator.clock().advance(step);
    let look = json!({"repositoryName": COLD});
    scene.by_hand(PROD, "DescribeImages", look).await;
}

async fn what_pods_use_is_not_archived(scene: &Scene) {
    scene
        .repository(COLD, json!({"environments": ["prod"]}))
        .await;
    scene.ready(COLD).await;
    push(scene, PROD, COLD, 4).await;
    days(scene, 40).await;
    let pull = json!({"repositoryName": COLD, "imageIds": [{"imageTag": "v4"}]});
    scene.by_hand(PROD, "BatchGetImage", pull).await;
    let host = format!("{PROD}.dkr.ecr.{REGION}.amazonaws.com");
    pod(scene, "old", &format!("{host}/{COLD}:v1")).await;
    scene.account_swept_twice(scene.now(), PROD).await; // meanwhile the pod is known
    policy(scene, "cold", &[not_pulled_for_a_month()], json!({})).await;
    let since = scene.now();
    let with_policy = json!({"lifecyclePolicyRef": {"name": "cold"}});
    scene.edit(COLD, with_policy).await;
    scene.because(COLD, "ImageInUse").await;
    let message = scene.message(COLD).await;
    assert!(message.contains("would be archived"), "{message}");
    delete(scene, "old").await;
    scene.ready(COLD).await;
    let found = ".status.targets[0].record.lifecycle";
    waits(scene, COLD, &format!("{found}.transitioning"), "3").await;
    waits(scene, COLD, &format!("{found}.expiring"), "0").await;
    let put = scene.wrote(since, PROD, "PutLifecyclePolicy").await;
    assert_eq!(subject(&put), COLD);
    days(scene, 2).await;
    let archived = json!({"repositoryName": COLD, "filter": {"imageStatus": "ARCHIVED"}});
    let archived = scene.by_hand(PROD, "ListImages", archived).await;
    assert_eq!(archived["imageIds"].as_array().unwrap().len(), 3);
}

async fn what_would_leave_the_archive_for_good_is_over_budget_too(scene: &Scene) {
    days(scene, 91).await;
    let since = scene.now();
    let rules = [not_pulled_for_a_month(), a_quarter_in_the_archive()];
    policy(scene, "cold", &rules, json!({})).await;
    scene.because(COLD, "LifecycleOverBudget").await;
    let message = scene.message(COLD).await;
    let counts = "would expire 3 of 4 images (75.0 %)";
    assert!(message.contains(counts), "{message}");
    let of_it = scene.writes(since);
    assert!(of_it.iter().all(|it| subject(it) != COLD), "{of_it:?}");
    approve(scene, "lifecyclepolicies.ecr-operator.dev cold", "1").await;
    scene.ready(COLD).await;
    scene.wrote(since, PROD, "PutLifecyclePolicy").await;
}
