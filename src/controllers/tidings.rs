//! Events for people: one for what was done in the world, one for each transition of a condition.

use kube::runtime::events::{Event, EventType};

use crate::api::conditions::{Condition, ConditionStatus, ConditionType};

/// Something happened that needs nobody.
pub fn normal(reason: &str, action: &str, note: &str) -> Event {
    event(EventType::Normal, reason, action, note)
}

/// Something happened that somebody should know.
pub fn warning(reason: &str, action: &str, note: &str) -> Event {
    event(EventType::Warning, reason, action, note)
}

/// The event of a change of Ready or of its reason; none while it stays as it is.
pub fn of_transition(before: &[Condition], after: &[Condition]) -> Option<Event> {
    of_change(ConditionType::Ready, "Reconcile", before, after)
}

/// The event of a change of any condition or of its reason, told as an outcome of `action`.
pub fn of_change(
    type_: ConditionType,
    action: &str,
    before: &[Condition],
    after: &[Condition],
) -> Option<Event> {
    let find = |conditions: &[Condition]| conditions.iter().find(|it| it.type_ == type_).cloned();
    let after = find(after)?;
    let before = find(before);
    if before
        .as_ref()
        .is_some_and(|it| (it.status, it.reason) == (after.status, after.reason))
    {
        return None;
    }
    let reason = format!("{:?}", after.reason);
    Some(match after.status {
        ConditionStatus::True => normal(&reason, action, &after.message),
        ConditionStatus::False | ConditionStatus::Unknown => {
            warning(&reason, action, &after.message)
        }
    })
}

fn event(type_: EventType, reason: &str, action: &str, note: &str) -> Event {
    const LONGEST_NOTE: usize = 1000; // events.k8s.io allows 1 kB
    let note = note.chars().take(LONGEST_NOTE).collect();
    Event {
        type_,
        reason: reason.to_owned(),
        note: Some(note),
        action: action.to_owned(),
        secondary: None,
    }
}
