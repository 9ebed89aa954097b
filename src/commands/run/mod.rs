//! `ecr-operator run`: the operator. Every replica watches, keeps rules and facts, and serves
//! admission; the one that holds the lease reconciles.

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
use crate::controllers::driver::drive;
use crate::controllers::environment_account::preflight;
use crate::controllers::fenced_client::fenced;
use crate::controllers::lease::{Candidate, Timing};
use crate::controllers::meters::Meters;
use crate::controllers::stores::Stores;
use crate::controllers::sweep::{self, Periods};
use crate::controllers::wakes::{Kind, Wakes};
use crate::controllers::{Context, facts, lifecycle_policy, tombstones, usage, world};
use crate::desired::{Objects, World};
use crate::domain::facts::Facts;
use crate::ecr::{Fence, Sessions, Settings};
use crate::server;

mod admission;
mod args;
mod health;
mod metrics;

pub use args::Args;

use args::LogFormat;
use health::{Gate, Health, Readiness};
use metrics::Metrics;

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

/// Operates the cluster that `client` reaches, with the AWS that `settings` reach, until `shutdown`.
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
    // Past the fence: the lease itself, and events, which only report and which every replica has.
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
    let readiness = Arc::new(Readiness::default());
    let admission = Arc::new(admission::Parts::new(args, &client, Arc::clone(&readiness)));
    let metrics = Metrics::of(&cx.meters, Arc::clone(&cx.sessions), admission.metrics());
    let listener = server::listen(args.health_listen);
    let listener =
        listener.with_context(|| format!("listen for health on {}", args.health_listen))?;
    let health = Health {
        readiness: Arc::clone(&readiness),
        metrics,
    };
    tasks.spawn(health.serve(listener));
    let serving = CancellationToken::new();
    let served = admission.serve(args, serving.clone()).await?;

    tokio::select! {
        () = stores.ready() => readiness.open(Gate::Objects),
        () = shutdown.cancelled() => return Ok(()),
    }
    follow(args, &cx, (stores.clone(), woken), &admission, &mut tasks);
    let candidate = Candidate {
        api: Api::namespaced(unfenced, &args.namespace),
        name: rights::NAME.to_owned(),
        identity: args.identity.clone(),
        timing: Timing::default(),
        fence,
        recorder,
        missing: cx.meters.installed.missing_of("Lease"),
    };
    let periods = Periods {
        registry: args.sweep_period,
        documents: args.document_period,
        lifecycle: args.lifecycle_period,
    };
    let term = async |term| Box::pin(lead(&cx, &stores, &admission, (periods, term))).await;
    Box::pin(candidate.run(shutdown, term)).await;

    // The API server goes on calling for a moment after the endpoint has gone.
    readiness.close();
    sleep(LAME_DUCK).await;
    serving.cancel();
    served.await.context("end the admission server")?;
    info!("stopped");
    Ok(())
}

/// What every replica follows: the world, and with it the rules; the facts; what pods use, by which
/// facts are ordered; the certificate.
fn follow(
    args: &Args,
    cx: &Arc<Context>,
    (stores, woken): (Stores, Arc<Notify>),
    admission: &Arc<admission::Parts>,
    tasks: &mut JoinSet<()>,
) {
    let relist = Arc::new(Notify::new());
    let compiled = {
        let (admission, relist) = (Arc::clone(admission), Arc::clone(&relist));
        let meters = Arc::clone(&cx.meters);
        move |world: &World| {
            let rules = world.compiled();
            let policies = rules.table.policies().count();
            meters
                .policies
                .set(i64::try_from(policies).unwrap_or(i64::MAX));
            for (subject, stopped) in &rules.stopped {
                debug!(?subject, %stopped, "has no rules");
            }
            admission.rule_by(rules.table.clone());
            relist.notify_one();
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
    let knowing = Arc::clone(admission);
    let loaded = move |facts: &Arc<Facts>| knowing.know(facts);
    tasks.spawn(facts::follow(
        Arc::clone(cx),
        args.facts_timing(),
        relist,
        loaded,
    ));
    let (using, resync) = (
        Arc::clone(cx),
        cx.meters.inputs.resync("Pod", args.resync_period),
    );
    tasks.spawn(async move { usage::follow(using.client.clone(), &using.usage, resync).await });
    let showing = Arc::clone(admission);
    tasks.spawn(async move { showing.follow_certificate().await });
    if let Some(file) = args.client_ca_file.clone() {
        let admission = Arc::clone(admission);
        tasks.spawn(async move { admission.follow_clients(&file).await });
    }
}

/// One term: everything that writes. It stops where it stands when the term ends, since every step
/// is safe to be the last one.
async fn lead(
    cx: &Arc<Context>,
    stores: &Stores,
    admission: &admission::Parts,
    (periods, term): (Periods, CancellationToken),
) {
    cx.meters.leading.set(1);
    let wakes = &cx.wakes;
    let environments = wakes.requests(Kind::Environment, stores.environments.clone());
    let repositories = wakes.requests(Kind::Repository, stores.repositories.clone());
    let rules = wakes.requests(Kind::Rule, stores.rules.clone());
    let lifecycles = wakes.requests(Kind::Lifecycle, stores.lifecycles.clone());
    let policies = wakes.requests(Kind::Policy, stores.policies.clone());
    let accounts = wakes.requests(Kind::Environment, stores.environments.clone());
    let work = async {
        tokio::join!(
            drive(Arc::clone(cx), stores.environments.clone(), environments),
            drive(Arc::clone(cx), stores.repositories.clone(), repositories),
            drive(Arc::clone(cx), stores.rules.clone(), rules),
            drive(Arc::clone(cx), stores.lifecycles.clone(), lifecycles),
            drive(Arc::clone(cx), stores.policies.clone(), policies),
            sweep::run(Arc::clone(cx), stores.clone(), periods),
            tombstones::run(Arc::clone(cx), periods.registry),
            preflight::run(Arc::clone(cx), accounts),
            lifecycle_policy::released::follow(Arc::clone(cx), stores.repositories.clone()),
            lifecycle_policy::tally::follow(
                Arc::clone(cx),
                stores.repositories.clone(),
                stores.rules.clone()
            ),
            lifecycle_policy::looks::run(
                Arc::clone(cx),
                stores.repositories.clone(),
                periods.lifecycle
            ),
            admission.lead(cx, &term),
        )
    };
    tokio::select! {
        _ = work => {}
        () = term.cancelled() => {}
    }
    cx.meters.leading.set(0);
    cx.meters.reachable.clear();
    admission.forget_missing(cx);
    cx.meters.lifecycle.clear();
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
