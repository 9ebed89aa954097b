//! `ecr-operator demo`: all of it at work on this machine. A real API server, an emulated ECR with
//! three accounts in two regions, and the operator as a process of its own with its own rights. It
//! ends with what was seen, and with success only if all of it was.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::Context as _;
use tokio::signal::unix::{SignalKind, signal};

use crate::emulator::{Emulator, Options as EmulatorOptions, Seed};
use crate::plane::{Choice, Cluster, Options as PlaneOptions, Progress};

mod company;
mod damage;
pub mod hand;
mod rewriting;
mod screen;
pub mod stage;

use screen::{Seen, line, spoken, summary, title};
use stage::{Operator, Role, Stage};

/// What the demo sets out to show.
const SCENES: usize = 6;

/// Flags of `ecr-operator demo`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Leave everything running at the end, and say how to reach it
    #[arg(long)]
    keep: bool,
    /// Seconds in which nothing may be written at the end
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    quiet: u64,
    /// Where logs and kubeconfigs are written [default: a folder in the temporary folder]
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
}

/// Runs the demo.
///
/// # Errors
/// When the stage cannot be set. What was not seen is told on the last screen, and in the exit code.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    println!(
        "ecr-operator {}: everything runs on this machine, no AWS account is used",
        env!("CARGO_PKG_VERSION")
    );
    let folder = args.folder.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("ecr-operator-demo-{}", std::process::id()))
    });
    let (stage, operator) = set(&folder).await?;
    let mut seen = Vec::new();
    let played = tokio::select! {
        played = play(&stage, operator, args.quiet, &mut seen) => played,
        interrupted = interrupted() => {
            interrupted?;
            Err(anyhow::anyhow!("interrupted"))
        }
    };
    let failure = played.as_ref().err();
    summary(&seen, SCENES, failure);
    if failure.is_some() {
        println!("Logs are in {}", folder.display());
        return Ok(ExitCode::FAILURE);
    }
    farewell(&stage);
    if args.keep {
        println!("\nEverything is kept running; Ctrl-C ends it.");
        interrupted().await?;
    }
    drop(played);
    Ok(ExitCode::SUCCESS)
}

/// Waits for Ctrl-C, or to be told to stop; what was started is stopped by whoever returns.
async fn interrupted() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for Ctrl-C")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn set(folder: &std::path::Path) -> anyhow::Result<(Stage, Operator)> {
    title("The stage");
    let began = Instant::now();
    let options = PlaneOptions {
        logs: Some(folder.join("plane")),
        ..PlaneOptions::default()
    };
    let cluster =
        Cluster::obtain(Choice::from_environment(), &options, &Progress::stderr()).await?;
    let seed = Seed::parse(company::SEED).context("the demo's seed")?;
    let emulator = Emulator::start(EmulatorOptions {
        seed,
        ..EmulatorOptions::default()
    })
    .await?;
    line(&format!("ECR emulator   {}", emulator.url()));
    let stage = Stage::set(cluster, emulator, folder.to_owned()).await?;
    let operator = stage.operator(&role()?).await?;
    line(&format!(
        "set in {}, logs in {}",
        spoken(began.elapsed()),
        folder.display()
    ));
    Ok((stage, operator))
}

/// The demo's operator looks every few seconds where a real one looks every few minutes.
fn role() -> anyhow::Result<Role> {
    Ok(Role {
        program: std::env::current_exe().context("find this program")?,
        cluster_id: "larkspur-prod".to_owned(),
        identity: "operator".to_owned(),
        flags: [
            "--sweep-period=5s",
            "--document-period=5s",
            "--facts-period=2s",
        ]
        .map(str::to_owned)
        .to_vec(),
        log: None,
    })
}

/// The scenes, in order; gives the operator that runs at the end.
async fn play(
    stage: &Stage,
    mut operator: Operator,
    quiet: u64,
    seen: &mut Vec<Seen>,
) -> anyhow::Result<Operator> {
    title("1  Repositories and caches, in three accounts, from one GitOps repository");
    seen.push(company::repositories(stage, &mut operator).await?);
    title("2  Pods of Argo CD and of the company's services, from manifests that name no ECR");
    seen.push(rewriting::pods(stage, &mut operator).await?);
    title("3  Somebody deletes a repository");
    seen.push(damage::deleted_repository(stage).await?);
    title("4  Somebody edits a repository policy");
    seen.push(damage::edited_policy(stage).await?);
    title("5  The operator is killed");
    let (operator, survived) = damage::killed_operator(stage, operator, &role()?).await?;
    seen.push(survived);
    title("6  Nothing more to do");
    seen.push(damage::quiet(stage, quiet).await?);
    Ok(operator)
}

fn farewell(stage: &Stage) {
    println!(
        "\nEverything ran on this machine: a real Kubernetes API server, and an emulator of ECR\n\
         with 3 accounts x 2 regions. No AWS account was used.\n\n\
         Try it        make demo KEEP=1, then\n  \
         export KUBECONFIG={}\n  \
         kubectl get ecr --all-namespaces\n  \
         kubectl explain imagerepositories.ecr-operator.dev.spec",
        stage.kubeconfig().display()
    );
}
