//! The scene in which real workloads are applied unchanged, and their pods come out of the API
//! server pointing at ECR.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, Client, ResourceExt as _};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::company::{self, PATIENCE, WORKLOADS};
use super::screen::{self, Seen, Wait};
use super::stage::{Operator, Stage};
use crate::api::ORIGINAL_IMAGES;
use crate::commands::rules;
use crate::desired;
use crate::domain::facts::{Facts, Presence};
use crate::domain::rewrite::{Asked, Credentials, PullPolicy, decide};

/// Argo CD as its project publishes it: argoproj/argo-cd, manifests/namespace-install.yaml, Apache-2.0.
const ARGO_CD: &str = include_str!("gitops/argo-cd.yaml");
/// The namespaces of the workloads.
const NAMESPACES: [&str; 4] = ["argocd", "shop", "data", "platform"];

/// Applies the workloads and shows what became of their images.
///
/// # Errors
/// When pods do not come, or an image is not what it should be.
pub(super) async fn pods(stage: &Stage, operator: &mut Operator) -> anyhow::Result<Seen> {
    ready(operator).await?;
    known(stage).await?;
    let wait = Wait::begin("pods");
    let argo_cd = ["apply", "--server-side", "--namespace", "argocd", "-f", "-"];
    stage.kubectl(&argo_cd, Some(ARGO_CD)).await?;
    stage.apply(WORKLOADS).await?;
    let client = stage.cluster.client().await?;
    let awaited = async {
        loop {
            let wanted = replicas(&client).await?;
            let pods = all_pods(&client).await?;
            wait.at(format!("{} of {wanted}", pods.len()));
            if pods.len() >= wanted {
                return anyhow::Ok(pods);
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let Ok(pods) = timeout(PATIENCE, awaited).await else {
        bail!("the pods did not come")
    };
    let pods = pods?;
    let (rewritten, kept) = images(&pods);
    let seen = wait.end(format!(
        "{} pods, {} images rewritten to ECR, {} left alone",
        pods.len(),
        rewritten.len(),
        kept.len()
    ));
    screen::table(
        &["IMAGE", "RUNS", "PODS"],
        rewritten
            .iter()
            .map(|((from, to), pods)| vec![from.clone(), to.clone(), pods.to_string()]),
    );
    screen::line("");
    let kept = reasons(stage, kept)?;
    screen::table(
        &["LEFT ALONE", "BECAUSE"],
        kept.iter()
            .map(|(image, why)| vec![image.clone(), why.clone()]),
    );
    ensure!(!rewritten.is_empty(), "no image was rewritten");
    let reasons: BTreeSet<&str> = kept
        .iter()
        .filter_map(|(_, why)| why.rsplit(['[', ']']).nth(1))
        .collect();
    let expected = BTreeSet::from(["DigestNotCached", "Excluded", "NotPushed"]);
    ensure!(
        reasons == expected,
        "left alone for {reasons:?}, and {expected:?} was expected"
    );
    Ok(seen)
}

/// Waits until the operator says that it can serve admission.
pub(super) async fn ready(operator: &mut Operator) -> anyhow::Result<()> {
    let url = format!("http://{}/readyz", operator.health);
    let asked = async {
        loop {
            operator.alive()?;
            if super::hand::get(&operator.health, "/readyz").await.is_ok() {
                return anyhow::Ok(());
            }
            sleep(Duration::from_millis(100)).await;
        }
    };
    match timeout(PATIENCE, asked).await {
        Ok(answer) => answer,
        Err(_) => {
            let missing = super::hand::get(&operator.health, "/readyz").await;
            bail!("{url} never said ok: {missing:?}")
        }
    }
}

/// Waits until admission knows what the builds have pushed to prod: it looks every few seconds, and
/// rewrites nothing that it has not seen. Asked with a pod that is never made.
async fn known(stage: &Stage) -> anyhow::Result<()> {
    let images = company::pushed_to_prod();
    let containers: Vec<Value> = images
        .iter()
        .enumerate()
        .map(|(i, image)| json!({"name": format!("c{i}"), "image": image}))
        .collect();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "probe", "namespace": "shop"},
        "spec": {"containers": containers},
    });
    let dry_run = ["create", "--dry-run=server", "--output=json", "-f", "-"];
    let wait = Wait::begin("waiting until admission has seen the pushes");
    let asked = async {
        loop {
            let made: Value =
                serde_json::from_str(&stage.kubectl(&dry_run, Some(&pod.to_string())).await?)?;
            let containers = made["spec"]["containers"]
                .as_array()
                .cloned()
                .unwrap_or_default();
            let old = containers.iter().filter_map(|it| it["image"].as_str());
            let old = old
                .filter(|it| images.iter().any(|image| image == it))
                .count();
            if old == 0 {
                return anyhow::Ok(());
            }
            wait.at(format!("{old} to go"));
            sleep(Duration::from_millis(300)).await;
        }
    };
    let known = timeout(PATIENCE, asked).await;
    known.context("admission never knew what the builds have pushed")??;
    wait.end(format!(
        "admission knows the {} images pushed to prod",
        images.len()
    ));
    Ok(())
}

