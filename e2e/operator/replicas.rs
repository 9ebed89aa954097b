//! Two replicas: both serve, one writes, and when it dies the other does.

use ecr_operator::commands::demo::hand::get;
use ecr_operator::commands::demo::stage::Operator;
use ecr_operator::emulator::{Effect, Rule};
use serde_json::json;
use tokio::time::{Duration, sleep, timeout};

use super::leadership::{LEADS, WAITS};
use super::scene::Scene;
use super::{PATIENCE, PROD};

pub(super) async fn one_writes_and_another_takes_over(scene: &Scene, first: Operator) {
    shows(&first, "/metrics", LEADS).await;
    let second = a_replica_says_what_it_waits_for(scene).await;
    shows(&second, "/metrics", WAITS).await;
    shows(&second, "/metrics", "ecr_operator_usage_pods{} ").await;

    let before = creations(&first).await;
    scene.namespace("lease").await;
    scene
        .repository("lease/one", json!({"environments": ["dev"]}))
        .await;
    scene.ready("lease/one").await;
    assert_eq!(creations(&first).await, before + 1, "the leader writes");
    assert_eq!(creations(&second).await, 0, "the other does not");

    first.kill().await.unwrap();
    scene
        .repository("lease/two", json!({"environments": ["dev"]}))
        .await;
    scene.ready("lease/two").await;
    shows(&second, "/metrics", LEADS).await;
    assert_eq!(creations(&second).await, 1, "now it does");
    scene.is_quiet().await;
}

/// Starts a replica that cannot list the images that the policy's rules lead to.
async fn a_replica_says_what_it_waits_for(scene: &Scene) -> Operator {
    scene
        .apply(
            &json!({
                "apiVersion": "ecr-operator.dev/v1alpha1",
                "kind": "ImageAdmissionPolicy",
                "metadata": {"name": "prod"},
                "spec": {"environment": "prod", "mode": "Audit"},
            })
            .to_string(),
        )
        .await;
    scene
        .ready("imageadmissionpolicies.ecr-operator.dev prod")
        .await;
    scene.namespace("claims").await;
    let spec = json!({"environments": ["prod"], "migratesFrom": ["old.example.com/claims/api"]});
    scene.repository("claims/api", spec).await;
    scene.ready("claims/api").await;
    let faults = scene.stage.emulator.faults();
    faults.add(Rule {
        account: Some(PROD.to_owned()),
        operation: Some("ListImages".to_owned()),
        effect: Effect::Hang,
        ..Rule::default()
    });
    faults.add(Rule {
        account: Some(PROD.to_owned()),
        operation: Some("DescribeImages".to_owned()),
        effect: Effect::Hang,
        ..Rule::default()
    });
    let replica = scene.operator("second").await;
    shows(
        &replica,
        "/readyz",
        "waiting for the first list of images from ECR",
    )
    .await;
    faults.clear();
    shows(&replica, "/readyz", "ok").await;
    replica
}

/// Waits until the operator answers with this text, in part.
pub(super) async fn shows(operator: &Operator, path: &str, text: &str) {
    let mut said = String::new();
    let shown = async {
        loop {
            said = match get(&operator.health, path).await {
                Ok(said) => said,
                Err(error) => error.to_string(),
            };
            if said.contains(text) {
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let shown = timeout(PATIENCE, shown).await;
    assert!(shown.is_ok(), "{path} never said {text:?}, but\n{said}");
}

/// How many repositories a replica has made, by its own count.
async fn creations(operator: &Operator) -> u64 {
    let metrics = get(&operator.health, "/metrics").await.unwrap();
    let made = metrics
        .lines()
        .filter(|it| it.contains("operation=\"CreateRepository\""));
    made.map(|it| it.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap())
        .sum()
}
