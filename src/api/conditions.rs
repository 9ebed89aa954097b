//! Conditions as kstatus reads them: Ready, Reconciling, Stalled, and one of image policies; each with
//! one reason of a closed set. They are written for people and for `kubectl wait`; nothing of ours reads them to decide.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One observation of the object's state, in Kubernetes' own form.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Ready (everything the spec asks for is in place), Reconciling (work is under way, or a call
    /// is retried), Stalled (a person has to act) or, on an ImageAdmissionPolicy,
    /// AdmissionReachable (the API server reaches the operator about new pods).
    #[serde(rename = "type")]
    #[schemars(with = "String", length(max = 63))]
    pub type_: ConditionType,
    /// "True", "False" or "Unknown".
    #[schemars(with = "String", length(max = 7))]
    pub status: ConditionStatus,
    /// One word that says why, for example NotGranted.
    #[schemars(with = "String", length(max = 63))]
    pub reason: Reason,
    /// A sentence that says what happened and what to do about it.
    #[schemars(length(max = 4096))]
    pub message: String,
    /// When the status last changed.
    pub last_transition_time: Time,
    /// The metadata.generation that this condition was computed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
}

/// The condition types; there are no others.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum ConditionType {
    /// Everything that the spec asks for is in place.
    Ready,
    /// Work is under way, or a call is retried.
    Reconciling,
    /// No retry helps: a person has to act.
    Stalled,
    /// The API server reaches us about new pods: on image policies in force.
    AdmissionReachable,
    /// Written by a version that knows more types.
    #[serde(other)]
    Other,
}

/// Kubernetes' three-valued truth.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not.
    False,
    /// Not known (yet).
    Unknown,
}

/// Why a condition or a target is as it is. Closed: dashboards and metrics count by these words.
/// The schema has them as text, so that a definition older than the operator refuses no status.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Reason {
    /// All is as the spec asks.
    Succeeded,
    /// Being brought about.
    Progressing,
    /// Nothing differs, and nothing would be written: this cluster only observes.
    Observed,
    /// This cluster only observes, and something differs.
    Drifted,
    /// `spec.suspend` is set: nothing is read or written.
    Suspended,
    /// The spec says something that AWS or this API does not allow.
    InvalidSpec,
    /// An `EnvironmentAccount` of that name does not exist.
    EnvironmentNotFound,
    /// The environment exists and is not usable yet.
    EnvironmentNotReady,
    /// Something else that the spec names does not exist.
    ReferenceNotFound,
    /// The environment grants this to no namespace like this one.
    NotGranted,
    /// Somebody else owns or claims the same thing.
    Conflict,
    /// It exists, nobody owns it, and adoption was not asked for.
    NotAdopted,
    /// ECR cannot change it after creation.
    Immutable,
    /// It does not exist, and this cluster only observes.
    Missing,
    /// The credentials belong to another account than the declared one.
    IdentityMismatch,
    /// AWS, or the API server, denies the call.
    AccessDenied,
    /// AWS throttles; retried with patience.
    Throttled,
    /// AWS, or the way there, does not answer; retried. Of admission: the API server does not reach us.
    Unreachable,
    /// The API server admits pods without asking us.
    NotCalled,
    /// A quota of the account is exhausted.
    LimitExceeded,
    /// AWS, or the API server, refuses what we send as invalid.
    Rejected,
    /// ECR cannot use the rule's upstream with the given credentials.
    UpstreamRefused,
    /// A role or user that the policy admits was deleted in IAM.
    DanglingPrincipal,
    /// A lifecycle policy would expire more images than its budget allows: it waits for approval.
    LifecycleOverBudget,
    /// A lifecycle policy would take an image that pods use.
    ImageInUse,
    /// The same correction was written again and again: somebody else keeps changing it.
    Contested,
    /// Any other failed call; the message has it.
    Failed,
    /// The object is being deleted.
    Deleting,
    /// Written by a version that knows more reasons.
    #[serde(other)]
    Other,
}

/// Sets one condition in its list, ordered by type. The transition time moves only when the status
/// changes, so that writing the same again changes nothing.
pub fn set(conditions: &mut Vec<Condition>, mut condition: Condition) {
    match conditions.iter_mut().find(|it| it.type_ == condition.type_) {
        Some(old) => {
            if old.status == condition.status {
                condition.last_transition_time = old.last_transition_time.clone();
            }
            *old = condition;
        }
        None => conditions.push(condition),
    }
    conditions.sort_by_key(|it| it.type_);
}

#[cfg(test)]
mod tests;
