//! What the team changes in its objects.

use serde_json::{Value, json};

use super::scene::Scene;
use super::{REGION, STAGE};

const OBJECT: &str = "shop/full";

pub(super) async fn each_edit_arrives_by_the_one_right_call(scene: &Scene) {
    let update = async |spec: Value, expected: &[&str]| {
        let since = scene.now();
        scene.edit(OBJECT, spec.clone()).await;
        scene.ready(OBJECT).await;
        assert_eq!(scene.ledger(since), expected, "after {spec}");
    };
    // prod has a say of its own in all of these.
    update(
        json!({"imageTagMutability": {"mode": "MUTABLE", "exclusionFilters": null}}),
        &[
            "dev shop/full PutImageTagMutability",
            "stage shop/full PutImageTagMutability",
        ],
    )
    .await;
    update(
        json!({"scanOnPush": false}),
        &[
            "dev shop/full PutImageScanningConfiguration",
            "stage shop/full PutImageScanningConfiguration",
        ],
    )
    .await;
    update(
        json!({"access": {"lambda": "Disabled"}}),
        &[
            "dev shop/full SetRepositoryPolicy",
            "stage shop/full SetRepositoryPolicy",
        ],
    )
    .await;
    update(
        json!({"lifecyclePolicyRef": {"name": "keep-30"}}),
        &[
            "dev shop/full PutLifecyclePolicy",
            "stage shop/full PutLifecyclePolicy",
        ],
    )
    .await;
    update(
        json!({"tags": {"tier": "low", "cost": "1"}}),
        &["dev shop/full TagResource", "stage shop/full TagResource"],
    )
    .await;
    update(
        json!({"tags": {"cost": null}}),
        &[
            "dev shop/full UntagResource",
            "stage shop/full UntagResource",
        ],
    )
    .await;
    what_leaves_the_spec_leaves_ecr_and_nothing_else(scene, update).await;
    what_others_say_is_heard(scene).await;
    encryption_is_for_life(scene).await;
    scene.is_quiet().await;
}

async fn what_leaves_the_spec_leaves_ecr_and_nothing_else(
    scene: &Scene,
    update: impl AsyncFn(Value, &[&str]),
) {
    let arn = format!("arn:aws:ecr:{REGION}:{STAGE}:repository/shop/full");
    let foreign = json!({"resourceArn": arn, "tags": [{"Key": "auditor", "Value": "jane"}]});
    scene.by_hand(STAGE, "TagResource", foreign).await;
    update(
        json!({"access": null, "lifecyclePolicyRef": null, "tags": null}),
        &[
            // dev's own default, keep-30, is what the repository has.
            "dev shop/full DeleteRepositoryPolicy",
            "dev shop/full UntagResource",
            "stage shop/full DeleteLifecyclePolicy",
            "stage shop/full DeleteRepositoryPolicy",
            "stage shop/full UntagResource",
        ],
    )
    .await;
    let left = scene.in_ecr(STAGE, "shop/full").await;
    assert_eq!(
        left["tags"],
        json!({
            "auditor": "jane",
            "ecr-operator.dev/cluster": "east",
            "ecr-operator.dev/object": "shop/full",
            "ecr-operator.dev/uid": "UID",
        })
    );
    update(
        json!({"overrides": null}),
        &[
            "prod shop/full DeleteLifecyclePolicy",
            "prod shop/full DeleteRepositoryPolicy",
            "prod shop/full PutImageTagMutability",
            "prod shop/full UntagResource",
        ],
    )
    .await;
}

/// A lifecycle policy and an environment change what they say to the repositories that refer to them.
async fn what_others_say_is_heard(scene: &Scene) {
    let since = scene.now();
    let rules = json!({"rules": [{
        "priority": 1,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 31},
        "action": {"type": "expire"},
    }]});
    scene
        .edit("lifecyclepolicies.ecr-operator.dev keep-30", rules)
        .await;
    let expected = [
        "dev shop/full PutLifecyclePolicy",
        "dev shop/plain PutLifecyclePolicy",
    ];
    scene
        .settles("a lifecycle policy is edited", since, &expected)
        .await;

    let since = scene.now();
    let defaults = json!({"defaults": {"tags": {"environment": "sandbox"}}});
    scene
        .edit("environmentaccounts.ecr-operator.dev dev", defaults)
        .await;
    let expected = ["dev shop/full TagResource", "dev shop/plain TagResource"];
    scene
        .settles("an environment's defaults are edited", since, &expected)
        .await;
}

async fn encryption_is_for_life(scene: &Scene) {
    let refused = scene
        .try_edit(OBJECT, json!({"encryption": {"type": "AES256"}}))
        .await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("encryption is immutable"), "{refused}");
}
