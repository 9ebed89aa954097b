//! `LifecyclePolicy`: which images of a repository expire or are archived, in ECR's words.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::Condition;

/// The rules. All are evaluated together, and applied in order of priority.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "ecr-operator.dev",
    version = "v1alpha1",
    kind = "LifecyclePolicy",
    plural = "lifecyclepolicies",
    shortname = "ecrlcp",
    category = "ecr",
    status = "LifecyclePolicyStatus",
    derive = "PartialEq",
    doc = "Which images of a repository expire or are archived; repositories name it by lifecyclePolicyRef.",
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
    printcolumn(
        name = "Repositories",
        type_ = "integer",
        json_path = ".status.repositories"
    ),
    printcolumn(name = "Expiring", type_ = "integer", json_path = ".status.expiring"),
    printcolumn(name = "Held", type_ = "integer", json_path = ".status.held"),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Hash",
        type_ = "string",
        json_path = ".status.hash",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct LifecyclePolicySpec {
    /// Up to 50 rules, each with a priority of its own. Changing them changes every repository that
    /// names the policy; ECR acts within 24 hours, and expired images cannot be had back.
    #[schemars(length(min = 1, max = 50), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["priority"]))]
    #[x_kube(validation = Rule::new(
            "self.all(any, any.selection.tagStatus != 'any' || self.all(it, \
             it.priority <= any.priority || \
             (has(it.selection.storageClass) && it.selection.storageClass == 'archive') != \
             (has(any.selection.storageClass) && any.selection.storageClass == 'archive')))")
        .message("a rule with tagStatus any takes what all others of its storageClass left: give it \
                  the highest priority number"))]
    pub rules: Vec<LifecycleRule>,
    /// What has to hold before the rules are put on a repository that may have images: ECR previews
    /// there what they would do. Best effort: other clusters and services are not seen.
    #[serde(default)]
    pub safety: LifecycleSafety,
}

/// What has to hold before rules are put on a repository.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleSafety {
    /// The most images of a repository that may expire without approval, of a hundred; above it the
    /// rules are held there (LifecycleOverBudget). 0 to 100. Default: 20.
    #[serde(default = "twenty")]
    #[schemars(range(min = 0, max = 100))]
    pub max_expiring_percent: i64,
    /// The most images of a repository that may expire without approval; above it the rules are held
    /// there too. Default: 500.
    #[serde(default = "five_hundred")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub max_expiring_images: i64,
    /// Rules that would expire or archive an image that pods of this cluster use are never put. If
    /// they are in force already, looked for once a day: Warn says so (ImageInUse), Suspend takes them
    /// off as well, and they stay off until this spec is edited. Default: Warn.
    #[serde(default)]
    pub protect_in_use: ProtectInUse,
    /// The value of status.hash, to approve of these rules in the repositories where they are held for
    /// their budget, for as many images as record.lifecycle.toApprove of each says. A repository that
    /// joins, more images and edited rules have another hash: they are held and ask again. What is in
    /// force already stays in force. Default: nothing approved.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(validation = Rule::new("self.matches('^([0-9a-f]{64})?$')")
        .message("copy status.hash, 64 hexadecimal digits, or leave it empty"))]
    pub approved_hash: String,
}

impl Default for LifecycleSafety {
    fn default() -> Self {
        Self {
            max_expiring_percent: twenty(),
            max_expiring_images: five_hundred(),
            protect_in_use: ProtectInUse::default(),
            approved_hash: String::new(),
        }
    }
}

fn twenty() -> i64 {
    20
}

fn five_hundred() -> i64 {
    500
}

/// What becomes of rules in force that would take an image in use.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum ProtectInUse {
    /// They stay, and a person is told.
    #[default]
    Warn,
    /// They are taken off until a person edits the policy.
    Suspend,
}

/// One rule: which images, and what becomes of them.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "self.selection.countType != 'sinceImagePulled' || self.action.type == 'transition'")
    .message("sinceImagePulled goes with action transition only: choose another countType to expire")
    .field_path(".action.type"))]
#[x_kube(validation = Rule::new(
        "self.selection.countType != 'sinceImageTransitioned' || (self.action.type == 'expire' && \
         has(self.selection.storageClass) && self.selection.storageClass == 'archive' && \
         self.selection.countNumber >= 90)")
    .message("sinceImageTransitioned expires archived images after 90 days or more: give action \
              expire, storageClass archive and a countNumber of at least 90"))]
pub struct LifecycleRule {
    /// The rule's place: lower numbers are applied first. Unique in the policy. Example: 10.
    #[schemars(range(min = 1, max = 999_999))]
    pub priority: i64,
    /// What the rule is for, to be read in the AWS console. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub description: Option<String>,
    /// Which images the rule takes. Example: {tagStatus: any, countType: imageCountMoreThan,
    /// countNumber: 30}.
    pub selection: Selection,
    /// What becomes of them. Example: {type: expire}.
    pub action: Action,
}

