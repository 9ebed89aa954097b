//! `ecr-operator plan`: what the operator would change in AWS for the objects of a GitOps repository
//! or of a cluster. The plans are those that the controllers carry out, made from the same reads;
//! this command has no way to write.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;

use super::aws::Aws;
use super::rules;
use crate::desired::{Objects, World};
use crate::domain::names::{ClusterId, EnvironmentName};
use crate::ecr::{Sessions, Settings};

mod asked;
mod json;
mod look;
mod overlay;
mod previewed;
mod progress;
mod release;
mod report;
mod retrofit;
mod settings;
mod table;

use asked::Asked;
use report::Report;

/// The arguments of `ecr-operator plan`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit codes: 0 where AWS is as the objects ask, 2 where something differs or is refused, 1 where it \
could not be found out.

Objects of files have no uid and no status. A repository that bears the owner tags of an object of \
that name is taken to be its own, and what an earlier version of the object put there is not known; \
with --over-cluster it is: what spec.registry or a replication no longer asks for is then shown as taken \
out, as long as the object is there. An object that the files no longer have is not planned; one of the \
cluster that is being deleted is, by its deletionPolicy.")]
pub struct Arguments {
    /// A folder of YAML files with EnvironmentAccounts, ImageRepositories, PullThroughRules and
    /// LifecyclePolicies (other kinds are passed over), one such file, or - for standard input; can
    /// be given several times. By default the objects of the cluster that KUBECONFIG names.
    #[arg(long = "file", short, value_name = "DIR|FILE|-")]
    files: Vec<PathBuf>,
    /// Lay the files over the objects of the cluster, as if they were applied to it.
    #[arg(long, requires = "files")]
    over_cluster: bool,
    /// Look only at this environment; can be given several times.
    #[arg(long = "environment", short, value_name = "ENVIRONMENT")]
    environments: Vec<EnvironmentName>,
    /// Show objects that are in step, too.
    #[arg(long)]
    all: bool,
    /// How to print the plan.
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// What the cluster that the objects are for calls itself in owner tags.
    #[arg(long, env = "ECR_OPERATOR_CLUSTER_ID", value_name = "ID")]
    cluster_id: ClusterId,
    #[command(flatten)]
    aws: Aws,
}

/// How a plan is printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Output {
    /// Lines for people: = in step, + to create, ~ to change, - to delete, ! refused, ? not read.
    Table,
    /// One JSON object a line: each target, then a summary.
    Json,
}

/// Prints what would change.
pub async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let world = World::new(arguments.cluster_id.clone(), objects(arguments).await?);
    for name in &arguments.environments {
        let known = world.environment(name.as_str());
        known.with_context(|| format!("there is no EnvironmentAccount {name}"))?;
    }
    let settings = Settings {
        endpoints: arguments.aws.endpoints(),
        ..Settings::new(arguments.cluster_id.clone())
    };
    let sessions = Sessions::new(settings).await;
    let asked = Asked::of(&world, &arguments.environments);
    let report = look::look(&sessions, asked).await;
    let mut out = io::BufWriter::new(io::stdout().lock());
    let written = match arguments.output {
        Output::Table => table::write(&report, arguments.all, &mut out),
        Output::Json => json::write(&report, &mut out),
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        result => result.context("print the plan")?,
    }
    Ok(exit_code(&report))
}

async fn objects(arguments: &Arguments) -> anyhow::Result<Objects> {
    if arguments.files.is_empty() {
        let found = rules::objects_of_cluster().await;
        return found.context("read the cluster's objects (or give --file with a folder of files)");
    }
    let files = rules::objects_of_files(&arguments.files)?;
    if !arguments.over_cluster {
        return Ok(files);
    }
    let below = rules::objects_of_cluster().await?;
    Ok(overlay::lay(files, below))
}

fn exit_code(report: &Report) -> ExitCode {
    if !report.is_complete() {
        ExitCode::FAILURE
    } else if report.differs() {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}
