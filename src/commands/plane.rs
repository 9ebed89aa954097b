//! `ecr-operator plane`: a Kubernetes control plane on this machine, for trying things out. It has no
//! nodes: what is applied is admitted, and nothing runs.

use std::fs::{OpenOptions, create_dir_all};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use crate::plane::{self, Options, Progress};

/// The arguments of `ecr-operator plane`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to write the administrator's kubeconfig [default: plane.kubeconfig in the cache folder]
    #[arg(long, value_name = "FILE")]
    kubeconfig: Option<PathBuf>,
    /// Where each process writes its log; by default a temporary folder.
    #[arg(long, value_name = "FOLDER")]
    logs: Option<PathBuf>,
}

/// Starts the control plane and stops it at Ctrl-C or SIGTERM. Until it is ready these end the
/// process at once, and the plane's guard cleans up.
pub async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let options = Options {
        logs: arguments.logs.clone(),
        ..Options::default()
    };
    let plane = plane::start(&options, &Progress::stderr()).await?;
    let file = match &arguments.kubeconfig {
        Some(file) => std::path::absolute(file).context("find the kubeconfig")?,
        None => plane::cache()?.join("plane.kubeconfig"),
    };
    write_privately(&file, &plane.kubeconfig()?)?;
    println!("export KUBECONFIG={}", file.display());
    eprintln!(
        "kubectl is {}; Ctrl-C stops all",
        plane.binaries.kubectl.display()
    );
    let mut terminated = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    tokio::select! {
        pressed = tokio::signal::ctrl_c() => pressed.context("listen for Ctrl-C"),
        _ = terminated.recv() => Ok(()),
    }
}

/// Writes a file that only its owner may read: a kubeconfig holds credentials.
pub fn write_privately(path: &Path, text: &str) -> anyhow::Result<()> {
    let writing = || format!("write {}", path.display());
    if let Some(folder) = path.parent() {
        create_dir_all(folder).with_context(writing)?;
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(path)
        .with_context(writing)?;
    file.write_all(text.as_bytes()).with_context(writing)
}
