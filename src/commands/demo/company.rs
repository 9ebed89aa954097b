//! Larkspur, an imaginary company: its GitOps repository, its accounts, and the scene in which one
//! is made from the other.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use futures::StreamExt as _;
use futures::stream;
use kube::api::ListParams;
use kube::{Api, ResourceExt as _};
use tokio::time::{sleep, timeout};

use super::hand::Hand;
use super::screen::{self, Seen, Wait};
use super::stage::{Operator, Stage};
use crate::api::conditions::{ConditionStatus, ConditionType};
use crate::api::targets::TargetState;
use crate::api::{EnvironmentAccount, ImageRepository, PullThroughRule};

/// What AWS has before the operator comes: roles that trust it, and stand-ins for the upstreams.
pub(super) const SEED: &str = include_str!("seed.yaml");
/// The company's GitOps repository: a file's name and its text.
const GITOPS: [(&str, &str); 7] = [
    ("namespaces.yaml", include_str!("gitops/namespaces.yaml")),
    (
        "environments.yaml",
        include_str!("gitops/environments.yaml"),
    ),
    ("policies.yaml", include_str!("gitops/policies.yaml")),
    (
        "pull-through.yaml",
        include_str!("gitops/pull-through.yaml"),
    ),
    (
        "repositories-shop.yaml",
        include_str!("gitops/repositories-shop.yaml"),
    ),
    (
        "repositories-data.yaml",
        include_str!("gitops/repositories-data.yaml"),
    ),
    (
        "repositories-platform.yaml",
        include_str!("gitops/repositories-platform.yaml"),
    ),
];
/// Its workloads, with the image names of before ECR.
pub(super) const WORKLOADS: &str = include_str!("gitops/workloads.yaml");
/// The accounts, by environment.
pub(super) const ACCOUNTS: [(&str, &str); 3] = [
    ("dev", "111111111111"),
    ("stage", "222222222222"),
    ("prod", "333333333333"),
];
/// Where each account's own repositories are.
pub(super) const REGION: &str = "eu-central-1";
/// The longest that the demo waits for anything.
pub(super) const PATIENCE: Duration = Duration::from_mins(3);

/// Applies the GitOps repository and watches everything become Ready.
///
/// # Errors
/// When something is not Ready in time: what, and why.
pub(super) async fn repositories(stage: &Stage, operator: &mut Operator) -> anyhow::Result<Seen> {
    let wait = Wait::begin("repositories");
    let folder = stage.gitops();
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    for (name, text) in GITOPS {
        std::fs::write(folder.join(name), text).with_context(|| format!("write {name}"))?;
        stage.apply(text).await?;
    }
    let client = stage.cluster.client().await?;
    let services: Api<ImageRepository> = Api::all(client.clone());
    let awaited = async {
        loop {
            operator.alive()?;
            let all = services.list(&ListParams::default()).await?.items;
            let (ready, targets) = targets(&all);
            wait.at(format!("{ready} of {targets}"));
            if targets > 0 && ready == targets && others_ready(&client).await? {
                return anyhow::Ok(all);
            }
            sleep(Duration::from_millis(200)).await;
        }
    };
    let Ok(all) = timeout(PATIENCE, awaited).await else {
        bail!("{}", unready(stage).await?)
    };
    let all = all?;
    let calls = stage.emulator.journal().entries();
    let creates = calls
        .iter()
        .filter(|it| it.operation == "CreateRepository")
        .count();
    let writes = calls.iter().filter(|it| it.is_write()).count();
    let rules = calls
        .iter()
        .filter(|it| it.operation == "CreatePullThroughCacheRule")
        .count();
    let seen = wait.end(format!(
        "{} services x 3 accounts: {creates} repositories and {rules} cache rules, made with {writes} writes",
        all.len()
    ));
    screen::table(&["SERVICE", "dev", "stage", "prod"], rows(&all));
    push_images(stage, &all).await?;
    Ok(seen)
}

/// Targets that are ready, of how many.
fn targets(repositories: &[ImageRepository]) -> (usize, usize) {
    let states = repositories.iter().map(|it| {
        let targets = it.status.iter().flat_map(|it| &it.targets);
        targets.filter(|it| it.state == TargetState::Ready).count()
    });
    let wanted = repositories
        .iter()
        .map(|it| it.spec.environments.len())
        .sum();
    (states.sum(), wanted)
}

