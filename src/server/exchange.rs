//! One request and its answer, with the memory that they take: reserved as the body arrives, not as
//! it is announced, and given back when the client has taken the answer.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::{Request, Response, StatusCode};
use tokio::time::timeout;

use super::Event;
use super::connection::Connection;
use super::quota::{Claim, Evicted, Share, Standing};
use super::turns;

/// What a request counts as at least: its head, its task, and the first buffer of its body.
const LEAST: usize = 32 << 10;

/// One request of a connection.
pub(super) struct Exchange {
    connection: Arc<Connection>,
    memory: Share,
}

impl Exchange {
    pub(super) fn begin(connection: &Arc<Connection>) -> Self {
        connection.began();
        let claim = Claim {
            peer: connection.peer,
            amount: LEAST as u64,
            standing: Standing::New,
        };
        Self {
            memory: connection.shared.memory.claim(claim),
            connection: Arc::clone(connection),
        }
    }

    pub(super) async fn run(self, request: Request<Incoming>) -> Response<Answer> {
        let response = self.respond(request).await.unwrap_or_else(|status| {
            self.connection.shared.handler.count(Event::Refused(status));
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = status;
            response
        });
        // A client that does not read keeps the answer here: it loses all of its connection for it.
        self.memory.belongs_to(&self.connection.place);
        response.map(|bytes| Answer {
            bytes: Some(bytes).filter(|it| !it.is_empty()),
            _until_sent: self,
        })
    }

    async fn respond(&self, request: Request<Incoming>) -> Result<Response<Bytes>, StatusCode> {
        let shared = &self.connection.shared;
        let (head, body) = request.into_parts();
        shared.handler.accept(&head)?;
        let body = tokio::select! {
            body = timeout(shared.limits.body, self.read(body)) => {
                body.unwrap_or(Err(StatusCode::REQUEST_TIMEOUT))?
            }
            () = self.memory.evicted() => return Err(StatusCode::TOO_MANY_REQUESTS),
        };
        self.connection.finished();
        turns::take(turns::ANSWER).await;
        let response = shared.handler.answer(&head, &body)?;
        self.hold(response.body().len())?;
        Ok(response)
    }

    async fn read(&self, mut body: Incoming) -> Result<Vec<u8>, StatusCode> {
        let most = self.connection.shared.limits.body_bytes as usize;
        if body.size_hint().lower() > most as u64 {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|_| StatusCode::BAD_REQUEST)?;
            let Some(data) = frame.data_ref().filter(|it| !it.is_empty()) else {
                continue;
            };
            turns::take(turns::FRAME).await;
            self.connection.place.progress();
            self.memory.progress();
            let length = bytes.len() + data.len();
            if length > most {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            if length > bytes.capacity() {
                let capacity = length.next_power_of_two().max(LEAST);
                self.hold(capacity)?;
                bytes.reserve_exact(capacity - bytes.len());
            }
            bytes.extend_from_slice(data);
        }
        Ok(bytes)
    }

    /// Counts as `bytes` from now on.
    fn hold(&self, bytes: usize) -> Result<(), StatusCode> {
        let held = self.memory.resize(bytes.max(LEAST) as u64);
        held.map_err(|Evicted| StatusCode::TOO_MANY_REQUESTS)
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.connection.ended();
    }
}

/// An answer on its way. The request counts until the client has taken it.
pub(super) struct Answer {
    bytes: Option<Bytes>,
    _until_sent: Exchange,
}

impl Body for Answer {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|it| Ok(Frame::data(it))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, |it| it.len() as u64))
    }
}
