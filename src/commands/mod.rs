//! The command line. Standard output is the result, standard error is progress and hints; exit
//! codes are 0 for done, 1 for an error, 2 for a difference or finding where a command says so.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod aws;
mod contents;
pub mod crds;
pub mod demo;
pub mod emulator;
pub mod explain;
pub mod iam;
pub mod import;
pub mod plan;
pub mod plane;
pub mod rewrite;
pub mod rights;
pub mod rules;
pub mod run;

/// Every image a Kubernetes cluster runs comes from your own Amazon ECR.
#[derive(Debug, Parser)]
#[command(name = "ecr-operator", version, propagate_version = true)]
pub struct Program {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the operator: reconcile objects into ECR and serve admission.
    Run(Box<run::Args>),
    /// See it all work on this machine: a real API server, an ECR emulator, three accounts.
    Demo(demo::Args),
    /// Print the custom resource definitions, for `kubectl apply -f -`.
    Crds,
    Emulator(emulator::Arguments),
    /// Say what becomes of an image in a pod: rewritten to what, or kept, by which rule and why.
    Explain(explain::Arguments),
    /// Print the IAM policies that the operator needs: exactly what it calls, and nothing else.
    Iam(iam::Arguments),
    /// Write manifests for what an environment's account already has; change nothing.
    Import(Box<import::Arguments>),
    /// Say what the operator would change in AWS for a folder of objects or a cluster; write nothing.
    Plan(Box<plan::Arguments>),
    /// Move the image references of a GitOps repository to ECR, as a diff to review.
    Rewrite(Box<rewrite::Arguments>),
    /// Start a Kubernetes control plane on this machine; no nodes, nothing runs.
    Plane(plane::Arguments),
}

impl Program {
    /// Prints help, a version or what is wrong with the arguments. The last is an error like any
    /// other: 2 stands for a difference.
    pub fn usage(told: &clap::Error) -> ExitCode {
        match (told.print(), told.use_stderr()) {
            (Ok(()), false) => ExitCode::SUCCESS,
            (Ok(()), true) | (Err(_), _) => ExitCode::FAILURE,
        }
    }

    /// Runs the command, prints its error with what caused it, and gives the exit code.
    pub fn run(self) -> ExitCode {
        let runtime = match tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return failed(&anyhow::Error::new(error).context("start the runtime")),
        };
        let result = runtime.block_on(async {
            match self.command {
                Command::Run(args) => Box::pin(run::run(*args)).await,
                Command::Demo(args) => Box::pin(demo::run(args)).await,
                Command::Crds => {
                    crds::run(&mut std::io::stdout().lock()).map(|()| ExitCode::SUCCESS)
                }
                Command::Emulator(arguments) => {
                    emulator::run(arguments).await.map(|()| ExitCode::SUCCESS)
                }
                Command::Explain(arguments) => {
                    explain::run(&arguments).await.map(|()| ExitCode::SUCCESS)
                }
                Command::Iam(arguments) => iam::run(&arguments).await.map(|()| ExitCode::SUCCESS),
                Command::Import(arguments) => Box::pin(import::run(&arguments)).await,
                Command::Plan(arguments) => Box::pin(plan::run(&arguments)).await,
                Command::Rewrite(arguments) => Box::pin(rewrite::run(&arguments)).await,
                Command::Plane(arguments) => {
                    plane::run(&arguments).await.map(|()| ExitCode::SUCCESS)
                }
            }
        });
        result.unwrap_or_else(|error| failed(&error))
    }
}

fn failed(error: &anyhow::Error) -> ExitCode {
    eprintln!("error: {error:#}");
    ExitCode::FAILURE
}
