//! The safety catch: a lifecycle policy takes no more than it may, and nothing that pods use.

use std::ops::RangeInclusive;

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::scene::{Scene, subject};
use super::{PROD, STAGE};
use crate::rights::{self, Story};

const OBJECT: &str = "shop/ml";
pub(super) const POLICY: &str = "lifecyclepolicies.ecr-operator.dev shrinking";
const IMAGES: usize = 312;

#[tokio::test(flavor = "multi_thread")]
async fn a_lifecycle_policy_takes_no_more_than_it_may_and_nothing_in_use() {
    let scene = Scene::set("lifecycle").await;
    let mut pair = scene.pair("lifecycle").await;
    scene.namespace("shop").await;
    scene
        .repository(OBJECT, json!({"environments": ["stage", "prod"]}))
        .await;
    scene.ready(OBJECT).await;
    let another = json!({"environments": ["dev"]}); // so that dev is swept too
    scene.repository("shop/idle", another).await;
    scene.ready("shop/idle").await;
    push(&scene, STAGE, OBJECT, IMAGES).await;
    push(&scene, PROD, OBJECT, 3).await;

    what_is_over_budget_is_held_and_blocks_nothing_else(&scene).await;
    approval_releases_it(&scene).await;
    a_policy_in_force_that_would_take_an_image_in_use_is_told(&scene).await;
    no_approval_puts_a_policy_that_would_take_an_image_in_use(&scene).await;
    a_preview_of_somebody_else_is_waited_for(&scene).await;
    a_suspended_policy_stays_off_until_a_person_acts(&scene).await;
    pair.alive().unwrap();
    rights::check(Story::Lifecycle, &scene.stage);
}

/// Bare manifests, each pushed a second after the one before: `v1` is the oldest.
pub(super) async fn push(scene: &Scene, account: &str, repository: &str, count: usize) {
    push_each(scene, account, repository, 1..=count).await;
}

/// The same of these numbers.
pub(super) async fn push_each(
    scene: &Scene,
    account: &str,
    repository: &str,
    numbers: RangeInclusive<usize>,
) {
    for number in numbers {
        scene
            .stage
            .emulator
            .clock()
            .advance(SignedDuration::from_secs(1));
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": format!("sha256:{number:064x}"),
                "size": 2,
            },
            "layers": [],
        });
        let image = json!({
            "repositoryName": repository,
            "imageTag": format!("v{number}"),
            "imageManifest": manifest.to_string(),
        });
        scene.by_hand(account, "PutImage", image).await;
    }
}

/// The policy that keeps so many images.
pub(super) async fn keep(scene: &Scene, images: usize, safety: Value) {
    policy(scene, "shrinking", &rules(images), safety).await;
}

/// The rules that keep so many images.
pub(super) fn rules(images: usize) -> [Value; 1] {
    [json!({
        "priority": 1,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": images},
        "action": {"type": "expire"},
    })]
}

/// The policy of these rules.
pub(super) async fn policy(scene: &Scene, name: &str, rules: &[Value], safety: Value) {
    let object = json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "LifecyclePolicy",
        "metadata": {"name": name},
        "spec": {"rules": rules, "safety": safety},
    });
    scene.apply(&object.to_string()).await;
}

pub(super) async fn shown(scene: &Scene, object: &str, path: &str) -> String {
    let path = format!("--output=jsonpath={{{path}}}");
    scene.kubectl("get", object, &[&path]).await.unwrap()
}

/// Waits until something in the status of an object is so.
pub(super) async fn waits(scene: &Scene, object: &str, path: &str, value: &str) {
    let what = format!("jsonpath={{{path}}}={value}");
    scene.waits(object, &what).await;
}

/// Runs a pod of an image in stage.
async fn pod_of(scene: &Scene, name: &str, tag: &str) {
    let image = format!("{STAGE}.dkr.ecr.eu-central-1.amazonaws.com/{OBJECT}:{tag}");
    pod(scene, name, &image).await;
}

/// Runs a pod of an image, as far as a pod runs where there are no nodes.
pub(super) async fn pod(scene: &Scene, name: &str, image: &str) {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": [{"name": "app", "image": image}]},
    });
    scene.apply(&pod.to_string()).await;
}

