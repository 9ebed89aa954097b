//! Letting go: of objects, of environments, of whole namespaces. An image is never the price.

use ecr_operator::emulator::{Effect, Entry, Rule};
use serde_json::{Value, json};

use super::scene::Scene;
use super::{DEV, STAGE};

const TEMPORARY: &str = "555555555555";
const PREVIEW: &str = "121212121212";
const PREVIEW_ENVIRONMENT: &str = "environmentaccounts.ecr-operator.dev preview";

pub(super) async fn what_is_let_go_of_is_kept_unless_it_is_empty_and_may_go(scene: &Scene) {
    scene.namespace("bin").await;
    a_retained_repository_keeps_its_images_and_loses_our_name(scene).await;
    an_empty_repository_is_deleted_where_the_environment_allows_it(scene).await;
    a_repository_with_images_is_kept(scene).await;
    an_environment_taken_out_of_the_spec_is_let_go_of(scene).await;
    an_orphan_goes_though_aws_denies_everything(scene).await;
    a_namespace_ends(scene).await;
    a_namespace_whose_credentials_are_gone_ends_when_told_to(scene).await;
    an_environment_waits_for_its_repositories(scene).await;
    images_go_after_a_delay_in_which_the_object_can_come_back(scene).await;
    images_go_once_no_pod_and_no_pull_speaks_against_it(scene).await;
    what_is_pruned_all_at_once_costs_no_image(scene).await;
    scene.is_quiet().await;
    let forced = |it: &Entry| it.parameters["force"] == json!(true);
    assert!(!scene.writes(0).iter().any(forced), "never by force");
}

/// The writes by which a repository is released: the mark of who did, and then the owner tags.
fn released(subject: &str) -> Vec<String> {
    ["TagResource", "UntagResource"]
        .map(|it| format!("{subject} {it}"))
        .into()
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
    assert_eq!(scene.ledger(since), released("stage bin/kept"));
    assert_eq!(
        scene.in_ecr(STAGE, "bin/kept").await["tags"],
        json!({"team": "bin", "ecr-operator.dev/released-by": "east/bin/kept"})
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
            "stage bin/empty TagResource",
            "stage bin/empty UntagResource"
        ]
    );
    assert!(scene.in_ecr(DEV, "bin/empty").await.is_null());
}

async fn a_repository_with_images_is_kept(scene: &Scene) {
    let spec = json!({"environments": ["dev"], "deletionPolicy": "DeleteIfEmpty"});
    scene.repository("bin/used", spec).await;
    scene.ready("bin/used").await;
    scene.hand(DEV).push("bin/used", "1.0").await.unwrap();
    let since = scene.now();
    scene.kubectl("delete", "bin/used", &[]).await.unwrap();
    assert_eq!(scene.ledger(since), released("dev bin/used"));
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
    assert_eq!(scene.ledger(since), released("stage bin/moved"));
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
    let expected = ["stage leaving/one", "stage leaving/two"].map(released);
    assert_eq!(scene.ledger(since), expected.concat());
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
    assert_eq!(scene.ledger(since), released("555555555555 bin/both"));
}

/// F17: the credentials are gone for good, and so is whoever could bring them back.
async fn a_namespace_whose_credentials_are_gone_ends_when_told_to(scene: &Scene) {
    scene.namespace("stranded").await;
    for name in ["stranded/one", "stranded/two"] {
        scene
            .repository(name, json!({"environments": ["stage"]}))
            .await;
        scene.ready(name).await;
    }
    let since = scene.now();
    scene.stage.emulator.faults().add(Rule {
        account: Some(STAGE.to_owned()),
        caller: Some("assumed-role/ecr-operator".to_owned()),
        effect: Effect::Deny,
        ..Rule::default()
    });
    scene
        .kubectl("delete", "namespace stranded", &["--wait=false"])
        .await
        .unwrap();
    for name in ["stranded/one", "stranded/two"] {
        scene.because(name, "Deleting").await;
        scene
            .kubectl("annotate", name, &["ecr-operator.dev/orphan=true"])
            .await
            .unwrap();
    }
    scene.gone("namespace stranded").await;
    scene.stage.emulator.faults().clear();
    assert_eq!(scene.ledger(since), Vec::<String>::new());
}

/// An environment of an account that lets images go, on these terms.
async fn preview(scene: &Scene, terms: Value) {
    let spec = json!({
        "accountId": PREVIEW,
        "region": super::REGION,
        "assumeRole": {"roleArn": format!("arn:aws:iam::{PREVIEW}:role/ecr-operator")},
        "grants": [{"namespaceSelector": {}, "repositoryPrefixes": ["{namespace}/"]}],
        "allowDelete": true,
        "deletion": terms,
    });
    scene.environment(spec, "preview").await;
    scene.ready(PREVIEW_ENVIRONMENT).await;
}

async fn deleted_with_an_image(scene: &Scene, name: &str) {
    let spec = json!({"environments": ["preview"], "deletionPolicy": "Delete"});
    scene.repository(name, spec).await;
    scene.ready(name).await;
    scene.hand(PREVIEW).push(name, "1.0").await.unwrap();
    let since = scene.now();
    scene.kubectl("delete", name, &[]).await.unwrap();
    only_tombstones(scene, since, name);
    let condemned = |it: &Entry| {
        let tags = it.parameters["tags"].to_string();
        it.sequence > since && tags.contains("ecr-operator.dev/condemned-at")
    };
    scene.heard("condemnation", condemned).await;
    only_tombstones(scene, since, name);
}

