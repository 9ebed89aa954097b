//! `ecr-operator rewrite`: moves the image references of a GitOps repository to ECR as one reviewable
//! diff. What becomes of an image is decided by the webhook's own pure function, and where it stands
//! in a text by [`crate::manifest`]; here are the tree, the environments, and how it is told.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;

use super::aws::Aws;
use super::rules;

mod environments;
mod finding;
mod full;
mod github;
mod json;
mod overrides;
mod pr_body;
mod printer;
mod repository;
mod rulebook;
mod sarif;
mod selection;
mod summary;
mod tree;
mod verify;
mod write;

use printer::Printer;
use repository::Repository;
use rulebook::Rulebook;
use summary::Summary;

/// The arguments of `ecr-operator rewrite`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without --write nothing is changed: a diff and a summary are printed. Every reference that is found \
ends as one of: rewritten, in step, or left with a reason.

One account per environment means that a file is rewritten only where it is clear which environment \
reads it. --environment says so by path, and so does .ecr-operator.yaml in the repository's root, which \
is the next folder up that has it or .git, and from which all paths count:

    environments:
    - {path: 'envs/prod/**', environment: prod}
    - {namespace: shop-dev, environment: dev}
    - {cluster: 'https://prod.example.com', environment: prod}

The last entry that fits decides. Where none does and there are several environments, a reference \
is left [NeedsEnvironment].

Exit codes: 0 done; with --check 0 nothing to do and 2 something to do (where other tools have 1); 1 \
an error.")]
pub struct Arguments {
    /// The folder to look at, or one file.
    #[arg(default_value = ".", value_name = "PATH")]
    root: PathBuf,
    /// A folder of YAML files with EnvironmentAccounts, ImageAdmissionPolicies, ImageRepositories and
    /// PullThroughRules, or one such file. By default the cluster that KUBECONFIG names is asked.
    #[arg(long, value_name = "DIR")]
    rules: Option<PathBuf>,
    /// Which environment reads the files of a path, like 'envs/prod/**=prod', or one for all of them,
    /// like prod; can be given several times.
    #[arg(long = "environment", short, value_name = "GLOB=ENVIRONMENT")]
    environments: Vec<String>,
    /// The namespace of what names none: old names can be claimed for one namespace alone, and
    /// policies select namespaces. Without it the claims of default hold, and what a selector would
    /// say is unknown.
    #[arg(long, short, value_name = "NAMESPACE")]
    namespace: Option<String>,
    /// Only what the ImageRepository of this namespace and name migrates.
    #[arg(long, value_name = "NAMESPACE/NAME")]
    service: Option<String>,
    /// Change the files.
    #[arg(long, conflicts_with = "check")]
    write: bool,
    /// Exit with 2 where there is something to do.
    #[arg(long)]
    check: bool,
    /// Ask ECR whether each image is where its reference will lead to, with the same digest in all
    /// environments of its ImageRepository; change nothing if one is not.
    #[arg(long)]
    verify: bool,
    /// Print the text of a pull request instead of the diff.
    #[arg(long, conflicts_with = "output_format")]
    pr_body: bool,
    /// How it is told.
    #[arg(long, value_enum, default_value_t = OutputFormat::Full)]
    output_format: OutputFormat,
    #[command(flatten)]
    aws: Aws,
}

/// How it is told.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum OutputFormat {
    /// A unified diff, what is left, and a summary.
    Full,
    /// One JSON object a line: each finding, then a summary.
    Json,
    /// Annotations of a GitHub workflow.
    Github,
    /// One SARIF 2.1.0 log.
    Sarif,
}

/// Looks at the tree, tells what it finds, and writes if asked to.
pub async fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let began = Instant::now();
    // The tree is walked while the rules are read.
    let root = arguments.root.clone();
    let repository = tokio::task::spawn_blocking(move || Repository::around(&root));
    let objects = match &arguments.rules {
        Some(path) => rules::objects_of_files(std::slice::from_ref(path))?,
        None => rules::objects_of_cluster()
            .await
            .context("read the cluster's rules (or give --rules with a folder of files)")?,
    };
    let repository = repository.await.context("walk the tree")??;
    let book = Rulebook::new(objects, repository.root(), arguments)?;
    let survey = tokio::task::block_in_place(|| tree::survey(&repository));
    let book = book.knowing(survey.overrides);
    let mut printer = Printer::of(arguments);
    let mut summary = Summary::default();
    let mut kept = Vec::new();
    let counts = tokio::task::block_in_place(|| {
        tree::examine(&repository, survey.held, &book, |file| {
            summary.add(&file);
            if !arguments.verify {
                printer.file(&file)?;
            }
            if arguments.verify || (arguments.write && file.edit.is_some()) {
                kept.push(file);
            }
            anyhow::Ok(())
        })
    })?;
    if arguments.verify {
        let verified = verify::verify(&kept, &book, &arguments.aws).await?;
        verified.print(&mut io::stderr())?;
        if !verified.is_good() {
            anyhow::bail!(
                "not every image is where its reference would lead to; nothing was changed"
            );
        }
        kept.iter().try_for_each(|it| printer.file(it))?;
    }
    if arguments.write {
        write::write(repository.root(), &kept)?;
    }
    summary.end(counts, began.elapsed(), arguments.write);
    printer.end(&summary)?;
    Ok(exit_code(arguments, &summary))
}

fn exit_code(arguments: &Arguments, summary: &Summary) -> ExitCode {
    if summary.unread > 0 {
        ExitCode::FAILURE
    } else if arguments.check && summary.rewritten() > 0 {
        ExitCode::from(2)
    } else {
        ExitCode::SUCCESS
    }
}

/// Whether standard output is looked at by a person who likes colours. <https://no-color.org>
fn coloured() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
}
