//! What leads: while this process holds the lease it reconciles, keeps the certificates and the
//! webhook configuration, and tries whether admission is reached. Nobody calls it.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::runtime::events::Event;
use kube::{Api, Client, Resource as _, ResourceExt as _};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::args::Args;
use super::installation;
use crate::commands::rights;
use crate::controllers::certificates::Keeper;
use crate::controllers::driver::drive;
use crate::controllers::environment_account::preflight;
use crate::controllers::image_admission_policy::probe::{self, Probe};
use crate::controllers::installed::Installed;
use crate::controllers::stores::Stores;
use crate::controllers::sweep::{self, Periods};
use crate::controllers::wakes::{Key, Kind};
use crate::controllers::webhook_configuration::{
    self, Install, Repair, Selectors, Settled, Written,
};
use crate::controllers::{Context, lifecycle_policy, tidings, tombstones};
use crate::desired::World;
use crate::domain::rewrite::Table;

/// What the holder of the lease does.
pub(super) struct Leading {
    periods: Periods,
    configurations: Api<MutatingWebhookConfiguration>,
    install: Install,
    keeper: Keeper,
    probe: Probe,
    /// The rules of the world; `None` before the first world, of which no policy is known.
    table: ArcSwapOption<Table>,
    /// Notified when the webhook configuration was written.
    written: Notify,
    /// Notified when the policies may have changed.
    woken: Notify,
}

impl Leading {
    pub(super) fn new(args: &Args, client: &Client, keeper: Keeper) -> Self {
        let install = installation::install(args);
        Self {
            periods: args.periods(),
            configurations: Api::all(client.clone()),
            keeper,
            probe: Probe {
                pods: Api::namespaced(client.clone(), &install.probe_namespace),
                namespace: install.probe_namespace.clone(),
                period: args.probe_period,
            },
            install,
            table: ArcSwapOption::empty(),
            written: Notify::new(),
            woken: Notify::new(),
        }
    }

    /// Configures admission by `table` from now on.
    pub(super) fn rule_by(&self, table: &Arc<Table>) {
        self.table.store(Some(Arc::clone(table)));
        self.woken.notify_one();
    }

    /// One term: everything that writes. It stops where it stands when the term ends, since every step
    /// is safe to be the last one.
    pub(super) async fn term(&self, cx: &Arc<Context>, stores: &Stores, term: CancellationToken) {
        let periods = self.periods;
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
                self.configure(cx, &term),
            )
        };
        tokio::select! {
            _ = work => {}
            () = term.cancelled() => {}
        }
        cx.meters.leading.set(0);
        cx.meters.reachable.clear();
        forget_missing(cx);
        cx.meters.lifecycle.clear();
    }

    /// Rotates the certificates, keeps the webhook configuration in line with the policies of the
    /// world, and tries whether it works.
    async fn configure(&self, cx: &Context, term: &CancellationToken) {
        let policies = || self.policies(&cx.world.load());
        let (tx, rx) = mpsc::unbounded_channel();
        let told = |settled: &Settled| {
            self.take(cx, settled);
            self.miss(cx, settled.missing.as_ref(), &tx);
            if let Some(repair) = &settled.repair {
                report(cx, repair, &tx);
            }
        };
        let installed = (&self.configurations, &self.install);
        let woken = (&self.woken, term);
        let settle = webhook_configuration::lead(installed, &self.keeper, policies, told, woken);
        let is_configured = || policies().is_some_and(|it| !it.is_empty());
        tokio::select! {
            () = settle => {}
            () = probe::run(cx, &self.probe, is_configured, &self.written) => {}
            () = publish(cx, rx) => {}
        }
    }

    /// Takes in what a round of the webhook configuration came to.
    fn take(&self, cx: &Context, settled: &Settled) {
        let Settled {
            written, refused, ..
        } = settled;
        if *written != Written::Nothing {
            self.written.notify_one();
        }
        if **cx.checks.refused.load() == *refused {
            return;
        }
        let before = cx.checks.refused.swap(Arc::new(refused.clone()));
        for (policy, why) in refused {
            warn!(
                policy,
                why, "the API server does not take this policy's selectors"
            );
        }
        for policy in before.keys().chain(refused.keys()) {
            cx.wakes.wake(Key {
                kind: Kind::Policy,
                namespace: None,
                name: policy.clone(),
            });
        }
    }

    /// Reports an object of the chart that is missing, once, and that it is there again.
    fn miss(&self, cx: &Context, missing: Option<&Installed>, tx: &mpsc::UnboundedSender<Event>) {
        let missing = missing.cloned().map(Arc::new);
        let before = cx.checks.missing.swap(missing.clone());
        if before == missing {
            return;
        }
        self.written.notify_one(); // whether admission is reached has another answer now
        if let Some(before) = before {
            info!(object = %before, "no longer missing");
            cx.meters.installed.missing_of(&before.kind).set(0);
        }
        if let Some(missing) = missing {
            warn!("{}", missing.remedy());
            cx.meters.installed.missing_of(&missing.kind).set(1);
            send(tx, missing.missing());
        }
    }

    /// The policies that have rules here, with whom they are asked about; `None` before the rules
    /// have been loaded.
    fn policies(&self, world: &World) -> Option<BTreeMap<String, Selectors>> {
        let table = self.table.load();
        let table = table.as_ref()?;
        let ruled = world
            .policies()
            .filter(|it| table.policy(&it.name_any()).is_some());
        let asked = ruled.map(|it| {
            let selectors = Selectors {
                namespaces: it.spec.namespace_selector.as_ref().map(Into::into),
                pods: it.spec.object_selector.as_ref().map(Into::into),
            };
            (it.name_any(), selectors)
        });
        Some(asked.collect())
    }
}

/// Who leads no more tells of nothing.
fn forget_missing(cx: &Context) {
    if let Some(missing) = cx.checks.missing.swap(None) {
        cx.meters.installed.missing_of(&missing.kind).set(0);
    }
}

/// Counts a repair of the webhook configuration, logs it, and sends the event for people.
fn report(cx: &Context, repair: &Repair, tx: &mpsc::UnboundedSender<Event>) {
    cx.meters.installed.webhook_repairs.inc();
    let Repair { count, by } = repair;
    let by = match by.is_empty() {
        true => "somebody".to_owned(),
        false => Vec::from_iter(by.iter().map(String::as_str)).join(", "),
    };
    warn!(
        count,
        by, "the webhook configuration was changed and is put right"
    );
    if !repair.is_reported() {
        return;
    }
    let note = format!(
        "{by} changed the webhook configuration {}, and it was put right, {count} times within \
         an hour. It is generated from the image policies: take it out of what applies it",
        rights::NAME
    );
    send(tx, tidings::warning("WebhookContested", "Configure", &note));
}

fn send(tx: &mpsc::UnboundedSender<Event>, event: Event) {
    if tx.send(event).is_err() {
        debug!("nobody publishes events any more");
    }
}

/// Publishes events on all image policies. A lost event is no reason to stop.
async fn publish(cx: &Context, mut rx: mpsc::UnboundedReceiver<Event>) {
    while let Some(event) = rx.recv().await {
        let world = cx.world.load_full();
        for policy in world.policies() {
            if let Err(error) = cx.recorder.publish(&event, &policy.object_ref(&())).await {
                debug!(%error, reason = %event.reason, "the event was not published");
            }
        }
    }
    // Whoever sends lives as long as this does.
    std::future::pending::<()>().await;
}
