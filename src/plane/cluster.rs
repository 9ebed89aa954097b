//! The cluster that tests and the demo run against: a control plane of their own, or the user's kind
//! or EKS cluster when the user names it. A `KUBECONFIG` that happens to be set is not a choice: it
//! may be production.

use std::env;

use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::Client;
use kube::api::{Api, Patch, PatchParams, PostParams};
use kube::config::Kubeconfig;
use kube::runtime::wait::await_condition;
use tokio::time::timeout;

use super::error::{Error, asking};
use super::kubeconfig;
use super::progress::Progress;
use super::start::{Options, PATIENCE, Plane, start};

/// Names the kubeconfig context to use instead of a plane of our own.
const CONTEXT: &str = "ECR_OPERATOR_CLUSTER";

/// Names the address by which that cluster's API server reaches this machine.
const CALLBACK: &str = "ECR_OPERATOR_CALLBACK_HOST";

/// Which cluster to use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Choice {
    /// Start a control plane on this machine.
    Own,
    /// Use a context of the user's kubeconfig (`KUBECONFIG`, or `~/.kube/config`).
    Context {
        /// Its name.
        name: String,
        /// The host by which its API server reaches this machine, for webhooks that are served
        /// from here; `None`: it cannot.
        callback_host: Option<String>,
    },
}

impl Choice {
    /// What the user asks for: `ECR_OPERATOR_CLUSTER` names a context; unset or empty, a plane of
    /// our own. With it, `ECR_OPERATOR_CALLBACK_HOST` says how webhooks on this machine are
    /// reached (kind on Linux: the gateway of its network, often 172.18.0.1).
    pub fn from_environment() -> Self {
        let set = |name: &str| env::var(name).ok().filter(|it| !it.is_empty());
        match set(CONTEXT) {
            Some(name) => Self::Context {
                name,
                callback_host: set(CALLBACK),
            },
            None => Self::Own,
        }
    }
}

/// A cluster to work with, as its administrator.
pub struct Cluster {
    kubeconfig: Kubeconfig,
    callback_host: Option<String>,
    plane: Option<Plane>,
}

impl Cluster {
    /// The cluster of this choice, ready to create Pods; starts a plane if that is the choice.
    pub async fn obtain(
        choice: Choice,
        options: &Options,
        progress: &Progress,
    ) -> Result<Self, Error> {
        match choice {
            Choice::Own => {
                let plane = start(options, progress).await?;
                Ok(Self {
                    kubeconfig: plane.kubeconfig.clone(),
                    callback_host: Some("127.0.0.1".to_owned()),
                    plane: Some(plane),
                })
            }
            Choice::Context {
                name,
                callback_host,
            } => {
                let kubeconfig = kubeconfig::of_context(&name)?;
                Ok(Self {
                    kubeconfig,
                    callback_host,
                    plane: None,
                })
            }
        }
    }

    /// The plane that was started for it; `None` for the user's own cluster.
    pub fn plane(&self) -> Option<&Plane> {
        self.plane.as_ref()
    }

    /// The host by which the API server reaches this machine, for `clientConfig.url` of webhooks
    /// served from here; `None`: it cannot.
    pub fn callback_host(&self) -> Option<&str> {
        self.callback_host.as_deref()
    }

    /// The administrator's kubeconfig, YAML.
    pub fn kubeconfig(&self) -> Result<String, Error> {
        kubeconfig::text(&self.kubeconfig)
    }

    /// A client with the administrator's rights, for the runtime it is made on.
    pub async fn client(&self) -> Result<Client, Error> {
        kubeconfig::client(&self.kubeconfig).await
    }

    /// The kubeconfig of a service account, YAML: a token of the TokenRequest API, good for a day.
    pub async fn kubeconfig_of(&self, namespace: &str, account: &str) -> Result<String, Error> {
        kubeconfig::text(&self.account(namespace, account).await?)
    }

    /// A client with a service account's rights and no others.
    pub async fn client_of(&self, namespace: &str, account: &str) -> Result<Client, Error> {
        kubeconfig::client(&self.account(namespace, account).await?).await
    }

    async fn account(&self, namespace: &str, account: &str) -> Result<Kubeconfig, Error> {
        let act = || format!("request a token for {namespace}/{account}");
        let accounts: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let asked = TokenRequest {
            spec: Some(TokenRequestSpec {
                expiration_seconds: Some(24 * 60 * 60),
                ..TokenRequestSpec::default()
            }),
            ..TokenRequest::default()
        };
        let given = accounts
            .create_token_request(account, &PostParams::default(), &asked)
            .await;
        let token = given.map_err(asking(act()))?.status.and_then(|it| it.token);
        kubeconfig::with_token(&self.kubeconfig, token.unwrap_or_default())
    }

    /// Makes a namespace with these labels, or takes the one that is there, and waits until Pods can
    /// be created in it: each needs the default service account, which the controller manager makes.
    pub async fn create_namespace(&self, name: &str, labels: &[(&str, &str)]) -> Result<(), Error> {
        let act = || format!("create the namespace {name}");
        let client = self.client().await?;
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.to_owned());
        namespace.metadata.labels = Some(
            labels
                .iter()
                .map(|(key, value)| ((*key).into(), (*value).into()))
                .collect(),
        );
        let namespaces: Api<Namespace> = Api::all(client.clone());
        let owner = PatchParams::apply("ecr-operator-plane").force();
        let applied = namespaces
            .patch(name, &owner, &Patch::Apply(&namespace))
            .await;
        applied.map_err(asking(act()))?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client, name);
        let there = |it: Option<&ServiceAccount>| it.is_some();
        match timeout(PATIENCE, await_condition(accounts, "default", there)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(source)) => Err(Error::Watch {
                act: act(),
                source: Box::new(source),
            }),
            Err(_) => Err(Error::NoServiceAccount {
                namespace: name.to_owned(),
            }),
        }
    }
}
