//! What AWS did not take. The very same call would be refused again, whoever asks for it: a retry, a
//! sweep that sees the difference, an object that was woken. So for a while the answer is known.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::error::{Error, ErrorKind};
use super::repeats::number;

/// A refusal is believed for this long: not quite until the object is patiently tried again, since
/// AWS may have learned of the key, the role or the quota meanwhile.
const BELIEVED: Duration = Duration::from_mins(8);

/// The refusals of one registry, by what was asked of which repository.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<u64, (Error, Instant)>>);

impl Refusals {
    /// Takes in that `change` of `subject` failed, if AWS refused what was asked for and not us.
    pub(super) fn note(&self, subject: &str, change: &impl Debug, error: &Error, now: Instant) {
        if matches!(
            error.kind,
            ErrorKind::InvalidParameter | ErrorKind::LimitExceeded
        ) {
            let mut refusals = self.refusals(now);
            refusals.insert(number(subject, change), (error.clone(), now));
        }
    }

    /// How AWS refused this very `change` of `subject` a while ago.
    pub(super) fn of(&self, subject: &str, change: &impl Debug, now: Instant) -> Option<Error> {
        let refusals = self.refusals(now);
        let (error, _) = refusals.get(&number(subject, change))?;
        Some(error.clone())
    }

    /// Those that are still believed.
    fn refusals(&self, now: Instant) -> MutexGuard<'_, HashMap<u64, (Error, Instant)>> {
        // A panic elsewhere leaves what was known, not a broken invariant.
        let mut refusals = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.retain(|_, (_, at)| now - *at < BELIEVED);
        refusals
    }
}

#[cfg(test)]
mod tests;
