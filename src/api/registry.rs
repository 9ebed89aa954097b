//! What an environment asks of its registries as a whole, beside what others ask of them: every
//! setting here is one document per account and region, of which we write our part only.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rules;
use super::statements::StatementCondition;

/// Settings of the environment's registries, one and the same in every region. Whatever somebody else
/// has put into the same documents stays as it is.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistrySettings {
    /// Which images are scanned for vulnerabilities, and when. Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanning: Option<Scanning>,
    /// Statements of the registry policy. Each allows: a statement that denies would hold for every
    /// request to the registry, this operator's and its administrators' too, so there is none.
    /// Statements of others stay; the whole policy has at most 10,240 characters. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["sid"]))]
    pub policy_statements: Vec<RegistryStatement>,
    /// Settings of the account in each region. ECR cannot delete one: a field taken out of here leaves
    /// the value that was put. Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account_settings: Option<AccountSettings>,
    /// IAM roles and users whose pulls do not count as use, so that what they pull (to scan it, or to
    /// warm a cache) does not stay for ever; at most 100 in a registry, those of others included.
    /// Default: none. Example: ["arn:aws:iam::333333333333:role/scanner"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100), inner(length(min = 1, max = 200)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new(
            r"self.all(it, it.matches(r'^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/[A-Za-z0-9_+=,.@/-]+$'))")
        .message("write ARNs of IAM roles and users, like arn:aws:iam::333333333333:role/scanner"))]
    pub pull_time_update_exclusions: Vec<String>,
    /// Which images ECR signs when they are pushed. Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Signing>,
}

/// Our part of the registry scanning configuration.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "!has(self.scanType) || !has(self.rules) || self.rules.all(it, \
         it.scanFrequency != (self.scanType == 'BASIC' ? 'CONTINUOUS_SCAN' : 'MANUAL'))")
    .message("CONTINUOUS_SCAN goes with scanType ENHANCED, and MANUAL with BASIC: change one of the two")
    .field_path(".rules"))]
pub struct Scanning {
    /// BASIC (free of charge) or ENHANCED (Amazon Inspector, charged by image). There is one for the
    /// whole registry; taken out of here it stays as it was put. Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "ScanType")] // with Option, the type's own description would be shown
    pub scan_type: Option<ScanType>,
    /// Which repositories are scanned when. ECR has one rule for each frequency: filters of others in
    /// it stay. Default: none. Example: [{scanFrequency: SCAN_ON_PUSH, repositoryFilters: ["prod-*"]}].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["scanFrequency"]))]
    pub rules: Vec<ScanningRule>,
}

/// How images are scanned.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScanType {
    /// By ECR itself.
    Basic,
    /// By Amazon Inspector.
    Enhanced,
}

/// Repositories that are scanned at the same time.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScanningRule {
    /// SCAN_ON_PUSH, CONTINUOUS_SCAN (with ENHANCED only) or MANUAL (with BASIC only).
    pub scan_frequency: ScanFrequency,
    /// Names of repositories, in which * stands for anything; 1 to 100. One without * is found
    /// anywhere in a name. Example: ["prod-*", "*"].
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 255)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::wildcard_filters())]
    pub repository_filters: Vec<String>,
}

/// When images are scanned.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ScanFrequency {
    /// When they are pushed.
    ScanOnPush,
    /// When they are pushed, and whenever a vulnerability becomes known.
    ContinuousScan,
    /// When somebody asks.
    Manual,
}

