//! `ecr-operator run`: the operator, which serves admission and, while it holds the lease, reconciles.
//! One process does both, or a process each with rights of its own: what every pod can connect to then
//! holds no right to write. A process makes only the half that its role has.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::{ArcSwap, ArcSwapOption};
use kube::runtime::events::{Recorder, Reporter};
use kube::{Api, Client};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info};
use tracing_subscriber::EnvFilter;

use crate::commands::rights;
use crate::controllers::checks::Checks;
use crate::controllers::fenced_client::fenced;
use crate::controllers::lease::{Candidate, Timing};
use crate::controllers::meters::Meters;
use crate::controllers::stores::Stores;
use crate::controllers::wakes::Wakes;
use crate::controllers::{Context, usage, world};
use crate::desired::{Objects, World};
use crate::ecr::{Fence, Sessions, Settings};
use crate::server;

mod args;
mod health;
mod installation;
mod leading;
mod metrics;
mod serving;

pub use args::{Args, ProcessRole};

use args::LogFormat;
use health::{Gate, Health, Readiness};
use leading::Leading;
use metrics::Metrics;
use serving::Serving;

/// How long admission is still served when the replica has said that it is no longer ready.
const LAME_DUCK: Duration = Duration::from_secs(3);

/// Runs the operator until it is told to stop.
///
/// # Errors
/// When Kubernetes cannot be configured or a port not be listened on. What fails later is retried.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    log(args.log_format);
    let client = Client::try_default()
        .await
        .context("configure the Kubernetes client")?;
    let settings = Settings {
        endpoints: args.aws.endpoints(),
        ..Settings::new(args.cluster_id.clone())
    };
    let shutdown = CancellationToken::new();
    let _told = AbortOnDropHandle::new(tokio::spawn(stop_on_signal(shutdown.clone())?));
    Box::pin(operate(&args, client, settings, &shutdown)).await?;
    Ok(ExitCode::SUCCESS)
}

/// Operates the cluster that `client` reaches, with the AWS that `settings` reach, until `shutdown`, as
/// far as the role of this process goes.
/// The process has no other part in it: dropped together with its runtime, it ends as by `kill -9`.
///
/// # Errors
/// When the flags contradict each other or a port cannot be listened on. What fails later is retried.
pub async fn operate(
    args: &Args,
    client: Client,
    settings: Settings,
    shutdown: &CancellationToken,
) -> anyhow::Result<()> {
    args.check()?;
    let fence = Arc::new(Fence::default());
    // Past the fence: the lease itself, and events, which only report and which every process sends.
    // A process that never leads never opens the fence, so it changes nothing else.
    let unfenced = client.clone();
    let recorder = recorder(args, &unfenced);
    let client = fenced(client, Arc::clone(&fence));
    let settings = Settings {
        fence: Arc::clone(&fence),
        ..settings
    };
    let mut tasks = JoinSet::new();
    let woken = Arc::new(Notify::new());
    let cx = Arc::new(context(args, &client, recorder.clone(), settings).await);
    let stores = Stores::watch(&cx, args.resync_period, &woken, &mut tasks);
    let halves = Halves::of(args, &client);
    let admission = halves.serving.as_ref().map(|it| it.metrics());
    let health = Health {
        readiness: Arc::clone(&halves.readiness),
        metrics: Metrics::of(&cx.meters, Arc::clone(&cx.sessions), admission),
    };
    let listener = server::listen(args.health_listen);
    let listener =
        listener.with_context(|| format!("listen for health on {}", args.health_listen))?;
    tasks.spawn(health.serve(listener));
    let end = CancellationToken::new();
    let served = match &halves.serving {
        Some(serving) => Some(serving.serve(args, end.clone()).await?),
        None => None,
    };

    tokio::select! {
        () = stores.ready() => halves.readiness.open(Gate::Objects),
        () = shutdown.cancelled() => return Ok(()),
    }
    halves.follow(args, &cx, (stores.clone(), woken), &mut tasks);
    match &halves.leading {
        Some(leading) => {
            let candidate = Candidate {
                api: Api::namespaced(unfenced, &args.namespace),
                name: rights::NAME.to_owned(),
                identity: args.identity.clone(),
                timing: Timing::default(),
                fence,
                recorder,
                missing: cx.meters.installed.missing_of("Lease"),
            };
            let term = async |term| Box::pin(leading.term(&cx, &stores, term)).await;
            Box::pin(candidate.run(shutdown, term)).await;
        }
        None => shutdown.cancelled().await,
    }

    halves.readiness.close();
    if let Some(served) = served {
        // The API server goes on calling for a moment after the endpoint has gone.
        sleep(LAME_DUCK).await;
        end.cancel();
        served.await.context("end the admission server")?;
    }
    info!("stopped");
    Ok(())
}

