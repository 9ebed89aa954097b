//! F26: watches lose events. What was lost is made good by the next comparison of all versions.

use std::sync::Arc;
use std::time::Duration;

use ecr_operator::controllers::resync::Resync;
use ecr_operator::controllers::usage::{Known, follow};
use ecr_operator::domain::usage::Usage;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use prometheus_client::metrics::counter::Counter;
use serde_json::json;
use tokio::time::timeout;

use super::case::{Case, REPOSITORY, Sweeps};
use super::kubernetes::{CASE, Sight, Trouble, View};
use super::{DEV, PATIENCE};

#[tokio::test(flavor = "multi_thread")]
async fn f26_lost_watch_events_are_made_good() {
    let case = Case::set("f26").await;
    let mut role = case.role(Sweeps::Never);
    role.flags.push("--resync-period=1s".to_owned());
    let operator = role.start(View::of(&case.name, Trouble::None));
    case.environment("dev", DEV, json!({})).await;
    let spec = json!({"environments": ["CASE-dev"], "scanOnPush": true});
    for name in ["edited", "deleted"] {
        case.repository(name, spec.clone()).await;
        case.ready(REPOSITORY, name).await;
    }
    operator.view.see(Sight::Lossy);
    let edit = json!({"spec": {"scanOnPush": false}});
    case.edit(REPOSITORY, "edited", edit).await;
    case.repository("created", spec).await;
    case.delete(REPOSITORY, "deleted").await;
    for name in ["edited", "created"] {
        case.ready(REPOSITORY, name).await;
    }
    case.gone(REPOSITORY, "deleted").await;
    operator.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f26_lost_pod_events_are_made_good() {
    let case = Case::set("f26-pods").await;
    let (view, known, resync) = following(&case);
    let lost = resync.lost.clone();
    let (client, following) = (view.client(case.client()), Arc::clone(&known));
    let following = tokio::spawn(async move { follow(client, &following, resync).await });
    until(&known, Some(false)).await;
    view.see(Sight::Lossy);
    let pods: Api<Pod> = Api::namespaced(case.client(), &case.name);
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "labels": {CASE: case.name}},
        "spec": {
            "automountServiceAccountToken": false,
            "containers": [{"name": "app", "image": "quay.io/org/app:1"}],
        },
    });
    let how = PatchParams::apply("faults").force();
    pods.patch("web", &how, &Patch::Apply(&pod)).await.unwrap();
    until(&known, Some(true)).await;
    let now = DeleteParams::default().grace_period(0);
    pods.delete("web", &now).await.unwrap();
    until(&known, Some(false)).await;
    assert!(lost.get() >= 2, "each loss is counted");
    following.abort();
}

/// Otherwise images would be deleted since no pod uses them as far as an old list tells.
#[tokio::test(flavor = "multi_thread")]
async fn f26_use_is_not_known_while_pods_cannot_be_listed() {
    let case = Case::set("f26-dark").await;
    let (view, known, resync) = following(&case);
    let (client, following) = (view.client(case.client()), Arc::clone(&known));
    let following = tokio::spawn(async move { follow(client, &following, resync).await });
    until(&known, Some(false)).await;
    view.see(Sight::Dark);
    until(&known, None).await;
    view.see(Sight::Clear);
    until(&known, Some(false)).await;
    following.abort();
}

fn following(case: &Case) -> (Arc<View>, Arc<Known>, Resync) {
    let view = View::of(&case.name, Trouble::None);
    let resync = Resync::new(Duration::from_secs(1), Counter::default());
    (view, Arc::default(), resync)
}

/// Waits until pods use the image or not; `None`: until that is not known.
async fn until(known: &Known, uses: Option<bool>) {
    let holds = |it: &Option<Arc<Usage>>| {
        let used = it.as_ref().map(|it| it.named("quay.io", "org/app"));
        used.map(|it| !it.is_empty()) == uses
    };
    let mut usage = known.subscribe();
    let told = timeout(PATIENCE, usage.wait_for(holds)).await;
    drop(told.expect("it comes to that").unwrap());
}
