//! What a `PullThroughRule` asks of each registry of its environments.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt;

use super::repository::usable;
use super::world::seniority;
use super::{Environment, Stopped, World};
use crate::api::PullThroughRule;
use crate::api::conditions::Reason;
use crate::api::pull_through_rule::UpstreamRegistry;
use crate::domain::names::EnvironmentName;
use crate::domain::pull_through::{Desired, Prefix, Rule, Source, Upstream};
use crate::domain::reference::Reference;
use crate::domain::{Registry, RepositoryName};

/// One rule in one registry, as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CacheTarget {
    /// The environment that names the registry, and how to reach it.
    pub environment: EnvironmentName,
    /// Where.
    pub registry: Registry,
    /// What.
    pub desired: Desired,
    /// What to bring into the cache: repositories below the prefix, with a tag each.
    pub prewarm: Vec<(RepositoryName, String)>,
}

/// One answer per registry of the environments that the object names: the rule as it should be
/// there, or why nothing is done.
pub fn pull_through(object: &PullThroughRule, world: &World) -> Vec<Result<CacheTarget, Stopped>> {
    let named: BTreeSet<&String> = object.spec.environments.iter().collect();
    if named.is_empty() {
        let message = "name at least one EnvironmentAccount";
        return vec![Err(Stopped::invalid("spec.environments", message))];
    }
    let in_environment = |name: &String| {
        let targets = match usable(name, world) {
            Ok((_, environment)) => targets(object, environment, world),
            Err(stopped) => vec![Err(stopped)],
        };
        let tell = |it: Result<_, Stopped>| it.map_err(|it| it.in_environment(name));
        targets.into_iter().map(tell).collect::<Vec<_>>()
    };
    named.into_iter().flat_map(in_environment).collect()
}

fn targets(
    object: &PullThroughRule,
    environment: &Environment,
    world: &World,
) -> Vec<Result<CacheTarget, Stopped>> {
    let target = |registry: &Registry| {
        let rule = rule(object, environment, registry, world)?;
        Ok(CacheTarget {
            environment: environment.name.clone(),
            registry: registry.clone(),
            prewarm: prewarm(object, &rule)?,
            desired: Desired {
                management: environment.management,
                rule,
            },
        })
    };
    let in_region =
        |it: &Registry| target(it).map_err(|stopped: Stopped| stopped.in_region(&it.region));
    environment.registries.iter().map(in_region).collect()
}

/// The rule in one registry of an environment, where no older object has its prefix.
pub(super) fn rule(
    object: &PullThroughRule,
    environment: &Environment,
    registry: &Registry,
    world: &World,
) -> Result<Rule, Stopped> {
    let rule = asked(object, environment, registry)?;
    let Some(first) = first(object, &rule.prefix, environment, world) else {
        return Ok(rule);
    };
    let message = format!(
        "prefix {} overlaps that of the older PullThroughRule {first} in {}: choose another, or \
         remove one of the two",
        rule.prefix, environment.name
    );
    Err(Stopped::new(
        Reason::Conflict,
        "spec.ecrRepositoryPrefix",
        message,
    ))
}

fn asked(
    object: &PullThroughRule,
    environment: &Environment,
    registry: &Registry,
) -> Result<Rule, Stopped> {
    let spec = &object.spec;
    let upstream = upstream(spec.upstream_registry);
    let source = Source::new(upstream, spec.upstream_registry_url.as_deref())
        .map_err(|it| Stopped::invalid("spec.upstreamRegistryUrl", it))?;
    let prefix = spec
        .ecr_repository_prefix
        .as_deref()
        .unwrap_or(upstream.default_prefix());
    let prefix = prefix
        .parse()
        .map_err(|it| Stopped::invalid("spec.ecrRepositoryPrefix", it))?;
    let within = spec
        .upstream_repository_prefix
        .as_deref()
        .unwrap_or(Prefix::Root.as_str());
    let upstream_prefix = within
        .parse()
        .map_err(|it| Stopped::invalid("spec.upstreamRepositoryPrefix", it))?;
    let here = |name: &str| name == environment.name.as_str();
    let mut credentials = spec.credentials.iter().enumerate();
    let credential = credentials
        .find(|(_, it)| here(&it.environment) && it.region == registry.region.as_str())
        .map(|(i, it)| {
            let field = format!("spec.credentials[{i}].secretArn");
            it.secret_arn
                .parse()
                .map_err(|it| Stopped::invalid(field, it))
        });
    let role = spec
        .roles
        .iter()
        .enumerate()
        .find(|(_, it)| here(&it.environment))
        .map(|(i, it)| {
            let field = format!("spec.roles[{i}].roleArn");
            it.role_arn
                .parse()
                .map_err(|it| Stopped::invalid(field, it))
        });
    let rule = Rule {
        prefix,
        source,
        upstream_prefix,
        credential: credential.transpose()?,
        role: role.transpose()?,
    };
    rule.check(registry)
        .map_err(|it| Stopped::invalid("spec", it))?;
    Ok(rule)
}

