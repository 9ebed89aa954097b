//! `EnvironmentAccount`: one AWS account that repositories are kept in, and who may use it.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ManagementPolicy;
use super::conditions::{Condition, Reason};
use super::registry::{RegistryRecord, RegistrySettings};
use super::selectors::Selector;
use super::settings::{Access, Encryption, ImageTagMutability, LifecyclePolicyRef};
use super::targets::{Difference, TargetState};
use super::{is_false, rules};

/// The account, its regions, how to reach it and who may use it.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "ecr-operator.dev",
    version = "v1alpha1",
    kind = "EnvironmentAccount",
    plural = "environmentaccounts",
    shortname = "envacct",
    category = "ecr",
    status = "EnvironmentAccountStatus",
    derive = "PartialEq",
    doc = "One AWS account as an environment (dev, stage, prod) that repositories are kept in.",
    printcolumn(name = "Account", type_ = "string", json_path = ".spec.accountId"),
    printcolumn(name = "Region", type_ = "string", json_path = ".spec.region"),
    printcolumn(name = "Management", type_ = "string", json_path = ".spec.managementPolicy"),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(name = "Repositories", type_ = "integer", json_path = ".status.repositories"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Role",
        type_ = "string",
        json_path = ".spec.assumeRole.roleArn",
        priority = 1
    ),
    validation = Rule::new("self.metadata.name.size() <= 63 && !self.metadata.name.contains('.')")
        .message("metadata.name must be one label: at most 63 lower-case letters, digits and hyphens")
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "!has(self.assumeRole) || self.assumeRole.roleArn.contains(':iam::' + self.accountId + ':')")
    .message("the role must be one of the account in accountId: correct one of the two")
    .field_path(".assumeRole.roleArn"))]
#[x_kube(validation = Rule::new(
        "!has(self.assumeRole) || !has(self.assumeRole.readRoleArn) || \
         self.assumeRole.readRoleArn.contains(':iam::' + self.accountId + ':')")
    .message("the role must be one of the account in accountId: correct one of the two")
    .field_path(".assumeRole.readRoleArn"))]
#[x_kube(validation = Rule::new(
        "!has(self.replicaRegions) || !(self.region in self.replicaRegions)")
    .message("the home region in region replicates to others: take it out of replicaRegions")
    .field_path(".replicaRegions"))]
pub struct EnvironmentAccountSpec {
    /// The AWS account, twelve digits. Immutable: make another EnvironmentAccount instead. Nothing is
    /// written before AWS itself has named this account as ours. Example: "333333333333".
    #[schemars(length(max = 12))]
    #[x_kube(validation = rules::account_id())]
    #[x_kube(validation = rules::immutable(
        "accountId is immutable: make another EnvironmentAccount for the other account"))]
    pub account_id: String,
    /// The home region, where repositories are made. Immutable. Example: eu-central-1.
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::region())]
    #[x_kube(validation = rules::immutable(
        "region is immutable: make another EnvironmentAccount for the other region"))]
    pub region: String,
    /// Further regions whose registries belong to the environment: pull-through rules are made there
    /// too, and repositories with replication Enabled are replicated there. Default: none. Example: [us-west-2].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 32)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::regions())]
    pub replica_regions: Vec<String>,
    /// Manage (this cluster creates and corrects what is in the account) or Observe (another cluster
    /// does; here the same objects are only compared and used as rules). Exactly one cluster manages
    /// an account. Default: Manage.
    #[serde(default)]
    pub management_policy: ManagementPolicy,
    /// The IAM role to assume for every call to the account. Default: the operator's own credentials, which
    /// are those of the process that calls.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assume_role: Option<AssumeRole>,
    /// Which namespaces may use the environment, and under which names. Default: none may.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    pub grants: Vec<Grant>,
    /// Whom access to the environment's repositories may be granted to, besides the account itself; an
    /// ImageRepository, a PullThroughRule's repositoryTemplate, a default or a statement in registry
    /// that names anybody else is refused. Default: the accounts of this cluster's
    /// other EnvironmentAccounts, no organization and no further role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_principals: Option<AllowedPrincipals>,
    /// true lets an ImageRepository with deletionPolicy DeleteIfEmpty or Delete delete its repository;
    /// else it is kept whatever the object says. Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub allow_delete: bool,
    /// When a repository that still holds images goes, where its object asked for Delete and
    /// allowDelete is true. Default: a day after its object, if it was not used for 30 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deletion: Option<DeletionTerms>,
    /// Settings for repositories that say nothing of their own, field by field. Default: none, so
    /// that ECR's own defaults stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub defaults: Option<Defaults>,
    /// Roles whose permissions are looked at, when something changes and once a day: what is missing
    /// stands in status.preflight. The operator's own role always is. Default: no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preflight: Option<Preflight>,
    /// Settings of the registries as a whole: scanning, registry policy, account settings, pull-time
    /// exclusions, signing. ECR has one document of each for an account and region; we add our part
    /// to it, and what is taken out of here is taken out of there. When this object is deleted, all
    /// of it stays as it is, replication too: take it out of the spec first. Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<RegistrySettings>,
    /// true stops every call to the account; pods keep being rewritten. Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
}

