//! `ecr-operator emulator`: an ECR to test against, on this machine.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use tokio::signal::unix::{SignalKind, signal};

use crate::emulator::{BareManifests, Clock, Emulator, FirstPullByDigest, Options, Seed, Upstream};

/// Serve Amazon ECR, STS and the tagging API from memory, for tests, demos and people
///
/// An access key of twelve digits is that account, credentials of AssumeRole are their role, any
/// other key is the account 123456789012. No secret is checked.
#[derive(Args, Clone, Debug)]
pub struct Arguments {
    /// Where to listen; port 0 is a free one. There are no secrets: think twice before you leave
    /// the loopback interface
    #[arg(
        long,
        value_name = "ADDRESS",
        default_value = "127.0.0.1:4566",
        env = "ECR_EMULATOR_LISTEN"
    )]
    listen: SocketAddr,
    /// Where to serve the same over HTTPS, under the names of AWS's own hosts; port 0 is a free one
    #[arg(long, value_name = "ADDRESS")]
    tls_listen: Option<SocketAddr>,
    /// Write the certificate of the authority to trust for HTTPS to this file, in PEM
    #[arg(long, value_name = "FILE", requires = "tls_listen")]
    ca_out: Option<PathBuf>,
    /// YAML of the accounts, repositories and images to begin with
    #[arg(long, value_name = "FILE")]
    seed: Option<PathBuf>,
    /// A registry that stands in for an upstream of pull-through caches, for example
    /// registry-1.docker.io=http://127.0.0.1:5000
    #[arg(long = "upstream", value_name = "HOST=URL", value_parser = upstream)]
    upstreams: Vec<(String, Upstream)>,
    /// The time to begin at, for example 2026-01-31T12:00:00Z; it runs on from there
    #[arg(long, value_name = "TIME")]
    clock: Option<jiff::Timestamp>,
    /// Keep the state in this file, and go on from it where it is there
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Import an image into a pull-through cache also when it is first pulled by digest
    #[arg(long)]
    import_by_digest: bool,
    /// Refuse manifests whose layers were not uploaded, as AWS does, also in repositories that
    /// never held a layer
    #[arg(long)]
    require_layers: bool,
}

/// Serves until the process is told to end.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let Arguments {
        listen,
        tls_listen,
        ca_out,
        seed,
        upstreams,
        clock,
        state,
        import_by_digest,
        require_layers,
    } = arguments;
    let seed = match seed {
        None => Seed::default(),
        Some(path) => {
            let text = tokio::fs::read_to_string(&path)
                .await
                .with_context(|| format!("read {}", path.display()))?;
            Seed::parse(&text).with_context(|| format!("read {}", path.display()))?
        }
    };
    let emulator = Emulator::start(Options {
        listen,
        tls_listen,
        seed,
        upstreams: upstreams.into_iter().collect(),
        clock: clock.map_or_else(Clock::system, Clock::starting_at),
        state,
        first_pull_by_digest: match import_by_digest {
            true => FirstPullByDigest::Imports,
            false => FirstPullByDigest::NotFound,
        },
        bare_manifests: match require_layers {
            true => BareManifests::Refused,
            false => BareManifests::Taken,
        },
    })
    .await?;
    if let (Some(path), Some(pem)) = (&ca_out, emulator.authority()) {
        let written = tokio::fs::write(path, pem).await;
        written.with_context(|| format!("write {}", path.display()))?;
    }
    println!("emulating ECR, STS and tagging at {}", emulator.url());
    if let Some(it) = emulator.tls_address() {
        println!("the same over HTTPS at {it}");
    }
    println!(
        "journal, faults, clock and reset at {}/_emulator",
        emulator.url()
    );
    told_to_end().await.context("wait for a signal")?;
    emulator.shutdown().await?;
    Ok(())
}

async fn told_to_end() -> std::io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

fn upstream(text: &str) -> Result<(String, Upstream), String> {
    let (host, url) = text.split_once('=').ok_or("expected HOST=URL")?;
    if !url.starts_with("http://") {
        return Err("an upstream is spoken to over plain http://".to_owned());
    }
    Ok((
        host.to_owned(),
        Upstream {
            url: Some(url.to_owned()),
            ..Upstream::default()
        },
    ))
}
