//! The account behind an environment: its registries, and how to reach them.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::world::seniority;
use super::{Stopped, World, grants};
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
    /// The external id that its trust policy asks for.
    pub external_id: Option<String>,
}

impl Environment {
    /// The registry in the home region, where repositories are made.
    pub fn home(&self) -> &Registry {
        &self.registries[0]
    }
}

/// The environment that `object` declares. Registries are managed by one environment: where two
/// declare the same, the older has it. A suspended environment is stopped.
pub fn environment(object: &EnvironmentAccount, world: &World) -> Result<Environment, Stopped> {
    let environment = declared(object, world)?;
    if object.spec.suspend {
        let message = "nothing is read or written until spec.suspend is false";
        return Err(Stopped::new(Reason::Suspended, "spec.suspend", message));
    }
    Ok(environment)
}

/// The environment that `object` declares, suspended or not.
pub(super) fn declared(object: &EnvironmentAccount, world: &World) -> Result<Environment, Stopped> {
    let environment = parse(object)?;
    let ours: BTreeSet<_> = environment.registries.iter().collect();
    let older = world
        .environments()
        .filter(|it| seniority(&***it) < seniority(object));
    for other in older {
        let Ok(theirs) = parse(other) else { continue };
        if let Some(shared) = theirs.registries.iter().find(|it| ours.contains(it)) {
            let message = format!(
                "registry {shared} belongs to the older EnvironmentAccount {}: remove one of the two",
                theirs.name
            );
            return Err(Stopped::new(Reason::Conflict, "spec.accountId", message));
        }
    }
    Ok(environment)
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
    const FIELD: &str = "spec.assumeRole.roleArn";
    let Some(role) = &object.spec.assume_role else {
        return Ok(None);
    };
    let arn: RoleArn = role
        .role_arn
        .parse()
        .map_err(|it| Stopped::invalid(FIELD, it))?;
    if !arn.as_str().contains(&format!(":iam::{account}:")) {
        let message = format!("{arn} is no role of account {account}: correct one of the two");
        return Err(Stopped::invalid(FIELD, message));
    }
    let external_id = role.external_id.clone();
    Ok(Some(AssumedRole { arn, external_id }))
}
