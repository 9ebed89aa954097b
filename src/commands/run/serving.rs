//! What serves: the admission server, by rules and facts that this process loads itself and with a
//! certificate that the leader keeps in a Secret. It writes nothing.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use arc_swap::ArcSwapOption;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::args::Args;
use super::health::{Gate, Readiness};
use crate::controllers::certificates::{self, Keeper, Shown};
use crate::controllers::{Context, facts};
use crate::domain::facts::Facts;
use crate::domain::rewrite::Table;
use crate::server::{self, Limits};
use crate::webhook::{self, Admission, PullSecrets, Rules, ServingCertificate, Tls};

/// How often the age of the certificate is looked at.
const CERTIFICATE_CHECK: Duration = Duration::from_mins(1);
/// How often the authorities of clients are read.
const CLIENTS_CHECK: Duration = Duration::from_secs(10);

/// What serves admission.
pub(super) struct Serving {
    admission: Arc<Admission>,
    certificate: ServingCertificate,
    tls: Tls,
    keeper: Keeper,
    own_namespace: String,
    loaded: Mutex<Loaded>,
    readiness: Arc<Readiness>,
}

/// What has been loaded so far; nothing is answered before both are there.
#[derive(Default)]
struct Loaded {
    table: Option<Arc<Table>>,
    facts: Option<Arc<Facts>>,
}

impl Serving {
    pub(super) fn new(args: &Args, keeper: Keeper, readiness: Arc<Readiness>) -> Self {
        let certificate = ServingCertificate::default();
        Self {
            admission: Arc::default(),
            tls: Tls::new(Arc::clone(&certificate)),
            certificate,
            keeper,
            own_namespace: args.namespace.clone(),
            loaded: Mutex::default(),
            readiness,
        }
    }

    /// What admission counts.
    pub(super) fn metrics(&self) -> &webhook::Metrics {
        &self.admission.metrics
    }

    /// Answers by `table` from now on.
    pub(super) fn rule_by(&self, table: &Arc<Table>) {
        self.load(|it| it.table = Some(Arc::clone(table)));
        self.readiness.open(Gate::Rules);
    }

    /// Answers by `facts` from now on.
    fn know(&self, facts: &Arc<Facts>) {
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
            own_namespace: self.own_namespace.clone(),
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

    /// Follows what admission answers by: the facts, listed again when `relist` is notified, the
    /// certificate, and the authorities of clients.
    pub(super) fn follow(
        self: &Arc<Self>,
        args: &Args,
        cx: &Arc<Context>,
        relist: Arc<Notify>,
        tasks: &mut JoinSet<()>,
    ) {
        let knowing = Arc::clone(self);
        let loaded = move |facts: Result<&Arc<Facts>, &str>| match facts {
            Ok(facts) => knowing.know(facts),
            Err(why) => knowing.readiness.explain(Gate::Facts, why.to_owned()),
        };
        let timing = args.facts_timing();
        tasks.spawn(facts::follow(Arc::clone(cx), timing, relist, loaded));
        let showing = Arc::clone(self);
        tasks.spawn(async move { showing.follow_certificate().await });
        if let Some(file) = args.client_ca_file.clone() {
            let checking = Arc::clone(self);
            tasks.spawn(async move { checking.tls.follow_clients_in(&file, CLIENTS_CHECK).await });
        }
    }

    /// Shows what the Secret keeps, as long as it is polled. A certificate that nobody renews ends
    /// the replica's readiness before it ends.
    async fn follow_certificate(&self) {
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
}
