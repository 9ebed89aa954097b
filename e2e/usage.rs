//! What pods use, from the pods of a real API server and with the operator's own rights.

use std::sync::Arc;
use std::time::Duration;

use ecr_operator::commands::rights;
use ecr_operator::controllers::resync::Resync;
use ecr_operator::controllers::usage::{Known, follow};
use ecr_operator::domain::Registry;
use ecr_operator::domain::usage::{Usage, Used};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, Patch, PatchParams};
use prometheus_client::metrics::counter::Counter;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::PATIENCE;
use crate::plane::{create, namespace, shared};

const IMAGE: &str = "333333333333.dkr.ecr.eu-central-1.amazonaws.com/usage/api";

#[tokio::test]
async fn pods_that_have_not_ended_use_their_images_and_what_their_nodes_pulled() {
    let cluster = shared().await;
    let namespace = &namespace(cluster, "usage").await;
    let admin = cluster.client().await.unwrap();
    rights::grant(&admin, namespace).await.unwrap();
    let pods: Api<Pod> = Api::namespaced(admin, namespace);
    let web = pod("web", &format!("{IMAGE}:1"));
    create(&pods, web).await.unwrap();

    let known = Arc::new(Known::default());
    assert_eq!(known.load_full(), None, "not known is not nothing");
    let client = cluster.client_of(namespace, rights::NAME).await.unwrap();
    let following = {
        let known = Arc::clone(&known);
        tokio::spawn(async move { follow(client, &known, resync()).await })
    };
    let users = format!("{namespace}/web");
    let mut told = known.subscribe();
    let mut until = async |what: &str, holds: &dyn Fn(&Used) -> bool| {
        let holds = |it: &Option<Arc<Usage>>| it.as_ref().is_some_and(|it| holds(of_api(it)));
        let told = timeout(PATIENCE, told.wait_for(holds)).await;
        drop(told.expect(what).unwrap());
    };
    let runs = |it: &Used| it.tags.get("1").is_some_and(|it| it.some.contains(&users));
    until("it is listed", &runs).await;

    let digest = format!("sha256:{}", "1".repeat(64));
    let pulled = json!([{
        "name": "app", "image": format!("{IMAGE}:1"), "imageID": format!("{IMAGE}@{digest}"),
        "ready": true, "restartCount": 0,
    }]);
    set_status(
        &pods,
        json!({"phase": "Running", "containerStatuses": pulled}),
    )
    .await;
    until("its node pulled", &|it| it.digests.contains_key(&digest)).await;

    set_status(&pods, json!({"phase": "Succeeded"})).await;
    until("it has ended", &|it| !runs(it)).await;

    create(&pods, pod("late", &format!("{IMAGE}:2")))
        .await
        .unwrap();
    until("another", &|it| it.tags.contains_key("2")).await;
    let now = DeleteParams::default().grace_period(0);
    pods.delete("late", &now).await.unwrap();
    until("it is deleted", &Used::is_empty).await;
    following.abort();
}

fn resync() -> Resync {
    Resync::new(Duration::from_hours(1), Counter::default())
}

fn pod(name: &str, image: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "app", "image": image}]},
    })
}

async fn set_status(pods: &Api<Pod>, status: Value) {
    let patch = Patch::Merge(json!({"status": status}));
    let params = PatchParams::default();
    pods.patch_status("web", &params, &patch).await.unwrap();
}

fn of_api(usage: &Usage) -> &Used {
    let registry = Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    );
    usage.of(&registry, &"usage/api".parse().unwrap())
}
