//! Letting go: of objects, of environments, of whole namespaces. An image is never the price.

use ecr_operator::emulator::{Effect, Rule};
use serde_json::json;

use super::scene::Scene;
use super::{DEV, STAGE};

const TEMPORARY: &str = "555555555555";

pub(super) async fn what_is_let_go_of_is_kept_unless_it_is_empty_and_may_go(scene: &Scene) {
    scene.namespace("bin").await;
    a_retained_repository_keeps_its_images_and_loses_our_name(scene).await;
    an_empty_repository_is_deleted_where_the_environment_allows_it(scene).await;
    a_repository_with_images_is_kept(scene).await;
    an_environment_taken_out_of_the_spec_is_let_go_of(scene).await;
    an_orphan_goes_though_aws_denies_everything(scene).await;
    a_namespace_ends(scene).await;
    an_environment_waits_for_its_repositories(scene).await;
    scene.is_quiet().await;
}

async fn images(scene: &Scene, account: &str, name: &str) -> usize {
    let listed = scene
        .by_hand(account, "ListImages", json!({"repositoryName": name}))
        .await;
    listed["imageIds"].as_array().unwrap().len()
}

async fn a_retained_repository_keeps_its_images_and_loses_our_name(scene: &Scene) {
    scene
        .repository(
            "bin/kept",
            json!({"environments": ["stage"], "tags": {"team": "bin"}}),
        )
        .await;
    scene.ready("bin/kept").await;
    scene.hand(STAGE).push("bin/kept", "1.0").await.unwrap();
    let since = scene.now();
    scene.kubectl("delete", "bin/kept", &[]).await.unwrap();
    assert_eq!(scene.ledger(since), ["stage bin/kept UntagResource"]);
    assert_eq!(
        scene.in_ecr(STAGE, "bin/kept").await["tags"],
        json!({"team": "bin"})
    );
    assert_eq!(images(scene, STAGE, "bin/kept").await, 1);
}

async fn an_empty_repository_is_deleted_where_the_environment_allows_it(scene: &Scene) {
    let spec = json!({"environments": ["dev", "stage"], "deletionPolicy": "DeleteIfEmpty"});
    scene.repository("bin/empty", spec).await;
    scene.ready("bin/empty").await;
    let since = scene.now();
    scene.kubectl("delete", "bin/empty", &[]).await.unwrap();
    assert_eq!(
        scene.ledger(since),
        [
            "dev bin/empty DeleteRepository",
            "stage bin/empty UntagResource"
        ]
    );
    let forced = |it: &ecr_operator::emulator::Entry| it.parameters["force"] == json!(true);
    assert!(!scene.writes(since).iter().any(forced), "never by force");
    assert!(scene.in_ecr(DEV, "bin/empty").await.is_null());
}

async fn a_repository_with_images_is_kept(scene: &Scene) {
    let spec = json!({"environments": ["dev"], "deletionPolicy": "DeleteIfEmpty"});
    scene.repository("bin/used", spec).await;
    scene.ready("bin/used").await;
    scene.hand(DEV).push("bin/used", "1.0").await.unwrap();
    let since = scene.now();
    scene.kubectl("delete", "bin/used", &[]).await.unwrap();
    assert_eq!(scene.ledger(since), ["dev bin/used UntagResource"]);
    assert_eq!(images(scene, DEV, "bin/used").await, 1);
}

async fn an_environment_taken_out_of_the_spec_is_let_go_of(scene: &Scene) {
    scene
        .repository("bin/moved", json!({"environments": ["dev", "stage"]}))
        .await;
    scene.ready("bin/moved").await;
    let since = scene.now();
    scene
        .edit("bin/moved", json!({"environments": ["dev"]}))
        .await;
    scene.ready("bin/moved").await;
    assert_eq!(scene.ledger(since), ["stage bin/moved UntagResource"]);
    let shown = "--output=jsonpath={.status.targets[*].environment}";
    let shown = scene.kubectl("get", "bin/moved", &[shown]).await.unwrap();
    assert_eq!(shown, "dev");
}

async fn an_orphan_goes_though_aws_denies_everything(scene: &Scene) {
    scene
        .repository("bin/stuck", json!({"environments": ["stage"]}))
        .await;
    scene.ready("bin/stuck").await;
    let since = scene.now();
    scene.stage.emulator.faults().add(Rule {
        account: Some(STAGE.to_owned()),
        caller: Some("assumed-role/ecr-operator".to_owned()),
        effect: Effect::Deny,
        ..Rule::default()
    });
    scene
        .kubectl("delete", "bin/stuck", &["--wait=false"])
        .await
        .unwrap();
    scene.because("bin/stuck", "Deleting").await;
    let message = scene.message("bin/stuck").await;
    assert!(
        message.contains("ecr-operator.dev/orphan=true"),
        "{message}"
    );
    scene
        .kubectl("annotate", "bin/stuck", &["ecr-operator.dev/orphan=true"])
        .await
        .unwrap();
    scene.gone("bin/stuck").await;
    scene.stage.emulator.faults().clear();
    assert_eq!(
        scene.ledger(since),
        Vec::<String>::new(),
        "an orphan's repository"
    );
}

async fn a_namespace_ends(scene: &Scene) {
    scene.namespace("leaving").await;
    for name in ["leaving/one", "leaving/two"] {
        scene
            .repository(name, json!({"environments": ["stage"]}))
            .await;
        scene.ready(name).await;
    }
    let since = scene.now();
    scene
        .kubectl("delete", "namespace leaving", &["--wait=false"])
        .await
        .unwrap();
    scene.gone("namespace leaving").await;
    let expected = [
        "stage leaving/one UntagResource",
        "stage leaving/two UntagResource",
    ];
    assert_eq!(scene.ledger(since), expected);
}

async fn an_environment_waits_for_its_repositories(scene: &Scene) {
    const ENVIRONMENT: &str = "environmentaccounts.ecr-operator.dev temporary";
    scene
        .environment(
            json!({
                "accountId": TEMPORARY,
                "region": super::REGION,
                "assumeRole": {"roleArn": format!("arn:aws:iam::{TEMPORARY}:role/ecr-operator")},
                "grants": [{"namespaceSelector": {}, "repositoryPrefixes": ["{namespace}/"]}],
            }),
            "temporary",
        )
        .await;
    scene
        .repository("bin/both", json!({"environments": ["stage", "temporary"]}))
        .await;
    scene.ready("bin/both").await;
    scene
        .kubectl("delete", ENVIRONMENT, &["--wait=false"])
        .await
        .unwrap();
    scene.because(ENVIRONMENT, "Deleting").await;
    let message = scene.message(ENVIRONMENT).await;
    assert!(message.contains("bin/both"), "{message}");
    let since = scene.now();
    scene
        .edit("bin/both", json!({"environments": ["stage"]}))
        .await;
    scene.gone(ENVIRONMENT).await;
    assert_eq!(scene.ledger(since), ["555555555555 bin/both UntagResource"]);
}