pub(super) async fn delete(scene: &Scene, pod: &str) {
    let args = ["--namespace=shop", "--now"];
    let pod = format!("pod {pod}");
    scene.kubectl("delete", &pod, &args).await.unwrap();
}

async fn what_is_over_budget_is_held_and_blocks_nothing_else(scene: &Scene) {
    keep(scene, 271, json!({"maxExpiringPercent": 10})).await;
    let since = scene.now();
    let edit = json!({
        "lifecyclePolicyRef": {"name": "shrinking"},
        "imageTagMutability": {"mode": "IMMUTABLE"},
    });
    scene.edit(OBJECT, edit).await;
    scene.because(OBJECT, "LifecycleOverBudget").await;
    let expected = [
        "prod shop/ml PutImageTagMutability",
        "prod shop/ml PutLifecyclePolicy", // three images, none of which would go
        "stage shop/ml PutImageTagMutability",
    ];
    scene.settles("one is held", since, &expected).await;
    let message = scene.message(OBJECT).await;
    for part in [
        "stage/eu-central-1",
        "LifecyclePolicy shrinking is not put",
        "would expire 41 of 312 images (13.1 %)",
        "10 % and 500 images",
        "spec.safety.approvedHash",
    ] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    let found = ".status.targets[?(@.environment==\"stage\")].record.lifecycle";
    let counts = shown(scene, OBJECT, &format!("{found}.expiring")).await;
    assert_eq!(counts, "41");
    assert_eq!(
        shown(scene, OBJECT, &format!("{found}.images")).await,
        "312"
    );

    waits(scene, POLICY, ".status.held", "1").await;
    scene.because(POLICY, "LifecycleOverBudget").await;
    assert_eq!(shown(scene, POLICY, ".status.expiring").await, "41");
    let worst = shown(scene, POLICY, ".status.worst").await;
    let worst: Value = serde_json::from_str(&worst).unwrap();
    let expected =
        json!([{"repository": OBJECT, "environment": "stage", "expiring": 41, "images": 312}]);
    assert_eq!(worst, expected);
    nothing_moves_while_it_waits(scene).await;
}

/// Neither in AWS nor in status.
async fn nothing_moves_while_it_waits(scene: &Scene) {
    let versions = async || {
        let version = ".metadata.resourceVersion";
        [
            shown(scene, OBJECT, version).await,
            shown(scene, POLICY, version).await,
        ]
    };
    let (before, since) = (versions().await, scene.now());
    scene.is_quiet().await;
    assert_eq!(versions().await, before);
    let mut previews = scene.stage.emulator.journal().since(since);
    previews.retain(|it| it.operation == "StartLifecyclePolicyPreview");
    // A look may have been under way.
    assert!(
        previews.len() < 2,
        "a held policy is not asked about in each sweep: {previews:#?}"
    );
}

/// Approves of a policy as it waits now, in so many places.
pub(super) async fn approve(scene: &Scene, policy: &str, held: &str) {
    let generation = shown(scene, policy, ".metadata.generation").await;
    waits(scene, policy, ".status.observedGeneration", &generation).await;
    waits(scene, policy, ".status.held", held).await;
    let hash = shown(scene, policy, ".status.hash").await;
    let approval = json!({"safety": {"approvedHash": hash}});
    scene.edit(policy, approval).await;
}

async fn approval_releases_it(scene: &Scene) {
    let since = scene.now();
    let other = json!({"safety": {"approvedHash": "0".repeat(64)}});
    scene.edit(POLICY, other).await;
    scene
        .settles("something else is approved", since, &[])
        .await;
    let since = scene.now();
    approve(scene, POLICY, "1").await;
    scene.ready(OBJECT).await;
    let expected = ["stage shop/ml PutLifecyclePolicy"];
    scene.settles("it is approved", since, &expected).await;
    scene.ready(POLICY).await;
}

async fn a_policy_in_force_that_would_take_an_image_in_use_is_told(scene: &Scene) {
    let since = scene.now();
    pod_of(scene, "trainer", "v1").await;
    scene.because(OBJECT, "ImageInUse").await;
    let told = scene.told("shop", "ImageInUse").await;
    assert_eq!(told.type_.as_deref(), Some("Warning"));
    let message = scene.message(OBJECT).await;
    for part in ["v1 (sha256:", "is used by shop/trainer", "within a day"] {
        assert!(message.contains(part), "{part:?} in {message}");
    }
    waits(scene, POLICY, ".status.held", "0").await;
    scene.because(POLICY, "ImageInUse").await;
    scene.settles("it is told", since, &[]).await;
}