async fn replicas(client: &Client) -> anyhow::Result<usize> {
    let mut wanted = 0;
    for namespace in NAMESPACES {
        let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
        let sets: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
        let deployments = deployments.list(&ListParams::default()).await?.items;
        let sets = sets.list(&ListParams::default()).await?.items;
        wanted += deployments
            .iter()
            .map(|it| it.spec.replicas.unwrap_or(1))
            .sum::<i32>();
        wanted += sets
            .iter()
            .map(|it| it.spec.replicas.unwrap_or(1))
            .sum::<i32>();
    }
    Ok(usize::try_from(wanted)?)
}

async fn all_pods(client: &Client) -> anyhow::Result<Vec<Pod>> {
    let mut pods = Vec::new();
    for namespace in NAMESPACES {
        let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
        pods.extend(api.list(&ListParams::default()).await?.items);
    }
    Ok(pods)
}

type Rewritten = BTreeMap<(String, String), usize>;

/// By original and new reference, how many pods; and what stayed, with a namespace that it is in.
fn images(pods: &[Pod]) -> (Rewritten, BTreeMap<String, String>) {
    let (mut rewritten, mut kept) = (Rewritten::new(), BTreeMap::new());
    for pod in pods {
        let originals = pod.annotations().get(ORIGINAL_IMAGES);
        let originals: BTreeMap<String, String> = originals
            .and_then(|it| serde_json::from_str(it).ok())
            .unwrap_or_default();
        let Some(spec) = &pod.spec else { continue };
        let init = spec
            .init_containers
            .iter()
            .flatten()
            .map(|it| ("initContainers", it));
        let containers = spec.containers.iter().map(|it| ("containers", it));
        for (list, container) in init.chain(containers) {
            let image = container.image.clone().unwrap_or_default();
            match originals.get(&format!("{list}[{}]", container.name)) {
                Some(original) => *rewritten.entry((original.clone(), image)).or_default() += 1,
                None => drop(kept.insert(image, pod.namespace().unwrap_or_default())),
            }
        }
    }
    (rewritten, kept)
}

/// Why the same pure decision that admission made keeps an image. That ECR does not have it is
/// taken as read here: admission would have rewritten it otherwise.
fn reasons(stage: &Stage, kept: BTreeMap<String, String>) -> anyhow::Result<Vec<(String, String)>> {
    let world = rules::from_files(&stage.gitops())?;
    let table = desired::rules(&world).table;
    let facts = Facts::assuming(Presence::Absent);
    let policy = table
        .policy("prod")
        .ok_or_else(|| anyhow::anyhow!("no policy prod"))?;
    let reason = |(image, namespace): (String, String)| {
        let asked = Asked {
            image: &image,
            namespace: &namespace,
            pull_policy: PullPolicy::Pulls,
            credentials: Credentials::NotCovered,
        };
        let reason = decide(policy, &facts, &asked).reason();
        let why = format!("{} [{reason}]", reason.explanation());
        (image, why)
    };
    Ok(kept.into_iter().map(reason).collect())
}
