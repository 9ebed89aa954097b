//! What an environment asks to be told of the permissions of roles, and what its objects need of
//! them.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::repository::granted_name;
use super::{Environment, Stopped, World, pull_through, recorded, registry};
use crate::api::image_repository::ImageRepositorySpec;
use crate::api::settings::Encryption;
use crate::api::{EnvironmentAccount, PullThroughRule, Toggle};
use crate::domain::preflight::{Cache, Deletion, MOST_EXAMPLES, Purpose, Template, Uses};
use crate::domain::pull_through::{Prefix, RoleArn};
use crate::domain::registry::Desired;
use crate::domain::repository::Setting;
use crate::domain::rights::{Need, Singleton};
use crate::domain::{Registry, RepositoryName};

/// The roles to look at besides the operator's own, and what for.
pub fn roles(object: &EnvironmentAccount) -> Result<Vec<(Purpose, RoleArn)>, Stopped> {
    let preflight = object.spec.preflight.as_ref();
    let listed = |purpose, field: &'static str, arns: Option<&Vec<String>>| {
        let arns = arns.cloned().unwrap_or_default().into_iter().enumerate();
        let role = move |(i, arn): (usize, String)| {
            let role = arn.parse();
            role.map(|it| (purpose, it))
                .map_err(|it| Stopped::invalid(format!("spec.preflight.{field}[{i}]"), it))
        };
        arns.map(role).collect::<Result<Vec<_>, _>>()
    };
    let nodes = listed(
        Purpose::Nodes,
        "nodeRoles",
        preflight.map(|it| &it.node_roles),
    )?;
    let builds = listed(
        Purpose::Builds,
        "buildRoles",
        preflight.map(|it| &it.build_roles),
    )?;
    Ok([nodes, builds].concat())
}

/// What the objects of this world use of an environment.
pub fn uses(object: &EnvironmentAccount, environment: &Environment, world: &World) -> Uses {
    let name = object.name_any();
    let mut repositories: BTreeMap<String, RepositoryName> = BTreeMap::new();
    let mut keys: BTreeSet<String> = BTreeSet::new();
    let defaults = object.spec.defaults.as_ref();
    for repository in world.repositories_in(&name) {
        let Ok(granted) = granted_name(repository, object, world) else {
            continue;
        };
        let first = granted.as_str().split('/').next().unwrap_or_default();
        let example = repositories.entry(first.to_owned());
        let example = example.or_insert_with(|| granted.clone());
        *example = granted.min(example.clone());
        let said = encryption(&repository.spec, &name);
        let said = said.or(defaults.and_then(|it| it.encryption.as_ref()));
        keys.extend(said.and_then(|it| it.kms_key.clone()));
    }
    let caches = world.rules().filter_map(|it| cache(it, environment, world));
    let mut caches: Vec<Cache> = caches.collect();
    caches.sort_by(|a, b| a.example.cmp(&b.example));
    Uses {
        cluster: world.cluster().clone(),
        management: environment.management,
        deletion: if object.spec.allow_delete {
            Deletion::Allowed
        } else {
            Deletion::Withheld
        },
        registries: environment.registries.clone(),
        repositories: repositories.into_values().take(MOST_EXAMPLES).collect(),
        caches,
        settings: settings(object, environment, world),
        keys,
        passed: passed(environment, world),
    }
}

/// The roles that rules and their templates hand to ECR.
fn passed(environment: &Environment, world: &World) -> BTreeSet<(Need, String)> {
    let targets = world.rules().flat_map(|it| pull_through(it, world));
    let targets = targets.flatten();
    let targets = targets.filter(|it| it.environment == environment.name);
    let passed = targets.flat_map(|it| {
        let of_template = match it.template.settings {
            Setting::Present(settings) => settings.role,
            Setting::Absent | Setting::Unmanaged => None,
        };
        let of_rule = it.desired.rule.role;
        let of_template = of_template.map(|it| (Need::Templates, it.to_string()));
        of_template
            .into_iter()
            .chain(of_rule.map(|it| (Need::Caches, it.to_string())))
    });
    passed.collect()
}

/// Also what is recorded as ours and no longer asked for: it is to be taken out. Settings that are
/// invalid are not asked about until they are mended.
fn settings(
    object: &EnvironmentAccount,
    environment: &Environment,
    world: &World,
) -> BTreeMap<Registry, BTreeSet<Singleton>> {
    let of = |place: &Registry| {
        let desired = registry(object, environment, place, world);
        let desired = desired.unwrap_or_else(|_| Desired::nothing(environment.management));
        let parts = desired.parts(&recorded(object, place));
        (
            place.clone(),
            parts.into_iter().map(Singleton::from).collect(),
        )
    };
    environment.registries.iter().map(of).collect()
}

fn encryption<'a>(spec: &'a ImageRepositorySpec, environment: &str) -> Option<&'a Encryption> {
    let mut overrides = spec.overrides.iter();
    let here = overrides.find(|it| it.environment == environment);
    let here = here.and_then(|it| it.encryption.as_ref());
    here.or(spec.encryption.as_ref())
}

/// The operator fills a cache with what it prewarms, nodes one whose upstream is trusted.
fn cache(rule: &PullThroughRule, environment: &Environment, world: &World) -> Option<Cache> {
    let mut targets = pull_through(rule, world).into_iter().flatten();
    let target = targets.find(|it| it.environment == environment.name)?;
    let example = match target.desired.rule.prefix {
        Prefix::Root => "ecr-operator-preflight".to_owned(),
        Prefix::Path(prefix) => format!("{prefix}/ecr-operator-preflight"),
    };
    let prewarms = rule.spec.prewarm.is_some().then_some(Purpose::Operator);
    let trusts = rule.spec.trust_upstream == Toggle::Enabled;
    let trusts = trusts.then_some(Purpose::Nodes);
    Some(Cache {
        example: example.parse().ok()?,
        template: match target.template.settings {
            Setting::Unmanaged => Template::Unmanaged,
            Setting::Absent | Setting::Present(_) => Template::Managed,
        },
        filled: prewarms.into_iter().chain(trusts).collect(),
    })
}

#[cfg(test)]
mod tests;
