//! `LifecyclePolicy`: checks the rules as ECR would, and shows the document that they come to and
//! how many repositories it applies to. Putting it on a repository is the repository's reconcile.

use jiff::Timestamp;
use kube::{Api, Client, ResourceExt};

use super::condition::{self, Summary, Verdict};
use super::driver::{Done, Reconcile};
use super::outcome::Retry;
use super::{Context, tidings};
use crate::api::LifecyclePolicy;
use crate::api::conditions::Reason;
use crate::api::lifecycle_policy::LifecyclePolicyStatus;
use crate::desired;

impl Reconcile for LifecyclePolicy {
    type Status = LifecyclePolicyStatus;

    fn api(&self, client: &Client) -> Api<Self> {
        Api::all(client.clone())
    }

    fn status(&self) -> Option<&LifecyclePolicyStatus> {
        self.status.as_ref()
    }

    async fn reconcile(&self, cx: &Context) -> Done<LifecyclePolicyStatus> {
        let world = cx.world.load_full();
        let document = desired::lifecycle(self);
        let verdict = match &document {
            Ok(_) => Verdict::ready("policy", Reason::Succeeded),
            Err(stopped) => Verdict::of_stopped("spec", stopped),
        };
        let used = world.repositories_using(&self.name_any()).count();
        let before = self.status.clone().unwrap_or_default();
        let mut conditions = before.conditions.clone();
        let summary = Summary::of(&[verdict]).saying("the rules are valid".to_owned());
        condition::summarise(
            &mut conditions,
            &summary,
            self.metadata.generation,
            Timestamp::now(),
        );
        let events = tidings::of_transition(&before.conditions, &conditions)
            .into_iter()
            .collect();
        let status = LifecyclePolicyStatus {
            observed_generation: self.metadata.generation,
            conditions,
            hash: document.ok().map(|it| it.hash()),
            repositories: i64::try_from(used).ok(),
        };
        Done {
            status: Some(status),
            events,
            retry: Retry::WhenAsked,
        }
    }
}
