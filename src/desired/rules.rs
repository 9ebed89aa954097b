//! The rule table: every admission policy with the claims and caches that lead to its registry.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::ResourceExt;

use super::repository::granted_name;
use super::world::{object_name, seniority};
use super::{Environment, Stopped, World, admission, caches, grants, pull_through};
use crate::api::conditions::Reason;
use crate::api::{EnvironmentAccount, ImageRepository, PullThroughRule, Toggle};
use crate::domain::origin::Created;
use crate::domain::pull_through::Prefix;
use crate::domain::rewrite::{Cache, Claim, Compiled, Scope, Source, Table, Trust};
use crate::domain::{Registry, RepositoryName};

/// What all objects together say about images, and what of it was left out.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// What the webhook and `explain` decide by.
    pub table: Arc<Table>,
    /// Where images are rewritten to, and so what has to be known of each registry.
    pub registries: BTreeMap<Registry, Destinations>,
    /// Whose rules are not in the table, and why.
    pub stopped: BTreeSet<(Subject, Stopped)>,
}

/// Where in a registry images are rewritten to.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Destinations {
    /// Repositories of our own.
    pub repositories: BTreeSet<RepositoryName>,
    /// Prefixes of caches, with the moment when each was created first, as far as status has it.
    pub caches: BTreeMap<Prefix, Option<Created>>,
}

/// The object that a rule comes from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Subject {
    /// An `ImageAdmissionPolicy`, by name.
    Policy(String),
    /// An `ImageRepository`, as `namespace/name`.
    Repository(String),
    /// A `PullThroughRule`, by name.
    Rule(String),
}

/// The rules of all objects. Suspended objects count too: what exists is still pulled from.
pub fn rules(world: &World) -> Rules {
    let mut rules = Rules::default();
    let mut compiled = Vec::new();
    for object in world.policies() {
        let (environment, policy) = match admission::policy(object, world) {
            Ok(it) => it,
            Err(stopped) => {
                rules
                    .stopped
                    .insert((Subject::Policy(object.name_any()), stopped));
                continue;
            }
        };
        let claims = rules.claims(environment, world);
        let caches = rules.caches(environment, &policy.registry, world);
        let destinations = rules.registries.entry(policy.registry.clone()).or_default();
        destinations
            .repositories
            .extend(claims.iter().map(|it| it.target.clone()));
        let own = own(&caches, environment, world);
        let since = caches.iter().map(|(it, since)| (it.prefix.clone(), *since));
        destinations.caches.extend(since);
        let caches = caches.into_iter().map(|(it, _)| it);
        let policy = Compiled::new(policy, claims, caches.collect()).owning(&own);
        rules.contested(&policy, environment);
        compiled.push(policy);
    }
    rules.table = Arc::new(Table::new(compiled));
    rules
}

impl Rules {
    fn claims(&mut self, environment: &Environment, world: &World) -> Vec<Claim> {
        let name = environment.name.as_str();
        let Some(account) = world.environment(name) else {
            return Vec::new();
        };
        let mut held = Held::default();
        // The older have what they claim before a younger one asks for it.
        let claimants = world.repositories_in(name);
        let mut claimants: Vec<_> = claimants
            .filter(|it| !it.spec.migrates_from.is_empty())
            .collect();
        claimants.sort_by_cached_key(|it| seniority(&***it));
        for object in claimants {
            // Who may not have the repository may not lead pods there; its own reconcile says so.
            let Ok(target) = granted_name(object, account, world) else {
                continue;
            };
            for (i, text) in object.spec.migrates_from.iter().enumerate() {
                let stopped = match text.parse() {
                    Ok(source) => {
                        held.take(object, claim(object, account, (source, &target), world))
                    }
                    Err(error) => Err(Stopped::invalid(format!("spec.migratesFrom[{i}]"), error)),
                };
                if let Err(stopped) = stopped {
                    let stopped = stopped.in_environment(name);
                    self.stopped
                        .insert((Subject::Repository(object_name(&**object)), stopped));
                }
            }
        }
        held.claims
    }

