//! What a `PullThroughRule` asks of each registry of its environments.

use std::collections::BTreeSet;
use std::sync::Arc;

use kube::ResourceExt;

use super::repository::usable;
use super::world::seniority;
use super::{Environment, Stopped, World, caches};
use crate::api::conditions::Reason;
use crate::api::pull_through_rule::{Credential, RuleRecord, UpstreamRegistry};
use crate::api::targets::TargetKey;
use crate::api::{EnvironmentAccount, PullThroughRule, Toggle};
use crate::domain::names::{EnvironmentName, InvalidName};
use crate::domain::origin::Created;
use crate::domain::pull_through::{
    Authentication, Claim, Desired, Invalid, Prefix, RoleArn, Rule, SecretArn, Source, Upstream,
};
use crate::domain::reference::Reference;
use crate::domain::repository::Setting;
use crate::domain::{Registry, RepositoryName, retrofit, template};

mod settings;

/// One rule in one registry, as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CacheTarget {
    /// The environment that names the registry, and how to reach it.
    pub environment: EnvironmentName,
    /// Where.
    pub registry: Registry,
    /// The rule.
    pub desired: Desired,
    /// What ECR gives the repositories that it makes below the rule's prefix.
    pub template: template::Desired,
    /// What the repositories should be that the cache has made already; `None` leaves them.
    pub retrofit: Option<retrofit::Desired>,
    /// What to bring into the cache: repositories below the prefix, with a tag each.
    pub prewarm: Vec<(RepositoryName, String)>,
}

impl CacheTarget {
    /// The hash of the settings of its template; `None`: it has none.
    pub fn template_hash(&self) -> Option<String> {
        match &self.template.settings {
            Setting::Present(settings) => Some(settings.hash()),
            Setting::Absent | Setting::Unmanaged => None,
        }
    }
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
            Ok(usable) => targets(object, usable, world),
            Err(stopped) => vec![Err(stopped)],
        };
        let tell = |it: Result<_, Stopped>| it.map_err(|it| it.in_environment(name));
        targets.into_iter().map(tell).collect::<Vec<_>>()
    };
    named.into_iter().flat_map(in_environment).collect()
}

fn targets(
    object: &PullThroughRule,
    (account, environment): (&EnvironmentAccount, &Environment),
    world: &World,
) -> Vec<Result<CacheTarget, Stopped>> {
    let target = |registry: &Registry| {
        let rule = rule(object, environment, registry, world)?;
        let place = Place {
            account,
            environment,
            registry,
            prefix: &rule.prefix,
            record: recorded(object, environment, registry, &rule.prefix),
        };
        let template = settings::template(object, &rule.prefix, &place, world)?;
        Ok(CacheTarget {
            environment: environment.name.clone(),
            registry: registry.clone(),
            retrofit: settings::retrofit(object, &template, &place, world)?,
            template,
            prewarm: prewarm(object, &rule)?,
            desired: Desired {
                management: environment.management,
                claim: place.record.map_or(Claim::New, |_| Claim::Recorded),
                rule,
            },
        })
    };
    let in_region =
        |it: &Registry| target(it).map_err(|stopped: Stopped| stopped.in_region(&it.region));
    environment.registries.iter().map(in_region).collect()
}

/// One registry, and what status says that was made there.
struct Place<'a> {
    account: &'a EnvironmentAccount,
    environment: &'a Environment,
    registry: &'a Registry,
    prefix: &'a Prefix,
    record: Option<&'a RuleRecord>,
}

/// What status says that was made for `prefix` in a registry.
fn recorded<'a>(
    object: &'a PullThroughRule,
    environment: &Environment,
    registry: &Registry,
    prefix: &Prefix,
) -> Option<&'a RuleRecord> {
    let key = TargetKey::new(&environment.name, &registry.region);
    let record = object.target(&key)?.record.as_ref()?;
    let is_it = record.account_id == registry.account.as_str()
        && record.ecr_repository_prefix == prefix.as_str();
    is_it.then_some(record)
}

/// When the rule was created first in a registry, as far as status has it: ECR only knows of the
/// rule that is there now.
pub(super) fn since(
    object: &PullThroughRule,
    rule: &Rule,
    environment: &Environment,
    registry: &Registry,
) -> Option<Created> {
    let record = recorded(object, environment, registry, &rule.prefix)?;
    let is_same = record.upstream_registry_url == rule.source.url()
        && record.upstream_repository_prefix == rule.upstream_prefix.as_str();
    let since = record.since.as_ref().filter(|_| is_same)?;
    Some(Created(since.0.as_second()))
}

