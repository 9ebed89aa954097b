//! What one registry holds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Encryption, ExclusionFilter, Repository, wildcard};

/// A registry's repositories and its settings.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct Registry {
    /// By name.
    pub(crate) repositories: BTreeMap<String, Repository>,
    /// The registry policy, in ECR's own spelling.
    pub(crate) policy: Option<String>,
    /// Pull-through cache rules by prefix.
    pub(crate) rules: BTreeMap<String, PullThroughRule>,
    /// Repository creation templates by prefix.
    pub(crate) templates: BTreeMap<String, Template>,
    /// The replication configuration's rules.
    pub(crate) replication: Vec<ReplicationRule>,
    /// Replication backfills by id.
    pub(crate) backfills: BTreeMap<String, Backfill>,
    /// The scanning configuration.
    pub(crate) scanning: Scanning,
    /// The signing configuration as it was put.
    pub(crate) signing: Option<Vec<SigningRule>>,
    /// Account settings that were put, by name.
    pub(crate) settings: BTreeMap<String, String>,
    /// Principals whose pulls are not recorded, and since when.
    pub(crate) exclusions: BTreeMap<String, Timestamp>,
    /// When it was last looked through for what is due.
    pub(crate) looked_through: Option<Timestamp>,
}

/// A filter of repositories.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RepositoryFilter {
    /// The pattern or prefix.
    pub(crate) filter: String,
    /// `WILDCARD`, `WILDCARD_MATCH` or `PREFIX_MATCH`.
    pub(crate) filter_type: String,
}

/// A rule of the replication configuration.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationRule {
    /// Where to.
    pub(crate) destinations: Vec<Destination>,
    /// Which repositories; all, where it is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) repository_filters: Vec<RepositoryFilter>,
    /// Whether deletions are replicated too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delete_replication: Option<DeleteReplication>,
}

/// A registry that images are replicated to.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Destination {
    /// Its region.
    pub(crate) region: String,
    /// Its account.
    pub(crate) registry_id: String,
}

/// Whether deletions are replicated.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct DeleteReplication {
    /// They are.
    pub(crate) enabled: bool,
}

/// A replication of the images that were there before the rule.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Backfill {
    /// Where to.
    pub(crate) destination: Destination,
    /// Where it stands, in ECR's words.
    pub(crate) status: String,
    /// When it began.
    pub(crate) started: Timestamp,
    /// When it ended.
    pub(crate) ended: Option<Timestamp>,
    /// What came of each image.
    pub(crate) results: Vec<BackfillResult>,
}

/// What came of one image.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct BackfillResult {
    /// The repository.
    pub(crate) repository: String,
    /// The image.
    pub(crate) digest: String,
    /// Its tag, where it has one.
    pub(crate) tag: Option<String>,
    /// Why it was not replicated.
    pub(crate) failure: Option<String>,
}

/// The scanning configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Scanning {
    /// `BASIC` or `ENHANCED`.
    pub(crate) scan_type: String,
    /// Which repositories are scanned when.
    pub(crate) rules: Vec<ScanningRule>,
}

/// A rule of the scanning configuration.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScanningRule {
    /// `SCAN_ON_PUSH`, `CONTINUOUS_SCAN` or `MANUAL`.
    pub(crate) scan_frequency: String,
    /// Which repositories.
    pub(crate) repository_filters: Vec<RepositoryFilter>,
}

/// A rule of the signing configuration.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SigningRule {
    /// With which profile of AWS Signer.
    pub(crate) signing_profile_arn: String,
    /// Which repositories; all, where it is missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) repository_filters: Vec<RepositoryFilter>,
}

/// What a repository is like that ECR makes by itself.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Template {
    /// The beginning of the names it is for; `ROOT` is all.
    pub(crate) prefix: String,
    /// What people wrote about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    /// At-rest encryption.
    pub(crate) encryption_configuration: Encryption,
    /// Resource tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) tags: BTreeMap<String, String>,
    /// Which tags can be moved.
    pub(crate) image_tag_mutability: String,
    /// Which are excluded from that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) image_tag_mutability_exclusion_filters: Vec<ExclusionFilter>,
    /// The repository policy, in ECR's own spelling.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) repository_policy: Option<String>,
    /// The lifecycle policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) lifecycle_policy: Option<String>,
    /// `PULL_THROUGH_CACHE`, `REPLICATION`, `CREATE_ON_PUSH`.
    pub(crate) applied_for: Vec<String>,
    /// The role that sets tags and keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) custom_role_arn: Option<String>,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// When it was last changed.
    pub(crate) updated: Timestamp,
}

impl Default for Scanning {
    fn default() -> Self {
        Self {
            scan_type: "BASIC".to_owned(),
            rules: Vec::new(),
        }
    }
}

impl RepositoryFilter {
    /// Whether a repository is meant.
    pub(crate) fn selects(&self, name: &str) -> bool {
        match self.filter_type.as_str() {
            "PREFIX_MATCH" => name.starts_with(&self.filter),
            // A filter without a wildcard is looked for anywhere in the name.
            _ if !self.filter.contains('*') => name.contains(&self.filter),
            _ => wildcard(&self.filter, name),
        }
    }
}

/// Whether a repository is meant by any of `filters`; by none of them is all.
pub(crate) fn selected(filters: &[RepositoryFilter], name: &str) -> bool {
    filters.is_empty() || filters.iter().any(|it| it.selects(name))
}

/// A pull-through cache rule.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct PullThroughRule {
    /// The beginning of the names of its repositories; `ROOT` is all.
    pub(crate) prefix: String,
    /// The host of the upstream registry.
    pub(crate) url: String,
    /// What kind of registry that is, in ECR's words.
    pub(crate) upstream: String,
    /// What the names begin with upstream; `ROOT` is nothing.
    pub(crate) upstream_prefix: String,
    /// The secret with the credentials.
    pub(crate) credential: Option<String>,
    /// The role for an upstream that is an ECR registry of another account.
    pub(crate) role: Option<String>,
    /// When it was made.
    pub(crate) created: Timestamp,
    /// When it was last changed.
    pub(crate) updated: Timestamp,
}
