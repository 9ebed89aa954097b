//! An approval of a lifecycle policy covers what a person has seen: these rules, these repositories, and
//! about as many images. Everything else asks again.

use serde_json::{Value, json};

use super::lifecycle::{POLICY, approve, keep, push, push_each, rules, shown, waits};
use super::scene::Scene;
use super::{PROD, STAGE};

const FIRST: &str = "shop/api";
const SECOND: &str = "shop/web";

#[tokio::test(flavor = "multi_thread")]
async fn approval_covers_the_places_and_counts_that_were_seen() {
    let scene = Scene::set("approvals").await;
    let operator = scene.operator("approvals").await;
    scene.namespace("shop").await;
    for (name, environments) in [(FIRST, ["stage", "prod"]), (SECOND, ["stage", "dev"])] {
        let spec = json!({"environments": environments});
        scene.repository(name, spec).await;
        scene.ready(name).await;
    }
    push(&scene, STAGE, FIRST, 100).await;
    push(&scene, PROD, FIRST, 100).await;
    push(&scene, STAGE, SECOND, 100).await;

    rules_alone_approve_nothing(&scene).await;
    two_places_are_approved_for_as_many_images_as_status_says(&scene).await;
    operator.kill().await.unwrap();
    let mut operator = scene.operator("approvals").await;
    scene.is_quiet().await;
    repository_that_joins_asks_again(&scene).await;
    many_more_images_ask_again(&scene).await;
    edited_rules_ask_again(&scene).await;
    operator.alive().unwrap();
}

fn with_policy() -> Value {
    json!({"lifecyclePolicyRef": {"name": "shrinking"}})
}

/// What is recorded of a target in stage.
async fn record(scene: &Scene, object: &str, field: &str) -> String {
    let target = ".status.targets[?(@.environment==\"stage\")]";
    shown(scene, object, &format!("{target}.record.lifecycle.{field}")).await
}

/// This is what approvals were before they covered places.
async fn rules_alone_approve_nothing(scene: &Scene) {
    keep(scene, 50, json!({"maxExpiringPercent": 10})).await;
    let since = scene.now();
    scene.edit(FIRST, with_policy()).await;
    waits(scene, POLICY, ".status.held", "2").await;
    let message = scene.message(FIRST).await;
    for part in ["would expire 50 of 100 images", "approve up to 60 here"] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    assert_eq!(record(scene, FIRST, "toApprove").await, "60");
    let document = shown(scene, POLICY, ".status.documentHash").await;
    let as_before = json!({"safety": {"approvedHash": document}});
    scene.edit(POLICY, as_before).await;
    scene.settles("the rules are approved", since, &[]).await;
    scene.because(FIRST, "LifecycleOverBudget").await;
}

async fn two_places_are_approved_for_as_many_images_as_status_says(scene: &Scene) {
    let since = scene.now();
    scene.because(POLICY, "LifecycleOverBudget").await;
    let hash = shown(scene, POLICY, ".status.hash").await;
    let message = scene.message(POLICY).await;
    for part in [
        "in 2 places",
        "kubectl patch lifecyclepolicy shrinking",
        &hash,
    ] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    approve(scene, POLICY, "2").await;
    scene.ready(FIRST).await;
    let expected = [
        "prod shop/api PutLifecyclePolicy",
        "stage shop/api PutLifecyclePolicy",
    ];
    scene.settles("both are approved", since, &expected).await;
    assert_eq!(record(scene, FIRST, "approved").await, "60");
    scene.ready(POLICY).await;
}

async fn repository_that_joins_asks_again(scene: &Scene) {
    let approved = shown(scene, POLICY, ".spec.safety.approvedHash").await;
    let since = scene.now();
    scene.edit(SECOND, with_policy()).await;
    scene.because(SECOND, "LifecycleOverBudget").await;
    waits(scene, POLICY, ".status.held", "1").await;
    assert_ne!(shown(scene, POLICY, ".status.hash").await, approved);
    let empty = ["dev shop/web PutLifecyclePolicy"];
    scene.settles("it is held", since, &empty).await;
    scene.ready(FIRST).await;

    let since = scene.now();
    approve(scene, POLICY, "1").await;
    scene.ready(SECOND).await;
    let expected = ["stage shop/web PutLifecyclePolicy"];
    scene.settles("it is approved, too", since, &expected).await;
}

/// Somebody takes the policy off, and pushes a lot before the operator puts it again.
async fn many_more_images_ask_again(scene: &Scene) {
    let since = scene.now();
    take_off(scene).await;
    scene.wrote(since, STAGE, "PutLifecyclePolicy").await;
    let nothing = json!({"safety": {"approvedHash": "0".repeat(64)}});
    scene.edit(POLICY, nothing).await;
    let since = scene.now();
    take_off(scene).await;
    scene.wrote(since, STAGE, "PutLifecyclePolicy").await; // what was approved here stays approved

    push_each(scene, STAGE, FIRST, 101..=200).await;
    let since = scene.now();
    take_off(scene).await;
    scene.because(FIRST, "LifecycleOverBudget").await;
    let message = scene.message(FIRST).await;
    for part in ["would expire 150 of 200 images", "approve up to 165 here"] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    scene.settles("150 are more than 60", since, &[]).await;
    approve(scene, POLICY, "1").await;
    scene.ready(FIRST).await;
    let expected = ["stage shop/api PutLifecyclePolicy"];
    scene.settles("150 are approved", since, &expected).await;
    assert_eq!(record(scene, FIRST, "approved").await, "165");
}

/// Somebody takes the policy off the first repository.
async fn take_off(scene: &Scene) {
    let off = json!({"repositoryName": FIRST});
    scene.by_hand(STAGE, "DeleteLifecyclePolicy", off).await;
}

async fn edited_rules_ask_again(scene: &Scene) {
    let since = scene.now();
    scene.edit(POLICY, json!({"rules": rules(20)})).await;
    waits(scene, POLICY, ".status.held", "3").await;
    let expected = ["dev shop/web PutLifecyclePolicy"]; // there is nothing in it
    scene.settles("they are held", since, &expected).await;
    assert_eq!(record(scene, FIRST, "approved").await, "");
}