/// How many images an hour may be imported of those that pods use; `None`: none of them are.
pub fn imports_per_hour(object: &PullThroughRule) -> Option<u32> {
    let prewarm = object.spec.prewarm.as_ref()?;
    let most = prewarm.imports_per_hour.unwrap_or(IMPORTS_PER_HOUR);
    match prewarm.observed {
        Toggle::Disabled => None,
        Toggle::Enabled => Some(u32::try_from(most).unwrap_or_default()),
    }
}

/// Docker Hub's limit without an account is 100 pulls in six hours, and others pull too.
const IMPORTS_PER_HOUR: i32 = 10;

/// The rule in one registry of an environment, where no older object has its prefix or a repository
/// below it.
pub(super) fn rule(
    object: &PullThroughRule,
    environment: &Environment,
    registry: &Registry,
    world: &World,
) -> Result<Rule, Stopped> {
    let rule = asked(object, environment, registry)?;
    let Some(first) = first(object, &rule.prefix, environment, world) else {
        caches::check_rule(object, &rule.prefix, environment, world)?;
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
    let prefix = prefix(object).map_err(|it| Stopped::invalid("spec.ecrRepositoryPrefix", it))?;
    let within = spec
        .upstream_repository_prefix
        .as_deref()
        .unwrap_or(Prefix::Root.as_str());
    let upstream_prefix = within
        .parse()
        .map_err(|it| Stopped::invalid("spec.upstreamRepositoryPrefix", it))?;
    let credential = credential(object, environment, registry)?;
    let role = role(object, environment, registry)?;
    let is_for_rule = upstream.authentication() == Authentication::Role;
    let (place, credential) = credential.unzip();
    let rule = Rule {
        prefix,
        source,
        upstream_prefix,
        credential,
        role: role.filter(|_| is_for_rule || spec.repository_template.is_none()),
    };
    rule.check(registry).map_err(|invalid| {
        let field = match (&invalid, place) {
            (Invalid::SecretElsewhere { .. }, Some(i)) => format!("credentials[{i}].secretArn"),
            _ => invalid.field().to_owned(),
        };
        Stopped::invalid(format!("spec.{field}"), invalid)
    })?;
    Ok(rule)
}

/// What the cache's repositories begin with; `None`: the spec says something that ECR does not allow.
pub fn cache_prefix(object: &PullThroughRule) -> Option<Prefix> {
    prefix(object).ok()
}

/// The same, or why not.
pub(super) fn prefix(object: &PullThroughRule) -> Result<Prefix, InvalidName> {
    let default = upstream(object.spec.upstream_registry).default_prefix();
    let prefix = object.spec.ecr_repository_prefix.as_deref();
    prefix.unwrap_or(default).parse()
}

/// The secret for one registry, and its place in the spec.
fn credential(
    object: &PullThroughRule,
    environment: &Environment,
    registry: &Registry,
) -> Result<Option<(usize, SecretArn)>, Stopped> {
    let mut credentials = object.spec.credentials.iter().enumerate();
    let here = credentials.find(|(_, it)| {
        it.environment == environment.name.as_str() && it.region == registry.region.as_str()
    });
    let parse = |(i, it): (usize, &Credential)| match it.secret_arn.parse() {
        Ok(arn) => Ok((i, arn)),
        Err(error) => Err(Stopped::invalid(
            format!("spec.credentials[{i}].secretArn"),
            error,
        )),
    };
    here.map(parse).transpose()
}

/// The role for one registry, which ECR takes from the registry's own account only.
fn role(
    object: &PullThroughRule,
    environment: &Environment,
    registry: &Registry,
) -> Result<Option<RoleArn>, Stopped> {
    let mut roles = object.spec.roles.iter().enumerate();
    let here = roles.find(|(_, it)| it.environment == environment.name.as_str());
    let Some((i, role)) = here else {
        return Ok(None);
    };
    let field = format!("spec.roles[{i}].roleArn");
    let arn: RoleArn = role
        .role_arn
        .parse()
        .map_err(|it| Stopped::invalid(&field, it))?;
    if *arn.account() != registry.account {
        let account = registry.account.clone();
        return Err(Stopped::invalid(
            field,
            Invalid::RoleElsewhere { arn, account },
        ));
    }
    Ok(Some(arn))
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
        let theirs = self::prefix(it);
        theirs.is_ok_and(|it| it.overlaps(prefix))
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
    let name = rule.cached(path).ok_or_else(|| {
        format!(
            "{image:?} is not below upstreamRepositoryPrefix {}",
            rule.upstream_prefix
        )
    })?;
    Ok((name, tag.to_owned()))
}

#[cfg(test)]
mod tests;