/// Which images a rule takes.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "self.tagStatus == 'tagged' ? \
         has(self.tagPatternList) != has(self.tagPrefixList) : \
         !has(self.tagPatternList) && !has(self.tagPrefixList)")
    .message("give one of tagPatternList and tagPrefixList with tagStatus tagged, and none with \
              untagged and any"))]
#[x_kube(validation = Rule::new(
        "!has(self.countUnit) || self.countType != 'imageCountMoreThan'")
    .message("countUnit goes with the since... countTypes: leave it out with imageCountMoreThan")
    .field_path(".countUnit"))]
pub struct Selection {
    /// tagged, untagged or any.
    pub tag_status: TagStatus,
    /// With tagged: patterns with * (at most four each) that must all match the image's tags.
    /// Example: ["prod-*"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 128)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new(
            "self.all(it, it.matches('^[0-9a-zA-Z._-]*([*][0-9a-zA-Z._-]*){0,4}$'))")
        .message("write letters, digits and . _ - with at most four *, like prod-*"))]
    pub tag_pattern_list: Vec<String>,
    /// With tagged: beginnings that must all match the image's tags. Example: ["prod-"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(min = 1, max = 32), inner(length(min = 1, max = 128)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(it, it.matches('^[0-9a-zA-Z._-]+$'))")
        .message("write beginnings of tags: letters, digits and . _ - only"))]
    pub tag_prefix_list: Vec<String>,
    /// How images are counted: imageCountMoreThan (all but the newest countNumber), sinceImagePushed
    /// (older than countNumber days), sinceImagePulled (not pulled for countNumber days; archives
    /// only) or sinceImageTransitioned (archived for countNumber days).
    pub count_type: CountType,
    /// How many images, or days; at least 1. Example: 30.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub count_number: i64,
    /// days, the only unit there is, for the since... countTypes; may be left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_unit: Option<CountUnit>,
    /// Which images are looked at: standard or archive. Default: standard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<StorageClass>,
}

/// What becomes of the images that a rule takes.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.targetStorageClass) == (self.type == 'transition')")
    .message("give targetStorageClass: archive with type transition, and none with expire")
    .field_path(".targetStorageClass"))]
pub struct Action {
    /// expire (they are deleted) or transition (they are archived: pulls fail until they are restored).
    #[serde(rename = "type")]
    pub type_: ActionType,
    /// With transition: archive, the only class there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_storage_class: Option<TargetStorageClass>,
}

/// Whether a rule looks at tagged images.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TagStatus {
    /// Images whose tags match.
    Tagged,
    /// Images without a tag.
    Untagged,
    /// All.
    Any,
}

/// How a rule counts.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CountType {
    /// All but the newest so many.
    ImageCountMoreThan,
    /// Pushed longer ago.
    SinceImagePushed,
    /// Not pulled for longer.
    SinceImagePulled,
    /// Archived for longer.
    SinceImageTransitioned,
}

/// The unit of ages.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CountUnit {
    /// Days.
    Days,
}

/// Where images are kept.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StorageClass {
    /// Ready to be pulled.
    Standard,
    /// Archived.
    Archive,
}

/// Where images can be moved to.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TargetStorageClass {
    /// Archived.
    Archive,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ActionType {
    /// Delete.
    Expire,
    /// Archive.
    Transition,
}

/// The policy's document, and who uses it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecyclePolicyStatus {
    /// The metadata.generation that this status was computed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// What spec.safety.approvedHash approves: SHA-256 of the document, of the repositories that are over
    /// budget, and of how many images may expire in each. Where there is none it equals documentHash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71))]
    pub hash: Option<String>,
    /// SHA-256 of the document in the one form in which it is sent to ECR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub document_hash: Option<String>,
    /// How many ImageRepositories it applies to, by their own reference or an environment's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repositories: Option<i64>,
    /// How many images it would expire in all of them, as each was last previewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiring: Option<i64>,
    /// How many images it would archive in all of them, as each was last previewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transitioning: Option<i64>,
    /// In how many places it waits for a person: over budget, or an image in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<i64>,
    /// Where it would expire most: the first ten.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 10))]
    pub worst: Vec<WorstRepository>,
}

/// What a policy would do in one place.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct WorstRepository {
    /// The ImageRepository, as NAMESPACE/NAME.
    #[schemars(length(max = 320))]
    pub repository: String,
    /// The EnvironmentAccount.
    #[schemars(length(max = 63))]
    pub environment: String,
    /// How many images would expire.
    pub expiring: i64,
    /// Of how many.
    pub images: i64,
}
