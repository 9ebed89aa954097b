//! What whoever stole a token of the operator can do in the cluster: each attack is made against a real API
//! server, with the chart's rules and policies, and has to be rejected for the reason that is meant. What the
//! operator does itself, with the same token, goes through.

use std::time::Duration;

use ecr_operator::commands::rights::{self, probe_namespace};
use ecr_operator::controllers::webhook_configuration::{Endpoint, Install, Selectors, desired};
use kube::Client;
use kube::core::Status;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::plane::{namespace, shared};
use crate::{PATIENCE, crds};

const OURS: &str = "/apis/ecr-operator.dev/v1alpha1";
const OWN: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/ecr-operator";
const DRY_OWN: &str =
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/ecr-operator?dryRun=All";
const PROBES: &str = "/api/v1/namespaces/HOME-probe/pods";

/// A request as it is sent. HOME stands for the operator's namespace, and for the name of its environment.
struct Attempt {
    method: &'static str,
    path: String,
    body: Value,
}

fn attempt(method: &'static str, path: &str, body: Value) -> Attempt {
    let path = path.to_owned();
    Attempt { method, path, body }
}

/// Whoever has the token, and the administrator.
struct Thief {
    home: String,
    client: Client,
    admin: Client,
}

impl Thief {
    /// Steals the token of what leads, when the policies are in force.
    async fn of_leader(purpose: &str) -> Self {
        let it = Self::of(rights::NAME, purpose).await;
        it.wait_for_policies().await;
        it
    }

    /// Steals the token of this service account of a new installation.
    async fn of(account: &str, purpose: &str) -> Self {
        let admin = crds::installed().await;
        let cluster = shared().await;
        let home = namespace(cluster, purpose).await;
        rights::grant(&admin, &home).await.unwrap();
        rights::install(&admin, &home).await.unwrap();
        rights::install_configuration(&admin).await.unwrap();
        rights::restrict(&admin, &home, None).await.unwrap();
        let client = cluster.client_of(&home, account).await.unwrap();
        let it = Self {
            home,
            client,
            admin,
        };
        it.declare().await;
        it
    }

    /// An environment that says no to deletion, and a repository that somebody else finalizes too.
    async fn declare(&self) {
        let environment = json!({
            "apiVersion": "ecr-operator.dev/v1alpha1",
            "kind": "EnvironmentAccount",
            "metadata": {"name": "HOME"},
            "spec": {"accountId": "111111111111", "region": "eu-central-1"},
        });
        let repository = json!({
            "apiVersion": "ecr-operator.dev/v1alpha1",
            "kind": "ImageRepository",
            "metadata": {"name": "api", "finalizers": ["theirs.example/audit"]},
            "spec": {"environments": ["HOME"]},
        });
        let environments = format!("{OURS}/environmentaccounts");
        let repositories = format!("{OURS}/namespaces/HOME/imagerepositories");
        for (path, object) in [(environments, environment), (repositories, repository)] {
            self.send(&self.admin, &attempt("POST", &path, object))
                .await
                .unwrap();
        }
    }

    /// API servers report to nobody when they have noticed a policy.
    async fn wait_for_policies(&self) {
        let mut webhooks = self.webhooks();
        webhooks[0]["name"] = json!("spy.stranger.example");
        let labels = json!({"metadata": {"labels": {"a": "b"}}});
        let first = [
            patch("imagerepositories/api?dryRun=All", labels),
            attempt("PUT", DRY_OWN, self.configuration(&webhooks).await),
            attempt("POST", PROBES, pod()),
        ];
        for attempt in first {
            let noticed = async {
                while !self.is_rejected_by_policy(&attempt).await {
                    sleep(Duration::from_millis(200)).await;
                }
            };
            let noticed = timeout(PATIENCE, noticed).await;
            noticed.unwrap_or_else(|_| panic!("{} goes through", attempt.path));
        }
    }

    async fn is_rejected_by_policy(&self, attempt: &Attempt) -> bool {
        let sent = self.send(&self.client, attempt).await;
        if sent.is_ok() && attempt.path == PROBES {
            let pod = format!("{PROBES}/probe");
            let gone = self::attempt("DELETE", &pod, Value::Null);
            self.send(&self.admin, &gone).await.unwrap();
        }
        sent.is_err_and(|it| it.message.contains("ValidatingAdmissionPolicy"))
    }

    async fn send(&self, client: &Client, attempt: &Attempt) -> Result<Value, Box<Status>> {
        let Attempt { method, path, body } = attempt;
        let here = |it: &str| it.replace("HOME", &self.home);
        let kind = match *method {
            "PATCH" => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = hyper::Request::builder()
            .method(*method)
            .uri(here(path))
            .header("content-type", kind)
            .body(match body {
                Value::Null => Vec::new(),
                body => here(&body.to_string()).into_bytes(),
            });
        match client.request(request.unwrap()).await {
            Ok(answer) => Ok(answer),
            Err(kube::Error::Api(status)) => Err(status),
            Err(error) => panic!("{method} {path}: {error}"),
        }
    }

    async fn is_rejected(&self, why: &str, attempt: Attempt) {
        let Attempt { method, path, .. } = &attempt;
        match self.send(&self.client, &attempt).await {
            Ok(answer) => panic!("{method} {path} went through: {answer}"),
            Err(status) => assert!(status.message.contains(why), "{method} {path}: {status:?}"),
        }
    }

    async fn is_done(&self, attempt: Attempt) -> Value {
        let Attempt { method, path, .. } = &attempt;
        let done = self.send(&self.client, &attempt).await;
        done.unwrap_or_else(|status| panic!("{method} {path}: {status:?}"))
    }

    /// Our webhook configuration as it is, with other webhooks.
    async fn configuration(&self, webhooks: &Value) -> Value {
        let get = attempt("GET", OWN, Value::Null);
        let mut found = self.send(&self.admin, &get).await.unwrap();
        found["webhooks"] = webhooks.clone();
        found
    }

    /// The webhooks that the operator writes for one policy.
    fn webhooks(&self) -> Value {
        let install = Install {
            namespace: self.home.clone(),
            probe_namespace: probe_namespace(&self.home),
            name: rights::NAME.to_owned(),
            endpoint: Endpoint::Service {
                name: rights::NAME.to_owned(),
                port: 443,
            },
        };
        let policies = [("prod".to_owned(), Selectors::default())].into();
        let authority = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";
        json!(desired(&install, &policies, authority))
    }

    async fn end(self) {
        let finalizers = json!({"metadata": {"finalizers": null}});
        let free = patch("imagerepositories/api", finalizers);
        self.send(&self.admin, &free).await.unwrap();
        let environment = format!("{OURS}/environmentaccounts/HOME");
        let gone = attempt("DELETE", &environment, Value::Null);
        self.send(&self.admin, &gone).await.unwrap();
    }
}

/// A merge patch of one of our objects.
fn patch(object: &str, body: Value) -> Attempt {
    let path = match object.strip_prefix("environmentaccounts") {
        Some(_) => format!("{OURS}/{object}"),
        None => format!("{OURS}/namespaces/HOME/{object}"),
    };
    attempt("PATCH", &path, body)
}

fn pod() -> Value {
    json!({"metadata": {"name": "probe"}, "spec": {
        "containers": [{
            "name": "probe", "image": "probe.invalid/never/pulled:1",
            "securityContext": {
                "allowPrivilegeEscalation": false,
                "capabilities": {"drop": ["ALL"]},
            },
        }],
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
    }})
}

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
