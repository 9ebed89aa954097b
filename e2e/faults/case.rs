//! One case: a namespace with its objects, and an emulator; and what a user does and sees there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use ecr_operator::api;
use ecr_operator::commands::demo::hand::Hand;
use ecr_operator::commands::rights;
use ecr_operator::ecr::Timeouts;
use ecr_operator::emulator::{Effect, Emulator, Entry, Options, Outcome, Rule, Seed};
use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::{ApiResource, GroupVersionKind};
use kube::runtime::wait::await_condition;
use kube::{Client, Config};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::kubernetes::{CASE, Trouble, View};
use super::operator::{Operator, Role};
use super::{PATIENCE, REGION};
use crate::{crds, plane};

/// The kind that is namespaced.
pub(super) const REPOSITORY: &str = "ImageRepository";

/// How often everything is looked at with [`Sweeps::Often`].
pub(super) const PERIOD: Duration = Duration::from_millis(200);

/// What is upstream of every cache.
const SEED: &str = r#"{upstreams: {registry-1.docker.io: {images: ["library/redis:7.4"]}}}"#;

/// How an operator looks at a world that nobody tells it about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sweeps {
    /// Not while the test lasts.
    Never,
    /// All the time: every list, and every policy with each list.
    Often,
}

/// A case.
pub(super) struct Case {
    /// Its namespace, its cluster id, and the beginning of the names of its cluster-scoped objects;
    /// the operator lives in the namespace NAME-system.
    pub(super) name: String,
    /// AWS.
    pub(super) emulator: Arc<Emulator>,
    client: Client,
    config: Config,
}

impl Case {
    /// Sets up a case; nothing is in it, and nobody operates.
    pub(super) async fn set(scenario: &str) -> Self {
        Self::with_seed(scenario, SEED).await
    }

    /// Another cluster's case before the same AWS.
    pub(super) async fn neighbour(&self, scenario: &str) -> Self {
        Self::before(scenario, async |_| Arc::clone(&self.emulator)).await
    }

    /// A case with what `seed` says in AWS.
    pub(super) async fn with_seed(scenario: &str, seed: &str) -> Self {
        let emulator = async |case: &str| {
            let options = Options {
                seed: Seed::parse(&seed.replace("CASE", case)).unwrap(),
                ..Options::default()
            };
            Arc::new(Emulator::start(options).await.unwrap())
        };
        Self::before(scenario, emulator).await
    }

