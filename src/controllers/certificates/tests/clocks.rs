//! Certificates whose dates are of a clock that was wrong.

use super::*;

/// Both were issued while a clock was 70 days ahead.
#[test]
fn store_from_the_future_is_replaced_in_two_steps() {
    let lifetimes = Lifetimes::default();
    let now = start();
    let future = Store::issue(&names(), now + days(70), &lifetimes).unwrap();
    handshake(&future.bundle(), &future.serving.certificate, now).unwrap_err();
    let first = plan(&future, &names(), Some(now), now, &lifetimes);
    assert_eq!(first, Step::IssueNext);
    let published = future.take(first, &names(), now, &lifetimes).unwrap();
    let second = plan(&published, &names(), None, now, &lifetimes);
    assert_eq!(
        second,
        Step::ShowNext,
        "what is served is worth nothing, so nothing is waited for"
    );
    let healed = published.take(second, &names(), now, &lifetimes).unwrap();
    handshake(&healed.bundle(), &healed.serving.certificate, now).unwrap();
    let third = plan(&healed, &names(), Some(now), now, &lifetimes);
    assert_eq!(third, Step::Wait(now + lifetimes.overlap));
    Store::read(&bytes(&healed)).unwrap();
}

#[test]
fn certificate_from_the_future_is_not_shown_but_issued_again() {
    let lifetimes = Lifetimes::default();
    let ahead = issued().take(Step::IssueNext, &names(), start() + days(70), &lifetimes);
    let step = plan(
        &ahead.unwrap(),
        &names(),
        Some(start()),
        start(),
        &lifetimes,
    );
    assert_eq!(step, Step::IssueNext);
}

/// The next leader's clock may be late by what two clocks that agree with the API server's differ.
#[test]
fn certificates_of_a_clock_slightly_ahead_are_kept() {
    let lifetimes = Lifetimes::default();
    let late = start() - SignedDuration::from_mins(2);
    let step = plan(&issued(), &names(), None, late, &lifetimes);
    assert!(matches!(step, Step::Wait(_)), "{step:?}");
    let later = late - SignedDuration::from_secs(1);
    let step = plan(&issued(), &names(), None, later, &lifetimes);
    assert_eq!(step, Step::IssueNext);
}

/// The authority is from the future, and what it has signed is not, as a clock that was set back could make it.
#[test]
fn certificate_is_good_for_no_longer_than_its_authority() {
    let lifetimes = Lifetimes::default();
    let (now, ahead) = (start(), start() + days(70));
    let mut signed = Store::issue(&names(), ahead, &lifetimes).unwrap();
    signed.serving.term.issued = now;
    assert_eq!(signed.served().issued, ahead);
    let shown = shown(&signed).unwrap();
    assert!(
        shown
            .defect(now)
            .is_some_and(|it| it.contains("still to come"))
    );
    assert_eq!(shown.defect(ahead), None);
}

#[test]
fn readiness_ends_at_both_ends_of_a_certificate() {
    let shown = shown(&issued()).unwrap();
    for (when, good) in [
        (start() - days(1), false),
        (start(), true),
        (start() + days(80), true),
        (start() + days(82), false),
        (start() + days(91), false),
    ] {
        assert_eq!(shown.defect(when).is_none(), good, "{when}");
    }
}

/// The dates beside a certificate say that it is good now; it is not.
#[test]
fn dates_that_contradict_their_certificate_are_unusable() {
    let lifetimes = Lifetimes::default();
    let mut lying = Store::issue(&names(), start() + days(70), &lifetimes).unwrap();
    lying.serving.term.issued = start();
    assert!(matches!(
        Store::read(&bytes(&lying)),
        Err(Unusable::Untrusted("tls.crt", _))
    ));
    for lie in [
        |term: &mut Term| term.issued -= days(1),
        |term: &mut Term| term.until += days(1),
    ] {
        let mut lying = issued();
        lie(&mut lying.newest.term);
        assert!(matches!(
            Store::read(&bytes(&lying)),
            Err(Unusable::Mismatch(_))
        ));
    }
}
