//! The life of a pull-through cache: what it makes, what it had made, and what pods use of it.

use ecr_operator::commands::demo::hand::Hand;
use ecr_operator::emulator::Entry;
use serde_json::{Value, json};

use super::scene::{Scene, subject};
use super::{DEV, PROD, REGION, STAGE, importing};
use crate::rights::{self, Story};

const HUB: &str = "pullthroughrules.ecr-operator.dev hub";
const REPLICA: &str = "eu-west-1";

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_makes_repositories_as_its_rule_says_and_brings_the_old_ones_in_line() {
    let scene = Scene::set("caches").await;
    before_the_operator(&scene).await;
    let mut pair = scene.pair("caches").await;
    the_template_is_there_before_the_rule_in_every_region(&scene).await;
    what_somebody_else_made_is_left_alone(&scene).await;
    who_has_only_observed_owns_nothing(&scene).await;
    what_the_cache_makes_is_as_the_template_says(&scene).await;
    what_it_had_made_is_brought_in_line_and_nothing_else(&scene).await;
    what_pods_use_is_fetched_within_the_budget(&scene).await;
    drift_of_the_template_is_repaired(&scene).await;
    a_secret_made_again_is_one_call_a_registry(&scene).await;
    what_cannot_work_is_said_before_anything_is_called(&scene).await;
    without_its_field_the_template_goes_and_nothing_else(&scene).await;
    scene.is_quiet().await;
    the_cache_stays_when_its_object_goes(&scene).await;
    what_a_cache_has_is_taken_over_without_a_write(&scene).await;
    rights::check(Story::Caches, &scene.stage);
    pair.alive().unwrap();
}

/// What a cache without any settings has left: a repository of its own, and beside it one of a team
/// and one of another tool.
async fn before_the_operator(scene: &Scene) {
    for name in ["hub/library/redis", "hub/tooling", "hubs/other"] {
        let foreign = json!([{"Key": "ecr-operator.dev/cluster", "Value": "west"}]);
        let tags = if name == "hub/tooling" {
            foreign
        } else {
            json!([])
        };
        let create = json!({"repositoryName": name, "tags": tags});
        scene.by_hand(DEV, "CreateRepository", create).await;
    }
}

fn secret(account: &str, region: &str) -> String {
    format!(
        "arn:aws:secretsmanager:{region}:{account}:secret:ecr-pullthroughcache/docker-hub-x1Y2z3"
    )
}

/// Where the rule is, and what it signs in with there.
fn credentials(secret: impl Fn(&str, &str) -> String) -> Value {
    let here = [
        (DEV, "dev", REGION),
        (DEV, "dev", REPLICA),
        (PROD, "prod", REGION),
    ];
    let credentials = here.map(|(account, environment, region)| {
        json!({"environment": environment, "region": region, "secretArn": secret(account, region)})
    });
    json!(credentials)
}

fn rule() -> Value {
    let roles = [(DEV, "dev"), (PROD, "prod")].map(|(account, environment)| {
        let arn = format!("arn:aws:iam::{account}:role/make-repositories");
        json!({"environment": environment, "roleArn": arn})
    });
    json!({
        "upstreamRegistry": "docker-hub",
        "ecrRepositoryPrefix": "hub",
        "environments": ["dev", "prod"],
        "credentials": credentials(secret),
        "roles": roles,
        "repositoryTemplate": {
            "imageTagMutability": {"mode": "MUTABLE_WITH_EXCLUSION", "exclusionFilters": ["sha-*"]},
            "access": {"pull": ["444444444444"]},
            "tags": {"team": "platform"},
        },
    })
}

async fn the_template_is_there_before_the_rule_in_every_region(scene: &Scene) {
    let since = scene.now();
    scene.cache("hub", rule()).await;
    scene.ready(HUB).await;
    let message = scene.message(HUB).await;
    assert!(message.contains("never refreshes"), "{message}");
    let calls = scene.writes(since);
    for (account, region) in [(DEV, REGION), (DEV, REPLICA), (PROD, REGION)] {
        let here = calls
            .iter()
            .filter(|it| (it.account.as_str(), it.region.as_str()) == (account, region));
        let operations: Vec<_> = here.map(|it| it.operation.as_str()).collect();
        let expected = [
            "CreateRepositoryCreationTemplate",
            "CreatePullThroughCacheRule",
        ];
        assert_eq!(operations, expected, "{account}/{region}");
    }
}

