use std::fmt::Write as _;

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

fn check(answer: Result<&Pod, &Status>, expected: &Expect) {
    let mut said = String::new();
    match Probed::of(answer) {
        None => said.push_str("nothing is known"),
        Some(probed) => {
            let namespace = "ecr-system-probe".to_owned();
            let (status, reason, message) = Reach { namespace, probed }.says("prod");
            write!(said, "{status:?} {reason:?}: {message}").unwrap();
        }
    }
    expected.assert_eq(&said);
}

fn pod(annotations: &serde_json::Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"annotations": annotations}})).unwrap()
}

fn refusal(code: u16, reason: &str, message: &str) -> Status {
    let status = json!({"status": "Failure", "code": code, "reason": reason, "message": message});
    serde_json::from_value(status).unwrap()
}

/// What an API server says when it could not call us, with what Go says at the end.
fn not_called(root: &str) -> Status {
    let message = format!(
        "Internal error occurred: failed calling webhook \"admission-probe.ecr-operator.dev\": \
         failed to call webhook: Post \"https://ecr-operator.ecr-system.svc:443/probe?timeout=2s\": \
         {root}"
    );
    refusal(500, "InternalError", &message)
}

#[test]
fn a_mark_says_which_policies_have_rules_where_it_was_put() {
    let marked = pod(&json!({"ecr-operator.dev/admission-probe": "[\"base\",\"prod\"]"}));
    check(
        Ok(&marked),
        &expect!["True Succeeded: the API server asks the operator about new pods"],
    );
    let without = pod(&json!({"ecr-operator.dev/admission-probe": "[\"base\"]"}));
    check(
        Ok(&without),
        &expect![
            "Unknown Progressing: the replica that answered last has no rules for this policy yet"
        ],
    );
}

#[test]
fn no_mark_of_ours_is_no_call() {
    let expected = expect![
        "False NotCalled: new pods are admitted as they are: the API server does not call the operator; see whether something else changes its MutatingWebhookConfiguration, or the labels of namespace ecr-system-probe"
    ];
    check(Ok(&pod(&json!({"another.example/mark": "1"}))), &expected);
    check(
        Ok(&pod(&json!({"ecr-operator.dev/admission-probe": "yes"}))),
        &expected,
    );
}

#[test]
fn missing_configuration_is_named_with_the_next_step() {
    let namespace = "ecr-system-probe".to_owned();
    let missing = Installed {
        kind: "MutatingWebhookConfiguration".to_owned(),
        name: "ecr-operator".to_owned(),
    };
    let probed = Probed::NotCalled.explained(Some(&missing));
    let (status, reason, message) = Reach { namespace, probed }.says("prod");
    expect!["False NotCalled: new pods are admitted as they are: MutatingWebhookConfiguration ecr-operator does not exist, and the operator may not create it: run helm upgrade"]
        .assert_eq(&format!("{status:?} {reason:?}: {message}"));
    let policies = BTreeSet::new();
    let reached = Probed::Reached { policies };
    assert_eq!(reached.clone().explained(Some(&missing)), reached);
}

#[test]
fn the_api_servers_words_lead_to_the_remedy() {
    for (root, expected) in [
        (
            "context deadline exceeded",
            expect![
                "False Unreachable: new pods are admitted as they are: the operator does not answer the API server; let the control plane in to port 9443 of its pods (on EKS: from the cluster's security group to that of the nodes), or set hostNetwork where pods are in an overlay network"
            ],
        ),
        (
            "dial tcp 10.96.14.2:443: connect: no route to host",
            expect![
                "False Unreachable: new pods are admitted as they are: the operator does not answer the API server; let the control plane in to port 9443 of its pods (on EKS: from the cluster's security group to that of the nodes), or set hostNetwork where pods are in an overlay network"
            ],
        ),
        (
            "dial tcp 127.0.0.1:9443: connect: connection refused",
            expect![
                "False Unreachable: new pods are admitted as they are: nobody listens where the API server calls; see whether the operator's pods run"
            ],
        ),
        (
            "no endpoints available for service \"ecr-operator\"",
            expect![
                "False Unreachable: new pods are admitted as they are: no pod of the operator is Ready behind its Service; see what /readyz waits for"
            ],
        ),
        (
            "Address is not allowed",
            expect![
                "False Unreachable: new pods are admitted as they are: the control plane does not call pods of an overlay network; set hostNetwork"
            ],
        ),
        (
            "tls: failed to verify certificate: x509: certificate signed by unknown authority",
            expect![
                "False Unreachable: new pods are admitted as they are: the API server does not trust the operator's certificate; see whether something else writes caBundle, or stands between the two"
            ],
        ),
        (
            "read tcp 127.0.0.1:51404->127.0.0.1:9443: read: connection reset by peer",
            expect![
                "False Unreachable: new pods are admitted as they are: the API server says: connection reset by peer"
            ],
        ),
    ] {
        check(Err(&not_called(root)), &expected);
    }
    let message = "Internal error occurred: failed calling webhook \
        \"admission-probe.ecr-operator.dev\": failed to call webhook: the server is currently unable \
        to handle the request";
    check(
        Err(&refusal(500, "InternalError", message)),
        &expect![
            "False Unreachable: new pods are admitted as they are: the replica that answered has not loaded its rules yet"
        ],
    );
}

#[test]
fn what_others_refuse_proves_nothing() {
    let by_policy = "pods \"ecr-operator-probe\" is forbidden: ValidatingAdmissionPolicy 'signed' \
                     denied request: not signed";
    check(
        Err(&refusal(403, "Forbidden", by_policy)),
        &expect![[
            r#"Unknown Rejected: the probe pod is not let in: exempt namespace ecr-system-probe (pods "ecr-operator-probe" is forbidden: ValidatingAdmissionPolicy 'signed' denied request: not signed)"#
        ]],
    );
    let by_rbac = "pods is forbidden: User \"system:serviceaccount:ecr-system:ecr-operator\" cannot \
                   create resource \"pods\" in API group \"\" in the namespace \"ecr-system-probe\"";
    check(
        Err(&refusal(403, "Forbidden", by_rbac)),
        &expect![
            "Unknown AccessDenied: the operator may not create pods in namespace ecr-system-probe: let it"
        ],
    );
    let no_namespace = "namespaces \"ecr-system-probe\" not found";
    check(
        Err(&refusal(404, "NotFound", no_namespace)),
        &expect![
            "Unknown ReferenceNotFound: there is no namespace ecr-system-probe for probe pods: make it, or name another with --probe-namespace"
        ],
    );
    let other = "Internal error occurred: failed calling webhook \"mutate.kyverno.svc-fail\": failed \
                 to call webhook: context deadline exceeded";
    check(
        Err(&refusal(500, "InternalError", other)),
        &expect![[
            r#"Unknown Rejected: the probe pod is not let in: exempt namespace ecr-system-probe (Internal error occurred: failed calling webhook "mutate.kyverno.svc-fail": failed to call webhook: context deadline exceeded)"#
        ]],
    );
}

#[test]
fn an_api_server_that_is_unwell_tells_nothing() {
    let status = refusal(500, "InternalError", "etcdserver: request timed out");
    check(Err(&status), &expect!["nothing is known"]);
}
