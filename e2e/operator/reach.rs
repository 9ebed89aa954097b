//! Whether the API server reaches admission: what an image policy says when the way to it is cut.

use std::net::SocketAddr;

use ecr_operator::commands::demo::hand::get;
use ecr_operator::commands::demo::stage::{NAMESPACE, Operator};
use ecr_operator::commands::rights;
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Duration, sleep, timeout};

use super::PATIENCE;
use super::replicas::shows;
use super::scene::Scene;

const POLICY: &str = "imageadmissionpolicies.ecr-operator.dev prod";
const WEBHOOK: &str = "mutatingwebhookconfigurations ecr-operator";
const SECRET: &str = "secrets ecr-operator-webhook";

/// The way from the API server to admission, which can be cut and mended.
pub(super) struct Way {
    pub(super) entrance: SocketAddr,
    end: SocketAddr,
    open: Option<JoinHandle<()>>,
}

impl Way {
    /// A way to where an operator will listen.
    pub(super) async fn open() -> Self {
        let mut way = Self {
            entrance: SocketAddr::from(([127, 0, 0, 1], 0)),
            end: TcpListener::bind("127.0.0.1:0")
                .await
                .unwrap()
                .local_addr()
                .unwrap(),
            open: None,
        };
        way.mend().await;
        way
    }

    /// The flags of an operator that is at its end.
    pub(super) fn flags(&self) -> Vec<String> {
        vec![
            format!("--webhook-url=https://{}", self.entrance),
            format!("--webhook-listen={}", self.end),
        ]
    }

    async fn mend(&mut self) {
        let listener = TcpListener::bind(self.entrance).await.unwrap();
        self.entrance = listener.local_addr().unwrap();
        let end = self.end;
        self.open = Some(tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut far = TcpStream::connect(end).await?;
                    tokio::io::copy_bidirectional(&mut near, &mut far).await
                });
            }
        }));
    }

    /// Ends every connection, and refuses new ones.
    async fn cut(&mut self) {
        let open = self.open.take().unwrap();
        open.abort();
        assert!(open.await.unwrap_err().is_cancelled());
    }
}

pub(super) async fn a_policy_says_when_it_is_not_asked(
    scene: &Scene,
    operator: &Operator,
    way: &mut Way,
) {
    let policy = json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "ImageAdmissionPolicy",
        "metadata": {"name": "prod"},
        "spec": {"environment": "prod", "mode": "Audit"},
    });
    scene.apply(&policy.to_string()).await;
    reached(scene, operator).await;

    way.cut().await;
    scene
        .waits(POLICY, "condition=AdmissionReachable=False")
        .await;
    let shown = condition(scene).await;
    assert!(
        shown.starts_with("Unreachable new pods are admitted as they are: nobody listens"),
        "{shown}"
    );
    scene.told("default", "Unreachable").await;
    shows(operator, "/metrics", "ecr_operator_admission_reachable{} 0").await;
    scene.ready(POLICY).await; // the policy itself is as it should be

    way.mend().await;
    reached(scene, operator).await;
    nothing_is_written_while_nothing_changes(scene, operator).await;

    scene.edit(POLICY, json!({"environment": "none"})).await;
    scene.because(POLICY, "EnvironmentNotFound").await;
    assert_eq!(condition(scene).await, "", "nothing to reach");
}

