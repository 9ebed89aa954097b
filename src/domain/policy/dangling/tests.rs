use serde_json::{Value, json};

use crate::domain::policy::Document;

const NODES: &str = "arn:aws:iam::444444444444:role/nodes";
const BUILD: &str = "arn:aws:iam::444444444444:role/build";

fn document(statements: &[(&str, Value)]) -> Document {
    let statements: Vec<Value> = statements
        .iter()
        .map(|(sid, principals)| {
            json!({"Sid": sid, "Effect": "Allow", "Action": "ecr:BatchGetImage",
                   "Principal": {"AWS": principals}})
        })
        .collect();
    Document::parse(&json!({"Version": "2012-10-17", "Statement": statements}).to_string()).unwrap()
}

fn check(observed: &[(&str, Value)], desired: &[(&str, Value)], gone: Option<&[&str]>) {
    let found = document(observed).dangling(&document(desired));
    let gone = gone.map(|it| it.iter().map(|it| (*it).to_owned()).collect());
    assert_eq!(found, gone);
}

#[test]
fn a_role_that_became_its_unique_id_is_named() {
    check(
        &[("Pull", json!(["AROAEXAMPLE000000001", "555555555555"]))],
        &[("Pull", json!([NODES, "555555555555"]))],
        Some(&[NODES]),
    );
}

#[test]
fn each_statement_is_compared_with_its_own() {
    check(
        &[
            ("Pull", json!("AROAEXAMPLE000000001")),
            ("Push", json!("AIDAEXAMPLE000000002")),
        ],
        &[("Pull", json!(NODES)), ("Push", json!(BUILD))],
        Some(&[NODES, BUILD]),
    );
}

#[test]
fn equal_documents_have_lost_nobody() {
    check(&[("Pull", json!(NODES))], &[("Pull", json!(NODES))], None);
}

#[test]
fn any_other_difference_is_drift() {
    let lost = json!(["AROAEXAMPLE000000001"]);
    check(&[("Pull", lost.clone())], &[("Push", json!(NODES))], None);
    check(
        &[("Pull", lost.clone())],
        &[("Pull", json!([NODES, BUILD]))],
        None,
    );
    check(&[("Pull", lost)], &[("Pull", json!("555555555555"))], None);
    check(&[("Pull", json!(BUILD))], &[("Pull", json!(NODES))], None);
    check(&[("Pull", json!("AROA*"))], &[("Pull", json!(NODES))], None);
}

#[test]
fn an_id_that_nobody_asked_for_is_drift() {
    check(
        &[("Pull", json!([NODES, "AROAEXAMPLE000000001"]))],
        &[("Pull", json!(NODES))],
        None,
    );
}