async fn what_the_cache_makes_is_as_the_template_says(scene: &Scene) {
    let pull = json!({
        "repositoryName": "hub/library/nginx",
        "imageIds": [{"imageTag": "1.27"}],
    });
    scene.by_hand(DEV, "BatchGetImage", pull).await;
    let made = scene.in_ecr(DEV, "hub/library/nginx").await;
    assert_eq!(made["mutability"], "MUTABLE_WITH_EXCLUSION");
    let marked = json!({"team": "platform", "ecr-operator.dev/cache": "hub"});
    assert_eq!(made["tags"], marked);
    assert_eq!(made["policy"]["Statement"][0]["Sid"], "EcrOperatorPull");
}

async fn what_it_had_made_is_brought_in_line_and_nothing_else(scene: &Scene) {
    let others = [("hub/tooling"), ("hubs/other")];
    let before = others.map(|it| scene.in_ecr(DEV, it));
    let before = futures::future::join_all(before).await;
    let since = scene.now();
    scene.edit(HUB, json!({"retrofit": "Enabled"})).await;
    what_nothing_proves_to_be_the_caches_is_left_and_told(scene, since).await;
    scene
        .waits(
            HUB,
            "jsonpath={.status.targets[0].record.retrofit.retrofitted}=2",
        )
        .await;
    let calls: Vec<_> = scene.ledger(since);
    assert_eq!(
        calls,
        [
            "dev hub/library/nginx TagResource",
            "dev hub/library/redis PutImageTagMutability",
            "dev hub/library/redis SetRepositoryPolicy",
            "dev hub/library/redis TagResource",
        ]
    );
    let made = scene.in_ecr(DEV, "hub/library/redis").await;
    assert_eq!(
        made["tags"],
        json!({
            "team": "platform",
            "ecr-operator.dev/cache": "hub",
            "ecr-operator.dev/cluster": "east",
            "ecr-operator.dev/object": "PullThroughRule/hub",
            "ecr-operator.dev/uid": "UID",
        })
    );
    assert_eq!(made["mutability"], "MUTABLE_WITH_EXCLUSION");
    let after = others.map(|it| scene.in_ecr(DEV, it));
    assert_eq!(futures::future::join_all(after).await, before);
    scene.is_quiet().await;
}

/// Below the prefix by its name alone, until a person says that the cache made it.
async fn what_nothing_proves_to_be_the_caches_is_left_and_told(scene: &Scene, since: u64) {
    let shown = "jsonpath={.status.targets[0].record.retrofit.unproven}=1";
    scene.waits(HUB, shown).await;
    let first = scene.target(HUB, "record.retrofit.unprovenFirst[0]").await;
    assert_eq!(first, "hub/library/redis");
    let message = scene.message(HUB).await;
    assert!(message.contains("ecr-operator.dev/cache=hub"), "{message}");
    let written = ["dev hub/library/nginx TagResource"];
    scene
        .settles("the other is brought in line", since, &written)
        .await;
    let mark = json!({
        "resourceArn": format!("arn:aws:ecr:{REGION}:{DEV}:repository/hub/library/redis"),
        "tags": [{"Key": "ecr-operator.dev/cache", "Value": "hub"}],
    });
    scene.by_hand(DEV, "TagResource", mark).await;
}

/// One pod uses two images that the cache can have and one that it cannot, with a budget of one.
async fn what_pods_use_is_fetched_within_the_budget(scene: &Scene) {
    let digest = format!("quay.io/a/b@sha256:{}", "0".repeat(64));
    let of_hub = format!("docker.io/bitnami/redis@sha256:{}", "1".repeat(64));
    let containers = ["nginx:1.27", "redis:7.4", &digest, &of_hub];
    let containers = containers.iter().enumerate();
    let containers: Vec<Value> = containers
        .map(|(at, image)| json!({"name": format!("c{at}"), "image": image}))
        .collect();
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "web", "namespace": "default"},
        "spec": {"containers": containers, "automountServiceAccountToken": false},
    });
    scene.apply(&pod.to_string()).await;
    let observed = json!({"prewarm": {"observed": "Enabled", "importsPerHour": 1}});
    scene.edit(HUB, observed).await;
    scene.waits(HUB, "jsonpath={.status.imports.count}=1").await;
    let shown = "jsonpath={.status.targets[0].record.observed.used}=2";
    scene.waits(HUB, shown).await;
    assert_eq!(scene.target(HUB, "record.observed.digests").await, "1");
    scene
        .edit(HUB, json!({"prewarm": {"importsPerHour": 100}}))
        .await;
    // nginx was in dev already, and has to come to its replica and to prod; redis to all three.
    for at in 0..3 {
        let cached = format!("jsonpath={{.status.targets[{at}].record.observed.cached}}=2");
        scene.waits(HUB, &cached).await;
        // What ECR has made by that is brought in line, too.
        let made = format!("jsonpath={{.status.targets[{at}].record.retrofit.retrofitted}}=2");
        scene.waits(HUB, &made).await;
    }
    scene.waits(HUB, "jsonpath={.status.imports.count}=5").await;
    let images = scene
        .by_hand(
            PROD,
            "ListImages",
            json!({"repositoryName": "hub/library/redis"}),
        )
        .await;
    assert_eq!(images["imageIds"][0]["imageTag"], "7.4");
}

