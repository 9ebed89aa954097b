//! Settings of a repository that an `ImageRepository` and an environment's defaults share.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Toggle, rules, statements::Statement};

/// Which tags of a repository can be moved to another image.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.mode.endsWith('_WITH_EXCLUSION') == \
        (has(self.exclusionFilters) && self.exclusionFilters.size() > 0)")
    .message("give 1 to 5 exclusionFilters with MUTABLE_WITH_EXCLUSION and \
              IMMUTABLE_WITH_EXCLUSION, and none with MUTABLE and IMMUTABLE")
    .field_path(".exclusionFilters"))]
pub struct ImageTagMutability {
    /// MUTABLE (every tag can be moved), IMMUTABLE (none), IMMUTABLE_WITH_EXCLUSION (only those that
    /// match a filter) or MUTABLE_WITH_EXCLUSION (all but those that match a filter).
    pub mode: MutabilityMode,
    /// The tags that the mode excepts: 1 to 5 filters of up to 128 characters, in which * stands for
    /// any text, at most twice. Example: ["latest", "dev-*"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 5), inner(length(min = 1, max = 128)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new(
            "self.all(it, it.matches('^[0-9a-zA-Z._-]*([*][0-9a-zA-Z._-]*){0,2}$'))")
        .message("write letters, digits and . _ - with at most two *, like dev-*"))]
    pub exclusion_filters: Vec<String>,
}

/// ECR's tag mutability.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MutabilityMode {
    /// Every tag can be moved.
    Mutable,
    /// No tag can be moved.
    Immutable,
    /// Every tag can be moved but those that match a filter.
    MutableWithExclusion,
    /// Only tags that match a filter can be moved.
    ImmutableWithExclusion,
}

/// Encryption of a repository's images at rest, which ECR keeps for the repository's life.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!has(self.kmsKey) || self.type != 'AES256'")
    .message("kmsKey goes with type KMS or KMS_DSSE: change the type, or leave the key out")
    .field_path(".kmsKey"))]
pub struct Encryption {
    /// AES256 (keys of Amazon S3; what ECR does if nothing is said), KMS (an AWS KMS key) or KMS_DSSE
    /// (two layers with AWS KMS; AWS GovCloud only).
    #[serde(rename = "type")]
    pub type_: EncryptionType,
    /// The KMS key's ARN, a key of the repository's own region. Default: the account's aws/ecr key.
    /// Keys differ by account, so it is mostly given in overrides. Example:
    /// arn:aws:kms:eu-central-1:333333333333:key/1234abcd-12ab-34cd-56ef-1234567890ab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512))]
    #[x_kube(validation = Rule::new(
            "self.matches('^arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$')")
        .message("write a KMS key's full ARN, like arn:aws:kms:eu-central-1:333333333333:key/1234abcd \
                  (ECR answers with the ARN, so an alias or id could never be compared)"))]
    pub kms_key: Option<String>,
}

/// ECR's encryption types.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum EncryptionType {
    /// Keys of Amazon S3.
    #[serde(rename = "AES256")]
    Aes256,
    /// An AWS KMS key.
    #[serde(rename = "KMS")]
    Kms,
    /// Two layers with AWS KMS.
    #[serde(rename = "KMS_DSSE")]
    KmsDsse,
}

/// Who else may use a repository; written as its repository policy.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Access {
    /// Who may pull: account ids, IAM ARNs or organization ids. The repository's own account needs no
    /// entry where its IAM policies allow it. Example: ["444444444444", "o-abc1234567"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 256)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::principals())]
    pub pull: Vec<String>,
    /// Who may push, which includes to pull: account ids, IAM ARNs or organization ids. Example:
    /// ["arn:aws:iam::444444444444:role/ci"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 256)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::principals())]
    pub push: Vec<String>,
    /// Enabled lets AWS Lambda functions of the repository's own account and of the accounts in pull
    /// use its images. Default: Disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Toggle")] // with Option, the type's own description would be shown
    pub lambda: Option<Toggle>,
    /// Further statements of the repository policy, for what the fields above cannot say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["sid"]))]
    pub statements: Vec<Statement>,
}

/// Names a `LifecyclePolicy`.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecyclePolicyRef {
    /// The LifecyclePolicy's name. Example: keep-30.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
}