async fn no_approval_puts_a_policy_that_would_take_an_image_in_use(scene: &Scene) {
    let since = scene.now();
    keep(scene, 100, json!({"maxExpiringPercent": 10})).await;
    let found = ".status.targets[?(@.environment==\"stage\")].record.lifecycle";
    waits(scene, OBJECT, &format!("{found}.expiring"), "212").await;
    approve(scene, POLICY, "1").await;
    scene.because(OBJECT, "ImageInUse").await;
    let second_page = |it: &ecr_operator::emulator::Entry| {
        it.operation == "GetLifecyclePolicyPreview" && !it.parameters["nextToken"].is_null()
    };
    let entries = scene.stage.emulator.journal().since(since);
    assert!(
        entries.iter().any(second_page),
        "212 images are three pages"
    );
    let expected = ["prod shop/ml PutLifecyclePolicy"];
    scene.settles("v1 is in use", since, &expected).await;

    let since = scene.now();
    delete(scene, "trainer").await;
    scene.ready(OBJECT).await;
    let expected = ["stage shop/ml PutLifecyclePolicy"];
    scene.settles("nothing is in use", since, &expected).await;
}

async fn a_preview_of_somebody_else_is_waited_for(scene: &Scene) {
    let clock = scene.stage.emulator.clock();
    let theirs = json!({"rules": [{
        "rulePriority": 1,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
        "action": {"type": "expire"},
    }]});
    scene.account_swept_twice(scene.now(), STAGE).await; // no preview of ours is under way
    clock.stop(); // so that it stays under way
    let parameters = json!({"repositoryName": OBJECT, "lifecyclePolicyText": theirs.to_string()});
    scene
        .by_hand(STAGE, "StartLifecyclePolicyPreview", parameters)
        .await;
    let since = scene.now();
    keep(scene, 300, json!({"maxExpiringPercent": 10})).await;
    let looked = |it: &ecr_operator::emulator::Entry| {
        it.sequence > since
            && it.account == STAGE
            && it.operation == "GetLifecyclePolicyPreview"
            && subject(it) == OBJECT
    };
    scene.heard("look at their preview", looked).await;
    assert!(
        scene
            .ledger(since)
            .iter()
            .all(|it| !it.starts_with("stage")),
        "nothing is put on the word of another's preview"
    );
    clock.run();
    let expected = [
        "prod shop/ml PutLifecyclePolicy",
        "stage shop/ml PutLifecyclePolicy",
    ];
    scene.settles("theirs is over", since, &expected).await;
    scene.ready(OBJECT).await;
}

async fn a_suspended_policy_stays_off_until_a_person_acts(scene: &Scene) {
    let since = scene.now();
    scene
        .edit(POLICY, json!({"safety": {"protectInUse": "Suspend"}}))
        .await;
    pod_of(scene, "archivist", "v2").await;
    let expected = ["stage shop/ml DeleteLifecyclePolicy"];
    scene.settles("v2 is in use", since, &expected).await;
    scene.because(OBJECT, "ImageInUse").await;
    let message = scene.message(OBJECT).await;
    assert!(
        message.contains("stays off until its spec is edited"),
        "{message}"
    );

    let since = scene.now();
    delete(scene, "archivist").await;
    scene.settles("nobody has acted", since, &[]).await;
    scene.because(OBJECT, "ImageInUse").await;

    scene
        .stage
        .emulator
        .clock()
        .advance(SignedDuration::from_hours(25));
    let images = json!({"repositoryName": OBJECT, "imageIds": [{"imageTag": "v2"}]});
    scene.by_hand(STAGE, "DescribeImages", images).await;

    let since = scene.now();
    scene
        .edit(POLICY, json!({"safety": {"protectInUse": "Warn"}}))
        .await;
    let expected = ["stage shop/ml PutLifecyclePolicy"];
    scene
        .settles("a person has edited it", since, &expected)
        .await;
    scene.ready(OBJECT).await;
}
