//! What serves and what leads as two processes, with ServiceAccounts of their own: pods are rewritten
//! without whoever leads, and what every pod can connect to can write nothing.

use ecr_operator::commands::demo::hand::get;
use ecr_operator::commands::demo::stage::{NAMESPACE, Pair};
use ecr_operator::commands::rights::{WEBHOOK, probe_namespace};
use ecr_operator::emulator::{Effect, Rule};
use k8s_openapi::api::authorization::v1::SelfSubjectAccessReview;
use kube::Api;
use kube::api::PostParams;
use serde_json::json;

use super::facts::{OWN, POLICY, becomes, not_known, one_repository_is_denied, rules_and_images};
use super::leadership::{LEADS, WAITS};
use super::replicas::shows;
use super::scene::Scene;
use super::{PROD, REGION};
use crate::rights::{self, Story};

#[tokio::test(flavor = "multi_thread")]
async fn pods_are_rewritten_after_what_leads_has_died() {
    let scene = Scene::set("serving").await;
    scene.namespace("shop").await;
    let flags = ["--facts-period=1s", "--facts-max-age=10s"].map(str::to_owned);
    let mut pair = scene.pair_with("serving", flags.to_vec()).await;
    each_process_shows_its_own_part(&pair).await;

    rules_and_images(&scene).await;
    scene.waits(POLICY, "condition=AdmissionReachable").await;
    rewritten(&scene, "1").await;
    a_process_that_aws_does_not_let_in_is_not_ready(&scene, flags.to_vec()).await;
    images_that_are_not_listed_are_reported(&scene, &pair).await;
    // Both are given the same address for admission: one of them only listens there.
    pair.alive().unwrap();

    let Pair {
        mut webhook,
        controller,
    } = pair;
    controller.kill().await.unwrap();
    let since = scene.now();
    scene.hand(PROD).push(OWN, "2").await.unwrap();
    rewritten(&scene, "2").await;
    shows(&webhook, "/readyz", "ok").await;
    shows(&webhook, "/metrics", WAITS).await;
    assert_eq!(
        scene.ledger(since),
        Vec::<String>::new(),
        "who serves writes"
    );
    the_token_of_what_serves_writes_nothing(&scene).await;
    rights::check(Story::Serving, &scene.stage);
    webhook.alive().unwrap();
}

async fn each_process_shows_its_own_part(pair: &Pair) {
    shows(&pair.controller, "/metrics", LEADS).await;
    shows(&pair.controller, "/readyz", "ok").await;
    shows(&pair.webhook, "/metrics", WAITS).await;
    shows(&pair.webhook, "/readyz", "ok").await;
    let of_admission = "ecr_operator_admission_evictions";
    let served = get(&pair.webhook.health, "/metrics").await.unwrap();
    assert!(served.contains(of_admission), "{served}");
    let led = get(&pair.controller.health, "/metrics").await.unwrap();
    assert!(!led.contains(of_admission), "{led}");
}

/// Waits until a new pod that asks for this tag by the old name gets it from ECR.
async fn rewritten(scene: &Scene, tag: &str) {
    let asked = format!("old.example.com/{OWN}:{tag}");
    let ecr = format!("{PROD}.dkr.ecr.{REGION}.amazonaws.com/{OWN}:{tag}");
    becomes(scene, &[asked], &[ecr]).await;
}

/// A pod of a new version whose ServiceAccount has no AWS identity: it says what it lacks, and the pods that
/// it is to replace go on.
async fn a_process_that_aws_does_not_let_in_is_not_ready(scene: &Scene, flags: Vec<String>) {
    scene.stage.emulator.faults().add(Rule {
        operation: Some("AssumeRole".to_owned()),
        caller: Some("user/ecr-operator-webhook".to_owned()),
        effect: Effect::Deny,
        ..Rule::default()
    });
    let late = scene.webhook_with("late", flags).await;
    let role = format!("listed as arn:aws:iam::{PROD}:role/ecr-operator-read");
    let waits = "waiting for the first list of images from ECR: GetCallerIdentity";
    shows(&late, "/readyz", waits).await;
    shows(&late, "/readyz", &role).await;
    let event = scene.told("default", "FactsNotKnown").await;
    let note = event.note.unwrap();
    assert!(note.contains(&role), "{note}");
    assert!(note.contains("ServiceAccount"), "{note}");
    rewritten(scene, "1").await;
    scene.stage.emulator.faults().clear();
    shows(&late, "/readyz", "ok").await;
    late.kill().await.unwrap();
}

