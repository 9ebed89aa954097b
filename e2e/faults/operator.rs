//! The operator, in this process, on a runtime of its own that can be ended where it stands.

use std::sync::Arc;
use std::thread::JoinHandle;

use clap::Parser;
use ecr_operator::commands::run::{self, operate};
use ecr_operator::ecr::{AccessKey, Ambient, Endpoints, Settings, Timeouts};
use kube::{Client, Config};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::HUB;
use super::kubernetes::View;

/// The secret of the operator's own credentials, which must stand nowhere.
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYcanary";

/// A running operator; killed when this is dropped.
pub(super) struct Operator {
    /// How it sees the API server.
    pub(super) view: Arc<View>,
    shutdown: CancellationToken,
    kill: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// How an operator is started.
pub(super) struct Role {
    /// The name of its case.
    pub(super) case: String,
    /// The API server.
    pub(super) config: Config,
    /// AWS.
    pub(super) aws: String,
    /// How long calls may take.
    pub(super) timeouts: Timeouts,
    /// Further flags of `run`.
    pub(super) flags: Vec<String>,
}

/// The flags of `run`, read as it reads them.
#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: run::Args,
}

impl Role {
    fn args(&self) -> run::Args {
        let own = [
            "run".to_owned(),
            format!("--cluster-id={}", self.case),
            format!("--namespace={}-system", self.case),
            "--identity=faults".to_owned(),
            "--webhook-listen=127.0.0.1:0".to_owned(),
            "--health-listen=127.0.0.1:0".to_owned(),
        ];
        Line::parse_from(own.iter().chain(&self.flags)).args
    }

    fn settings(&self) -> Settings {
        Settings {
            endpoints: Endpoints::all(&self.aws),
            ambient: Ambient::AccessKey(AccessKey {
                id: HUB.to_owned(),
                secret: SECRET.to_owned(),
            }),
            timeouts: self.timeouts,
            ..Settings::new(self.case.parse().unwrap())
        }
    }

    /// Starts an operator that sees the API server through `view`.
    pub(super) fn start(self, view: Arc<View>) -> Operator {
        let (kill, killed) = oneshot::channel();
        let shutdown = CancellationToken::new();
        let (seen, told) = (Arc::clone(&view), shutdown.clone());
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            let runtime = runtime.enable_all().build().unwrap();
            runtime.block_on(async {
                let client = seen.client(Client::try_from(self.config.clone()).unwrap());
                let args = self.args();
                let operating = Box::pin(operate(&args, client, self.settings(), &told));
                tokio::select! {
                    _ = killed => {}
                    ended = operating => ended.unwrap(),
                }
            });
            // Nothing that it began goes on after this.
            runtime.shutdown_background();
        });
        Operator {
            view,
            shutdown,
            kill,
            thread,
        }
    }
}

impl Operator {
    /// `kill -9`: when this returns there is nothing left of it.
    pub(super) async fn kill(self) {
        drop(self.kill);
        ended(self.thread).await;
    }

    /// `kill`, and waits until it has ended by itself.
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        ended(self.thread).await;
        drop(self.kill);
    }
}

async fn ended(thread: JoinHandle<()>) {
    let ended = tokio::task::spawn_blocking(|| thread.join()).await.unwrap();
    ended.expect("the operator does not panic");
}
