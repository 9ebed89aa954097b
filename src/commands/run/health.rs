//! `/healthz`, `/readyz` and `/metrics`, over plain HTTP. Ready means that this replica can answer an
//! admission request from rules and facts it has loaded; what is missing is named.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tracing::warn;

use super::metrics::Metrics;

/// What this replica must have before it can serve.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Gate {
    /// Each kind has been listed once.
    Objects,
    /// The rule table has been compiled from them.
    Rules,
    /// The images that the rules refer to have been listed.
    Facts,
    /// There is a serving certificate that the API server is told to trust.
    Certificate,
}

impl Gate {
    const ALL: [Self; 4] = [Self::Objects, Self::Rules, Self::Facts, Self::Certificate];

    fn waiting_for(self) -> &'static str {
        match self {
            Self::Objects => "the first list of our objects from the API server",
            Self::Rules => "the rule table",
            Self::Facts => "the first list of images from ECR",
            Self::Certificate => "the serving certificate",
        }
    }
}

/// Which gates are open, and why the others are not.
#[derive(Default)]
pub(super) struct Readiness {
    gates: Mutex<BTreeMap<Gate, Result<(), String>>>,
    closed: AtomicBool,
}

impl Readiness {
    /// What `gate` needs is here.
    pub(super) fn open(&self, gate: Gate) {
        self.set(gate, Ok(()));
    }

    /// What `gate` needs is not, or no longer, here, and why.
    pub(super) fn explain(&self, gate: Gate, why: String) {
        self.set(gate, Err(why));
    }

    /// The replica is stopping: it is not ready, whatever it has.
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
    }

    fn set(&self, gate: Gate, state: Result<(), String>) {
        let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        gates.insert(gate, state);
    }

    /// What is still missing, a line each; empty when ready.
    pub(super) fn missing(&self) -> Vec<String> {
        if self.closed.load(Ordering::Relaxed) {
            return vec!["its end: it is stopping".to_owned()];
        }
        let gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
        Gate::ALL
            .iter()
            .filter_map(|gate| match gates.get(gate) {
                Some(Ok(())) => None,
                Some(Err(why)) => Some(format!("{}: {why}", gate.waiting_for())),
                None => Some(gate.waiting_for().to_owned()),
            })
            .collect()
    }
}

/// Serves until dropped, so that a replica that is stopping still says so.
pub(super) async fn serve(listener: TcpListener, readiness: Arc<Readiness>, metrics: Arc<Metrics>) {
    let routes = Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .with_state(readiness)
        .merge(
            Router::new()
                .route("/metrics", get(scrape))
                .with_state(metrics),
        );
    if let Err(error) = axum::serve(listener, routes).await {
        warn!(%error, "health is no longer served");
    }
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> Response {
    let missing = readiness.missing();
    if missing.is_empty() {
        return "ok\n".into_response();
    }
    let text = format!("waiting for {}\n", missing.join("; "));
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn scrape(State(metrics): State<Arc<Metrics>>) -> Response {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    ([(header::CONTENT_TYPE, OPEN_METRICS)], metrics.encode()).into_response()
}
