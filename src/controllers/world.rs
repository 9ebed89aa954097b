//! From watches to one immutable world, and from its changes to wakes. This is the only place that
//! knows who depends on whom; a reconciliation reads the world and never a store.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use kube::ResourceExt;
use tokio::sync::Notify;
use tokio::time::sleep;
use tracing::debug;

use super::stores::{Stores, wish};
use super::wakes::{Key, Kind, Wakes};
use crate::desired::{Subject, World, cache_prefix, repository_name};
use crate::domain::RepositoryName;
use crate::domain::names::ClusterId;
use crate::domain::pull_through::Prefix;

/// Changes that arrive together are taken in together: `kubectl apply -f DIR` is one world.
const SETTLING: Duration = Duration::from_millis(20);

/// Keeps `world` equal to what `stores` hold, which are filled, tells `compiled` of each new one, and wakes whoever a
/// change concerns. Never returns.
pub async fn follow(
    stores: Stores,
    cluster: ClusterId,
    woken: Arc<Notify>,
    (world, wakes): (Arc<ArcSwap<World>>, Wakes),
    compiled: impl Fn(&World),
) {
    let mut wishes = Wishes::default();
    loop {
        let next = Arc::new(stores.world(cluster.clone()));
        let asked = Wishes::of(&next);
        let mut concerned = asked.concerns(&wishes, &next);
        let before = world.swap(Arc::clone(&next));
        // After the swap: whoever is told reads the world, and must not find the one before.
        compiled(&next);
        concerned.extend(contested_anew(&before, &next));
        debug!(concerned = concerned.len(), "the world has changed");
        wishes = asked;
        for key in concerned {
            wakes.wake(key);
        }
        woken.notified().await;
        sleep(SETTLING).await;
    }
}

/// The repositories whose claims on old names have come into force or gone out of it, for example
/// since another object claims the same name now.
fn contested_anew(before: &World, next: &World) -> Vec<Key> {
    let (before, next) = (&before.compiled().stopped, &next.compiled().stopped);
    let changed = before.symmetric_difference(next);
    let keys = changed.filter_map(|(subject, _)| match subject {
        Subject::Repository(name) => {
            let (namespace, name) = name.split_once('/')?;
            let namespace = Some(namespace.to_owned());
            Some(Key {
                kind: Kind::Repository,
                namespace,
                name: name.to_owned(),
            })
        }
        Subject::Policy(_) | Subject::Rule(_) => None,
    });
    keys.collect()
}

/// What each object asks for, as a number that changes with it.
#[derive(Default)]
struct Wishes {
    objects: BTreeMap<Key, u64>,
    /// The repository name that each `ImageRepository` asks for.
    names: BTreeMap<Key, String>,
    /// The prefix that each `PullThroughRule` asks for.
    prefixes: BTreeMap<Key, Prefix>,
    namespaces: BTreeMap<String, u64>,
}

impl Wishes {
    fn of(world: &World) -> Self {
        let mut objects = BTreeMap::new();
        for it in world.environments() {
            objects.insert(Key::of(Kind::Environment, &**it), wish(&**it));
        }
        for it in world.repositories() {
            objects.insert(Key::of(Kind::Repository, &**it), wish(&**it));
        }
        for it in world.rules() {
            objects.insert(Key::of(Kind::Rule, &**it), wish(&**it));
        }
        for it in world.lifecycles() {
            objects.insert(Key::of(Kind::Lifecycle, &**it), wish(&**it));
        }
        for it in world.policies() {
            objects.insert(Key::of(Kind::Policy, &**it), wish(&**it));
        }
        let named = world
            .repositories()
            .map(|it| (Key::of(Kind::Repository, &**it), repository_name(it)));
        let labelled = world
            .namespaces()
            .map(|(name, labels)| (name.to_owned(), labels_of(labels)));
        let prefixed = world
            .rules()
            .filter_map(|it| Some((Key::of(Kind::Rule, &**it), cache_prefix(it)?)));
        Self {
            names: named.collect(),
            prefixes: prefixed.collect(),
            namespaces: labelled.collect(),
            objects,
        }
    }

