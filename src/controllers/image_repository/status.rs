//! What an `ImageRepository` shows. Pure: the same ends give the same status, so that nothing is
//! written while nothing happens.

use std::collections::BTreeSet;

use jiff::Timestamp;
use kube::runtime::events::Event;

use super::record::{self, Recorded};
use super::replica::Unreplicated;
use super::{Others, Release, Results, Settled, guard};
use crate::api::ImageRepository;
use crate::api::conditions::Reason;
use crate::api::image_repository::ImageRepositoryStatus;
use crate::api::targets::{Difference as ShownDifference, Target as Row, TargetState};
use crate::controllers::condition::{self, Summary, Verdict};
use crate::controllers::driver::Done;
use crate::controllers::ledger::{End, Ledger};
use crate::controllers::outcome::{self, Cure, Retry};
use crate::controllers::tidings;
use crate::desired::{Extent, Placed, Target};
use crate::domain::repository::{Change, Desired, Difference, Held, Management, Plan, Refusal};

/// The differences that a target shows; more would only push the rest of the status away.
const SHOWN_DIFFERENCES: usize = 10;

/// How a target stands: what is shown of it, and when to come back to it.
struct Standing {
    verdict: Verdict,
    retry: Retry,
    /// `None`: it was not settled, and what is recorded of it stays.
    settled: Option<Settled>,
}

/// Status, events and next action of one reconciliation.
pub(super) fn done(
    object: &ImageRepository,
    ledger: Ledger<Recorded>,
    results: Results,
    now: Timestamp,
) -> Done<ImageRepositoryStatus> {
    let Results {
        ends,
        releases,
        others: Others { contested, stops },
    } = results;
    let mut released = BTreeSet::new();
    let mut standings: Vec<End<Standing>> = ends.into_iter().map(judge).collect();
    for (key, release) in releases {
        match release {
            Release::Done(_) => drop(released.insert(key)),
            Release::NotYet(why, retry) => standings.push(End {
                result: Standing {
                    verdict: Verdict::failing(&key.to_string(), Reason::Deleting, &why),
                    retry,
                    settled: None,
                },
                extent: Extent::Target(key),
            }),
        }
    }
    let ledger = ledger.merge(&standings, &released, |key, row, standing| {
        show(row.unwrap_or_else(|| Row::pending(key)), standing)
    });
    let retry = standings.iter().map(|it| it.result.retry).max();
    let settled = standings.iter().filter_map(|it| it.result.settled.as_ref());
    let mut events: Vec<Event> = settled.flat_map(events_of).collect();
    let verdicts = standings.iter().map(|it| it.result.verdict.clone());
    let mut verdicts: Vec<Verdict> = verdicts.collect();
    let fraction = Summary::of(&verdicts).fraction();
    verdicts.extend(contested.iter().map(|it| Verdict::of_stopped("pods", it)));
    let mut summary = Summary::of(&verdicts);
    if let Some(stops) = stops {
        summary = summary.saying(format!("{fraction} ready; {stops}"));
    }
    let before = object.status.clone().unwrap_or_default();
    let generation = object.metadata.generation;
    let (conditions, event) = condition::told(&before.conditions, &summary, generation, now);
    events.extend(event);
    let status = ImageRepositoryStatus {
        observed_generation: generation,
        conditions,
        repository_name: repository_name(object, &ledger),
        targets_ready: Some(fraction),
        differences: differences(&ledger),
        targets: ledger.into_rows(),
    };
    Done {
        retry: retry.unwrap_or(Retry::WhenAsked),
        ..Done::showing(status, events)
    }
}

/// Status of an object that is being deleted and has something left in AWS.
pub(super) fn deleting(
    object: &ImageRepository,
    (waiting, retry): (&[String], Retry),
    now: Timestamp,
) -> Done<ImageRepositoryStatus> {
    let before = object.status.clone().unwrap_or_default();
    let message = format!(
        "{}; annotate the object with {}=true to let it go and touch nothing in AWS",
        waiting.join("; "),
        crate::api::ORPHAN,
    );
    let verdict = Verdict::failing("deletion", Reason::Deleting, &message);
    let (summary, generation) = (Summary::of(&[verdict]), object.metadata.generation);
    let (conditions, event) = condition::told(&before.conditions, &summary, generation, now);
    let status = ImageRepositoryStatus {
        observed_generation: generation,
        conditions,
        ..before
    };
    Done {
        retry,
        ..Done::showing(status, event)
    }
}

fn judge(end: super::End) -> End<Standing> {
    let End { extent, result } = end;
    let place = extent.to_string();
    let (verdict, retry) = match &result {
        Ok(settled) => {
            let Settled {
                target,
                held,
                refusals,
                differences,
                unreplicated,
                ..
            } = settled;
            let about = (refusals.as_slice(), held.as_slice(), differences.as_slice());
            verdict(&place, &target.desired, about, unreplicated.as_ref())
        }
        Err(stop) => Verdict::of_stop(&place, stop),
    };
    End {
        extent,
        result: Standing {
            verdict,
            retry,
            settled: result.ok(),
        },
    }
}

