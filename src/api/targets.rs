//! Where a spec is to hold: one target per environment and region, and what became of it there.

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
    /// The AWS region.
    #[schemars(length(max = 32))]
    pub region: String,
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
