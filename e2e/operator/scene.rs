//! The scene of a story: a control plane, an emulator and the operator, and what an act needs to do
//! and to see there.

use std::path::Path;
use std::sync::Arc;

use ecr_operator::commands::demo::stage::{Operator, Pair, Role, Stage};
use ecr_operator::commands::run::ProcessRole;
use ecr_operator::emulator::{Emulator, Options};
use ecr_operator::plane::{Choice, Cluster, Options as PlaneOptions, Progress};
use futures::TryStreamExt as _;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::runtime::{WatchStreamExt as _, watcher};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::PATIENCE;
use crate::rights;

mod aws;

pub(super) use aws::{is_done_by_us, subject};

/// What every AWS account has before the operator comes.
pub(super) const SEED: &str = include_str!("manifests/seed.yaml");
/// The environments and the lifecycle policies that every story begins with.
pub(super) const ENVIRONMENTS: &str = include_str!("manifests/environments.yaml");
/// How kubectl is told the kinds; the short words might be another project's.
const REPOSITORY: &str = "imagerepositories.ecr-operator.dev";

/// A cluster, an emulator, and whoever operates between them.
pub(super) struct Scene {
    pub(super) stage: Stage,
}

impl Scene {
    /// Sets the scene: environments are declared, and nobody operates yet. Logs are kept in
    /// `target/tmp/operator/NAME`.
    pub(super) async fn set(name: &str) -> Self {
        let emulator = Emulator::start(Options {
            seed: rights::granted(SEED),
            ..Options::default()
        });
        Self::over(Arc::new(emulator.await.unwrap()), name).await
    }

    /// Another cluster that has the same accounts.
    pub(super) async fn beside(&self, name: &str) -> Self {
        Self::over(Arc::clone(&self.stage.emulator), name).await
    }

    async fn over(emulator: Arc<Emulator>, name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join("operator")
            .join(name);
        let options = PlaneOptions {
            logs: Some(folder.join("plane")),
            audited: [rights::USER, rights::WEBHOOK_USER]
                .map(str::to_owned)
                .to_vec(),
        };
        let progress = Progress::stderr();
        let cluster = Cluster::obtain(Choice::Own, &options, &progress).await;
        let stage = Stage::set(cluster.unwrap(), emulator, folder);
        let it = Self {
            stage: stage.await.unwrap(),
        };
        it.apply(ENVIRONMENTS).await;
        it
    }

    /// Starts an operator that looks at every registry, and at every policy there, each second.
    pub(super) async fn operator(&self, identity: &str) -> Operator {
        self.operator_with(identity, Vec::new()).await
    }

    /// The same with further flags, which win.
    pub(super) async fn operator_with(&self, identity: &str, flags: Vec<String>) -> Operator {
        let role = role("east", identity, flags);
        self.stage.operator(&role).await.unwrap()
    }

    /// Starts what serves and what leads as two processes, as the chart installs them.
    pub(super) async fn pair(&self, identity: &str) -> Pair {
        self.pair_with(identity, Vec::new()).await
    }

    /// The same with further flags, which win.
    pub(super) async fn pair_with(&self, identity: &str, flags: Vec<String>) -> Pair {
        let role = role("east", identity, flags);
        self.stage.pair(&role).await.unwrap()
    }

    /// Starts one more process that serves.
    pub(super) async fn webhook_with(&self, identity: &str, flags: Vec<String>) -> Operator {
        let role = role("east", identity, flags);
        let process = self.stage.process(&role, ProcessRole::Webhook).await;
        process.unwrap()
    }

    /// An operator of one process in a cluster of this name; it logs all that it can.
    pub(super) async fn talkative_operator(&self, cluster: &str, identity: &str) -> Operator {
        let role = Role {
            log: Some("trace".to_owned()),
            ..role(cluster, identity, Vec::new())
        };
        self.stage.operator(&role).await.unwrap()
    }

    /// Makes a namespace of a team, which the environments grant their repositories to.
    pub(super) async fn namespace(&self, name: &str) {
        let labels = [("example.com/team", "true")];
        self.stage
            .cluster
            .create_namespace(name, &labels)
            .await
            .unwrap();
    }

    pub(super) async fn apply(&self, manifests: &str) {
        self.stage.apply(manifests).await.unwrap();
    }

    /// An `ImageRepository` of this spec.
    pub(super) async fn repository(&self, object: &str, spec: Value) {
        let (namespace, name) = object.split_once('/').unwrap();
        let object = json!({
            "apiVersion": "ecr-operator.dev/v1alpha1",
            "kind": "ImageRepository",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        });
        self.apply(&object.to_string()).await;
    }

