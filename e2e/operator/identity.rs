//! Who we are to an account, before anything is written to it.

use ecr_operator::emulator::{Effect, Rule};
use serde_json::{Value, json};

use super::REGION;
use super::scene::Scene;

pub(super) async fn nothing_is_written_before_aws_has_named_the_account(scene: &Scene) {
    scene.namespace("who").await;
    credentials_of_another_account_are_refused(scene).await;
    a_role_that_asks_for_another_external_id_is_shown(scene).await;
    a_role_that_is_allowed_later_heals_by_itself(scene).await;
}

fn spec(account: &str, role: &Value) -> Value {
    json!({
        "accountId": account,
        "region": REGION,
        "assumeRole": role,
        "grants": [{"namespaceSelector": {}, "repositoryPrefixes": ["{namespace}/"]}],
    })
}

/// Declares an environment and a repository in it, and waits until both say why they cannot be.
async fn refused(scene: &Scene, name: &str, environment: Value, reason: &str) {
    let account = environment["accountId"].as_str().unwrap().to_owned();
    scene.environment(environment, name).await;
    let repository = format!("who/{name}");
    scene
        .repository(&repository, json!({"environments": [name]}))
        .await;
    scene
        .because(
            &format!("environmentaccounts.ecr-operator.dev {name}"),
            reason,
        )
        .await;
    scene.because(&repository, reason).await;
    let journal = scene.stage.emulator.journal();
    let to_ecr = |it: &ecr_operator::emulator::Entry| {
        it.service == "ecr" && it.parameters["registryId"] == json!(account)
    };
    assert!(
        !journal.entries().iter().any(to_ecr),
        "ECR of {account} was called"
    );
}

async fn healed(scene: &Scene, name: &str) {
    scene
        .ready(&format!("environmentaccounts.ecr-operator.dev {name}"))
        .await;
    scene.ready(&format!("who/{name}")).await;
}

/// Without a role the operator's own credentials are used, which are the hub's.
async fn credentials_of_another_account_are_refused(scene: &Scene) {
    let account = "666666666666";
    refused(
        scene,
        "astray",
        spec(account, &Value::Null),
        "IdentityMismatch",
    )
    .await;
    let message = scene.message("who/astray").await;
    assert!(
        message.contains("999999999999") && message.contains(account),
        "{message}"
    );
    let role = json!({"roleArn": format!("arn:aws:iam::{account}:role/ecr-operator")});
    let edit = json!({"assumeRole": role});
    scene
        .edit("environmentaccounts.ecr-operator.dev astray", edit)
        .await;
    healed(scene, "astray").await;
}

async fn a_role_that_asks_for_another_external_id_is_shown(scene: &Scene) {
    let role = |external_id: &str| json!({"roleArn": "arn:aws:iam::777777777777:role/ecr-operator", "externalId": external_id});
    refused(
        scene,
        "closed",
        spec("777777777777", &role("guessed")),
        "AccessDenied",
    )
    .await;
    let edit = json!({"assumeRole": role("east-closed")});
    scene
        .edit("environmentaccounts.ecr-operator.dev closed", edit)
        .await;
    healed(scene, "closed").await;
}

/// Somebody corrects the role's trust policy, which nobody tells us.
async fn a_role_that_is_allowed_later_heals_by_itself(scene: &Scene) {
    let faults = scene.stage.emulator.faults();
    faults.add(Rule {
        operation: Some("AssumeRole".to_owned()),
        effect: Effect::Deny,
        ..Rule::default()
    });
    let role = json!({"roleArn": "arn:aws:iam::888888888888:role/ecr-operator"});
    refused(scene, "late", spec("888888888888", &role), "AccessDenied").await;
    faults.clear();
    healed(scene, "late").await;
}
