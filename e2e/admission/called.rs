//! Admission as a leader and a replica run it, called by the shared cluster's API server about the
//! pods of one namespace.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use ecr_operator::commands::rights::{self, probe_namespace};
use ecr_operator::controllers::certificates::{self, Keeper, Lifetimes};
use ecr_operator::controllers::webhook_configuration::{self, Endpoint, Install, Selectors};
use ecr_operator::domain::rewrite::Mode;
use ecr_operator::server::Limits;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::Client;
use kube::api::{Api, PostParams};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::fixture::{ECR, Server, rules};
use crate::PATIENCE;
use crate::plane::{create, namespace, shared};

pub(super) struct Called {
    pub(super) server: Server,
    pub(super) client: Client,
    pub(super) namespace: String,
    pub(super) install: Install,
    pub(super) keeper: Keeper,
    /// Which policies there are.
    pub(super) policies: Arc<ArcSwap<BTreeMap<String, Selectors>>>,
    /// Which of them the API server refuses.
    pub(super) refused: Arc<Mutex<BTreeMap<String, String>>>,
    woken: Arc<Notify>,
    term: CancellationToken,
    leading: Option<JoinHandle<()>>,
    following: JoinHandle<()>,
}

/// How one differs from another.
struct Setup {
    mode: Mode,
    lifetimes: Lifetimes,
    limits: Limits,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            mode: Mode::Rewrite,
            lifetimes: Lifetimes::default(),
            limits: Limits::default(),
        }
    }
}

impl Called {
    /// Starts it with one policy, and waits until the API server calls; `None` where the cluster
    /// cannot reach this machine.
    pub(super) async fn start(purpose: &str, mode: Mode) -> Option<Self> {
        let called = Self::prepare(purpose, mode, Lifetimes::default()).await?;
        called.in_force().await;
        Some(called)
    }

    /// The same without waiting, with these lifetimes and nobody leading.
    pub(super) async fn idle(purpose: &str, lifetimes: Lifetimes) -> Option<Self> {
        let mut called = Self::prepare(purpose, Mode::Rewrite, lifetimes).await?;
        called.term.cancel();
        called.leading.take().unwrap().await.unwrap();
        Some(called)
    }

    /// Starts it with one policy that rewrites, and these limits of the listener.
    pub(super) async fn start_with(purpose: &str, limits: Limits) -> Option<Self> {
        let setup = Setup {
            limits,
            ..Setup::default()
        };
        let called = Self::set(purpose, setup).await?;
        called.in_force().await;
        Some(called)
    }

    /// Starts it with one policy, and does not wait.
    pub(super) async fn prepare(purpose: &str, mode: Mode, lifetimes: Lifetimes) -> Option<Self> {
        let setup = Setup {
            mode,
            lifetimes,
            ..Setup::default()
        };
        Self::set(purpose, setup).await
    }

    async fn set(purpose: &str, setup: Setup) -> Option<Self> {
        let Setup {
            mode,
            lifetimes,
            limits,
        } = setup;
        let cluster = shared().await;
        let host = cluster.callback_host()?;
        let client = cluster.client().await.unwrap();
        let namespace = namespace(cluster, purpose).await;
        let server = Server::bare(host, limits).await;
        server
            .admission
            .rules
            .store(Some(Arc::new(rules([("prod", mode)]))));
        let install = Install {
            namespace: "ecr-operator-system".to_owned(),
            probe_namespace: probe_namespace(&namespace),
            name: format!("ecr-operator-{namespace}"),
            endpoint: Endpoint::Url(format!("https://{}", server.address)),
        };
        let keeper = Keeper {
            secrets: Api::namespaced(client.clone(), &namespace),
            name: rights::SECRET.to_owned(),
            names: install.host_names(),
            lifetimes,
        };
        rights::install(&client, &namespace).await.unwrap();
        let configuration = json!({"metadata": {"name": install.name}});
        let configurations: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
        create(&configurations, configuration).await.unwrap();
        let policies = BTreeMap::from([("prod".to_owned(), pods_of(&namespace))]);
        let certificate = Arc::clone(&server.certificate);
        let (followed, show) = (keeper.clone(), move |it: certificates::Shown| {
            certificate.store(Some(it.certificate));
        });
        let mut called = Self {
            server,
            client,
            namespace,
            install,
            keeper,
            policies: Arc::new(ArcSwap::from_pointee(policies)),
            refused: Arc::default(),
            woken: Arc::default(),
            term: CancellationToken::new(),
            leading: None,
            following: tokio::spawn(async move { certificates::follow(&followed, show).await }),
        };
        called.lead();
        Some(called)
    }

