//! Who keeps changing the webhook configuration, and how hastily it is put right. Pure: the clock is an
//! argument.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use tokio::time::Instant;

use crate::controllers::driver::MANAGER;

/// Repairs that are older than this are forgotten.
const WINDOW: Duration = Duration::from_hours(1);
/// So many repairs within the window are made at once.
const AT_ONCE: usize = 5;
/// The longest that a repair waits for, however often the configuration is changed.
const LONGEST: Duration = Duration::from_secs(10);

/// The repairs within the last hour.
#[derive(Debug, Default)]
pub(super) struct Contest(VecDeque<(Instant, Option<String>)>);

/// A repair: somebody else had changed or removed what the policies ask for.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Repair {
    /// How many there were within the last hour, with this one.
    pub count: usize,
    /// The field managers that made the changes, as far as the API server tells.
    pub by: BTreeSet<String>,
}

impl Contest {
    /// Takes note of a repair of what `by` had changed.
    pub(super) fn repaired(&mut self, by: Option<String>, now: Instant) -> Repair {
        self.forget(now);
        self.0.push_back((now, by));
        Repair {
            count: self.0.len(),
            by: self.0.iter().filter_map(|(_, by)| by.clone()).collect(),
        }
    }

    /// How long the next repair has to wait: where another controller keeps changing what we write,
    /// neither wins by haste.
    pub(super) fn patience(&mut self, now: Instant) -> Duration {
        self.forget(now);
        let beyond = self.0.len().saturating_sub(AT_ONCE);
        let seconds = u64::try_from(beyond).unwrap_or(u64::MAX);
        Duration::from_secs(seconds).min(LONGEST)
    }

    fn forget(&mut self, now: Instant) {
        while self
            .0
            .front()
            .is_some_and(|(at, _)| now.duration_since(*at) >= WINDOW)
        {
            self.0.pop_front();
        }
    }
}

impl Repair {
    /// Whether this one is reported as an event: those of number 1, 2, 4, 8 and so on.
    pub fn is_reported(&self) -> bool {
        self.count.is_power_of_two()
    }
}

/// The field manager other than ours that changed the webhooks last, and whose change is still there. Whoever
/// installs the object has labels on it, and is not meant.
pub(super) fn editor(fields: &[ManagedFieldsEntry]) -> Option<String> {
    let others = fields
        .iter()
        .filter(|it| it.manager.as_deref() != Some(MANAGER))
        .filter(|it| {
            let fields = it.fields_v1.as_ref();
            fields.is_some_and(|it| it.0.get("f:webhooks").is_some())
        });
    let last = others.max_by_key(|it| it.time.as_ref().map(|it| it.0))?;
    last.manager.clone()
}

#[cfg(test)]
mod tests;
