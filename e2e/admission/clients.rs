//! Client certificates: whom admission answers once it has been given authorities.

use std::time::Duration;

use ecr_operator::webhook::Unreadable;
use hyper::StatusCode;
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls::ClientConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpStream;

use super::fixture::{Client, Server, config, handshake, review_of};

/// An authority of API servers.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// The configuration of an API server that presents a certificate of it to `server`.
    fn client(&self, server: &Server) -> ClientConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = config(server.roots());
        config
            .with_client_auth_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

/// Whether a client of this configuration is answered. By TLS 1.3 it learns so only when it reads.
async fn is_answered(server: &Server, config: ClientConfig) -> bool {
    let stream = TcpStream::connect(server.address).await.unwrap();
    let Ok(stream) = handshake(config, stream, b"http/1.1").await else {
        return false;
    };
    let mut client = Client::of(stream).await;
    match client.review(review_of("nginx:1.27")).await {
        Ok((status, _)) => status == StatusCode::OK,
        Err(_) => false,
    }
}

#[tokio::test]
async fn only_clients_of_the_given_authority_are_answered() {
    let server = Server::ready().await;
    let (ours, other) = (Authority::new(), Authority::new());
    let nobody = || config(server.roots()).with_no_client_auth();
    assert!(is_answered(&server, nobody()).await);

    server.tls.require_clients_of(ours.pem.as_bytes()).unwrap();
    assert!(is_answered(&server, ours.client(&server)).await);
    assert!(!is_answered(&server, other.client(&server)).await);
    assert!(!is_answered(&server, nobody()).await);
    let counted = server.counted();
    let failed = "ecr_operator_admission_failed_handshakes_total 2\n";
    assert!(counted.contains(failed), "{counted}");

    for garbage in ["", "no PEM at all"] {
        server
            .tls
            .require_clients_of(garbage.as_bytes())
            .unwrap_err();
    }
    assert!(!is_answered(&server, nobody()).await);
}

#[tokio::test]
async fn client_authorities_follow_their_file() {
    let server = Server::ready().await;
    let (old, new) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.crt");
    let missing = server.tls.require_clients_in(&file).await.unwrap_err();
    assert!(matches!(missing, Unreadable::File { .. }), "{missing:?}");

    std::fs::write(&file, &old.pem).unwrap();
    server.tls.require_clients_in(&file).await.unwrap();
    let (tls, path) = (server.tls.clone(), file.clone());
    let following = tokio::spawn(async move {
        tls.follow_clients_in(&path, Duration::from_millis(10))
            .await;
    });
    std::fs::write(&file, "half of a certificate").unwrap();
    assert!(is_answered(&server, old.client(&server)).await);
    std::fs::write(&file, &new.pem).unwrap();
    while !is_answered(&server, new.client(&server)).await {}
    assert!(!is_answered(&server, old.client(&server)).await);
    following.abort();
}