    /// Stands as the leader.
    pub(super) fn lead(&mut self) {
        self.term = CancellationToken::new();
        let (install, keeper) = (self.install.clone(), self.keeper.clone());
        let (policies, refused) = (Arc::clone(&self.policies), Arc::clone(&self.refused));
        let (woken, term) = (Arc::clone(&self.woken), self.term.clone());
        let configurations = self.configurations();
        self.leading = Some(tokio::spawn(async move {
            webhook_configuration::lead(
                (&configurations, &install),
                &keeper,
                || Some(BTreeMap::clone(&policies.load())),
                |it| it.refused.clone_into(&mut refused.lock().unwrap()),
                (&woken, &term),
            )
            .await;
        }));
    }

    pub(super) fn configurations(&self) -> Api<MutatingWebhookConfiguration> {
        Api::all(self.client.clone())
    }

    pub(super) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(super) fn secret(&self) -> (&Api<Secret>, &str) {
        (&self.keeper.secrets, &self.keeper.name)
    }

    /// Says which policies there are from now on.
    pub(super) fn set_policies(&self, policies: BTreeMap<String, Selectors>) {
        self.policies.store(Arc::new(policies));
        self.woken.notify_one();
    }

    /// Waits until the API server calls us, and trusts what we show.
    pub(super) async fn in_force(&self) {
        eventually("the API server calls", async || {
            let probe = json!({"containers": [{"name": "app", "image": "nginx:1.27"}]});
            self.admitted("probe", probe).await["containers"][0]["image"] != "nginx:1.27"
        })
        .await;
    }

    /// What becomes of a pod of this spec, by a dry run.
    pub(super) async fn admitted(&self, name: &str, spec: Value) -> Value {
        let dry_run = PostParams {
            dry_run: true,
            ..PostParams::default()
        };
        let pod = json!({"metadata": {"name": name}, "spec": spec});
        let pod = serde_json::from_value(pod).unwrap();
        let pod = self.pods().create(&dry_run, &pod).await.unwrap();
        serde_json::to_value(pod.spec).unwrap()
    }

    /// Takes the policies away, waits until their webhooks are gone, and removes the configuration.
    pub(super) async fn end(self) {
        self.set_policies(BTreeMap::new());
        let (configurations, name) = (self.configurations(), &self.install.name);
        eventually("there is no webhook", async || {
            configurations.get(name).await.unwrap().webhooks.is_none()
        })
        .await;
        configurations
            .delete(name, &Default::default())
            .await
            .unwrap();
        self.term.cancel();
        self.leading.unwrap().await.unwrap();
        self.following.abort();
        self.server.shutdown.cancel();
        self.server.ended.await.unwrap();
    }
}

/// All pods of one namespace.
pub(super) fn pods_of(namespace: &str) -> Selectors {
    let name = (
        "kubernetes.io/metadata.name".to_owned(),
        namespace.to_owned(),
    );
    Selectors {
        namespaces: Some(LabelSelector {
            match_labels: Some([name].into()),
            match_expressions: None,
        }),
        pods: None,
    }
}

/// Waits until it is so. API servers tell nobody when they have noticed a webhook configuration.
pub(super) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            sleep(Duration::from_millis(50)).await;
        }
    };
    assert!(
        timeout(PATIENCE, waiting).await.is_ok(),
        "still not so: {what}"
    );
}

/// The image, with the registry's host shortened.
pub(super) fn short(image: &Value) -> String {
    image.as_str().unwrap().replace(ECR, "ECR")
}
