//! All objects at one moment, with the lookups that the translations need. Immutable: a change in
//! the cluster is another world.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use kube::ResourceExt;

use crate::api::{
    EnvironmentAccount, ImageAdmissionPolicy, ImageRepository, LifecyclePolicy, PullThroughRule,
};
use crate::domain::lifecycle::Document;
use crate::domain::names::{ClusterId, EnvironmentName};
use crate::domain::pull_through::Prefix;
use crate::domain::{Registry, RepositoryName};

use super::environment::{Declared, Environment};
use super::pull_through::prefix;
use super::{Rules, Stopped, lifecycle, rules};

/// Objects of every kind, in any order.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// The accounts.
    pub environments: Vec<Arc<EnvironmentAccount>>,
    /// The repositories.
    pub repositories: Vec<Arc<ImageRepository>>,
    /// The pull-through rules.
    pub rules: Vec<Arc<PullThroughRule>>,
    /// The lifecycle policies.
    pub lifecycles: Vec<Arc<LifecyclePolicy>>,
    /// The admission policies.
    pub policies: Vec<Arc<ImageAdmissionPolicy>>,
    /// The labels of namespaces, by name. A namespace that is not here is granted nothing.
    pub namespaces: BTreeMap<String, BTreeMap<String, String>>,
}

/// All objects at one moment.
#[derive(Clone, Debug)]
pub struct World {
    cluster: ClusterId,
    environments: BTreeMap<String, Arc<EnvironmentAccount>>,
    repositories: BTreeMap<(String, String), Arc<ImageRepository>>,
    rules: BTreeMap<String, Arc<PullThroughRule>>,
    lifecycles: BTreeMap<String, Arc<LifecyclePolicy>>,
    policies: BTreeMap<String, Arc<ImageAdmissionPolicy>>,
    namespaces: BTreeMap<String, BTreeMap<String, String>>,
    /// Who asks for a repository name, by the name: conflicts are found without a search.
    names: BTreeMap<String, Vec<Arc<ImageRepository>>>,
    /// The prefixes of caches but `ROOT`, the oldest object first.
    caches: Vec<(Prefix, Arc<PullThroughRule>)>,
    /// What many objects refer to is read once.
    declared: Declared,
    documents: BTreeMap<String, Result<Document, Stopped>>,
    /// What all of them say about images, compiled when first asked for.
    compiled: OnceLock<Rules>,
}

impl World {
    /// The world of these objects, as the cluster that calls itself `cluster` sees it.
    pub fn new(cluster: ClusterId, objects: Objects) -> Self {
        let Objects {
            environments,
            repositories,
            rules,
            lifecycles,
            policies,
            namespaces,
        } = objects;
        let mut names: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for it in &repositories {
            names
                .entry(repository_name(it))
                .or_default()
                .push(Arc::clone(it));
        }
        for claimants in names.values_mut() {
            claimants.sort_by_cached_key(|it| seniority(&**it));
        }
        let prefixed = rules.iter().filter_map(|it| {
            let prefix = prefix(it).ok().filter(|it| *it != Prefix::Root)?;
            Some((prefix, Arc::clone(it)))
        });
        let mut caches: Vec<_> = prefixed.collect();
        caches.sort_by_cached_key(|(_, it)| seniority(&**it));
        let repositories = repositories.into_iter().map(|it| (key(&*it), it));
        let (environments, lifecycles) = (by_name(environments), by_name(lifecycles));
        let documents = lifecycles
            .iter()
            .map(|(name, it)| (name.clone(), lifecycle(it)));
        Self {
            cluster,
            declared: Declared::by(&environments),
            documents: documents.collect(),
            environments,
            repositories: repositories.collect(),
            rules: by_name(rules),
            lifecycles,
            policies: by_name(policies),
            namespaces,
            names,
            caches,
            compiled: OnceLock::new(),
        }
    }

    /// What all objects together say about images, as [`rules`] compiles it: once for each world.
    pub fn compiled(&self) -> &Rules {
        self.compiled.get_or_init(|| rules(self))
    }

    /// What this cluster calls itself in owner tags.
    pub fn cluster(&self) -> &ClusterId {
        &self.cluster
    }

    /// The accounts, by name.
    pub fn environments(&self) -> impl Iterator<Item = &Arc<EnvironmentAccount>> {
        self.environments.values()
    }

    /// The account of this name.
    pub fn environment(&self, name: &str) -> Option<&Arc<EnvironmentAccount>> {
        self.environments.get(name)
    }

    /// The repositories, by namespace and name.
    pub fn repositories(&self) -> impl Iterator<Item = &Arc<ImageRepository>> {
        self.repositories.values()
    }

    /// The repository of this namespace and name.
    pub fn repository(&self, namespace: &str, name: &str) -> Option<&Arc<ImageRepository>> {
        let key = (namespace.to_owned(), name.to_owned());
        self.repositories.get(&key)
    }

    /// The pull-through rules, by name.
    pub fn rules(&self) -> impl Iterator<Item = &Arc<PullThroughRule>> {
        self.rules.values()
    }

    /// The lifecycle policies, by name.
    pub fn lifecycles(&self) -> impl Iterator<Item = &Arc<LifecyclePolicy>> {
        self.lifecycles.values()
    }

    /// The lifecycle policy of this name.
    pub fn lifecycle(&self, name: &str) -> Option<&Arc<LifecyclePolicy>> {
        self.lifecycles.get(name)
    }

