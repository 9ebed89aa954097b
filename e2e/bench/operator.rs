//! What the whole operator costs, as a process of its own on a real API server and the emulator: a
//! TLS round trip of one admission review, the AWS calls that a hundred repositories take in three
//! accounts, and the memory at a thousand objects. `cargo bench --bench operator`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use ecr_operator::commands::demo::stage::{Operator, Role, Stage};
use ecr_operator::emulator::{Emulator, Entry, Options as EmulatorOptions};
use ecr_operator::plane::{Choice, Cluster, Options as PlaneOptions, Progress};
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

/// A pod of Argo CD's repo server with a sidecar, recorded from an API server.
const REVIEW: &[u8] = include_bytes!("../data/review-three-containers.json");
/// Round trips that are counted, one after the other.
const ROUND_TRIPS: usize = 5_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("a provider is installed already"))?;
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench-operator");
    let options = PlaneOptions {
        logs: Some(folder.join("plane")),
    };
    let cluster =
        Cluster::obtain(Choice::from_environment(), &options, &Progress::stderr()).await?;
    let emulator = Emulator::start(EmulatorOptions::default()).await?;
    let stage = Stage::set(cluster, emulator, folder).await?;
    let role = Role {
        program: env!("CARGO_BIN_EXE_ecr-operator").into(),
        cluster_id: "bench".to_owned(),
        identity: "bench".to_owned(),
        flags: Vec::new(),
    };
    let operator = stage.operator(&role).await?;
    stage.apply(&accounts()).await?;
    ready(&stage, "environmentaccounts").await?;

    report("memory with no repository", &memory(&operator)?);
    hundred_repositories(&stage).await?;
    round_trips(&stage).await?;
    thousand_objects(&stage, &operator).await
}

fn report(what: &str, figure: &str) {
    println!("{what:<58} {figure}");
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
    let there = |it: Option<&MutatingWebhookConfiguration>| it.is_some();
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

/// Resident memory, from the kernel.
fn memory(operator: &Operator) -> anyhow::Result<String> {
    let id = operator.id().context("the operator has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
    let resident = status.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    Ok(resident
        .context("the kernel says nothing of memory")?
        .trim()
        .to_owned())
}

async fn ready(stage: &Stage, kind: &str) -> anyhow::Result<()> {
    let wait = [
        "wait",
        "--for=condition=Ready",
        "--timeout=600s",
        "--all",
        "-A",
        kind,
    ];
    stage.kubectl(&wait, None).await.map(drop)
}

fn accounts() -> String {
    let mut text = POLICIES.to_owned();
    for (name, account) in [
        ("dev", "111111111111"),
        ("stage", "222222222222"),
        ("prod", "333333333333"),
    ] {
        write!(
            text,
            "---\napiVersion: ecr-operator.dev/v1alpha1\nkind: EnvironmentAccount\n\
             metadata: {{name: {name}}}\nspec:\n  accountId: \"{account}\"\n  region: eu-central-1\n  \
             assumeRole: {{roleArn: \"arn:aws:iam::{account}:role/ecr-operator\"}}\n  grants:\n  - \
             namespaceSelector: {{}}\n    repositoryPrefixes: [\"{{namespace}}/\"]\n"
        )
        .expect("a String takes whatever is written to it");
    }
    text
}

/// Objects that use every document: mutability, access, lifecycle, tags.
fn repositories(numbers: std::ops::Range<usize>) -> String {
    let one = |number: usize| {
        format!(
            "---\napiVersion: ecr-operator.dev/v1alpha1\nkind: ImageRepository\n\
             metadata: {{name: service-{number:04}, namespace: default}}\nspec:\n  \
             environments: [dev, stage, prod]\n  imageTagMutability: {{mode: IMMUTABLE}}\n  \
             scanOnPush: true\n  lifecyclePolicyRef: {{name: keep-30}}\n  \
             access: {{pull: [\"444444444444\"]}}\n  tags: {{team: bench}}\n  \
             migratesFrom: [\"registry.old.example/default/service-{number:04}\"]\n"
        )
    };
    numbers.map(one).collect()
}

const POLICIES: &str = r"---
apiVersion: ecr-operator.dev/v1alpha1
kind: LifecyclePolicy
metadata: {name: keep-30}
spec:
  rules:
  - priority: 1
    selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 30}
    action: {type: expire}
";

const POLICY: &str = r"---
apiVersion: ecr-operator.dev/v1alpha1
kind: PullThroughRule
metadata: {name: quay}
spec:
  upstreamRegistry: quay
  environments: [prod]
---
apiVersion: ecr-operator.dev/v1alpha1
kind: ImageAdmissionPolicy
metadata: {name: prod}
spec: {environment: prod, mode: Rewrite, onUnknown: Rewrite}
";
