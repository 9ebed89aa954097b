//! `ImageAdmissionPolicy`: says whether the policy is in force and which registry it rewrites to. The
//! rule table itself is compiled by every replica from the same world.

use jiff::Timestamp;
use kube::{Api, Client};

use super::condition::{self, Summary, Verdict};
use super::driver::{Done, Reconcile};
use super::outcome::Retry;
use super::{Context, tidings};
use crate::api::ImageAdmissionPolicy;
use crate::api::conditions::Reason;
use crate::api::image_admission_policy::ImageAdmissionPolicyStatus;
use crate::desired;

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
        let verdict = match &registry {
            Ok(_) => Verdict::ready("policy", Reason::Succeeded),
            Err(stopped) => Verdict::of_stopped("spec", stopped),
        };
        let said = format!("new pods are looked at, mode {:?}", self.spec.mode);
        let before = self.status.clone().unwrap_or_default();
        let mut conditions = before.conditions.clone();
        let summary = Summary::of(&[verdict]).saying(said);
        condition::summarise(
            &mut conditions,
            &summary,
            self.metadata.generation,
            Timestamp::now(),
        );
        let events = tidings::of_transition(&before.conditions, &conditions)
            .into_iter()
            .collect();
        let status = ImageAdmissionPolicyStatus {
            observed_generation: self.metadata.generation,
            conditions,
            registry: registry.ok().map(|it| it.host()),
        };
        Done {
            status: Some(status),
            events,
            retry: Retry::WhenAsked,
        }
    }
}
