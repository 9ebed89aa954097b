//! How often the same write was made lately. Where somebody else undoes what we do, doing it again
//! and again helps nobody and costs both of us; so a repeated write is counted, and whoever applies
//! changes asks here first. Time is kept in two halves, so that nothing is remembered for long.

use std::collections::HashMap;
use std::collections::hash_map::DefaultHasher;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A write is remembered for this long at least, and for twice as long at most.
const HALF: Duration = Duration::from_mins(30);
/// So many identical writes are made in that time, and no more.
const MOST: u8 = 3;

/// The writes of one registry in the last hour, as numbers that stand for what was written where.
#[derive(Debug, Default)]
pub(super) struct Repeats(Mutex<Halves>);

#[derive(Debug, Default)]
struct Halves {
    /// When the current half began; `None` before the first write.
    since: Option<Instant>,
    current: HashMap<u64, u8>,
    previous: HashMap<u64, u8>,
}

impl Repeats {
    /// Takes in that `change` was written to `subject`.
    pub(super) fn note(&self, subject: &str, change: &impl Debug, now: Instant) {
        let mut halves = self.halves(now);
        let count = halves.current.entry(number(subject, change)).or_default();
        *count = count.saturating_add(1);
    }

    /// Whether `change` was written to `subject` as often as it may be.
    pub(super) fn exhausted(&self, subject: &str, change: &impl Debug, now: Instant) -> bool {
        let halves = self.halves(now);
        let number = number(subject, change);
        let in_half = |half: &HashMap<u64, u8>| half.get(&number).copied().unwrap_or_default();
        in_half(&halves.current).saturating_add(in_half(&halves.previous)) >= MOST
    }

    fn halves(&self, now: Instant) -> MutexGuard<'_, Halves> {
        // A panic elsewhere leaves counters, not a broken invariant.
        let mut halves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let age = now - *halves.since.get_or_insert(now);
        if age >= HALF {
            let passed = std::mem::take(&mut halves.current);
            halves.previous = if age < 2 * HALF {
                passed
            } else {
                HashMap::new()
            };
            halves.since = Some(now);
        }
        halves
    }
}

/// A number that two different writes share by accident once in some 10^19 pairs.
pub(super) fn number(subject: &str, change: &impl Debug) -> u64 {
    let mut hasher = DefaultHasher::new();
    subject.hash(&mut hasher);
    format!("{change:?}").hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
