//! A running admission server with rules of a made-up environment, and a client of it that trusts
//! what an API server would.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use arc_swap::ArcSwap;
use bytes::Bytes;
use ecr_operator::controllers::certificates::{Lifetimes, Store};
use ecr_operator::domain::Registry;
use ecr_operator::domain::facts::{Facts, Images};
use ecr_operator::domain::rewrite::{Cache, Compiled, Mode, OnUnknown, Policy, Table, Trust};
use ecr_operator::server::Limits;
use ecr_operator::webhook::{Admission, Rules, ServingCertificate, Tls};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use jiff::Timestamp;
use prometheus_client::registry::Registry as Metrics;
use rustls::client::WantsClientCert;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::sync::CancellationToken;

use super::attacks::Target;

/// The registry that rewritten images are pulled from.
pub(super) const ECR: &str = "333333333333.dkr.ecr.eu-central-1.amazonaws.com";

/// An admission server on loopback.
pub(super) struct Server {
    pub(super) admission: Arc<Admission>,
    pub(super) certificate: ServingCertificate,
    pub(super) tls: Tls,
    /// What an API server would have in `caBundle`.
    pub(super) trusted: ArcSwap<String>,
    pub(super) address: SocketAddr,
    pub(super) shutdown: CancellationToken,
    pub(super) ended: JoinHandle<()>,
}

impl Server {
    /// Starts one with a certificate and no rules yet.
    pub(super) async fn start(limits: Limits) -> Self {
        let server = Self::bare("127.0.0.1", limits).await;
        let store = issue();
        server.show(&store);
        server.trusted.store(Arc::new(store.bundle()));
        server
    }

    /// Starts one on `host` with neither.
    pub(super) async fn bare(host: &str, limits: Limits) -> Self {
        let listener = TcpListener::bind((host, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let certificate = ServingCertificate::default();
        let tls = Tls::new(Arc::clone(&certificate));
        let (admission, shutdown) = (Arc::<Admission>::default(), CancellationToken::new());
        let serving = admission.server(&tls, limits);
        let serving = serving.serve(listener, shutdown.clone());
        Self {
            admission,
            certificate,
            tls,
            trusted: ArcSwap::default(),
            address,
            shutdown,
            ended: tokio::spawn(serving),
        }
    }

    /// Starts one that is ready.
    pub(super) async fn ready() -> Self {
        Self::ready_with(Limits::default()).await
    }

    /// The same with these limits.
    pub(super) async fn ready_with(limits: Limits) -> Self {
        let server = Self::start(limits).await;
        server
            .admission
            .rules
            .store(Some(Arc::new(rules([("prod", Mode::Rewrite)]))));
        server
    }

    /// Shows the certificate of a store from now on.
    pub(super) fn show(&self, store: &Store) {
        let certificate = store.certified_key().unwrap();
        self.certificate.store(Some(Arc::new(certificate)));
    }

    /// What strangers need to know.
    pub(super) fn target(&self) -> Target {
        Target {
            address: self.address,
            review: review_of("nginx:1.27").into(),
        }
    }

    /// What was counted, as Prometheus reads it.
    pub(super) fn counted(&self) -> String {
        let (mut registry, mut text) = (Metrics::default(), String::new());
        self.admission.metrics.register(&mut registry);
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    }

    pub(super) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(self.trusted.load().as_bytes()) {
            roots.add(certificate.unwrap()).unwrap();
        }
        roots
    }

    /// A TLS connection, as an API server makes it.
    pub(super) async fn connect(&self, alpn: &[u8]) -> std::io::Result<TlsStream<TcpStream>> {
        let config = config(self.roots()).with_no_client_auth();
        let stream = TcpStream::connect(self.address).await?;
        handshake(config, stream, alpn).await
    }

    /// A client on a connection of its own, by HTTP/1.1 as API servers call webhooks.
    pub(super) async fn client(&self) -> Client {
        Client::of(self.connect(b"http/1.1").await.unwrap()).await
    }

    /// The same from an address of loopback.
    pub(super) async fn client_from(&self, address: IpAddr) -> Client {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((address, 0).into()).unwrap();
        let stream = socket.connect(self.address).await.unwrap();
        let config = config(self.roots()).with_no_client_auth();
        Client::of(handshake(config, stream, b"http/1.1").await.unwrap()).await
    }

    /// The same by HTTP/2.
    pub(super) async fn client_of_two(&self) -> Client {
        let stream = TokioIo::new(self.connect(b"h2").await.unwrap());
        let executor = TokioExecutor::new();
        let (sender, connection) = http2::handshake(executor, stream).await.unwrap();
        tokio::spawn(connection);
        Client::Two(sender)
    }
}

/// What an API server trusts; who it is itself is not said yet.
pub(super) fn config(roots: RootCertStore) -> ConfigBuilder<ClientConfig, WantsClientCert> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
}

