//! The listener: connections, requests, fault rules, and the journal around every call.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use jiff::Timestamp;
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::call::{Answer, Call, Caller, Stop};
use super::exchange::{Cut, Heard, hear};
use super::protocol::{self, Asked, Credentials};
use super::refusal::Refusal;
use super::seed::{InvalidSeed, Seed};
use super::state::State;
use super::upstream::{Imports, Upstreams};
use super::{
    BareManifests, Clock, Faults, FirstPullByDigest, InvalidState, Journal, Options, StartError,
    admin, data_plane, ecr, storage, sts,
};

/// Bodies beyond this size are refused.
const LARGEST: usize = 1 << 30;

/// A response of which all is there.
pub(crate) type Whole = Response<Full<Bytes>>;

/// What all connections share.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    seed: Seed,
    clock: Clock,
    journal: Journal,
    faults: Faults,
    upstreams: Upstreams,
    endpoint: String,
    file: Option<PathBuf>,
    changed: AtomicBool,
    first_pull_by_digest: FirstPullByDigest,
    bare_manifests: BareManifests,
}

impl Shared {
    /// The beginning: the seed and nothing else.
    pub(crate) fn new(options: Options, address: SocketAddr) -> Result<Self, StartError> {
        let Options {
            listen: _,
            tls_listen: _,
            seed,
            upstreams,
            clock,
            state,
            first_pull_by_digest,
            bare_manifests,
        } = options;
        let mut known = seed.upstreams().clone();
        known.extend(upstreams);
        let shared = Self {
            state: Mutex::default(),
            seed,
            clock,
            journal: Journal::default(),
            faults: Faults::default(),
            upstreams: Upstreams::new(known),
            endpoint: format!("http://{address}"),
            file: state,
            changed: AtomicBool::new(true),
            first_pull_by_digest,
            bare_manifests,
        };
        match shared
            .file
            .as_deref()
            .map(storage::load)
            .transpose()?
            .flatten()
        {
            Some(kept) => *shared.state() = kept,
            None => shared.reset()?,
        }
        Ok(shared)
    }

    /// Where clients reach the emulator.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The journal.
    pub(crate) fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The fault rules.
    pub(crate) fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The time.
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Everything there is.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Back to the beginning.
    pub(crate) fn reset(&self) -> Result<(), InvalidSeed> {
        let mut state = State::default();
        self.seed
            .plant(&mut state, self.clock.now(), &self.endpoint)?;
        *self.state() = state;
        self.changed.store(true, Ordering::Relaxed);
        self.journal.clear();
        self.faults.clear();
        Ok(())
    }

    /// Adds what a seed says.
    pub(crate) fn plant(&self, seed: &Seed) -> Result<(), InvalidSeed> {
        self.changed.store(true, Ordering::Relaxed);
        seed.plant(&mut self.state(), self.clock.now(), &self.endpoint)
    }

    /// Keeps the state in its file, where there is one and anything was asked since.
    pub(crate) fn save(&self) -> Result<(), InvalidState> {
        match &self.file {
            Some(path) if self.changed.swap(false, Ordering::Relaxed) => {
                storage::save(path, &self.state())
            }
            _ => Ok(()),
        }
    }

    /// Runs an operation, as often as it needs something from an upstream.
    pub(crate) async fn run(
        &self,
        caller: &Caller,
        region: &str,
        operation: impl Fn(&mut Call<'_>) -> Answer,
    ) -> Result<Value, Refusal> {
        let mut imports = Imports::new();
        self.changed.store(true, Ordering::Relaxed);
        loop {
            let answer = operation(&mut Call {
                state: &mut self.state(),
                now: self.clock.now(),
                caller,
                region,
                endpoint: &self.endpoint,
                imports: &imports,
                first_pull_by_digest: self.first_pull_by_digest,
                bare_manifests: self.bare_manifests,
            });
            match answer {
                Ok(it) => return Ok(it),
                Err(Stop::Refused(refusal)) => return Err(refusal),
                Err(Stop::Needs(import)) => {
                    let pulled = self.upstreams.pull(&import).await;
                    imports.insert(import, pulled);
                }
            }
        }
    }
}

/// Serves connections, over TLS where there is something that accepts it, until the task is
/// aborted, which cuts them all.
pub(crate) async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(accept(stream, tls.clone(), Arc::clone(&shared)));
                }
                Err(error) => tracing::warn!(%error, "accept"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn accept(stream: TcpStream, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    let Some(tls) = tls else {
        return connection(stream, shared).await;
    };
    match tls.accept(stream).await {
        Ok(stream) => connection(stream, shared).await,
        Err(error) => tracing::debug!(%error, "handshake"),
    }
}

async fn connection<S>(stream: S, shared: Arc<Shared>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let response = respond(&shared, request).await;
            response.map(|it| dated(it, shared.clock.now()))
        }
    });
    let server = auto::Builder::new(TokioExecutor::new());
    if let Err(error) = server.serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(error, "connection ended");
    }
}

