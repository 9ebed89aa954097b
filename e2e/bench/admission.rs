//! Admission while strangers attack it, as a process of its own: the time of a client that behaves,
//! when it is quiet and under each attack, and how many of its calls are lost. And what the webhook
//! costs the API server. `ulimit -n 8192; cargo bench --bench admission`.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use attacks::{Attack, Crowd, Persistence, Strangers, Target};
use bytes::Bytes;
use ecr_operator::commands::demo::stage::Stage;
use fleet::{accounts, ready, report};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::PostParams;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::net::TcpSocket;
use tokio::runtime::Runtime;
use tokio_rustls::TlsConnector;

#[expect(dead_code, reason = "tests use all of it")]
#[path = "../admission/attacks.rs"]
mod attacks;
#[expect(dead_code, reason = "each benchmark uses a part of it")]
mod fleet;

/// A pod of Argo CD's repo server with a sidecar, recorded from an API server.
const REVIEW: &[u8] = include_bytes!("../data/review-three-containers.json");
/// Calls that are timed in each round. Every tenth is made on a new connection.
const CALLS: usize = 1_000;
/// Dry runs of a pod through the API server.
const PODS: usize = 500;
/// The client's address; strangers have another.
const CLIENT: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
/// Who waits longer than an API server has lost the call.
const PATIENCE: Duration = Duration::from_secs(2);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let stage = fleet::stage("bench-admission").await?;
    let operator = stage.operator(&fleet::role()).await?;
    stage.apply(&accounts()).await?;
    ready(&stage, "environmentaccounts").await?;
    ready(&stage, "imageadmissionpolicies").await?;
    let api: Api<MutatingWebhookConfiguration> = Api::all(stage.cluster.client().await?);
    let client = Client::new(&api).await?;
    report("memory before", &fleet::memory(&operator)?);
    under_attack(&client).await?;
    report("memory after all attacks", &fleet::memory(&operator)?);
    through_the_api_server(&stage).await
}

async fn under_attack(client: &Client) -> anyhow::Result<()> {
    let strangers = Runtime::new()?;
    let target = Target {
        address: client.address,
        review: Bytes::from_static(REVIEW),
    };
    client.round().await; // warm
    for attack in Attack::ALL {
        let quiet = client.round().await;
        let crowd = Crowd {
            connections: connections(attack),
            persistence: Persistence::Again,
        };
        let target = target.clone();
        let begun = strangers.spawn(async move { Strangers::begin(&target, attack, crowd).await });
        let begun = begun.await?;
        let attacked = client.round().await;
        drop(begun);
        let figure = format!(
            "p99 {} us, quiet {} us, {:.1} times; lost {}",
            attacked.p99.as_micros(),
            quiet.p99.as_micros(),
            attacked.p99.as_secs_f64() / quiet.p99.as_secs_f64(),
            attacked.lost + quiet.lost
        );
        report(
            &format!("{attack:?}, {} connections", crowd.connections),
            &figure,
        );
    }
    strangers.shutdown_background();
    Ok(())
}

fn connections(attack: Attack) -> u32 {
    match attack {
        Attack::StalledStreams | Attack::ClosedWindow | Attack::RapidReset => 6,
        Attack::LargeBody | Attack::UnreadAnswers => 20,
        Attack::StalledBody => 500,
        Attack::IdleTcp | Attack::IdleTls | Attack::IdleAfterReview | Attack::SlowHead => 1_100,
    }
}

/// A client that behaves.
struct Client {
    address: SocketAddr,
    name: ServerName<'static>,
    config: Arc<ClientConfig>,
    url: String,
}

/// What a round of calls came to.
struct Round {
    p99: Duration,
    lost: usize,
}

