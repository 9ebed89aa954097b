//! The operator, in this process, on a runtime of its own that can be ended where it stands.

use std::io;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use clap::Parser;
use ecr_operator::commands::run::{self, operate};
use ecr_operator::ecr::{AccessKey, Ambient, Endpoints, Settings, Timeouts};
use kube::{Client, Config};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use super::HUB;
use super::kubernetes::View;

/// The secret of the operator's own credentials, which must stand nowhere.
pub(super) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYcanary";

/// A running operator; killed when this is dropped.
pub(super) struct Operator {
    /// How it sees the API server.
    pub(super) view: Arc<View>,
    log: Arc<Log>,
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
    /// What it logs: a filter of [`Operator::log`].
    pub(super) logs: &'static str,
    /// Further flags of `run`.
    pub(super) flags: Vec<String>,
}

/// What an operator has logged.
#[derive(Default)]
struct Log(Mutex<Vec<u8>>);

impl io::Write for &Log {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(text)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
        let log = Arc::<Log>::default();
        let logging = tracing_subscriber::fmt()
            .with_env_filter(EnvFilter::new(self.logs))
            .with_writer(Arc::clone(&log))
            .finish();
        let thread = std::thread::spawn(move || {
            let _logging = tracing::subscriber::set_default(logging);
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
            log,
            shutdown,
            kill,
            thread,
        }
    }
}

impl Operator {
    /// What it has logged.
    pub(super) fn log(&self) -> String {
        let log = self.log.0.lock().unwrap();
        String::from_utf8_lossy(&log).into_owned()
    }

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
