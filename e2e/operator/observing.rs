//! An account that another cluster manages: the same objects are here, and nothing is written.

use serde_json::json;

use super::scene::Scene;

const ACCOUNT: &str = "444444444444";

pub(super) async fn an_observed_account_is_compared_and_never_written(scene: &Scene) {
    scene.namespace("seen").await;
    scene
        .environment(
            json!({
                "accountId": ACCOUNT,
                "region": super::REGION,
                "managementPolicy": "Observe",
                "assumeRole": {"roleArn": format!("arn:aws:iam::{ACCOUNT}:role/ecr-operator")},
                "grants": [{"namespaceSelector": {}, "repositoryPrefixes": ["{namespace}/"]}],
            }),
            "mirror",
        )
        .await;
    scene
        .ready("environmentaccounts.ecr-operator.dev mirror")
        .await;
    let spec = json!({"environments": ["mirror"], "scanOnPush": true, "tags": {"team": "seen"}});
    scene.repository("seen/api", spec).await;
    scene.because("seen/api", "Missing").await;
    let repository = json!({
        "repositoryName": "seen/api",
        "tags": [
            {"Key": "team", "Value": "seen"},
            {"Key": "ecr-operator.dev/cluster", "Value": "west"},
            {"Key": "ecr-operator.dev/object", "Value": "seen/api"},
            {"Key": "ecr-operator.dev/uid", "Value": "2fb6a3a8-5a8e-4a4e-9d5e-000000000000"},
        ],
    });
    scene.by_hand(ACCOUNT, "CreateRepository", repository).await;
    scene.because("seen/api", "Drifted").await;
    scene.ready("seen/api").await;
    assert!(
        scene
            .target("seen/api", "differences[*]")
            .await
            .contains("scanOnPush")
    );
    let table = scene.kubectl("get", "seen/api", &["--output=wide"]).await;
    let table = table.unwrap();
    assert!(table.contains("mirror: scanOnPush"), "{table}");
    // The other cluster does its work.
    let scanning = json!({
        "repositoryName": "seen/api",
        "imageScanningConfiguration": {"scanOnPush": true},
    });
    scene
        .by_hand(ACCOUNT, "PutImageScanningConfiguration", scanning)
        .await;
    scene.because("seen/api", "Observed").await;
    scene.kubectl("delete", "seen/api", &[]).await.unwrap();
    let written: Vec<_> = scene
        .writes(0)
        .into_iter()
        .filter(|it| it.account == ACCOUNT)
        .collect();
    assert!(written.is_empty(), "{written:?}");
}