async fn respond(shared: &Shared, request: Request<Incoming>) -> Result<Whole, Cut> {
    let (parts, body) = request.into_parts();
    let Ok(body) = Limited::new(body, LARGEST).collect().await else {
        return Ok(plain(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large or broke off",
        ));
    };
    let body = body.to_bytes();
    if let Some(path) = parts.uri.path().strip_prefix("/_emulator") {
        return Ok(admin::answer(shared, &parts, path, &body));
    }
    if let Some(digest) = parts.uri.path().strip_prefix("/_layers/") {
        return Ok(layer(shared, &parts, digest));
    }
    if let Some(asked) = data_plane::read(&parts, &body) {
        return registry(shared, &parts, asked).await;
    }
    api(shared, &parts, &body).await
}

/// The answer with the emulator's time on it: whoever reads dates reads the same as in the answer.
fn dated(mut response: Whole, now: Timestamp) -> Whole {
    let date = now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    if let Ok(date) = header::HeaderValue::from_str(&date) {
        response.headers_mut().insert(header::DATE, date);
    }
    response
}

/// An answer of plain text.
pub(crate) fn plain(status: StatusCode, text: &str) -> Whole {
    let mut response = Response::new(Full::new(Bytes::from(text.to_owned())));
    *response.status_mut() = status;
    response
}

async fn api(shared: &Shared, parts: &Parts, body: &Bytes) -> Result<Whole, Cut> {
    let asked = match protocol::read(parts, body) {
        Ok(it) => it,
        Err(refusal) => return Ok(write(&protocol::reply_to_nonsense(&refusal), "")),
    };
    let credentials = Credentials::read(parts);
    let region = credentials
        .as_ref()
        .map_or("us-east-1", |it| it.region.as_str())
        .to_owned();
    let caller = sts::identify(
        &shared.state(),
        &asked,
        credentials.as_ref(),
        shared.clock.now(),
    );
    let (caller, refused) = match caller {
        Ok(it) => (it, None),
        Err(refusal) => (Caller::default(), Some(refusal)),
    };
    let heard = Heard {
        asked,
        caller,
        region,
    };
    let came = hear(shared, &heard, refused).await?;
    let (id, asked) = (came.id(), &heard.asked);
    let mut reply = asked
        .service
        .reply(&asked.operation, came.answer.as_ref(), &id);
    if let Some(garble) = &came.garble {
        reply = garble.apply(reply, came.sequence);
    }
    Ok(write(&reply, &id))
}

async fn registry(shared: &Shared, parts: &Parts, mut asked: Asked) -> Result<Whole, Cut> {
    let identified = data_plane::identify(&shared.state(), parts, shared.clock.now());
    let (caller, region, refused) = match identified {
        Ok((caller, registry)) => {
            asked.input["registryId"] = registry.account.into();
            (caller, registry.region, None)
        }
        Err(refusal) => (Caller::default(), "us-east-1".to_owned(), Some(refusal)),
    };
    let heard = Heard {
        asked,
        caller,
        region,
    };
    let answer = hear(shared, &heard, refused).await?.answer;
    let blobs = &shared.state().blobs;
    Ok(data_plane::reply(
        &heard.asked.operation,
        answer.as_ref(),
        blobs,
        &shared.endpoint,
    ))
}

/// A layer at the address that `GetDownloadUrlForLayer` gave.
fn layer(shared: &Shared, parts: &Parts, digest: &str) -> Whole {
    let query = parts.uri.query().unwrap_or_default();
    let told = |name: &str| protocol::parameter(query, name).unwrap_or_default();
    let expires = told("expires").parse().unwrap_or_default();
    let signed = told("signature") == ecr::layers::signature(digest, expires);
    if !signed || shared.clock.now().as_second() > expires {
        return plain(
            StatusCode::FORBIDDEN,
            "the address has expired or was made up",
        );
    }
    match shared.state().blobs.get(digest) {
        Some(it) => Response::new(Full::new(it.clone())),
        None => plain(StatusCode::NOT_FOUND, "there is no such layer"),
    }
}

fn write(reply: &protocol::Reply, id: &str) -> Whole {
    let mut response = Response::new(Full::new(Bytes::from(reply.body.clone())));
    *response.status_mut() =
        StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(reply.content_type),
    );
    if let Ok(id) = header::HeaderValue::from_str(id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}
