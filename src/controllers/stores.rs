//! What this replica knows of the cluster: one watch a kind, and one wake-up for all of them.
//!
//! A store is filled by listing once and watching on, and compared with what there is now and then
//! ([`resync`]). Only what somebody *wants* wakes anybody: a
//! new generation, a label, an annotation, a finalizer or a deletion. Our own status writes arrive
//! here too, and wake nobody.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::{DeserializeGuard, PartialObjectMeta};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::{debug, warn};

use super::meters::Kind;
use super::{Context, resync, tidings};
use crate::api::{
    EnvironmentAccount, FINALIZER, ImageAdmissionPolicy, ImageRepository, LifecyclePolicy,
    PullThroughRule,
};
use crate::desired::{Objects, World};
use crate::domain::names::ClusterId;

/// Everything that is watched, as it is now.
#[derive(Clone)]
pub struct Stores {
    /// The accounts.
    pub environments: Store<EnvironmentAccount>,
    /// The repositories.
    pub repositories: Store<ImageRepository>,
    /// The pull-through rules.
    pub rules: Store<PullThroughRule>,
    /// The lifecycle policies.
    pub lifecycles: Store<LifecyclePolicy>,
    /// The admission policies.
    pub policies: Store<ImageAdmissionPolicy>,
    /// Namespaces, for their labels; their specs are not fetched.
    pub namespaces: Store<PartialObjectMeta<Namespace>>,
}

impl Stores {
    /// Starts the watches as `tasks`. `woken` is notified when anything that matters has changed.
    /// Each is compared with what there is every `resync`.
    pub fn watch(
        cx: &Arc<Context>,
        resync: Duration,
        woken: &Arc<Notify>,
        tasks: &mut JoinSet<()>,
    ) -> Self {
        Self {
            environments: watch(cx, resync, woken, tasks),
            repositories: watch(cx, resync, woken, tasks),
            rules: watch(cx, resync, woken, tasks),
            lifecycles: watch(cx, resync, woken, tasks),
            policies: watch(cx, resync, woken, tasks),
            namespaces: watch(cx, resync, woken, tasks),
        }
    }

    /// Waits until each store has been filled once. For one caller only: a store wakes the last of
    /// those who wait for it.
    pub async fn ready(&self) {
        let Self {
            environments,
            repositories,
            rules,
            lifecycles,
            policies,
            namespaces,
        } = self;
        let filled = tokio::join!(
            environments.wait_until_ready(),
            repositories.wait_until_ready(),
            rules.wait_until_ready(),
            lifecycles.wait_until_ready(),
            policies.wait_until_ready(),
            namespaces.wait_until_ready(),
        );
        // A writer is dropped only when its watch task ends, which is when the process does.
        debug!(?filled, "stores are filled");
    }
}

impl Stores {
    /// All of it at this moment.
    pub fn world(&self, cluster: ClusterId) -> World {
        let namespaces = self.namespaces.state();
        let namespaces = namespaces
            .iter()
            .map(|it| (it.name_any(), it.labels().clone()));
        let objects = Objects {
            environments: self.environments.state(),
            repositories: self.repositories.state(),
            rules: self.rules.state(),
            lifecycles: self.lifecycles.state(),
            policies: self.policies.state(),
            namespaces: namespaces.collect(),
        };
        World::new(cluster, objects)
    }
}

fn watch<K>(
    cx: &Arc<Context>,
    resync: Duration,
    woken: &Arc<Notify>,
    tasks: &mut JoinSet<()>,
) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    // One object that is not understood must not end the list of all.
    let api: Api<DeserializeGuard<K>> = Api::all(cx.client.clone());
    // Lists are the most recent ones (the default): deletes in AWS are decided from them.
    let resync = cx.meters.inputs.resync(&K::kind(&()), resync);
    let events = resync::follow(api, watcher::Config::default(), resync);
    let (telling, known) = (Arc::clone(cx), store.clone());
    let events = events.filter_map(move |event| {
        let (cx, known) = (Arc::clone(&telling), known.clone());
        async move {
            match event {
                Ok(event) => understood(&cx, event, &known).await.map(Ok),
                Err(error) => Some(Err(error)),
            }
        }
    });
    let events = reflector::reflector(writer, events);
    let woken = Arc::clone(woken);
    tasks.spawn(async move {
        let mut wanted: HashMap<ObjectRef<K>, u64> = HashMap::new();
        let mut events = pin!(events);
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => {
                    if matters(&event, &mut wanted) {
                        woken.notify_one();
                    }
                }
                Err(error) => warn!(%error, kind = %K::kind(&()), "the watch will be tried again"),
            }
        }
    });
    store
}

