//! `ImageRepository`: one ECR repository, the same in every environment it names.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ManagementPolicy;
use super::conditions::Condition;
use super::settings::{Access, Encryption, ImageTagMutability, LifecyclePolicyRef};
use super::targets::{Target, TargetKey, find};
use super::{Toggle, is_false, rules};

/// The repository, where it is to exist, and how it is set up there.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "ecr-operator.dev",
    version = "v1alpha1",
    kind = "ImageRepository",
    plural = "imagerepositories",
    namespaced,
    shortname = "ecrrepo",
    category = "ecr",
    status = "ImageRepositoryStatus",
    derive = "PartialEq",
    doc = "One ECR repository, created and kept in step in every environment account it names.",
    printcolumn(
        name = "Repository",
        type_ = "string",
        json_path = ".status.repositoryName"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Targets", type_ = "string", json_path = ".status.targetsReady"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "URI",
        type_ = "string",
        json_path = ".status.targets[0].uri",
        priority = 1
    ),
    printcolumn(
        name = "Differences",
        type_ = "string",
        json_path = ".status.differences",
        priority = 1
    ),
    printcolumn(
        name = "Migrates-From",
        type_ = "string",
        json_path = ".spec.migratesFrom",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = rules::fixed("repositoryName",
    "repositoryName is immutable, since ECR cannot rename a repository: make another ImageRepository"))]
#[x_kube(validation = Rule::new(
        "!has(self.overrides) || self.overrides.all(it, it.environment in self.environments)")
    .message("an override is for one of the object's environments: add it to environments, or \
              take the override out")
    .field_path(".overrides"))]
pub struct ImageRepositorySpec {
    /// The EnvironmentAccounts that the repository is to exist in, each in its home region. Each must
    /// grant the repository's name to the object's namespace. Example: [dev, stage, prod].
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 63)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::environments())]
    pub environments: Vec<String>,
    /// The repository's name in ECR, 2 to 256 characters. It may not lie below the prefix of an older
    /// PullThroughRule of the same environment. Immutable: ECR cannot rename. Default:
    /// NAMESPACE/NAME of this object. Example: payments/api.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 256))]
    #[x_kube(validation = rules::repository_name())]
    pub repository_name: Option<String>,
    /// Which tags can be moved to another image; can be changed at any time. Default: the
    /// environment's default, else not managed. Example: {mode: IMMUTABLE}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_tag_mutability: Option<ImageTagMutability>,
    /// Encryption at rest, set when the repository is made. Immutable: ECR keeps it for life. Default:
    /// the environment's default, else not managed (ECR: AES256). Example: {type: KMS}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::immutable(
        "encryption is immutable, since ECR keeps it for the repository's life: push to a new repository instead"))]
    pub encryption: Option<Encryption>,
    /// true scans every image when it is pushed, false does not; can be changed at any time. Default:
    /// not managed (the registry's own scanning configuration rules).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_on_push: Option<bool>,
    /// The LifecyclePolicy that expires old images. Default: the environment's default, else none.
    /// Example: {name: keep-30}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle_policy_ref: Option<LifecyclePolicyRef>,
    /// Who else may use the repository, written as its whole repository policy. Default: the
    /// environment's default, else not managed. Example: {pull: ["444444444444"]}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Resource tags, up to 47, over those of the environment's defaults. Tags set by others stay.
    /// Keys that start with aws: or ecr-operator.dev/ are reserved, in upper or lower case, as IAM
    /// compares keys. Default: none. Example: {team: payments}.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "rules::tags")]
    #[x_kube(validation = rules::tag_keys())]
    pub tags: BTreeMap<String, String>,
    /// Enabled replicates images that are pushed from now on to every region in the environment's
    /// replicaRegions, where ECR makes a repository of the same name; Disabled does not, and what was
    /// replicated stays. ECR's filters are beginnings of names: repositories whose names begin with
    /// this one's are replicated too, and stand in the environment's status. Default: Disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Toggle")] // with Option, the type's own description would be shown
    pub replication: Option<Toggle>,
    /// Old names of the same images, without tag: pods that name one are rewritten to this repository,
    /// in the object's own namespace, or in all where the environment grants the old name. Default:
    /// none. Example: ["registry.old.example/payments/api"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 512)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new(
            "self.all(it, it.matches('^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9._/-]+$'))")
        .message("write image names without tag and digest, like registry.old.example/payments/api"))]
    pub migrates_from: Vec<String>,
    /// Settings that differ in one environment. A field given here replaces the whole field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["environment"]))]
    pub overrides: Vec<Override>,
    /// Manage (create and correct the repository) or Observe (report how it differs, write nothing).
    /// In an environment that is itself Observe nothing is written either. Default: Manage.
    #[serde(default)]
    pub management_policy: ManagementPolicy,
    /// What to do with a repository of this name that exists and that nobody owns: Never (leave it
    /// alone and say so) or IfUnowned (take it over). One that somebody owns is never taken over, nor
    /// one that a pull-through cache of the registry may have made: it lies below the prefix of a rule
    /// in ECR, is not older than the rule, and bears no tag of an owner. One that this object, or
    /// another of its namespace, released before is taken back whatever this says. Default: Never.
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
    /// What becomes of the repository when this object is deleted: Retain (it stays, and the tag
    /// ecr-operator.dev/released-by takes the place of our owner tags: the same object made again, or
    /// another of its namespace with the same repositoryName, takes it back), DeleteIfEmpty (it is deleted if it holds no image and the environment has allowDelete,
    /// else it stays) or Delete (with images it gets a tombstone, a tag that says from when on it may
    /// be deleted, and is deleted then unless pods here use it or an image was pulled or pushed
    /// lately: see deletion in the EnvironmentAccount; to make the object again cancels it). Its
    /// images are deleted one by one, while a statement in its policy denies to push and to pull, and
    /// then the repository, without force: if an image comes meanwhile, the repository stays.
    /// Default: Retain.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
    /// true stops every call for this object; pods keep being rewritten. Default: false.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
}

