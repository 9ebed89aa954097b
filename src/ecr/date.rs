//! What time it is for AWS, as its answers tell it. Our own clock may be wrong by years; between two
//! answers only the monotonic clock counts, which nobody sets.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use aws_sdk_ecr::primitives::{DateTime, DateTimeFormat};

/// The date of the last answer, and when it came.
#[derive(Debug, Default)]
pub(super) struct Date(Mutex<Option<(SystemTime, Instant)>>);

impl Date {
    /// Takes in the `Date` header of an answer that came at `now`. What is no date is left out.
    pub(super) fn told(&self, header: &str, now: Instant) {
        let date = DateTime::from_str(header, DateTimeFormat::HttpDate);
        let date = date.ok().and_then(|it| SystemTime::try_from(it).ok());
        if let Some(date) = date {
            *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, now));
        }
    }

    /// What time it is for AWS, never later than it is there; `None`: it was not asked anything yet.
    pub(super) fn at(&self, now: Instant) -> Option<SystemTime> {
        let last = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (date, came) = last?;
        let since = now.checked_duration_since(came).unwrap_or(Duration::ZERO);
        date.checked_add(since)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_runs_on_from_the_last_answer() {
        let (date, start) = (Date::default(), Instant::now());
        assert_eq!(date.at(start), None);
        date.told("Tue, 01 Dec 2026 00:00:00 GMT", start);
        date.told("no date", start);
        let later = start + Duration::from_secs(90);
        let at = date.at(later).unwrap();
        let expected = SystemTime::UNIX_EPOCH + Duration::from_secs(1_796_083_200 + 90);
        assert_eq!(at, expected);
        date.told("Mon, 30 Nov 2026 00:00:00 GMT", later);
        assert!(date.at(later).unwrap() < at, "the last answer counts");
    }
}
