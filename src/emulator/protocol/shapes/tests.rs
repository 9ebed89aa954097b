use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::{MODEL, check, operations};

fn refused(operation: &str, input: &Value, expected: &Expect) {
    let refusal = check(operation, input).unwrap().unwrap_err();
    expected.assert_eq(&format!("{}: {}", refusal.code, refusal.message));
}

#[test]
fn the_model_is_whole_and_every_pattern_compiles() {
    assert_eq!(operations().count(), 62);
    assert!(!MODEL.shapes.is_empty());
}

#[test]
fn a_name_that_breaks_the_pattern_is_told_the_pattern() {
    refused(
        "CreateRepository",
        &json!({"repositoryName": "Upper"}),
        &expect![[
            r"InvalidParameterException: Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression '[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*''"
        ]],
    );
}

#[test]
fn missing_members_lengths_and_enumerations_are_checked_at_any_depth() {
    refused(
        "CreateRepository",
        &json!({"repositoryName": "web", "encryptionConfiguration": {}}),
        &expect![
            "InvalidParameterException: Invalid parameter at 'encryptionConfiguration.encryptionType' failed to satisfy constraint: 'Member must not be null'"
        ],
    );
    refused(
        "BatchGetImage",
        &json!({"repositoryName": "web", "imageIds": []}),
        &expect![
            "InvalidParameterException: Invalid parameter at 'imageIds' failed to satisfy constraint: 'Member must have length greater than or equal to 1'"
        ],
    );
    refused(
        "DescribeImages",
        &json!({"repositoryName": "web", "filter": {"tagStatus": "SOME"}}),
        &expect![
            "InvalidParameterException: Invalid parameter at 'filter.tagStatus' failed to satisfy constraint: 'Member must satisfy enum value set: [TAGGED, UNTAGGED, ANY]'"
        ],
    );
}

#[test]
fn a_value_of_another_type_does_not_deserialize() {
    refused(
        "CreateRepository",
        &json!({"repositoryName": 7}),
        &expect![
            "SerializationException: a value of the wrong type was found where a string is expected"
        ],
    );
}
