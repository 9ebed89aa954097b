//! What a `PullThroughRule` shows. Pure: the same ends give the same status, so that nothing is
//! written while nothing happens.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::events::Event;

use super::record::{self, Recorded};
use super::{End, Found, Look, Outcome, Settled};
use crate::api::PullThroughRule;
use crate::api::conditions::Reason;
use crate::api::pull_through_rule::{Imports, PullThroughRuleStatus, RetrofitRecord, RuleRecord};
use crate::api::targets::{Difference as ShownDifference, Target as Row, TargetKey, TargetState};
use crate::controllers::condition::{self, Summary, Verdict};
use crate::controllers::driver::Done;
use crate::controllers::ledger::{self, Ledger};
use crate::controllers::outcome::{self, Retry};
use crate::controllers::{Stop, tidings};
use crate::desired::{CacheTarget, Extent, Placed};
use crate::domain::origin::Created;
use crate::domain::owner;
use crate::domain::pull_through;
use crate::domain::repository::{Difference, Management, Setting};
use crate::domain::template;
use crate::ecr::Validation;

/// The differences that a target shows; more would only push the rest of the status away.
const SHOWN_DIFFERENCES: usize = 10;

/// Said of a cache that never brings some of its tags up to date.
const STOPS_REFRESHES: &str =
    "repositoryTemplate makes tags that cannot be moved, so ECR never refreshes them in the cache";

/// What one reconciliation came to.
pub(super) struct Results {
    /// What became of all that is asked for.
    pub(super) ends: Vec<End>,
    /// What of the hour's budget of imports is spent.
    pub(super) imports: Option<Imports>,
    /// The younger object that this one stops.
    pub(super) stops: Option<String>,
}

/// How a target stands, and when to come back to it.
struct Standing {
    verdict: Verdict,
    retry: Retry,
    result: Result<Settled, Stop>,
}

/// Status, events and next action of one reconciliation. `ledger` is what stands in status.
pub(super) fn done(
    object: &PullThroughRule,
    ledger: Ledger<Recorded>,
    results: Results,
    now: Timestamp,
) -> Done<PullThroughRuleStatus> {
    let Results {
        ends,
        imports,
        stops,
    } = results;
    let before = object.status.clone().unwrap_or_default();
    let mut events: Vec<Event> = ends.iter().flat_map(events_of).collect();
    let stops_refreshes = ends.iter().any(stops_refreshes);
    let asked: Vec<Extent> = ends.iter().map(|it| it.extent.clone()).collect();
    // A cache stays when its rule no longer asks for it, so there is nothing to do for its release.
    let released = ledger.left(&asked).into_iter().map(|(key, _)| key);
    let released: BTreeSet<TargetKey> = released.collect();
    let standings: Vec<ledger::End<Standing>> = ends.into_iter().map(judge).collect();
    let retry = standings.iter().map(|it| it.result.retry).max();
    let verdicts = standings.iter().map(|it| it.result.verdict.clone());
    let verdicts: Vec<Verdict> = verdicts.collect();
    let ledger = ledger.merge(&standings, &released, |key, row, standing| {
        show(row.unwrap_or_else(|| Row::pending(key)), standing)
    });
    let targets = ledger.into_rows();
    let mut summary = Summary::of(&verdicts);
    let unproven = targets.iter().find_map(unproven);
    let stops_refreshes = stops_refreshes.then(|| STOPS_REFRESHES.to_owned());
    let notes: Vec<_> = [stops, unproven, stops_refreshes]
        .into_iter()
        .flatten()
        .collect();
    if !notes.is_empty() {
        let fraction = summary.fraction();
        summary = summary.saying(format!("{fraction} ready; {}", notes.join("; ")));
    }
    let generation = object.metadata.generation;
    let (conditions, event) = condition::told(&before.conditions, &summary, generation, now);
    events.extend(event);
    let records = || {
        targets
            .iter()
            .filter_map(|it: &Recorded| it.record.as_ref())
    };
    let valid = records().filter(|it| it.valid == Some(true)).count();
    let prefix = records().map(|it| it.ecr_repository_prefix.clone()).next();
    let status = PullThroughRuleStatus {
        observed_generation: object.metadata.generation,
        conditions,
        ecr_repository_prefix: prefix.or(before.ecr_repository_prefix),
        targets_ready: Some(summary.fraction()),
        targets_valid: Some(format!("{valid}/{}", targets.len())),
        imports,
        targets,
    };
    Done {
        retry: retry.unwrap_or(Retry::WhenAsked),
        ..Done::showing(status, events)
    }
}

