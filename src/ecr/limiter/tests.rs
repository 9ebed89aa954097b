use futures::FutureExt;

use super::*;

const CALL: Operation = Operation::CreateRepository;

fn limiter() -> Limiter {
    Limiter::new(Pace {
        start: 2.0,
        floor: 1.0,
        ceiling: 2.0,
        hold: Duration::from_secs(2),
    })
}

fn at_once(limiter: &Limiter, operation: Operation) -> bool {
    let turn = limiter.acquire(operation, Priority::Edit);
    turn.now_or_never().is_some()
}

#[tokio::test]
async fn operations_do_not_spend_each_others_tokens() {
    let limiter = limiter();
    while at_once(&limiter, CALL) {}
    assert!(at_once(&limiter, Operation::PutLifecyclePolicy));
}

/// If the place were kept, or nobody told, the second would wait for ever.
#[tokio::test]
async fn who_stops_waiting_holds_nobody_up() {
    let limiter = limiter();
    for _ in 0..3 {
        limiter.retried(CALL);
    }
    let mut first = Box::pin(limiter.acquire(CALL, Priority::Edit));
    let mut second = Box::pin(limiter.acquire(CALL, Priority::Sweep));
    assert!(first.as_mut().now_or_never().is_none());
    assert!(second.as_mut().now_or_never().is_none());
    drop(first);
    second.await;
}
