//! The generic driver: takes requests for objects of one kind, reconciles each object at most once
//! at a time, writes status when it differs, tells transitions as events, and comes back later if
//! the outcome says so. It decides nothing about AWS.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{FutureExt, Stream, StreamExt};
use kube::api::{Api, Patch, PatchParams};
use kube::runtime::controller::{Action, Config, applier};
use kube::runtime::events::Event;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tracing::{Instrument, debug, info_span, warn};

use super::Context;
use super::outcome::Retry;

/// The field manager of everything that we write to Kubernetes.
pub const MANAGER: &str = "ecr-operator";

/// Objects reconciled at the same time, per kind. Most of them wait for their registry's limiter,
/// which serves them by priority; so this is wide.
const CONCURRENCY: u16 = 256;

/// One kind's part: how to reach its objects, and what to do with one.
pub trait Reconcile:
    Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Serialize + Send + Sync + 'static
{
    /// What it tells in `status`.
    type Status: Clone + Debug + PartialEq + Serialize + Send + Sync + 'static;

    /// The API that this object is written through.
    fn api(&self, client: &Client) -> Api<Self>;

    /// The status that the object shows now.
    fn status(&self) -> Option<&Self::Status>;

    /// Brings the world one step closer to the spec. Failed calls are outcomes, not errors.
    fn reconcile(&self, cx: &Context) -> impl Future<Output = Done<Self::Status>> + Send;
}

/// The end of one reconciliation.
pub struct Done<Status> {
    /// What to show; `None`: what is shown stays.
    pub status: Option<Status>,
    /// The version of the object that `status` was computed from, where it says what is ours in AWS:
    /// it is shown on that one only, so that nothing is forgotten that was recorded since.
    pub version: Option<String>,
    /// What happened in the world, for people.
    pub events: Vec<Event>,
    /// When to come back without being asked.
    pub retry: Retry,
}

impl<Status> Done<Status> {
    /// Nothing to show and nothing to tell.
    pub fn nothing(retry: Retry) -> Self {
        Self {
            status: None,
            version: None,
            events: Vec::new(),
            retry,
        }
    }

    /// This to show and these to tell, and nothing to come back for.
    pub fn showing(status: Status, events: impl IntoIterator<Item = Event>) -> Self {
        Self {
            status: Some(status),
            version: None,
            events: events.into_iter().collect(),
            retry: Retry::WhenAsked,
        }
    }

    /// The same, computed from the object of this version.
    #[must_use]
    pub fn of(self, version: Option<String>) -> Self {
        Self { version, ..self }
    }
}

/// Why a reconciliation is tried again as a whole: only Kubernetes itself can fail here.
#[derive(Debug, thiserror::Error)]
#[error("write status of {object}")]
struct StatusNotWritten {
    object: String,
    source: Box<kube::Error>,
}

/// How often in a row an object has not ended well; what waits longer is asked less.
#[derive(Default)]
struct Attempts(Mutex<HashMap<String, u32>>);

impl Attempts {
    fn next(&self, object: &str, retry: Retry) -> Action {
        let mut attempts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((first, longest)) = retry.bounds() else {
            attempts.remove(object);
            return Action::await_change();
        };
        let attempt = attempts.entry(object.to_owned()).or_default();
        let delay = first
            .saturating_mul(2_u32.saturating_pow(*attempt))
            .min(longest);
        *attempt = attempt.saturating_add(1);
        Action::requeue(jittered(delay, object))
    }
}

/// Up to a tenth less, the same for the same object: objects that failed together come back apart.
pub(super) fn jittered(delay: Duration, object: &str) -> Duration {
    let spread = object
        .bytes()
        .fold(0_u32, |sum, byte| sum.wrapping_mul(31) + u32::from(byte));
    delay - delay / 10 * (spread % 100) / 100
}

/// Reconciles the objects in `store` that `requests` names, until `requests` ends or this future is
/// dropped. Dropping it stops at the next await: every step is safe to be the last one.
pub async fn drive<K: Reconcile>(
    cx: Arc<Context>,
    store: Store<K>,
    requests: impl Stream<Item = ObjectRef<K>> + Send,
) {
    let attempts = Arc::new(Attempts::default());
    let retried = Arc::clone(&attempts);
    let reconcile = move |object: Arc<K>, cx: Arc<Context>| {
        let attempts = Arc::clone(&attempts);
        async move { step(&*object, &cx, &attempts).await }.boxed()
    };
    let when_not_written = move |object: Arc<K>, error: &StatusNotWritten, _: Arc<Context>| {
        warn!(
            error = error as &dyn std::error::Error,
            "will be tried again"
        );
        retried.next(&key(&*object), Retry::BackingOff)
    };
    let config = Config::default().concurrency(CONCURRENCY);
    let requests = requests.map(Ok::<_, std::convert::Infallible>);
    applier(reconcile, when_not_written, cx, store, requests, config)
        .for_each(|result| async move {
            if let Err(error) = result {
                debug!(%error, kind = %K::kind(&()), "not reconciled");
            }
        })
        .await;
}

async fn step<K: Reconcile>(
    object: &K,
    cx: &Context,
    attempts: &Attempts,
) -> Result<Action, StatusNotWritten> {
    let key = key(object);
    let span = info_span!("reconcile", kind = %K::kind(&()), object = %key);
    async {
        let Done {
            status,
            version,
            events,
            retry,
        } = object.reconcile(cx).await;
        for event in events {
            tell(cx, object, &event).await;
        }
        if let Some(status) = status {
            let shown = show(cx, object, &status, version).await;
            shown.map_err(|source| StatusNotWritten {
                object: key.clone(),
                source: Box::new(source),
            })?;
        }
        Ok(attempts.next(&key, retry))
    }
    .instrument(span)
    .await
}

/// Writes status if it is not what the object shows, since a converged world sees no writes, and only
/// if the object still is of `version`, where there is one: what others, or we ourselves, have recorded
/// since then is never overwritten. Gives the version that the object is of now.
///
/// # Errors
/// When the object is of another version, or the API server refuses or cannot be reached. An object
/// that is gone is no error; its namesake is one, since what was to be written down is not.
pub async fn show<K: Reconcile>(
    cx: &Context,
    object: &K,
    status: &K::Status,
    version: Option<String>,
) -> Result<Option<String>, kube::Error> {
    if object.status() == Some(status) {
        return Ok(version);
    }
    let mut patch = json!({
        "apiVersion": K::api_version(&()),
        "kind": K::kind(&()),
        "metadata": {"uid": object.uid()}, // a namesake made since is not written to
        "status": status,
    });
    if let Some(version) = version {
        patch["metadata"]["resourceVersion"] = version.into();
    }
    let params = PatchParams::apply(MANAGER).force();
    let api = object.api(&cx.client);
    match api
        .patch_status(&object.name_any(), &params, &Patch::Apply(patch))
        .await
    {
        Ok(shown) => Ok(shown.resource_version()),
        Err(kube::Error::Api(status)) if status.is_not_found() => {
            debug!(%status.message, "the object is gone");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Publishes one event. A lost event is no reason to stop.
pub async fn tell<K: Reconcile>(cx: &Context, object: &K, event: &Event) {
    if let Err(error) = cx.recorder.publish(event, &object.object_ref(&())).await {
        debug!(%error, reason = %event.reason, "the event was not published");
    }
}

fn key<K: Resource>(object: &K) -> String {
    match object.meta().namespace.as_deref() {
        Some(namespace) => format!("{namespace}/{}", object.name_any()),
        None => object.name_any(),
    }
}