async fn drift_of_the_template_is_repaired(scene: &Scene) {
    let since = scene.now();
    let changed = json!({"prefix": "hub", "imageTagMutability": "IMMUTABLE"});
    scene
        .by_hand(PROD, "UpdateRepositoryCreationTemplate", changed)
        .await;
    scene
        .wrote(since, PROD, "UpdateRepositoryCreationTemplate")
        .await;
    let templates = scene
        .by_hand(PROD, "DescribeRepositoryCreationTemplates", json!({}))
        .await;
    let mutability = &templates["repositoryCreationTemplates"][0]["imageTagMutability"];
    assert_eq!(mutability, "MUTABLE_WITH_EXCLUSION");
}

/// A secret that is deleted and made again gets another ARN.
async fn a_secret_made_again_is_one_call_a_registry(scene: &Scene) {
    let since = scene.now();
    let again = |account: &str, region: &str| secret(account, region).replace("x1Y2z3", "a2B3c4");
    scene
        .edit(HUB, json!({"credentials": credentials(again)}))
        .await;
    scene
        .settles(
            "the new secret is known",
            since,
            &[
                "dev hub UpdatePullThroughCacheRule",
                "dev hub UpdatePullThroughCacheRule",
                "prod hub UpdatePullThroughCacheRule",
            ],
        )
        .await;
    scene.ready(HUB).await;
}

async fn what_somebody_else_made_is_left_alone(scene: &Scene) {
    let theirs = json!({
        "prefix": "quay",
        "description": "by terraform",
        "appliedFor": ["PULL_THROUGH_CACHE"],
        "imageTagMutability": "IMMUTABLE",
    });
    scene
        .by_hand(STAGE, "CreateRepositoryCreationTemplate", theirs)
        .await;
    let quay = "pullthroughrules.ecr-operator.dev quay";
    let since = scene.now();
    let spec = json!({
        "upstreamRegistry": "quay",
        "environments": ["stage"],
        "repositoryTemplate": {"imageTagMutability": {"mode": "MUTABLE"}},
    });
    scene.cache("quay", spec).await;
    scene.because(quay, "Conflict").await;
    assert!(scene.message(quay).await.contains("by terraform"));
    assert_eq!(scene.ledger(since), Vec::<String>::new());
    // It heals when they let go.
    scene
        .by_hand(
            STAGE,
            "DeleteRepositoryCreationTemplate",
            json!({"prefix": "quay"}),
        )
        .await;
    scene.ready(quay).await;
}

/// A rule with other credentials is somebody else's, also for who has looked at it for long.
async fn who_has_only_observed_owns_nothing(scene: &Scene) {
    const STAGE_OBJECT: &str = "environmentaccounts.ecr-operator.dev stage";
    let private = "pullthroughrules.ecr-operator.dev private";
    let theirs = json!({
        "ecrRepositoryPrefix": "private",
        "upstreamRegistryUrl": "registry-1.docker.io",
        "credentialArn": secret(STAGE, REGION),
    });
    scene
        .by_hand(STAGE, "CreatePullThroughCacheRule", theirs)
        .await;
    let since = scene.now();
    let observe = json!({"managementPolicy": "Observe"});
    scene.edit(STAGE_OBJECT, observe).await;
    let arn = secret(STAGE, REGION).replace("x1Y2z3", "z3Y2x1");
    let spec = json!({
        "upstreamRegistry": "docker-hub",
        "ecrRepositoryPrefix": "private",
        "environments": ["stage"],
        "credentials": [{"environment": "stage", "region": REGION, "secretArn": arn}],
    });
    scene.cache("private", spec).await;
    scene.because(private, "Drifted").await;
    let manage = json!({"managementPolicy": "Manage"});
    scene.edit(STAGE_OBJECT, manage).await;
    scene.because(private, "Conflict").await;
    assert_eq!(scene.ledger(since), Vec::<String>::new());
    scene.kubectl("delete", private, &[]).await.unwrap();
    scene.gone(private).await;
}

