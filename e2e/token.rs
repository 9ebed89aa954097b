//! What whoever stole a token of the operator can do in the cluster: each attack is made against a real API
//! server, with the chart's rules and policies, and has to be rejected for the reason that is meant. What the
//! operator does itself, with the same token, goes through.

use ecr_operator::commands::rights;
use serde_json::{Value, json};

mod thief;

use thief::{Thief, attempt, patch, pod};

const OURS: &str = "/apis/ecr-operator.dev/v1alpha1";
const OWN: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/ecr-operator";
const DRY_OWN: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/ecr-operator?dryRun=All";
const PROBES: &str = "/api/v1/namespaces/HOME-probe/pods";

/// What RBAC does not grant is rejected before anybody looks at what was sent.
const NOT_GRANTED: &[&str] = &[
    "POST /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "POST /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "GET /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "DELETE /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/ecr-operator",
    "PATCH /apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/ecr-operator-objects.HOME",
    "DELETE /apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings/ecr-operator-objects.HOME",
    "GET /api/v1/namespaces/HOME/secrets/another",
    "GET /api/v1/namespaces/HOME/secrets",
    "GET /api/v1/namespaces/kube-system/secrets",
    "POST /api/v1/namespaces/HOME/secrets",
    "POST /api/v1/namespaces/HOME/serviceaccounts/default/token",
    "POST /apis/coordination.k8s.io/v1/namespaces/HOME/leases",
    "PUT /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler",
    "POST /apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "POST /apis/rbac.authorization.k8s.io/v1/namespaces/HOME/rolebindings",
    "POST /api/v1/namespaces/HOME/pods",
    "DELETE /api/v1/namespaces/HOME-probe/pods/probe",
    "POST /api/v1/namespaces/HOME-probe/pods/probe/exec",
    "PATCH /apis/apps/v1/namespaces/HOME/deployments/web",
    "POST /apis/ecr-operator.dev/v1alpha1/namespaces/HOME/imagerepositories",
    "DELETE /apis/ecr-operator.dev/v1alpha1/namespaces/HOME/imagerepositories/api",
    "PATCH /apis/ecr-operator.dev/v1alpha1/imageadmissionpolicies/prod",
];

#[tokio::test]
async fn stolen_token_is_rejected_by_the_rules() {
    let thief = Thief::of_leader("token-rules").await;
    for request in NOT_GRANTED {
        let (method, path) = request.split_once(' ').unwrap();
        let body = json!({"metadata": {"name": "mine"}});
        thief
            .is_rejected("cannot", attempt(method, path, body))
            .await;
    }
    thief.end().await;
}

/// What serves writes nothing: what the policies hold is not granted to it at all.
#[tokio::test]
async fn token_of_what_serves_writes_nothing() {
    let thief = Thief::of(rights::WEBHOOK, "token-serves").await;
    let more = [
        "PATCH /apis/ecr-operator.dev/v1alpha1/namespaces/HOME/imagerepositories/api",
        "PATCH /apis/ecr-operator.dev/v1alpha1/namespaces/HOME/imagerepositories/api/status",
        "PATCH /apis/ecr-operator.dev/v1alpha1/environmentaccounts/HOME",
        "PUT /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/ecr-operator",
        "PUT /apis/coordination.k8s.io/v1/namespaces/HOME/leases/ecr-operator",
        "PUT /api/v1/namespaces/HOME/secrets/ecr-operator-webhook",
        "POST /api/v1/namespaces/HOME-probe/pods",
    ];
    for request in NOT_GRANTED.iter().chain(&more) {
        let (method, path) = request.split_once(' ').unwrap();
        let body = json!({"metadata": {"name": "mine"}});
        thief
            .is_rejected("cannot", attempt(method, path, body))
            .await;
    }
    thief.end().await;
}

#[tokio::test]
async fn stolen_token_is_rejected_by_the_policies() {
    let thief = Thief::of_leader("token-policies").await;
    let (repository, environment) = ("imagerepositories/api", "environmentaccounts/HOME");
    let deletes = json!({"spec": {"deletionPolicy": "Delete"}});
    let owner = json!({"apiVersion": "v1", "kind": "ConfigMap", "name": "a", "uid": "b"});
    let theirs = json!(["theirs.example/audit", "another.example/stays"]);
    let (spec, metadata) = ("does not change a spec", "labels, annotations or owners");
    for (why, object, body) in [
        (spec, repository, deletes),
        (spec, environment, json!({"spec": {"allowDelete": true}})),
        (
            spec,
            environment,
            json!({"spec": {"grants": [{"namespaceSelector": {}, "repositoryPrefixes": ["a/"]}]}}),
        ),
        (
            metadata,
            environment,
            json!({"metadata": {"annotations": {"ecr-operator.dev/orphan": "true"}}}),
        ),
        (
            metadata,
            repository,
            json!({"metadata": {"labels": {"a": "b"}}}),
        ),
        (
            metadata,
            repository,
            json!({"metadata": {"ownerReferences": [owner]}}),
        ),
        (
            "its own finalizer only",
            repository,
            json!({"metadata": {"finalizers": null}}),
        ),
        (
            "its own finalizer only",
            repository,
            json!({"metadata": {"finalizers": theirs}}),
        ),
    ] {
        thief.is_rejected(why, patch(object, body)).await;
    }
    let pods = attempt("POST", PROBES, pod());
    thief.is_rejected("by dry runs only", pods).await;
    thief.end().await;
}