async fn others_ready(client: &kube::Client) -> anyhow::Result<bool> {
    let rules: Api<PullThroughRule> = Api::all(client.clone());
    let environments: Api<EnvironmentAccount> = Api::all(client.clone());
    let rules = rules.list(&ListParams::default()).await?.items;
    let environments = environments.list(&ListParams::default()).await?.items;
    let conditions = rules
        .iter()
        .map(|it| it.status.as_ref().map(|it| &it.conditions))
        .chain(
            environments
                .iter()
                .map(|it| it.status.as_ref().map(|it| &it.conditions)),
        );
    Ok(conditions.into_iter().all(|it| {
        it.into_iter()
            .flatten()
            .any(|it| it.type_ == ConditionType::Ready && it.status == ConditionStatus::True)
    }))
}

/// What kubectl shows of our objects, as the reason why the demo stopped.
async fn unready(stage: &Stage) -> anyhow::Result<String> {
    let shown = stage
        .kubectl(&["get", "ecr", "--all-namespaces"], None)
        .await?;
    Ok(format!(
        "not everything was Ready within {}:\n{shown}",
        screen::spoken(PATIENCE)
    ))
}

fn rows(repositories: &[ImageRepository]) -> Vec<Vec<String>> {
    let row = |it: &ImageRepository| {
        let targets: BTreeMap<&str, &str> = it
            .status
            .iter()
            .flat_map(|it| &it.targets)
            .map(|it| (it.environment.as_str(), it.uri.as_deref().unwrap_or("-")))
            .collect();
        let account = |environment: &str| {
            let host = targets.get(environment).and_then(|it| it.split('.').next());
            host.map_or("-".to_owned(), |account| format!("{account}/{REGION}"))
        };
        let name = format!("{}/{}", it.namespace().unwrap_or_default(), it.name_any());
        vec![name, account("dev"), account("stage"), account("prod")]
    };
    repositories.iter().map(row).collect()
}

/// The builds push. One service was never released to prod: its tag is in dev and stage only.
async fn push_images(stage: &Stage, repositories: &[ImageRepository]) -> anyhow::Result<()> {
    let mut pushes = Vec::new();
    for (environment, account) in ACCOUNTS {
        for repository in repositories {
            let name = format!(
                "{}/{}",
                repository.namespace().unwrap_or_default(),
                repository.name_any()
            );
            if (environment, name.as_str()) == ("prod", FORGOTTEN) {
                continue;
            }
            let tag = tag_of(&name).with_context(|| format!("no workload runs {name}"))?;
            pushes.push((account, name, tag));
        }
    }
    let hand = |account| Hand {
        emulator: &stage.emulator,
        account,
        region: REGION,
    };
    let count = pushes.len();
    let pushed = stream::iter(pushes)
        .map(|(account, name, tag)| async move { hand(account).push(&name, &tag).await });
    let results: Vec<anyhow::Result<()>> = pushed.buffer_unordered(8).collect().await;
    results.into_iter().collect::<anyhow::Result<()>>()?;
    screen::line(&format!(
        "{count} images pushed by the builds; {FORGOTTEN} was never released to prod"
    ));
    Ok(())
}

/// The service that was released to dev and stage and forgotten in prod.
const FORGOTTEN: &str = "data/features";

/// The images of the company's own services that prod has, as its workloads name them.
pub(super) fn pushed_to_prod() -> Vec<String> {
    let images = WORKLOADS
        .lines()
        .filter_map(|it| it.trim().strip_prefix("image: "));
    let own = images.filter(|it| it.starts_with("registry.larkspur.example/"));
    own.filter(|it| !it.contains(FORGOTTEN))
        .map(str::to_owned)
        .collect()
}

/// The tag that the company's workloads run of a service.
fn tag_of(service: &str) -> Option<String> {
    let image = format!("image: registry.larkspur.example/{service}:");
    let line = WORKLOADS
        .lines()
        .find_map(|it| it.trim().strip_prefix(&image))?;
    Some(line.to_owned())
}