/// Whether status has of this target what plans that change nothing come to.
pub(in crate::controllers) fn shows(
    object: &PullThroughRule,
    target: &CacheTarget,
    (rule, template): (&pull_through::Plan, &template::Plan),
) -> bool {
    let shown = object.target(&target.key());
    let refused = !rule.refusals.is_empty() || !template.refusals.is_empty();
    shown.is_some_and(|it| match (refused, target.desired.management) {
        (true, _) => it.state == TargetState::Stopped,
        (false, Management::Manage) => it.state != TargetState::Stopped || waits(it),
        (false, Management::Observe) => {
            let differences = rule.differences.iter().chain(&template.differences);
            it.state != TargetState::Stopped && it.differences == shown_differences(differences)
        }
    })
}

/// Whether what has stopped is the lifecycle policy of repositories that the cache had made already.
fn waits(shown: &Recorded) -> bool {
    let record = shown.record.as_ref();
    let retrofit = record.and_then(|it| it.retrofit.as_ref());
    retrofit.is_some_and(|it| it.held > 0)
}

fn judge(end: End) -> ledger::End<Standing> {
    let End { extent, result } = end;
    let place = extent.to_string();
    let (verdict, retry) = match &result {
        Ok(Settled { look, outcome }) => match outcome {
            Outcome::Refused => {
                let (reason, message) = refusal(look);
                (Verdict::stopped(&place, reason, &message), Retry::WhenAsked)
            }
            Outcome::Failed(error) => Verdict::of_failure(&place, error),
            Outcome::Settled(found) => of_found(&place, look, found),
        },
        Err(stop) => Verdict::of_stop(&place, stop),
    };
    ledger::End {
        extent,
        result: Standing {
            verdict,
            retry,
            result,
        },
    }
}

fn of_found(place: &str, look: &Look, found: &Found) -> (Verdict, Retry) {
    let failing = |message: &str| {
        let verdict = Verdict::failing(place, Reason::UpstreamRefused, message);
        (verdict, Retry::BackingOff)
    };
    if let Some(Validation::Failed(why)) = &found.validation {
        return failing(&format!("ECR cannot use the upstream: {why}"));
    }
    if let Some(missed) = &found.missed {
        return failing(missed);
    }
    if let Some(waits) = found.retrofit.as_ref().and_then(|it| it.waits.as_ref()) {
        return waits.verdict(place);
    }
    let reason = match (look.target.desired.management, look.differences().count()) {
        (Management::Manage, _) => Reason::Succeeded,
        (Management::Observe, 0) => Reason::Observed,
        (Management::Observe, _) => Reason::Drifted,
    };
    // The next hour has imports of its own.
    let waits = found
        .observed
        .as_ref()
        .is_some_and(|it| it.cached < it.used);
    let retry = if waits {
        Retry::Patiently
    } else {
        Retry::WhenAsked
    };
    (Verdict::ready(place, reason), retry)
}

/// The first reason why nothing was written.
fn refusal(look: &Look) -> (Reason, String) {
    let of_rule = look.rule.refusals.first();
    let of_rule = of_rule.map(|it| (outcome::of_rule_refusal(it), it.to_string()));
    let of_template = look.template.refusals.first();
    let of_template = of_template.map(|it| (outcome::of_template_refusal(it), it.to_string()));
    of_rule
        .or(of_template)
        .expect("a target is refused for a reason")
}

/// A target that could not be looked at keeps what stands in status of it: what was made there is
/// still ours.
fn show(mut row: Recorded, standing: &Standing) -> Recorded {
    let Standing {
        verdict, result, ..
    } = standing;
    row.state = verdict.state;
    row.reason = Some(verdict.reason);
    row.message = (verdict.state != TargetState::Ready).then(|| verdict.message.clone());
    if let Ok(settled) = result {
        row.differences = settled.differences();
        row.record = settled.record(row.record.take());
    }
    row
}

impl Look {
    fn differences(&self) -> impl Iterator<Item = &Difference> {
        self.rule
            .differences
            .iter()
            .chain(&self.template.differences)
    }
}

