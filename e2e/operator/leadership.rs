//! One lease, one writer, whatever somebody does to the lease and whenever a leader is stopped.

use std::process::Command;
use std::time::{Duration, Instant};

use ecr_operator::commands::demo::stage::{NAMESPACE, Operator};
use ecr_operator::commands::rights;
use ecr_operator::emulator::{Effect, Rule};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::runtime::wait::await_condition;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::replicas::shows;
use super::scene::Scene;
use super::{DEV, PATIENCE};

/// The duration of our lease, which whoever waits for it waits at least.
const DURATION: Duration = Duration::from_secs(30);
/// What a replica's metrics say when it leads, and when it does not.
pub(super) const LEADS: &str = "\necr_operator_leader 1\n";
pub(super) const WAITS: &str = "\necr_operator_leader 0\n";
/// Repairs, of which the leader has made one when it is stopped.
const FLEET: usize = 12;
/// How long the read before a repair takes: less than an attempt may.
const READ_MILLISECONDS: u64 = 8_000;

#[tokio::test(flavor = "multi_thread")]
async fn leader_that_was_stopped_writes_nothing_when_it_goes_on() {
    let scene = Scene::set("leadership").await;
    let leases: Api<Lease> =
        Api::namespaced(scene.stage.cluster.client().await.unwrap(), NAMESPACE);
    absurd_duration_is_bounded_and_reported(&scene, &leases).await;
    let old = scene.operator("old").await;
    shows(&old, "/metrics", LEADS).await;
    let new = lease_that_vanished_is_waited_for(&scene, &leases, old).await;
    let third = scene.operator("third").await;
    shows(&third, "/metrics", WAITS).await;
    stopped_in_the_middle_of_repairs(&scene, &new, third).await;
}

/// A stranger holds the lease for ten years.
async fn absurd_duration_is_bounded_and_reported(scene: &Scene, leases: &Api<Lease>) {
    let spec = json!({"holderIdentity": "stranger", "leaseDurationSeconds": 315_360_000});
    patch(leases, spec).await;
    let operator = scene.operator("patient").await;
    let event = scene.told(NAMESPACE, "LeaseDurationTooLong").await;
    let note = event.note.unwrap();
    assert!(note.contains("stranger declares 315360000 s"), "{note}");
    shows(&operator, "/metrics", LEADS).await;
    operator.kill().await.unwrap();
    // The next operator does not have to wait for one that is dead.
    let given_back = json!({"holderIdentity": "", "leaseDurationSeconds": 1});
    patch(leases, given_back).await;
}

async fn patch(leases: &Api<Lease>, spec: Value) {
    let patch = Patch::Merge(json!({"spec": spec}));
    let how = PatchParams::default();
    leases.patch("ecr-operator", &how, &patch).await.unwrap();
}

/// Somebody deletes the lease: its holder stops and says what is missing. When it is there again nobody
/// leads before the duration of the old one is over, though the new one was never held. The holder is killed
/// afterwards; the replica that leads next is returned.
async fn lease_that_vanished_is_waited_for(
    scene: &Scene,
    leases: &Api<Lease>,
    old: Operator,
) -> Operator {
    let new = scene.operator("new").await;
    shows(&new, "/metrics", WAITS).await;
    // It has seen who holds the lease: the first look is before the first answer of /readyz.
    shows(&new, "/readyz", "ok").await;
    let deleted = Instant::now();
    leases
        .delete("ecr-operator", &DeleteParams::default())
        .await
        .unwrap();
    shows(&old, "/metrics", WAITS).await;
    for replica in [&old, &new] {
        shows(replica, "/metrics", "object_missing{kind=\"Lease\"} 1\n").await;
    }
    let event = scene.told(NAMESPACE, "NotInstalled").await;
    assert_eq!(event.regarding.unwrap().kind.as_deref(), Some("Lease"));
    let client = scene.stage.cluster.client().await.unwrap();
    rights::install(&client, NAMESPACE).await.unwrap();
    let again = |it: Option<&Lease>| {
        let spec = it.and_then(|it| it.spec.as_ref());
        spec.is_some_and(|it| it.holder_identity.is_some())
    };
    let again = await_condition(leases.clone(), "ecr-operator", again);
    timeout(PATIENCE, again).await.unwrap().unwrap();
    assert!(deleted.elapsed() >= DURATION, "{:?}", deleted.elapsed());
    // Whichever was faster: from here on it is the new one.
    old.kill().await.unwrap();
    shows(&new, "/metrics", LEADS).await;
    new
}

