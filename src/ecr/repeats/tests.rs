use std::time::Duration;

use tokio::time::Instant;

use super::Repeats;

/// Three writes of policy A now, then whether a fourth is too many after `later`.
fn check(subject: &str, change: &str, later: Duration, exhausted: bool) {
    let (repeats, now) = (Repeats::default(), Instant::now());
    for _ in 0..3 {
        assert!(!repeats.exhausted("shop/api", &"policy A", now));
        repeats.note("shop/api", &"policy A", now);
    }
    assert_eq!(repeats.exhausted(subject, &change, now + later), exhausted);
}

#[test]
fn the_fourth_identical_write_within_the_hour_is_one_too_many() {
    check("shop/api", "policy A", Duration::ZERO, true);
    check("shop/api", "policy A", Duration::from_mins(29), true);
    check("shop/api", "policy A", Duration::from_mins(31), true);
}

#[test]
fn another_write_and_another_subject_are_counted_apart() {
    check("shop/api", "policy B", Duration::ZERO, false);
    check("shop/web", "policy A", Duration::ZERO, false);
}

#[test]
fn writes_are_forgotten_after_an_hour() {
    check("shop/api", "policy A", Duration::from_mins(61), false);
    let (repeats, now) = (Repeats::default(), Instant::now());
    repeats.note("shop/api", &"policy A", now);
    for minutes in [31, 62] {
        let now = now + Duration::from_mins(minutes);
        repeats.note("shop/api", &"policy A", now);
        repeats.note("shop/api", &"policy A", now);
    }
    let later = now + Duration::from_mins(62);
    assert!(repeats.exhausted("shop/api", &"policy A", later));
    assert!(!repeats.exhausted("shop/api", &"policy A", later + Duration::from_mins(62)));
}
