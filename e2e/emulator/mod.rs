//! The emulator, asked over HTTP by the AWS SDK.

use std::fmt::Debug;

use aws_credential_types::Credentials;
use aws_sdk_ecr::config::{BehaviorVersion, Region, SharedCredentialsProvider};
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::types::Tag;
use ecr_operator::emulator::{Emulator, Options, Seed, Upstream};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

mod data_plane;
mod faults;
mod identity;
mod images;
mod passing_time;
mod pull_through;
mod replication;
mod repositories;
mod state;
mod tls;

const DEV: &str = "111111111111";
const PROD: &str = "333333333333";
const REGION: &str = "eu-central-1";

async fn start() -> Emulator {
    Emulator::start(Options::default()).await.unwrap()
}

/// An emulator with what this seed says in it.
pub(crate) async fn seeded(yaml: &str) -> Emulator {
    let seed = Seed::parse(yaml).unwrap();
    Emulator::start(Options {
        seed,
        ..Options::default()
    })
    .await
    .unwrap()
}

async fn with_upstream(host: &str, upstream: Upstream) -> Emulator {
    let upstreams = [(host.to_owned(), upstream)].into();
    Emulator::start(Options {
        upstreams,
        ..Options::default()
    })
    .await
    .unwrap()
}

fn plain(key: &str) -> Credentials {
    Credentials::new(key, "secret", None, None, "test")
}

/// A client that never tries twice, so that a journal shows what was asked.
fn ecr(emulator: &Emulator, credentials: Credentials, region: &str) -> aws_sdk_ecr::Client {
    let config = aws_sdk_ecr::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(emulator.url())
        .region(Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(aws_sdk_ecr::config::retry::RetryConfig::disabled())
        .build();
    aws_sdk_ecr::Client::from_conf(config)
}

fn sts(emulator: &Emulator, credentials: Credentials) -> aws_sdk_sts::Client {
    let config = aws_sdk_sts::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(emulator.url())
        .region(Region::new(REGION))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(aws_sdk_sts::config::retry::RetryConfig::disabled())
        .build();
    aws_sdk_sts::Client::from_conf(config)
}

fn tagging(emulator: &Emulator) -> aws_sdk_resourcegroupstagging::Client {
    let config = aws_sdk_resourcegroupstagging::Config::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .endpoint_url(emulator.url())
        .region(Region::new(REGION))
        .credentials_provider(plain(DEV))
        .build();
    aws_sdk_resourcegroupstagging::Client::from_conf(config)
}

fn tag(key: &str, value: &str) -> Tag {
    Tag::builder().key(key).value(value).build().unwrap()
}

/// `Code: message` of a refused call.
fn refusal<T: Debug, E: ProvideErrorMetadata + Debug>(result: Result<T, SdkError<E>>) -> String {
    let error = result.unwrap_err();
    format!(
        "{}: {}",
        error.code().unwrap_or("-"),
        error.message().unwrap_or("-")
    )
}

/// An operation of ECR as the account `111111111111`, for members that the SDK does not have yet.
async fn raw(emulator: &Emulator, operation: &str, input: &Value) -> Value {
    let target = format!("AmazonEC2ContainerRegistry_V20150921.{operation}");
    let signed = format!("AWS4-HMAC-SHA256 Credential={DEV}/20260101/{REGION}/ecr/aws4_request");
    let headers = [
        ("x-amz-target", target.as_str()),
        ("authorization", signed.as_str()),
    ];
    let answer = http(emulator, "POST /", &headers, input.to_string().as_bytes()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    serde_json::from_str(&answer.text()).unwrap()
}

/// One of the emulator's own addresses.
async fn own(emulator: &Emulator, method: &str, path: &str, body: &str) -> Value {
    let answer = http(
        emulator,
        &format!("{method} /_emulator{path}"),
        &[],
        body.as_bytes(),
    )
    .await;
    serde_json::from_str(&answer.text()).unwrap()
}

/// An answer over HTTP.
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Answer {
    fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        let lines = self.head.lines().filter_map(|it| it.split_once(": "));
        lines
            .filter(|(it, _)| it.eq_ignore_ascii_case(name))
            .map(|(_, it)| it)
            .next()
            .unwrap_or_default()
    }
}

/// Asks the emulator something, for example `GET /v2/`.
async fn http(emulator: &Emulator, what: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    let stream = tokio::net::TcpStream::connect(emulator.address())
        .await
        .unwrap();
    exchange(stream, what, headers, body).await
}

/// One request over a connection that ends with it.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    what: &str,
    headers: &[(&str, &str)],
    body: &[u8],
) -> Answer {
    let length = body.len();
    let mut head = format!("{what} HTTP/1.1\r\nconnection: close\r\ncontent-length: {length}\r\n");
    if !headers.iter().any(|(name, _)| *name == "host") {
        head.push_str("host: emulator\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream
        .write_all(format!("{head}\r\n").as_bytes())
        .await
        .unwrap();
    stream.write_all(body).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let end = answer.windows(4).position(|it| it == b"\r\n\r\n").unwrap();
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer {
        status,
        head,
        body: answer[end + 4..].to_vec(),
    }
}