    fn caches(
        &mut self,
        environment: &Environment,
        registry: &Registry,
        world: &World,
    ) -> Vec<(Cache, Option<Created>)> {
        let name = environment.name.as_str();
        let mut caches = Vec::new();
        for object in world
            .rules()
            .filter(|it| it.spec.environments.iter().any(|it| it == name))
        {
            match pull_through::rule(object, environment, registry, world) {
                Ok(rule) => {
                    let since = pull_through::since(object, &rule, environment, registry);
                    caches.push((cache(object, &rule), since));
                }
                Err(stopped) => {
                    let stopped = stopped.in_region(&registry.region).in_environment(name);
                    self.stopped
                        .insert((Subject::Rule(object.name_any()), stopped));
                }
            }
        }
        caches
    }

    /// Two claims on one name of objects of which neither is older, as they come from files: neither applies,
    /// and both say so.
    fn contested(&mut self, policy: &Compiled, environment: &Environment) {
        for contested in policy.contested() {
            let names: Vec<&str> = contested.objects.iter().map(String::as_str).collect();
            let place = place(contested.namespace);
            for object in contested.objects {
                let message = format!(
                    "{} is claimed for {place} by {}: none of them gets it until the others let go",
                    contested.source,
                    names.join(" and "),
                );
                let stopped = Stopped::new(Reason::Conflict, "spec.migratesFrom", message);
                let stopped = stopped.in_environment(environment.name.as_str());
                self.stopped
                    .insert((Subject::Repository(object.clone()), stopped));
            }
        }
    }
}

/// The claims that are in force.
#[derive(Default)]
struct Held {
    claims: Vec<Claim>,
    /// Who has each name, and whether it is known since when: not of what comes from files. By the
    /// namespace that the claim holds in; `None`: the whole cluster.
    holders: BTreeMap<(Option<String>, Source), Holder>,
}

struct Holder {
    object: String,
    is_created: bool,
}

impl Held {
    /// Takes in the claim of an object, unless an older one has the name.
    fn take(&mut self, object: &ImageRepository, claim: Claim) -> Result<(), Stopped> {
        let namespace = match claim.scope {
            Scope::Cluster => None,
            Scope::Namespace => Some(claim.namespace.clone()),
        };
        let place = place(namespace.as_deref());
        let holder = self.holders.entry((namespace, claim.source.clone()));
        let holder = holder.or_insert_with(|| Holder {
            object: claim.object.clone(),
            is_created: object.creation_timestamp().is_some(),
        });
        if holder.is_created && holder.object != claim.object {
            let message = format!(
                "{} is claimed for {place} by the older ImageRepository {}, which keeps it: take it out of \
                 one of the two",
                claim.source, holder.object,
            );
            return Err(Stopped::new(Reason::Conflict, "spec.migratesFrom", message));
        }
        self.claims.push(claim);
        Ok(())
    }
}

/// Where a claim holds, for people.
fn place(namespace: Option<&str>) -> String {
    namespace.map_or_else(
        || "the whole cluster".to_owned(),
        |it| format!("namespace {it}"),
    )
}

/// The repositories that are no cache's, as far as objects tell.
fn own(
    caches: &[(Cache, Option<Created>)],
    environment: &Environment,
    world: &World,
) -> BTreeSet<RepositoryName> {
    let Some(account) = world.environment(environment.name.as_str()) else {
        return BTreeSet::new();
    };
    let prefixes = caches.iter().map(|(it, _)| &it.prefix);
    caches::own(prefixes, account, world)
}

fn claim(
    object: &ImageRepository,
    account: &EnvironmentAccount,
    (source, target): (Source, &RepositoryName),
    world: &World,
) -> Claim {
    let namespace = object.namespace().unwrap_or_default();
    let scope = if grants::source(account, &namespace, &source, world) {
        Scope::Cluster
    } else {
        Scope::Namespace
    };
    Claim {
        object: object_name(object),
        namespace,
        scope,
        source,
        target: target.clone(),
    }
}

fn cache(object: &PullThroughRule, rule: &crate::domain::pull_through::Rule) -> Cache {
    Cache {
        rule: object.name_any(),
        hosts: rule.source.hosts().into_iter().map(str::to_owned).collect(),
        prefix: rule.prefix.clone(),
        upstream_prefix: rule.upstream_prefix.clone(),
        trust: match object.spec.trust_upstream {
            Toggle::Disabled => Trust::CachedOnly,
            Toggle::Enabled => Trust::Upstream,
        },
    }
}

#[cfg(test)]
mod tests;
