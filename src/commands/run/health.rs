//! `/healthz`, `/readyz` and `/metrics`, over plain HTTP. Ready means that this process can do its part:
//! answer an admission request from rules and facts it has loaded, or lead. What is missing is named.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::args::ProcessRole;
use super::metrics::Metrics;
use crate::server::{Event, Handler, Limits, Server, Transport};

/// What a process must have before it can do its part.
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
    /// All that a process of this role needs. Who leads makes the certificate, and lists images when it
    /// needs to.
    fn of(role: ProcessRole) -> &'static [Self] {
        match role {
            ProcessRole::All | ProcessRole::Webhook => {
                &[Self::Objects, Self::Rules, Self::Facts, Self::Certificate]
            }
            ProcessRole::Controller => &[Self::Objects],
        }
    }

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
pub(super) struct Readiness {
    needed: &'static [Gate],
    gates: Mutex<BTreeMap<Gate, Result<(), String>>>,
    closed: AtomicBool,
}

impl Readiness {
    /// Nothing of what this role needs is here yet.
    pub(super) fn of(role: ProcessRole) -> Self {
        Self {
            needed: Gate::of(role),
            gates: Mutex::default(),
            closed: AtomicBool::default(),
        }
    }

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
        self.needed
            .iter()
            .filter_map(|gate| match gates.get(gate) {
                Some(Ok(())) => None,
                Some(Err(why)) => Some(format!("{}: {why}", gate.waiting_for())),
                None => Some(gate.waiting_for().to_owned()),
            })
            .collect()
    }
}

/// What kubelets and Prometheus take, with room for a few more.
const LIMITS: Limits = Limits {
    handshake: Duration::ZERO,
    first_request: Duration::from_secs(5),
    idle: Duration::from_secs(120),
    body: Duration::from_secs(1),
    answer: Duration::from_secs(10),
    body_bytes: 0,
    bodies_bytes: 32 << 20,
    connections: 128,
    drain: Duration::ZERO,
};

/// What the health port answers by.
pub(super) struct Health {
    pub(super) readiness: Arc<Readiness>,
    pub(super) metrics: Metrics,
}

impl Health {
    /// Serves until dropped, so that a replica that is stopping still says so.
    pub(super) async fn serve(self, listener: TcpListener) {
        let server = Server {
            handler: Arc::new(self),
            transport: Transport::Plain,
            limits: LIMITS,
        };
        server.serve(listener, CancellationToken::new()).await;
    }

    fn ready(&self) -> Response<Bytes> {
        let missing = self.readiness.missing();
        if missing.is_empty() {
            return text(StatusCode::OK, "ok\n");
        }
        let missing = format!("waiting for {}\n", missing.join("; "));
        text(StatusCode::SERVICE_UNAVAILABLE, missing)
    }

    fn scrape(&self) -> Response<Bytes> {
        const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
        let mut response = text(StatusCode::OK, self.metrics.encode());
        let content_type = HeaderValue::from_static(OPEN_METRICS);
        response.headers_mut().insert(CONTENT_TYPE, content_type);
        response
    }
}

impl Handler for Health {
    fn accept(&self, head: &Parts) -> Result<(), StatusCode> {
        match (head.uri.path(), &head.method) {
            ("/healthz" | "/readyz" | "/metrics", &Method::GET | &Method::HEAD) => Ok(()),
            ("/healthz" | "/readyz" | "/metrics", _) => Err(StatusCode::METHOD_NOT_ALLOWED),
            _ => Err(StatusCode::NOT_FOUND),
        }
    }

    fn answer(&self, head: &Parts, _: &[u8]) -> Result<Response<Bytes>, StatusCode> {
        match head.uri.path() {
            "/healthz" => Ok(text(StatusCode::OK, "ok\n")),
            "/readyz" => Ok(self.ready()),
            "/metrics" => Ok(self.scrape()),
            _ => Err(StatusCode::NOT_FOUND),
        }
    }

    fn count(&self, event: Event) {
        debug!(?event, "health");
    }
}

fn text(status: StatusCode, text: impl Into<Bytes>) -> Response<Bytes> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, plain);
    response
}
