use super::*;

#[test]
fn throttling_is_read_from_an_answer_whatever_surrounds_its_code() {
    for (body, throttled) in [
        (
            r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#,
            true,
        ),
        (
            r#"{"message":"","__type":"com.amazonaws.ecr#TooManyRequestsException"}"#,
            true,
        ),
        (r#"{"__type":"LimitExceededException"}"#, false),
        (r#"{"message":"ThrottlingException"}"#, false),
        ("<html>503</html>", false),
        ("", false),
    ] {
        assert_eq!(says_throttled(body.as_bytes()), throttled, "{body}");
    }
}

#[test]
fn counts_tell_what_happened_and_nothing_else() {
    let registry = domain::Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    );
    let calls = Calls::new();
    assert!(calls.all(&registry).is_empty());
    let unexpected = Answer::Failed(ErrorKind::Unexpected);
    calls.count(Operation::ValidatePullThroughCacheRule, unexpected);
    calls.count(Operation::GetCallerIdentity, Answer::Done);
    calls.count(Operation::GetCallerIdentity, Answer::Done);
    let told: Vec<_> = calls
        .all(&registry)
        .into_iter()
        .map(|it| (it.operation.as_str(), it.answer.as_str(), it.calls))
        .collect();
    assert_eq!(
        told,
        [
            ("GetCallerIdentity", "Done", 2),
            ("ValidatePullThroughCacheRule", "Unexpected", 1)
        ]
    );
}

#[test]
fn every_operation_is_found_by_its_aws_name() {
    for operation in Operation::ALL {
        assert_eq!(Operation::named(operation.as_str()), Some(*operation));
    }
    assert_eq!(Operation::named("PutImage"), None);
}
