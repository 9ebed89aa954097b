//! What strangers do to a listener until they are dropped.

use std::future::pending;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::body::{Body, Frame};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// How long a stranger who was thrown out needs to come back, and a slow one for its next word.
const BACK: Duration = Duration::from_secs(1);
/// HTTP/2 requests on one connection.
const STREAMS: usize = 100;
const HEAD: &str = "POST /mutate/prod HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";

/// What each connection of a stranger does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Attack {
    /// Opens, and says nothing.
    IdleTcp,
    /// Shakes hands, and says nothing.
    IdleTls,
    /// Sends one review, and then nothing, to look like an API server.
    IdleAfterReview,
    /// Sends a head that never ends.
    SlowHead,
    /// Announces a body of 7 MB, and sends a byte of it.
    StalledBody,
    /// The same in a hundred HTTP/2 requests at once.
    StalledStreams,
    /// Sends all but the last byte of a body of 7 MB.
    LargeBody,
    /// Sends reviews, and reads no answer.
    UnreadAnswers,
    /// Sends a hundred reviews at once by HTTP/2, and lets no answer be sent.
    ClosedWindow,
    /// Sends HTTP/2 requests and resets each at once.
    RapidReset,
}

impl Attack {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::IdleTcp,
        Self::IdleTls,
        Self::IdleAfterReview,
        Self::SlowHead,
        Self::StalledBody,
        Self::StalledStreams,
        Self::LargeBody,
        Self::UnreadAnswers,
        Self::ClosedWindow,
        Self::RapidReset,
    ];
}

/// Where it is done.
#[derive(Clone)]
pub(crate) struct Target {
    /// The listener.
    pub(crate) address: SocketAddr,
    /// A review that it answers.
    pub(crate) review: Bytes,
}

/// How many strangers there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Crowd {
    /// Their connections.
    pub(crate) connections: u32,
    /// What they do when they are thrown out.
    pub(crate) persistence: Persistence,
}

/// What strangers do who are thrown out, or who are refused a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Persistence {
    /// They stay away.
    Once,
    /// They come back soon.
    Again,
}

/// Strangers at work. They end when this is dropped.
pub(crate) struct Strangers {
    _tasks: JoinSet<()>,
}

impl Strangers {
    /// Each connection has done its worst once when this returns.
    pub(crate) async fn begin(target: &Target, attack: Attack, crowd: Crowd) -> Self {
        let Crowd {
            connections,
            persistence,
        } = crowd;
        let (begun, mut tasks) = (Arc::new(Semaphore::new(0)), JoinSet::new());
        for _ in 0..connections {
            let stranger = Stranger {
                target: target.clone(),
                begun: Arc::clone(&begun),
                persistence,
            };
            tasks.spawn(stranger.go_on(attack));
        }
        let all = begun.acquire_many(connections).await;
        all.expect("the semaphore is never closed").forget();
        Self { _tasks: tasks }
    }
}

struct Stranger {
    target: Target,
    begun: Arc<Semaphore>,
    persistence: Persistence,
}

impl Persistence {
    /// Ends when it is time to come back.
    async fn back(self) {
        match self {
            Self::Once => pending().await,
            Self::Again => sleep(BACK).await,
        }
    }
}

impl Stranger {
    async fn go_on(self, attack: Attack) {
        loop {
            // To be thrown out is what they have to expect.
            let ended = Box::pin(self.once(attack)).await;
            drop(ended);
            self.done();
            self.persistence.back().await;
        }
    }

    /// Counts as having begun; more permits than strangers do no harm.
    fn done(&self) {
        self.begun.add_permits(1);
    }

    async fn once(&self, attack: Attack) -> Result<(), Failure> {
        match attack {
            Attack::IdleTcp => {
                let mut stream = TcpStream::connect(self.target.address).await?;
                self.done();
                until_closed(&mut stream).await
            }
            Attack::IdleTls => {
                let mut stream = self.connect(b"http/1.1").await?;
                self.done();
                until_closed(&mut stream).await
            }
            Attack::IdleAfterReview => self.say(&self.whole(), Then::Read).await,
            Attack::SlowHead => self.slow_head().await,
            Attack::StalledBody => {
                let head = format!("{HEAD}content-length: 7000000\r\n\r\n{{");
                self.say(head.as_bytes(), Then::Read).await
            }
            Attack::LargeBody => {
                let mut text = format!("{HEAD}content-length: 7000000\r\n\r\n").into_bytes();
                text.resize(text.len() + 6_999_999, b' ');
                self.say(&text, Then::Read).await
            }
            Attack::UnreadAnswers => self.say(&self.whole().repeat(500), Then::Stay).await,
            Attack::StalledStreams => self.streams(Sent::OneByte).await,
            Attack::ClosedWindow => self.streams(Sent::All).await,
            Attack::RapidReset => self.rapid_reset().await,
        }
    }

