//! What an account has from before the operator came: it is written down, applied, and taken over
//! with owner tags alone.

use ecr_operator::emulator::Entry;
use serde_json::{Value, json};
use tokio::process::Command;

use super::PROD;
use super::scene::Scene;

pub(super) async fn what_an_account_has_is_taken_over_with_owner_tags_alone(scene: &Scene) {
    scene.namespace("old").await;
    made_by_hand(scene).await;
    let since = scene.now();
    let ours = |it: &str| it.contains("kind: LifecyclePolicy") || it.contains("namespace: old\n");
    let manifests = imported(scene, &["--environment=prod"], ours).await;
    assert_eq!(
        manifests.matches("kind: LifecyclePolicy").count(),
        1,
        "{manifests}"
    );
    scene.apply(&manifests).await;
    for object in ["old/api", "old/odd", "old/web-v2"] {
        scene.ready(object).await;
    }
    scene
        .settles(
            "import",
            since,
            &[
                "prod old/api TagResource",
                "prod old/odd TagResource",
                "prod old/web_v2 TagResource",
            ],
        )
        .await;
    for write in scene.writes(since) {
        let tags = write.parameters["tags"].as_array().unwrap();
        let key = |it: &Value| it["Key"].as_str().unwrap().to_owned();
        assert!(
            tags.iter()
                .all(|it| key(it).starts_with("ecr-operator.dev/"))
        );
    }
}

/// What its registry has only one of is written down too where it is asked for, and applied without a
/// write: nobody is recorded to own it.
pub(super) async fn what_a_registry_has_is_taken_up_without_a_write(scene: &Scene) {
    const OBJECT: &str = "environmentaccounts.ecr-operator.dev prod";
    let scanner = format!("arn:aws:iam::{PROD}:role/scanner");
    let theirs = json!({"filter": "theirs-*", "filterType": "WILDCARD"});
    let rule = json!({"scanFrequency": "SCAN_ON_PUSH", "repositoryFilters": [theirs]});
    for (operation, parameters) in [
        (
            "RegisterPullTimeUpdateExclusion",
            json!({"principalArn": scanner}),
        ),
        (
            "PutAccountSetting",
            json!({"name": "BLOB_MOUNTING", "value": "ENABLED"}),
        ),
        (
            "PutRegistryScanningConfiguration",
            json!({"scanType": "BASIC", "rules": [rule]}),
        ),
    ] {
        scene.by_hand(PROD, operation, parameters).await;
    }
    let ours = |it: &str| it.contains("kind: EnvironmentAccount");
    let args = ["--environment=prod", "--registry-settings"];
    let manifest = imported(scene, &args, ours).await;
    for found in [&scanner, "blobMounting: ENABLED", "theirs-*"] {
        assert!(manifest.contains(found), "{manifest}");
    }
    let since = scene.now();
    scene.apply(&manifest).await;
    scene.ready(OBJECT).await;
    let mut last = since;
    for _ in 0..3 {
        let looks = |it: &Entry| {
            (it.sequence > last && it.account == PROD)
                && it.operation == "GetRegistryScanningConfiguration"
        };
        last = scene.heard("look at the registry", looks).await.sequence;
    }
    let mut written = scene.writes(since);
    written.retain(|it| it.account == PROD);
    assert_eq!(written, []);
    let recorded = "--output=jsonpath={.status.registries[*].record}";
    let recorded = scene.kubectl("get", OBJECT, &[recorded]).await;
    assert_eq!(recorded.unwrap(), "");
}

/// Three repositories, whose settings are as people make them.
async fn made_by_hand(scene: &Scene) {
    for (name, more) in [
        ("old/api", json!({"imageTagMutability": "IMMUTABLE"})),
        (
            "old/web_v2",
            json!({"encryptionConfiguration": {"encryptionType": "KMS"}}),
        ),
        (
            "old/odd",
            json!({"imageScanningConfiguration": {"scanOnPush": true}}),
        ),
    ] {
        let mut create = more;
        create["repositoryName"] = name.into();
        create["tags"] = json!([{"Key": "team", "Value": "old"}]);
        scene.by_hand(PROD, "CreateRepository", create).await;
    }
    let keep = json!({"rules": [{
        "rulePriority": 7,
        "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 77},
        "action": {"type": "expire"},
    }]});
    for name in ["old/api", "old/web_v2"] {
        let put = json!({"repositoryName": name, "lifecyclePolicyText": keep.to_string()});
        scene.by_hand(PROD, "PutLifecyclePolicy", put).await;
    }
    let builds = json!({"Version": "2012-10-17", "Statement": {
        "Sid": "Builds", "Effect": "Allow", "Principal": {"AWS": "555555555555"}, "Action": "ecr:BatchGetImage",
    }});
    let put = json!({"repositoryName": "old/api", "policyText": builds.to_string()});
    scene.by_hand(PROD, "SetRepositoryPolicy", put).await;
    let nameless = builds.to_string().replace(r#""Sid":"Builds","#, "");
    let put = json!({"repositoryName": "old/odd", "policyText": nameless});
    scene.by_hand(PROD, "SetRepositoryPolicy", put).await;
}

/// Those manifests of `ecr-operator import` that are ours, from the objects of the cluster; what other
/// acts have left behind stays theirs.
pub(super) async fn imported(scene: &Scene, args: &[&str], ours: impl Fn(&str) -> bool) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ecr-operator"))
        .args(["import", "--cluster-id=east"])
        .args(args)
        .arg(format!("--endpoint-url={}", scene.stage.emulator.url()))
        .env("KUBECONFIG", scene.stage.kubeconfig())
        .env("AWS_ACCESS_KEY_ID", "999999999999")
        .env("AWS_SECRET_ACCESS_KEY", "emulated")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let manifests = String::from_utf8(output.stdout).unwrap();
    let ours = manifests.split("---\n").filter(|it| ours(it));
    ours.collect::<Vec<_>>().join("---\n")
}
