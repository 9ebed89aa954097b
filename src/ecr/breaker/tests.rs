use futures::FutureExt;

use super::*;

/// The state that an open breaker is in, and when it opened.
fn open() -> (State, Instant) {
    let now = Instant::now();
    let mut state = State::Closed { unanswered: 0 };
    for _ in 0..PATIENCE {
        assert!(!state.refuses(now));
        state = state.unanswered(now, false);
    }
    assert!(state.refuses(now));
    (state, now)
}

#[test]
fn after_the_pause_one_call_asks_and_the_others_are_still_refused() {
    let (mut state, now) = open();
    assert!(state.refuses(now + PAUSE / 2));
    assert!(!state.refuses(now + PAUSE));
    assert!(state.ask());
    assert!(state.refuses(now + PAUSE), "only one asks");
}

#[test]
fn the_pause_doubles_up_to_its_bound_while_nobody_answers() {
    let (mut state, mut now) = open();
    for expected in [5, 10, 20, 30, 30] {
        let pause = Duration::from_secs(expected);
        assert!(state.refuses(now + pause - Duration::from_millis(1)));
        assert!(!state.refuses(now + pause));
        now += pause;
        assert!(state.ask());
        state = state.unanswered(now, true);
    }
}

#[test]
fn a_call_that_was_under_way_when_it_opened_changes_nothing() {
    let (mut state, now) = open();
    state = state.unanswered(now, false);
    assert!(!state.refuses(now + PAUSE));
}

#[test]
fn a_call_that_asked_and_was_given_up_lets_the_next_one_ask() {
    let (mut state, now) = open();
    let then = now + PAUSE;
    assert!(state.ask());
    state.given_up(then);
    assert!(!state.refuses(then));
}

#[test]
fn an_answer_between_silences_keeps_it_closed() {
    let breaker = Breaker::new();
    for _ in 0..10 {
        for _ in 1..PATIENCE {
            breaker.pass().unwrap().unanswered();
        }
        breaker.pass().unwrap().answered();
    }
    assert!(breaker.pass().is_ok());
    assert!(!breaker.is_open());
}

#[tokio::test]
async fn who_waits_when_it_opens_is_told() {
    let breaker = Breaker::new();
    let mut told = Box::pin(breaker.refused());
    assert!(told.as_mut().now_or_never().is_none());
    for _ in 0..PATIENCE {
        breaker.pass().unwrap().unanswered();
    }
    told.await;
    assert!(breaker.is_open());
}
