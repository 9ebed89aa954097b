//! Whom an environment lets into its repositories and its registries. A policy is judged by whom it
//! admits in the end, however it spells that, so that nobody can grant what the environment has not
//! allowed.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::{Stopped, World};
use crate::api::EnvironmentAccount;
use crate::api::conditions::Reason;
use crate::domain::policy::Admitted;

/// Checks that those whom a policy admits, which `field` asks for, are all allowed by `account`.
pub(super) fn check(
    admitted: &BTreeSet<Admitted>,
    field: &str,
    account: &EnvironmentAccount,
    world: &World,
) -> Result<(), Stopped> {
    let Some(stranger) = admitted.iter().find(|it| !allows(account, it, world)) else {
        return Ok(());
    };
    let environment = account.name_any();
    let message = match stranger {
        Admitted::Anyone => {
            "this would let anybody in: name accounts, roles or organizations".to_owned()
        }
        Admitted::Service(service) => format!(
            "{service} would act for any of its customers: add a condition on aws:SourceAccount, \
             aws:SourceArn or aws:SourceOrgID"
        ),
        Admitted::Organization(who) | Admitted::Principal(who) => not_allowed(&environment, who),
        Admitted::Account(who) => not_allowed(&environment, who.as_str()),
    };
    Err(Stopped::new(Reason::NotGranted, field, message))
}

fn not_allowed(environment: &str, who: &str) -> String {
    format!(
        "EnvironmentAccount {environment} does not allow access for {who}: add it to \
         spec.allowedPrincipals there, or take it out here"
    )
}

fn allows(account: &EnvironmentAccount, who: &Admitted, world: &World) -> bool {
    let allowed = account.spec.allowed_principals.as_ref();
    let listed = |list: &[String], it: &str| list.iter().any(|listed| listed == it);
    let allows_account = |it: &str| {
        it == account.spec.account_id
            || match allowed {
                Some(allowed) => listed(&allowed.accounts, it),
                None => world
                    .environments()
                    .any(|other| other.spec.account_id == it),
            }
    };
    match who {
        Admitted::Anyone | Admitted::Service(_) => false,
        Admitted::Account(it) => allows_account(it.as_str()),
        Admitted::Organization(it) => allowed.is_some_and(|all| listed(&all.organizations, it)),
        Admitted::Principal(it) => {
            it.split(':').nth(4).is_some_and(allows_account)
                || allowed.is_some_and(|all| listed(&all.roles, it))
        }
    }
}

#[cfg(test)]
mod tests;
