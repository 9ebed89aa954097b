use std::collections::BTreeMap;

use expect_test::expect;
use serde_json::{Value, json};

use super::{Document, Question, Verdict, canonical, judge};

fn asks(document: &Value, account: &str, names: &[&str], resource: &str) -> Verdict {
    let names: Vec<String> = names.iter().map(|it| (*it).to_owned()).collect();
    let context = BTreeMap::from([("sts:externalid".to_owned(), vec!["secret".to_owned()])]);
    let question = Question {
        account,
        names: &names,
        action: "ecr:BatchGetImage",
        resource,
        context: &context,
    };
    judge(&[Document::from_value(document).unwrap()], &question)
}

fn statement(more: &Value) -> Value {
    let mut it = json!({"Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"});
    for (key, value) in more.as_object().unwrap() {
        it[key] = value.clone();
    }
    json!({"Version": "2012-10-17", "Statement": [it]})
}

#[test]
fn an_account_stands_for_all_in_it() {
    let names = ["arn:aws:sts::111111111111:assumed-role/ci/run"];
    for principal in [
        "111111111111",
        "arn:aws:iam::111111111111:root",
        names[0],
        "*",
    ] {
        let document = statement(&json!({"Principal": {"AWS": principal}}));
        assert_eq!(
            asks(&document, "111111111111", &names, "r"),
            Verdict::Allowed,
            "{principal}"
        );
    }
    let other = statement(&json!({"Principal": {"AWS": ["222222222222"]}}));
    assert_eq!(asks(&other, "111111111111", &names, "r"), Verdict::Silent);
}

#[test]
fn a_denial_outweighs_whatever_allows() {
    let mut document = statement(&json!({"Action": ["ecr:*"]}));
    let deny = json!({"Effect": "Deny", "Principal": "*", "NotAction": "ecr:PutImage"});
    document["Statement"].as_array_mut().unwrap().push(deny);
    assert_eq!(asks(&document, "111111111111", &[], "r"), Verdict::Denied);
}

#[test]
fn conditions_and_resources_narrow_a_statement() {
    let holds = |it: Value| asks(&statement(&it), "111111111111", &[], "arn:x:team/a");
    let condition =
        |operator: &str, value: &str| json!({"Condition": {operator: {"sts:ExternalId": value}}});
    assert_eq!(holds(condition("StringEquals", "secret")), Verdict::Allowed);
    assert_eq!(holds(condition("StringEquals", "guess")), Verdict::Silent);
    assert_eq!(holds(condition("StringLike", "s?cr*")), Verdict::Allowed);
    assert_eq!(holds(json!({"Resource": "arn:x:team/*"})), Verdict::Allowed);
    assert_eq!(
        holds(json!({"Resource": ["arn:x:other/*"]})),
        Verdict::Silent
    );
    let absent = json!({"Condition": {"StringEquals": {"aws:PrincipalTag/team": "a"}}});
    assert_eq!(holds(absent), Verdict::Silent);
    let optional = json!({"Condition": {"StringEqualsIfExists": {"aws:PrincipalTag/team": "a"}}});
    assert_eq!(holds(optional), Verdict::Allowed);
}

#[test]
fn ecr_spells_a_policy_in_its_own_way() {
    let document = json!({
        "Statement": {
            "Action": ["ecr:PutImage", "ecr:BatchGetImage"],
            "Principal": {"AWS": ["222222222222", "arn:aws:iam::111111111111:role/ci"]},
            "Effect": "Allow", "Sid": "pull",
            "Condition": {"Bool": {"aws:SecureTransport": true}},
        }
    });
    expect![[r#"
        {
          "Version" : "2008-10-17",
          "Statement" : [ {
            "Sid" : "pull",
            "Effect" : "Allow",
            "Principal" : {
              "AWS" : [ "arn:aws:iam::111111111111:role/ci", "arn:aws:iam::222222222222:root" ]
            },
            "Action" : [ "ecr:PutImage", "ecr:BatchGetImage" ],
            "Condition" : {
              "Bool" : {
                "aws:SecureTransport" : "true"
              }
            }
          } ]
        }"#]]
    .assert_eq(&canonical(&Document::from_value(&document).unwrap(), "aws"));
}

#[test]
fn what_is_no_policy_is_not_read() {
    for text in [
        "",
        "[]",
        "{}",
        r#"{"Statement": [{"Effect": "Maybe", "Action": "*"}]}"#,
        r#"{"Statement": [{"Effect": "Allow"}]}"#,
        r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Colour": "red"}]}"#,
        r#"{"Statement": [{"Effect": "Allow", "Action": "*", "Principal": {"AWS": "nobody"}}]}"#,
        r#"{"Version": "2020-01-01", "Statement": []}"#,
    ] {
        assert_eq!(Document::parse(text), None, "{text}");
    }
}
