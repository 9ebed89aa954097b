//! What many repositories cost under a quota of ten requests a second for each account and
//! operation: the calls and the time from nothing to Ready, the calls of a steady sweep, a restart,
//! an edit while everything else is going on, and memory. `make scale COUNT=10000` takes half an
//! hour, most of which is the quota's; without COUNT it is a thousand and takes five minutes.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use ecr_operator::api::ImageRepository;
use ecr_operator::api::conditions::{ConditionStatus, ConditionType};
use ecr_operator::commands::demo::stage::{Operator, Stage};
use ecr_operator::emulator::{Effect, Rule};
use fleet::{ACCOUNTS, memory, report};
use futures::{TryStreamExt as _, stream};
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tokio::time::{interval, sleep};

mod fleet;

/// Requests a second that AWS lets through, for each account and operation.
const QUOTA: f64 = 10.0;
/// The operator's default period of sweeps.
const SWEEP: Duration = Duration::from_mins(5);
/// Edits of which the time is taken.
const EDITS: usize = 20;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let count = std::env::var("COUNT").map_or(Ok(1_000), |it| it.parse())?;
    let stage = fleet::stage("bench-scale").await?;
    stage.emulator.faults().add(Rule {
        rate: Some(QUOTA),
        effect: Effect::Throttle,
        ..Rule::default()
    });
    let mut operator = stage.operator(&fleet::role()).await?;
    stage.apply(&fleet::accounts()).await?;
    fleet::ready(&stage, "environmentaccounts").await?;
    report("memory with no repository", &memory(&operator)?);
    from_nothing(&stage, count).await?;
    report(&format!("memory with {count} x 3"), &memory(&operator)?);
    steady(&stage, count).await?;
    report(
        "edits in steady state, until their AWS write",
        &edits(&stage).await?,
    );
    operator.kill().await?;
    operator = restart(&stage, count).await?;
    report("memory after the restart", &memory(&operator)?);
    Ok(())
}

/// Applies all objects, as fast as the API server takes them, and waits until each is Ready.
async fn from_nothing(stage: &Stage, count: usize) -> anyhow::Result<()> {
    let api: Api<ImageRepository> = Api::namespaced(stage.cluster.client().await?, "default");
    let began = Instant::now();
    let mut calls = Calls::default();
    let apply = async {
        stream::iter((0..count).map(Ok))
            .try_for_each_concurrent(16, |number| apply(&api, number))
            .await?;
        report(
            &format!("{count} objects taken by the API server"),
            &seconds(began),
        );
        anyhow::Ok(())
    };
    let settled = async {
        let mut waiting: BTreeSet<String> = (0..count).map(name).collect();
        let changes = watcher(api.clone(), watcher::Config::default()).applied_objects();
        let mut changes = std::pin::pin!(changes);
        while !waiting.is_empty() {
            let object = changes.try_next().await?.context("the watch has ended")?;
            if is_ready(&object) {
                waiting.remove(&object.name_any());
            }
        }
        anyhow::Ok(())
    };
    calls
        .during(stage, async { tokio::try_join!(apply, settled) })
        .await?;
    report(
        &format!("{count} x 3 from nothing, until Ready"),
        &seconds(began),
    );
    report(
        "  the quota alone allows no less than",
        &format!("{:.0} s", lossy(count) / QUOTA),
    );
    report("  AWS calls", &calls.to_string());
    report("  of them throttled", &calls.throttled.to_string());
    Ok(())
}

/// One whole period of sweeps in a world where nothing happens.
async fn steady(stage: &Stage, count: usize) -> anyhow::Result<()> {
    let mut calls = Calls::default();
    calls
        .during(stage, async {
            sleep(SWEEP).await;
            anyhow::Ok(())
        })
        .await?;
    let all: usize = calls.counts.values().sum();
    report("AWS calls in five steady minutes", &calls.to_string());
    report(
        "  a steady hour, all three accounts",
        &format!("{} calls, {} of them writes", all * 12, calls.writes * 12),
    );
    let a_repository = lossy(all) / lossy(count * ACCOUNTS.len());
    report(
        "  a repository and sweep",
        &format!("{a_repository:.4} calls"),
    );
    Ok(())
}

/// How long an edit takes from `kubectl apply` to the write that it asks for, one after the other.
async fn edits(stage: &Stage) -> anyhow::Result<String> {
    let api: Api<ImageRepository> = Api::namespaced(stage.cluster.client().await?, "default");
    let mut times = Vec::with_capacity(EDITS);
    for edit in 0..EDITS {
        times.push(edited(stage, &api, edit).await?);
    }
    times.sort_unstable();
    Ok(format!(
        "p50 {} ms, p95 {} ms",
        times[EDITS / 2].as_millis(),
        times[EDITS * 95 / 100].as_millis()
    ))
}

