//! Where a spec is to hold: one target per environment and region, and what became of it there.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::Reason;

/// One place where the spec is to hold, and what became of it there. Recorded before the first
/// call, so that a deletion can release what was made even if the spec has become invalid.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Target<Record> {
    /// The EnvironmentAccount.
    #[schemars(length(max = 63))]
    pub environment: String,
    /// The AWS region; empty where it is not known, for example since there is no such
    /// EnvironmentAccount, and nothing was made there.
    // A key of the list, so the API server asks for it in every row.
    #[serde(with = "region")]
    #[schemars(with = "String", length(max = 32))]
    pub region: Option<String>,
    /// Pending (recorded, not reached yet), Ready, Stopped (a person has to act, or something named
    /// is missing), Failing (a call failed and is retried) or Suspended.
    #[schemars(with = "String", length(max = 63))]
    pub state: TargetState,
    /// One word that says why, for example AccessDenied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>", length(max = 63))]
    pub reason: Option<Reason>,
    /// A sentence that says what happened and what to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
    /// The ARN in AWS. Known, and recorded, before the thing is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub arn: Option<String>,
    /// What images are pulled by, without tag, for example
    /// 333333333333.dkr.ecr.eu-central-1.amazonaws.com/payments/api.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub uri: Option<String>,
    /// Where AWS is not as the spec asks; the first ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub differences: Vec<Difference>,
    /// What this operator put there: written before the call that puts it, read to take it back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<Record>,
}

/// Where a target is: what tells its row from all others of the same object.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct TargetKey {
    /// The EnvironmentAccount.
    pub environment: String,
    /// The AWS region; `None`: it is not known.
    pub region: Option<String>,
}

impl TargetKey {
    /// The key of a target in this region.
    pub fn new(environment: &impl ToString, region: &impl ToString) -> Self {
        Self {
            environment: environment.to_string(),
            region: Some(region.to_string()),
        }
    }
}

impl fmt::Display for TargetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.environment)?;
        match &self.region {
            Some(region) => write!(f, "/{region}"),
            None => Ok(()),
        }
    }
}

impl<Record> Target<Record> {
    /// A target of which nothing is known yet.
    pub fn pending(key: TargetKey) -> Self {
        let TargetKey {
            environment,
            region,
        } = key;
        Self {
            environment,
            region,
            state: TargetState::Pending,
            reason: None,
            message: None,
            arn: None,
            uri: None,
            differences: Vec::new(),
            record: None,
        }
    }

    /// Where it is.
    pub fn key(&self) -> TargetKey {
        TargetKey {
            environment: self.environment.clone(),
            region: self.region.clone(),
        }
    }
}

/// The row of `key` among those of a status.
pub fn find<'a, Record>(
    targets: &'a [Target<Record>],
    key: &TargetKey,
) -> Option<&'a Target<Record>> {
    targets.iter().find(|it| it.key() == *key)
}

/// A region that may not be known, on the wire an empty text.
mod region {
    use serde::{Deserialize as _, Deserializer, Serializer};

    #[expect(clippy::ref_option, reason = "what serde calls it with")]
    pub(super) fn serialize<S: Serializer>(
        region: &Option<String>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(region.as_deref().unwrap_or_default())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<String>, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok((!text.is_empty()).then_some(text))
    }
}

/// How a target stands.
#[derive(
    Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize,
)]
pub enum TargetState {
    /// Recorded, not reached yet.
    #[default]
    Pending,
    /// As the spec asks.
    Ready,
    /// A person has to act, or something named is missing.
    Stopped,
    /// A call failed and is retried.
    Failing,
    /// Suspended by the spec of the object or of the environment.
    Suspended,
    /// Written by a version that knows more states.
    #[serde(other)]
    Other,
}

/// One field that is not in AWS as the spec asks.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// The field of the spec.
    #[schemars(length(max = 256))]
    pub field: String,
    /// What AWS has.
    #[schemars(length(max = 1024))]
    pub observed: String,
    /// What the spec asks for.
    #[schemars(length(max = 1024))]
    pub desired: String,
}
