//! Whoever has stolen the token of a ServiceAccount of the operator, and what they send.

use std::time::Duration;

use ecr_operator::commands::rights::{self, probe_namespace};
use ecr_operator::controllers::webhook_configuration::{Endpoint, Install, Selectors, desired};
use kube::Client;
use kube::core::Status;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::{DRY_OWN, OURS, OWN, PROBES};
use crate::plane::{namespace, shared};
use crate::{PATIENCE, crds};

/// A request as it is sent. HOME stands for the operator's namespace, and for the name of its environment.
pub(super) struct Attempt {
    pub(super) method: &'static str,
    pub(super) path: String,
    pub(super) body: Value,
}

pub(super) fn attempt(method: &'static str, path: &str, body: Value) -> Attempt {
    let path = path.to_owned();
    Attempt { method, path, body }
}

/// Whoever has the token, and the administrator.
pub(super) struct Thief {
    pub(super) home: String,
    pub(super) client: Client,
    pub(super) admin: Client,
}

impl Thief {
    /// Steals the token of what leads, when the policies are in force.
    pub(super) async fn of_leader(purpose: &str) -> Self {
        let it = Self::of(rights::NAME, purpose).await;
        it.wait_for_policies().await;
        it
    }

    /// Steals the token of this service account of a new installation.
    pub(super) async fn of(account: &str, purpose: &str) -> Self {
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

    pub(super) async fn send(
        &self,
        client: &Client,
        attempt: &Attempt,
    ) -> Result<Value, Box<Status>> {
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

    pub(super) async fn is_rejected(&self, why: &str, attempt: Attempt) {
        let Attempt { method, path, .. } = &attempt;
        match self.send(&self.client, &attempt).await {
            Ok(answer) => panic!("{method} {path} went through: {answer}"),
            Err(status) => assert!(status.message.contains(why), "{method} {path}: {status:?}"),
        }
    }

    pub(super) async fn is_done(&self, attempt: Attempt) -> Value {
        let Attempt { method, path, .. } = &attempt;
        let done = self.send(&self.client, &attempt).await;
        done.unwrap_or_else(|status| panic!("{method} {path}: {status:?}"))
    }

    /// Our webhook configuration as it is, with other webhooks.
    pub(super) async fn configuration(&self, webhooks: &Value) -> Value {
        let get = attempt("GET", OWN, Value::Null);
        let mut found = self.send(&self.admin, &get).await.unwrap();
        found["webhooks"] = webhooks.clone();
        found
    }

    /// The webhooks that the operator writes for one policy.
    pub(super) fn webhooks(&self) -> Value {
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

    pub(super) async fn end(self) {
        let finalizers = json!({"metadata": {"finalizers": null}});
        let free = patch("imagerepositories/api", finalizers);
        self.send(&self.admin, &free).await.unwrap();
        let environment = format!("{OURS}/environmentaccounts/HOME");
        let gone = attempt("DELETE", &environment, Value::Null);
        self.send(&self.admin, &gone).await.unwrap();
    }
}

/// A merge patch of one of our objects.
pub(super) fn patch(object: &str, body: Value) -> Attempt {
    let path = match object.strip_prefix("environmentaccounts") {
        Some(_) => format!("{OURS}/{object}"),
        None => format!("{OURS}/namespaces/HOME/{object}"),
    };
    attempt("PATCH", &path, body)
}

pub(super) fn pod() -> Value {
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