/// The event without the guard; `None`: its object is not understood, which is said, and what was
/// known of it stays. Nothing is written for such an object, since no call that changes something is
/// made for one that is not the latest.
async fn understood<K>(
    cx: &Context,
    event: Event<DeserializeGuard<K>>,
    known: &Store<K>,
) -> Option<Event<K>>
where
    K: Resource<DynamicType = ()> + Clone + Debug + 'static,
{
    match event {
        Event::Init => Some(Event::Init),
        Event::InitDone => Some(Event::InitDone),
        Event::InitApply(DeserializeGuard(Ok(object))) => Some(Event::InitApply(lean(object))),
        Event::Apply(DeserializeGuard(Ok(object))) => Some(Event::Apply(lean(object))),
        Event::Delete(DeserializeGuard(Ok(object))) => Some(Event::Delete(object)),
        Event::Delete(guard) => {
            let at = ObjectRef::new(&guard.name_any());
            let at = match guard.namespace() {
                Some(namespace) => at.within(&namespace),
                None => at,
            };
            known.get(&at).map(|it| Event::Delete((*it).clone()))
        }
        Event::InitApply(guard) | Event::Apply(guard) => {
            if let Err(invalid) = &guard.0 {
                not_understood(cx, &guard, &invalid.error).await;
            }
            None
        }
    }
}

/// The object without what nobody here reads, which is the larger part of most: who wrote each field,
/// and the copy of itself that kubectl keeps with it.
fn lean<K: Resource>(mut object: K) -> K {
    let meta = object.meta_mut();
    meta.managed_fields = None;
    if let Some(annotations) = &mut meta.annotations {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    object
}

/// Says that an object uses words that this version does not know.
async fn not_understood<K>(cx: &Context, guard: &DeserializeGuard<K>, error: &str)
where
    K: Resource<DynamicType = ()>,
{
    let kind = K::kind(&());
    warn!(%kind, object = guard.name_any(), namespace = guard.namespace(), error, "not understood");
    cx.meters
        .not_understood
        .get_or_create(&Kind::of(&kind))
        .inc();
    let note = format!(
        "this version of the operator does not understand the object, and goes on with the others: \
         {error}"
    );
    let event = tidings::warning("NotUnderstood", "Read", &note);
    if let Err(error) = cx.recorder.publish(&event, &guard.object_ref(&())).await {
        debug!(%error, "the event was not published");
    }
}

/// Whether an event changes what somebody wants. During a relist the store still shows the old
/// state, so the wake-up waits for its end.
fn matters<K>(event: &Event<K>, wanted: &mut HashMap<ObjectRef<K>, u64>) -> bool
where
    K: Resource<DynamicType = ()> + Clone,
{
    match event {
        Event::Init => {
            wanted.clear();
            false
        }
        Event::InitApply(object) => {
            wanted.insert(ObjectRef::from_obj(object), wish(object));
            false
        }
        Event::InitDone => true,
        Event::Apply(object) => {
            let wish = wish(object);
            wanted.insert(ObjectRef::from_obj(object), wish) != Some(wish)
        }
        Event::Delete(object) => {
            wanted.remove(&ObjectRef::from_obj(object));
            true
        }
    }
}

/// What an object asks for, as one number: it changes with everything but status and what we
/// ourselves write.
pub fn wish<K: Resource>(object: &K) -> u64 {
    let mut hasher = DefaultHasher::new();
    let meta = object.meta();
    meta.uid.hash(&mut hasher);
    meta.generation.hash(&mut hasher);
    meta.deletion_timestamp.is_some().hash(&mut hasher);
    object.labels().hash(&mut hasher);
    object.annotations().hash(&mut hasher);
    for finalizer in object.finalizers().iter().filter(|it| *it != FINALIZER) {
        finalizer.hash(&mut hasher);
    }
    hasher.finish()
}