fn upstream(it: UpstreamRegistry) -> Upstream {
    match it {
        UpstreamRegistry::Ecr => Upstream::Ecr,
        UpstreamRegistry::EcrPublic => Upstream::EcrPublic,
        UpstreamRegistry::Quay => Upstream::Quay,
        UpstreamRegistry::K8s => Upstream::K8s,
        UpstreamRegistry::DockerHub => Upstream::DockerHub,
        UpstreamRegistry::GithubContainerRegistry => Upstream::GithubContainerRegistry,
        UpstreamRegistry::AzureContainerRegistry => Upstream::AzureContainerRegistry,
        UpstreamRegistry::GitlabContainerRegistry => Upstream::GitlabContainerRegistry,
        UpstreamRegistry::Chainguard => Upstream::Chainguard,
    }
}

/// The older object whose prefix in the environment overlaps `prefix`: it was first, and two would
/// never agree on what the rule signs in with.
fn first(
    object: &PullThroughRule,
    prefix: &Prefix,
    environment: &Environment,
    world: &World,
) -> Option<String> {
    let mut others = world.rules().filter(|it| {
        seniority(&***it) < seniority(object)
            && it
                .spec
                .environments
                .iter()
                .any(|it| it == environment.name.as_str())
    });
    let overlaps = |it: &&Arc<PullThroughRule>| {
        let default = upstream(it.spec.upstream_registry).default_prefix();
        let theirs = it.spec.ecr_repository_prefix.as_deref().unwrap_or(default);
        theirs.parse().is_ok_and(|it: Prefix| it.overlaps(prefix))
    };
    others.find(overlaps).map(|it| it.name_any())
}

/// Where the images to prewarm are in ECR.
fn prewarm(
    object: &PullThroughRule,
    rule: &Rule,
) -> Result<Vec<(RepositoryName, String)>, Stopped> {
    let images = object
        .spec
        .prewarm
        .iter()
        .flat_map(|it| &it.images)
        .enumerate();
    let cached = |(i, image): (usize, &String)| {
        cached(image, rule).map_err(|it| Stopped::invalid(format!("spec.prewarm.images[{i}]"), it))
    };
    images.map(cached).collect()
}

fn cached(image: &str, rule: &Rule) -> Result<(RepositoryName, String), String> {
    let host = rule.source.hosts()[0];
    let full = format!("{host}/{image}");
    let reference = Reference::parse(&full).map_err(|it| format!("{image:?}: {}", it.problem))?;
    let (Some(tag), None) = (reference.tag(), reference.digest()) else {
        return Err(format!(
            "{image:?} has no tag, or a digest: ECR caches by tag"
        ));
    };
    let path = reference.repository().written;
    let rest = match &rule.upstream_prefix {
        Prefix::Root => Some(path),
        Prefix::Path(prefix) => path
            .strip_prefix(prefix.as_str())
            .and_then(|it| it.strip_prefix('/')),
    };
    let rest = rest.ok_or_else(|| {
        format!(
            "{image:?} is not below upstreamRepositoryPrefix {}",
            rule.upstream_prefix
        )
    })?;
    let name = match &rule.prefix {
        Prefix::Root => rest.to_owned(),
        Prefix::Path(prefix) => format!("{prefix}/{rest}"),
    };
    let name = name.parse().map_err(|it| format!("{image:?}: {it}"))?;
    Ok((name, tag.to_owned()))
}

#[cfg(test)]
mod tests;