/// The leader is stopped as by a node that hangs, in the middle of repairs whose reads take long;
/// another leads and dies, and the old one goes on while the lease is still the other's.
async fn stopped_in_the_middle_of_repairs(scene: &Scene, old: &Operator, new: Operator) {
    scene.namespace("fleet").await;
    for number in 0..FLEET {
        let spec = json!({"environments": ["dev"], "scanOnPush": true});
        scene.repository(&format!("fleet/app-{number}"), spec).await;
    }
    for number in 0..FLEET {
        scene.ready(&format!("fleet/app-{number}")).await;
    }
    // All but one wait for what they read before they write; it is there when the old leader goes on.
    for number in 1..FLEET {
        scene.stage.emulator.faults().add(Rule {
            operation: Some("GetLifecyclePolicy".to_owned()),
            repository: Some(format!("fleet/app-{number}")),
            effect: Effect::Delay(READ_MILLISECONDS),
            ..Rule::default()
        });
    }
    let damaged = scene.now();
    for number in 0..FLEET {
        let name = format!("fleet/app-{number}");
        let off =
            json!({"repositoryName": name, "imageScanningConfiguration": {"scanOnPush": false}});
        scene
            .by_hand(DEV, "PutImageScanningConfiguration", off)
            .await;
    }
    scene
        .wrote(damaged, DEV, "PutImageScanningConfiguration")
        .await;
    signal(old, "-STOP");
    shows(&new, "/metrics", LEADS).await;
    let stopped = scene.now();
    scene
        .wrote(stopped, DEV, "PutImageScanningConfiguration")
        .await;
    new.kill().await.unwrap();
    settle(scene).await;

    let (before, since) = (versions(scene).await, scene.now());
    signal(old, "-CONT");
    shows(old, "/metrics", WAITS).await;
    assert_eq!(scene.ledger(since), Vec::<String>::new(), "written to AWS");
    assert_eq!(versions(scene).await, before, "written to the API server");
    scene.stage.emulator.faults().clear();
    shows(old, "/metrics", LEADS).await;
    let repaired = scene.now();
    scene.account_swept_twice(repaired, DEV).await;
    let since = scene.now();
    scene.account_swept_twice(since, DEV).await;
    assert_eq!(scene.ledger(since), Vec::<String>::new(), "all is repaired");
}

/// What a process that was killed had sent has arrived: nothing comes between two of our own calls.
async fn settle(scene: &Scene) {
    let quiet = async {
        loop {
            let before = scene.now();
            scene.by_hand(DEV, "DescribeRegistry", json!({})).await;
            if scene.now() == before + 1 {
                return;
            }
        }
    };
    timeout(PATIENCE, quiet).await.unwrap();
}

async fn versions(scene: &Scene) -> String {
    let path = "--output=jsonpath={.items[*].metadata.resourceVersion}";
    let kinds = "environmentaccounts,imagerepositories,mutatingwebhookconfigurations";
    let args = ["get", kinds, "--all-namespaces", path];
    scene.stage.kubectl(&args, None).await.unwrap()
}

fn signal(operator: &Operator, signal: &str) {
    let id = operator.id().unwrap().to_string();
    let sent = Command::new("kill").args([signal, &id]).status().unwrap();
    assert!(sent.success());
}
