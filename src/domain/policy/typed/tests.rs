use super::*;
use expect_test::{Expect, expect};

fn check(statements: &str, version: &str, expected: &Expect) {
    let text = format!(r#"{{"Version":"{version}","Statement":{statements}}}"#);
    let document = Document::parse(&text).unwrap();
    let told = match document.typed() {
        Ok(statements) => {
            assert_eq!(Document::from_statements(&statements), Ok(document));
            format!("{statements:?}")
        }
        Err(untyped) => untyped.to_string(),
    };
    expected.assert_eq(&told);
}

#[test]
fn what_statements_can_say_is_read_back_from_every_spelling_of_it() {
    check(
        r#"{"Sid":"Ci","Effect":"Deny","Principal":{"AWS":"arn:aws:iam::444444444444:root","Service":"codebuild.amazonaws.com"},
            "Action":["ecr:putimage","ecr:Get*"],"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1"},"Bool":{"aws:SecureTransport":false}}}"#,
        "2012-10-17",
        &expect![[
            r#"[Statement { sid: Some("Ci"), effect: Deny, principals: {Account(AccountId("444444444444")), Service("codebuild.amazonaws.com")}, actions: {Action("ecr:PutImage"), Action("ecr:get*")}, conditions: [Condition { operator: "Bool", key: "aws:SecureTransport", values: {"false"} }, Condition { operator: "StringEquals", key: "aws:PrincipalOrgID", values: {"o-1"} }] }]"#
        ]],
    );
}

#[test]
fn what_statements_cannot_say_is_named() {
    let one = r#"{"Sid":"A","Effect":"Allow","Principal":"*","Action":"ecr:ListImages"}"#;
    check(one, "2008-10-17", &expect![[r#"Version is "2008-10-17""#]]);
    for (from, to, expected) in [
        (
            r#""Principal":"*""#,
            r#""NotPrincipal":{"AWS":"444444444444"}"#,
            expect!["Statement[0].NotPrincipal has no typed form"],
        ),
        (
            r#""Principal":"*""#,
            r#""Principal":{"Federated":"x"}"#,
            expect!["Statement[0].Principal.Federated has no typed form"],
        ),
        (
            r#""Principal":"*""#,
            r#""Principal":{"AWS":"AIDAEXAMPLE"}"#,
            expect![[
                r#"Statement[0].Principal.AWS "AIDAEXAMPLE" is no principal: an account id, the ARN of a role or user without wildcards, an AWS service, or *"#
            ]],
        ),
        (
            r#""Action":"ecr:ListImages""#,
            r#""NotAction":"ecr:ListImages""#,
            expect!["Statement[0].NotAction has no typed form"],
        ),
        (
            r#""Action":"ecr:ListImages""#,
            r#""Action":"s3:Get""#,
            expect![[
                r#"Statement[0].Action "s3:get" is no action: an action of Amazon ECR, like ecr:BatchGetImage or ecr:Get*"#
            ]],
        ),
        (
            r#""Sid":"A""#,
            r#""Resource":"*""#,
            expect!["Statement[0].Resource has no typed form"],
        ),
        (
            r#""Sid":"A""#,
            r#""Condition":{"Odd":{"aws:userid":"x"}}"#,
            expect![[r#"the document statements[0]: "Odd" is no condition operator"#]],
        ),
    ] {
        check(&one.replace(from, to), "2012-10-17", &expected);
    }
}
