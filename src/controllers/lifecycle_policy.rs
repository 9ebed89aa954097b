//! `LifecyclePolicy`: checks the rules as ECR would, and shows the document that they come to and
//! what it comes to in all repositories together. Putting it on one is that repository's reconcile.

use jiff::Timestamp;
use kube::{Api, Client, ResourceExt};

use super::Context;
use super::condition::{self, Summary, Verdict};
use super::driver::{Done, Reconcile};
use crate::api::LifecyclePolicy;
use crate::api::conditions::Reason;
use crate::api::lifecycle_policy::LifecyclePolicyStatus;
use crate::desired;

pub mod approvals;
pub mod findings;
pub mod looks;
pub mod released;
pub mod tally;

use approvals::Approvals;
use tally::Tally;

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
        let used = world.repositories_using(&self.name_any()).count();
        let before = self.status.clone().unwrap_or_default();
        let tallies = cx.tallies.load_full();
        let tally = tallies.as_deref().and_then(|it| it.get(&self.name_any()));
        let hashes = document.as_ref().ok();
        let hashes = hashes.map(|it| Hashes::of(self, it.hash(), &cx.approvals));
        let verdict = match &document {
            Ok(_) => judge(&self.name_any(), hashes.as_ref(), tally),
            Err(stopped) => Verdict::of_stopped("spec", stopped),
        };
        let summary = Summary::of(&[verdict]).saying("the rules are valid".to_owned());
        let (generation, now) = (self.metadata.generation, Timestamp::now());
        let (conditions, event) = condition::told(&before.conditions, &summary, generation, now);
        let status = LifecyclePolicyStatus {
            observed_generation: self.metadata.generation,
            conditions,
            hash: hashes.as_ref().map(|it| it.approval.clone()),
            document_hash: hashes.map(|it| it.document),
            repositories: i64::try_from(used).ok(),
            ..totals(before, tallies.is_some(), tally)
        };
        Done::showing(status, event)
    }
}

/// What a policy shows of its document.
struct Hashes {
    document: String,
    /// What a person writes to approve of it where it waits.
    approval: String,
}

impl Hashes {
    fn of(object: &LifecyclePolicy, document: String, approvals: &Approvals) -> Self {
        // Nothing is added up yet: what was shown of the same document stays.
        let shown = || {
            let status = object.status.as_ref()?;
            let hash = status.hash.clone()?;
            (status.document_hash.as_ref() == Some(&document)).then_some(hash)
        };
        let approval = approvals.hash(&object.name_any(), &document);
        Self {
            approval: approval.or_else(shown).unwrap_or_else(|| document.clone()),
            document,
        }
    }
}

/// Ready as far as it waits nowhere.
fn judge(name: &str, hashes: Option<&Hashes>, tally: Option<&Tally>) -> Verdict {
    let (held, in_use) = tally.map_or((0, 0), |it| (it.held, it.in_use));
    if in_use > 0 {
        let message = format!(
            "it would take images in use in {in_use} places, see the ImageRepositories: keep more \
             images"
        );
        return Verdict::stopped("policy", Reason::ImageInUse, &message);
    }
    if held > 0 {
        let hash = hashes.map_or("", |it| &it.approval);
        let message = format!(
            "it would expire more than its budget in {held} places, and is not put there; status.worst and \
             the ImageRepositories say how much. To approve of these places and counts: kubectl patch \
             lifecyclepolicy {name} --type=merge \
             --patch='{{\"spec\":{{\"safety\":{{\"approvedHash\":\"{hash}\"}}}}}}'"
        );
        return Verdict::stopped("policy", Reason::LifecycleOverBudget, &message);
    }
    Verdict::ready("policy", Reason::Succeeded)
}

/// The totals, or those of before where nothing is added up yet.
fn totals(
    before: LifecyclePolicyStatus,
    added_up: bool,
    tally: Option<&Tally>,
) -> LifecyclePolicyStatus {
    if !added_up {
        return before;
    }
    LifecyclePolicyStatus {
        expiring: tally.map(|it| it.expiring),
        transitioning: tally.map(|it| it.transitioning),
        held: tally.map(|it| it.held),
        worst: tally.map(|it| it.worst.clone()).unwrap_or_default(),
        ..LifecyclePolicyStatus::default()
    }
}

#[cfg(test)]
mod tests;
