//! What the admission server answers to which request, and its TLS. What cannot be answered is
//! refused; the API server then admits the pod as it is and counts that (`failurePolicy: Ignore`).

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use bytes::Bytes;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ClientHello, ResolvesServerCert, VerifierBuilderError, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{RootCertStore, ServerConfig};

use super::{Admission, Unanswered};
use crate::domain::admission::{self, Asked};
use crate::server::{Event, Handler, Limits, Server, Transport};

/// The certificate that is shown; stored anew when it is rotated. Handshakes fail while it is
/// `None`, and open connections do not notice a change.
pub type ServingCertificate = Arc<ArcSwapOption<CertifiedKey>>;

/// Who may call admission, and what they are shown. A clone is the same.
#[derive(Clone)]
pub struct Tls {
    certificate: ServingCertificate,
    config: Arc<ArcSwap<ServerConfig>>,
}

/// Why a text has no authorities of clients.
#[derive(Debug, thiserror::Error)]
pub enum InvalidAuthorities {
    /// It is no PEM.
    #[error("it does not read as PEM")]
    Pem(#[source] rustls::pki_types::pem::Error),
    /// A certificate in it is none of an authority.
    #[error("a certificate in it does not read")]
    Certificate(#[source] rustls::Error),
    /// There is no certificate in it.
    #[error("there is no certificate in it")]
    Empty(#[source] VerifierBuilderError),
}

impl Tls {
    /// Everybody may call, and is shown `certificate`.
    pub fn new(certificate: ServingCertificate) -> Self {
        let config = config(&certificate, WebPkiClientVerifier::no_client_auth());
        Self {
            certificate,
            config: Arc::new(ArcSwap::from_pointee(config)),
        }
    }

    /// From now on only clients with a certificate of one of these authorities, in PEM, may call.
    /// Open connections stay.
    ///
    /// # Errors
    /// When the text has no authorities. Then nothing changes.
    pub fn require_clients_of(&self, authorities: &[u8]) -> Result<(), InvalidAuthorities> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(authorities) {
            let certificate = certificate.map_err(InvalidAuthorities::Pem)?;
            roots
                .add(certificate)
                .map_err(InvalidAuthorities::Certificate)?;
        }
        let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider());
        let clients = clients.build().map_err(InvalidAuthorities::Empty)?;
        self.config
            .store(Arc::new(config(&self.certificate, clients)));
        Ok(())
    }
}

impl Admission {
    /// A server that answers reviews.
    pub fn server(self: &Arc<Self>, tls: &Tls, limits: Limits) -> Server {
        Server {
            handler: Arc::clone(self) as Arc<dyn Handler>,
            transport: Transport::Tls(Arc::clone(&tls.config)),
            limits,
        }
    }
}

impl Handler for Admission {
    fn accept(&self, head: &Parts) -> Result<(), StatusCode> {
        admission::asked(head.uri.path()).ok_or(StatusCode::NOT_FOUND)?;
        if head.method != Method::POST {
            return Err(StatusCode::METHOD_NOT_ALLOWED);
        }
        if !head.headers.get(CONTENT_TYPE).is_some_and(is_json) {
            return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        }
        Ok(())
    }

    fn answer(&self, head: &Parts, body: &[u8]) -> Result<Response<Bytes>, StatusCode> {
        let asked = admission::asked(head.uri.path()).ok_or(StatusCode::NOT_FOUND)?;
        let answer = match asked {
            Asked::Policy(policy) => self.review(policy, body),
            Asked::Probe => self.review_probe(body),
        };
        answer.map(json).map_err(|unanswered| match unanswered {
            Unanswered::NotLoaded => StatusCode::SERVICE_UNAVAILABLE,
            Unanswered::NoReview => StatusCode::BAD_REQUEST,
        })
    }

    fn count(&self, event: Event) {
        match event {
            Event::HandshakeFailed => self.metrics.handshake_failed(),
            Event::Refused(status) => self.metrics.refused(status),
            Event::Evicted => self.metrics.evicted(),
        }
    }
}

fn is_json(value: &HeaderValue) -> bool {
    let value = value.to_str().unwrap_or_default();
    let (essence, _) = value.split_once(';').unwrap_or((value, ""));
    essence.trim().eq_ignore_ascii_case("application/json")
}

fn json(body: Vec<u8>) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body));
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn config(certificate: &ServingCertificate, clients: Arc<dyn ClientCertVerifier>) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .expect("the provider knows TLS 1.3")
        .with_client_cert_verifier(clients)
        .with_cert_resolver(Arc::new(Current(Arc::clone(certificate))));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    config
}

#[derive(Debug)]
struct Current(ServingCertificate);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load_full()
    }
}