    fn whole(&self) -> Vec<u8> {
        let review = &self.target.review;
        let head = format!("{HEAD}content-length: {}\r\n\r\n", review.len());
        [head.as_bytes(), review].concat()
    }

    async fn say(&self, text: &[u8], then: Then) -> Result<(), Failure> {
        let mut stream = self.connect(b"http/1.1").await?;
        // A server that reads no more must not keep the others waiting.
        tokio::select! {
            written = stream.write_all(text) => written?,
            () = sleep(BACK) => {}
        }
        stream.flush().await?;
        self.done();
        match then {
            Then::Read => until_closed(&mut stream).await,
            Then::Stay => pending().await,
        }
    }

    async fn slow_head(&self) -> Result<(), Failure> {
        let mut stream = self.connect(b"http/1.1").await?;
        stream.write_all(HEAD.as_bytes()).await?;
        self.done();
        loop {
            sleep(BACK).await;
            stream.write_all(b"x: y\r\n").await?;
            stream.flush().await?;
        }
    }

    async fn streams(&self, sent: Sent) -> Result<(), Failure> {
        let stream = TokioIo::new(self.connect(b"h2").await?);
        let mut http = http2::Builder::new(TokioExecutor::new());
        if sent == Sent::All {
            http.initial_stream_window_size(0);
        }
        let (sender, connection) = http.handshake(stream).await?;
        let requests = async {
            let mut streams = JoinSet::new();
            for _ in 0..STREAMS {
                let (mut sender, review) = (sender.clone(), self.target.review.clone());
                let persistence = self.persistence;
                streams.spawn(async move {
                    loop {
                        let body = Trickle::of(sent, review.clone());
                        let Ok(request) = post(body) else { return };
                        if let Ok(response) = sender.send_request(request).await {
                            drop(response.into_body().collect().await);
                        }
                        if sender.ready().await.is_err() {
                            return;
                        }
                        persistence.back().await;
                    }
                });
            }
            self.done();
            while streams.join_next().await.is_some() {}
        };
        tokio::select! {
            ended = connection => ended?,
            () = requests => {}
        }
        Ok(())
    }

    async fn rapid_reset(&self) -> Result<(), Failure> {
        let stream = TokioIo::new(self.connect(b"h2").await?);
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        let requests = async {
            loop {
                for _ in 0..STREAMS {
                    sender.ready().await?;
                    let request = post(Full::<Bytes>::default())?;
                    let mut response = Box::pin(sender.send_request(request));
                    let polled = futures::poll!(&mut response);
                    drop((polled, response));
                }
                self.done();
                self.persistence.back().await;
            }
        };
        tokio::select! {
            ended = connection => ended.map_err(Failure::from),
            ended = requests => ended,
        }
    }

    async fn connect(&self, alpn: &[u8]) -> Result<TlsStream<TcpStream>, Failure> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Whoever(provider)))
            .with_no_client_auth();
        config.alpn_protocols = vec![alpn.to_vec()];
        let stream = TcpStream::connect(self.target.address).await?;
        let name = ServerName::from(self.target.address.ip());
        let connector = TlsConnector::from(Arc::new(config));
        Ok(connector.connect(name, stream).await?)
    }
}

/// What follows on a connection of HTTP/1.1.
enum Then {
    /// Whatever comes is read.
    Read,
    /// Nothing is read, and nothing closed.
    Stay,
}

/// How much of a body is sent by HTTP/2.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Sent {
    OneByte,
    All,
}

/// A body that is sent at once, or of which one byte comes and never another.
struct Trickle {
    rest: Option<Bytes>,
    sent: Sent,
}

impl Trickle {
    fn of(sent: Sent, review: Bytes) -> Self {
        let rest = match sent {
            Sent::OneByte => Bytes::from_static(b"{"),
            Sent::All => review,
        };
        Self {
            rest: Some(rest),
            sent,
        }
    }
}

impl Body for Trickle {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match (self.rest.take(), self.sent) {
            (Some(bytes), _) => Poll::Ready(Some(Ok(Frame::data(bytes)))),
            (None, Sent::All) => Poll::Ready(None),
            (None, Sent::OneByte) => Poll::Pending,
        }
    }
}

fn post<B>(body: B) -> Result<Request<B>, Failure> {
    let request = Request::post("https://x/mutate/prod");
    Ok(request
        .header("content-type", "application/json")
        .body(body)?)
}

async fn until_closed(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Result<(), Failure> {
    let mut buffer = [0; 4096];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Strangers do not care whom they talk to.
#[derive(Debug)]
struct Whoever(Arc<CryptoProvider>);

impl ServerCertVerifier for Whoever {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let algorithms = self.0.signature_verification_algorithms;
        algorithms.supported_schemes()
    }
}
