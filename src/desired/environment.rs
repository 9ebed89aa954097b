//! The account behind an environment: its registries, and how to reach them.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt;

use super::world::seniority;
use super::{Stopped, World, grants, preflight};
use crate::api::conditions::Reason;
use crate::api::{EnvironmentAccount, ManagementPolicy};
use crate::domain::names::EnvironmentName;
use crate::domain::pull_through::RoleArn;
use crate::domain::repository::Management;
use crate::domain::{AccountId, Registry};

/// An environment whose account can be called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Environment {
    /// Its name.
    pub name: EnvironmentName,
    /// The account, which AWS has to confirm before anything is written.
    pub account: AccountId,
    /// Its registries, the home region's first and the others in order.
    pub registries: Vec<Registry>,
    /// The role to assume; `None`: the process's own credentials.
    pub role: Option<AssumedRole>,
    /// Whether this cluster may write to the account.
    pub management: Management,
}

/// A role to assume in the account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AssumedRole {
    /// Its ARN, of the environment's own account.
    pub arn: RoleArn,
    /// The role that images are listed by for admission; `None`: the same.
    pub read: Option<RoleArn>,
    /// The external id that its trust policy asks for.
    pub external_id: Option<String>,
}

impl Environment {
    /// The registry in the home region, where repositories are made.
    pub fn home(&self) -> &Registry {
        &self.registries[0]
    }
}

/// The environment that `object` declares. A registry belongs to one environment: where two declare
/// the same, the older has it. A suspended environment is stopped.
pub fn environment(object: &EnvironmentAccount, world: &World) -> Result<Environment, Stopped> {
    let environment = reachable(object, world)?;
    if object.spec.suspend {
        return Err(suspended());
    }
    Ok(environment)
}

/// The same, suspended or not: what this cluster has begun there is undone all the same.
pub fn reachable(object: &EnvironmentAccount, world: &World) -> Result<Environment, Stopped> {
    let environment = parse(object)?;
    check_owners(&environment, world.registries())?;
    Ok(environment)
}

/// The environment of this name that others refer to, suspended or not.
pub(super) fn declared<'a>(
    name: &str,
    world: &'a World,
) -> Option<Result<&'a Environment, Stopped>> {
    let of_environment = |it: &Stopped| Stopped {
        reason: Reason::EnvironmentNotReady,
        field: format!("EnvironmentAccount {name} {}", it.field),
        ..it.clone()
    };
    let declared = world.declared(name)?;
    Some(declared.as_ref().map_err(of_environment))
}

/// The environment of this name that others refer to, if anything may be made there. One whose
/// object is on its way out only lets go: nobody could reach what is made in its account after that.
pub(super) fn usable<'a>(name: &str, world: &'a World) -> Option<Result<&'a Environment, Stopped>> {
    let object = world.environment(name)?;
    let stopped = if object.metadata.deletion_timestamp.is_some() {
        leaving()
    } else if object.spec.suspend {
        suspended()
    } else {
        return declared(name, world);
    };
    let field = format!("EnvironmentAccount {name} {}", stopped.field);
    Some(Err(Stopped { field, ..stopped }))
}

fn leaving() -> Stopped {
    let message = "it is being deleted, so nothing is made or changed there any more: take it out \
                   of spec.environments";
    Stopped::new(
        Reason::EnvironmentNotReady,
        "metadata.deletionTimestamp",
        message,
    )
}

fn suspended() -> Stopped {
    let message = "nothing is read or written until spec.suspend is false";
    Stopped::new(Reason::Suspended, "spec.suspend", message)
}

/// Environments as their objects declare them, by name, and which of them has each registry.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    pub(super) environments: BTreeMap<String, Result<Environment, Stopped>>,
    pub(super) registries: BTreeMap<Registry, EnvironmentName>,
}

impl Declared {
    /// Reads all objects, the oldest first.
    pub(super) fn by(objects: &BTreeMap<String, Arc<EnvironmentAccount>>) -> Self {
        let mut objects: Vec<_> = objects.values().collect();
        objects.sort_by_cached_key(|it| seniority(&***it));
        let mut it = Self::default();
        for object in objects {
            let environment = parse(object).and_then(|environment| {
                check_owners(&environment, &it.registries).map(|()| environment)
            });
            if let Ok(environment) = &environment {
                let registries = environment.registries.iter().cloned();
                it.registries
                    .extend(registries.map(|it| (it, environment.name.clone())));
            }
            it.environments.insert(object.name_any(), environment);
        }
        it
    }
}

fn check_owners(
    environment: &Environment,
    owners: &BTreeMap<Registry, EnvironmentName>,
) -> Result<(), Stopped> {
    for registry in &environment.registries {
        if let Some(owner) = owners.get(registry).filter(|it| **it != environment.name) {
            let message = format!(
                "registry {registry} belongs to the older EnvironmentAccount {owner}: remove one \
                 of the two"
            );
            return Err(Stopped::new(Reason::Conflict, "spec.accountId", message));
        }
    }
    Ok(())
}

fn parse(object: &EnvironmentAccount) -> Result<Environment, Stopped> {
    let spec = &object.spec;
    let name = object.name_any();
    let name = name
        .parse()
        .map_err(|it| Stopped::invalid("metadata.name", it))?;
    let account: AccountId = spec
        .account_id
        .parse()
        .map_err(|it| Stopped::invalid("spec.accountId", it))?;
    let region = spec
        .region
        .parse()
        .map_err(|it| Stopped::invalid("spec.region", it))?;
    let mut registries = vec![Registry::new(account.clone(), region)];
    for (i, region) in spec.replica_regions.iter().enumerate() {
        let field = format!("spec.replicaRegions[{i}]");
        let region = region.parse().map_err(|it| Stopped::invalid(&field, it))?;
        let registry = Registry::new(account.clone(), region);
        if registries.contains(&registry) {
            let message = format!("{} is there already: take it out", registry.region);
            return Err(Stopped::invalid(field, message));
        }
        registries.push(registry);
    }
    registries[1..].sort();
    grants::check(object)?;
    preflight::roles(object)?;
    Ok(Environment {
        name,
        role: role(object, &account)?,
        account,
        registries,
        management: match spec.management_policy {
            ManagementPolicy::Manage => Management::Manage,
            ManagementPolicy::Observe => Management::Observe,
        },
    })
}

fn role(object: &EnvironmentAccount, account: &AccountId) -> Result<Option<AssumedRole>, Stopped> {
    let Some(role) = &object.spec.assume_role else {
        return Ok(None);
    };
    let parse = |arn: &str, field: &str| {
        let field = format!("spec.assumeRole.{field}");
        let arn: RoleArn = arn.parse().map_err(|it| Stopped::invalid(&field, it))?;
        if arn.as_str().contains(&format!(":iam::{account}:")) {
            return Ok(arn);
        }
        let message = format!("{arn} is no role of account {account}: correct one of the two");
        Err(Stopped::invalid(field, message))
    };
    let read = role.read_role_arn.as_deref();
    Ok(Some(AssumedRole {
        arn: parse(&role.role_arn, "roleArn")?,
        read: read.map(|it| parse(it, "readRoleArn")).transpose()?,
        external_id: role.external_id.clone(),
    }))
}

#[cfg(test)]
mod tests;
