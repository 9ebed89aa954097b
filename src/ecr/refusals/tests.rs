use std::time::Duration;

use tokio::time::Instant;

use super::{BELIEVED, Refusals};
use crate::domain::Registry;
use crate::ecr::error::{Error, ErrorKind};
use crate::ecr::operation::Operation;

/// `policy A` of `shop/api` fails in this way; whether `change` of `subject` is known to fail `later`.
fn check(kind: ErrorKind, (subject, change): (&str, &str), later: Duration, known: bool) {
    let registry = Registry::new(
        "111111111111".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    );
    let error = Error::new(kind, Operation::SetRepositoryPolicy, &registry, "no");
    let (refusals, now) = (Refusals::default(), Instant::now());
    refusals.note("shop/api", &"policy A", &error, now);
    let found = refusals.of(subject, &change, now + later);
    assert_eq!(found.map(|it| it.kind), known.then_some(kind));
}

#[test]
fn what_aws_does_not_take_is_known_for_a_while() {
    let same = ("shop/api", "policy A");
    check(ErrorKind::InvalidParameter, same, Duration::ZERO, true);
    check(ErrorKind::LimitExceeded, same, Duration::from_mins(7), true);
    check(ErrorKind::InvalidParameter, same, BELIEVED, false);
}

#[test]
fn another_change_and_another_repository_are_asked_for() {
    let kind = ErrorKind::InvalidParameter;
    check(kind, ("shop/api", "policy B"), Duration::ZERO, false);
    check(kind, ("shop/web", "policy A"), Duration::ZERO, false);
}

#[test]
fn what_time_may_cure_is_asked_again() {
    let same = ("shop/api", "policy A");
    check(ErrorKind::Throttled, same, Duration::ZERO, false);
    check(ErrorKind::AccessDenied, same, Duration::ZERO, false);
}
