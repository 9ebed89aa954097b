use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::domain::facts::Facts;
use crate::domain::rewrite::{Compiled, Mode, OnUnknown, Policy, Table};

fn rules() -> Rules {
    let policies = ["prod", "base"].map(|name| {
        let policy = Policy {
            name: name.to_owned(),
            registry: crate::domain::Registry::new(
                "333333333333".parse().unwrap(),
                "eu-central-1".parse().unwrap(),
            ),
            mode: Mode::Audit,
            exclude: Vec::new(),
            on_unknown: OnUnknown::Keep,
        };
        Compiled::new(policy, Vec::new(), Vec::new())
    });
    Rules {
        table: Arc::new(Table::new(policies)),
        facts: Arc::new(Facts::default()),
        pull_secrets: Arc::default(),
        own_namespace: "ecr-system".to_owned(),
    }
}

fn check(pod: &Value, expected: &Expect) {
    let review = json!({"request": {
        "uid": "1", "operation": "CREATE", "namespace": "ecr-system-probe", "dryRun": true,
        "resource": {"group": "", "version": "v1", "resource": "pods"}, "object": pod,
    }});
    let answer = answer(&rules(), review.to_string().as_bytes()).unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["response"]["allowed"], true);
    let patch = STANDARD.decode(answer["response"]["patch"].as_str().unwrap());
    let patch: json_patch::Patch = serde_json::from_slice(&patch.unwrap()).unwrap();
    let mut patched = pod.clone();
    json_patch::patch(&mut patched, &patch).unwrap();
    expected.assert_eq(&patched["metadata"]["annotations"].to_string());
}

#[test]
fn the_mark_names_the_policies_that_have_rules_here() {
    let marked = expect![[r#"{"ecr-operator.dev/admission-probe":"[\"base\",\"prod\"]"}"#]];
    check(&json!({"spec": {}}), &marked);
    check(&json!({"metadata": {"name": "a"}, "spec": {}}), &marked);
    let made_up = json!({"ecr-operator.dev/admission-probe": "[\"other\"]"});
    check(&json!({"metadata": {"annotations": made_up}}), &marked);
}

#[test]
fn what_others_have_put_on_it_stays() {
    let annotations = json!({"a": "b"});
    check(
        &json!({"metadata": {"annotations": annotations}}),
        &expect![[r#"{"a":"b","ecr-operator.dev/admission-probe":"[\"base\",\"prod\"]"}"#]],
    );
}

#[test]
fn what_is_no_review_gets_no_answer() {
    assert_eq!(answer(&rules(), b"{}"), None);
}
