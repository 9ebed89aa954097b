//! One connection: the handshake, both HTTP versions, and how long a client may keep it for what it
//! does with it.

use std::convert::Infallible;
use std::error::Error;
use std::future;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures::poll;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, timeout};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::exchange::Exchange;
use super::quota::Share;
use super::turns::Turn;
use super::{Event, Shared, Transport};

/// What is buffered of a head, of a body in plain HTTP/1.1 and of answers: an API server's head has
/// some hundred bytes.
const BUFFER: usize = 32 << 10;
/// All header fields of one HTTP/2 request; others are refused.
const HEAD: u32 = 8 << 10;
/// Requests at one moment on an HTTP/2 connection. The protocol recommends no fewer.
const STREAMS: u32 = 100;
/// What a client may send of one HTTP/2 body ahead of our reading. It is read at once where it has
/// its share of the memory, so this is what a stream can hold without one.
const STREAM_WINDOW: u32 = 64 << 10;
/// The same for all bodies of a connection together.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Streams that a client may reset before we have seen them (CVE-2023-44487).
const RESETS: usize = 20;
/// Streams that we may have to reset for errors of the client (CVE-2024-27316 and the like).
const ERRORS: usize = 100;
/// Requests in a row that a connection may begin without finishing any: such a client only costs.
const UNFINISHED: u32 = 1000;
/// How long a connection that has to make room may take for a request that had just come.
const LAST_REQUEST: Duration = Duration::from_millis(100);

/// One connection.
pub(super) struct Connection {
    pub(super) shared: Arc<Shared>,
    pub(super) peer: IpAddr,
    pub(super) place: Share,
    turn: Turn,
    /// Requests that are not answered to the end.
    open: AtomicU32,
    /// Requests that were begun since the last one that came whole.
    unfinished: AtomicU32,
    /// Whether a request came whole.
    proven: AtomicBool,
}

impl Connection {
    pub(super) fn new(shared: &Arc<Shared>, peer: IpAddr) -> Arc<Self> {
        Arc::new(Self {
            place: shared.place(peer),
            turn: shared.turns.of(peer),
            shared: Arc::clone(shared),
            peer,
            open: AtomicU32::new(0),
            unfinished: AtomicU32::new(0),
            proven: AtomicBool::new(false),
        })
    }

    /// Serves it until either side ends it, until it has to make room, or until `shutdown`.
    pub(super) async fn run(self: Arc<Self>, stream: TcpStream, shutdown: CancellationToken) {
        // Else a small answer waits for the acknowledgement of the last one: 40 ms of a pod's start.
        if let Err(error) = stream.set_nodelay(true) {
            return debug!(%error, "the connection is gone");
        }
        match &self.shared.transport {
            Transport::Plain => self.serve(stream, shutdown).await,
            Transport::Tls(config) => {
                let shaken = tokio::select! {
                    shaken = self.shake_hands(config.load_full(), stream) => shaken,
                    () = self.place.evicted() => None,
                };
                if let Some(stream) = shaken {
                    Box::pin(self.serve(stream, shutdown)).await;
                }
            }
        }
        if self.place.progressed().is_none() {
            self.shared.handler.count(Event::Evicted);
            debug!(peer = %self.peer, "connection evicted");
        }
    }

    async fn shake_hands(
        &self,
        config: Arc<ServerConfig>,
        stream: TcpStream,
    ) -> Option<TlsStream<TcpStream>> {
        let shaken = self.handshake(config, stream);
        match timeout(self.shared.limits.handshake, shaken).await {
            Ok(Ok(mut stream)) => {
                stream.get_mut().1.set_buffer_limit(Some(BUFFER));
                self.place.progress();
                Some(stream)
            }
            Ok(Err(error)) => {
                self.shared.handler.count(Event::HandshakeFailed);
                debug!(%error, "handshake failed");
                None
            }
            Err(_) => {
                debug!("handshake timed out");
                None
            }
        }
    }

    /// One handshake of a peer is computed at a time: keys and a signature cost more than an answer.
    /// Nobody waits here for what another client has yet to send.
    async fn handshake(
        &self,
        config: Arc<ServerConfig>,
        stream: TcpStream,
    ) -> io::Result<TlsStream<TcpStream>> {
        let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
        let mut shaking = pin!(hello.into_stream(config));
        {
            let _turn = self.turn.lock().await;
            if let Poll::Ready(shaken) = poll!(&mut shaking) {
                return shaken;
            }
        }
        shaking.await
    }

    async fn serve<S>(self: &Arc<Self>, stream: S, shutdown: CancellationToken)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let service = service_fn(|request| {
            let exchange = Exchange::begin(self);
            async move { Ok::<_, Infallible>(exchange.run(request).await) }
        });
        let http = self.http();
        let mut connection = pin!(http.serve_connection(TokioIo::new(stream), service));
        tokio::select! {
            ended = &mut connection => return ended_with(ended),
            () = self.overdue() => return debug!(peer = %self.peer, "closed: nothing came"),
            () = self.place.evicted() => {
                if self.open.load(Ordering::Relaxed) > 0 {
                    return;
                }
                // Perhaps a request has just come: after this we would have read it.
                yield_now().await;
                if let Poll::Ready(ended) = poll!(&mut connection) {
                    return ended_with(ended);
                }
                connection.as_mut().graceful_shutdown();
                drop(timeout(LAST_REQUEST, connection).await);
                return;
            }
            () = shutdown.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        tokio::select! {
            ended = connection => ended_with(ended),
            () = self.overdue() => {}
            () = self.place.evicted() => {}
        }
    }

    fn http(&self) -> auto::Builder<TokioExecutor> {
        let mut http = auto::Builder::new(TokioExecutor::new());
        http.http1()
            .timer(TokioTimer::new())
            .header_read_timeout(None) // `overdue` is stricter
            .max_buf_size(BUFFER);
        http.http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(self.shared.limits.idle / 4)
            .max_concurrent_streams(STREAMS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_send_buf_size(BUFFER)
            .max_header_list_size(HEAD)
            .max_pending_accept_reset_streams(RESETS)
            .max_local_error_reset_streams(ERRORS);
        http
    }

    /// Ends when the client has done nothing for longer than it may. Bytes that do not end in a
    /// request are nothing.
    async fn overdue(&self) {
        let limits = &self.shared.limits;
        // It is looked at so often, since what it does may change meanwhile.
        let tick = limits.first_request.min(limits.idle);
        while let Some(progressed) = self.place.progressed() {
            let is_open = self.open.load(Ordering::Relaxed) > 0;
            let patience = match (is_open, self.proven.load(Ordering::Relaxed)) {
                (true, _) => limits.body + limits.answer,
                (false, true) => limits.idle,
                (false, false) => limits.first_request,
            };
            let left = (progressed + patience).duration_since(Instant::now());
            if left == Duration::ZERO {
                return;
            }
            sleep(left.min(tick)).await;
        }
        future::pending::<()>().await;
    }

    /// A request has begun.
    pub(super) fn began(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.place.progress();
        if self.unfinished.fetch_add(1, Ordering::Relaxed) >= UNFINISHED {
            self.place.evict();
        }
    }

    /// A request has come whole.
    pub(super) fn finished(&self) {
        self.unfinished.store(0, Ordering::Relaxed);
        if !self.proven.swap(true, Ordering::Relaxed) {
            self.place.prove();
        }
    }

    /// A request is answered to the end, or given up.
    pub(super) fn ended(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
        self.place.progress();
    }
}

fn ended_with(ended: Result<(), Box<dyn Error + Send + Sync>>) {
    if let Err(error) = ended {
        debug!(%error, "connection ended");
    }
}
