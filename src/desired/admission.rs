//! What an `ImageAdmissionPolicy` says, without the rules that it applies.

use kube::ResourceExt;

use super::{Environment, Stopped, World, environment};
use crate::api::ImageAdmissionPolicy;
use crate::api::conditions::Reason;
use crate::api::image_admission_policy as wire;
use crate::domain::rewrite::{Mode, OnUnknown, Policy};
use crate::domain::{Region, Registry};

/// The registry that the policy rewrites to, or why it is not in force.
pub fn admission(object: &ImageAdmissionPolicy, world: &World) -> Result<Registry, Stopped> {
    policy(object, world).map(|(_, policy)| policy.registry)
}

/// The policy and its environment. One wrong pattern stops all of it: to go on without would
/// rewrite what somebody wanted left alone. A suspended environment still takes its pods.
pub(super) fn policy<'a>(
    object: &ImageAdmissionPolicy,
    world: &'a World,
) -> Result<(&'a Environment, Policy), Stopped> {
    let wire::ImageAdmissionPolicySpec {
        environment: name,
        region,
        mode,
        namespace_selector: _, // the API server applies the selectors
        object_selector: _,
        exclude,
        on_unknown,
    } = &object.spec;
    let environment = environment::declared(name, world).ok_or_else(|| {
        let message = format!("there is no EnvironmentAccount {name:?}: make one, or name another");
        Stopped::new(Reason::EnvironmentNotFound, "spec.environment", message)
    })??;
    let pattern = |(i, text): (usize, &String)| {
        text.parse()
            .map_err(|it| Stopped::invalid(format!("spec.exclude[{i}]"), it))
    };
    let policy = Policy {
        name: object.name_any(),
        registry: registry(region.as_deref(), environment)?,
        mode: match mode {
            wire::Mode::Audit => Mode::Audit,
            wire::Mode::Rewrite => Mode::Rewrite,
        },
        exclude: exclude
            .iter()
            .enumerate()
            .map(pattern)
            .collect::<Result<_, _>>()?,
        on_unknown: match on_unknown {
            wire::OnUnknown::Keep => OnUnknown::Keep,
            wire::OnUnknown::Rewrite => OnUnknown::Rewrite,
        },
    };
    Ok((environment, policy))
}

fn registry(region: Option<&str>, environment: &Environment) -> Result<Registry, Stopped> {
    const FIELD: &str = "spec.region";
    let Some(region) = region else {
        return Ok(environment.home().clone());
    };
    let region: Region = region.parse().map_err(|it| Stopped::invalid(FIELD, it))?;
    let found = environment.registries.iter().find(|it| it.region == region);
    found.cloned().ok_or_else(|| {
        let message = format!(
            "EnvironmentAccount {} has no registry in {region}: add it to its replicaRegions, or \
             choose one of its regions",
            environment.name
        );
        Stopped::invalid(FIELD, message)
    })
}
