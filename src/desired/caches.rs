//! Where pull-through caches and repositories of objects ask for the same names. An image below a
//! cache's prefix passes for an image of its upstream, so nobody's repository may lie there: the older
//! object has the name, the younger is stopped, and both say so. What status records as made counts as
//! older than what is not made yet, so that an old object whose spec gets another environment stops
//! nothing that works there. `ROOT` covers every name, so it stops nobody; what is asked for by name is
//! not a repository of that cache.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::pull_through::prefix;
use super::repository::granted_name;
use super::world::{age, object_name, repository_name};
use super::{Environment, Stopped, World, grants};
use crate::api::conditions::Reason;
use crate::api::pull_through_rule::RuleRecord;
use crate::api::{EnvironmentAccount, ImageRepository, PullThroughRule};
use crate::domain::RepositoryName;
use crate::domain::pull_through::Prefix;

/// Stops a repository that lies below the prefix of an older cache in `account`.
pub(super) fn check_repository(
    object: &ImageRepository,
    name: &RepositoryName,
    account: &EnvironmentAccount,
    world: &World,
) -> Result<(), Stopped> {
    let environment = account.name_any();
    let older = overlaps_of_repository(object, name, &environment, world)
        .find(|it| it.older() == Older::Cache);
    let Some(Overlap { rule, .. }) = older else {
        return Ok(());
    };
    let message = format!(
        "{name} lies below the prefix of the older PullThroughRule {} in {environment}, and would \
         pass for an image of its upstream: choose another repositoryName, or remove one of the two",
        rule.name_any()
    );
    let field = "spec.repositoryName";
    Err(Stopped::new(Reason::Conflict, field, message))
}

/// Stops a cache whose prefix covers the repository of an older object in `environment`.
pub(super) fn check_rule(
    object: &PullThroughRule,
    prefix: &Prefix,
    environment: &Environment,
    world: &World,
) -> Result<(), Stopped> {
    let name = environment.name.as_str();
    let Some(account) = world.environment(name) else {
        return Ok(());
    };
    let older =
        overlaps_of_rule(object, prefix, account, world).find(|it| it.older() == Older::Repository);
    let Some(Overlap { repository, .. }) = older else {
        return Ok(());
    };
    let message = format!(
        "prefix {prefix} covers {}, which the older ImageRepository {} asks for in {name}: \
         choose another prefix, or remove one of the two",
        repository_name(repository),
        object_name(repository)
    );
    let field = "spec.ecrRepositoryPrefix";
    Err(Stopped::new(Reason::Conflict, field, message))
}

/// What the older object says: which repository this cache stops.
pub fn stopped_by_rule(object: &PullThroughRule, world: &World) -> Option<String> {
    let prefix = prefix(object).ok()?;
    let mut environments = object.spec.environments.iter();
    let (environment, repository) = environments.find_map(|environment| {
        let account = world.environment(environment)?;
        let mut overlaps = overlaps_of_rule(object, &prefix, account, world);
        let stopped = overlaps.find(|it| it.older() == Older::Cache)?;
        Some((environment, stopped.repository))
    })?;
    Some(format!(
        "ImageRepository {} asks for {} below the prefix in {environment}, and is stopped",
        object_name(repository),
        repository_name(repository),
    ))
}

/// What the older object says: which cache this repository stops.
pub fn stopped_by_repository(object: &ImageRepository, world: &World) -> Option<String> {
    let mut environments = object.spec.environments.iter();
    let (environment, rule) = environments.find_map(|environment| {
        let account = world.environment(environment)?;
        let name = granted_name(object, account, world).ok()?;
        let mut overlaps = overlaps_of_repository(object, &name, environment, world);
        let stopped = overlaps.find(|it| it.older() == Older::Repository)?;
        Some((environment, stopped.rule))
    })?;
    Some(format!(
        "PullThroughRule {} asks for a prefix that covers this repository in {environment}, and is \
         stopped",
        rule.name_any()
    ))
}

/// A cache and a repository below its prefix, in one environment.
struct Overlap<'a> {
    rule: &'a PullThroughRule,
    repository: &'a ImageRepository,
    environment: &'a str,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Older {
    Cache,
    Repository,
}

