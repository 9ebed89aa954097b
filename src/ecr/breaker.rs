//! What keeps a region that does not answer from costing anybody a timeout: after a few calls in a
//! row without an answer the registry is not called, and callers are told so at once. After a pause
//! one call is let through to ask; its answer closes the breaker, its silence doubles the pause.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

/// So many calls in a row without an answer open the breaker.
const PATIENCE: u32 = 3;
/// The first pause, and the longest: a region that is back is noticed within a minute.
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The breaker of one registry.
#[derive(Debug)]
pub(super) struct Breaker {
    state: watch::Sender<State>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Closed { unanswered: u32 },
    Open { pause: Duration, next: Next },
}

/// What an open breaker waits for.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// The end of the pause.
    Pause(Instant),
    /// The answer to the one call that asks.
    Answer,
}

/// The registry does not answer at present.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Silent;

impl Breaker {
    pub(super) fn new() -> Self {
        let (state, _) = watch::channel(State::Closed { unanswered: 0 });
        Self { state }
    }

    /// Leave to call, to be settled with what became of the call.
    pub(super) fn pass(&self) -> Result<Pass<'_>, Silent> {
        let mut refused = false;
        let asks = self.state.send_if_modified(|state| {
            refused = state.refuses(Instant::now());
            !refused && state.ask()
        });
        if refused {
            return Err(Silent);
        }
        Ok(Pass {
            breaker: self,
            asks,
            settled: false,
        })
    }

    /// Whether the registry is held to be silent, be it that a call would be let through to ask.
    pub(super) fn is_open(&self) -> bool {
        matches!(*self.state.borrow(), State::Open { .. })
    }

    /// Whether a call would be refused now.
    pub(super) fn refuses(&self) -> bool {
        self.state.borrow().refuses(Instant::now())
    }

    /// Waits until calls are refused.
    pub(super) async fn refused(&self) {
        let mut states = self.state.subscribe();
        states
            .wait_for(|it| it.refuses(Instant::now()))
            .await
            .expect("the sender is ours and outlives this borrow");
    }
}

impl State {
    fn refuses(&self, now: Instant) -> bool {
        match self {
            Self::Closed { .. } => false,
            Self::Open { next, .. } => match next {
                Next::Pause(until) => now < *until,
                Next::Answer => true,
            },
        }
    }

    /// Whether the call that is let through now is the one that asks.
    fn ask(&mut self) -> bool {
        match self {
            Self::Closed { .. } => false,
            Self::Open { next, .. } => {
                *next = Next::Answer;
                true
            }
        }
    }

    /// What one more silence makes of it, when the call was the one that `asked` or not.
    fn unanswered(self, now: Instant, asked: bool) -> Self {
        let open = |pause| Self::Open {
            pause,
            next: Next::Pause(now + pause),
        };
        match self {
            Self::Closed { unanswered } if unanswered + 1 < PATIENCE => Self::Closed {
                unanswered: unanswered + 1,
            },
            Self::Closed { .. } => open(PAUSE),
            Self::Open { pause, .. } if asked => open((pause * 2).min(LONGEST_PAUSE)),
            under_way_when_it_opened @ Self::Open { .. } => under_way_when_it_opened,
        }
    }

    /// The call that asked was given up: the next one asks.
    fn given_up(&mut self, now: Instant) {
        if let Self::Open { next, .. } = self {
            *next = Next::Pause(now);
        }
    }
}

/// Leave to make one call. Dropped unsettled, the call was given up and tells nothing.
#[derive(Debug)]
pub(super) struct Pass<'a> {
    breaker: &'a Breaker,
    /// This is the one call that an open breaker let through.
    asks: bool,
    settled: bool,
}

impl Pass<'_> {
    /// AWS answered, whatever it said.
    pub(super) fn answered(mut self) {
        self.settled = true;
        self.breaker.state.send_if_modified(|state| {
            let news = !matches!(state, State::Closed { unanswered: 0 });
            *state = State::Closed { unanswered: 0 };
            news
        });
    }

    /// AWS did not answer.
    pub(super) fn unanswered(mut self) {
        self.settled = true;
        self.breaker
            .state
            .send_modify(|state| *state = state.unanswered(Instant::now(), self.asks));
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        if self.asks && !self.settled {
            self.breaker
                .state
                .send_modify(|state| state.given_up(Instant::now()));
        }
    }
}

#[cfg(test)]
mod tests;
