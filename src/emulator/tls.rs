//! HTTPS: an authority made at the start, and a certificate of it for whichever name of AWS a
//! client asks for. Nothing is written; who wants to trust the authority is told its certificate.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::{CertifiedKey, SigningKey};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::TlsAcceptor;

/// Hosts of AWS: registries, the API, STS and tagging, in all partitions and over both stacks.
const SUFFIXES: [&str; 4] = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws", ".on.aws"];
/// What a client has asked for that names no host, but connects to an address.
const ADDRESS: &str = "localhost";

/// Signs for every name that an emulator may be reached by.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
    key: KeyPair,
    signs: Arc<dyn SigningKey>,
    listens: IpAddr,
    shown: Mutex<BTreeMap<String, Arc<CertifiedKey>>>,
}

impl Authority {
    /// A new authority, for an emulator that listens on `listens`.
    pub(crate) fn new(listens: IpAddr) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name("ECR emulator authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?.pem();
        let serving = KeyPair::generate()?;
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(serving.serialize_der()));
        let signs = aws_lc_rs::sign::any_supported_type(&der)
            .map_err(|_| rcgen::Error::UnsupportedSignatureAlgorithm)?;
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
            key: serving,
            signs,
            listens,
            shown: Mutex::default(),
        })
    }

    /// The authority's certificate in PEM.
    pub(crate) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// What takes connections that are answered in the authority's name.
    pub(crate) fn acceptor(self: Arc<Self>) -> TlsAcceptor {
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .expect("the provider knows the versions that it comes with")
                .with_no_client_auth()
                .with_cert_resolver(self);
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Arc::new(config).into()
    }

    fn issue(&self, name: &str) -> Result<CertifiedKey, rcgen::Error> {
        let mut params = CertificateParams::new(vec![name.to_owned()])?;
        if name == ADDRESS {
            let addresses = [
                Ipv4Addr::LOCALHOST.into(),
                Ipv6Addr::LOCALHOST.into(),
                self.listens,
            ];
            let names = addresses.map(rcgen::SanType::IpAddress);
            params.subject_alt_names.extend(names);
        }
        params.distinguished_name = common_name("ECR emulator");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&self.key, &self.issuer)?;
        let chain = vec![certificate.der().clone()];
        Ok(CertifiedKey::new(chain, Arc::clone(&self.signs)))
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or(ADDRESS);
        if name != ADDRESS && !SUFFIXES.iter().any(|it| name.ends_with(it)) {
            tracing::debug!(name, "a name that is not AWS's");
            return None;
        }
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(it) = shown.get(name) {
            return Some(Arc::clone(it));
        }
        let issued = self.issue(name);
        let issued = issued.inspect_err(|error| tracing::warn!(%error, name, "no certificate"));
        let issued = Arc::new(issued.ok()?);
        shown.insert(name.to_owned(), Arc::clone(&issued));
        Some(issued)
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority(..)")
    }
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}