/// What serves reports it on the policy, and again when it happens again.
async fn images_that_are_not_listed_are_reported(scene: &Scene, pair: &Pair) {
    for _ in 0..2 {
        one_repository_is_denied(scene, &pair.webhook).await;
        scene.stage.emulator.faults().clear();
        not_known(&pair.webhook, 0).await;
        scene.told("default", "FactsKnown").await;
        scene.hand(PROD).push(OWN, "1").await.unwrap(); // it was deleted
        rewritten(scene, "1").await;
    }
}

/// One thing that a thief of the token would try: verb, API group, resource (with subresource),
/// namespace, name.
type Try = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const OURS: &str = "ecr-operator.dev";
const WEBHOOKS: &str = "admissionregistration.k8s.io";
/// Stands for the namespace of the probe pods.
const PROBES: &str = "PROBES";

const TRIED: &[Try] = &[
    ("patch", OURS, "environmentaccounts/status", "", "prod"),
    ("patch", OURS, "imagerepositories/status", "shop", "api"),
    ("patch", OURS, "imagerepositories", "shop", "api"),
    ("patch", OURS, "environmentaccounts", "", "prod"),
    ("delete", OURS, "imageadmissionpolicies", "", "prod"),
    ("create", "", "pods", PROBES, ""),
    ("create", "", "pods", "shop", ""),
    ("delete", "", "pods", "shop", "new"),
    ("create", "", "pods/exec", "shop", "new"),
    ("create", "", "secrets", NAMESPACE, ""),
    ("update", "", "secrets", NAMESPACE, "ecr-operator-webhook"),
    ("patch", "", "secrets", NAMESPACE, "ecr-operator-webhook"),
    ("list", "", "secrets", NAMESPACE, ""),
    ("get", "", "secrets", "shop", "anything"),
    (
        "update",
        "coordination.k8s.io",
        "leases",
        NAMESPACE,
        "ecr-operator",
    ),
    ("create", "coordination.k8s.io", "leases", NAMESPACE, ""),
    ("create", WEBHOOKS, "mutatingwebhookconfigurations", "", ""),
    (
        "update",
        WEBHOOKS,
        "mutatingwebhookconfigurations",
        "",
        "ecr-operator",
    ),
    (
        "delete",
        WEBHOOKS,
        "mutatingwebhookconfigurations",
        "",
        "ecr-operator",
    ),
    (
        "create",
        "",
        "serviceaccounts/token",
        NAMESPACE,
        "ecr-operator",
    ),
    (
        "impersonate",
        "",
        "serviceaccounts",
        NAMESPACE,
        "ecr-operator",
    ),
    ("patch", "", "namespaces", "", "shop"),
    (
        "patch",
        "apps",
        "deployments",
        NAMESPACE,
        "ecr-operator-controller",
    ),
];

async fn the_token_of_what_serves_writes_nothing(scene: &Scene) {
    let thief = scene.stage.cluster.client_of(NAMESPACE, WEBHOOK).await;
    let reviews: Api<SelfSubjectAccessReview> = Api::all(thief.unwrap());
    let probes = probe_namespace(NAMESPACE);
    for tried in TRIED {
        let (verb, group, resource, namespace, name) = *tried;
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let namespace = if namespace == PROBES {
            &probes
        } else {
            namespace
        };
        let review = json!({"spec": {"resourceAttributes": {
            "verb": verb,
            "group": group,
            "resource": resource,
            "subresource": subresource,
            "namespace": namespace,
            "name": name,
        }}});
        let review = serde_json::from_value(review).unwrap();
        let answer = reviews.create(&PostParams::default(), &review).await;
        assert!(!answer.unwrap().status.unwrap().allowed, "{tried:?}");
    }
}
