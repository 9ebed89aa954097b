//! HTTPS under AWS's own names, to a client that verifies.

use std::io;
use std::sync::Arc;

use ecr_operator::emulator::{Emulator, Options, Seed};
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{DEV, REGION, ecr, exchange, plain};

const HOST: &str = "111111111111.dkr.ecr.eu-central-1.amazonaws.com";
const SEED: &str = r#"
accounts:
  "111111111111":
    registries:
      eu-central-1:
        repositories:
          web: {images: [{tags: ["1.0"]}]}
"#;

async fn secure() -> Emulator {
    let options = Options {
        tls_listen: Some(([127, 0, 0, 1], 0).into()),
        seed: Seed::parse(SEED).unwrap(),
        ..Options::default()
    };
    Emulator::start(options).await.unwrap()
}

/// A connection to the emulator by this name, which trusts its authority and no other.
async fn connect(emulator: &Emulator, name: &str) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    let authority = CertificateDer::from_pem_slice(emulator.authority().unwrap().as_bytes());
    roots.add(authority.unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(emulator.tls_address().unwrap()).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await
}

#[tokio::test]
async fn an_image_is_pulled_from_the_registrys_own_host_over_tls() {
    let emulator = secure().await;
    let told = ecr(&emulator, plain(DEV), REGION)
        .get_authorization_token()
        .send();
    let told = told.await.unwrap();
    let token = told.authorization_data()[0].authorization_token().unwrap();
    let login = format!("Basic {token}");
    let headers = [("host", HOST), ("authorization", login.as_str())];
    let stream = connect(&emulator, HOST).await.unwrap();
    let manifest = exchange(stream, "GET /v2/web/manifests/1.0", &headers, b"").await;
    assert_eq!(manifest.status, 200);
    let manifest: Value = serde_json::from_str(&manifest.text()).unwrap();
    let layer = &manifest["layers"][0];
    let blob = format!("GET /v2/web/blobs/{}", layer["digest"].as_str().unwrap());
    let stream = connect(&emulator, HOST).await.unwrap();
    let blob = exchange(stream, &blob, &headers, b"").await;
    assert_eq!(blob.body.len() as u64, layer["size"].as_u64().unwrap());
}

#[tokio::test]
async fn names_of_aws_and_of_this_machine_are_vouched_for_and_no_others() {
    let emulator = secure().await;
    let names = [
        "api.ecr.us-east-1.amazonaws.com",
        "333333333333.dkr.ecr.cn-north-1.amazonaws.com.cn",
        "sts.eu-west-1.amazonaws.com",
        "localhost",
        "127.0.0.1",
    ];
    for name in names {
        connect(&emulator, name).await.expect(name);
    }
    connect(&emulator, "registry.example.com")
        .await
        .unwrap_err();
}
