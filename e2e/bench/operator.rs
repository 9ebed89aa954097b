//! What the whole operator costs, as a process of its own on a real API server and the emulator: a
//! TLS round trip of one admission review, the AWS calls that a hundred repositories take in three
//! accounts, and the memory at a thousand objects. `cargo bench --bench operator`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use ecr_operator::commands::demo::stage::{Operator, Stage};
use ecr_operator::emulator::Entry;
use fleet::{accounts, memory, ready, report};
use http_body_util::{BodyExt as _, Full};
use hyper::Request;
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::Api;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

mod fleet;

/// A pod of Argo CD's repo server with a sidecar, recorded from an API server.
const REVIEW: &[u8] = include_bytes!("../data/review-three-containers.json");
/// Round trips that are counted, one after the other.
const ROUND_TRIPS: usize = 5_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let stage = fleet::stage("bench-operator").await?;
    let operator = stage.operator(&fleet::role()).await?;
    stage.apply(&accounts()).await?;
    ready(&stage, "environmentaccounts").await?;

    report("memory with no repository", &memory(&operator)?);
    hundred_repositories(&stage).await?;
    round_trips(&stage).await?;
    thousand_objects(&stage, &operator).await
}

/// How many calls it takes until a hundred fully configured repositories stand in three accounts.
async fn hundred_repositories(stage: &Stage) -> anyhow::Result<()> {
    let before = stage.emulator.journal().last();
    let began = Instant::now();
    stage.apply(&repositories(0..100)).await?;
    ready(stage, "imagerepositories.ecr-operator.dev").await?;
    let took = began.elapsed();
    let mut calls: BTreeMap<String, usize> = BTreeMap::new();
    for entry in stage.emulator.journal().since(before) {
        *calls.entry(entry.operation).or_default() += 1;
    }
    let writes = stage
        .emulator
        .journal()
        .since(before)
        .iter()
        .filter(|it| it.is_write())
        .count();
    let spelt: Vec<String> = calls
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    report(
        "100 repositories x 3 accounts, until Ready",
        &format!("{:.1} s", took.as_secs_f64()),
    );
    report("AWS writes for them (limit 900)", &writes.to_string());
    report("all AWS calls meanwhile", &spelt.join(", "));
    Ok(())
}

/// Memory with a thousand objects that are all Ready, and no AWS write after that.
async fn thousand_objects(stage: &Stage, operator: &Operator) -> anyhow::Result<()> {
    let began = Instant::now();
    stage.apply(&repositories(100..1000)).await?;
    ready(stage, "imagerepositories.ecr-operator.dev").await?;
    report(
        "900 more, until Ready",
        &format!("{:.1} s", began.elapsed().as_secs_f64()),
    );
    report(
        "memory with 1,000 ImageRepositories in 3 accounts",
        &memory(operator)?,
    );
    let creates: Vec<Entry> = stage.emulator.journal().entries();
    let creates = creates
        .iter()
        .filter(|it| it.operation == "CreateRepository")
        .count();
    report(
        "CreateRepository calls in all (3,000 repositories)",
        &creates.to_string(),
    );
    Ok(())
}

/// One review after the other over one HTTP/2 connection, as the API server keeps one.
async fn round_trips(stage: &Stage) -> anyhow::Result<()> {
    let (url, roots) = webhook(stage).await?;
    let authority = url
        .trim_start_matches("https://")
        .split('/')
        .next()
        .unwrap_or_default();
    let host = authority
        .rsplit_once(':')
        .map_or(authority, |(host, _)| host)
        .to_owned();
    let mut config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let stream = TcpStream::connect(authority)
        .await
        .context("connect to the webhook")?;
    stream.set_nodelay(true)?;
    let stream = TlsConnector::from(Arc::new(config))
        .connect(ServerName::try_from(host)?, stream)
        .await
        .context("shake hands with the webhook")?;
    let (mut sender, connection) =
        http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut times = Vec::with_capacity(ROUND_TRIPS);
    for _ in 0..ROUND_TRIPS {
        let request = Request::post(&url)
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from_static(REVIEW)))?;
        let began = Instant::now();
        let response = sender.send_request(request).await?;
        ensure!(
            response.status().is_success(),
            "the webhook answered {}",
            response.status()
        );
        response.into_body().collect().await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    let at = |share: usize| times[(times.len() * share / 100).min(times.len() - 1)];
    let figure = format!("p50 {}, p99 {}", micros(at(50)), micros(at(99)));
    report(
        "TLS round trip of one review (23 KB, 3 containers), serial",
        &figure,
    );
    Ok(())
}

fn micros(duration: Duration) -> String {
    format!("{} us", duration.as_micros())
}

/// Where the API server calls the policy, and whom it trusts there; once the configuration stands.
async fn webhook(stage: &Stage) -> anyhow::Result<(String, RootCertStore)> {
    stage.apply(POLICY).await?;
    ready(stage, "imageadmissionpolicies").await?;
    let api: Api<MutatingWebhookConfiguration> = Api::all(stage.cluster.client().await?);
    let there =
        |it: Option<&MutatingWebhookConfiguration>| it.is_some_and(|it| it.webhooks.is_some());
    let found = kube::runtime::wait::await_condition(api, "ecr-operator", there).await?;
    let client = found
        .and_then(|it| it.webhooks)
        .and_then(|it| it.into_iter().next())
        .map(|it| it.client_config)
        .context("the configuration has no webhook")?;
    let bundle = client
        .ca_bundle
        .context("the configuration has no caBundle")?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&bundle.0) {
        roots.add(certificate?)?;
    }
    Ok((client.url.context("the configuration has no URL")?, roots))
}

fn repositories(numbers: std::ops::Range<usize>) -> String {
    numbers.map(fleet::repository).collect()
}

const POLICY: &str = r"---
apiVersion: ecr-operator.dev/v1alpha1
kind: PullThroughRule
metadata: {name: quay}
spec:
  upstreamRegistry: quay
  environments: [prod]
";
