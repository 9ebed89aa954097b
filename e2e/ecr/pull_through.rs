//! Pull-through cache rules, and images fetched into caches ahead of pods.

use ecr_operator::domain::pull_through::{Change, Prefix, Rule, Source, Upstream};
use ecr_operator::ecr::{Prewarm, Validation};

use super::*;

const UPSTREAMS: &str = "
upstreams:
  quay.io: {images: ['prometheus/*']}
  registry-1.docker.io: {fails: UpstreamTooManyRequests}
  ghcr.io: {fails: UpstreamAccessDenied}
";

fn rule(upstream: Upstream, prefix: &str) -> Rule {
    let secret =
        || format!("arn:aws:secretsmanager:{HERE}:{PROD}:secret:ecr-pullthroughcache/hub-AbCdEf");
    let needs_secret = matches!(
        upstream,
        Upstream::DockerHub | Upstream::GithubContainerRegistry
    );
    Rule {
        prefix: prefix.parse().unwrap(),
        source: Source::new(upstream, None).unwrap(),
        upstream_prefix: Prefix::Root,
        credential: needs_secret.then(|| secret().parse().unwrap()),
        role: None,
    }
}

#[tokio::test]
async fn a_rule_is_made_listed_changed_and_tried() {
    let emulator = emulator(UPSTREAMS).await;
    let registry = registry(&emulator, HERE).await;
    assert!(registry.rules().await.unwrap().is_empty());
    for rule in [
        rule(Upstream::Quay, "quay"),
        rule(Upstream::DockerHub, "docker-hub"),
    ] {
        let change = Change::CreatePullThroughCacheRule(rule);
        registry.apply_rule(&change).await.unwrap();
    }
    let rules = registry.rules().await.unwrap();
    let quay: Prefix = "quay".parse().unwrap();
    assert_eq!(rules.len(), 2);
    assert_eq!(rules[&quay].upstream.as_deref(), Some("quay"));
    assert_eq!(rules[&quay].url, "quay.io");
    assert_eq!(rules[&quay].upstream_prefix, Prefix::Root);

    let hub: Prefix = "docker-hub".parse().unwrap();
    let secret =
        format!("arn:aws:secretsmanager:{HERE}:{PROD}:secret:ecr-pullthroughcache/new-AbCdEf");
    let change = Change::UpdatePullThroughCacheRule {
        prefix: hub.clone(),
        credential: Some(secret.parse().unwrap()),
        role: None,
    };
    registry.apply_rule(&change).await.unwrap();
    assert_eq!(
        registry.rules().await.unwrap()[&hub].credential,
        Some(secret)
    );

    assert_eq!(
        registry.validate(&quay).await.unwrap(),
        Some(Validation::Valid)
    );
    let no_such: Prefix = "no-such".parse().unwrap();
    assert_eq!(registry.validate(&no_such).await.unwrap(), None);
}

#[tokio::test]
async fn an_image_is_fetched_into_the_cache_or_the_upstream_is_named_as_the_reason() {
    let emulator = emulator(UPSTREAMS).await;
    let registry = registry(&emulator, HERE).await;
    for rule in [
        rule(Upstream::Quay, "quay"),
        rule(Upstream::DockerHub, "docker-hub"),
        rule(Upstream::GithubContainerRegistry, "ghcr"),
    ] {
        let change = Change::CreatePullThroughCacheRule(rule);
        registry.apply_rule(&change).await.unwrap();
    }
    let prewarm = async |repository: &str| {
        let repository = name(repository);
        registry.prewarm(&repository, "v1").await.unwrap()
    };
    let Prewarm::Imported { digest } = prewarm("quay/prometheus/node-exporter").await else {
        panic!("not imported")
    };
    let cached = registry
        .images(&name("quay/prometheus/node-exporter"))
        .await
        .unwrap();
    assert_eq!(cached.tags["v1"], digest);

    assert_eq!(prewarm("quay/no/such").await, Prewarm::NotFound);
    assert_eq!(prewarm("no-rule/at-all").await, Prewarm::NotFound);
    let limited = prewarm("docker-hub/library/nginx").await;
    assert!(
        matches!(limited, Prewarm::UpstreamTooManyRequests(_)),
        "{limited:?}"
    );
    let denied = prewarm("ghcr/argoproj/argocd").await;
    assert!(
        matches!(denied, Prewarm::UpstreamAccessDenied(_)),
        "{denied:?}"
    );
}