impl Client {
    async fn new(api: &Api<MutatingWebhookConfiguration>) -> anyhow::Result<Self> {
        let there =
            |it: Option<&MutatingWebhookConfiguration>| it.is_some_and(|it| it.webhooks.is_some());
        let found =
            kube::runtime::wait::await_condition(api.clone(), "ecr-operator", there).await?;
        let webhooks = found.and_then(|it| it.webhooks).unwrap_or_default();
        let webhook = webhooks.into_iter().next().context("there is no webhook")?;
        let url = webhook.client_config.url.context("it has no URL")?;
        let bundle = webhook.client_config.ca_bundle.context("no caBundle")?;
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(&bundle.0) {
            roots.add(certificate?)?;
        }
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let authority = url.trim_start_matches("https://").split('/').next();
        let address: SocketAddr = authority.context("it has no authority")?.parse()?;
        Ok(Self {
            address,
            name: ServerName::from(address.ip()),
            config: Arc::new(config),
            url,
        })
    }

    async fn round(&self) -> Round {
        let (mut times, mut lost, mut kept) = (Vec::with_capacity(CALLS), 0, None);
        for call in 0..CALLS {
            if call % 10 == 0 {
                kept = None;
            }
            let began = Instant::now();
            match tokio::time::timeout(PATIENCE, self.call(&mut kept)).await {
                Ok(Ok(())) => times.push(began.elapsed()),
                Ok(Err(_)) | Err(_) => {
                    kept = None;
                    lost += 1;
                }
            }
        }
        times.sort_unstable();
        let p99 = times.get(times.len() * 99 / 100).copied();
        Round {
            p99: p99.unwrap_or(PATIENCE),
            lost,
        }
    }

    async fn call(&self, kept: &mut Option<SendRequest<Full<Bytes>>>) -> anyhow::Result<()> {
        let mut sender = match kept.take() {
            Some(sender) => sender,
            None => self.connect().await?,
        };
        sender.ready().await?;
        let request = Request::post(&self.url)
            .header("host", "x")
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(REVIEW)))?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        ensure!(status.is_success(), "the webhook answered {status}");
        response.into_body().collect().await?;
        *kept = Some(sender);
        Ok(())
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((CLIENT, 0).into())?;
        let stream = socket.connect(self.address).await?;
        stream.set_nodelay(true)?;
        let connector = TlsConnector::from(Arc::clone(&self.config));
        let stream = connector.connect(self.name.clone(), stream).await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// Dry runs of a pod of 23 KB: exempt from the webhook, and as it is registered. It is registered
/// without match conditions, so there is nothing else to compare with.
async fn through_the_api_server(stage: &Stage) -> anyhow::Result<()> {
    let review: Value = serde_json::from_slice(REVIEW)?;
    let mut pod: Pod = serde_json::from_value(review["request"]["object"].clone())?;
    pod.metadata.namespace = Some("default".to_owned());
    pod.metadata.managed_fields = None;
    let spec = pod.spec.as_mut().context("the pod has a spec")?;
    (spec.service_account, spec.service_account_name) = (None, None);
    let mut exempt = pod.clone();
    let label = ("ecr-operator.dev/rewrite".to_owned(), "false".to_owned());
    exempt
        .metadata
        .labels
        .get_or_insert_default()
        .extend([label]);
    let pods: Api<Pod> = Api::namespaced(stage.cluster.client().await?, "default");
    dry_runs(&pods, &pod).await?; // warm
    let bare = dry_runs(&pods, &exempt).await?;
    let registered = dry_runs(&pods, &pod).await?;
    report("dry run of a pod of 23 KB, exempt: p50", &micros(bare));
    report(
        "the same, as the webhook is registered: p50",
        &micros(registered),
    );
    Ok(())
}

/// The median of these dry runs.
async fn dry_runs(pods: &Api<Pod>, pod: &Pod) -> anyhow::Result<Duration> {
    let dry_run = PostParams {
        dry_run: true,
        ..PostParams::default()
    };
    let mut times = Vec::with_capacity(PODS);
    for _ in 0..PODS {
        let began = Instant::now();
        pods.create(&dry_run, pod).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(times[PODS / 2])
}

fn micros(duration: Duration) -> String {
    format!("{} us", duration.as_micros())
}
