use serde_json::{Value, json};

use super::{Action, Count, Selects, parse};

fn rule(priority: u64, selection: &Value, action: &Value) -> Value {
    json!({"rulePriority": priority, "selection": selection, "action": action})
}

fn any() -> Value {
    json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 5})
}

fn untagged() -> Value {
    json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1})
}

fn expire() -> Value {
    json!({"type": "expire"})
}

fn transition() -> Value {
    json!({"type": "transition", "targetStorageClass": "archive"})
}

fn with(mut selection: Value, members: &Value) -> Value {
    for (key, value) in members.as_object().unwrap() {
        selection[key] = value.clone();
    }
    selection
}

fn refused(rules: &[Value], why: &str) {
    let refusal = parse(&json!({"rules": rules}).to_string()).unwrap_err();
    assert_eq!(refusal.code, "InvalidParameterException");
    assert!(
        refusal.message.contains(why),
        "{why:?} is not in {:?}",
        refusal.message
    );
}

#[test]
fn rules_are_read_and_sorted_by_priority() {
    let rules = json!({"rules": [rule(9, &any(), &expire()), rule(1, &untagged(), &transition())]});
    let rules = parse(&rules.to_string()).unwrap();
    assert_eq!(rules[0].count, Count::DaysSincePushed(1));
    assert_eq!(rules[0].action, Action::Archive);
    assert_eq!(rules[1].selects, Selects::Any);
}

#[test]
fn every_demand_of_the_user_guide_is_held() {
    let tagged = |members: Value| with(with(any(), &json!({"tagStatus": "tagged"})), &members);
    let since = |kind: &str| with(untagged(), &json!({"countType": kind}));
    let one = |selection: Value, action: Value| [rule(1, &selection, &action)];
    refused(&[], "array is too short");
    refused(&one(tagged(json!({})), expire()), "needs a tagPrefixList");
    refused(
        &one(
            tagged(json!({"tagPrefixList": ["a"], "tagPatternList": ["b"]})),
            expire(),
        ),
        "cannot be used together",
    );
    refused(
        &one(tagged(json!({"tagPatternList": ["*a*b*c*d*"]})), expire()),
        "wildcards",
    );
    refused(
        &one(with(any(), &json!({"tagPrefixList": ["a"]})), expire()),
        "need tagStatus tagged",
    );
    refused(
        &one(with(any(), &json!({"countNumber": 0})), expire()),
        "minimum: 1, found: 0",
    );
    refused(
        &one(with(any(), &json!({"countUnit": "days"})), expire()),
        "countUnit cannot",
    );
    refused(
        &one(with(any(), &json!({"colour": "red"})), expire()),
        r#"(["colour"])"#,
    );
    refused(
        &one(since("sinceImagePulled"), expire()),
        "transition action",
    );
    refused(
        &one(since("sinceImageTransitioned"), expire()),
        "needs storageClass archive",
    );
    refused(
        &one(
            with(
                since("sinceImageTransitioned"),
                &json!({"storageClass": "archive"}),
            ),
            expire(),
        ),
        "at least 90",
    );
    refused(
        &one(any(), json!({"type": "keep"})),
        r#"possible values: ["expire","transition"]"#,
    );
    refused(
        &one(any(), json!({})),
        r#"missing required properties (["type"])"#,
    );
}

#[test]
fn rules_must_get_along() {
    let expire = expire();
    refused(
        &[rule(1, &any(), &expire), rule(2, &untagged(), &expire)],
        "highest value",
    );
    refused(
        &[rule(1, &untagged(), &expire), rule(1, &any(), &expire)],
        "not unique",
    );
    refused(
        &[rule(1, &untagged(), &expire), rule(2, &untagged(), &expire)],
        "only one rule",
    );
}
