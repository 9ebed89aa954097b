//! Certificates that a former leader issued while its clock was ahead.

use ecr_operator::commands::demo::stage::{NAMESPACE, Pair};
use ecr_operator::controllers::certificates::{Lifetimes, Store};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::api::PostParams;
use kube::runtime::wait::await_condition;
use tokio::time::{Duration, sleep, timeout};

use super::PATIENCE;
use super::reach::probes;
use super::replicas::shows;
use super::scene::Scene;

const SECRET: &str = "ecr-operator-webhook";

/// All that is in the Secret is issued in 70 days, and goes together: today no API server accepts it.
pub(super) async fn certificates_of_a_clock_that_was_ahead_are_replaced(
    scene: &Scene,
    pair: &Pair,
) {
    let client = scene.stage.cluster.client().await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client, NAMESPACE);
    let kept = secrets.get(SECRET).await.unwrap();
    let names = store(&kept).unwrap().serving.names;
    let ahead = Timestamp::now() + SignedDuration::from_hours(24 * 70);
    let future = Store::issue(&names, ahead, &Lifetimes::default()).unwrap();
    let secret = Secret {
        data: None,
        string_data: Some(future.data()),
        ..kept
    };
    let parameters = PostParams::default();
    secrets.replace(SECRET, &parameters, &secret).await.unwrap();
    let is_replaced = |it: Option<&Secret>| {
        let store = it.and_then(store);
        store.is_some_and(|it| it.served().issued < ahead)
    };
    let replaced = await_condition(secrets, SECRET, is_replaced);
    timeout(PATIENCE, replaced).await.unwrap().unwrap();

    // The API server comes through again, and what serves says that it is ready.
    let counted = probes(&pair.controller).await;
    let further = async {
        while probes(&pair.controller).await == counted {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, further)
        .await
        .expect("a probe gets through");
    shows(&pair.webhook, "/readyz", "ok").await;
}

fn store(secret: &Secret) -> Option<Store> {
    let data = secret.data.clone()?;
    let data = data.into_iter().map(|(key, value)| (key, value.0));
    Store::read(&data.collect()).ok()
}