impl Overlap<'_> {
    /// Which of the two was there first. Of objects that were created in the same second it is the
    /// cache, which serves every namespace.
    fn older(&self) -> Older {
        let Self {
            rule,
            repository,
            environment,
        } = self;
        match (caches(rule, environment), is_made(repository, environment)) {
            (true, false) => Older::Cache,
            (false, true) => Older::Repository,
            (true, true) | (false, false) if age(*rule) <= age(*repository) => Older::Cache,
            (true, true) | (false, false) => Older::Repository,
        }
    }
}

/// The caches whose prefix covers the repository that `object` asks for in an environment. Like the
/// caches, the object counts as the world has it: so both come to the same answer.
fn overlaps_of_repository<'a>(
    object: &'a ImageRepository,
    name: &RepositoryName,
    environment: &'a str,
    world: &'a World,
) -> impl Iterator<Item = Overlap<'a>> {
    let namespace = object.namespace().unwrap_or_default();
    let known = world.repository(&namespace, &object.name_any());
    let repository = known.map_or(object, |it| it);
    let over = world.caches_over(name).filter(|it| {
        let mut environments = it.spec.environments.iter();
        environments.any(|it| it == environment)
    });
    let over: Vec<_> = over.collect();
    over.into_iter().map(move |rule| Overlap {
        rule,
        repository,
        environment,
    })
}

/// What the environment lets namespaces ask for below the prefix of `object`, and they do.
fn overlaps_of_rule<'a>(
    object: &'a PullThroughRule,
    prefix: &Prefix,
    account: &'a EnvironmentAccount,
    world: &'a World,
) -> impl Iterator<Item = Overlap<'a>> {
    let known = world.rules().find(|it| it.name_any() == object.name_any());
    let rule = known.map_or(object, |it| it);
    let environment = account.metadata.name.as_deref().unwrap_or_default();
    let is_asked_for = |name: &str, object: &ImageRepository| {
        let namespace = object.namespace().unwrap_or_default();
        let asks = object.spec.environments.iter().any(|it| it == environment);
        let name = name.parse::<RepositoryName>();
        asks && name.is_ok_and(|it| grants::repository(account, &namespace, &it, world))
    };
    let below: Vec<&ImageRepository> = match prefix {
        Prefix::Root => Vec::new(), // it stops nobody
        Prefix::Path(_) => world
            .claimants_below(prefix)
            .filter(|(name, it)| is_asked_for(name, it))
            .map(|(_, it)| &**it)
            .collect(),
    };
    below.into_iter().map(move |repository| Overlap {
        rule,
        repository,
        environment,
    })
}

/// The repositories in `account` that no cache of these prefixes has made, as far as objects tell:
/// those that may be asked for by name and are, and those that status has as made.
pub(super) fn own<'a>(
    prefixes: impl Iterator<Item = &'a Prefix>,
    account: &EnvironmentAccount,
    world: &World,
) -> BTreeSet<RepositoryName> {
    let environment = account.name_any();
    let is_own = |object: &ImageRepository| {
        let asks = object.spec.environments.contains(&environment);
        asks && granted_name(object, account, world).is_ok() || is_made(object, &environment)
    };
    let below = prefixes.flat_map(|it| world.claimants_below(it));
    let own = below.filter(|(_, object)| is_own(object));
    own.filter_map(|(name, _)| name.parse().ok()).collect()
}

/// Whether status records that the cache was made in the environment under the prefix that it asks for.
fn caches(object: &PullThroughRule, environment: &str) -> bool {
    let prefix = prefix(object).map(|it| it.to_string());
    let mut targets = object.status.iter().flat_map(|it| &it.targets);
    let is_it = |record: &RuleRecord| {
        prefix
            .as_ref()
            .is_ok_and(|it| *it == record.ecr_repository_prefix)
    };
    targets.any(|it| it.environment == environment && it.record.as_ref().is_some_and(is_it))
}

/// Whether status records that the repository was made in the environment.
fn is_made(object: &ImageRepository, environment: &str) -> bool {
    let mut targets = object.status.iter().flat_map(|it| &it.targets);
    targets.any(|it| it.environment == environment && it.record.is_some())
}

#[cfg(test)]
mod tests;