/// A tombstone, its delay counts once a round has seen it, and the object is gone.
fn only_tombstones(scene: &Scene, since: u64, name: &str) {
    let ledger = scene.ledger(since);
    let tombstone = format!("{PREVIEW} {name} TagResource");
    assert!(!ledger.is_empty());
    assert!(ledger.iter().all(|it| *it == tombstone), "{ledger:?}");
}

async fn images_go_after_a_delay_in_which_the_object_can_come_back(scene: &Scene) {
    preview(scene, json!({"unusedDays": 0})).await;
    deleted_with_an_image(scene, "bin/back").await;
    let tags = &scene.in_ecr(PREVIEW, "bin/back").await["tags"];
    assert!(tags["ecr-operator.dev/delete-after"].is_string(), "{tags}");
    let shown = "jsonpath={.status.nextDeletions[0].repositoryName}=bin/back";
    scene.waits(PREVIEW_ENVIRONMENT, shown).await;
    let since = scene.now();
    scene
        .repository("bin/back", json!({"environments": ["preview"]}))
        .await;
    scene.ready("bin/back").await;
    assert_eq!(
        scene.ledger(since),
        [
            format!("{PREVIEW} bin/back TagResource"),
            format!("{PREVIEW} bin/back UntagResource"),
        ],
        "it is owned again, and the tombstone is gone"
    );
    let tags = &scene.in_ecr(PREVIEW, "bin/back").await["tags"];
    assert!(tags["ecr-operator.dev/delete-after"].is_null(), "{tags}");
    scene.kubectl("delete", "bin/back", &[]).await.unwrap();
}

async fn images_go_once_no_pod_and_no_pull_speaks_against_it(scene: &Scene) {
    preview(scene, json!({"delayHours": 0})).await;
    let host = format!("{PREVIEW}.dkr.ecr.{}.amazonaws.com", super::REGION);
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "user", "namespace": "bin"},
        "spec": {"containers": [{"name": "main", "image": format!("{host}/bin/last:1.0")}]},
    });
    scene.apply(&pod.to_string()).await;
    deleted_with_an_image(scene, "bin/last").await;
    let since = scene.now();
    let note = scene.told("default", "InUse").await.note.unwrap();
    assert!(
        note.contains("bin/last") && note.contains("bin/user"),
        "{note}"
    );
    scene
        .kubectl(
            "delete",
            "--namespace=bin pod user",
            &["--grace-period=0", "--force"],
        )
        .await
        .unwrap();
    let note = scene.told("default", "UsedLately").await.note.unwrap();
    assert!(note.contains("bin/last"), "{note}");
    assert_eq!(scene.ledger(since), Vec::<String>::new());
    // A day ago is lately for most, and not for who says so.
    preview(scene, json!({"delayHours": 0, "unusedDays": 0})).await;
    let entry = scene.wrote(since, PREVIEW, "DeleteRepository").await;
    assert!(entry.parameters["force"].is_null(), "{entry:?}");
    let calls = [
        "BatchDeleteImage",
        "DeleteRepository",
        "SetRepositoryPolicy",
        "TagResource",
    ];
    let calls = calls.map(|it| format!("{PREVIEW} bin/last {it}"));
    assert_eq!(scene.ledger(since), calls);
    assert!(scene.in_ecr(PREVIEW, "bin/last").await.is_null());
    scene.told("default", "RepositoryDeleted").await;
}

/// As Argo CD prunes an app of everything, its environments too; and syncs it again.
async fn what_is_pruned_all_at_once_costs_no_image(scene: &Scene) {
    preview(scene, json!({"unusedDays": 0})).await;
    scene.namespace("pruned").await;
    let spec = json!({"environments": ["preview"], "deletionPolicy": "Delete"});
    scene.repository("pruned/api", spec.clone()).await;
    scene.ready("pruned/api").await;
    scene.hand(PREVIEW).push("pruned/api", "1.0").await.unwrap();
    let since = scene.now();
    for what in [PREVIEW_ENVIRONMENT, "namespace pruned"] {
        scene
            .kubectl("delete", what, &["--wait=false"])
            .await
            .unwrap();
    }
    scene.gone("namespace pruned").await;
    scene.gone(PREVIEW_ENVIRONMENT).await;
    only_tombstones(scene, since, "pruned/api");
    // The tombstone is long due, and the environment is back before its objects are.
    let arn = format!(
        "arn:aws:ecr:{}:{PREVIEW}:repository/pruned/api",
        super::REGION
    );
    let due = json!([{"Key": "ecr-operator.dev/delete-after", "Value": "2020-01-01T00:00:00Z"}]);
    let tombstone = json!({"resourceArn": arn, "tags": due});
    scene.by_hand(PREVIEW, "TagResource", tombstone).await;
    preview(scene, json!({"unusedDays": 0})).await;
    scene
        .repository("bin/first", json!({"environments": ["preview"]}))
        .await;
    scene.ready("bin/first").await;
    scene.account_swept_twice(scene.now(), PREVIEW).await;
    assert_eq!(images(scene, PREVIEW, "pruned/api").await, 1);
    scene.namespace("pruned").await;
    scene.repository("pruned/api", spec).await;
    scene.ready("pruned/api").await;
    let tags = &scene.in_ecr(PREVIEW, "pruned/api").await["tags"];
    assert!(tags["ecr-operator.dev/delete-after"].is_null(), "{tags}");
    assert_eq!(images(scene, PREVIEW, "pruned/api").await, 1);
}
