//! `ImageAdmissionPolicy`: says whether the policy is in force, which registry it rewrites to, and
//! whether the API server asks us about new pods at all. The rule table itself is compiled by every
//! replica from the same world.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::{Api, Client, ResourceExt};

use super::condition::{self, Summary, Verdict};
use super::driver::{Done, Reconcile};
use super::{Context, tidings};
use crate::api::ImageAdmissionPolicy;
use crate::api::conditions::{self, Condition, ConditionType, Reason};
use crate::api::image_admission_policy::ImageAdmissionPolicyStatus;
use crate::api::targets::TargetState;
use crate::desired;

pub mod probe;
pub mod reach;

/// What AdmissionReachable is told of, as the action of its events.
const PROBED: &str = "ProbeAdmission";

impl Reconcile for ImageAdmissionPolicy {
    type Status = ImageAdmissionPolicyStatus;

    fn api(&self, client: &Client) -> Api<Self> {
        Api::all(client.clone())
    }

    fn status(&self) -> Option<&ImageAdmissionPolicyStatus> {
        self.status.as_ref()
    }

    async fn reconcile(&self, cx: &Context) -> Done<ImageAdmissionPolicyStatus> {
        let world = cx.world.load_full();
        let registry = desired::admission(self, &world);
        let verdict = match (&registry, cx.checks.refused.load().get(&self.name_any())) {
            (Ok(_), None) => Verdict::ready("policy", Reason::Succeeded),
            (Ok(_), Some(why)) => {
                let message = format!("the API server does not take its webhook: {why}");
                Verdict::stopped("spec", Reason::Rejected, &message)
            }
            (Err(stopped), _) => Verdict::of_stopped("spec", stopped),
        };
        let is_in_force = verdict.state == TargetState::Ready;
        let said = format!("new pods are looked at, mode {:?}", self.spec.mode);
        let before = self.status.clone().unwrap_or_default();
        let summary = Summary::of(&[verdict]).saying(said);
        let (generation, now) = (self.metadata.generation, Timestamp::now());
        let (mut conditions, event) =
            condition::told(&before.conditions, &summary, generation, now);
        self.show_reach(cx, is_in_force, &mut conditions);
        let reached = tidings::of_change(
            ConditionType::AdmissionReachable,
            PROBED,
            &before.conditions,
            &conditions,
        );
        let status = ImageAdmissionPolicyStatus {
            observed_generation: self.metadata.generation,
            conditions,
            registry: registry.ok().map(|it| it.host()),
        };
        Done::showing(status, event.into_iter().chain(reached))
    }
}

impl ImageAdmissionPolicy {
    /// Shows what the last probe came to; before there was one, what stood there stays. Of a policy
    /// that is not in force there is nothing to reach.
    fn show_reach(&self, cx: &Context, is_in_force: bool, conditions: &mut Vec<Condition>) {
        const TYPE: ConditionType = ConditionType::AdmissionReachable;
        if !is_in_force {
            conditions.retain(|it| it.type_ != TYPE);
            return;
        }
        let Some(probed) = cx.checks.admission.load_full() else {
            return;
        };
        let (status, reason, message) = probed.says(&self.name_any());
        let reached = Condition {
            type_: TYPE,
            status,
            reason,
            message,
            last_transition_time: Time(Timestamp::now()),
            observed_generation: self.metadata.generation,
        };
        conditions::set(conditions, reached);
    }
}
