//! The scenes in which things are broken on purpose: by hand in an account, and by killing the
//! operator. Each is over when the journal of the emulator shows the repair.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, ResourceExt as _};
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::company::{PATIENCE, REGION};
use super::hand::Hand;
use super::rewriting::ready;
use super::screen::{Seen, Wait, line};
use super::stage::{Operator, Role, Stage};
use crate::emulator::Entry;

/// A repository is deleted in prod, images and all.
pub(super) async fn deleted_repository(stage: &Stage) -> anyhow::Result<Seen> {
    let account = "333333333333";
    let hand = Hand {
        emulator: &stage.emulator,
        account,
        region: REGION,
    };
    let name = "shop/catalog";
    let before = stage.emulator.journal().last();
    let gone = json!({"repositoryName": name, "force": true});
    hand.ecr("DeleteRepository", &gone).await?;
    line(&format!(
        "aws ecr delete-repository --force --repository-name {name}, in prod"
    ));
    let wait = Wait::begin("waiting for the sweep");
    repaired(stage, before, account, "CreateRepository").await?;
    repaired(stage, before, account, "PutLifecyclePolicy").await?;
    let seen = wait.end(format!(
        "{name} deleted by hand in prod: made again, with its policies"
    ));
    let warned = async {
        loop {
            let args = [
                "get",
                "events",
                "--namespace",
                "shop",
                "--field-selector",
                "reason=RepositoryMadeAgain",
                "--output=jsonpath={.items[*].message}",
            ];
            let said = stage.kubectl(&args, None).await?;
            if !said.is_empty() {
                return anyhow::Ok(said);
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let said = timeout(PATIENCE, warned)
        .await
        .context("no Warning event told of it")??;
    line(&format!("Warning event: {said}"));
    Ok(seen)
}

/// A repository policy is replaced in stage.
pub(super) async fn edited_policy(stage: &Stage) -> anyhow::Result<Seen> {
    let account = "222222222222";
    let hand = Hand {
        emulator: &stage.emulator,
        account,
        region: REGION,
    };
    let name = "shop/cart";
    let everyone = json!({
        "Version": "2012-10-17",
        "Statement": [{"Sid": "Oops", "Effect": "Allow", "Principal": "*", "Action": "ecr:BatchGetImage"}],
    });
    let edit = json!({"repositoryName": name, "policyText": everyone.to_string()});
    hand.ecr("SetRepositoryPolicy", &edit).await?;
    let before = stage.emulator.journal().last();
    line(&format!(
        "aws ecr set-repository-policy --repository-name {name}, in stage: open to everyone"
    ));
    let wait = Wait::begin("waiting for the sweep");
    repaired(stage, before, account, "SetRepositoryPolicy").await?;
    let policy = hand
        .ecr("GetRepositoryPolicy", &json!({"repositoryName": name}))
        .await?;
    let text = policy["policyText"].as_str().unwrap_or_default();
    ensure!(!text.contains("Oops"), "the policy is still open: {text}");
    Ok(wait.end(format!(
        "policy of {name} edited by hand in stage: repaired"
    )))
}

/// The operator's own write of this operation to an account, after the journal's entry `before`.
async fn repaired(
    stage: &Stage,
    before: u64,
    account: &str,
    operation: &str,
) -> anyhow::Result<Entry> {
    let ours = |it: &Entry| {
        it.sequence > before
            && it.account == account
            && it.operation == operation
            && it.caller.contains("assumed-role/ecr-operator")
    };
    let written = stage.emulator.journal().wait_for(ours);
    timeout(PATIENCE, written)
        .await
        .with_context(|| format!("no {operation} in {account} came"))
}

/// `kill -9`; a pod is applied while nobody serves admission; the operator comes back.
pub(super) async fn killed_operator(
    stage: &Stage,
    operator: Operator,
    role: &Role,
) -> anyhow::Result<(Operator, Seen)> {
    operator.kill().await?;
    line("kill -9 of the operator");
    let wait = Wait::begin("waiting for the operator");
    let accepted = apply_pod(stage, "while-it-is-down").await?;
    ensure!(
        accepted == "registry.larkspur.example/shop/cart:1.1.0",
        "the image is {accepted}, and nobody was there to rewrite it"
    );
    line("a pod was accepted all the same, with its image as it was");
    let mut operator = stage.operator(role).await?;
    ready(&mut operator).await?;
    let rewritten = async {
        for attempt in 0.. {
            // The API server learns the new address from the webhook configuration.
            let image = apply_pod(stage, &format!("when-it-is-back-{attempt}")).await?;
            if image.starts_with("333333333333.dkr.ecr.") {
                break;
            }
            sleep(Duration::from_millis(300)).await;
        }
        anyhow::Ok(())
    };
    timeout(PATIENCE, rewritten)
        .await
        .context("no pod was rewritten after the restart")??;
    let seen = wait.end(
        "operator killed: a pod was still accepted; restarted: pods are rewritten again".to_owned(),
    );
    Ok((operator, seen))
}

/// Applies a pod of shop/cart; gives the image that the API server took.
async fn apply_pod(stage: &Stage, name: &str) -> anyhow::Result<String> {
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"containers": [{
            "name": "cart",
            "image": "registry.larkspur.example/shop/cart:1.1.0",
        }]},
    });
    stage.apply(&pod.to_string()).await?;
    let pods: Api<Pod> = Api::namespaced(stage.cluster.client().await?, "shop");
    let pod = pods.get(name).await?;
    let name = pod.name_any();
    let containers = pod.spec.map(|it| it.containers).unwrap_or_default();
    containers
        .into_iter()
        .find_map(|it| it.image)
        .with_context(|| format!("{name} has no image"))
}

/// In a world that is as it should be nothing is written.
pub(super) async fn quiet(stage: &Stage, seconds: u64) -> anyhow::Result<Seen> {
    let journal = stage.emulator.journal();
    let before = journal.last();
    let wait = Wait::begin("watching the journal");
    for second in 0..seconds {
        sleep(Duration::from_secs(1)).await;
        wait.at(format!("{} of {seconds} s", second + 1));
    }
    let calls = journal.since(before);
    let writes: Vec<&Entry> = calls.iter().filter(|it| it.is_write()).collect();
    if let Some(write) = writes.first() {
        anyhow::bail!(
            "{} writes, the first: {} in {}/{}",
            writes.len(),
            write.operation,
            write.account,
            write.region
        );
    }
    let reads = calls.len();
    Ok(wait.end(format!("a further {seconds} s: 0 writes, {reads} reads")))
}
