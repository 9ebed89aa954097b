//! What somebody changes past the operator.

use serde_json::json;

use super::scene::Scene;
use super::{DEV, PROD, REGION, STAGE};

const NAME: &str = "shop/full";

pub(super) async fn each_change_past_the_operator_is_repaired_once(scene: &Scene) {
    let before = [DEV, STAGE, PROD].map(|it| scene.in_ecr(it, NAME));
    let before = futures::future::join_all(before).await;
    let since = scene.now();
    settings_are_changed(scene).await;
    documents_are_taken_off(scene).await;
    scene
        .by_hand(
            DEV,
            "DeleteRepository",
            json!({"repositoryName": NAME, "force": true}),
        )
        .await;
    let expected = [
        "dev shop/full CreateRepository",
        "dev shop/full PutLifecyclePolicy",
        "dev shop/full SetRepositoryPolicy",
        "prod shop/full PutLifecyclePolicy",
        "prod shop/full SetRepositoryPolicy",
        "prod shop/full TagResource",
        "stage shop/full PutImageScanningConfiguration",
        "stage shop/full PutImageTagMutability",
        "stage shop/full PutLifecyclePolicy",
        "stage shop/full SetRepositoryPolicy",
        "stage shop/full TagResource",
    ];
    scene
        .settles("each is repaired once", since, &expected)
        .await;
    let after = [DEV, STAGE, PROD].map(|it| scene.in_ecr(it, NAME));
    assert_eq!(
        futures::future::join_all(after).await,
        before,
        "all is as it was"
    );
    let told = scene.told("shop", "RepositoryMadeAgain").await;
    assert_eq!(told.type_.as_deref(), Some("Warning"));
    assert!(told.note.as_deref().unwrap().contains("EMPTY"), "{told:?}");
}

pub(super) async fn a_fight_with_another_writer_ends_until_a_person_edits(scene: &Scene) {
    let theirs = json!({
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Theirs", "Effect": "Allow", "Principal": {"AWS": "555555555555"},
                       "Action": "ecr:BatchGetImage"}],
    });
    let undo = json!({"repositoryName": NAME, "policyText": theirs.to_string()});
    // The repair in the act before was the first.
    for _ in 0..2 {
        let since = scene.now();
        scene
            .by_hand(DEV, "SetRepositoryPolicy", undo.clone())
            .await;
        scene.wrote(since, DEV, "SetRepositoryPolicy").await;
    }
    scene.by_hand(DEV, "SetRepositoryPolicy", undo).await;
    scene.because(NAME, "Contested").await;
    scene.is_quiet().await;
    let since = scene.now();
    scene
        .edit(
            NAME,
            json!({"tags": {"team": "shop", "tier": "gold", "again": "1"}}),
        )
        .await;
    scene.wrote(since, DEV, "SetRepositoryPolicy").await;
    scene
        .edit(
            NAME,
            json!({"tags": {"team": "shop", "tier": "gold", "again": null}}),
        )
        .await;
    scene.ready(NAME).await;
}

/// In stage, one after the other, in whatever order the sweep finds them.
async fn settings_are_changed(scene: &Scene) {
    let arn = format!("arn:aws:ecr:{REGION}:{STAGE}:repository/{NAME}");
    let everyone = json!({
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Oops", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}],
    });
    let expire_all = json!({"rules": [{
        "rulePriority": 1,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1},
        "action": {"type": "expire"},
    }]});
    for (operation, parameters) in [
        (
            "PutImageTagMutability",
            json!({"repositoryName": NAME, "imageTagMutability": "MUTABLE"}),
        ),
        (
            "PutImageScanningConfiguration",
            json!({"repositoryName": NAME, "imageScanningConfiguration": {"scanOnPush": false}}),
        ),
        (
            "SetRepositoryPolicy",
            json!({"repositoryName": NAME, "policyText": everyone.to_string()}),
        ),
        (
            "PutLifecyclePolicy",
            json!({"repositoryName": NAME, "lifecyclePolicyText": expire_all.to_string()}),
        ),
        // One of the team's, and a part of the owner's name.
        (
            "UntagResource",
            json!({"resourceArn": arn, "tagKeys": ["team", "ecr-operator.dev/uid"]}),
        ),
    ] {
        scene.by_hand(STAGE, operation, parameters).await;
    }
}

/// In prod, and a tag is given another value.
async fn documents_are_taken_off(scene: &Scene) {
    let arn = format!("arn:aws:ecr:{REGION}:{PROD}:repository/{NAME}");
    for (operation, parameters) in [
        ("DeleteRepositoryPolicy", json!({"repositoryName": NAME})),
        ("DeleteLifecyclePolicy", json!({"repositoryName": NAME})),
        (
            "TagResource",
            json!({"resourceArn": arn, "tags": [{"Key": "tier", "Value": "tin"}]}),
        ),
    ] {
        scene.by_hand(PROD, operation, parameters).await;
    }
}
