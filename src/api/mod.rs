//! The custom resources, group `ecr-operator.dev`, version `v1alpha1`: wire types only, each kind
//! in its own file. Doc comments here are what `kubectl explain` prints; validation here is what
//! the API server refuses. Nothing in it decides, and it names nothing else of ours.

#![expect(
    unreachable_pub,
    reason = "KubeSchema copies each struct into a function"
)]
#![expect(
    clippy::duplicated_attributes,
    reason = "printer columns are alike in their types"
)]

pub mod conditions;
mod definitions;
pub mod environment_account;
pub mod image_admission_policy;
pub mod image_repository;
pub mod lifecycle_policy;
pub mod pull_through_rule;
pub mod registry;
mod rules;
pub mod selectors;
pub mod settings;
pub mod statements;
pub mod targets;
mod unknown;

pub use definitions::definitions;
pub use environment_account::{EnvironmentAccount, EnvironmentAccountSpec};
pub use image_admission_policy::{ImageAdmissionPolicy, ImageAdmissionPolicySpec};
pub use image_repository::{ImageRepository, ImageRepositorySpec};
pub use lifecycle_policy::{LifecyclePolicy, LifecyclePolicySpec};
pub use pull_through_rule::{PullThroughRule, PullThroughRuleSpec};
pub use unknown::unknown_fields;

/// The API group of every kind.
pub const GROUP: &str = "ecr-operator.dev";
/// Its one version.
pub const VERSION: &str = "v1alpha1";

/// Finalizer: the object stays until what it made in AWS is released.
pub const FINALIZER: &str = "ecr-operator.dev/cleanup";
/// Annotation on a pod: its images as they were written, as JSON from path to reference.
pub const ORIGINAL_IMAGES: &str = "ecr-operator.dev/original-images";
/// Annotation that admission puts on a probe pod: the policies that the replica which answered has
/// rules for, as a JSON list.
pub const ADMISSION_PROBE: &str = "ecr-operator.dev/admission-probe";
/// Annotation: any new value asks for one reconciliation now.
pub const RECONCILE_AT: &str = "ecr-operator.dev/reconcile-at";
/// Annotation: on deletion release the finalizer and touch nothing in AWS.
pub const ORPHAN: &str = "ecr-operator.dev/orphan";
/// Label on a pod or namespace: `"false"` keeps its images as they are.
pub const REWRITE: &str = "ecr-operator.dev/rewrite";

/// Whether something optional is on. An enum and not a boolean: it can grow a third word.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    PartialEq,
    schemars::JsonSchema,
    serde::Deserialize,
    serde::Serialize,
)]
pub enum Toggle {
    /// Off.
    #[default]
    Disabled,
    /// On.
    Enabled,
}

/// Whether this cluster manages an account or a repository, or only looks.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    Eq,
    PartialEq,
    schemars::JsonSchema,
    serde::Deserialize,
    serde::Serialize,
)]
pub enum ManagementPolicy {
    /// Create and correct.
    #[default]
    Manage,
    /// Read and report; write nothing.
    Observe,
}

/// `skip_serializing_if` of booleans that are off unless said otherwise.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields by reference"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

/// `skip_serializing_if` of counts that are mostly none.
#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands fields by reference"
)]
fn is_zero(value: &u32) -> bool {
    *value == 0
}