    /// The same, for a spec of a definition that the API server may not have taken up yet: asks
    /// until it takes it.
    pub(super) async fn repository_when_taken(&self, object: &str, spec: &Value) {
        let (namespace, name) = object.split_once('/').unwrap();
        let object = json!({
            "apiVersion": "ecr-operator.dev/v1alpha1",
            "kind": "ImageRepository",
            "metadata": {"name": name, "namespace": namespace},
            "spec": spec,
        });
        let taken = async {
            while self.stage.apply(&object.to_string()).await.is_err() {
                tokio::task::yield_now().await;
            }
        };
        timeout(PATIENCE, taken).await.unwrap();
    }

    /// A `PullThroughRule` of this spec.
    pub(super) async fn cache(&self, name: &str, spec: Value) {
        let object = json!({
            "apiVersion": "ecr-operator.dev/v1alpha1",
            "kind": "PullThroughRule",
            "metadata": {"name": name},
            "spec": spec,
        });
        self.apply(&object.to_string()).await;
    }

    /// An `EnvironmentAccount` of this spec.
    pub(super) async fn environment(&self, spec: Value, name: &str) {
        let object = json!({
            "apiVersion": "ecr-operator.dev/v1alpha1",
            "kind": "EnvironmentAccount",
            "metadata": {"name": name},
            "spec": spec,
        });
        self.apply(&object.to_string()).await;
    }

    /// `kubectl VERB` on an object: `NAMESPACE/NAME` of an `ImageRepository`, or `KIND NAME`.
    pub(super) async fn kubectl(
        &self,
        verb: &str,
        object: &str,
        rest: &[&str],
    ) -> anyhow::Result<String> {
        let mut args = vec![verb];
        match object.split_once('/') {
            Some((namespace, name)) => args.extend(["--namespace", namespace, REPOSITORY, name]),
            None => args.extend(object.split(' ')),
        }
        args.extend(rest);
        self.stage.kubectl(&args, None).await
    }

    /// `kubectl patch` of a spec, which the API server has to take.
    pub(super) async fn edit(&self, object: &str, spec: Value) {
        self.try_edit(object, spec).await.unwrap();
    }

    pub(super) async fn try_edit(&self, object: &str, spec: Value) -> anyhow::Result<String> {
        let patch = json!({"spec": spec}).to_string();
        self.kubectl("patch", object, &["--type=merge", "--patch", &patch])
            .await
    }

    /// Waits until the object is Ready as its spec is now.
    pub(super) async fn ready(&self, object: &str) {
        self.waits(object, "condition=Ready").await;
    }

    /// Waits until Ready is as it is for this reason.
    pub(super) async fn because(&self, object: &str, reason: &str) {
        let reason =
            format!("jsonpath={{.status.conditions[?(@.type==\"Ready\")].reason}}={reason}");
        self.waits(object, &reason).await;
    }

    /// Waits until the object is no more.
    pub(super) async fn gone(&self, object: &str) {
        self.waits(object, "delete").await;
    }

    /// `kubectl wait --for=WHAT`
    pub(super) async fn waits(&self, object: &str, what: &str) {
        let (what, patience) = (
            format!("--for={what}"),
            format!("--timeout={}s", PATIENCE.as_secs()),
        );
        if let Err(error) = self.kubectl("wait", object, &[&what, &patience]).await {
            let shown = self.kubectl("get", object, &["--output=yaml"]).await;
            panic!("{error:#}\n{}", shown.unwrap_or_else(|it| it.to_string()));
        }
    }

    /// The object's message for people.
    pub(super) async fn message(&self, object: &str) -> String {
        let path = "--output=jsonpath={.status.conditions[?(@.type==\"Ready\")].message}";
        self.kubectl("get", object, &[path]).await.unwrap()
    }

    /// A part of what the object shows of its first target.
    pub(super) async fn target(&self, object: &str, part: &str) -> String {
        let path = format!("--output=jsonpath={{.status.targets[0].{part}}}");
        self.kubectl("get", object, &[&path]).await.unwrap()
    }

    /// Waits for an event of this reason in the namespace, and gives what it says.
    pub(super) async fn told(&self, namespace: &str, reason: &str) -> Event {
        let events: Api<Event> =
            Api::namespaced(self.stage.cluster.client().await.unwrap(), namespace);
        let events = watcher(events, watcher::Config::default()).applied_objects();
        let mut events = std::pin::pin!(events);
        let told = async {
            loop {
                let event = events.try_next().await.unwrap().unwrap();
                if event.reason.as_deref() == Some(reason) {
                    return event;
                }
            }
        };
        let told = timeout(PATIENCE, told).await;
        told.unwrap_or_else(|_| panic!("no event {reason} in {namespace}"))
    }
}

fn role(cluster: &str, identity: &str, flags: Vec<String>) -> Role {
    let periods = [
        "--sweep-period=1s",
        "--document-period=1s",
        "--facts-period=1h",
        "--lifecycle-period=1s",
    ];
    Role {
        program: env!("CARGO_BIN_EXE_ecr-operator").into(),
        cluster_id: cluster.to_owned(),
        identity: identity.to_owned(),
        flags: [periods.map(str::to_owned).to_vec(), flags].concat(),
        log: None,
    }
}