/// Why an edit of the policy's webhook, or the probe's, is rejected; and the edit, as a merge patch.
fn edits() -> Vec<(&'static str, usize, Value)> {
    let rule = |group: &str, operations: &[&str], resource: &str| {
        json!({"rules": [{
            "apiGroups": [group], "apiVersions": ["v1"],
            "operations": operations, "resources": [resource],
        }]})
    };
    let stranger = json!({"service": null, "url": "https://stranger.example/"});
    let (service, pods) = ("calls the operator's Service", "new pods and new ephemeral");
    vec![
        (service, 0, json!({"clientConfig": stranger})),
        (
            service,
            0,
            json!({"clientConfig": {"service": {"namespace": "default"}}}),
        ),
        (
            service,
            1,
            json!({"clientConfig": {"service": {"name": "stranger"}}}),
        ),
        (pods, 0, rule("", &["CREATE"], "secrets")),
        (pods, 0, rule("", &["CREATE"], "*/*")),
        (pods, 1, rule("", &["CREATE", "DELETE"], "pods")),
        (pods, 0, rule("apps", &["CREATE"], "deployments")),
        ("fails open", 0, json!({"failurePolicy": "Fail"})),
        ("fails open", 0, json!({"namespaceSelector": null})),
        (
            "for the probe namespace",
            1,
            json!({"namespaceSelector": null}),
        ),
        (
            "the name of an image policy's",
            0,
            json!({"name": "spy.stranger.example"}),
        ),
        ("two seconds at most", 0, json!({"timeoutSeconds": 30})),
    ]
}

/// The most that a token could be worth: to be sent every Secret that is written.
#[tokio::test]
async fn stolen_token_cannot_point_the_webhook_elsewhere() {
    let thief = Thief::of_leader("token-webhook").await;
    let webhooks = thief.webhooks();
    for (why, index, edit) in edits() {
        let mut edited = webhooks.clone();
        json_patch::merge(&mut edited[index], &edit);
        let body = thief.configuration(&edited).await;
        thief.is_rejected(why, attempt("PUT", OWN, body)).await;
    }
    let mut labelled = thief.configuration(&webhooks).await;
    labelled["metadata"]["labels"]["a"] = json!("b");
    let why = "nothing of its webhook configuration but the webhooks";
    thief.is_rejected(why, attempt("PUT", OWN, labelled)).await;
    thief.end().await;
}

/// What the operator does itself, and so what remains to whoever has its token.
#[tokio::test]
async fn operators_own_writes_go_through() {
    let thief = Thief::of_leader("token-own").await;
    let finalizers = |them: Value| {
        let body = json!({"metadata": {"finalizers": them}});
        patch("imagerepositories/api", body)
    };
    let both = json!(["theirs.example/audit", "ecr-operator.dev/cleanup"]);
    thief.is_done(finalizers(both)).await;
    thief
        .is_done(finalizers(json!(["theirs.example/audit"])))
        .await;
    let status = json!({"status": {"observedGeneration": 1}});
    thief
        .is_done(patch("imagerepositories/api/status", status))
        .await;

    let dry = format!("{PROBES}?dryRun=All");
    thief.is_done(attempt("POST", &dry, pod())).await;
    for webhooks in [thief.webhooks(), json!([])] {
        let body = thief.configuration(&webhooks).await;
        thief.is_done(attempt("PUT", DRY_OWN, body)).await;
    }
    let secret = "/api/v1/namespaces/HOME/secrets/ecr-operator-webhook";
    let mut found = thief.is_done(attempt("GET", secret, Value::Null)).await;
    found["stringData"] = json!({"tls.key": "KEY"});
    thief.is_done(attempt("PUT", secret, found)).await;
    let lease = "/apis/coordination.k8s.io/v1/namespaces/HOME/leases/ecr-operator";
    let mut found = thief.is_done(attempt("GET", lease, Value::Null)).await;
    found["spec"] = json!({"holderIdentity": "thief"});
    thief.is_done(attempt("PUT", lease, found)).await;
    let event = json!({
        "metadata": {"name": "noise"}, "eventTime": "2026-01-01T00:00:00.000000Z",
        "reportingController": "ecr-operator", "reportingInstance": "a", "action": "Shout",
        "reason": "Noise", "type": "Normal",
        "regarding": {"kind": "Namespace", "name": "default", "namespace": "default"},
    });
    let events = "/apis/events.k8s.io/v1/namespaces/default/events";
    thief.is_done(attempt("POST", events, event)).await;
    thief.end().await;
}
