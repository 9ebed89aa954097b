//! A whole change of authority with a real API server, while pods are created all the time.

use ecr_operator::controllers::certificates::{Lifetimes, Store};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::called::{Called, eventually};
use crate::plane::create;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pods_are_rewritten_all_through_a_change_of_authority() {
    let lifetimes = Lifetimes {
        settle: SignedDuration::from_secs(10),
        overlap: SignedDuration::from_secs(10),
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

/// An earlier version kept the authority's key in the Secret, for whoever could read it.
#[tokio::test]
async fn authority_key_of_an_earlier_version_is_removed() {
    let lifetimes = Lifetimes::default();
    let Some(mut called) = Called::idle("admission-key", lifetimes).await else {
        return;
    };
    let names = &called.keeper.names;
    let old = Store::issue(names, Timestamp::now(), &lifetimes).unwrap();
    replace(&called, &old).await;
    called.lead();
    called.in_force().await;
    let (secrets, name) = called.secret();
    eventually("the key is gone", async || {
        let secret: Secret = secrets.get(name).await.unwrap();
        !secret.data.unwrap().contains_key("ca.key")
    })
    .await;
    assert_eq!(kept(&called).await, old, "all else stays");
    called.end().await;
}

/// A store whose certificate has to be renewed.
fn nearly_due(called: &Called, lifetimes: &Lifetimes) -> Store {
    let (names, now) = (&called.keeper.names, Timestamp::now());
    Store::issue(names, now - SignedDuration::from_hours(24 * 61), lifetimes).unwrap()
}

/// Puts a store into the Secret, as an earlier version did: with the authority's key.
async fn replace(called: &Called, store: &Store) {
    let (secrets, name) = called.secret();
    if secrets.get_opt(name).await.unwrap().is_some() {
        secrets.delete(name, &Default::default()).await.unwrap();
    }
    let mut data = store.data();
    data.insert("ca.key".to_owned(), "a key".to_owned());
    let secret = json!({"metadata": {"name": name}, "stringData": data});
    create(secrets, secret).await.unwrap();
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
