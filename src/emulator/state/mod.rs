//! What the emulated accounts hold. Plain data keyed by account and region: no clock, no network,
//! no locks. Operations are functions of this, a request and the time.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

mod blobs;
mod identity;
mod registry;
mod repository;

pub(crate) use blobs::{Blobs, digest};
pub(crate) use identity::{Account, Role, Session, Token, User};
pub(crate) use registry::{
    Backfill, BackfillResult, Destination, PullThroughRule, Registry, ReplicationRule, Scanning,
    ScanningRule, SigningRule, Template, selected,
};
pub(crate) use repository::{
    Encryption, ExclusionFilter, Image, Lifecycle, Preview, Replica, Repository, Status, Upload,
    wildcard,
};

/// Everything.
#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct State {
    /// The registries that anything was ever put in.
    pub(crate) registries: BTreeMap<RegistryKey, Registry>,
    /// What a seed declared of accounts; an account that is not here has every role and user.
    pub(crate) accounts: BTreeMap<String, Account>,
    /// Credentials that STS gave out, by access key.
    pub(crate) sessions: BTreeMap<String, Session>,
    /// Passwords of the data plane, which do not outlive the process.
    #[serde(skip)]
    pub(crate) tokens: BTreeMap<String, Token>,
    /// The contents of layers and configurations, by digest.
    pub(crate) blobs: Blobs,
    /// Counts what was made up, so that the same requests make up the same identifiers.
    made_up: u64,
}

/// One registry: an account's repositories in one region.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct RegistryKey {
    /// The twelve digits of its account, which ECR calls the registry id.
    pub(crate) account: String,
    /// Its region.
    pub(crate) region: String,
}

impl State {
    /// What the registry holds; an empty registry where nothing was ever put.
    pub(crate) fn registry(&mut self, key: &RegistryKey) -> &mut Registry {
        self.registries.entry(key.clone()).or_default()
    }

    /// A made-up identifier that was not given before: 32 hexadecimal digits.
    pub(crate) fn make_up(&mut self, what: &str) -> String {
        self.made_up += 1;
        hex(&Sha256::digest(format!("{what} {}", self.made_up)))[..32].to_owned()
    }
}

/// Like [`State::make_up`], in the form of a UUID.
pub(crate) fn uuid(made_up: &str) -> String {
    let it = made_up;
    format!(
        "{}-{}-{}-{}-{}",
        &it[..8],
        &it[8..12],
        &it[12..16],
        &it[16..20],
        &it[20..32]
    )
}

impl RegistryKey {
    /// The registry of `account` in `region`.
    pub(crate) fn new(account: &str, region: &str) -> Self {
        Self {
            account: account.to_owned(),
            region: region.to_owned(),
        }
    }

    /// The partition of the region: `aws`, `aws-cn` or `aws-us-gov`.
    pub(crate) fn partition(&self) -> &'static str {
        partition(&self.region)
    }

    /// The ARN of a repository here.
    pub(crate) fn repository_arn(&self, name: &str) -> String {
        format!("{}:repository/{name}", self.arn())
    }

    /// The beginning of all ARNs here.
    pub(crate) fn arn(&self) -> String {
        format!(
            "arn:{}:ecr:{}:{}",
            self.partition(),
            self.region,
            self.account
        )
    }

    /// The host that images are pulled from.
    pub(crate) fn host(&self) -> String {
        let suffix = if self.partition() == "aws-cn" {
            ".cn"
        } else {
            ""
        };
        format!(
            "{}.dkr.ecr.{}.amazonaws.com{suffix}",
            self.account, self.region
        )
    }
}

impl fmt::Display for RegistryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

impl From<RegistryKey> for String {
    fn from(key: RegistryKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for RegistryKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (account, region) = text
            .split_once('/')
            .ok_or_else(|| format!("{text:?} is no ACCOUNT/REGION"))?;
        Ok(Self::new(account, region))
    }
}

/// The partition of a region: `aws`, `aws-cn` or `aws-us-gov`.
pub(crate) fn partition(region: &str) -> &'static str {
    match region {
        it if it.starts_with("cn-") => "aws-cn",
        it if it.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Whether this could be the name of a region: the parts of the world, then a direction and a
/// number, as AWS's own endpoint rules have it. Regions that are yet to come are regions too.
pub(crate) fn is_region(text: &str) -> bool {
    const WORLD: [&str; 12] = [
        "us-gov", "us", "eu", "ap", "sa", "ca", "me", "af", "il", "mx", "cn", "nz",
    ];
    let rest = WORLD
        .iter()
        .find_map(|it| text.strip_prefix(it)?.strip_prefix('-'));
    rest.and_then(|it| it.split_once('-'))
        .is_some_and(|(direction, number)| {
            !direction.is_empty()
                && direction.bytes().all(|it| it.is_ascii_lowercase())
                && !number.is_empty()
                && number.bytes().all(|it| it.is_ascii_digit())
        })
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}
