//! The rules of every policy, compiled for lookup: one hash of the host, one of the path. Immutable;
//! readers share it and a change makes another.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::name::Name;
use super::source::place;
use super::{Cache, Claim, OnUnknown, Pattern, Policy, Reason, Rule, Scope, Trust, host};
use crate::domain::names::{Registry, RepositoryName};
use crate::domain::pull_through::Prefix;
use crate::domain::reference::Reference;

/// Every policy's rules, by the policy's name.
#[derive(Clone, Debug, Default)]
pub struct Table {
    policies: BTreeMap<String, Compiled>,
}

impl Table {
    /// A table of these policies.
    pub fn new(policies: impl IntoIterator<Item = Compiled>) -> Self {
        let policies = policies.into_iter();
        Self {
            policies: policies.map(|it| (it.policy.name.clone(), it)).collect(),
        }
    }

    /// The rules of one policy.
    pub fn policy(&self, name: &str) -> Option<&Compiled> {
        self.policies.get(name)
    }

    /// All of them, in the order of their names, in which they are asked.
    pub fn policies(&self) -> impl Iterator<Item = &Compiled> {
        self.policies.values()
    }
}

/// One policy and the rules that lead to its registry.
#[derive(Clone, Debug)]
pub struct Compiled {
    policy: Policy,
    registry_host: String,
    hosts: HashMap<String, Host>,
    /// Repositories that objects ask for by name.
    own: HashSet<String>,
}

/// A name that more than one object claims, so that none gets it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Contested<'t> {
    /// The name, with everything spelt out.
    pub source: String,
    /// The namespace that the claims hold in; `None` where they hold for the whole cluster.
    pub namespace: Option<&'t str>,
    /// The objects, as `namespace/name`, in order.
    pub objects: &'t BTreeSet<String>,
}

/// What is said about the images of one host.
#[derive(Clone, Debug, Default)]
struct Host {
    exclude: Vec<Pattern>,
    claims: HashMap<String, Claims>,
    /// The deepest upstream prefix first, then by the rule's name.
    caches: Vec<Cached>,
}

/// A cache, with its prefixes as names begin: empty, or ending in a `/`.
#[derive(Clone, Debug)]
struct Cached {
    rule: String,
    upstream_prefix: String,
    prefix: String,
    trust: Trust,
}

/// Who claims one name.
#[derive(Clone, Debug, Default)]
struct Claims {
    cluster: Option<Claimed>,
    namespaces: HashMap<String, Claimed>,
}

#[derive(Clone, Debug)]
struct Claimed {
    /// One, or more who dispute it.
    objects: BTreeSet<String>,
    target: RepositoryName,
}

/// A rule that would lead an image to the policy's registry.
pub(super) struct Candidate<'t> {
    pub(super) rule: Rule<'t>,
    pub(super) repository: Name,
    pub(super) trust: Trust,
    pub(super) name: NameOf,
}

/// Who asks for a repository's name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NameOf {
    /// No object does.
    Nobody,
    /// An `ImageRepository` does.
    AnObject,
}

/// Why no rule leads an image there.
pub(super) struct Nowhere<'t> {
    pub(super) reason: Reason,
    pub(super) rule: Option<Rule<'t>>,
}

impl<'t> Candidate<'t> {
    /// A rule that gives an image this name, if ECR allows it.
    fn new(rule: Rule<'t>, name: &[&str], trust: Trust) -> Result<Self, Nowhere<'t>> {
        let repository = Name::of_repository(name).ok_or(Nowhere {
            reason: Reason::NameNotAllowed,
            rule: Some(rule),
        })?;
        Ok(Self {
            rule,
            repository,
            trust,
            name: NameOf::Nobody,
        })
    }
}

impl Nowhere<'_> {
    fn because(reason: Reason) -> Self {
        Self { reason, rule: None }
    }
}

impl Compiled {
    /// Compiles what a policy and the claims and caches of its environment say.
    pub fn new(policy: Policy, claims: Vec<Claim>, caches: Vec<Cache>) -> Self {
        let mut hosts: HashMap<String, Host> = HashMap::new();
        for pattern in &policy.exclude {
            let host = hosts.entry(pattern.host().to_owned()).or_default();
            host.exclude.push(pattern.clone());
        }
        for claim in claims {
            let host = hosts.entry(claim.source.host().to_owned()).or_default();
            host.add_claim(claim);
        }
        for cache in caches {
            let names: BTreeSet<_> = cache.hosts.iter().map(|it| host::canonical(it)).collect();
            for name in names {
                let host = hosts.entry(name.into_owned()).or_default();
                host.caches.push(Cached::new(&cache));
            }
        }
        for host in hosts.values_mut() {
            host.caches.sort_by(|a, b| {
                let depth = |it: &Cached| Reverse(it.upstream_prefix.len());
                (depth(a), &a.rule).cmp(&(depth(b), &b.rule))
            });
        }
        Self {
            registry_host: policy.registry.host(),
            policy,
            hosts,
            own: HashSet::new(),
        }
    }

