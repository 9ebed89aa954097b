//! A whole change of authority with a real API server, while pods are created all the time.

use ecr_operator::controllers::certificates::{Lifetimes, Step, Store};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::called::{Called, eventually};
use crate::plane::create;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_are_rewritten_all_through_a_change_of_authority() {
    let lifetimes = Lifetimes {
        settle: SignedDuration::from_secs(3),
        overlap: SignedDuration::from_secs(3),
        ..Lifetimes::default()
    };
    let Some(mut called) = Called::idle("admission-rotation", lifetimes).await else {
        return;
    };
    let old = nearly_due(&called, &lifetimes);
    replace(&called, &old).await;
    called.lead();
    called.in_force().await;

    let stop = CancellationToken::new();
    let creating = async {
        let mut created = 0;
        while !stop.is_cancelled() {
            let spec = json!({"containers": [{"name": "web", "image": "nginx:1.27"}]});
            let spec = called.admitted("web", spec).await;
            assert_ne!(
                spec["containers"][0]["image"], "nginx:1.27",
                "after {created} pods"
            );
            created += 1;
        }
        created
    };
    let rotated = async {
        eventually(
            "only the new authority is left, and its certificate shown",
            async || {
                let now = kept(&called).await;
                now.newest != old.newest
                    && now.older.is_empty()
                    && now.serving.authority == now.newest.name
            },
        )
        .await;
        called.in_force().await;
        stop.cancel();
    };
    let (created, ()) = tokio::join!(creating, rotated);
    assert!(created > 0);
    called.end().await;
}

/// A store whose authority has to be renewed, and whose certificate has not.
fn nearly_due(called: &Called, lifetimes: &Lifetimes) -> Store {
    let (names, now) = (&called.keeper.names, Timestamp::now());
    let days = |it: i64| SignedDuration::from_hours(24 * it);
    let store = Store::issue(names, now - days(250), lifetimes).unwrap();
    store
        .take(Step::IssueServing, names, now - days(10), lifetimes)
        .unwrap()
}

async fn replace(called: &Called, store: &Store) {
    let (secrets, name) = called.secret();
    if secrets.get_opt(name).await.unwrap().is_some() {
        secrets.delete(name, &Default::default()).await.unwrap();
    }
    create(
        secrets,
        json!({"metadata": {"name": name}, "stringData": store.data()}),
    )
    .await
    .unwrap();
}

async fn kept(called: &Called) -> Store {
    let (secrets, name) = called.secret();
    let secret: Secret = secrets.get(name).await.unwrap();
    let data = secret.data.unwrap_or_default();
    Store::read(
        &data
            .into_iter()
            .map(|(key, value)| (key, value.0))
            .collect(),
    )
    .unwrap()
}
