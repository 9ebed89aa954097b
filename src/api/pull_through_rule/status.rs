//! What a `PullThroughRule` shows, and what it records of what was made.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::api::conditions::Condition;
use crate::api::image_repository::Document;
use crate::api::is_zero;
use crate::api::targets::Target;

/// How far the rule is in place.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PullThroughRuleStatus {
    /// The metadata.generation that this status was computed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The prefix of cached images in ECR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 30))]
    pub ecr_repository_prefix: Option<String>,
    /// How many registries have the rule as the spec asks, of how many. Example: 6/6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub targets_ready: Option<String>,
    /// In how many registries ECR could reach the upstream with the rule, of how many. Example: 6/6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub targets_valid: Option<String>,
    /// The imports of spec.prewarm.observed in the present hour, written before they are made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imports: Option<Imports>,
    /// Each registry that the rule is to be in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 272), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["environment", "region"]))]
    pub targets: Vec<Target<RuleRecord>>,
}

/// What was made, written before the calls that make it. ECR's rules and templates bear no tags:
/// ours are those that equal this record.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RuleRecord {
    /// The AWS account of the registry.
    #[schemars(length(max = 12))]
    pub account_id: String,
    /// The prefix in ECR.
    #[schemars(length(max = 30))]
    pub ecr_repository_prefix: String,
    /// The upstream's address.
    #[schemars(length(max = 256))]
    pub upstream_registry_url: String,
    /// The part of the upstream.
    #[schemars(length(max = 30))]
    pub upstream_repository_prefix: String,
    /// SHA-256 of the settings of the repository creation template; absent where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub template_hash: Option<String>,
    /// When ECR first created the rule, by ECR's own clock. A repository below the prefix that is
    /// older was not made by the cache. It stays when the rule is deleted by hand and created again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Whether ECR could reach the upstream with the rule, when it was last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid: Option<bool>,
    /// The repositories that the cache had made already, with spec.retrofit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retrofit: Option<RetrofitRecord>,
    /// What pods use, with spec.prewarm.observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<ObservedRecord>,
    /// Which of spec.prewarm.images were brought into the cache.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 384)))]
    pub prewarmed: Vec<String>,
}

/// Imports of one hour.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Imports {
    /// When the hour began: with its first import.
    pub since: Time,
    /// How many there were.
    #[schemars(range(min = 0, max = 1_000_000), extend("format" = "int32"))]
    pub count: u32,
}

/// How the repositories stand that the cache had made already.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetrofitRecord {
    /// SHA-256 of the settings that all of them were given; absent until they were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub hash: Option<String>,
    /// The documents that were put on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>", length(max = 8), inner(length(max = 63)))]
    pub documents: Vec<Document>,
    /// The keys of the tags that were put on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 128)))]
    pub tag_keys: Vec<String>,
    /// How many are as repositoryTemplate asks.
    #[schemars(range(min = 0, max = 1_000_000), extend("format" = "int32"))]
    pub retrofitted: u32,
    /// How many are not, and cannot be or may not yet be: encryption, or a lifecycle policy that waits.
    #[schemars(range(min = 0, max = 1_000_000), extend("format" = "int32"))]
    pub differing: u32,
    /// How many of these have their lifecycle policy waiting: above its budget, or for pods.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 1_000_000), extend("format" = "int32"))]
    pub held: u32,
    /// In how many of these it would take an image that pods use.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 1_000_000), extend("format" = "int32"))]
    pub in_use: u32,
    /// How many repositories below the prefix bear no owner's mark and no mark of the cache: nothing
    /// proves that the cache made them, so they are left alone.
    #[serde(default, skip_serializing_if = "is_zero")]
    #[schemars(range(min = 0, max = 1_000_000), extend("format" = "int32"))]
    pub unproven: u32,
    /// The first of them, by name. To have one brought in line, tag it with
    /// ecr-operator.dev/cache=PREFIX.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(max = 256)))]
    pub unproven_first: Vec<String>,
    /// How many were not looked at yet.
    #[schemars(range(min = 0, max = 1_000_000), extend("format" = "int32"))]
    pub left: u32,
}

/// How what this cluster's pods use stands in the cache.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObservedRecord {
    /// SHA-256 of what pods used when it was last looked at.
    #[schemars(length(max = 64))]
    pub hash: String,
    /// How many images they use by tag.
    #[schemars(range(min = 0, max = 1_000_000), extend("format" = "int32"))]
    pub used: u32,
    /// How many of these the cache has.
    #[schemars(range(min = 0, max = 1_000_000), extend("format" = "int32"))]
    pub cached: u32,
    /// How many digests they use of repositories of which they use no tag: ECR imports by tag only.
    #[schemars(range(min = 0, max = 1_000_000), extend("format" = "int32"))]
    pub digests: u32,
    /// The image that was asked for last; the next ones follow it in order of name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub last: Option<String>,
    /// Why the upstream did not give the last one that it did not give.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub missed: Option<String>,
}
