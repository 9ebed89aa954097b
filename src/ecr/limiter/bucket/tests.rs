use super::*;

/// A bucket on a clock of its own.
struct Run {
    bucket: Bucket,
    began: Instant,
    now: Instant,
}

impl Run {
    fn new(start: f64) -> Self {
        let now = Instant::now();
        let pace = Pace {
            start,
            floor: 1.0,
            ceiling: 64.0,
            hold: Duration::from_secs(2),
        };
        Self {
            bucket: Bucket::full(pace, now),
            began: now,
            now,
        }
    }

    fn advance(&mut self, by: Duration) {
        self.now += by;
        self.bucket.fill(self.now);
    }

    /// Who is first waits for its token; returns how long that took.
    fn wait(&mut self, ticket: Ticket) -> Duration {
        let began = self.now;
        loop {
            match self.bucket.turn(ticket, self.now) {
                Turn::Now => return self.now - began,
                Turn::At(then) => self.advance(then - self.now),
                Turn::Later => panic!("{ticket:?} is not first"),
            }
        }
    }

    fn call(&mut self) -> Duration {
        let (ticket, _) = self.bucket.line_up(Priority::Edit);
        self.wait(ticket)
    }

    /// How many calls are let through without waiting.
    fn at_once(&mut self) -> usize {
        let mut calls = 0;
        loop {
            let (ticket, _) = self.bucket.line_up(Priority::Edit);
            if self.bucket.turn(ticket, self.now) != Turn::Now {
                self.bucket.leave(ticket);
                return calls;
            }
            calls += 1;
        }
    }
}

#[test]
fn a_rested_bucket_lets_a_burst_through_and_then_its_rate() {
    let mut run = Run::new(4.0);
    assert_eq!(run.at_once(), 4);
    let waited: Duration = (0..8).map(|_| run.call()).sum();
    assert!((1.99..2.01).contains(&waited.as_secs_f64()), "{waited:?}");
    run.advance(Duration::from_secs(3600));
    assert_eq!(run.at_once(), 4, "rest does not pile up");
}

#[test]
fn waiters_are_served_by_priority_and_then_in_order() {
    let mut run = Run::new(4.0);
    run.at_once();
    let lined_up = [
        ("sweep 1", Priority::Sweep),
        ("sweep 2", Priority::Sweep),
        ("repair", Priority::Repair),
        ("edit 1", Priority::Edit),
        ("create", Priority::Create),
        ("edit 2", Priority::Edit),
    ];
    let mut waiting = lined_up
        .map(|(who, priority)| (who, run.bucket.line_up(priority).0))
        .to_vec();
    let mut served = Vec::new();
    while !waiting.is_empty() {
        let now = run.now;
        let first = waiting
            .iter()
            .position(|(_, ticket)| run.bucket.turn(*ticket, now) != Turn::Later)
            .unwrap();
        let (who, ticket) = waiting.remove(first);
        run.wait(ticket);
        served.push(who);
    }
    assert_eq!(
        served,
        ["edit 1", "edit 2", "create", "repair", "sweep 1", "sweep 2"]
    );
}

#[test]
fn an_objection_halves_the_rate_once_for_all_calls_that_were_under_way() {
    let mut run = Run::new(16.0);
    for _ in 0..5 {
        run.bucket.throttled(run.now);
    }
    assert_eq!(run.bucket.rate, 8.0);
    assert_eq!(run.at_once(), 0, "the burst is over too");
    run.advance(Duration::from_secs(2));
    run.bucket.throttled(run.now);
    assert_eq!(run.bucket.rate, 4.0);
}

#[test]
fn the_rate_doubles_each_second_until_the_first_objection_and_grows_by_one_after_it() {
    let mut run = Run::new(4.0);
    for _ in 0..4 {
        run.bucket.answered();
    }
    assert_eq!(run.bucket.rate, 8.0);
    run.bucket.throttled(run.now);
    for _ in 0..4 {
        run.bucket.answered();
    }
    assert!((4.8..5.0).contains(&run.bucket.rate), "{}", run.bucket.rate);
}

#[test]
fn the_rate_stays_within_its_bounds() {
    let mut run = Run::new(4.0);
    for _ in 0..1000 {
        run.bucket.answered();
    }
    assert_eq!(run.bucket.rate, 64.0);
    for _ in 0..20 {
        run.bucket.throttled(run.now);
        run.advance(Duration::from_secs(2));
    }
    assert_eq!(run.bucket.rate, 1.0);
}

#[test]
fn a_retry_is_paid_for_like_a_call_and_the_debt_is_bounded() {
    let mut run = Run::new(4.0);
    run.call();
    run.bucket.retried();
    assert_eq!(run.at_once(), 2);
    for _ in 0..100 {
        run.bucket.retried();
    }
    assert!(run.call() < Duration::from_secs(2));
}

/// AWS lets a hard number of calls through each second, and we are not told which: how many of 120
/// seconds' calls are granted, and how many more are asked for in vain.
fn under_a_quota(quota: f64) -> (u32, u32) {
    let mut run = Run::new(10.0);
    let (mut tokens, mut filled) = (quota, run.now);
    let (mut granted, mut refused) = (0, 0);
    while run.now - run.began < Duration::from_secs(120) {
        run.call();
        tokens = (tokens + (run.now - filled).as_secs_f64() * quota).min(quota);
        filled = run.now;
        if tokens >= 1.0 {
            tokens -= 1.0;
            granted += 1;
            run.bucket.answered();
        } else {
            refused += 1;
            run.bucket.throttled(run.now);
        }
    }
    (granted, refused)
}

#[test]
fn an_unknown_quota_is_found_and_used() {
    for quota in [2, 5, 10, 20] {
        let (granted, refused) = under_a_quota(f64::from(quota));
        let possible = 120 * quota;
        assert!(granted >= possible * 9 / 10, "{granted} of {possible}");
        assert!(
            refused <= granted / 2,
            "{refused} refused, {granted} granted"
        );
    }
}