/// Whom access may be granted to. Each list that is left out is empty.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AllowedPrincipals {
    /// Whole accounts, and so every role and user in them. Example: ["444444444444"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(max = 12)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::account_ids())]
    pub accounts: Vec<String>,
    /// AWS organizations, and so every account in them. Example: [o-abc1234567].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 34)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(it, it.matches('^o-[a-z0-9]{10,32}$'))")
        .message("write ids of organizations, like o-abc1234567; never *"))]
    pub organizations: Vec<String>,
    /// Single roles and users of accounts that are not in accounts, by ARN. Example:
    /// ["arn:aws:iam::444444444444:role/ci"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(min = 1, max = 256)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::principal_arns())]
    pub roles: Vec<String>,
}

/// When a repository goes with its images.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DeletionTerms {
    /// Hours from the deletion of the object, within which making it again cancels the deletion, up to
    /// 8760, by the clocks of AWS and the API server: they count from when both and the operator's own
    /// agree to a minute. So long after this EnvironmentAccount was made nothing is deleted either. 0,
    /// for accounts of previews, leaves no time to cancel. Default: 24.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 8760))]
    pub delay_hours: Option<i64>,
    /// Days within which no image may have been pulled or pushed, 0 to 3650, as ECR records it: pulls
    /// by principals that are excluded from pull-time updates do not count, and others are told up to
    /// a day late. Default: 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 3650))]
    pub unused_days: Option<i64>,
}

/// The IAM role to assume.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AssumeRole {
    /// The role's ARN, in the account of accountId. Its trust policy must allow sts:AssumeRole and
    /// sts:TagSession. Example: arn:aws:iam::333333333333:role/ecr-operator.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = rules::role_arn())]
    pub role_arn: String,
    /// The ARN of a role that images are listed by for admission, in place of roleArn and in the account
    /// of accountId. The pods that serve admission then need no right to write in AWS: trust their AWS
    /// identity here, and not in roleArn. `ecr-operator iam` prints the role. While it cannot be assumed,
    /// images are not known and pods keep the images that they ask for. Default: roleArn. Example:
    /// arn:aws:iam::333333333333:role/ecr-operator-read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    #[x_kube(validation = rules::role_arn())]
    pub read_role_arn: Option<String>,
    /// The external id that the trust policies of both roles ask for, 2 to 1224 characters. Default: the
    /// cluster id and the account, like east/333333333333.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 1224))]
    #[x_kube(validation = Rule::new(r"self.matches(r'^[A-Za-z0-9_+=,.@:/-]*$')")
        .message("write letters, digits and + = , . @ : / - _"))]
    pub external_id: Option<String>,
}

/// What some namespaces may do with the environment.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The namespaces, by their labels; {} means all. Example: {matchLabels: {team: payments}}.
    pub namespace_selector: Selector,
    /// Beginnings of the repository names that they may use, in which {namespace} stands for the
    /// object's own namespace. Only whole words between slashes match: "payments" and "payments/" both
    /// cover payments/api and not payments-old/api. Example: ["{namespace}/"].
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 256)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new(
            "self.all(it, it.matches('^([a-z0-9._/-]|[{]namespace[}])+$') && !it.startsWith('/'))")
        .message("write beginnings of repository names, like shared/ or {namespace}/"))]
    pub repository_prefixes: Vec<String>,
    /// Beginnings of old image names that they may claim with migratesFrom for every pod of the
    /// cluster, in which {namespace} stands for the object's own namespace. Others apply to pods of
    /// the object's own namespace alone. Default: none. Example: ["registry.old.example/{namespace}/"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 512)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new(
            "self.all(it, it.matches('^[A-Za-z0-9.-]+(:[0-9]+)?(/([a-z0-9._/-]|[{]namespace[}])*)?$'))")
        .message("write a registry host and the beginning of a path, like registry.old.example/{namespace}/"))]
    pub source_prefixes: Vec<String>,
}

