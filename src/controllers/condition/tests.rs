use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

fn check(verdicts: &[Verdict], expected: &Expect) {
    let summary = Summary::of(verdicts);
    let mut conditions = Vec::new();
    summarise(&mut conditions, &summary, Some(3), Timestamp::UNIX_EPOCH);
    let mut shown = summary.fraction();
    for it in conditions {
        let Condition {
            type_,
            status,
            reason,
            message,
            ..
        } = it;
        write!(shown, "\n{type_:?}={status:?} {reason:?} {message:?}").unwrap();
    }
    expected.assert_eq(&shown);
}

fn ready(place: &str) -> Verdict {
    Verdict::ready(place, Reason::Succeeded)
}

#[test]
fn all_targets_ready_is_ready() {
    check(
        &[ready("dev/r"), ready("prod/r")],
        &expect![[r#"
            2/2
            Ready=True Succeeded "2 of 2 ready"
            Reconciling=False Succeeded ""
            Stalled=False Succeeded """#]],
    );
}

#[test]
fn one_target_that_is_retried_is_reconciling_and_says_where() {
    check(
        &[
            ready("dev/r"),
            Verdict::failing("prod/r", Reason::Throttled, "slow down"),
        ],
        &expect![[r#"
            1/2
            Ready=False Throttled "1 of 2 ready; prod/r: slow down"
            Reconciling=True Throttled "1 of 2 ready; prod/r: slow down"
            Stalled=False Succeeded """#]],
    );
}

#[test]
fn what_takes_a_person_is_told_before_what_takes_time() {
    check(
        &[
            Verdict::failing("dev/r", Reason::Unreachable, "no answer"),
            Verdict::stopped("prod/r", Reason::Conflict, "another owner"),
            Verdict::failing("stage/r", Reason::Unreachable, "no answer"),
        ],
        &expect![[r#"
            0/3
            Ready=False Conflict "0 of 3 ready; prod/r: another owner"
            Reconciling=False Succeeded ""
            Stalled=True Conflict "0 of 3 ready; prod/r: another owner""#]],
    );
}

#[test]
fn a_suspended_object_is_neither_ready_nor_stalled() {
    check(
        &[Verdict::suspended("spec", "spec.suspend is true")],
        &expect![[r#"
            0/1
            Ready=False Suspended "spec.suspend is true"
            Reconciling=False Succeeded ""
            Stalled=False Succeeded """#]],
    );
}

#[test]
fn the_same_summary_again_changes_nothing_however_late_it_is() {
    let summary = Summary::of(&[ready("dev/r")]);
    let mut conditions = Vec::new();
    summarise(&mut conditions, &summary, Some(1), Timestamp::UNIX_EPOCH);
    let before = conditions.clone();
    summarise(&mut conditions, &summary, Some(1), Timestamp::MAX);
    assert_eq!(conditions, before);
}

#[test]
fn a_text_that_would_burst_status_is_cut_between_characters() {
    let cut = shortened(&"é".repeat(5_000));
    assert_eq!(cut.chars().count(), LONGEST_TEXT);
    assert!(cut.ends_with('…'));
}