    /// The same beside repositories that objects ask for by name, to which no cache leads.
    #[must_use]
    pub fn owning(mut self, names: &BTreeSet<RepositoryName>) -> Self {
        self.own = names.iter().map(|it| it.as_str().to_owned()).collect();
        self
    }

    /// The policy as it was given.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The registry that images are rewritten to.
    pub fn registry(&self) -> &Registry {
        &self.policy.registry
    }

    pub(super) fn host(&self) -> &str {
        &self.registry_host
    }

    pub(super) fn on_unknown(&self) -> OnUnknown {
        self.policy.on_unknown
    }

    /// The names that more than one object claims, in order.
    pub fn contested(&self) -> Vec<Contested<'_>> {
        let mut contested: Vec<_> = self
            .hosts
            .iter()
            .flat_map(|(host, it)| it.claims.iter().map(move |it| (host, it)))
            .flat_map(|(host, (path, claims))| {
                let cluster = claims.cluster.iter().map(|it| (None, it));
                let namespaces = claims.namespaces.iter();
                let all = cluster.chain(namespaces.map(|(name, it)| (Some(name.as_str()), it)));
                all.map(move |(namespace, it)| Contested {
                    source: format!("{host}/{path}"),
                    namespace,
                    objects: &it.objects,
                })
            })
            .filter(|it| it.objects.len() > 1)
            .collect();
        contested.sort_by(|a, b| (&a.source, a.namespace).cmp(&(&b.source, b.namespace)));
        contested
    }

    /// The rule for an image in a pod of `namespace`: claims before caches, the namespace's own
    /// claim before the cluster's, the deeper upstream prefix before the shallower.
    pub(super) fn find(
        &self,
        image: &Reference<'_>,
        namespace: &str,
    ) -> Result<Candidate<'_>, Nowhere<'_>> {
        let (host, parts) = place(image);
        let Some(host) = self.hosts.get(&*host) else {
            return Err(Nowhere::because(Reason::NoRule));
        };
        let Some(path) = Name::of(&parts) else {
            return Err(Nowhere::because(Reason::NameNotAllowed));
        };
        let path = path.as_str();
        if host.exclude.iter().any(|it| it.matches(path, image)) {
            return Err(Nowhere::because(Reason::Excluded));
        }
        if let Some(claimed) = host.claimed(path, namespace) {
            return claimed.found();
        }
        let mut cached = host.cached(path)?;
        if self.own.contains(cached.repository.as_str()) {
            cached.name = NameOf::AnObject;
        }
        Ok(cached)
    }
}

impl Host {
    fn add_claim(&mut self, claim: Claim) {
        let Claim {
            object,
            namespace,
            scope,
            source,
            target,
        } = claim;
        let claims = self.claims.entry(source.path().to_owned()).or_default();
        let new = || Claimed {
            objects: BTreeSet::new(),
            target,
        };
        let claimed = match scope {
            Scope::Cluster => claims.cluster.get_or_insert_with(new),
            Scope::Namespace => claims.namespaces.entry(namespace).or_insert_with(new),
        };
        claimed.objects.insert(object);
    }

    fn claimed(&self, path: &str, namespace: &str) -> Option<&Claimed> {
        let claims = self.claims.get(path)?;
        let own = claims.namespaces.get(namespace);
        own.or(claims.cluster.as_ref())
    }

    fn cached(&self, path: &str) -> Result<Candidate<'_>, Nowhere<'_>> {
        let cache = self.caches.iter().find_map(|cache| {
            let rest = path.strip_prefix(&cache.upstream_prefix)?;
            Some((cache, rest))
        });
        let Some((cache, rest)) = cache else {
            return Err(Nowhere::because(Reason::NoRule));
        };
        let rule = Rule::PullThroughRule(&cache.rule);
        Candidate::new(rule, &[&cache.prefix, rest], cache.trust)
    }
}

impl Claimed {
    fn found(&self) -> Result<Candidate<'_>, Nowhere<'_>> {
        let mut objects = self.objects.iter();
        let (Some(object), None) = (objects.next(), objects.next()) else {
            return Err(Nowhere::because(Reason::ContestedClaim));
        };
        let rule = Rule::ImageRepository(object);
        Candidate::new(rule, &[self.target.as_str()], Trust::CachedOnly)
    }
}

impl Cached {
    fn new(cache: &Cache) -> Self {
        let beginning = |prefix: &Prefix| match prefix {
            Prefix::Root => String::new(),
            Prefix::Path(path) => format!("{path}/"),
        };
        Self {
            rule: cache.rule.clone(),
            upstream_prefix: beginning(&cache.upstream_prefix),
            prefix: beginning(&cache.prefix),
            trust: cache.trust,
        }
    }
}
