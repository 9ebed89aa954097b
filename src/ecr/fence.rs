//! The fence at the end of a leader's term: after it, this process changes nothing. The lease moves
//! it with each renewal, and every write compares it with the clock right before it is sent. A
//! process that was stopped in the middle of its work and goes on beside a new leader sends nothing.

use std::ops::Add;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_ecr::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_ecr::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_smithy_runtime_api::box_error::BoxError;
use rustix::time::{ClockId, clock_gettime};

use super::calls::operation;
use super::operation::Operation;

/// The time since the machine has started. It neither jumps nor goes back, whatever somebody does to
/// the wall clock, and on Linux it goes on while the machine is suspended, which
/// [`std::time::Instant`] does not.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Uptime(Duration);

impl Uptime {
    /// The uptime at this moment.
    pub fn now() -> Self {
        #[cfg(target_os = "linux")]
        const CLOCK: ClockId = ClockId::Boottime;
        #[cfg(not(target_os = "linux"))]
        const CLOCK: ClockId = ClockId::Monotonic;
        let now = clock_gettime(CLOCK);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanoseconds = u32::try_from(now.tv_nsec).unwrap_or_default();
        Self(Duration::new(seconds, nanoseconds))
    }

    fn milliseconds(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl Add<Duration> for Uptime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

/// Until when this process may write. It is closed at first: who never leads never writes.
#[derive(Debug, Default)]
pub struct Fence {
    /// Milliseconds of [`Uptime`]; at 0 it is closed.
    until: AtomicU64,
}

impl Fence {
    /// A fence that never closes, for a process that nobody else writes beside.
    pub fn always_open() -> Self {
        Self {
            until: AtomicU64::new(u64::MAX),
        }
    }

    /// Lets writes pass until this moment.
    pub fn open_until(&self, until: Uptime) {
        self.until.store(until.milliseconds(), Ordering::SeqCst);
    }

    /// Lets no write pass from now on.
    pub fn close(&self) {
        self.until.store(0, Ordering::SeqCst);
    }

    /// Lets a write pass, or says that it must not be sent.
    ///
    /// # Errors
    /// When the term is over, or never began.
    pub fn pass(&self) -> Result<(), TermOver> {
        if Uptime::now().milliseconds() < self.until.load(Ordering::SeqCst) {
            Ok(())
        } else {
            Err(TermOver)
        }
    }
}

/// A write was not sent, since this process does not hold the lease.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("not sent: this replica does not hold the lease, or no longer")]
pub struct TermOver;

/// Stops every attempt of a changing operation that the fence does not let pass. It sits in all
/// clients, as late as the SDK allows: behind the wait for a turn, credentials and signing, and again
/// before each retry.
#[derive(Debug)]
pub(super) struct Fenced(pub(super) Arc<Fence>);

impl Intercept for Fenced {
    fn name(&self) -> &'static str {
        "Fenced"
    }

    fn read_before_transmit(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // An operation that the closed list does not have is not known to change nothing.
        if operation(config).is_none_or(Operation::changes) {
            self.0.pass()?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
