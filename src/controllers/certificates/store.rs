//! What one Secret keeps: the authorities to trust, the newest one's key, and the serving
//! certificate with its key, under the keys that people look for (`ca.crt`, `tls.crt`, `tls.key`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::sign::CertifiedKey;
use serde::{Deserialize, Serialize};
use x509_parser::parse_x509_certificate;

use super::issue::{self, Authority, PrivateKey, Serving, Term};
use super::plan::{Lifetimes, Step};

const AUTHORITIES: &str = "ca.crt";
const AUTHORITY_KEY: &str = "ca.key";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const TERMS: &str = "terms.json";

/// All that is known of our certificates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Store {
    /// The authority that signs.
    pub newest: Authority,
    /// Earlier ones, still trusted, newest first.
    pub older: Vec<Authority>,
    /// The newest authority's key. An older one has signed all that it ever will.
    pub key: PrivateKey,
    /// What the admission server shows.
    pub serving: Serving,
}

/// Why a Secret's data is no store; it is then made anew.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// A key is missing from the data, or is no text.
    #[error("{0} is missing or no text")]
    Missing(&'static str),
    /// The dates do not parse.
    #[error("read {TERMS}")]
    Terms(#[source] serde_json::Error),
    /// A certificate or key is no PEM.
    #[error("read the PEM of {0}")]
    Pem(&'static str, #[source] rustls::pki_types::pem::Error),
    /// Certificates, keys and dates do not belong together.
    #[error("{0}")]
    Mismatch(&'static str),
    /// A certificate does not go with its key, or was not signed by an authority of this store.
    #[error("check {0}")]
    Untrusted(&'static str, #[source] rustls::Error),
}

/// The dates and names of a store: beside the PEM so that nothing has to read them out of it.
#[derive(Deserialize, Serialize)]
struct Terms {
    authorities: Vec<AuthorityTerm>,
    serving: ServingTerm,
}

#[derive(Deserialize, Serialize)]
struct AuthorityTerm {
    name: String,
    #[serde(flatten)]
    term: Term,
}

#[derive(Deserialize, Serialize)]
struct ServingTerm {
    authority: String,
    #[serde(flatten)]
    term: Term,
    names: BTreeSet<String>,
}

impl Store {
    /// A first authority and a serving certificate for `names`.
    pub fn issue(
        names: &BTreeSet<String>,
        now: Timestamp,
        lifetimes: &Lifetimes,
    ) -> Result<Self, rcgen::Error> {
        let (newest, key) = issue::authority(now, lifetimes)?;
        let serving = issue::serving((&newest, &key), names, now, lifetimes)?;
        Ok(Self {
            newest,
            older: Vec::new(),
            key,
            serving,
        })
    }

    /// The store after `step`.
    pub fn take(
        self,
        step: Step,
        names: &BTreeSet<String>,
        now: Timestamp,
        lifetimes: &Lifetimes,
    ) -> Result<Self, rcgen::Error> {
        Ok(match step {
            Step::PublishAuthority => {
                let (newest, key) = issue::authority(now, lifetimes)?;
                let older = [vec![self.newest], self.older].concat();
                Self {
                    newest,
                    older,
                    key,
                    serving: self.serving,
                }
            }
            Step::IssueServing => Self {
                serving: issue::serving((&self.newest, &self.key), names, now, lifetimes)?,
                ..self
            },
            Step::DropOldAuthorities => Self {
                older: Vec::new(),
                ..self
            },
            Step::Wait(_) => self,
        })
    }

    /// The PEM of every authority to trust, newest first: what `caBundle` has to say.
    pub fn bundle(&self) -> String {
        self.authorities()
            .map(|it| it.certificate.as_str())
            .collect()
    }

    /// How long the admission server's certificate is good: it and the authority that signed it.
    pub fn served(&self) -> Term {
        let Serving {
            authority, term, ..
        } = &self.serving;
        let signer = self.authorities().find(|it| it.name == *authority);
        signer.map_or(*term, |it| term.and(it.term))
    }

    /// What the admission server shows, ready for TLS.
    pub fn certified_key(&self) -> Result<CertifiedKey, Unusable> {
        let Serving {
            certificate, key, ..
        } = &self.serving;
        pair(CERTIFICATE, certificate, key)
    }

    /// The Secret's data.
    pub fn data(&self) -> BTreeMap<String, String> {
        let terms = Terms {
            authorities: self
                .authorities()
                .map(|it| AuthorityTerm {
                    name: it.name.clone(),
                    term: it.term,
                })
                .collect(),
            serving: ServingTerm {
                authority: self.serving.authority.clone(),
                term: self.serving.term,
                names: self.serving.names.clone(),
            },
        };
        let terms = serde_json::to_string(&terms).expect("dates and names are JSON");
        [
            (AUTHORITIES, self.bundle()),
            (AUTHORITY_KEY, self.key.0.clone()),
            (CERTIFICATE, self.serving.certificate.clone()),
            (KEY, self.serving.key.0.clone()),
            (TERMS, terms),
        ]
        .map(|(key, value)| (key.to_owned(), value))
        .into()
    }

    /// The store that a Secret's `data` keeps, if all of it belongs together: every key goes with
    /// its certificate, and an authority of the store has signed what is served.
    pub fn read(data: &BTreeMap<String, Vec<u8>>) -> Result<Self, Unusable> {
        let text = |key: &'static str| {
            let bytes = data.get(key).ok_or(Unusable::Missing(key))?;
            str::from_utf8(bytes).map_err(|_| Unusable::Missing(key))
        };
        let terms: Terms = serde_json::from_str(text(TERMS)?).map_err(Unusable::Terms)?;
        let mut authorities = authorities(text(AUTHORITIES)?, terms.authorities)?;
        if authorities.is_empty() {
            return Err(Unusable::Mismatch("there is no authority"));
        }
        let store = Self {
            newest: authorities.remove(0),
            older: authorities,
            key: PrivateKey(text(AUTHORITY_KEY)?.to_owned()),
            serving: Serving {
                authority: terms.serving.authority,
                certificate: text(CERTIFICATE)?.to_owned(),
                key: PrivateKey(text(KEY)?.to_owned()),
                term: terms.serving.term,
                names: terms.serving.names,
            },
        };
        store.check()?;
        Ok(store)
    }

    fn authorities(&self) -> impl Iterator<Item = &Authority> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    fn check(&self) -> Result<(), Unusable> {
        pair(AUTHORITY_KEY, &self.newest.certificate, &self.key)?;
        let shown = self.certified_key()?;
        let mut roots = RootCertStore::empty();
        for authority in self.authorities() {
            let certificate = CertificateDer::from_pem_slice(authority.certificate.as_bytes())
                .map_err(|it| Unusable::Pem(AUTHORITIES, it))?;
            lasts(&certificate, authority.term)?;
            roots
                .add(certificate)
                .map_err(|it| Unusable::Untrusted(AUTHORITIES, it))?;
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
            .build()
            .map_err(|_| Unusable::Mismatch("no authority can be trusted"))?;
        // At both ends of what its dates say, so that dates beside the certificate cannot lie about it.
        // One that has ended meanwhile, or begins later, is not a broken store: it is renewed.
        let Term { issued, until } = self.serving.term;
        for name in &self.serving.names {
            let name = ServerName::try_from(name.as_str())
                .map_err(|_| Unusable::Mismatch("a name is no host name and no address"))?;
            for second in [issued.as_second(), until.as_second().saturating_sub(1)] {
                let second = std::time::Duration::from_secs(u64::try_from(second).unwrap_or(0));
                let at = UnixTime::since_unix_epoch(second);
                verifier
                    .verify_server_cert(&shown.cert[0], &[], &name, &[], at)
                    .map_err(|it| Unusable::Untrusted(CERTIFICATE, it))?;
            }
        }
        Ok(())
    }
}

/// Whether an authority is good for as long as the dates beside it say. What is trusted is believed by
/// rustls whatever its dates; other TLS stacks, as the API server's, look at them.
fn lasts(authority: &CertificateDer<'_>, term: Term) -> Result<(), Unusable> {
    let (_, parsed) = parse_x509_certificate(authority)
        .map_err(|_| Unusable::Mismatch("an authority is not an X.509 certificate"))?;
    let validity = parsed.validity();
    let begins = validity.not_before.timestamp() <= term.issued.as_second();
    let ends = term.until.as_second() <= validity.not_after.timestamp();
    match begins && ends {
        true => Ok(()),
        false => Err(Unusable::Mismatch(
            "an authority's dates differ from its certificate's",
        )),
    }
}

/// The authorities of a bundle, each with its date.
fn authorities(bundle: &str, terms: Vec<AuthorityTerm>) -> Result<Vec<Authority>, Unusable> {
    const END: &str = "-----END CERTIFICATE-----";
    let certificates: Vec<String> = bundle
        .split_inclusive(END)
        .map(str::trim)
        .filter(|it| !it.is_empty())
        .map(|it| format!("{it}\n"))
        .collect();
    if certificates.len() != terms.len() {
        return Err(Unusable::Mismatch(
            "authorities and their dates differ in number",
        ));
    }
    Ok(certificates
        .into_iter()
        .zip(terms)
        .map(|(certificate, AuthorityTerm { name, term })| Authority {
            name,
            certificate,
            term,
        })
        .collect())
}

/// A certificate with the key that goes with it.
fn pair(what: &'static str, certificate: &str, key: &PrivateKey) -> Result<CertifiedKey, Unusable> {
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes())
        .map_err(|it| Unusable::Pem(what, it))?;
    let key =
        PrivateKeyDer::from_pem_slice(key.0.as_bytes()).map_err(|it| Unusable::Pem(what, it))?;
    let provider = aws_lc_rs::default_provider();
    let pair = CertifiedKey::from_der(vec![certificate], key, &provider)
        .map_err(|it| Unusable::Untrusted(what, it))?;
    pair.keys_match()
        .map_err(|it| Unusable::Untrusted(what, it))?;
    Ok(pair)
}
