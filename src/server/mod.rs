//! The listener that admission and health share. Every pod of a cluster can reach it, so whatever a
//! client takes has a limit, and a limit that is reached does not turn the newcomer away: the peer
//! that holds most loses what has made no progress for longest. It knows nothing of what it serves.
//!
//! What a client can still do is to use the network and the processor: a NetworkPolicy is the answer
//! to that.

mod connection;
mod exchange;
mod quota;
mod turns;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use hyper::http::request::Parts;
use hyper::{Response, StatusCode};
use tokio::net::{TcpListener, TcpSocket};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::warn;

use connection::Connection;
use quota::{Claim, Quota, Share, Standing};
use turns::Turns;

/// Connections that the kernel has accepted and we have not.
const BACKLOG: u32 = 1024;
/// What the kernel buffers of a connection in each direction, which counts as memory of the pod. It
/// doubles what it is given.
const SOCKET_BUFFER: u32 = 128 << 10;

/// What a client may take of us. The defaults fit API servers, which give up after two seconds.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How long a TLS handshake may take.
    pub handshake: Duration,
    /// How long a connection may stay without a whole request.
    pub first_request: Duration,
    /// How long a connection may stay idle between requests. API servers close theirs after 90 s,
    /// and a request that meets our closing would be lost, so this has to be longer.
    pub idle: Duration,
    /// How long a body may take to arrive.
    pub body: Duration,
    /// How long a client may take to read an answer.
    pub answer: Duration,
    /// The longest body.
    pub body_bytes: u32,
    /// Bytes of all requests and answers at one moment. A request counts as 32 KiB at least.
    pub bodies_bytes: u32,
    /// Connections at one moment.
    pub connections: u32,
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
            answer: Duration::from_secs(5),
            // Objects end at about 3 MiB, and an update carries two.
            body_bytes: 7 << 20,
            bodies_bytes: 128 << 20,
            connections: 1024,
            drain: Duration::from_secs(10),
        }
    }
}

/// What answers requests. Nothing in it may wait.
pub trait Handler: Send + Sync + 'static {
    /// Whether a request with this head is answered at all. Its body is read only then.
    fn accept(&self, head: &Parts) -> Result<(), StatusCode>;
    /// The answer to a request, if there can be one.
    fn answer(&self, head: &Parts, body: &[u8]) -> Result<Response<Bytes>, StatusCode>;
    /// Counts what is not answered.
    fn count(&self, event: Event);
}

/// What happened to a client that got no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Event {
    /// The TLS handshake failed.
    HandshakeFailed,
    /// The request was answered with this status alone.
    Refused(StatusCode),
    /// The connection was closed to make room for another, or because it only cost.
    Evicted,
}

/// How clients are spoken to.
#[derive(Clone)]
pub enum Transport {
    /// In plain text.
    Plain,
    /// Over TLS. A handshake uses the configuration of that moment.
    Tls(Arc<ArcSwap<rustls::ServerConfig>>),
}

/// A server that does not listen yet.
pub struct Server {
    /// What answers.
    pub handler: Arc<dyn Handler>,
    /// How clients are spoken to.
    pub transport: Transport,
    /// What they may take.
    pub limits: Limits,
}

/// Listens on `address`.
///
/// # Errors
/// When the address is taken or not ours.
pub fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4()?,
        SocketAddr::V6(_) => TcpSocket::new_v6()?,
    };
    socket.set_reuseaddr(true)?;
    // Accepted connections inherit these.
    socket.set_send_buffer_size(SOCKET_BUFFER)?;
    socket.set_recv_buffer_size(SOCKET_BUFFER)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Server {
    /// Answers on `listener` until `shutdown`, then lets open requests end.
    ///
    /// Endpoints lag behind: begin the shutdown a few seconds after readiness has gone.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) {
        let Self {
            handler,
            transport,
            limits,
        } = self;
        let shared = Arc::new(Shared {
            handler,
            transport,
            connections: Arc::new(Quota::new(limits.connections)),
            memory: Arc::new(Quota::new(limits.bodies_bytes)),
            turns: Turns::default(),
            limits,
        });
        let connections = TaskTracker::new();
        loop {
            let accepted = tokio::select! {
                () = shutdown.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    let connection = Connection::new(&shared, peer.ip().to_canonical());
                    connections.spawn(connection.run(stream, shutdown.clone()));
                }
                Err(error) => {
                    // Out of file descriptors, most likely: trying at once would only spin.
                    warn!(%error, "accept failed");
                    shared.connections.evict();
                    sleep(Duration::from_millis(100)).await;
                }
            }
        }
        drop(listener);
        connections.close();
        if timeout(limits.drain, connections.wait()).await.is_err() {
            warn!("connections were still open at the end of the shutdown");
        }
    }
}

/// What all connections of a server share.
struct Shared {
    handler: Arc<dyn Handler>,
    transport: Transport,
    limits: Limits,
    connections: Arc<Quota>,
    memory: Arc<Quota>,
    turns: Turns,
}

impl Shared {
    /// A new connection's place, for which another may have to go.
    fn place(&self, peer: IpAddr) -> Share {
        let claim = Claim {
            peer,
            amount: 1,
            standing: Standing::New,
        };
        self.connections.claim(claim)
    }
}