/// What a process of a role is made of.
struct Halves {
    serving: Option<Arc<Serving>>,
    leading: Option<Arc<Leading>>,
    readiness: Arc<Readiness>,
}

impl Halves {
    fn of(args: &Args, client: &Client) -> Self {
        let keeper = installation::keeper(args, client);
        let serving = |readiness: &Arc<Readiness>| {
            Arc::new(Serving::new(args, keeper.clone(), Arc::clone(readiness)))
        };
        let leading = || Arc::new(Leading::new(args, client, keeper.clone()));
        let readiness = Arc::new(Readiness::of(args.role));
        let (serving, leading) = match args.role {
            ProcessRole::All => (Some(serving(&readiness)), Some(leading())),
            ProcessRole::Webhook => (Some(serving(&readiness)), None),
            ProcessRole::Controller => (None, Some(leading())),
        };
        Self {
            serving,
            leading,
            readiness,
        }
    }

    /// Follows what a process of each role needs: the world, and with it the rules, and what pods use.
    fn follow(
        &self,
        args: &Args,
        cx: &Arc<Context>,
        (stores, woken): (Stores, Arc<Notify>),
        tasks: &mut JoinSet<()>,
    ) {
        let relist = Arc::new(Notify::new());
        let compiled = {
            let (serving, leading) = (self.serving.clone(), self.leading.clone());
            let (meters, relist) = (Arc::clone(&cx.meters), Arc::clone(&relist));
            move |world: &World| {
                let rules = world.compiled();
                let policies = rules.table.policies().count();
                meters
                    .policies
                    .set(i64::try_from(policies).unwrap_or(i64::MAX));
                for (subject, stopped) in &rules.stopped {
                    debug!(?subject, %stopped, "has no rules");
                }
                if let Some(serving) = &serving {
                    serving.rule_by(&rules.table);
                    relist.notify_one();
                }
                if let Some(leading) = &leading {
                    leading.rule_by(&rules.table);
                }
            }
        };
        let (world, wakes) = (Arc::clone(&cx.world), cx.wakes.clone());
        let cluster = args.cluster_id.clone();
        tasks.spawn(world::follow(
            stores,
            cluster,
            woken,
            (world, wakes),
            compiled,
        ));
        let (using, resync) = (
            Arc::clone(cx),
            cx.meters.inputs.resync("Pod", args.resync_period),
        );
        tasks.spawn(async move { usage::follow(using.client.clone(), &using.usage, resync).await });
        if let Some(serving) = &self.serving {
            serving.follow(args, cx, relist, tasks);
        }
    }
}

fn recorder(args: &Args, client: &Client) -> Recorder {
    let reporter = Reporter {
        controller: rights::NAME.to_owned(),
        instance: Some(args.identity.clone()),
    };
    Recorder::new(client.clone(), reporter)
}

async fn context(args: &Args, client: &Client, recorder: Recorder, settings: Settings) -> Context {
    let meters = Arc::new(Meters::default());
    Context {
        client: client.clone(),
        recorder,
        sessions: Arc::new(Sessions::new(settings).await),
        world: Arc::new(ArcSwap::from_pointee(World::new(
            args.cluster_id.clone(),
            Objects::default(),
        ))),
        usage: Arc::new(usage::Known::counting(meters.inputs.pods.clone())),
        tallies: Arc::new(ArcSwapOption::empty()),
        approvals: Arc::default(),
        findings: Arc::default(),
        wakes: Wakes::default(),
        checks: Arc::new(Checks::default()),
        meters,
    }
}

fn stop_on_signal(shutdown: CancellationToken) -> anyhow::Result<impl Future<Output = ()>> {
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => info!("told to stop"),
            _ = interrupt.recv() => info!("interrupted"),
        }
        shutdown.cancel();
    })
}

fn log(format: LogFormat) {
    // Every refusal is an error to kube's client; what it means to us, we say ourselves.
    const DEFAULT: &str = "info,kube_client::client::builder=off";
    // These see whole requests, signatures and session tokens among them, and log them at TRACE.
    const NEVER: [&str; 6] = [
        "aws_runtime=info",
        "aws_sigv4=info",
        "aws_smithy_http_client=info",
        "aws_smithy_runtime=info",
        "h2=info",
        "hyper=info",
    ];
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(DEFAULT));
    let directives = NEVER
        .iter()
        .map(|it| it.parse().expect("a target and a level"));
    let filter = directives.fold(filter, EnvFilter::add_directive);
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().init(),
    }
}