fn verdict(
    place: &str,
    desired: &Desired,
    (refusals, held, differences): (&[Refusal], &[Held], &[Difference]),
    unreplicated: Option<&Unreplicated>,
) -> (Verdict, Retry) {
    if let Some(refusal) = refusals.first() {
        let (reason, message) = outcome::of_refusal(refusal);
        let retry = outcome::retry_of_refusal(refusal);
        return (Verdict::stopped(place, reason, &message), retry);
    }
    if let Some(held) = held.first() {
        let (reason, cure, retry, message) = outcome::of_held(&held.because, desired);
        let verdict = match cure {
            Cure::Time => Verdict::failing(place, reason, &message),
            Cure::Person => Verdict::stopped(place, reason, &message),
        };
        return (verdict, retry);
    }
    if let Some(unreplicated) = unreplicated {
        return (unreplicated.verdict(place), Retry::WhenAsked);
    }
    let reason = match (desired.management, differences.is_empty()) {
        (Management::Manage, _) => Reason::Succeeded,
        (Management::Observe, true) => Reason::Observed,
        (Management::Observe, false) => Reason::Drifted,
    };
    (Verdict::ready(place, reason), Retry::WhenAsked)
}

/// Whether status has of this target what `plan`, which changes nothing, comes to, and whether it
/// says what is known to be in the way of its replicas.
pub(in crate::controllers) fn shows(
    object: &ImageRepository,
    target: &Target,
    plan: &Plan,
    unreplicated: Option<&Unreplicated>,
) -> bool {
    let Plan {
        changes: _,
        held,
        refusals,
        differences,
    } = plan;
    let about = (refusals.as_slice(), held.as_slice(), differences.as_slice());
    let (verdict, _) = verdict("", &target.desired, about, unreplicated);
    object.target(&target.key()).is_some_and(|it| {
        let state = (it.state, it.reason) == (verdict.state, Some(verdict.reason));
        // What was previewed is looked at again in its own time, not whenever somebody sweeps.
        let waits = plan.to_preview().is_some_and(|document| {
            let shown = it.record.as_ref().and_then(|it| it.lifecycle.as_ref());
            shown.is_some_and(|it| it.held && it.hash == document.hash())
        });
        (state || waits) && it.differences == shown_differences(differences)
    })
}

fn show(mut shown: Recorded, standing: &Standing) -> Recorded {
    let Standing {
        verdict, settled, ..
    } = standing;
    shown.state = verdict.state;
    shown.reason = Some(verdict.reason);
    shown.message = (verdict.state != TargetState::Ready).then(|| verdict.message.clone());
    if let Some(settled) = settled {
        show_settled(&mut shown, settled);
    }
    shown
}

fn show_settled(shown: &mut Recorded, settled: &Settled) {
    let Settled {
        target,
        held,
        counts,
        refusals,
        differences,
        ..
    } = settled;
    let name = &target.desired.name;
    shown.arn = Some(target.arn());
    shown.uri = Some(format!("{}/{name}", target.registry.host()));
    shown.differences = shown_differences(differences);
    let settled = refusals.is_empty() && held.is_empty();
    if settled && target.desired.management == Management::Manage {
        let before = shown.record.take().and_then(|it| it.lifecycle);
        shown.record = Some(record::of(&target.desired));
        if let Some(record) = &mut shown.record {
            record.lifecycle = before;
        }
    }
    if let Some(record) = &mut shown.record {
        record.lifecycle = guard::record(target, held, *counts, record.lifecycle.take());
    }
}

fn shown_differences(differences: &[Difference]) -> Vec<ShownDifference> {
    let shown = differences.iter().take(SHOWN_DIFFERENCES);
    shown
        .map(|it| ShownDifference {
            field: it.field.to_owned(),
            observed: condition::shortened(&it.observed),
            desired: condition::shortened(&it.desired),
        })
        .collect()
}

/// The fields that differ, for one cell of a table.
fn differences(ledger: &Ledger<Recorded>) -> Option<String> {
    let of = |it: &Recorded| {
        let fields: BTreeSet<&str> = it.differences.iter().map(|it| it.field.as_str()).collect();
        let fields: Vec<&str> = fields.into_iter().collect();
        (!fields.is_empty()).then(|| format!("{}: {}", it.environment, fields.join(", ")))
    };
    let parts: Vec<String> = ledger.rows().filter_map(of).collect();
    (!parts.is_empty()).then(|| condition::shortened(&parts.join("; ")))
}

fn repository_name(object: &ImageRepository, ledger: &Ledger<Recorded>) -> Option<String> {
    let made = ledger
        .rows()
        .find_map(|it| it.uri.as_deref()?.split_once('/'));
    made.map(|(_, name)| name.to_owned())
        .or_else(|| object.spec.repository_name.clone())
}

fn events_of(settled: &Settled) -> Vec<Event> {
    let place = &settled.target.registry;
    let name = &settled.target.desired.name;
    let mut events: Vec<Event> = Vec::new();
    if settled.made_again {
        events.push(tidings::warning(
            "RepositoryMadeAgain",
            "CreateRepository",
            &format!("{name} was gone from {place} and was created again: it is EMPTY now, its images have to be pushed again"),
        ));
    } else if let Some(Change::CreateRepository(_)) = settled.done.first() {
        events.push(tidings::normal(
            "RepositoryCreated",
            "CreateRepository",
            &format!("{name} in {place}"),
        ));
    } else if !settled.done.is_empty() {
        let calls: Vec<&str> = settled.done.iter().map(Change::operation).collect();
        events.push(tidings::normal(
            "RepositoryUpdated",
            calls[0],
            &format!("{name} in {place}: {}", calls.join(", ")),
        ));
    }
    events
}
