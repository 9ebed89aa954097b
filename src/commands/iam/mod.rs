//! `ecr-operator iam`: the roles that the operator needs, exactly: what its own role may do, and for
//! each environment's account who may assume the roles there and what those may do. Made from one table
//! of calls, which the tests hold to what the operator calls.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use kube::ResourceExt;

use super::rules;
use crate::api::{EnvironmentAccount, ImageRepositorySpec, PullThroughRule, Toggle};
use crate::desired::{AssumedRole, Environment, World};
use crate::domain::names::{AccountId, ClusterId, EnvironmentName};
use crate::domain::pull_through::RoleArn;
use crate::domain::repository::Management;

pub mod policy;
mod render;

use policy::{Part, Target};

/// The arguments of `ecr-operator iam`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Deletion is allowed only where an environment has allowDelete, pull-through caches only where a \
PullThroughRule names it, registry settings only where it has some or a repository replicates; an \
environment that is only observed is only read. A right is needed until what was made with it is taken \
out again: status of the cluster's objects tells what a registry still has of ours, a folder does not. So \
take spec.registry or a replication away first, wait until the environment is Ready, and then print the \
role again. Caches and their repositories stay when a rule goes, and need nothing. No policy can give what \
a service control policy takes.")]
pub struct Arguments {
    /// A folder of YAML files with the EnvironmentAccounts and PullThroughRules, one such file, or -
    /// for standard input; can be given several times. By default the objects of the cluster that
    /// KUBECONFIG names.
    #[arg(
        long = "file",
        short,
        value_name = "DIR|FILE|-",
        conflicts_with = "account"
    )]
    files: Vec<PathBuf>,
    /// Only the role of this environment; can be given several times.
    #[arg(
        long = "environment",
        short,
        value_name = "ENVIRONMENT",
        conflicts_with = "account"
    )]
    environments: Vec<EnvironmentName>,
    /// The role of an account for which there are no objects yet: named ecr-operator, with caches
    /// and without deletion.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountId>,
    /// The external id of that role. Default: none.
    #[arg(long, requires = "account", value_name = "ID")]
    external_id: Option<String>,
    /// The ARN of the role that the operator itself has, from EKS Pod Identity or IRSA.
    #[arg(long, value_parser = role, value_name = "ARN")]
    hub_role: RoleArn,
    /// The ARN of the role that the pods have which only serve admission (ServiceAccount
    /// ecr-operator-webhook). It assumes the readRoleArn of each environment, or the roleArn of one that has
    /// no other; with --account, a role ecr-operator-read is printed for it. Default: the hub role.
    #[arg(long, value_parser = role, value_name = "ARN")]
    webhook_hub_role: Option<RoleArn>,
    /// How to print the roles.
    #[arg(long, short, value_enum, default_value_t = Output::Json)]
    output: Output,
    /// What this cluster calls itself: sessions and repositories bear it as a tag.
    #[arg(long, env = "ECR_OPERATOR_CLUSTER_ID", value_name = "ID")]
    cluster_id: ClusterId,
}

/// How roles are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Output {
    /// One JSON object with every policy, and what AWS asks for beside the calls themselves.
    Json,
    /// CloudFormation: a template for each target account, to be deployed there.
    Cloudformation,
    /// Terraform: a role for each target account, and the policy of the operator's own.
    Terraform,
}

/// What a role is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Access {
    /// All that the operator does; also to list images for admission, where no other role is.
    All,
    /// All that the operator does but that.
    Leading,
    /// To list images for admission.
    Listing,
}

/// A role to be made in an environment's account.
#[derive(Clone, Debug)]
struct Role {
    /// What it is for.
    access: Access,
    /// What it is called in resource names: the environment, or the account.
    label: String,
    /// Its ARN.
    arn: RoleArn,
    target: Target,
}

/// Prints the roles.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let roles = match &arguments.account {
        Some(account) => without_objects(arguments, account),
        None => of_objects(arguments).await?,
    };
    let document = render::Roles {
        roles: &roles,
        hub: &arguments.hub_role,
        webhook_hub: arguments
            .webhook_hub_role
            .as_ref()
            .unwrap_or(&arguments.hub_role),
        cluster: &arguments.cluster_id,
    };
    let text = match arguments.output {
        Output::Json => document.json(),
        Output::Cloudformation => document.cloudformation(),
        Output::Terraform => document.terraform(),
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).context("print the policies")
}

