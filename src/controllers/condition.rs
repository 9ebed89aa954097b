//! From how each target stands to the three conditions that an object shows. Pure.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::runtime::events::Event;

use super::outcome::{self, Cure, Retry};
use super::{Stop, tidings};
use crate::api::conditions::{self, Condition, ConditionStatus, ConditionType, Reason};
use crate::api::targets::TargetState;
use crate::desired::Stopped;
use crate::ecr;

/// The longest text in a status field that is not made for documents.
const LONGEST_TEXT: usize = 1000;

/// How one target, or the object as a whole, stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Verdict {
    /// Where, for a person: `prod/eu-central-1`.
    pub place: String,
    /// The state to show on the target.
    pub state: TargetState,
    /// Why.
    pub reason: Reason,
    /// What happened and what to do about it.
    pub message: String,
}

impl Verdict {
    /// All is as it should be.
    pub fn ready(place: &str, reason: Reason) -> Self {
        Self::new(place, TargetState::Ready, reason, String::new())
    }

    /// A person has to act.
    pub fn stopped(place: &str, reason: Reason, message: &str) -> Self {
        Self::new(place, TargetState::Stopped, reason, shortened(message))
    }

    /// It is tried again.
    pub fn failing(place: &str, reason: Reason, message: &str) -> Self {
        Self::new(place, TargetState::Failing, reason, shortened(message))
    }

    /// A person asked that nothing be done.
    pub fn suspended(place: &str, message: &str) -> Self {
        Self::new(
            place,
            TargetState::Suspended,
            Reason::Suspended,
            shortened(message),
        )
    }

    /// What a state that is not an error comes to.
    pub fn of_stopped(place: &str, stopped: &Stopped) -> Self {
        match stopped.reason {
            Reason::Suspended => Self::suspended(place, &stopped.to_string()),
            reason => Self::stopped(place, reason, &stopped.to_string()),
        }
    }

    /// What a failed call comes to, and when to try again.
    pub fn of_failure(place: &str, error: &ecr::Error) -> (Self, Retry) {
        let (reason, cure, retry) = outcome::of_error(error.kind);
        let verdict = match cure {
            Cure::Time => Self::failing(place, reason, &error.to_string()),
            Cure::Person => Self::stopped(place, reason, &error.to_string()),
        };
        (verdict, retry)
    }

    /// What a target that was not settled comes to, and when to try again.
    pub fn of_stop(place: &str, stop: &Stop) -> (Self, Retry) {
        match stop {
            Stop::Stopped(stopped) => (Self::of_stopped(place, stopped), Retry::WhenAsked),
            Stop::Failed(error) => Self::of_failure(place, error),
            Stop::Unconfirmed(_) => {
                let verdict = Self::failing(place, Reason::Progressing, &stop.to_string());
                (verdict, Retry::BackingOff)
            }
        }
    }

    fn new(place: &str, state: TargetState, reason: Reason, message: String) -> Self {
        Self {
            place: place.to_owned(),
            state,
            reason,
            message,
        }
    }
}

/// All verdicts of an object in one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Summary {
    ready: usize,
    of: usize,
    /// The worst verdict, if any is not ready.
    worst: Option<Verdict>,
    reason: Reason,
    message: String,
}

impl Summary {
    /// The summary of `verdicts`. An object with none has nothing to be ready.
    pub fn of(verdicts: &[Verdict]) -> Self {
        let ready = verdicts
            .iter()
            .filter(|it| it.state == TargetState::Ready)
            .count();
        let worst = verdicts
            .iter()
            .filter(|it| it.state != TargetState::Ready)
            .max_by_key(|it| severity(it.state));
        let fraction = format!("{ready} of {}", verdicts.len());
        let (reason, message) = match worst {
            Some(it) if verdicts.len() == 1 => (it.reason, it.message.clone()),
            Some(it) => (
                it.reason,
                format!("{fraction} ready; {}: {}", it.place, it.message),
            ),
            None => {
                let reason = verdicts
                    .iter()
                    .map(|it| it.reason)
                    .max()
                    .unwrap_or(Reason::Succeeded);
                (reason, format!("{fraction} ready"))
            }
        };
        Self {
            ready,
            of: verdicts.len(),
            worst: worst.cloned(),
            reason,
            message,
        }
    }

    /// How many are ready, as the TARGETS column shows it: `2/3`.
    pub fn fraction(&self) -> String {
        format!("{}/{}", self.ready, self.of)
    }

    /// A sentence for Ready in place of the count, where there is something better to say.
    #[must_use]
    pub fn saying(mut self, message: String) -> Self {
        if self.worst.is_none() {
            self.message = message;
        }
        self
    }
}

/// The conditions of an object after those of `before`, and the event of it where Ready or its reason is
/// another: how every reconciliation ends.
pub fn told(
    before: &[Condition],
    summary: &Summary,
    generation: Option<i64>,
    now: Timestamp,
) -> (Vec<Condition>, Option<Event>) {
    let mut conditions = before.to_vec();
    summarise(&mut conditions, summary, generation, now);
    let event = tidings::of_transition(before, &conditions);
    (conditions, event)
}

/// Writes Ready, Reconciling and Stalled as kstatus reads them.
/// <https://github.com/kubernetes-sigs/cli-utils/tree/master/pkg/kstatus>
fn summarise(
    conditions: &mut Vec<Condition>,
    summary: &Summary,
    generation: Option<i64>,
    now: Timestamp,
) {
    let state = summary.worst.as_ref().map(|it| it.state);
    let reconciling = matches!(state, Some(TargetState::Failing | TargetState::Pending));
    let stalled = matches!(state, Some(TargetState::Stopped));
    for (type_, holds) in [
        (ConditionType::Ready, state.is_none()),
        (ConditionType::Reconciling, reconciling),
        (ConditionType::Stalled, stalled),
    ] {
        let tells = holds || type_ == ConditionType::Ready;
        conditions::set(
            conditions,
            Condition {
                type_,
                status: if holds {
                    ConditionStatus::True
                } else {
                    ConditionStatus::False
                },
                reason: if tells {
                    summary.reason
                } else {
                    Reason::Succeeded
                },
                message: if tells {
                    summary.message.clone()
                } else {
                    String::new()
                },
                last_transition_time: Time(now),
                observed_generation: generation,
            },
        );
    }
}

/// `text` cut where status would burst.
pub fn shortened(text: &str) -> String {
    if text.chars().count() <= LONGEST_TEXT {
        return text.to_owned();
    }
    let cut: String = text.chars().take(LONGEST_TEXT - 1).collect();
    format!("{cut}…")
}

fn severity(state: TargetState) -> u8 {
    match state {
        TargetState::Ready | TargetState::Other => 0,
        TargetState::Suspended => 1,
        TargetState::Pending => 2,
        TargetState::Failing => 3,
        TargetState::Stopped => 4,
    }
}

#[cfg(test)]
mod tests;
