//! Making keys and certificates: ECDSA P-256, each serving certificate with an authority of its own. The
//! authority signs that one certificate, and then its key is dropped: nobody can sign another. Nothing here
//! reads a clock; private keys never show in `Debug`.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use serde::{Deserialize, Serialize};

use super::plan::Lifetimes;
use crate::domain::moment::MOST_SECONDS_APART;

/// Certificates start this much earlier than they are made, for API servers whose clocks are late.
const BACKDATED: SignedDuration = SignedDuration::from_hours(1);

/// Two leaders' clocks differ by so much at most where nothing is wrong: each agrees with the API
/// server's, or issues nothing.
const AHEAD: SignedDuration = SignedDuration::from_secs(2 * MOST_SECONDS_APART.cast_signed());

/// From when to when something is good.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Term {
    /// When it was made.
    pub issued: Timestamp,
    /// When it ends.
    pub until: Timestamp,
}

impl Term {
    /// Whether it has begun and has not ended, as whoever verifies a certificate asks: one is good from
    /// an hour before it is issued.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        self.issued - BACKDATED <= now && now < self.until
    }

    /// Whether it was issued by a clock that was ahead.
    pub(super) fn is_from_the_future(&self, now: Timestamp) -> bool {
        now + AHEAD < self.issued
    }

    /// The time for which both are good.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            issued: self.issued.max(other.issued),
            until: self.until.min(other.until),
        }
    }

    /// The moment at which two thirds of it are over: what is renewed is renewed then.
    pub(super) fn two_thirds(&self) -> Timestamp {
        self.issued + self.issued.duration_until(self.until) / 3 * 2
    }

    /// The moment at which less than a tenth of it is left.
    pub(super) fn last_tenth(&self) -> Timestamp {
        self.until - self.issued.duration_until(self.until) / 10
    }
}

/// A private key in PEM.
#[derive(Clone, Eq, PartialEq)]
pub struct PrivateKey(pub(super) String);

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey(..)")
    }
}

/// A certificate authority as the API server is told of it, in `caBundle`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Authority {
    /// Its certificate's common name; no two authorities of one store have the same.
    pub name: String,
    /// Its certificate in PEM.
    pub certificate: String,
    /// How long it may vouch.
    pub term: Term,
}

/// A certificate for the admission server to show, and its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Serving {
    /// The name of the authority that signed it.
    pub authority: String,
    /// The certificate in PEM.
    pub certificate: String,
    /// Its private key.
    pub key: PrivateKey,
    /// How long it may be shown.
    pub term: Term,
    /// The host names and addresses that it is good for.
    pub names: BTreeSet<String>,
}

/// A new serving certificate at `now` for `names`, and the authority that has signed it. The authority's key
/// ends here.
pub(super) fn issue(
    names: &BTreeSet<String>,
    now: Timestamp,
    lifetimes: &Lifetimes,
) -> Result<(Authority, Serving), rcgen::Error> {
    let term = Term {
        issued: now,
        until: now + lifetimes.serving,
    };
    let name = format!("ecr-operator webhook authority {now}");
    let (key, params) = (KeyPair::generate()?, authority_params(&name, term));
    let certificate = params.self_signed(&key)?;
    let issuer = Issuer::new(params, key);

    let mut params = CertificateParams::new(names.iter().cloned().collect::<Vec<_>>())?;
    params.distinguished_name = common_name("ecr-operator webhook");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    set_term(&mut params, term);
    let serving_key = KeyPair::generate()?;
    let serving = Serving {
        authority: name.clone(),
        certificate: params.signed_by(&serving_key, &issuer)?.pem(),
        key: PrivateKey(serving_key.serialize_pem()),
        term,
        names: names.clone(),
    };
    let authority = Authority {
        name,
        certificate: certificate.pem(),
        term,
    };
    Ok((authority, serving))
}

fn authority_params(name: &str, term: Term) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = common_name(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    set_term(&mut params, term);
    params
}

fn common_name(text: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, text);
    name
}

fn set_term(params: &mut CertificateParams, term: Term) {
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let at = |it: Timestamp| {
        epoch + Duration::from_secs(u64::try_from(it.as_second()).unwrap_or_default())
    };
    params.not_before = at(term.issued - BACKDATED);
    params.not_after = at(term.until);
}
