use std::time::{Duration, Instant};

use super::rate::Buckets;
use super::{Effect, Faults, Rule, Subject};

const SUBJECT: Subject<'static> = Subject {
    account: "111111111111",
    region: "eu-central-1",
    service: "ecr",
    operation: "CreateRepository",
    caller: "arn:aws:iam::111111111111:root",
    repository: Some("web"),
    role: None,
};

fn hits(rule: Rule, requests: usize) -> Vec<bool> {
    let faults = Faults::default();
    faults.add(rule);
    (0..requests)
        .map(|_| faults.decide(&SUBJECT).is_some())
        .collect()
}

#[test]
fn only_the_nth_fitting_request_suffers() {
    assert_eq!(
        hits(
            Rule {
                nth: Some(2),
                ..Rule::default()
            },
            3
        ),
        [false, true, false]
    );
}

#[test]
fn only_what_comes_after_so_many_suffers() {
    assert_eq!(
        hits(
            Rule {
                after: Some(1),
                ..Rule::default()
            },
            3
        ),
        [false, true, true]
    );
}

#[test]
fn a_spent_rule_hits_no_more() {
    assert_eq!(
        hits(
            Rule {
                times: Some(1),
                ..Rule::default()
            },
            3
        ),
        [true, false, false]
    );
}

#[test]
fn a_share_is_about_that_share() {
    let hit = hits(
        Rule {
            share: Some(0.3),
            ..Rule::default()
        },
        1000,
    );
    let hit = hit.iter().filter(|it| **it).count();
    assert!((250..350).contains(&hit), "{hit} of 1000");
}

#[test]
fn a_rule_for_others_leaves_a_request_alone() {
    let others = [
        Rule {
            account: Some("222222222222".into()),
            ..Rule::default()
        },
        Rule {
            region: Some("us-east-1".into()),
            ..Rule::default()
        },
        Rule {
            operation: Some("Describe*".into()),
            ..Rule::default()
        },
        Rule {
            repository: Some("api".into()),
            ..Rule::default()
        },
        Rule {
            role: Some("arn:aws:iam::111111111111:role/any".into()),
            ..Rule::default()
        },
    ];
    for rule in others {
        assert_eq!(hits(rule, 1), [false]);
    }
    assert_eq!(
        hits(
            Rule {
                operation: Some("Create*".into()),
                ..Rule::default()
            },
            1
        ),
        [true]
    );
}

#[test]
fn a_rule_reads_as_it_is_documented() {
    let rule: Rule = serde_json::from_str(
        r#"{"operation": "PutImage", "effect": {"refuse": {"code": "ServerException", "status": 500}}}"#,
    )
    .unwrap();
    let expected = Effect::Refuse {
        code: "ServerException".into(),
        message: String::new(),
        status: 500,
    };
    assert_eq!(rule.effect, expected);
    let rule: Rule = serde_json::from_str(r#"{"region": "eu-west-1", "effect": "hang"}"#).unwrap();
    assert_eq!(rule.effect, Effect::Hang);
}

#[test]
fn a_rate_lets_so_many_through_at_once_and_counts_operations_apart() {
    let mut buckets = Buckets::default();
    let now = Instant::now();
    let mut over =
        |subject: &Subject<'_>, after: Duration| buckets.overflow(subject, 3.0, now + after);
    let first: Vec<bool> = (0..4).map(|_| over(&SUBJECT, Duration::ZERO)).collect();
    assert_eq!(first, [false, false, false, true]);
    let other = Subject {
        operation: "DeleteRepository",
        ..SUBJECT
    };
    assert!(!over(&other, Duration::ZERO));
    assert!(
        !over(&SUBJECT, Duration::from_millis(400)),
        "one more a third of a second later"
    );
    assert!(over(&SUBJECT, Duration::from_millis(400)));
}
