//! The emulator, asked over HTTP by the AWS SDK.

use std::fmt::Debug;

use aws_credential_types::Credentials;
use aws_sdk_ecr::config::{BehaviorVersion, Region, SharedCredentialsProvider};
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_ecr::types::Tag;
use ecr_operator::emulator::{Emulator, Options, Seed, Upstream};
use serde_json::Value;

mod faults;
mod identity;
mod images;
mod pull_through;
mod repositories;

const DEV: &str = "111111111111";
const PROD: &str = "333333333333";
const REGION: &str = "eu-central-1";

async fn start() -> Emulator {
    Emulator::start(Options::default()).await.unwrap()
}

async fn seeded(yaml: &str) -> Emulator {
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

/// One of the emulator's own addresses.
async fn own(emulator: &Emulator, method: &str, path: &str, body: &str) -> Value {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(emulator.address())
        .await
        .unwrap();
    let request = format!(
        "{method} /_emulator{path} HTTP/1.1\r\nhost: emulator\r\nconnection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).await.unwrap();
    serde_json::from_str(response.split_once("\r\n\r\n").unwrap().1).unwrap()
}