    /// The admission policies, by name: the order in which they are asked.
    pub fn policies(&self) -> impl Iterator<Item = &Arc<ImageAdmissionPolicy>> {
        self.policies.values()
    }

    /// Namespaces and their labels, by name.
    pub fn namespaces(&self) -> impl Iterator<Item = (&str, &BTreeMap<String, String>)> {
        self.namespaces
            .iter()
            .map(|(name, labels)| (name.as_str(), labels))
    }

    /// The labels of a namespace; `None`: there is no such namespace.
    pub fn labels(&self, namespace: &str) -> Option<&BTreeMap<String, String>> {
        self.namespaces.get(namespace)
    }

    /// The names of the lifecycle policies that apply to a repository in one environment or
    /// another, whether or not they exist.
    pub fn lifecycles_of<'a>(&'a self, repository: &'a ImageRepository) -> BTreeSet<&'a str> {
        let spec = &repository.spec;
        let of = |environment: &String| {
            let over = spec
                .overrides
                .iter()
                .find(|it| it.environment == *environment);
            let over = over.and_then(|it| it.lifecycle_policy_ref.as_ref());
            let account = self.environments.get(environment);
            let defaults = account.and_then(|it| it.spec.defaults.as_ref());
            over.or(spec.lifecycle_policy_ref.as_ref())
                .or_else(|| defaults.and_then(|it| it.lifecycle_policy_ref.as_ref()))
                .map(|it| it.name.as_str())
        };
        spec.environments.iter().filter_map(of).collect()
    }

    /// The repositories that a lifecycle policy applies to, in one environment or another.
    pub fn repositories_using(
        &self,
        lifecycle: &str,
    ) -> impl Iterator<Item = &Arc<ImageRepository>> {
        self.repositories()
            .filter(move |it| self.lifecycles_of(it).contains(lifecycle))
    }

    /// The repositories whose objects name an environment.
    pub fn repositories_in(
        &self,
        environment: &str,
    ) -> impl Iterator<Item = &Arc<ImageRepository>> {
        let names = move |it: &&Arc<ImageRepository>| {
            it.spec.environments.iter().any(|it| it == environment)
        };
        self.repositories().filter(names)
    }

    /// What the environment of this name declares; `None`: there is none.
    pub(super) fn declared(&self, name: &str) -> Option<&Result<Environment, Stopped>> {
        self.declared.environments.get(name)
    }

    /// Which environment has each registry.
    pub fn registries(&self) -> &BTreeMap<Registry, EnvironmentName> {
        &self.declared.registries
    }

    /// The document of the lifecycle policy of this name; `None`: there is none.
    pub fn document(&self, name: &str) -> Option<&Result<Document, Stopped>> {
        self.documents.get(name)
    }

    /// Everybody who asks for a repository below `prefix` in any environment, by its name.
    pub fn claimants_below(
        &self,
        prefix: &Prefix,
    ) -> impl Iterator<Item = (&String, &Arc<ImageRepository>)> {
        let (from, to) = match prefix {
            Prefix::Root => (Bound::Unbounded, Bound::Unbounded),
            // In the order of characters, 0 comes after /.
            Prefix::Path(path) => (
                Bound::Included(format!("{path}/")),
                Bound::Excluded(format!("{path}0")),
            ),
        };
        let names = self.names.range((from, to));
        names.flat_map(|(name, of)| of.iter().map(move |it| (name, it)))
    }

    /// The caches of any environment whose prefix covers `name`, the oldest first. `ROOT` gives way
    /// to every name, so it is not among them.
    pub fn caches_over(
        &self,
        name: &RepositoryName,
    ) -> impl Iterator<Item = &Arc<PullThroughRule>> {
        let caches = self.caches.iter();
        let over = caches.filter(|(prefix, _)| prefix.covers(name));
        over.map(|(_, it)| it)
    }

    /// Everybody who asks for the repository `name` in any environment, the oldest first.
    pub fn claimants(&self, name: &str) -> &[Arc<ImageRepository>] {
        self.names.get(name).map_or(&[], Vec::as_slice)
    }
}

/// The name in ECR that an object asks for, valid or not: its own, else `NAMESPACE/NAME`.
pub fn repository_name(object: &ImageRepository) -> String {
    let asked = object.spec.repository_name.clone();
    asked.unwrap_or_else(|| object_name(object))
}

/// `NAMESPACE/NAME` of an object in a namespace.
pub(super) fn object_name(object: &impl ResourceExt) -> String {
    let (namespace, name) = key(object);
    format!("{namespace}/{name}")
}

/// Sorts older objects first. Among objects of the same age the uid decides, or the name where there
/// is none.
pub(super) fn seniority(object: &impl ResourceExt) -> Seniority {
    (age(object), object.uid(), key(object))
}

/// Sorts older objects first. What comes from files alone is yet to be created, so it is the youngest.
pub(super) fn age(object: &impl ResourceExt) -> Age {
    let created = object.creation_timestamp().map(|it| it.0);
    (created.is_none(), created)
}

/// Age, uid, namespace and name.
type Seniority = (Age, Option<String>, (String, String));

/// Whether it is yet to be created, and time of creation, which Kubernetes has by the second.
type Age = (bool, Option<Timestamp>);

fn key(object: &impl ResourceExt) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn by_name<K: ResourceExt>(objects: Vec<Arc<K>>) -> BTreeMap<String, Arc<K>> {
    objects.into_iter().map(|it| (it.name_any(), it)).collect()
}