fn without_objects(arguments: &Arguments, account: &AccountId) -> Vec<Role> {
    let named = |name: &str| {
        let arn = format!("arn:aws:iam::{account}:role/{name}");
        arn.parse().expect("an account's role has an ARN")
    };
    let role = AssumedRole {
        arn: named("ecr-operator"),
        read: arguments
            .webhook_hub_role
            .as_ref()
            .map(|_| named("ecr-operator-read")),
        external_id: arguments.external_id.clone(),
    };
    let target = Target {
        partition: "aws",
        account: account.clone(),
        external_id: arguments.external_id.clone(),
        parts: [Part::Read, Part::Repositories, Part::Caches].into(),
    };
    roles(account.as_str(), &role, &target)
}

/// The roles to be made of what an environment names.
fn roles(label: &str, role: &AssumedRole, target: &Target) -> Vec<Role> {
    let AssumedRole {
        arn,
        read,
        external_id: _, // it is in the target
    } = role;
    let of = |access: Access, arn: &RoleArn, label: String| Role {
        access,
        label,
        arn: arn.clone(),
        target: target.clone(),
    };
    match read.as_ref().filter(|it| *it != arn) {
        None => vec![of(Access::All, arn, label.to_owned())],
        Some(read) => vec![
            of(Access::Leading, arn, label.to_owned()),
            of(Access::Listing, read, format!("{label}-read")),
        ],
    }
}

async fn of_objects(arguments: &Arguments) -> anyhow::Result<Vec<Role>> {
    let objects = if arguments.files.is_empty() {
        let found = rules::objects_of_cluster().await;
        found.context("read the cluster's objects (or give --file, or --account)")?
    } else {
        rules::objects_of_files(&arguments.files)?
    };
    let world = World::new(arguments.cluster_id.clone(), objects);
    for name in &arguments.environments {
        let known = world.environment(name.as_str());
        known.with_context(|| format!("there is no EnvironmentAccount {name}"))?;
    }
    let asked = |it: &EnvironmentAccount| {
        let names = &arguments.environments;
        names.is_empty() || names.iter().any(|name| name.as_str() == it.name_any())
    };
    let environments = world.environments().filter(|it| asked(it));
    let roles: Vec<Vec<Role>> = environments
        .map(|it| of_environment(it, &world))
        .collect::<anyhow::Result<_>>()?;
    let roles = roles.concat();
    if roles.is_empty() {
        bail!("no EnvironmentAccount has an assumeRole, so there is no role to make");
    }
    Ok(roles)
}

/// The roles that an environment names; none: it is called with the operator's own credentials.
fn of_environment(object: &EnvironmentAccount, world: &World) -> anyhow::Result<Vec<Role>> {
    let name = object.name_any();
    let environment = crate::desired::environment(object, world)
        .map_err(|stopped| anyhow::anyhow!("EnvironmentAccount {name}: {stopped}"))?;
    let partition = environment.home().partition();
    let parts = parts(object, &environment, world);
    let Some(role) = environment.role else {
        return Ok(Vec::new());
    };
    let target = Target {
        partition,
        account: environment.account,
        external_id: role.external_id.clone(),
        parts,
    };
    Ok(roles(&name, &role, &target))
}

/// What the environment's role is used for.
fn parts(object: &EnvironmentAccount, environment: &Environment, world: &World) -> BTreeSet<Part> {
    let mut parts = BTreeSet::from([Part::Read]);
    if environment.management == Management::Observe {
        return parts;
    }
    parts.insert(Part::Repositories);
    if object.spec.allow_delete {
        parts.insert(Part::Deletion);
    }
    let name = environment.name.as_str();
    let of_environment =
        |it: &Arc<PullThroughRule>| it.spec.environments.iter().any(|it| it == name);
    if world.rules().any(of_environment) {
        parts.insert(Part::Caches);
    }
    let replicated = world.repositories_in(name).any(|it| replicates(&it.spec));
    // Also of registries that are no longer the environment's.
    let mut registries = object.status.iter().flat_map(|it| &it.registries);
    let is_left = registries.any(|it| it.record.is_some());
    if object.spec.registry.is_some() || replicated || is_left {
        parts.insert(Part::Registry);
    }
    parts
}

/// Whether the repository asks for replication anywhere.
fn replicates(spec: &ImageRepositorySpec) -> bool {
    let overrides = spec.overrides.iter().map(|it| it.replication);
    overrides
        .chain([spec.replication])
        .any(|it| it == Some(Toggle::Enabled))
}

fn role(text: &str) -> Result<RoleArn, String> {
    text.parse()
        .map_err(|it: crate::domain::names::InvalidName| it.to_string())
}
