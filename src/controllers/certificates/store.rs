//! What one Secret keeps: the authorities to trust, and the serving certificate with its key, under the keys
//! that people look for (`ca.crt`, `tls.crt`, `tls.key`); while a renewal is under way, the next certificate
//! too. No authority's key is kept: whoever reads the Secret can issue nothing.

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
/// Where earlier versions kept the newest authority's key.
pub(super) const AUTHORITY_KEY: &str = "ca.key";
const CERTIFICATE: &str = "tls.crt";
const KEY: &str = "tls.key";
const NEXT_CERTIFICATE: &str = "next.crt";
const NEXT_KEY: &str = "next.key";
const TERMS: &str = "terms.json";

/// All that is known of our certificates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Store {
    /// The authority of what was issued last.
    pub newest: Authority,
    /// Earlier ones, still trusted, newest first.
    pub older: Vec<Authority>,
    /// What the admission server shows.
    pub serving: Serving,
    /// Since when it has shown it.
    pub shown: Timestamp,
    /// What it shows as soon as the newest authority is trusted, which has signed it.
    pub next: Option<Serving>,
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
    /// Earlier versions showed what they had issued at once.
    #[serde(default)]
    shown: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<ServingTerm>,
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
        let (newest, serving) = issue::issue(names, now, lifetimes)?;
        Ok(Self {
            newest,
            older: Vec::new(),
            serving,
            shown: now,
            next: None,
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
            Step::IssueNext => {
                let (newest, next) = issue::issue(names, now, lifetimes)?;
                Self {
                    newest,
                    older: [vec![self.newest], self.older].concat(),
                    next: Some(next),
                    ..self
                }
            }
            Step::ShowNext => match self.next {
                Some(next) => Self {
                    serving: next,
                    shown: now,
                    next: None,
                    ..self
                },
                None => self,
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
        self.good_for(&self.serving)
    }

    /// How long a certificate is good: it and the authority that signed it.
    pub(super) fn good_for(&self, serving: &Serving) -> Term {
        let Serving {
            authority, term, ..
        } = serving;
        let signer = self.authorities().find(|it| it.name == *authority);
        signer.map_or(*term, |it| term.and(it.term))
    }

    /// What the admission server shows, ready for TLS.
    pub fn certified_key(&self) -> Result<CertifiedKey, Unusable> {
        self.serving.pair(CERTIFICATE)
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
            serving: ServingTerm::of(&self.serving),
            shown: Some(self.shown),
            next: self.next.as_ref().map(ServingTerm::of),
        };
        let terms = serde_json::to_string(&terms).expect("dates and names are JSON");
        let mut data = vec![
            (AUTHORITIES, self.bundle()),
            (CERTIFICATE, self.serving.certificate.clone()),
            (KEY, self.serving.key.0.clone()),
            (TERMS, terms),
        ];
        if let Some(next) = &self.next {
            data.push((NEXT_CERTIFICATE, next.certificate.clone()));
            data.push((NEXT_KEY, next.key.0.clone()));
        }
        let data = data.into_iter();
        data.map(|(key, value)| (key.to_owned(), value)).collect()
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
        let serving = |terms: ServingTerm, certificate, key| {
            Ok(Serving {
                authority: terms.authority,
                certificate: text(certificate)?.to_owned(),
                key: PrivateKey(text(key)?.to_owned()),
                term: terms.term,
                names: terms.names,
            })
        };
        let next = terms.next.map(|it| serving(it, NEXT_CERTIFICATE, NEXT_KEY));
        let store = Self {
            newest: authorities.remove(0),
            older: authorities,
            shown: terms.shown.unwrap_or(terms.serving.term.issued),
            serving: serving(terms.serving, CERTIFICATE, KEY)?,
            next: next.transpose()?,
        };
        store.check()?;
        Ok(store)
    }

    fn authorities(&self) -> impl Iterator<Item = &Authority> {
        std::iter::once(&self.newest).chain(&self.older)
    }

    fn check(&self) -> Result<(), Unusable> {
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
        self.serving.check(CERTIFICATE, &verifier)?;
        match &self.next {
            Some(next) => next.check(NEXT_CERTIFICATE, &verifier),
            None => Ok(()),
        }
    }
}

impl ServingTerm {
    fn of(serving: &Serving) -> Self {
        Self {
            authority: serving.authority.clone(),
            term: serving.term,
            names: serving.names.clone(),
        }
    }
}

impl Serving {
    /// The certificate with the key that goes with it.
    fn pair(&self, what: &'static str) -> Result<CertifiedKey, Unusable> {
        pair(what, &self.certificate, &self.key)
    }

    /// At both ends of what its dates say, so that dates beside the certificate cannot lie about it. One that
    /// has ended meanwhile, or begins later, is not a broken store: it is renewed.
    fn check(&self, what: &'static str, verifier: &WebPkiServerVerifier) -> Result<(), Unusable> {
        let pair = self.pair(what)?;
        let Term { issued, until } = self.term;
        for name in &self.names {
            let name = ServerName::try_from(name.as_str())
                .map_err(|_| Unusable::Mismatch("a name is no host name and no address"))?;
            for second in [issued.as_second(), until.as_second().saturating_sub(1)] {
                let second = std::time::Duration::from_secs(u64::try_from(second).unwrap_or(0));
                let at = UnixTime::since_unix_epoch(second);
                verifier
                    .verify_server_cert(&pair.cert[0], &[], &name, &[], at)
                    .map_err(|it| Unusable::Untrusted(what, it))?;
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
