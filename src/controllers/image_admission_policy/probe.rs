//! Whether the API server reaches admission, tried from end to end: a pod is created by a dry run in
//! a namespace of its own, and comes back with the mark that only the webhook puts on it, or with
//! the API server's words on why it did not. One way leads to all policies, so one pod proves it for
//! all of them. Nothing is made, and nothing is sent to AWS.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, PostParams};
use serde_json::json;
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use super::reach::{Probed, Reach};
use crate::controllers::Context;
use crate::controllers::meters::{NoLabels, ProbeLabels};
use crate::controllers::wakes::{Key, Kind};

/// One miss may be a replica that stops, or an API server that has not heard of us yet.
const ATTEMPTS: u32 = 3;
/// Between two attempts.
const BETWEEN: Duration = Duration::from_secs(2);
/// The API server waits for our webhook for two seconds, and for those of others for up to 30.
const PATIENCE: Duration = Duration::from_secs(10);

/// How admission is tried.
#[derive(Clone, Debug)]
pub struct Probe {
    /// The pods of [`Probe::namespace`].
    pub pods: Api<Pod>,
    /// The namespace that only probe pods are created in, and none ever is.
    pub namespace: String,
    /// How often.
    pub period: Duration,
}

/// Probes as long as it is polled, every period and at once when `soon` is notified, and wakes the
/// policies when something else came of it than before. Without a policy there is no way to prove,
/// which `is_configured` tells. Only the leader may run this.
pub async fn run(cx: &Context, probe: &Probe, is_configured: impl Fn() -> bool, soon: &Notify) {
    cx.checks.admission.store(None); // of an earlier term
    loop {
        if !is_configured() {
            take(cx, None);
        } else if let Some(probed) = probe.confirmed().await {
            let probed = probed.explained(cx.checks.missing.load().as_deref());
            let namespace = probe.namespace.clone();
            take(cx, Some(Reach { namespace, probed }));
        }
        tokio::select! {
            () = sleep(probe.period) => {}
            () = soon.notified() => {}
        }
    }
}

impl Probe {
    /// What came of a probe, a miss only when it was one several times in a row; `None` where the
    /// API server could not be asked, which proves nothing.
    async fn confirmed(&self) -> Option<Probed> {
        let mut last = self.once().await;
        for _ in 1..ATTEMPTS {
            if matches!(last, Some(Probed::Reached { .. })) {
                break;
            }
            sleep(BETWEEN).await;
            last = self.once().await;
        }
        last
    }

    async fn once(&self) -> Option<Probed> {
        let parameters = PostParams {
            dry_run: true,
            field_manager: None,
        };
        let pod = pod();
        let asked = timeout(PATIENCE, self.pods.create(&parameters, &pod)).await;
        match asked {
            Ok(Ok(pod)) => Probed::of(Ok(&pod)),
            Ok(Err(kube::Error::Api(status))) => {
                debug!(%status.message, "the probe pod did not come through");
                Probed::of(Err(&status))
            }
            Ok(Err(error)) => {
                debug!(%error, "the API server could not be asked");
                None
            }
            Err(_) => None,
        }
    }
}

/// A pod that would be let in anywhere: restricted, bounded, and of no use.
fn pod() -> Pod {
    let quantities = json!({"cpu": "1m", "memory": "1Mi"});
    let pod = json!({
        "metadata": {"name": "ecr-operator-probe"},
        "spec": {
            "automountServiceAccountToken": false,
            "containers": [{
                "name": "probe",
                "image": "probe.ecr-operator.invalid/never/pulled:1",
                "resources": {"requests": quantities, "limits": quantities},
                "securityContext": {
                    "allowPrivilegeEscalation": false,
                    "capabilities": {"drop": ["ALL"]},
                    "readOnlyRootFilesystem": true,
                },
            }],
            "restartPolicy": "Never",
            "securityContext": {
                "runAsNonRoot": true,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
    });
    serde_json::from_value(pod).expect("this is a pod")
}

/// Remembers what came of a probe.
fn take(cx: &Context, reach: Option<Reach>) {
    let meters = &cx.meters;
    let probed = reach.as_ref().map(|it| &it.probed);
    if let Some(probed) = probed {
        let outcome = probed.word();
        meters.probes.get_or_create(&ProbeLabels { outcome }).inc();
    }
    match probed.and_then(Probed::reached) {
        Some(reached) => {
            meters
                .reachable
                .get_or_create(&NoLabels {})
                .set(reached.into());
        }
        None => meters.reachable.clear(),
    }
    let before = cx.checks.admission.load_full();
    if before.as_deref() == reach.as_ref() {
        return;
    }
    match probed {
        Some(Probed::Reached { .. }) => info!("admission is reached"),
        Some(missed) => warn!(?missed, "admission is not known to be reached"),
        None => {}
    }
    cx.checks.admission.store(reach.map(Arc::new));
    for policy in cx.world.load().policies() {
        cx.wakes.wake(Key::of(Kind::Policy, &**policy));
    }
}
