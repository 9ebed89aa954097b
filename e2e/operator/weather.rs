//! AWS when it is slow, silent or says no.

use ecr_operator::emulator::{Effect, Outcome, Rule};
use serde_json::{Value, json};

use super::scene::Scene;
use super::{ACCOUNTS, DEV, PROD, identity};

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_does_what_it_can_whatever_aws_says() {
    let scene = Scene::set("weather").await;
    let mut operator = scene.operator("weather").await;
    identity::nothing_is_written_before_aws_has_named_the_account(&scene).await;
    scene.namespace("storm").await;
    a_third_of_all_calls_is_throttled(&scene).await;
    the_reply_to_a_creation_is_lost(&scene).await;
    what_cannot_be_made_keeps_no_other_from_being_repaired(&scene).await;
    a_silent_region_delays_no_other(&scene).await;
    operator.alive().unwrap();
}

fn everywhere() -> Value {
    json!({
        "environments": ["dev", "stage", "prod"],
        "scanOnPush": true,
        "access": {"pull": ["444444444444"]},
    })
}

async fn a_third_of_all_calls_is_throttled(scene: &Scene) {
    let faults = scene.stage.emulator.faults();
    faults.add(Rule {
        service: Some("ecr".to_owned()),
        caller: Some("assumed-role/ecr-operator".to_owned()),
        effect: Effect::Throttle,
        share: Some(0.3),
        ..Rule::default()
    });
    let names = ["storm/one", "storm/two", "storm/three"];
    for name in names {
        scene.repository(name, everywhere()).await;
    }
    for name in names {
        scene.ready(name).await;
    }
    assert!(faults.list()[0].1 > 0, "calls were throttled");
    faults.clear();
    for name in names {
        for (environment, _) in ACCOUNTS {
            is_made_once(scene, environment, name);
        }
    }
}

fn is_made_once(scene: &Scene, environment: &str, name: &str) {
    let creation = format!("{environment} {name} CreateRepository");
    let creations = scene
        .ledger(0)
        .into_iter()
        .filter(|it| *it == creation)
        .count();
    assert_eq!(creations, 1, "{creation}");
}

/// It is our own repository that is there when the call is repeated.
async fn the_reply_to_a_creation_is_lost(scene: &Scene) {
    let faults = scene.stage.emulator.faults();
    faults.add(Rule {
        operation: Some("CreateRepository".to_owned()),
        effect: Effect::CutAfter,
        times: Some(1),
        ..Rule::default()
    });
    scene.repository("storm/lost", everywhere()).await;
    scene.ready("storm/lost").await;
    faults.clear();
    let is_lost = |it: &&ecr_operator::emulator::Entry| it.outcome == Outcome::DoneUnanswered;
    let writes = scene.writes(0);
    assert_eq!(
        writes.iter().filter(is_lost).count(),
        1,
        "one reply was lost"
    );
    for (environment, account) in ACCOUNTS {
        is_made_once(scene, environment, "storm/lost");
        let made = scene.in_ecr(account, "storm/lost").await;
        assert!(!made["policy"].is_null(), "in {environment}: {made}");
    }
}

/// One repository is denied, and comes first in the order in which the sweep reads policies.
async fn what_cannot_be_made_keeps_no_other_from_being_repaired(scene: &Scene) {
    let faults = scene.stage.emulator.faults();
    faults.add(Rule {
        operation: Some("CreateRepository".to_owned()),
        effect: Effect::Deny,
        ..Rule::default()
    });
    scene.repository("storm/a-denied", everywhere()).await;
    scene.because("storm/a-denied", "AccessDenied").await;
    let since = scene.now();
    let policy = json!({"repositoryName": "storm/one"});
    scene.by_hand(DEV, "DeleteRepositoryPolicy", policy).await;
    scene.wrote(since, DEV, "SetRepositoryPolicy").await;
    faults.clear();
    scene.ready("storm/a-denied").await;
}

async fn a_silent_region_delays_no_other(scene: &Scene) {
    let faults = scene.stage.emulator.faults();
    faults.add(Rule {
        account: Some(PROD.to_owned()),
        caller: Some("assumed-role/ecr-operator".to_owned()),
        effect: Effect::Hang,
        ..Rule::default()
    });
    let since = scene.now();
    scene.repository("storm/far", everywhere()).await;
    scene
        .waits("storm/far", "jsonpath={.status.targetsReady}=2/3")
        .await;
    scene.because("storm/far", "Unreachable").await;
    // Drift in another account is still repaired.
    let mutable =
        json!({"repositoryName": "storm/far", "imageScanningConfiguration": {"scanOnPush": false}});
    scene
        .by_hand(DEV, "PutImageScanningConfiguration", mutable)
        .await;
    scene
        .wrote(since, DEV, "PutImageScanningConfiguration")
        .await;
    faults.clear();
    scene.ready("storm/far").await;
    let mut written = scene.ledger(since);
    written.retain(|it| it.contains(" storm/far "));
    assert_eq!(
        written,
        [
            "dev storm/far CreateRepository",
            "dev storm/far PutImageScanningConfiguration",
            "dev storm/far PutLifecyclePolicy",
            "dev storm/far SetRepositoryPolicy",
            "prod storm/far CreateRepository",
            "prod storm/far SetRepositoryPolicy",
            "stage storm/far CreateRepository",
            "stage storm/far SetRepositoryPolicy",
        ]
    );
}
