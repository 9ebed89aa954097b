//! What of a registry is only looked at, is undone by somebody else, is left, or cannot be had.

use ecr_operator::api::EnvironmentAccount;
use ecr_operator::api::environment_account::EnvironmentAccountStatus;
use ecr_operator::commands::demo::hand::Hand;
use ecr_operator::domain::registry::sid;
use ecr_operator::emulator::Entry;
use kube::Api;
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::scene::Scene;
use super::{DEV, PATIENCE, REGION, importing};

const DEV_OBJECT: &str = "environmentaccounts.ecr-operator.dev dev";
/// The other region of `dev`.
const REPLICA: &str = "eu-west-1";
/// ECR's limit of pull-time update exclusions.
const MOST_EXCLUSIONS: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_is_observed_and_left_and_never_fought_over() {
    let scene = Scene::set("edges").await;
    let mut operator = scene.operator("edges").await;
    what_is_only_observed_is_compared_and_not_written(&scene).await;
    what_is_undone_again_and_again_is_left_to_a_person(&scene).await;
    a_region_that_is_taken_out_is_left_without_our_part(&scene).await;
    the_hundred_and_first_exclusion_is_refused_before_the_call(&scene).await;
    importing::what_a_registry_has_is_taken_up_without_a_write(&scene).await;
    operator.alive().unwrap();
}

async fn what_is_only_observed_is_compared_and_not_written(scene: &Scene) {
    let since = scene.now();
    let registry = json!({
        "policyStatements": [{
            "sid": "Import",
            "principals": ["444444444444"],
            "actions": ["ecr:BatchImportUpstreamImage"],
        }],
        "accountSettings": {"blobMounting": "ENABLED"},
    });
    let observe = json!({"managementPolicy": "Observe", "registry": registry});
    scene.edit(DEV_OBJECT, observe).await;
    scene.because(DEV_OBJECT, "Drifted").await;
    let all = [
        "registry.policyStatements",
        "registry.accountSettings.blobMounting",
    ];
    until_dev(scene, "all differs", |it| differing(it) == all).await;
    // Somebody else does a part of it.
    mount_blobs(scene, "ENABLED").await;
    until_dev(scene, "less differs", |it| differing(it) == all[..1]).await;
    nothing_is_written(scene, since).await;
    scene
        .edit(DEV_OBJECT, json!({"managementPolicy": "Manage"}))
        .await;
    scene.wrote(since, DEV, "PutRegistryPolicy").await;
    scene.ready(DEV_OBJECT).await;
    until_dev(scene, "nothing differs", |it| differing(it).is_empty()).await;
}

async fn what_is_undone_again_and_again_is_left_to_a_person(scene: &Scene) {
    const REPAIRS: usize = 3;
    for _ in 0..REPAIRS {
        let since = scene.now();
        mount_blobs(scene, "DISABLED").await;
        scene.wrote(since, DEV, "PutAccountSetting").await;
        scene.ready(DEV_OBJECT).await;
    }
    mount_blobs(scene, "DISABLED").await;
    scene.because(DEV_OBJECT, "Contested").await;
    let since = scene.now();
    nothing_is_written(scene, since).await;
    // Who edits the object wants it tried at once.
    let edit = json!({"registry": {"pullTimeUpdateExclusions": [role("scanner")]}});
    scene.edit(DEV_OBJECT, edit).await;
    scene.wrote(since, DEV, "PutAccountSetting").await;
    scene.ready(DEV_OBJECT).await;
}

