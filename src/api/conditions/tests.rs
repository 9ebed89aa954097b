use super::*;

fn ready(status: ConditionStatus, at: &str) -> Condition {
    Condition {
        type_: ConditionType::Ready,
        status,
        reason: Reason::Progressing,
        message: format!("said at {at}"),
        last_transition_time: Time(at.parse().unwrap()),
        observed_generation: Some(1),
    }
}

const EARLY: &str = "2026-01-01T00:00:00Z";
const LATE: &str = "2026-01-02T00:00:00Z";

#[test]
fn the_transition_time_moves_only_with_the_status() {
    let mut conditions = Vec::new();
    set(&mut conditions, ready(ConditionStatus::False, EARLY));
    set(&mut conditions, ready(ConditionStatus::False, LATE));
    assert_eq!(conditions.len(), 1);
    assert_eq!(conditions[0].message, format!("said at {LATE}"));
    assert_eq!(
        conditions[0].last_transition_time,
        Time(EARLY.parse().unwrap())
    );
    set(&mut conditions, ready(ConditionStatus::True, LATE));
    assert_eq!(
        conditions[0].last_transition_time,
        Time(LATE.parse().unwrap())
    );
}

#[test]
fn conditions_stand_in_one_order_however_they_were_set() {
    let stalled = Condition {
        type_: ConditionType::Stalled,
        ..ready(ConditionStatus::False, EARLY)
    };
    let mut conditions = Vec::new();
    set(&mut conditions, stalled);
    set(&mut conditions, ready(ConditionStatus::True, EARLY));
    let types: Vec<_> = conditions.iter().map(|it| it.type_).collect();
    assert_eq!(types, [ConditionType::Ready, ConditionType::Stalled]);
}

#[test]
fn what_a_newer_version_wrote_is_read_as_other() {
    let text = r#"{"type": "Verified", "status": "True", "reason": "Signed", "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z"}"#;
    let condition: Condition = serde_json::from_str(text).unwrap();
    assert_eq!(
        (condition.type_, condition.reason),
        (ConditionType::Other, Reason::Other)
    );
}