    /// Everything that has to be looked at again because of what differs from `before`.
    fn concerns(&self, before: &Self, world: &World) -> BTreeSet<Key> {
        let changed = differing(&self.objects, &before.objects);
        let namespaces = differing(&self.namespaces, &before.namespaces);
        let of = |kind: Kind| -> HashSet<&str> {
            changed
                .iter()
                .filter(|it| it.kind == kind)
                .map(|it| it.name.as_str())
                .collect()
        };
        let (environments, lifecycles) = (of(Kind::Environment), of(Kind::Lifecycle));
        let mut concerned: BTreeSet<Key> = changed
            .iter()
            .filter(|it| self.objects.contains_key(it))
            .map(|it| (*it).clone())
            .collect();
        for it in world.repositories() {
            // What is recorded of an environment that left the spec waits for it to be released.
            let recorded = it.status.iter().flat_map(|it| &it.targets);
            let named = it.spec.environments.iter();
            let mut named = named.chain(recorded.map(|it| &it.environment));
            let depends = named.any(|it| environments.contains(it.as_str()))
                || world
                    .lifecycles_of(it)
                    .iter()
                    .any(|it| lifecycles.contains(it))
                || it.namespace().is_some_and(|it| namespaces.contains(&it));
            if depends {
                concerned.insert(Key::of(Kind::Repository, &**it));
            }
        }
        // With its grants, a namespace gets names that others had.
        let granted = self.names.keys().filter(|it| {
            let namespace = it.namespace.as_ref();
            namespace.is_some_and(|it| namespaces.contains(it))
        });
        let claims = changed.iter().copied().chain(granted).collect();
        concerned.extend(self.rivals(before, world, &claims));
        concerned.extend(self.below(before, world, &changed));
        let over = self.over(before, world, changed.iter().copied().chain(&concerned));
        concerned.extend(over);
        if !environments.is_empty() || !lifecycles.is_empty() || !of(Kind::Rule).is_empty() {
            concerned.extend(world.rules().map(|it| Key::of(Kind::Rule, &**it)));
        }
        // Environments and lifecycle policies count the repositories that use them, and admission
        // policies depend on rules of every kind; none of this costs a call to AWS.
        concerned.extend(
            world
                .environments()
                .map(|it| Key::of(Kind::Environment, &**it)),
        );
        concerned.extend(world.lifecycles().map(|it| Key::of(Kind::Lifecycle, &**it)));
        concerned.extend(world.policies().map(|it| Key::of(Kind::Policy, &**it)));
        concerned
    }

    /// Objects that ask for the same repository name as one that has changed or gone, or may have it
    /// now: who had to wait for it may have it, and who had it may have to wait.
    fn rivals(&self, before: &Self, world: &World, changed: &HashSet<&Key>) -> BTreeSet<Key> {
        let names = changed
            .iter()
            .flat_map(|it| [self.names.get(*it), before.names.get(*it)]);
        let claimants = names.flatten().flat_map(|it| world.claimants(it));
        claimants
            .map(|it| Key::of(Kind::Repository, &**it))
            .collect()
    }

    /// Repositories below the prefix of a cache that has changed or gone.
    fn below(&self, before: &Self, world: &World, changed: &HashSet<&Key>) -> BTreeSet<Key> {
        let prefixes = changed
            .iter()
            .flat_map(|it| [self.prefixes.get(*it), before.prefixes.get(*it)]);
        let paths = prefixes.flatten().filter(|it| **it != Prefix::Root);
        let below = paths.flat_map(|it| world.claimants_below(it));
        below
            .map(|(_, it)| Key::of(Kind::Repository, &**it))
            .collect()
    }

    /// Caches whose prefix covers what these objects ask for, or asked for.
    fn over<'a>(
        &self,
        before: &Self,
        world: &World,
        objects: impl Iterator<Item = &'a Key>,
    ) -> BTreeSet<Key> {
        let names = objects.flat_map(|it| [self.names.get(it), before.names.get(it)]);
        let names: BTreeSet<&String> = names.flatten().collect();
        let names = names.into_iter().filter_map(|it| it.parse().ok());
        let over = names.flat_map(|it: RepositoryName| {
            let rules = world.caches_over(&it);
            rules
                .map(|it| Key::of(Kind::Rule, &**it))
                .collect::<Vec<_>>()
        });
        over.collect()
    }
}

/// The keys whose value is not the same in both, or that only one has.
fn differing<'a, K: Ord + Hash>(
    now: &'a BTreeMap<K, u64>,
    before: &'a BTreeMap<K, u64>,
) -> HashSet<&'a K> {
    let changed = now
        .iter()
        .filter(|(key, wish)| before.get(*key) != Some(*wish));
    let gone = before.keys().filter(|key| !now.contains_key(*key));
    changed.map(|(key, _)| key).chain(gone).collect()
}

fn labels_of(labels: &BTreeMap<String, String>) -> u64 {
    let mut hasher = DefaultHasher::new();
    labels.hash(&mut hasher);
    hasher.finish()
}