async fn a_region_that_is_taken_out_is_left_without_our_part(scene: &Scene) {
    let there = Hand {
        region: REPLICA,
        ..scene.hand(DEV)
    };
    let read = async || {
        let policy = there.ecr("GetRegistryPolicy", &json!({})).await.unwrap();
        serde_json::from_str::<Value>(policy["policyText"].as_str().unwrap()).unwrap()
    };
    let mut policy = read().await;
    assert_eq!(
        policy["Statement"][0]["Sid"],
        sid(&"east".parse().unwrap(), "Import")
    );
    let theirs = json!({
        "Sid": "Theirs",
        "Effect": "Allow",
        "Principal": {"AWS": "arn:aws:iam::777777777777:root"},
        "Action": "ecr:ReplicateImage",
        "Resource": "*",
    });
    policy["Statement"].as_array_mut().unwrap().push(theirs);
    let put = json!({"policyText": policy.to_string()});
    there.ecr("PutRegistryPolicy", &put).await.unwrap();
    scene
        .edit(DEV_OBJECT, json!({"replicaRegions": null}))
        .await;
    let is_left = |it: &EnvironmentAccountStatus| {
        let mut regions = it.registries.iter().map(|it| it.region.as_str());
        regions.all(|it| it == REGION)
    };
    until_dev(scene, "the region is left", is_left).await;
    scene.ready(DEV_OBJECT).await;
    let statements = read().await["Statement"].clone();
    assert_eq!(statements.as_array().unwrap().len(), 1, "{statements}");
    assert_eq!(statements[0]["Sid"], "Theirs");
    let exclusions = there.ecr("ListPullTimeUpdateExclusions", &json!({})).await;
    assert_eq!(exclusions.unwrap()["pullTimeUpdateExclusions"], json!([]));
}

async fn the_hundred_and_first_exclusion_is_refused_before_the_call(scene: &Scene) {
    for number in 1..MOST_EXCLUSIONS {
        let theirs = json!({"principalArn": role(&format!("theirs-{number}"))});
        scene
            .by_hand(DEV, "RegisterPullTimeUpdateExclusion", theirs)
            .await;
    }
    let since = scene.now();
    let exclusions = ["scanner", "prober"].map(role);
    let edit = json!({"registry": {"pullTimeUpdateExclusions": exclusions}});
    scene.edit(DEV_OBJECT, edit).await;
    scene.because(DEV_OBJECT, "LimitExceeded").await;
    let message = scene.message(DEV_OBJECT).await;
    assert!(
        message.contains("101") && message.contains("ECR allows 100"),
        "{message}"
    );
    nothing_is_written(scene, since).await;
    let theirs = json!({"principalArn": role("theirs-1")});
    scene
        .by_hand(DEV, "DeregisterPullTimeUpdateExclusion", theirs)
        .await;
    let written = "RegisterPullTimeUpdateExclusion";
    scene.wrote(since, DEV, written).await;
    scene.ready(DEV_OBJECT).await;
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::{DEV}:role/{name}")
}

/// Somebody else's doing.
async fn mount_blobs(scene: &Scene, value: &str) {
    let setting = json!({"name": "BLOB_MOUNTING", "value": value});
    scene.by_hand(DEV, "PutAccountSetting", setting).await;
}

/// The fields of the home registry that differ.
fn differing(status: &EnvironmentAccountStatus) -> Vec<&str> {
    let home = status.registries.iter().find(|it| it.region == REGION);
    let differences = home.into_iter().flat_map(|it| &it.differences);
    differences.map(|it| it.field.as_str()).collect()
}

/// Waits until what the environment `dev` shows is as wanted.
pub(super) async fn until_dev(
    scene: &Scene,
    what: &str,
    wanted: impl Fn(&EnvironmentAccountStatus) -> bool,
) {
    let objects: Api<EnvironmentAccount> = Api::all(scene.stage.cluster.client().await.unwrap());
    let is_met = |it: Option<&EnvironmentAccount>| {
        let status = it.and_then(|it| it.status.as_ref());
        status.is_some_and(&wanted)
    };
    let met = timeout(PATIENCE, await_condition(objects, "dev", is_met)).await;
    met.unwrap_or_else(|_| panic!("never: {what}")).unwrap();
}

/// Two sweeps read the registry, and nothing was written in the account since a moment of the journal.
async fn nothing_is_written(scene: &Scene, since: u64) {
    let mut last = scene.now();
    for _ in 0..2 {
        let reads = |it: &Entry| {
            it.sequence > last
                && it.account == DEV
                && it.region == REGION
                && it.operation == "GetRegistryPolicy"
        };
        last = scene.heard("sweep", reads).await.sequence;
    }
    let mut written = scene.writes(since);
    written.retain(|it| it.account == DEV);
    assert_eq!(written, []);
}
