//! Who should be reconciled next: one channel of object keys. Watches and the sweep write to it,
//! the driver of each kind reads its own keys from it while this replica leads.

use std::fmt;

use futures::{Stream, StreamExt, stream};
use kube::runtime::reflector::{ObjectRef, Store};
use kube::{Resource, ResourceExt};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

/// Wakes that may wait for a slow reader before it is told to look at everything.
const BACKLOG: usize = 16_384;

/// The kinds that are reconciled.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Kind {
    /// `EnvironmentAccount`.
    Environment,
    /// `ImageRepository`.
    Repository,
    /// `PullThroughRule`.
    Rule,
    /// `LifecyclePolicy`.
    Lifecycle,
    /// `ImageAdmissionPolicy`.
    Policy,
}

/// One object.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Key {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace; `None` for cluster-scoped kinds.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl Key {
    /// The key of `object`, which is of `kind`.
    pub fn of<K: Resource>(kind: Kind, object: &K) -> Self {
        Self {
            kind,
            namespace: object.namespace(),
            name: object.name_any(),
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind,
            namespace,
            name,
        } = self;
        match namespace {
            Some(namespace) => write!(f, "{kind:?} {namespace}/{name}"),
            None => write!(f, "{kind:?} {name}"),
        }
    }
}

/// The writing end; cheap to clone.
#[derive(Clone, Debug)]
pub struct Wakes(broadcast::Sender<Key>);

impl Default for Wakes {
    fn default() -> Self {
        Self(broadcast::channel(BACKLOG).0)
    }
}

impl Wakes {
    /// Asks for one reconciliation of `key`. Where nobody leads here there is nobody to ask, and a
    /// new leader looks at everything.
    pub fn wake(&self, key: Key) {
        drop(self.0.send(key));
    }

    /// All objects of `kind` that are in `store`, and from then on those that are woken. A reader
    /// that has fallen behind gets all of them again.
    pub fn requests<K>(
        &self,
        kind: Kind,
        store: Store<K>,
    ) -> impl Stream<Item = ObjectRef<K>> + Send
    where
        K: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
    {
        let woken = self.0.subscribe();
        let all = move |store: &Store<K>| {
            store
                .state()
                .iter()
                .map(|it| ObjectRef::from_obj(&**it))
                .collect::<Vec<_>>()
        };
        let first = all(&store);
        let later = stream::unfold((woken, store), move |(mut woken, store)| async move {
            let requests = loop {
                match woken.recv().await {
                    Ok(key) if key.kind == kind => break vec![reference(key)],
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => break all(&store),
                    Err(RecvError::Closed) => return None,
                }
            };
            Some((requests, (woken, store)))
        });
        stream::iter(first).chain(later.flat_map(stream::iter))
    }
}

fn reference<K: Resource<DynamicType = ()>>(key: Key) -> ObjectRef<K> {
    let reference = ObjectRef::new(&key.name);
    match key.namespace {
        Some(namespace) => reference.within(&namespace),
        None => reference,
    }
}