async fn edited(
    stage: &Stage,
    api: &Api<ImageRepository>,
    number: usize,
) -> anyhow::Result<Duration> {
    let since = stage.emulator.journal().last();
    let began = Instant::now();
    // Each edit asks for something new: another place in the journal.
    let patch = json!({"spec": {"tags": {"team": "bench", "edit": since.to_string()}}});
    api.patch(&name(number), &PatchParams::default(), &Patch::Merge(patch))
        .await?;
    let about = format!("repository/default/{}", name(number));
    stage
        .emulator
        .journal()
        .wait_for(|it| {
            it.sequence > since
                && it.operation == "TagResource"
                && it.parameters["resourceArn"]
                    .as_str()
                    .is_some_and(|it| it.ends_with(&about))
        })
        .await;
    Ok(began.elapsed())
}

/// Kill -9 and a new process: how soon it knows what is in AWS, what that costs, and how long an
/// edit takes that comes one second after the start.
async fn restart(stage: &Stage, count: usize) -> anyhow::Result<Operator> {
    let began = Instant::now();
    let api: Api<ImageRepository> = Api::namespaced(stage.cluster.client().await?, "default");
    stage.emulator.journal().clear();
    let operator = stage.operator(&fleet::role()).await?;
    sleep(Duration::from_secs(1).saturating_sub(began.elapsed())).await;
    let edit = edited(stage, &api, EDITS).await?;
    report(
        "an edit one second after the restart, until its AWS write",
        &format!("{} ms", edit.as_millis()),
    );
    let pages = count.div_ceil(100).max(1);
    let mut calls = Calls::default();
    let listed = async {
        loop {
            let entries = stage.emulator.journal().entries();
            let listed = |account: &str| {
                let of = |it: &&ecr_operator::emulator::Entry| {
                    it.account == account && it.operation == "GetResources" && it.fault.is_none()
                };
                entries.iter().filter(of).count() >= pages
            };
            if ACCOUNTS.iter().all(|it| listed(it.1)) {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    listed.await;
    report(
        "restart, until each account is listed with its tags",
        &seconds(began),
    );
    calls.take(stage);
    report("  AWS calls", &calls.to_string());
    let during = edits(stage).await?;
    report("edits right after that, until their AWS write", &during);
    Ok(operator)
}

/// What AWS was asked, by operation.
#[derive(Default)]
struct Calls {
    counts: BTreeMap<String, usize>,
    writes: usize,
    throttled: usize,
}

impl Calls {
    /// Counts what is asked while `work` is done. The journal is emptied each second, since it does
    /// not hold all of it.
    async fn during<T>(
        &mut self,
        stage: &Stage,
        work: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<T> {
        stage.emulator.journal().clear();
        let mut work = std::pin::pin!(work);
        let mut second = interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                done = &mut work => {
                    self.take(stage);
                    return done;
                }
                _ = second.tick() => self.take(stage),
            }
        }
    }

    fn take(&mut self, stage: &Stage) {
        let entries = stage.emulator.journal().take();
        for entry in entries {
            self.writes += usize::from(entry.is_write() && entry.fault.is_none());
            self.throttled += usize::from(entry.fault.is_some());
            *self.counts.entry(entry.operation).or_default() += 1;
        }
    }
}

impl std::fmt::Display for Calls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: usize = self.counts.values().sum();
        write!(f, "{all}:")?;
        self.counts
            .iter()
            .try_for_each(|(name, count)| write!(f, " {name} {count}"))
    }
}

async fn apply(api: &Api<ImageRepository>, number: usize) -> anyhow::Result<()> {
    let object: ImageRepository = serde_saphyr::from_str(&fleet::repository(number))?;
    let params = PatchParams::apply("bench").force();
    api.patch(&name(number), &params, &Patch::Apply(&object))
        .await?;
    Ok(())
}

fn name(number: usize) -> String {
    format!("service-{number:05}")
}

fn is_ready(object: &ImageRepository) -> bool {
    let conditions = object.status.iter().flat_map(|it| &it.conditions);
    let mut ready = conditions.filter(|it| it.type_ == ConditionType::Ready);
    ready.any(|it| it.status == ConditionStatus::True)
}

fn seconds(began: Instant) -> String {
    format!("{:.1} s", began.elapsed().as_secs_f64())
}

#[expect(clippy::cast_precision_loss, reason = "counts are small")]
fn lossy(count: usize) -> f64 {
    count as f64
}
