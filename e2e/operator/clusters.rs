//! Two clusters, each with an operator of its own, and the same accounts.

use ecr_operator::commands::demo::hand::get;
use ecr_operator::commands::demo::stage::{HUB_SECRET, Operator};
use ecr_operator::emulator::{Effect, Entry, Rule};
use serde_json::json;

use super::scene::Scene;
use super::{ACCOUNTS, DEV};

const DEV_ENVIRONMENT: &str = "environmentaccounts.ecr-operator.dev dev";

#[tokio::test(flavor = "multi_thread")]
async fn two_clusters_share_accounts_and_never_fight() {
    let east = Scene::set("clusters-east").await;
    let (mut first, west) = tokio::join!(east.operator("first"), east.beside("clusters-west"));
    let mut second = west.talkative_operator("west", "second").await;
    for scene in [&east, &west] {
        scene.namespace("shop").await;
    }
    both_manage_an_account_and_the_second_writes_nothing(&east, &west).await;
    one_observes_and_is_never_a_conflict(&east, &west).await;
    an_account_is_handed_over(&east, &west).await;
    no_secret_shows_anywhere(&west, &second).await;
    first.alive().unwrap();
    second.alive().unwrap();
}

/// F20: the loser says who has it, and nobody writes any more.
async fn both_manage_an_account_and_the_second_writes_nothing(east: &Scene, west: &Scene) {
    let spec = json!({"environments": ["dev"], "adoptionPolicy": "IfUnowned"});
    east.repository("shop/api", spec.clone()).await;
    east.ready("shop/api").await;
    let since = east.now();
    west.repository("shop/api", spec).await;
    west.because("shop/api", "Conflict").await;
    let message = west.message("shop/api").await;
    assert!(message.contains("cluster east"), "{message}");
    west.edit("shop/api", json!({"scanOnPush": true})).await;
    west.because("shop/api", "Conflict").await;
    // The lists of both are told here: of twice as many, each has made enough.
    for _ in 0..2 {
        east.account_swept_twice(east.now(), DEV).await;
    }
    assert_eq!(east.ledger(since), Vec::<String>::new(), "nobody writes");
    // To delete the loser costs the winner nothing.
    west.kubectl("delete", "shop/api", &[]).await.unwrap();
    assert_eq!(east.ledger(since), Vec::<String>::new());
}

async fn one_observes_and_is_never_a_conflict(east: &Scene, west: &Scene) {
    for (environment, _) in ACCOUNTS {
        let object = format!("environmentaccounts.ecr-operator.dev {environment}");
        west.edit(&object, json!({"managementPolicy": "Observe"}))
            .await;
    }
    let spec = json!({"environments": ["dev", "stage", "prod"]});
    let since = east.now();
    west.repository("shop/web", spec.clone()).await;
    west.because("shop/web", "Missing").await;
    east.repository("shop/web", spec).await;
    east.ready("shop/web").await;
    west.because("shop/web", "Observed").await;
    east.swept_twice().await;
    let by_west = |it: &Entry| it.caller.contains("ecr-operator@west");
    assert!(
        !east.writes(since).iter().any(by_west),
        "west only observes"
    );
}

/// The first lets go, with Retain, and the second takes over what it left.
async fn an_account_is_handed_over(east: &Scene, west: &Scene) {
    west.edit(DEV_ENVIRONMENT, json!({"managementPolicy": "Manage"}))
        .await;
    west.edit(
        "shop/web",
        json!({"environments": ["dev"], "adoptionPolicy": "IfUnowned"}),
    )
    .await;
    west.because("shop/web", "Conflict").await;
    east.kubectl("delete", "shop/web", &[]).await.unwrap();
    west.ready("shop/web").await;
    let tags = &east.in_ecr(DEV, "shop/web").await["tags"];
    assert_eq!(tags["ecr-operator.dev/cluster"], "west", "{tags}");
}

/// S5: credentials, encoded authorization messages, and what changes with every attempt.
async fn no_secret_shows_anywhere(west: &Scene, operator: &Operator) {
    const ENCODED: &str = "canary-of-an-encoded-message";
    const REQUEST: &str = "canary-of-a-request-id";
    let message = format!(
        "User: arn:aws:sts::{DEV}:assumed-role/ecr-operator/x is not authorized to perform: \
         ecr:PutImageScanningConfiguration (Service: Ecr, Status Code: 400, Request ID: {REQUEST}) \
         Encoded authorization failure message: {ENCODED}"
    );
    west.stage.emulator.faults().add(Rule {
        operation: Some("PutImageScanningConfiguration".to_owned()),
        effect: Effect::Refuse {
            code: "AccessDeniedException".to_owned(),
            message,
            status: 400,
        },
        ..Rule::default()
    });
    west.edit("shop/web", json!({"scanOnPush": true})).await;
    west.because("shop/web", "AccessDenied").await;
    let kinds = "ecr,events.events.k8s.io";
    let shown = west
        .stage
        .kubectl(&["get", kinds, "--all-namespaces", "--output=json"], None)
        .await
        .unwrap();
    let metrics = get(&operator.health, "/metrics").await.unwrap();
    let log = std::fs::read_to_string(&operator.log).unwrap();
    assert!(shown.contains("not authorized to perform"), "it is told");
    assert!(log.contains("TRACE"), "it logs all that it can");
    for (place, text) in [("objects", &shown), ("metrics", &metrics), ("log", &log)] {
        for secret in [HUB_SECRET, "emulated-session-token/", ENCODED, REQUEST] {
            let line = text.lines().find(|it| it.contains(secret));
            assert!(line.is_none(), "{secret} in the {place}: {line:?}");
        }
    }
    west.stage.emulator.faults().clear();
}
