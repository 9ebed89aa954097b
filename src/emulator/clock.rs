//! The emulator's time: runs like the wall clock until somebody moves or stops it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};

/// A clock that can be set, moved and stopped. All times that the emulator shows come from it.
#[derive(Debug)]
pub struct Clock(Mutex<Reading>);

#[derive(Clone, Copy, Debug)]
struct Reading {
    shown: Timestamp,
    taken: Instant,
    stopped: bool,
}

impl Clock {
    /// A clock that shows the wall clock's time.
    pub fn system() -> Self {
        Self::starting_at(Timestamp::now())
    }

    /// A clock that shows `time` now and runs on from there.
    pub fn starting_at(time: Timestamp) -> Self {
        Self(Mutex::new(Reading {
            shown: time,
            taken: Instant::now(),
            stopped: false,
        }))
    }

    /// What the clock shows.
    pub fn now(&self) -> Timestamp {
        self.reading().shows()
    }

    /// Sets the clock to `time`.
    pub fn set(&self, time: Timestamp) {
        let mut reading = self.reading();
        *reading = Reading {
            shown: time,
            taken: Instant::now(),
            ..*reading
        };
    }

    /// Moves the clock by `step`, back where it is negative. A step beyond the calendar is ignored.
    pub fn advance(&self, step: SignedDuration) {
        let mut reading = self.reading();
        let shown = reading.shows();
        *reading = Reading {
            shown: shown.checked_add(step).unwrap_or(shown),
            taken: Instant::now(),
            ..*reading
        };
    }

    /// Stops the clock where it stands; it can still be set and moved.
    pub fn stop(&self) {
        let mut reading = self.reading();
        *reading = Reading {
            shown: reading.shows(),
            taken: Instant::now(),
            stopped: true,
        };
    }

    /// Lets a stopped clock run again.
    pub fn run(&self) {
        let mut reading = self.reading();
        *reading = Reading {
            shown: reading.shows(),
            taken: Instant::now(),
            stopped: false,
        };
    }

    fn reading(&self) -> MutexGuard<'_, Reading> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reading {
    fn shows(&self) -> Timestamp {
        if self.stopped {
            return self.shown;
        }
        SignedDuration::try_from(self.taken.elapsed())
            .ok()
            .and_then(|it| self.shown.checked_add(it).ok())
            .unwrap_or(self.shown)
    }
}
