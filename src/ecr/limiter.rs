//! How fast one registry is called. AWS publishes no rates for ECR's control plane, so each
//! operation's rate is learned, in a bucket of its own. Who waits is served by priority, then in
//! order of arrival. Dropping a waiting future gives its place up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::operation::Operation;
use bucket::{Bucket, Ticket, Turn};

mod bucket;

/// What a call is for. The first is served first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Priority {
    /// A person edited an object and waits for the effect.
    Edit,
    /// Something that should exist does not.
    Create,
    /// Something drifted.
    Repair,
    /// We only look.
    Sweep,
}

/// The bounds within which the rate of each operation is learned, in calls per second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// The first rate, and how many calls may be made at once after a rest.
    pub start: f64,
    /// The lowest rate, so that recovery is always noticed.
    pub floor: f64,
    /// The highest rate, whatever AWS lets through.
    pub ceiling: f64,
    /// How long one objection stands for those that follow it: the calls that were under way with
    /// it tell nothing new.
    pub hold: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            start: 10.0,
            floor: 0.5,
            ceiling: 50.0,
            hold: Duration::from_secs(2),
        }
    }
}

/// The token buckets of one registry, one for each operation.
#[derive(Debug)]
pub(super) struct Limiter {
    pace: Pace,
    buckets: Mutex<BTreeMap<Operation, Bucket>>,
}

impl Limiter {
    pub(super) fn new(pace: Pace) -> Self {
        let buckets = Mutex::default();
        Self { pace, buckets }
    }

    /// Waits until `operation` may be called.
    pub(super) async fn acquire(&self, operation: Operation, priority: Priority) {
        let (ticket, moved) = self.with(operation, |it, _| it.line_up(priority));
        let place = Place {
            limiter: self,
            operation,
            ticket,
            moved,
        };
        loop {
            match self.with(operation, |it, now| it.turn(ticket, now)) {
                Turn::Now => return,
                Turn::At(instant) => tokio::select! {
                    () = sleep_until(instant) => {}
                    () = place.moved.notified() => {}
                },
                Turn::Later => place.moved.notified().await,
            }
        }
    }

    /// AWS did what was asked.
    pub(super) fn answered(&self, operation: Operation) {
        self.with(operation, |it, _| it.answered());
    }

    /// AWS asked for fewer calls.
    pub(super) fn throttled(&self, operation: Operation) {
        self.with(operation, Bucket::throttled);
    }

    /// The SDK made one more attempt, which is a call like any other.
    pub(super) fn retried(&self, operation: Operation) {
        self.with(operation, |it, _| it.retried());
    }

    /// Whether AWS objected to any operation within the last `window`.
    pub(super) fn was_throttled_within(&self, window: Duration) -> bool {
        let since = |it: &Bucket| it.halved().is_some_and(|at| at.elapsed() < window);
        self.buckets().values().any(since)
    }

    fn with<T>(&self, operation: Operation, act: impl FnOnce(&mut Bucket, Instant) -> T) -> T {
        let now = Instant::now();
        let mut buckets = self.buckets();
        let bucket = buckets
            .entry(operation)
            .or_insert_with(|| Bucket::full(self.pace, now));
        bucket.fill(now);
        act(bucket, now)
    }

    fn buckets(&self) -> MutexGuard<'_, BTreeMap<Operation, Bucket>> {
        // A panic elsewhere leaves counters, not a broken invariant.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the line of one operation, given up when dropped.
struct Place<'a> {
    limiter: &'a Limiter,
    operation: Operation,
    ticket: Ticket,
    moved: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.limiter
            .with(self.operation, |it, _| it.leave(self.ticket));
    }
}

#[cfg(test)]
mod tests;