/// Roles of other people's programs that this environment's images are for. IAM's policy simulator is
/// asked, for which the operator's role needs iam:SimulatePrincipalPolicy on them.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Preflight {
    /// Roles of nodes, which pull: from repositories and from pull-through caches, into which they
    /// also import. Default: none. Example: ["arn:aws:iam::333333333333:role/eks-nodes"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 2048)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::role_arns())]
    pub node_roles: Vec<String>,
    /// Roles of builds, which push. Default: none. Example: ["arn:aws:iam::333333333333:role/ci"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(max = 2048)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::role_arns())]
    pub build_roles: Vec<String>,
}

/// Settings for repositories that say nothing of their own.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Defaults {
    /// Which tags can be moved to another image. Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_tag_mutability: Option<ImageTagMutability>,
    /// Encryption at rest of repositories made from now on. Default: not managed (ECR: AES256).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// The LifecyclePolicy of repositories that name none. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle_policy_ref: Option<LifecyclePolicyRef>,
    /// Who else may use repositories that do not say so themselves. Default: not managed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Resource tags for every repository; one of the repository's own with the same key wins.
    /// Default: none. Example: {cost-center: platform}.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "rules::tags")]
    #[x_kube(validation = rules::tag_keys())]
    pub tags: BTreeMap<String, String>,
}

/// What was found out about the account.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentAccountStatus {
    /// The metadata.generation that this status was computed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The ARN as which AWS knows the operator in this account, from STS GetCallerIdentity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub identity_arn: Option<String>,
    /// How many repositories of the account the ImageRepositories of this cluster ask for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repositories: Option<i64>,
    /// How many repositories wait under a tombstone: their objects are gone, they hold images, and
    /// each is deleted when its time has come and nobody uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tombstones: Option<i64>,
    /// The first ten of them to go.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub next_deletions: Vec<NextDeletion>,
    /// The account's registries, one per region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 17), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["region"]))]
    pub registries: Vec<RegistryStatus>,
    /// What IAM's policy simulator says of the operator's own role and of those of spec.preflight. It
    /// takes in a role's policies, its permissions boundary and the organization's service control
    /// policies without their conditions; resource control policies, session policies and most
    /// resource policies are not known to it. Ready does not depend on it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 33), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["purpose", "role"]))]
    pub preflight: Vec<PreflightStatus>,
}

/// What is known of the permissions of one role.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PreflightStatus {
    /// What the role is for: Operator, Nodes or Builds.
    #[schemars(length(max = 16))]
    pub purpose: String,
    /// The role's ARN.
    #[schemars(length(max = 2048))]
    pub role: String,
    /// Allowed (its policies let it do all that it needs), Missing (something is not) or Unknown
    /// (nothing is known to be missing, and not all is known to be allowed).
    #[schemars(length(max = 16))]
    pub state: String,
    /// The first action that it may not do. Example: ecr:BatchImportUpstreamImage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 128))]
    pub missing_action: Option<String>,
    /// On what, as a policy names it. Example: arn:aws:ecr:eu-central-1:333333333333:repository/quay/*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2048))]
    pub missing_resource: Option<String>,
    /// A policy document with everything that is missing, ready to be pasted as a policy of the role.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32768))]
    pub policy: Option<String>,
    /// A sentence that says what is missing, or why nothing is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 4096))]
    pub message: Option<String>,
}

/// A repository under a tombstone.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NextDeletion {
    /// From when on it may be deleted, as its tag ecr-operator.dev/delete-after says. To put it off,
    /// write a later moment there; an earlier one does not shorten the delay.
    #[schemars(length(max = 256))]
    pub delete_after: String,
    /// The repository's name in ECR.
    #[schemars(length(max = 256))]
    pub repository_name: String,
}

/// One registry of the account.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RegistryStatus {
    /// The AWS region.
    #[schemars(length(max = 32))]
    pub region: String,
    /// The host that images are pulled from, for example
    /// 333333333333.dkr.ecr.eu-central-1.amazonaws.com.
    #[schemars(length(max = 256))]
    pub uri: String,
    /// Pending, Ready, Stopped (a person has to act), Failing (a call failed and is retried) or
    /// Suspended.
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
    /// Where the registry's own settings are not as the specs ask; the first ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub differences: Vec<Difference>,
    /// Repositories whose names begin like one that is replicated, so that they are replicated too
    /// though nobody asked: ECR's filters are beginnings of names. The first ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10), inner(length(max = 256)))]
    pub also_replicated: Vec<String>,
    /// What we put into the registry's own settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<RegistryRecord>,
}
