//! The certificates and keys of one control plane: a CA of its own, what the API server serves
//! with, the admins' client certificates and the key that signs service-account tokens. They live
//! as long as the plane, in its private folder.

use std::net::{IpAddr, Ipv4Addr};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::error::Error;

/// The first address of the service range: what in-cluster clients call `kubernetes.default`.
const SERVICE_IP: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1));

/// A certificate authority and what it signs.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The CA certificate, PEM.
    pub(super) certificate: String,
}

/// A certificate and its key, or a public and a private key; both PEM.
pub(super) struct Pair {
    pub(super) public: String,
    pub(super) private: String,
}

impl Authority {
    /// A new CA that nobody else trusts.
    pub(super) fn new() -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
            .distinguished_name
            .push(DnType::CommonName, "ecr-operator control plane");
        let certificate = params.self_signed(&key).map_err(Error::Certificate)?.pem();
        Ok(Self {
            issuer: Issuer::new(params, key),
            certificate,
        })
    }

    /// What the API server serves with: loopback, and the names it has inside a cluster.
    pub(super) fn server(&self) -> Result<Pair, Error> {
        let names = [
            "localhost",
            "kubernetes",
            "kubernetes.default",
            "kubernetes.default.svc",
            "kubernetes.default.svc.cluster.local",
        ];
        let mut params =
            CertificateParams::new(names.map(str::to_owned)).map_err(Error::Certificate)?;
        for address in [IpAddr::V4(Ipv4Addr::LOCALHOST), SERVICE_IP] {
            params.subject_alt_names.push(SanType::IpAddress(address));
        }
        params
            .distinguished_name
            .push(DnType::CommonName, "kube-apiserver");
        self.sign(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client certificate for a user and a group, as the API server reads them:
    /// <https://kubernetes.io/docs/reference/access-authn-authz/authentication/#x509-client-certificates>.
    pub(super) fn client(&self, user: &str, group: Option<&str>) -> Result<Pair, Error> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        self.sign(params, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(
        &self,
        mut params: CertificateParams,
        purpose: ExtendedKeyUsagePurpose,
    ) -> Result<Pair, Error> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![purpose];
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().map_err(Error::Certificate)?;
        let certificate = params
            .signed_by(&key, &self.issuer)
            .map_err(Error::Certificate)?;
        Ok(Pair {
            public: certificate.pem(),
            private: key.serialize_pem(),
        })
    }
}

/// The key pair that signs and checks service-account tokens.
pub(super) fn token_keys() -> Result<Pair, Error> {
    let key = KeyPair::generate().map_err(Error::Certificate)?;
    Ok(Pair {
        public: key.public_key_pem(),
        private: key.serialize_pem(),
    })
}
