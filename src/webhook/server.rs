//! The listener: TLS with a certificate that is swapped under it, both HTTP versions, and limits on
//! everything that a stranger could send, since every pod of a cluster can reach a webhook. What
//! cannot be answered in time is refused; the API server then admits the pod as it is and counts
//! that (`failurePolicy: Ignore`).

use std::convert::Infallible;
use std::future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::{Admission, Unanswered};
use crate::domain::admission::{self, Asked};

/// What a client may take of us. The defaults fit API servers, which give up after two seconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a new connection may stay without a whole request head.
    pub first_request: Duration,
    /// How long a connection may stay idle between requests. API servers close theirs after 90 s,
    /// and a request that meets our closing would be lost, so this has to be longer.
    pub idle: Duration,
    /// How long a body may take to arrive, with the wait for its share of `bodies_bytes`.
    pub body: Duration,
    /// The longest body. Objects end at about 3 MiB, and an update carries two.
    pub body_bytes: u32,
    /// Bytes of all bodies that are being read or answered at one moment.
    pub bodies_bytes: u32,
    /// Connections at one moment; more wait to be accepted.
    pub connections: usize,
    /// How long open requests may take to end after the shutdown began.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(5),
            first_request: Duration::from_secs(5),
            idle: Duration::from_secs(120),
            body: Duration::from_secs(2),
            body_bytes: 7 << 20,
            bodies_bytes: 128 << 20,
            connections: 1024,
            drain: Duration::from_secs(10),
        }
    }
}

/// The certificate that is shown; stored anew when it is rotated. Handshakes fail while it is
/// `None`, and open connections do not notice a change.
pub type ServingCertificate = Arc<ArcSwapOption<CertifiedKey>>;

/// Answers on `listener` until `shutdown`, then lets open requests end.
///
/// Endpoints lag behind: begin the shutdown a few seconds after readiness has gone.
pub async fn serve(
    listener: TcpListener,
    admission: Arc<Admission>,
    certificate: ServingCertificate,
    limits: Limits,
    shutdown: CancellationToken,
) {
    let server = Arc::new(Server {
        tls: TlsAcceptor::from(Arc::new(tls(certificate))),
        bodies: Semaphore::new(limits.bodies_bytes as usize),
        admission,
        limits,
    });
    let connections = Arc::new(Semaphore::new(limits.connections));
    let graceful = GracefulShutdown::new();
    let next = async || {
        let slot = Arc::clone(&connections).acquire_owned().await;
        (listener.accept().await, slot)
    };
    loop {
        let (accepted, slot) = tokio::select! {
            () = shutdown.cancelled() => break,
            next = next() => next,
        };
        match accepted {
            Ok((stream, _)) => {
                let (server, watcher) = (Arc::clone(&server), graceful.watcher());
                tokio::spawn(async move {
                    server.connection(stream, watcher).await;
                    drop(slot);
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: trying at once would only spin.
                warn!(%error, "accept failed");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    drop(listener);
    if timeout(limits.drain, graceful.shutdown()).await.is_err() {
        warn!("connections were still open at the end of the shutdown");
    }
}

struct Server {
    tls: TlsAcceptor,
    bodies: Semaphore,
    admission: Arc<Admission>,
    limits: Limits,
}

impl Server {
    async fn connection(self: Arc<Self>, stream: TcpStream, watcher: Watcher) {
        // Else a small answer waits for the acknowledgement of the last one: 40 ms of a pod's start.
        if let Err(error) = stream.set_nodelay(true) {
            return debug!(%error, "the connection is gone");
        }
        let stream = match timeout(self.limits.handshake, self.tls.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => {
                self.admission.metrics.handshake_failed();
                return debug!(%error, "handshake failed");
            }
            Err(_) => return debug!("handshake timed out"),
        };
        let heard = Arc::new(AtomicBool::new(false));
        let silent = silent(self.limits.first_request, Arc::clone(&heard));
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.idle);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.limits.idle / 4)
            .max_concurrent_streams(250);
        let service = service_fn(move |request| {
            heard.store(true, Ordering::Relaxed);
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let connection = http.serve_connection(TokioIo::new(stream), service);
        tokio::select! {
            ended = watcher.watch(connection.into_owned()) => {
                if let Err(error) = ended {
                    debug!(%error, "connection ended");
                }
            }
            () = silent => debug!("connection closed: no request came"),
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        match self.review(request).await {
            Ok(answer) => json(answer),
            Err(status) => {
                self.admission.metrics.refused(status);
                refusal(status)
            }
        }
    }

    async fn review(&self, request: Request<Incoming>) -> Result<Vec<u8>, StatusCode> {
        let path = request.uri().path().to_owned();
        let asked = admission::asked(&path).ok_or(StatusCode::NOT_FOUND)?;
        let (body, _share) = self.body(request).await?;
        let answer = match asked {
            Asked::Policy(policy) => self.admission.answer(policy, &body),
            Asked::Probe => self.admission.answer_probe(&body),
        };
        answer.map_err(|unanswered| match unanswered {
            Unanswered::NotLoaded => StatusCode::SERVICE_UNAVAILABLE,
            Unanswered::NoReview => StatusCode::BAD_REQUEST,
        })
    }

    /// The request's body with its share of what all bodies may take, if it is one that an API
    /// server may send.
    async fn body(
        &self,
        request: Request<Incoming>,
    ) -> Result<(Bytes, SemaphorePermit<'_>), StatusCode> {
        if request.method() != Method::POST {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        if !request.headers().get(CONTENT_TYPE).is_some_and(is_json) {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        let body = request.into_body();
        let most = self.limits.body_bytes;
        let length = match body.size_hint().upper() {
            Some(length) => u32::try_from(length).unwrap_or(u32::MAX),
            None => most,
        };
        if length > most {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let read = async {
            // Reserved as a whole: bodies that each wait for more would wait for each other.
            let share = self.bodies.acquire_many(length).await;
            let share = share.expect("the semaphore is never closed");
            (Limited::new(body, most as usize).collect().await, share)
        };
        let read = timeout(self.limits.body, read).await;
        let (body, share) = read.map_err(|_| StatusCode::REQUEST_TIMEOUT)?;
        match body {
            Ok(body) => Ok((body.to_bytes(), share)),
            Err(error) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
            Err(_) => Err(StatusCode::BAD_REQUEST),
        }
    }
}

/// Ends when nothing was heard for `patience`, else never.
async fn silent(patience: Duration, heard: Arc<AtomicBool>) {
    sleep(patience).await;
    if heard.load(Ordering::Relaxed) {
        future::pending::<()>().await;
    }
}

fn is_json(value: &HeaderValue) -> bool {
    let value = value.to_str().unwrap_or_default();
    let (essence, _) = value.split_once(';').unwrap_or((value, ""));
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn json(body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn refusal(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

fn tls(certificate: ServingCertificate) -> rustls::ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .expect("the provider knows TLS 1.3")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Current(certificate)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

#[derive(Debug)]
struct Current(ServingCertificate);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}
