//! Facts about images have an age: what was not confirmed for longer is not known, and is never
//! rewritten to.

use std::time::Duration;

use ecr_operator::commands::demo::stage::Operator;
use ecr_operator::emulator::{Effect, Rule};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::replicas::shows;
use super::scene::Scene;
use super::{PATIENCE, PROD, REGION};

pub(super) const OWN: &str = "shop/api";
const CACHED: &str = "quay/org/proxy";
pub(super) const POLICY: &str = "imageadmissionpolicies.ecr-operator.dev prod";

#[tokio::test(flavor = "multi_thread")]
async fn image_is_not_known_once_its_facts_are_too_old() {
    let scene = Scene::set("facts").await;
    scene.namespace("shop").await;
    let flags = ["--facts-period=1s", "--facts-max-age=10s"].map(str::to_owned);
    let mut operator = scene.operator_with("facts", flags.to_vec()).await;
    let digest = rules_and_images(&scene).await;
    let images = [
        "old.example.com/shop/api:1".to_owned(),
        format!("old.example.com/shop/api@{digest}"),
        "quay.io/org/proxy:1".to_owned(),
    ];
    let moved = |it: &str| format!("{PROD}.dkr.ecr.{REGION}.amazonaws.com/{it}");
    let ecr = [
        moved("shop/api:1"),
        moved(&format!("shop/api@{digest}")),
        moved("quay/org/proxy:1"),
    ];
    becomes(&scene, &images, &ecr).await;
    not_known(&operator, 0).await;

    one_repository_is_denied(&scene, &operator).await;
    let [tag, digested, cached] = &images;
    let kept = [tag.clone(), digested.clone(), ecr[2].clone()];
    becomes(&scene, &images, &kept).await;
    admission_says_why(&scene, &operator, tag).await;

    scene.stage.emulator.faults().clear();
    not_known(&operator, 0).await;
    scene.told("default", "FactsKnown").await;
    becomes(&scene, &images, &kept).await; // it was deleted
    scene.hand(PROD).push(OWN, "1").await.unwrap();
    becomes(&scene, &images, &ecr).await;

    the_account_is_silent(&scene, &operator).await;
    delete(&scene, CACHED).await;
    becomes(&scene, &images, &images).await;
    scene.stage.emulator.faults().clear();
    let expected = [ecr[0].clone(), ecr[1].clone(), cached.clone()];
    becomes(&scene, &images, &expected).await;
    not_known(&operator, 0).await;
    scene.ready(POLICY).await;
    operator.alive().unwrap();
}

/// An own repository and a cached one, each with an image; gives the digest of the own one.
pub(super) async fn rules_and_images(scene: &Scene) -> String {
    let spec = json!({"environments": ["prod"], "migratesFrom": ["old.example.com/shop/api"]});
    scene.repository(OWN, spec).await;
    scene.ready(OWN).await;
    let rule = json!({
        "upstreamRegistry": "quay",
        "ecrRepositoryPrefix": "quay",
        "environments": ["prod"],
    });
    scene.cache("quay", rule).await;
    scene.ready("pullthroughrules.ecr-operator.dev quay").await;
    let create = json!({"repositoryName": CACHED});
    scene.by_hand(PROD, "CreateRepository", create).await;
    for name in [OWN, CACHED] {
        scene.hand(PROD).push(name, "1").await.unwrap();
    }
    let policy = json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "ImageAdmissionPolicy",
        "metadata": {"name": "prod"},
        "spec": {"environment": "prod", "mode": "Rewrite"},
    });
    scene.apply(&policy.to_string()).await;
    scene.ready(POLICY).await;
    let images = json!({"repositoryName": OWN});
    let images = scene.by_hand(PROD, "DescribeImages", images).await;
    let digest = images["imageDetails"][0]["imageDigest"].as_str();
    digest.unwrap().to_owned()
}

/// While the operator may not list it, the image is deleted.
pub(super) async fn one_repository_is_denied(scene: &Scene, operator: &Operator) {
    scene.stage.emulator.faults().add(Rule {
        account: Some(PROD.to_owned()),
        operation: Some("DescribeImages".to_owned()),
        caller: Some("assumed-role/ecr-operator".to_owned()),
        repository: Some(OWN.to_owned()),
        effect: Effect::Deny,
        ..Rule::default()
    });
    delete(scene, OWN).await;
    not_known(operator, 1).await;
    let event = scene.told("default", "FactsNotKnown").await;
    assert_eq!(event.regarding.unwrap().name.as_deref(), Some("prod"));
    let note = event.note.unwrap();
    assert!(
        note.contains(OWN) && note.contains("is not authorized"),
        "{note}"
    );
}

async fn the_account_is_silent(scene: &Scene, operator: &Operator) {
    scene.stage.emulator.faults().add(Rule {
        account: Some(PROD.to_owned()),
        caller: Some("assumed-role/ecr-operator".to_owned()),
        effect: Effect::Hang,
        ..Rule::default()
    });
    not_known(operator, 2).await;
    shows(operator, "/metrics", "ecr_operator_facts_age_seconds{").await;
}

async fn delete(scene: &Scene, repository: &str) {
    let image = json!({"repositoryName": repository, "imageIds": [{"imageTag": "1"}]});
    let deleted = scene.by_hand(PROD, "BatchDeleteImage", image).await;
    assert_eq!(deleted["failures"], json!([]), "{deleted}");
}

/// Waits until so many repositories of prod are not known.
pub(super) async fn not_known(operator: &Operator, count: usize) {
    let labels = format!("{{account=\"{PROD}\",region=\"{REGION}\"}}");
    let shown = format!("ecr_operator_facts_not_known{labels} {count}\n");
    shows(operator, "/metrics", &shown).await;
}

/// A pod that is really created is counted with the reason.
async fn admission_says_why(scene: &Scene, operator: &Operator, image: &str) {
    let mut pod = pod_of(std::slice::from_ref(&image.to_owned()));
    pod["metadata"]["name"] = json!("kept");
    scene.apply(&pod.to_string()).await;
    let counted = "decision=\"Keep\",reason=\"NotKnown\"} 1";
    shows(operator, "/metrics", counted).await;
}

/// Waits until these images of a new pod become those, by dry runs.
pub(super) async fn becomes(scene: &Scene, images: &[String], expected: &[String]) {
    let pod = pod_of(images).to_string();
    let mut admitted = Vec::new();
    let path = "--output=jsonpath={.spec.containers[*].image}";
    let args = ["create", "--dry-run=server", "-f", "-", path];
    let waiting = async {
        loop {
            let shown = scene.stage.kubectl(&args, Some(&pod)).await.unwrap();
            admitted = shown.split(' ').map(str::to_owned).collect();
            if admitted == expected {
                return;
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let waited = timeout(PATIENCE, waiting).await;
    assert!(waited.is_ok(), "{admitted:#?} and not {expected:#?}");
}

fn pod_of(images: &[String]) -> Value {
    let containers = images.iter().enumerate();
    let containers = containers.map(|(i, it)| json!({"name": format!("c{i}"), "image": it}));
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "new", "namespace": "shop"},
        "spec": {"containers": containers.collect::<Vec<_>>()},
    })
}