async fn what_cannot_work_is_said_before_anything_is_called(scene: &Scene) {
    let hub = "pullthroughrules.ecr-operator.dev elsewhere";
    let since = scene.now();
    let here = json!({"environment": "stage", "region": REGION, "secretArn": secret(DEV, REGION)});
    let spec = json!({
        "upstreamRegistry": "docker-hub",
        "ecrRepositoryPrefix": "elsewhere",
        "environments": ["stage"],
        "credentials": [here],
    });
    scene.cache("elsewhere", spec).await;
    scene.because(hub, "InvalidSpec").await;
    let message = scene.message(hub).await;
    assert!(
        message.contains("spec.credentials[0].secretArn"),
        "{message}"
    );
    assert!(message.contains("account and region"), "{message}");
    let about_it = |it: &Entry| it.sequence > since && subject(it) == "elsewhere";
    let calls = scene.stage.emulator.journal().since(since);
    assert!(!calls.iter().any(about_it), "{calls:?}");
    scene.kubectl("delete", hub, &[]).await.unwrap();
}

async fn without_its_field_the_template_goes_and_nothing_else(scene: &Scene) {
    let since = scene.now();
    let nothing =
        json!({"repositoryTemplate": null, "retrofit": null, "roles": null, "prewarm": null});
    scene.edit(HUB, nothing).await;
    scene
        .settles(
            "the template goes",
            since,
            &[
                "dev hub DeleteRepositoryCreationTemplate",
                "dev hub DeleteRepositoryCreationTemplate",
                "prod hub DeleteRepositoryCreationTemplate",
            ],
        )
        .await;
    let kept = scene.in_ecr(DEV, "hub/library/redis").await;
    assert_eq!(
        kept["tags"]["ecr-operator.dev/object"],
        "PullThroughRule/hub"
    );
}

async fn the_cache_stays_when_its_object_goes(scene: &Scene) {
    let since = scene.now();
    let rules = || scene.by_hand(DEV, "DescribePullThroughCacheRules", json!({}));
    let before = rules().await;
    scene.kubectl("delete", HUB, &[]).await.unwrap();
    scene.gone(HUB).await;
    assert_eq!(rules().await, before);
    assert_eq!(scene.ledger(since), Vec::<String>::new());
}

/// Rules and templates that are there from before are written down, applied, and ours then.
async fn what_a_cache_has_is_taken_over_without_a_write(scene: &Scene) {
    let template = json!({
        "prefix": "hub",
        "description": "made by hand",
        "appliedFor": ["PULL_THROUGH_CACHE"],
        "imageTagMutability": "IMMUTABLE",
    });
    for region in [REGION, REPLICA] {
        let hand = Hand {
            region,
            ..scene.hand(DEV)
        };
        let made = hand
            .ecr("CreateRepositoryCreationTemplate", &template)
            .await;
        made.unwrap();
    }
    let ours = |it: &str| it.contains("kind: PullThroughRule") && it.contains("name: hub\n");
    let manifest = importing::imported(scene, &["--environment=dev"], ours).await;
    assert!(manifest.contains("mode: IMMUTABLE"), "{manifest}");
    let since = scene.now();
    scene.apply(&manifest).await;
    scene.ready(HUB).await;
    let mut last = scene.now();
    for _ in 0..2 {
        for region in [REGION, REPLICA] {
            let looked = |it: &Entry| {
                (it.sequence > last && it.account == DEV && it.region == region)
                    && it.operation == "DescribeRepositoryCreationTemplates"
            };
            last = scene.heard("look at the templates", looked).await.sequence;
        }
    }
    assert_eq!(scene.ledger(since), Vec::<String>::new());

    let edit = json!({"repositoryTemplate": {"imageTagMutability": {"mode": "MUTABLE"}}});
    scene.edit(HUB, edit).await;
    for region in [REGION, REPLICA] {
        let updated = |it: &Entry| {
            (it.sequence > since && it.account == DEV && it.region == region)
                && it.operation == "UpdateRepositoryCreationTemplate"
        };
        scene.heard("update of what is ours now", updated).await;
    }
    scene.ready(HUB).await;
    let updates = ["dev hub UpdateRepositoryCreationTemplate"; 2];
    assert_eq!(scene.ledger(since), updates);
}
