//! Admission in the process: rules and facts come from the world and from ECR, the certificate from
//! a Secret, and the webhook configuration from the leader. Every replica serves.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::runtime::events::Event;
use kube::{Api, Client, Resource as _, ResourceExt as _};
use tokio::sync::{Notify, mpsc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

use super::args::Args;
use super::health::{Gate, Readiness};
use crate::commands::rights;
use crate::controllers::certificates::{self, Keeper, Lifetimes, Shown};
use crate::controllers::image_admission_policy::probe::{self, Probe};
use crate::controllers::installed::Installed;
use crate::controllers::wakes::{Key, Kind};
use crate::controllers::webhook_configuration::{
    self, Endpoint, Install, Repair, Selectors, Settled, Written,
};
use crate::controllers::{Context, tidings};
use crate::desired::World;
use crate::domain::facts::Facts;
use crate::domain::rewrite::Table;
use crate::server::{self, Limits};
use crate::webhook::{self, Admission, PullSecrets, Rules, ServingCertificate, Tls};

/// How often the age of the certificate is looked at.
const CERTIFICATE_CHECK: Duration = Duration::from_mins(1);
/// How often the authorities of clients are read.
const CLIENTS_CHECK: Duration = Duration::from_secs(10);
/// The port of the Service, as the chart has it.
const SERVICE_PORT: u16 = 443;

/// What admission is made of.
pub(super) struct Parts {
    admission: Arc<Admission>,
    certificate: ServingCertificate,
    tls: Tls,
    configurations: Api<MutatingWebhookConfiguration>,
    install: Install,
    keeper: Keeper,
    loaded: Mutex<Loaded>,
    probe: Probe,
    readiness: Arc<Readiness>,
    /// Notified when the webhook configuration was written.
    written: Notify,
    /// Notified when the policies may have changed.
    woken: Notify,
}

/// What has been loaded so far; nothing is answered before both are there.
#[derive(Default)]
struct Loaded {
    table: Option<Arc<Table>>,
    facts: Option<Arc<Facts>>,
}

impl Parts {
    pub(super) fn new(args: &Args, client: &Client, readiness: Arc<Readiness>) -> Self {
        let endpoint = match &args.webhook_url {
            Some(url) => Endpoint::Url(url.clone()),
            None => Endpoint::Service {
                name: args.webhook_service.clone(),
                port: SERVICE_PORT,
            },
        };
        let probe_namespace = args.probe_namespace.clone();
        let probe_namespace =
            probe_namespace.unwrap_or_else(|| rights::probe_namespace(&args.namespace));
        let install = Install {
            namespace: args.namespace.clone(),
            probe_namespace: probe_namespace.clone(),
            name: rights::NAME.to_owned(),
            endpoint,
        };
        let certificate = ServingCertificate::default();
        Self {
            admission: Arc::default(),
            tls: Tls::new(Arc::clone(&certificate)),
            certificate,
            configurations: Api::all(client.clone()),
            keeper: Keeper {
                secrets: Api::namespaced(client.clone(), &args.namespace),
                name: rights::SECRET.to_owned(),
                names: install.host_names(),
                lifetimes: Lifetimes::default(),
            },
            probe: Probe {
                pods: Api::namespaced(client.clone(), &probe_namespace),
                namespace: probe_namespace,
                period: args.probe_period,
            },
            install,
            loaded: Mutex::default(),
            readiness,
            written: Notify::new(),
            woken: Notify::new(),
        }
    }

    /// What admission counts.
    pub(super) fn metrics(&self) -> &webhook::Metrics {
        &self.admission.metrics
    }

    /// Answers by `table` from now on.
    pub(super) fn rule_by(&self, table: Table) {
        self.load(|it| it.table = Some(Arc::new(table)));
        self.readiness.open(Gate::Rules);
        self.woken.notify_one();
    }

    /// Answers by `facts` from now on.
    pub(super) fn know(&self, facts: &Arc<Facts>) {
        self.load(|it| it.facts = Some(Arc::clone(facts)));
        self.readiness.open(Gate::Facts);
    }

    fn load(&self, take: impl FnOnce(&mut Loaded)) {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        take(&mut loaded);
        let Loaded {
            table: Some(table),
            facts: Some(facts),
        } = &*loaded
        else {
            return;
        };
        self.admission.rules.store(Some(Arc::new(Rules {
            table: Arc::clone(table),
            facts: Arc::clone(facts),
            pull_secrets: Arc::new(PullSecrets::default()),
            own_namespace: self.install.namespace.clone(),
        })));
    }

    /// Serves until `shutdown`; the handle ends when the last request has been answered.
    pub(super) async fn serve(
        &self,
        args: &Args,
        shutdown: CancellationToken,
    ) -> anyhow::Result<AbortOnDropHandle<()>> {
        let listener = server::listen(args.webhook_listen);
        let listener =
            listener.with_context(|| format!("listen for admission on {}", args.webhook_listen))?;
        if let Some(file) = &args.client_ca_file {
            self.tls.require_clients_in(file).await?;
        }
        let server = self.admission.server(&self.tls, Limits::default());
        let server = server.serve(listener, shutdown);
        Ok(AbortOnDropHandle::new(tokio::spawn(server)))
    }

    /// Keeps to the authorities of clients in `file`, as long as it is polled.
    pub(super) async fn follow_clients(&self, file: &Path) {
        self.tls.follow_clients_in(file, CLIENTS_CHECK).await;
    }

    /// Shows what the Secret keeps, as long as it is polled. A certificate that nobody renews ends
    /// the replica's readiness before it ends.
    pub(super) async fn follow_certificate(&self) {
        let shown = ArcSwapOption::<Shown>::empty();
        let follow = certificates::follow(&self.keeper, |it| {
            self.certificate.store(Some(Arc::clone(&it.certificate)));
            self.judge(&it);
            shown.store(Some(Arc::new(it)));
        });
        let look_again = async {
            loop {
                sleep(CERTIFICATE_CHECK).await;
                if let Some(shown) = shown.load_full() {
                    self.judge(&shown);
                }
            }
        };
        tokio::select! {
            () = follow => {}
            () = look_again => {}
        }
    }

    fn judge(&self, shown: &Shown) {
        match shown.defect(Timestamp::now()) {
            None => self.readiness.open(Gate::Certificate),
            Some(why) => self.readiness.explain(Gate::Certificate, why),
        }
    }

    /// The leader's part: rotates the certificates, keeps the webhook configuration in line with the
    /// policies of the world, and tries whether it works.
    pub(super) async fn lead(&self, cx: &Context, term: &CancellationToken) {
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

    /// Who leads no more tells of nothing.
    pub(super) fn forget_missing(&self, cx: &Context) {
        if let Some(missing) = cx.checks.missing.swap(None) {
            cx.meters.installed.missing_of(&missing.kind).set(0);
        }
    }

    /// The policies that have rules here, with whom they are asked about; `None` before the rules
    /// have been loaded.
    fn policies(&self, world: &World) -> Option<BTreeMap<String, Selectors>> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let table = loaded.table.as_ref()?;
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