/// One statement of the registry policy. It allows; there is no other effect.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryStatement {
    /// The statement's name, unique here: letters and digits, at most 32. In the registry policy it
    /// follows EcrOperator and eight digits that stand for this cluster, which is how a statement is
    /// known as ours. Example: AllowReplication.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = Rule::new("self.matches('^[A-Za-z0-9]+$')")
        .message("write letters and digits"))]
    pub sid: String,
    /// Who may: account ids, IAM ARNs or AWS services. Never "*".
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 256)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::registry_principals())]
    pub principals: Vec<String>,
    /// What they may do, each action in full: a wildcard would let them delete repositories, too.
    /// Example: ["ecr:ReplicateImage", "ecr:CreateRepository"].
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 128)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(it, it.matches('^ecr:[A-Za-z]+$'))")
        .message("write actions of ECR in full, like ecr:ReplicateImage; no wildcards"))]
    pub actions: Vec<String>,
    /// Which repositories it is about, in which * stands for anything. Default: all of the registry.
    /// Example: ["payments/*"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 256)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(it, it.matches('^[a-z0-9*][a-z0-9._/*-]*$'))")
        .message("write names of repositories, like payments/*"))]
    pub repositories: Vec<String>,
    /// When it applies: all conditions must hold. Default: always.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["operator", "key"]))]
    pub conditions: Vec<StatementCondition>,
}

/// Settings of the account in one region.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountSettings {
    /// Who scans with scanType BASIC: AWS_NATIVE. Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BasicScanTypeVersion")]
    // with Option, the type's own description would be shown
    pub basic_scan_type_version: Option<BasicScanTypeVersion>,
    /// What the registry policy is asked about: V2 (every request to ECR). Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "RegistryPolicyScope")]
    // with Option, the type's own description would be shown
    pub registry_policy_scope: Option<RegistryPolicyScope>,
    /// ENABLED lets a push take layers over from another repository of the registry in place of
    /// sending them again. Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "BlobMounting")]
    // with Option, the type's own description would be shown
    pub blob_mounting: Option<BlobMounting>,
}

/// Who scans.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BasicScanTypeVersion {
    /// ECR's own scanner.
    AwsNative,
}

/// What the registry policy is asked about.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum RegistryPolicyScope {
    /// Every request to ECR.
    V2,
}

/// Whether layers are taken over from other repositories.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BlobMounting {
    /// They are.
    Enabled,
    /// They are sent again.
    Disabled,
}

/// Our part of the signing configuration.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Signing {
    /// Which images are signed with which profile; a registry has at most 10 rules, those of others
    /// included.
    #[schemars(length(min = 1, max = 10), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["signingProfileArn"]))]
    pub rules: Vec<SigningRule>,
}

/// Repositories whose images are signed with the same profile.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SigningRule {
    /// The AWS Signer profile. It holds in the registry of its own region, which is one of the
    /// environment's. Example: arn:aws:signer:us-east-1:333333333333:/signing-profiles/images.
    #[schemars(length(min = 1, max = 200))]
    #[x_kube(validation = Rule::new(
            r"self.matches(r'^arn:aws[a-z-]*:signer:[a-z0-9-]+:[0-9]{12}:/signing-profiles/[a-zA-Z0-9_]{2,}$')")
        .message("write a signing profile's ARN, like arn:aws:signer:us-east-1:333333333333:/signing-profiles/images"))]
    pub signing_profile_arn: String,
    /// Names of repositories, in which * stands for anything; 1 to 100. Example: ["*"].
    #[schemars(length(min = 1, max = 100), inner(length(min = 1, max = 255)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::wildcard_filters())]
    pub repository_filters: Vec<String>,
}

/// What we put into the documents of one registry, written before the call that puts it: nothing else
/// is ever taken out of them.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryRecord {
    /// Filters of replication rules, by where they replicate to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 25))]
    pub replication: Vec<FilterRecord>,
    /// Filters of scanning rules, by their frequency.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 25))]
    pub scanning: Vec<FilterRecord>,
    /// Filters of signing rules, by their profile.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 25))]
    pub signing: Vec<FilterRecord>,
    /// Sids of statements of the registry policy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(max = 128)))]
    pub policy_sids: Vec<String>,
    /// Principals whose pulls do not count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 256), inner(length(max = 200)))]
    pub pull_time_update_exclusions: Vec<String>,
}

/// Filters of ours in rules of one key.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FilterRecord {
    /// The registries replicated to, the scan frequency, or the signing profile. Example:
    /// 333333333333/us-west-2.
    #[schemars(length(max = 2048))]
    pub of: String,
    /// The filters.
    #[schemars(length(max = 2500), inner(length(max = 256)))]
    pub filters: Vec<String>,
}
