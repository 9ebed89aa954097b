//! Looks before a lifecycle policy is put: ECR previews what it would take, and the pods of this
//! cluster say what they use. What that comes to is decided in `domain::lifecycle::safety`.

use crate::api::ImageRepository;
use crate::api::image_repository::LifecycleRecord;
use crate::controllers::lifecycle_policy::findings::Place;
use crate::controllers::{Context, Stop};
use crate::desired::Target;
use crate::domain::lifecycle::safety::{
    Children, Counts, Inventory, Preview, Verdict, indexes_that_matter, judge,
};
use crate::domain::lifecycle::{Document, Safety};
use crate::domain::repository::{Because, Desired, Held, Observed, Plan, Reading, Setting};
use crate::domain::rewrite::Source;
use crate::domain::usage::{Usage, Used};
use crate::ecr;

/// What one look came to.
pub(in crate::controllers) struct Look {
    verdict: Verdict,
    counts: Counts,
}

impl Look {
    /// Whether an image in use would be taken.
    pub(in crate::controllers) fn finds_use(&self) -> bool {
        matches!(self.verdict, Verdict::InUse(_))
    }
}

/// What this cluster's pods use of the target's repository, by its name and by the names that it is
/// migrated from. The claim need not be in force: whoever makes it expects the images to be there.
pub(in crate::controllers) fn used(
    usage: &Usage,
    object: &ImageRepository,
    target: &Target,
) -> Used {
    let sources = object.spec.migrates_from.iter();
    let sources = sources.filter_map(|it| it.parse::<Source>().ok());
    let used = usage.of(&target.registry, &target.desired.name).clone();
    sources.fold(used, |used, it| used.and(usage.of_source(&it)))
}

/// Asks ECR what `document` would do to a repository of which pods use this. `None`: no answer yet.
pub(in crate::controllers) async fn look(
    registry: &ecr::Registry,
    desired: &Desired,
    document: &Document,
    used: &Used,
) -> Result<Option<Look>, ecr::Error> {
    let name = &desired.name;
    let Some(taken) = registry.preview(name, document).await? else {
        return Ok(None);
    };
    let inventory = if taken.is_empty() {
        Inventory::default()
    } else {
        registry.inventory(name).await?
    };
    let indexes = indexes_that_matter(&taken, &inventory, used);
    let children = if indexes.is_empty() {
        Children::new()
    } else {
        registry.children(name, &indexes).await?
    };
    let preview = Preview {
        document: document.clone(),
        taken,
        inventory,
        children,
    };
    Ok(Some(Look {
        verdict: judge(&preview, used, &desired.safety),
        counts: preview.counts(),
    }))
}

/// The plan with its lifecycle policy released or held for good, and how much it would take. What
/// pods use is `None` where that is not known yet.
pub(in crate::controllers) async fn judged(
    registry: &ecr::Registry,
    desired: &Desired,
    used: Option<&Used>,
    plan: Plan,
) -> Result<(Plan, Option<Counts>), ecr::Error> {
    let Some(document) = plan.to_preview() else {
        return Ok((plan, None));
    };
    let Some(used) = used else {
        return Ok((plan.waiting(&Because::UsageNotKnown), None));
    };
    Ok(match look(registry, desired, document, used).await? {
        Some(Look { verdict, counts }) => {
            let plan = plan.judged(&verdict, counts, &desired.safety);
            (plan, Some(counts))
        }
        None => (plan, None),
    })
}

/// Looks again at a policy in force that takes an image in use, or is suspected to, and takes note in
/// `target` of what is found. Gives how much it would take, if it was looked at.
pub(super) async fn look_again(
    cx: &Context,
    registry: &ecr::Registry,
    (object, target): (&ImageRepository, &mut Target),
    known: Option<&Observed>,
) -> Result<Option<Counts>, Stop> {
    let place: Place = (target.registry.clone(), target.desired.name.clone());
    let suspected = target.desired.safety.found.is_some() || cx.findings.is_suspect(&place);
    let Some(document) = in_force(target, known).filter(|_| suspected).cloned() else {
        return Ok(None);
    };
    let Some(usage) = cx.usage.load_full() else {
        return Ok(None);
    };
    let used = used(&usage, object, target);
    let look = look(registry, &target.desired, &document, &used).await;
    let Some(look) = look.map_err(Stop::Failed)? else {
        return Ok(None);
    };
    cx.findings.clear(&place);
    target.desired.safety.found = match look.verdict {
        Verdict::InUse(in_use) => Some(in_use),
        Verdict::Safe | Verdict::OverBudget => None,
    };
    Ok(Some(look.counts))
}

/// The policy that the target asks for, if it is in force there.
pub(in crate::controllers) fn in_force<'a>(
    target: &'a Target,
    known: Option<&Observed>,
) -> Option<&'a Document> {
    match (&target.desired.lifecycle, known.map(|it| &it.lifecycle)) {
        (Setting::Present(desired), Some(Reading::Present(there))) if desired == there => {
            Some(desired)
        }
        // Status says that it was put, and nobody has read it since.
        (Setting::Present(desired), Some(Reading::NotRead)) => Some(desired),
        _ => None,
    }
}

/// What is to be remembered of a target's lifecycle policy: what was found now, else what was found
/// of the same document before.
pub(super) fn record(
    target: &Target,
    held: &[Held],
    counts: Option<Counts>,
    before: Option<LifecycleRecord>,
) -> Option<LifecycleRecord> {
    let Setting::Present(document) = &target.desired.lifecycle else {
        return None;
    };
    let Safety {
        policy,
        revision,
        found,
        approved,
        ..
    } = &target.desired.safety;
    let hash = document.hash();
    let before = before.filter(|it| it.hash == hash);
    let because = held.first().map(|it| &it.because);
    if counts.is_none() && before.is_none() && because.is_none() {
        return None; // put on a new repository: there was nothing to preview
    }
    let before = before.unwrap_or_default();
    let now = counts.map_or(
        (before.images, before.expiring, before.transitioning),
        |it| {
            (
                number(it.images),
                number(it.expiring),
                number(it.transitioning),
            )
        },
    );
    let ask = match (counts, because) {
        (Some(counts), Some(_)) => target.desired.safety.ask(counts).map(number),
        (Some(_), None) | (None, _) => before.to_approve,
    };
    let in_use = match because {
        Some(
            Because::InUse(in_use) | Because::Suspending(in_use) | Because::Suspended(Some(in_use)),
        ) => Some(in_use),
        Some(Because::NotPreviewed | Because::UsageNotKnown) => found.as_ref(),
        Some(Because::OverBudget { .. } | Because::Suspended(None)) => None,
        None => found.as_ref(),
    };
    let suspended = matches!(
        because,
        Some(Because::Suspending(_) | Because::Suspended(_))
    );
    Some(LifecycleRecord {
        policy: policy.clone(),
        hash,
        images: now.0,
        expiring: now.1,
        transitioning: now.2,
        held: because.is_some(),
        in_use: in_use.map(|it| crate::controllers::condition::shortened(&it.0)),
        suspended: suspended.then_some(*revision),
        to_approve: ask,
        approved: approved.map(number),
    })
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
