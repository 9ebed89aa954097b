//! `ecr-operator import`: manifests for what an account already has. Each is checked by the very
//! plan that the controllers would carry out: what would change anything but owner tags is only
//! observed, or left out, and it is said why. Nothing is written to AWS.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, bail};

use super::aws::Aws;
use super::rules;
use crate::controllers::identity;
use crate::desired::{self, Environment, World};
use crate::domain::Region;
use crate::domain::names::{ClusterId, EnvironmentName};
use crate::ecr::{Sessions, Settings};

mod access;
mod cache;
mod candidate;
mod found;
mod lifecycle;
mod manifest;
mod registry;
mod repository;
mod review;
mod template;

use found::{Found, Singletons};
use manifest::Imported;

/// The arguments of `ecr-operator import`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The manifests are written to standard output, and what could not be taken over to standard error, too. \
Look at them with `ecr-operator plan` before you apply them: only owner tags are to be added.

An ImageRepository that is there already for another environment is written out with this environment \
added to it, so import one environment after the other.

What a registry has only one of (scanning, replication, account settings, pull-time exclusions, signing) is \
taken up with --registry-settings: the EnvironmentAccount is written out with all of it that every region \
shares. It bears no owner: what was there before the operator stays where it is later taken out of the spec.")]
pub struct Arguments {
    /// The EnvironmentAccount whose account is imported.
    #[arg(long, short, value_name = "ENVIRONMENT")]
    environment: EnvironmentName,
    /// The region whose repositories are imported; only the environment's home region can be, since
    /// that is where ImageRepositories live. Default: that one.
    #[arg(long, value_name = "REGION")]
    region: Option<Region>,
    /// A folder of YAML files with the EnvironmentAccount and all other objects that are there
    /// already, one such file, or - for standard input; can be given several times. By default the
    /// objects of the cluster that KUBECONFIG names.
    #[arg(long = "file", short, value_name = "DIR|FILE|-")]
    files: Vec<PathBuf>,
    /// The namespace of all ImageRepositories. Default: the first part of the repository's name, and
    /// `default` for names of one part.
    #[arg(long, short, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Whether the operator is to manage what is imported. What would not stay as it is, is observed
    /// in either case.
    #[arg(long, value_enum, default_value_t = ManagementPolicy::Manage)]
    management_policy: ManagementPolicy,
    /// Take up what the environment's registries have only one of, too.
    #[arg(long)]
    registry_settings: bool,
    /// What the cluster that the manifests are for calls itself in owner tags.
    #[arg(long, env = "ECR_OPERATOR_CLUSTER_ID", value_name = "ID")]
    cluster_id: ClusterId,
    #[command(flatten)]
    aws: Aws,
}

/// The `managementPolicy` to write.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum ManagementPolicy {
    /// Repositories are adopted: they get owner tags, and what drifts is repaired from then on.
    Manage,
    /// Repositories are only looked at.
    Observe,
}

/// Prints the manifests.
pub async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let objects = if arguments.files.is_empty() {
        let found = rules::objects_of_cluster().await;
        found.context("read the cluster's objects (or give --file with a folder of files)")?
    } else {
        rules::objects_of_files(&arguments.files)?
    };
    let world = World::new(arguments.cluster_id.clone(), objects.clone());
    let environment = environment(arguments, &world)?;
    let settings = Settings {
        endpoints: arguments.aws.endpoints(),
        ..Settings::new(arguments.cluster_id.clone())
    };
    let sessions = Sessions::new(settings).await;
    let singletons = if arguments.registry_settings {
        Singletons::Read
    } else {
        Singletons::LeftOut
    };
    let identity = identity(&environment);
    let found = Found::read(&sessions, &environment, &identity, singletons).await?;
    let ask = review::Ask {
        cluster: &arguments.cluster_id,
        environment: &environment,
        namespace: arguments.namespace.as_deref(),
        management: match arguments.management_policy {
            ManagementPolicy::Manage => crate::api::ManagementPolicy::Manage,
            ManagementPolicy::Observe => crate::api::ManagementPolicy::Observe,
        },
    };
    let imported = review::import(&ask, objects, &found);
    let calls: u64 = sessions.counts().iter().map(|it| it.calls).sum();
    print(&imported, calls)?;
    Ok(ExitCode::SUCCESS)
}

fn environment(arguments: &Arguments, world: &World) -> anyhow::Result<Environment> {
    let name = &arguments.environment;
    let object = world.environment(name.as_str());
    let object = object.with_context(|| format!("there is no EnvironmentAccount {name}"))?;
    let environment = desired::environment(object, world)
        .map_err(|stopped| anyhow::anyhow!("EnvironmentAccount {name}: {stopped}"))?;
    let home = &environment.home().region;
    if let Some(region) = arguments.region.as_ref().filter(|it| *it != home) {
        bail!(
            "the ImageRepositories of {name} live in {home}: make an EnvironmentAccount whose home \
             region is {region} to import that"
        );
    }
    Ok(environment)
}

fn print(imported: &Imported, calls: u64) -> anyhow::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match imported.write(&mut out).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        result => result.context("print the manifests")?,
    }
    for remark in imported.remarks() {
        eprintln!("{remark}");
    }
    eprintln!(
        "{}, read with {calls} calls. Nothing was written to AWS.",
        imported.summary()
    );
    Ok(())
}