    async fn before(scenario: &str, emulator: impl AsyncFnOnce(&str) -> Arc<Emulator>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("{scenario}-{number}-{}", std::process::id());
        let client = crds::installed().await;
        let kubeconfig = plane::shared().await.kubeconfig().unwrap();
        let kubeconfig = Kubeconfig::from_yaml(&kubeconfig).unwrap();
        let chosen = KubeConfigOptions::default();
        let config = Config::from_custom_kubeconfig(kubeconfig, &chosen).await;
        let namespaces: Api<Namespace> = Api::all(client.clone());
        for namespace in [name.clone(), format!("{name}-system")] {
            let object = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {
                "name": namespace, "labels": {CASE: name, "ecr-operator-e2e": ""},
            }});
            let (how, object) = (PatchParams::apply("faults"), Patch::Apply(object));
            namespaces.patch(&namespace, &how, &object).await.unwrap();
        }
        rights::install(&client, &format!("{name}-system"))
            .await
            .unwrap();
        Self {
            emulator: emulator(&name).await,
            config: config.unwrap(),
            client,
            name,
        }
    }

    /// Starts an operator; it holds the lease at once, since it is the same one again.
    pub(super) fn operator(&self, sweeps: Sweeps) -> Operator {
        self.operator_in(sweeps, Trouble::None)
    }

    /// The same with an API server that is troubled from the start.
    pub(super) fn operator_in(&self, sweeps: Sweeps, trouble: Trouble) -> Operator {
        self.role(sweeps).start(View::of(&self.name, trouble))
    }

    /// What an operator is, for one that differs in something.
    pub(super) fn role(&self, sweeps: Sweeps) -> Role {
        let period = match sweeps {
            Sweeps::Never => "24h".to_owned(),
            Sweeps::Often => format!("{}ms", PERIOD.as_millis()),
        };
        Role {
            case: self.name.clone(),
            config: self.config.clone(),
            aws: self.emulator.url(),
            timeouts: Timeouts::default(),
            logs: "off",
            flags: vec![
                format!("--sweep-period={period}"),
                format!("--document-period={period}"),
                "--facts-period=24h".to_owned(),
            ],
        }
    }

    /// An `EnvironmentAccount` of this account that every namespace may use, and whose repositories
    /// others may; `more` is merged into its spec.
    pub(super) async fn environment(&self, name: &str, account: &str, more: Value) {
        let mut spec = json!({
            "accountId": account,
            "region": REGION,
            "assumeRole": {"roleArn": format!("arn:aws:iam::{account}:role/ecr-operator")},
            "grants": [{"namespaceSelector": {}, "repositoryPrefixes": ["{namespace}/"]}],
            "allowedPrincipals": {
                "accounts": ["444444444444", "555555555555", "666666666666", "777777777777"],
                "organizations": ["o-abc1234567"],
            },
        });
        json_patch::merge(&mut spec, &more);
        let object = json!({
            "apiVersion": "ecr-operator.dev/v1alpha1",
            "kind": "EnvironmentAccount",
            "metadata": {"name": format!("CASE-{name}")},
            "spec": spec,
        });
        self.apply(&object.to_string()).await;
    }

    /// An `ImageRepository` of this spec.
    pub(super) async fn repository(&self, name: &str, spec: Value) {
        let object = json!({
            "apiVersion": "ecr-operator.dev/v1alpha1",
            "kind": REPOSITORY,
            "metadata": {"name": name, "namespace": "CASE"},
            "spec": spec,
        });
        self.apply(&object.to_string()).await;
    }

    /// Applies the documents of a YAML text, in which CASE stands for the case's name.
    pub(super) async fn apply(&self, manifests: &str) {
        let documents = manifests.replace("CASE", &self.name);
        let documents: Vec<Value> = serde_saphyr::from_multiple(&documents).unwrap();
        for mut object in documents {
            object["metadata"]["labels"] = json!({CASE: self.name});
            let kind = object["kind"].as_str().unwrap();
            let name = object["metadata"]["name"].as_str().unwrap();
            let (api, how) = (self.api(kind), PatchParams::apply("faults").force());
            api.patch(name, &how, &Patch::Apply(&object)).await.unwrap();
        }
    }

    /// Changes a part of an object: its spec, its annotations.
    pub(super) async fn edit(&self, kind: &str, name: &str, patch: Value) {
        let (api, full) = (self.api(kind), self.full(kind, name));
        let (how, patch) = (PatchParams::default(), Patch::Merge(patch));
        api.patch(&full, &how, &patch).await.unwrap();
    }

    /// Asks for the object to be deleted.
    pub(super) async fn delete(&self, kind: &str, name: &str) {
        let (api, full) = (self.api(kind), self.full(kind, name));
        api.delete(&full, &DeleteParams::default()).await.unwrap();
    }

    /// The object as it is now.
    pub(super) async fn get(&self, kind: &str, name: &str) -> Value {
        let (api, full) = (self.api(kind), self.full(kind, name));
        serde_json::to_value(api.get(&full).await.unwrap()).unwrap()
    }

    /// Waits until the object is as wanted; `None` is one that is not there.
    pub(super) async fn until(
        &self,
        (kind, name): (&str, &str),
        what: &str,
        wanted: impl Fn(Option<&Value>) -> bool,
    ) {
        let full = self.full(kind, name);
        let met = |it: Option<&DynamicObject>| {
            let it = it.map(|it| serde_json::to_value(it).unwrap());
            wanted(it.as_ref())
        };
        let met = await_condition(self.api(kind), &full, met);
        match timeout(PATIENCE, met).await {
            Ok(met) => drop(met.unwrap()),
            Err(_) => panic!(
                "{kind} {full} never was {what}:\n{}",
                self.report(kind, name).await
            ),
        }
    }

    /// Waits until the object is Ready as its spec is now.
    pub(super) async fn ready(&self, kind: &str, name: &str) {
        let wanted = |it: Option<&Value>| it.is_some_and(|it| has(it, "True", None));
        self.until((kind, name), "ready", wanted).await;
    }

    /// Waits until the object is not Ready for this reason.
    pub(super) async fn because(&self, kind: &str, name: &str, reason: &str) {
        let wanted = |it: Option<&Value>| it.is_some_and(|it| has(it, "False", Some(reason)));
        self.until((kind, name), reason, wanted).await;
    }

    /// Waits until there is no such object.
    pub(super) async fn gone(&self, kind: &str, name: &str) {
        self.until((kind, name), "gone", |it| it.is_none()).await;
    }

    /// Waits until a target of an `ImageRepository` shows this state.
    pub(super) async fn target(&self, name: &str, environment: &str, state: &str) {
        let environment = self.full("EnvironmentAccount", environment);
        let wanted = |it: Option<&Value>| {
            let targets = it.and_then(|it| it["status"]["targets"].as_array());
            targets
                .into_iter()
                .flatten()
                .any(|it| it["environment"] == *environment && it["state"] == state)
        };
        self.until((REPOSITORY, name), state, wanted).await;
    }

    /// What Ready of the object says.
    pub(super) async fn message(&self, kind: &str, name: &str) -> String {
        let object = self.get(kind, name).await;
        let conditions = object["status"]["conditions"].as_array().unwrap();
        let ready = conditions.iter().find(|it| it["type"] == "Ready").unwrap();
        ready["message"].as_str().unwrap().to_owned()
    }

    /// Asks for the namespace to be deleted, with all that is in it.
    pub(super) async fn end(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces
            .delete(&self.name, &DeleteParams::default())
            .await
            .unwrap();
    }

    /// Waits until there is no such namespace.
    pub(super) async fn ended(&self) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let gone = await_condition(namespaces, &self.name, |it: Option<&Namespace>| {
            it.is_none()
        });
        timeout(PATIENCE, gone)
            .await
            .expect("the namespace ends")
            .unwrap();
    }

    /// The version that the API server's objects are of now.
    pub(super) async fn version(&self) -> String {
        let objects = self.api(REPOSITORY).list(&ListParams::default()).await;
        objects.unwrap().metadata.resource_version.unwrap()
    }

    /// A client that sees everything.
    pub(super) fn client(&self) -> Client {
        self.client.clone()
    }

    /// Somebody signed in to an account, past the operator.
    pub(super) fn hand<'a>(&'a self, account: &'a str) -> Hand<'a> {
        Hand {
            emulator: &self.emulator,
            account,
            region: REGION,
        }
    }

    /// Where the journal is now.
    pub(super) fn now(&self) -> u64 {
        self.emulator.journal().last()
    }

    /// The operator's calls of this operation in an account since a moment of the journal.
    pub(super) fn calls(&self, since: u64, account: &str, operation: &str) -> Vec<Entry> {
        let mut entries = self.emulator.journal().since(since);
        entries.retain(|it| it.account == account && it.operation == operation);
        entries
    }

    /// Waits for a request to AWS.
    pub(super) async fn heard(&self, what: &str, wanted: impl Fn(&Entry) -> bool) -> Entry {
        let heard = timeout(PATIENCE, self.emulator.journal().wait_for(wanted)).await;
        heard.unwrap_or_else(|_| panic!("{}: no {what} came", self.name))
    }

    /// What fails from now on.
    pub(super) fn fault(&self, rule: Rule) {
        self.emulator.faults().add(rule);
    }

    /// The operator's changes in AWS since a moment of the journal.
    pub(super) fn writes(&self, since: u64) -> Vec<Entry> {
        let mut entries = self.emulator.journal().since(since);
        entries.retain(|it| {
            it.is_write() && matches!(it.outcome, Outcome::Done | Outcome::DoneUnanswered)
        });
        entries
    }

    /// The name that an object has in the cluster.
    pub(super) fn full(&self, kind: &str, name: &str) -> String {
        match kind {
            REPOSITORY => name.to_owned(),
            _ => format!("{}-{name}", self.name),
        }
    }

    /// The objects of a kind.
    pub(super) fn api(&self, kind: &str) -> Api<DynamicObject> {
        let plural = match kind {
            "EnvironmentAccount" => "environmentaccounts",
            "LifecyclePolicy" => "lifecyclepolicies",
            "PullThroughRule" => "pullthroughrules",
            REPOSITORY => "imagerepositories",
            _ => panic!("{kind} is in no case"),
        };
        let version = GroupVersionKind::gvk(api::GROUP, api::VERSION, kind);
        let resource = ApiResource::from_gvk_with_plural(&version, plural);
        match kind {
            REPOSITORY => Api::namespaced_with(self.client.clone(), &self.name, &resource),
            _ => Api::all_with(self.client.clone(), &resource),
        }
    }

    /// What there is to read when something has not come.
    async fn report(&self, kind: &str, name: &str) -> String {
        let (api, full) = (self.api(kind), self.full(kind, name));
        let object = api.get_opt(&full).await.unwrap();
        let object = serde_json::to_string_pretty(&object.map(|it| it.data["status"].clone()));
        let journal = self.emulator.journal().entries();
        let tail = journal.iter().rev().take(20).rev();
        let tail: Vec<String> = tail
            .map(|it| {
                format!(
                    "{} {} {} {:?}",
                    it.sequence, it.account, it.operation, it.outcome
                )
            })
            .collect();
        format!("{}\n{}", object.unwrap(), tail.join("\n"))
    }
}

/// Whether Ready is `status`, for the spec as it is now, and for this reason.
fn has(object: &Value, status: &str, reason: Option<&str>) -> bool {
    let generation = &object["metadata"]["generation"];
    let conditions = object["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| {
        it["type"] == "Ready"
            && it["status"] == status
            && it["observedGeneration"] == *generation
            && reason.is_none_or(|reason| it["reason"] == reason)
    })
}

/// A rule about the operation of this name.
pub(super) fn on(operation: &str, effect: Effect) -> Rule {
    Rule {
        operation: Some(operation.to_owned()),
        effect,
        ..Rule::default()
    }
}
