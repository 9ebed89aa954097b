//! The listener: connections, requests, fault rules, and the journal around every call.

use std::convert::Infallible;
use std::net::SocketAddr;
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
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::call::{Answer, Call, Caller, Stop};
use super::faults::{Effect, Subject};
use super::journal::{Entry, Outcome};
use super::protocol::{self, Asked, Credentials, Service};
use super::refusal::Refusal;
use super::seed::{InvalidSeed, Seed};
use super::state::State;
use super::upstream::{Imports, Upstreams};
use super::{Clock, Faults, Journal, Options, admin, ecr, sts, tagging};

/// Bodies beyond this size are refused.
const LARGEST: usize = 1 << 30;

/// A response of which all is there.
pub(crate) type Whole = Response<Full<Bytes>>;

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is cut by a fault rule")]
pub(crate) struct Cut;

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
}

impl Shared {
    /// The beginning: the seed and nothing else.
    pub(crate) fn new(options: Options, address: SocketAddr) -> Result<Self, InvalidSeed> {
        let Options {
            listen: _,
            seed,
            upstreams,
            clock,
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
        };
        shared.reset()?;
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
        self.journal.clear();
        self.faults.clear();
        Ok(())
    }

    /// Runs an operation, as often as it needs something from an upstream.
    pub(crate) async fn run(
        &self,
        caller: &Caller,
        region: &str,
        operation: impl Fn(&mut Call<'_>) -> Answer,
    ) -> Result<Value, Refusal> {
        let mut imports = Imports::new();
        loop {
            let answer = operation(&mut Call {
                state: &mut self.state(),
                now: self.clock.now(),
                caller,
                region,
                endpoint: &self.endpoint,
                imports: &imports,
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

/// Serves connections until the task is aborted, which cuts them all.
pub(crate) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
                Err(error) => tracing::warn!(%error, "accept"),
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { respond(&shared, request).await }
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
    api(shared, &parts, &body).await
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
    let effect = shared.faults.decide(&heard.subject());
    let (answer, outcome) = under(shared, &heard, effect.as_ref(), refused).await;
    let sequence = shared
        .journal
        .write(heard.entry(shared.clock.now(), outcome, effect.as_ref()));
    match effect {
        Some(Effect::Hang) => Ok(never().await),
        Some(Effect::CutBefore | Effect::CutAfter) => Err(Cut),
        _ => {
            let id = format!("{sequence:08x}-0000-4000-8000-000000000000");
            let Heard { asked, .. } = &heard;
            Ok(write(
                &asked.service.reply(&asked.operation, answer.as_ref(), &id),
                &id,
            ))
        }
    }
}

/// A request that was understood.
struct Heard {
    asked: Asked,
    caller: Caller,
    region: String,
}

impl Heard {
    fn subject(&self) -> Subject<'_> {
        Subject {
            account: &self.caller.account,
            region: &self.region,
            service: self.asked.service.as_str(),
            operation: &self.asked.operation,
            caller: &self.caller.arn,
            repository: self.asked.input["repositoryName"].as_str(),
        }
    }

    fn entry(&self, time: Timestamp, outcome: Outcome, effect: Option<&Effect>) -> Entry {
        Entry {
            sequence: 0,
            time,
            account: self.caller.account.clone(),
            region: self.region.clone(),
            service: self.asked.service.as_str().to_owned(),
            operation: self.asked.operation.clone(),
            caller: self.caller.arn.clone(),
            parameters: self.asked.input.clone(),
            outcome,
            fault: effect.map(|it| format!("{it:?}")),
        }
    }
}

/// Does what is asked as far as the fault's effect lets it be done.
async fn under(
    shared: &Shared,
    heard: &Heard,
    effect: Option<&Effect>,
    refused: Option<Refusal>,
) -> (Result<Value, Refusal>, Outcome) {
    if let Some(Effect::Hang | Effect::CutBefore) = effect {
        return (Ok(Value::Null), Outcome::Lost);
    }
    if let Some(delay) = effect.and_then(Effect::delay) {
        tokio::time::sleep(delay).await;
    }
    let Heard {
        asked,
        caller,
        region,
    } = heard;
    let answer = match refused.or_else(|| effect?.refusal(&heard.subject())) {
        Some(refusal) => Err(refusal),
        None => {
            shared
                .run(caller, region, |call| dispatch(call, asked))
                .await
        }
    };
    let outcome = match (&answer, effect) {
        (Ok(_), Some(Effect::CutAfter)) => Outcome::DoneUnanswered,
        (Ok(_), _) => Outcome::Done,
        (Err(it), _) => Outcome::Refused(it.code.clone()),
    };
    (answer, outcome)
}

fn dispatch(call: &mut Call<'_>, asked: &Asked) -> Answer {
    match asked.service {
        Service::Ecr => ecr::answer(call, &asked.operation, &asked.input),
        Service::Sts => sts::answer(call, &asked.operation, &asked.input),
        Service::Tagging => tagging::answer(call, &asked.operation, &asked.input),
        Service::Iam => Err(protocol::invalid_action(&asked.operation).into()),
    }
}

async fn never() -> Whole {
    match std::future::pending::<Infallible>().await {}
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
