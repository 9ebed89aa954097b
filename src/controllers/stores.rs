//! What this replica knows of the cluster: one watch a kind, and one wake-up for all of them.
//!
//! A store is filled by listing once and watching on. Only what somebody *wants* wakes anybody: a
//! new generation, a label, an annotation, a finalizer or a deletion. Our own status writes arrive
//! here too, and wake nobody.

use std::collections::HashMap;
use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::pin;
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::api::core::v1::Namespace;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch_resource};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tracing::{debug, warn};

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
    pub fn watch(client: &Client, woken: &Arc<Notify>, tasks: &mut JoinSet<()>) -> Self {
        Self {
            environments: watch(Api::all(client.clone()), woken, tasks),
            repositories: watch(Api::all(client.clone()), woken, tasks),
            rules: watch(Api::all(client.clone()), woken, tasks),
            lifecycles: watch(Api::all(client.clone()), woken, tasks),
            policies: watch(Api::all(client.clone()), woken, tasks),
            namespaces: watch(Api::all(client.clone()), woken, tasks),
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

fn watch<K>(api: Api<K>, woken: &Arc<Notify>, tasks: &mut JoinSet<()>) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let (store, writer) = reflector::store();
    // Lists are the most recent ones (the default): deletes in AWS are decided from them.
    let events = watch_resource(api, watcher::Config::default()).default_backoff();
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