/// Somebody damages the Secret: what replicas show stays good, and the new authority is trusted too
/// before anything of it is shown.
pub(super) async fn certificates_that_are_no_good_are_made_anew(
    scene: &Scene,
    operator: &Operator,
) {
    scene.edit(POLICY, json!({"environment": "prod"})).await;
    reached(scene, operator).await;
    let path = "--output=jsonpath={.webhooks[0].clientConfig.caBundle}";
    let before = scene.kubectl("get", WEBHOOK, &[path]).await.unwrap();
    let patch = json!({"data": {"tls.key": null}}).to_string();
    let here = ["--namespace", NAMESPACE];
    let args = ["--type=merge", "--patch", &patch];
    let args = [&here[..], &args].concat();
    scene.kubectl("patch", SECRET, &args).await.unwrap();
    let patience = format!("--timeout={}s", PATIENCE.as_secs());
    let made = ["--for=jsonpath={.data.tls\\.key}", &patience];
    let made = [&here[..], &made].concat();
    scene.kubectl("wait", SECRET, &made).await.unwrap();
    let other = async {
        while scene.kubectl("get", WEBHOOK, &[path]).await.unwrap() == before {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, other).await.expect("a new authority");
    reached(scene, operator).await;
}

/// Somebody deletes what the chart installs. The operator may not create it: it says so, and goes on when
/// it is there again.
pub(super) async fn missing_object_of_the_chart_is_reported(scene: &Scene, operator: &Operator) {
    let missing = |kind: &str, value: u8| {
        format!("ecr_operator_installed_object_missing{{kind=\"{kind}\"}} {value}")
    };
    scene.kubectl("delete", WEBHOOK, &[]).await.unwrap();
    shows(
        operator,
        "/metrics",
        &missing("MutatingWebhookConfiguration", 1),
    )
    .await;
    let said = async {
        while !condition(scene).await.contains("does not exist") {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, said).await.expect("the policy says so");
    assert_eq!(
        condition(scene).await,
        "NotCalled new pods are admitted as they are: MutatingWebhookConfiguration ecr-operator does not \
         exist, and the operator may not create it: run helm upgrade"
    );
    scene
        .waits(POLICY, "condition=AdmissionReachable=False")
        .await;
    scene.told("default", "NotInstalled").await;
    let client = scene.stage.cluster.client().await.unwrap();
    rights::install_configuration(&client).await.unwrap();
    reached(scene, operator).await;
    shows(
        operator,
        "/metrics",
        &missing("MutatingWebhookConfiguration", 0),
    )
    .await;

    let here = ["--namespace", NAMESPACE];
    scene.kubectl("delete", SECRET, &here).await.unwrap();
    shows(operator, "/metrics", &missing("Secret", 1)).await;
    rights::install(&client, NAMESPACE).await.unwrap();
    shows(operator, "/metrics", &missing("Secret", 0)).await;
    let patience = format!("--timeout={}s", PATIENCE.as_secs());
    let filled = ["--for=jsonpath={.data.tls\\.key}", &patience];
    let filled = [&here[..], &filled].concat();
    scene.kubectl("wait", SECRET, &filled).await.unwrap();
    reached(scene, operator).await;
}

/// `helm upgrade` and Argo CD apply the configuration as the chart has it, without webhooks: those that the
/// operator has filled in stay.
pub(super) async fn webhooks_stay_when_the_chart_is_applied_again(scene: &Scene) {
    let path = "--output=jsonpath={.webhooks[*].name}";
    let before = scene.kubectl("get", WEBHOOK, &[path]).await.unwrap();
    assert!(!before.is_empty());
    for upgrade in 1..=2 {
        let installed = json!({
            "apiVersion": "admissionregistration.k8s.io/v1",
            "kind": "MutatingWebhookConfiguration",
            "metadata": {"name": "ecr-operator", "labels": {"upgrade": upgrade.to_string()}},
        });
        let installed = installed.to_string();
        // By a three-way merge, as Helm 3, and by server-side apply, as Helm 4.
        for how in [
            &["apply", "-f", "-"][..],
            &["apply", "--server-side", "-f", "-"],
        ] {
            scene.stage.kubectl(how, Some(&installed)).await.unwrap();
            let after = scene.kubectl("get", WEBHOOK, &[path]).await.unwrap();
            assert_eq!(after, before, "{how:?}");
        }
    }
}

/// A tool that applies a copy of the configuration again and again.
pub(super) async fn webhook_that_is_edited_is_repaired_and_reported(
    scene: &Scene,
    operator: &Operator,
) {
    let edit = json!([{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}]);
    let edit = edit.to_string();
    let args = [
        "--type=json",
        "--field-manager=argocd-controller",
        "--patch",
    ];
    let args = [&args[..], &[edit.as_str()]].concat();
    let before = repairs(operator).await;
    for number in 1..=4 {
        scene.kubectl("patch", WEBHOOK, &args).await.unwrap();
        scene
            .waits(WEBHOOK, "jsonpath={.webhooks[0].failurePolicy}=Ignore")
            .await;
        let counted = format!("ecr_operator_webhook_repairs_total {}", before + number);
        shows(operator, "/metrics", &counted).await;
    }
    let event = scene.told("default", "WebhookContested").await;
    let note = event.note.unwrap();
    assert!(note.starts_with("argocd-controller changed"), "{note}");
    reached(scene, operator).await;
}

async fn repairs(operator: &Operator) -> u64 {
    const REPAIRS: &str = "ecr_operator_webhook_repairs_total ";
    let metrics = get(&operator.health, "/metrics").await.unwrap();
    let counted = metrics.lines().find_map(|it| it.strip_prefix(REPAIRS));
    counted.unwrap().parse().unwrap()
}

pub(super) async fn with_the_last_policy_the_webhook_goes(scene: &Scene) {
    scene.kubectl("delete", POLICY, &[]).await.unwrap();
    let path = "--output=jsonpath={.webhooks[*].name}";
    let gone = async {
        while !scene
            .kubectl("get", WEBHOOK, &[path])
            .await
            .unwrap()
            .is_empty()
        {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, gone).await.expect("no webhook");
}

pub(super) async fn reached(scene: &Scene, operator: &Operator) {
    scene.waits(POLICY, "condition=AdmissionReachable").await;
    shows(operator, "/metrics", "ecr_operator_admission_reachable{} 1").await;
}

/// The reason and the message of AdmissionReachable; empty where it is not there.
async fn condition(scene: &Scene) -> String {
    let path = "--output=jsonpath={range .status.conditions[?(@.type==\"AdmissionReachable\")]}\
                {.reason} {.message}{end}";
    scene.kubectl("get", POLICY, &[path]).await.unwrap()
}

async fn nothing_is_written_while_nothing_changes(scene: &Scene, operator: &Operator) {
    let version = async || {
        let path = "--output=jsonpath={.metadata.resourceVersion}";
        scene.kubectl("get", POLICY, &[path]).await.unwrap()
    };
    let before = version().await;
    let counted = probes(operator).await;
    let further = async {
        while probes(operator).await < counted + 2 {
            sleep(Duration::from_millis(200)).await;
        }
    };
    timeout(PATIENCE, further)
        .await
        .expect("two further probes");
    assert_eq!(version().await, before, "a heartbeat was written");
}

/// How many probes came through.
pub(super) async fn probes(operator: &Operator) -> u64 {
    const REACHED: &str = "ecr_operator_admission_probes_total{outcome=\"Reached\"} ";
    let metrics = get(&operator.health, "/metrics").await.unwrap();
    let counted = metrics.lines().find_map(|it| it.strip_prefix(REACHED));
    counted.unwrap().parse().unwrap()
}
