//! What one registry holds.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Repository;

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
    /// The replication configuration as it was put; `None` is one without rules.
    pub(crate) replication: Option<Value>,
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
