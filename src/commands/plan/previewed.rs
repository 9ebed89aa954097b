//! What is known of a lifecycle policy before it is put: ECR's preview of it as status tells of it. This
//! command starts none: a repository has one preview at a time, and the operator's own may be under way.

use super::report::Refused;
use crate::api::conditions::Reason;
use crate::api::image_repository::LifecycleRecord;
use crate::api::{ImageRepository, PullThroughRule};
use crate::desired::{CacheTarget, Placed, Target};
use crate::domain::lifecycle::Safety;
use crate::domain::lifecycle::safety::{Budget, Counts, InUse, Verdict, recall};
use crate::domain::repository::{Plan, Setting};

/// The last preview of the very document that is to be put.
pub(super) struct Previewed {
    counts: Counts,
    in_use: Option<InUse>,
}

/// What status tells of the target's lifecycle policy.
pub(super) fn of(object: &ImageRepository, target: &Target) -> Option<Previewed> {
    let Setting::Present(document) = &target.desired.lifecycle else {
        return None;
    };
    let shown = object.target(&target.key())?;
    let record = shown.record.as_ref()?.lifecycle.as_ref()?;
    let LifecycleRecord {
        policy: _,
        hash,
        images,
        expiring,
        transitioning,
        held: _,
        in_use,
        suspended: _,
        to_approve: _,
        approved: _,
    } = record;
    let count = |number: i64| usize::try_from(number).unwrap_or_default();
    (*hash == document.hash()).then(|| Previewed {
        counts: Counts {
            images: count(*images),
            expiring: count(*expiring),
            transitioning: count(*transitioning),
        },
        in_use: in_use.clone().map(InUse),
    })
}

/// The plan with its lifecycle policy held, if it was when it was last previewed. One that was not is
/// previewed again before it is put.
pub(super) fn hold(plan: Plan, safety: &Safety, previewed: Option<&Previewed>) -> Plan {
    let (Some(_), Some(previewed)) = (plan.to_preview(), previewed) else {
        return plan;
    };
    let Previewed { counts, in_use } = previewed;
    match recall(*counts, in_use.clone(), safety) {
        Verdict::Safe => plan,
        verdict @ (Verdict::OverBudget | Verdict::InUse(_)) => {
            plan.judged(&verdict, *counts, safety)
        }
    }
}

/// What becomes of a lifecycle policy that nobody has previewed yet.
pub(super) fn to_be(safety: &Safety) -> String {
    let approved = match safety.approval {
        Some(_) => ", unless spec.safety.approvedHash covers it",
        None => "",
    };
    let Budget { percent, images } = safety.budget;
    format!(
        "ECR previews it first: it is held where more than {percent} % or {images} images would \
         expire{approved}, or an image that pods use would go"
    )
}

/// Why a lifecycle policy waits in what the cache had made already, as status tells of the template
/// that is to be there.
pub(super) fn waits(object: &PullThroughRule, target: &CacheTarget) -> Option<Refused> {
    let shown = object.target(&target.key())?;
    let record = shown.record.as_ref()?;
    let is_of_it = record.template_hash == target.template_hash();
    let held = record.retrofit.as_ref().is_some_and(|it| it.held > 0);
    (is_of_it && held).then(|| Refused {
        field: Some("retrofit"),
        reason: shown.reason.unwrap_or(Reason::LifecycleOverBudget),
        message: shown.message.clone().unwrap_or_default(),
        counts: None,
    })
}