impl ImageRepository {
    /// What status has of the target of this key.
    pub fn target(&self, key: &TargetKey) -> Option<&Target<RepositoryRecord>> {
        find(&self.status.as_ref()?.targets, key)
    }
}

/// Settings that differ in one environment.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Override {
    /// The environment, one of spec.environments. Example: prod.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = rules::environment())]
    pub environment: String,
    /// Which tags can be moved to another image, in this environment. Example: {mode: IMMUTABLE}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_tag_mutability: Option<ImageTagMutability>,
    /// Encryption at rest in this environment, set when the repository is made. Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = rules::immutable(
        "encryption is immutable, since ECR keeps it for the repository's life: push to a new repository instead"))]
    pub encryption: Option<Encryption>,
    /// true scans every image when it is pushed, in this environment; false does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scan_on_push: Option<bool>,
    /// The LifecyclePolicy in this environment. Example: {name: keep-100}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle_policy_ref: Option<LifecyclePolicyRef>,
    /// Who else may use the repository in this environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// Whether images are replicated to the replicaRegions of this environment. Example: Enabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Toggle")] // with Option, the type's own description would be shown
    pub replication: Option<Toggle>,
    /// Resource tags in this environment, instead of spec.tags; those of the environment's defaults
    /// stay. Default: spec.tags.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "rules::tags")]
    #[x_kube(validation = rules::tag_keys())]
    pub tags: BTreeMap<String, String>,
}

/// What to do with a repository that exists and that nobody owns.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum AdoptionPolicy {
    /// Leave it alone and say so.
    #[default]
    Never,
    /// Take it over.
    IfUnowned,
}

/// What becomes of the repository when its object is deleted.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum DeletionPolicy {
    /// It stays, without our owner tags.
    #[default]
    Retain,
    /// It is deleted if it is empty and the environment allows it; else it stays.
    DeleteIfEmpty,
    /// It is deleted with its images, after a delay, where the environment allows it and nobody uses
    /// them.
    Delete,
}

/// How far the repository is as the spec asks.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageRepositoryStatus {
    /// The metadata.generation that this status was computed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The repository's name in ECR.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub repository_name: Option<String>,
    /// How many targets are as the spec asks, of how many. Example: 3/3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub targets_ready: Option<String>,
    /// The fields in which AWS is not as the spec asks, by environment; what they are stands on the
    /// targets. Example: prod: imageTagMutability, tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub differences: Option<String>,
    /// Each place where the repository is to exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 272), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["environment", "region"]))]
    pub targets: Vec<Target<RepositoryRecord>>,
}

/// What was put on one repository, so that taking it out of the spec takes it off again.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RepositoryRecord {
    /// The documents that were put: RepositoryPolicy, LifecyclePolicy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<String>", length(max = 8), inner(length(max = 63)))]
    pub documents: Vec<Document>,
    /// SHA-256 of the documents as they were last put: while it is what the spec comes to, they need
    /// not be read again after a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 71))]
    pub documents_hash: Option<String>,
    /// The keys of the resource tags that were put, without the owner tags.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 50), inner(length(max = 128)))]
    pub tag_keys: Vec<String>,
    /// What the lifecycle policy would do here, as it was last previewed: before it was put, or when
    /// it was found to take an image in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<LifecycleRecord>,
}

/// What a lifecycle policy would do to one repository.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct LifecycleRecord {
    /// The LifecyclePolicy.
    #[schemars(length(max = 253))]
    pub policy: String,
    /// The hash of its document, as the policy's status.documentHash.
    #[schemars(length(max = 64))]
    pub hash: String,
    /// Images in the repository, archived ones too; 0 where none would be taken.
    pub images: i64,
    /// How many would expire.
    pub expiring: i64,
    /// How many would be archived.
    pub transitioning: i64,
    /// It is not put, and waits for a person.
    #[serde(default, skip_serializing_if = "is_false")]
    pub held: bool,
    /// An image that would be taken, and the pods that use it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub in_use: Option<String>,
    /// The policy's metadata.generation when it was taken off because of that image: it stays off
    /// until that is another one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended: Option<i64>,
    /// How many images an approval lets expire here at most: what was seen to expire and a tenth of it, at
    /// least ten more. It is part of the policy's status.hash. Absent where the budget was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_approve: Option<i64>,
    /// How many images a person has approved to expire here at most, by rules of this hash. More ask
    /// again. Absent: none was approved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved: Option<i64>,
}

/// A document that hangs on a repository.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Document {
    /// Who may use it.
    RepositoryPolicy,
    /// Which images expire.
    LifecyclePolicy,
    /// Written by a version that knows more documents.
    #[serde(other)]
    Other,
}