pub(super) async fn handshake(
    mut config: ClientConfig,
    stream: TcpStream,
    alpn: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    config.alpn_protocols = vec![alpn.to_vec()];
    let name = ServerName::try_from("127.0.0.1").unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

/// A connection to send requests on, one after the other.
pub(super) enum Client {
    One(http1::SendRequest<Full<Bytes>>),
    Two(http2::SendRequest<Full<Bytes>>),
}

impl Client {
    /// One that speaks HTTP/1.1 on this connection.
    pub(super) async fn of(stream: TlsStream<TcpStream>) -> Self {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self::One(sender)
    }

    pub(super) async fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<(StatusCode, Bytes)> {
        // The connection may still be busy with the end of the last answer.
        let response = match self {
            Self::One(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Two(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let (head, body) = Response::into_parts(response);
        Ok((head.status, body.collect().await?.to_bytes()))
    }

    /// Asks for a review of `body`, and gives the answer.
    pub(super) async fn review(&mut self, body: Vec<u8>) -> hyper::Result<(StatusCode, Bytes)> {
        self.send(post("/mutate/prod", body)).await
    }
}

pub(super) fn post(path: &str, body: Vec<u8>) -> Request<Full<Bytes>> {
    Request::post(format!("https://127.0.0.1{path}"))
        .header("host", "127.0.0.1")
        .header("content-type", "application/json")
        .body(Full::from(body))
        .unwrap()
}

/// A store as the leader would issue it for this address.
pub(super) fn issue() -> Store {
    let names = ["127.0.0.1".to_owned()].into();
    Store::issue(&names, Timestamp::now(), &Lifetimes::default()).unwrap()
}

fn registry() -> Registry {
    Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    )
}

/// Rules of these policies: Docker Hub is cached, GHCR, Quay and ECR Public are trusted.
pub(super) fn rules<'a>(policies: impl IntoIterator<Item = (&'a str, Mode)>) -> Rules {
    let mut facts = Facts::default();
    for (repository, tag) in [("nginx", "1.27"), ("busybox", "1.36"), ("redis", "8")] {
        let images = Images {
            tags: [(tag.to_owned(), format!("sha256:{}", "0".repeat(64)))].into(),
            digests: Default::default(),
        };
        let name = format!("docker-hub/library/{repository}").parse().unwrap();
        facts.record(&registry(), name, Arc::new(images));
    }
    Rules {
        table: Arc::new(Table::new(policies.into_iter().map(policy))),
        facts: Arc::new(facts),
        pull_secrets: Arc::default(),
        own_namespace: "ecr-operator-system".to_owned(),
    }
}

fn policy((name, mode): (&str, Mode)) -> Compiled {
    let policy = Policy {
        name: name.to_owned(),
        registry: registry(),
        mode,
        exclude: Vec::new(),
        on_unknown: OnUnknown::Keep,
    };
    let cache = |prefix: &str, host: &str, trust| Cache {
        rule: prefix.to_owned(),
        hosts: vec![host.to_owned()],
        prefix: prefix.parse().unwrap(),
        upstream_prefix: "ROOT".parse().unwrap(),
        trust,
    };
    let caches = vec![
        cache("docker-hub", "docker.io", Trust::CachedOnly),
        cache("ghcr", "ghcr.io", Trust::Upstream),
        cache("quay", "quay.io", Trust::Upstream),
        cache("ecr-public", "public.ecr.aws", Trust::Upstream),
    ];
    Compiled::new(policy, Vec::new(), caches)
}

/// A review of a new pod with one container.
pub(super) fn review_of(image: &str) -> Vec<u8> {
    let review: Value = json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "object": {"metadata": {}, "spec": {"containers": [{"name": "app", "image": image}]}},
        },
    });
    review.to_string().into_bytes()
}
