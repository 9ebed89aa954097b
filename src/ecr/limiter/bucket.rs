//! The rate of one operation and the line of those who wait for it. The rate doubles each second of
//! use until AWS first objects, as TCP's slow start does; each objection halves it, and after the
//! first it grows by one a second. The clock is an argument.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Pace, Priority};

/// A place in the line: by priority, then by arrival.
pub(super) type Ticket = (Priority, u64);

/// One operation of one registry.
#[derive(Debug)]
pub(super) struct Bucket {
    pace: Pace,
    rate: f64,
    /// Calls that may be made now; below zero when retries have spent what is still to come.
    tokens: f64,
    filled: Instant,
    halved: Option<Instant>,
    arrivals: u64,
    waiting: BTreeMap<Ticket, Arc<Notify>>,
}

/// What a place in the line comes to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// The call may be made; the place is given up.
    Now,
    /// It is first, and the next token is due then.
    At(Instant),
    /// Others are before it.
    Later,
}

impl Bucket {
    pub(super) fn full(pace: Pace, now: Instant) -> Self {
        Self {
            pace,
            rate: pace.start,
            tokens: pace.start,
            filled: now,
            halved: None,
            arrivals: 0,
            waiting: BTreeMap::new(),
        }
    }

    /// Adds what was earned since it was last filled.
    pub(super) fn fill(&mut self, now: Instant) {
        let earned = now.duration_since(self.filled).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + earned).min(self.pace.start);
        self.filled = now;
    }

    /// A place in the line, and what tells when it has become the first.
    pub(super) fn line_up(&mut self, priority: Priority) -> (Ticket, Arc<Notify>) {
        self.arrivals += 1;
        let ticket = (priority, self.arrivals);
        let moved = Arc::new(Notify::new());
        self.waiting.insert(ticket, moved.clone());
        (ticket, moved)
    }

    /// Takes a token if `ticket` is the first in the line and there is one.
    pub(super) fn turn(&mut self, ticket: Ticket, now: Instant) -> Turn {
        const NEARLY_ONE: f64 = 1.0 - 1e-6; // what rounding leaves of one
        if self.waiting.keys().next() != Some(&ticket) {
            return Turn::Later;
        }
        if self.tokens < NEARLY_ONE {
            let missing = (1.0 - self.tokens) / self.rate;
            return Turn::At(now + Duration::from_secs_f64(missing));
        }
        self.tokens -= 1.0;
        self.leave(ticket);
        Turn::Now
    }

    /// Gives a place up, and tells the one who is first now.
    pub(super) fn leave(&mut self, ticket: Ticket) {
        if self.waiting.remove(&ticket).is_some()
            && let Some(first) = self.waiting.values().next()
        {
            first.notify_one();
        }
    }

    pub(super) fn answered(&mut self) {
        let step = match self.halved {
            None => 1.0,
            Some(_) => 1.0 / self.rate,
        };
        self.rate = (self.rate + step).min(self.pace.ceiling);
    }

    pub(super) fn throttled(&mut self, now: Instant) {
        if self.halved.is_none_or(|at| now >= at + self.pace.hold) {
            self.rate = (self.rate / 2.0).max(self.pace.floor);
            self.tokens = self.tokens.min(0.0);
            self.halved = Some(now);
        }
    }

    pub(super) fn retried(&mut self) {
        self.tokens = (self.tokens - 1.0).max(-self.pace.start);
    }

    /// When AWS last objected.
    pub(super) fn halved(&self) -> Option<Instant> {
        self.halved
    }
}

#[cfg(test)]
mod tests;