impl Settled {
    /// What is still not as desired: all that differed, unless the changes have closed it.
    fn differences(&self) -> Vec<ShownDifference> {
        if matches!(self.outcome, Outcome::Settled(_))
            && self.look.target.desired.management == Management::Manage
        {
            return Vec::new();
        }
        shown_differences(self.look.differences())
    }

    /// What stands in status from now on about what is there.
    fn record(&self, before: Option<RuleRecord>) -> Option<RuleRecord> {
        let Outcome::Settled(found) = &self.outcome else {
            return before;
        };
        let Found {
            validation,
            prewarmed,
            missed: _,
            since,
            retrofit,
            observed,
        } = &**found;
        let target = &self.look.target;
        let made = match target.desired.management {
            Management::Manage => record::of(target),
            // Who only observes takes nothing over by saying the same.
            Management::Observe => before.clone().unwrap_or_default(),
        };
        Some(RuleRecord {
            since: earliest(*since, before.as_ref().and_then(|it| it.since.clone())),
            valid: validation.as_ref().map(|it| *it == Validation::Valid),
            prewarmed: prewarmed.clone(),
            retrofit: retrofit
                .as_ref()
                .map(|it| settings_put(it.record.clone(), before)),
            observed: observed.clone(),
            ..made
        })
    }
}

/// When the rule was created first: one that was deleted by hand and made again has a new moment, and
/// what it had made before is still the cache's.
fn earliest(now: Option<Created>, before: Option<Time>) -> Option<Time> {
    let now = now.and_then(|Created(it)| Timestamp::from_second(it).ok());
    let before = before.map(|it| it.0);
    now.into_iter().chain(before).min().map(Time)
}

fn shown_differences<'a>(all: impl Iterator<Item = &'a Difference>) -> Vec<ShownDifference> {
    all.take(SHOWN_DIFFERENCES)
        .map(|it| ShownDifference {
            field: it.field.to_owned(),
            observed: condition::shortened(&it.observed),
            desired: condition::shortened(&it.desired),
        })
        .collect()
}

/// What was put on repositories stays known until each of them has been given something else.
fn settings_put(now: RetrofitRecord, before: Option<RuleRecord>) -> RetrofitRecord {
    match before.and_then(|it| it.retrofit) {
        Some(before) if now.left > 0 => RetrofitRecord {
            retrofitted: now.retrofitted,
            differing: now.differing,
            held: now.held,
            in_use: now.in_use,
            unproven: now.unproven,
            unproven_first: now.unproven_first,
            left: now.left,
            ..before
        },
        Some(_) | None => now,
    }
}

/// What is left alone below the prefix, for a person.
fn unproven(target: &Recorded) -> Option<String> {
    let record = target.record.as_ref()?;
    let found = record.retrofit.as_ref().filter(|it| it.unproven > 0)?;
    let prefix = &record.ecr_repository_prefix;
    Some(format!(
        "{} repositories in {} are left alone, since nothing proves that the cache made them ({}): \
         tag one with {}={prefix} to have it brought in line",
        found.unproven,
        target.key(),
        found.unproven_first.join(", "),
        owner::CACHE,
    ))
}

fn stops_refreshes(end: &End) -> bool {
    let Ok(settled) = &end.result else {
        return false;
    };
    match &settled.look.target.template.settings {
        Setting::Present(settings) => settings.stops_refreshes(),
        Setting::Absent | Setting::Unmanaged => false,
    }
}

fn events_of(end: &End) -> Vec<Event> {
    let Ok(Settled {
        look,
        outcome: Outcome::Settled(_),
    }) = &end.result
    else {
        return Vec::new();
    };
    let place = format!("in {}", look.target.registry);
    let rule = look
        .makes_the_rule()
        .then(|| tidings::normal("RuleCreated", "CreatePullThroughCacheRule", &place));
    let template = look.template.changes.first().map(|change| {
        let reason = match change {
            template::Change::CreateRepositoryCreationTemplate(_) => "TemplateCreated",
            template::Change::UpdateRepositoryCreationTemplate(_) => "TemplateUpdated",
            template::Change::DeleteRepositoryCreationTemplate(_) => "TemplateDeleted",
        };
        tidings::normal(reason, change.operation(), &place)
    });
    rule.into_iter().chain(template).collect()
}
