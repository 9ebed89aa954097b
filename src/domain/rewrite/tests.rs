use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use expect_test::{Expect, expect};

use super::*;
use crate::domain::facts::Images;

const HOST: &str = "333333333333.dkr.ecr.eu-central-1.amazonaws.com";
const CACHED: &str = "sha256:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa";
const OTHER: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

fn registry() -> Registry {
    Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    )
}

fn policy() -> Policy {
    Policy {
        name: "prod".to_owned(),
        registry: registry(),
        mode: Mode::Rewrite,
        exclude: [
            "quay.io/prometheus/*",
            "docker.io/library/busybox",
            "redis:7",
        ]
        .map(|it| it.parse().unwrap())
        .to_vec(),
        on_unknown: OnUnknown::Keep,
    }
}

fn claim(object: &str, scope: Scope, source: &str, target: &str) -> Claim {
    Claim {
        object: object.to_owned(),
        namespace: object.split('/').next().unwrap().to_owned(),
        scope,
        source: source.parse().unwrap(),
        target: target.parse().unwrap(),
    }
}

fn claims() -> Vec<Claim> {
    vec![
        claim(
            "shop/api",
            Scope::Cluster,
            "old.example:5000/shop/api",
            "shop/api",
        ),
        claim("shop/web", Scope::Cluster, "acme/web", "shop/web"),
        claim(
            "team-a/api",
            Scope::Namespace,
            "old.example:5000/shop/api",
            "team-a/api",
        ),
        claim("team-a/x", Scope::Namespace, "old.example/x", "team-a/x"),
        claim("shop/one", Scope::Cluster, "old.example/both", "shop/one"),
        claim("shop/two", Scope::Cluster, "old.example/both", "shop/two"),
        claim(
            "shop/quay",
            Scope::Cluster,
            "quay.io/acme/moved",
            "shop/quay",
        ),
    ]
}

fn cache(rule: &str, hosts: &[&str], prefix: &str, upstream_prefix: &str) -> Cache {
    Cache {
        rule: rule.to_owned(),
        hosts: hosts.iter().map(|it| (*it).to_owned()).collect(),
        prefix: prefix.parse().unwrap(),
        upstream_prefix: upstream_prefix.parse().unwrap(),
        trust: Trust::CachedOnly,
    }
}

fn caches() -> Vec<Cache> {
    let hub = ["docker.io", "index.docker.io", "registry-1.docker.io"];
    vec![
        cache("hub", &hub, "docker-hub", "ROOT"),
        cache("quay", &["quay.io"], "quay", "ROOT"),
        cache("quay-deep", &["quay.io"], "deep", "argoproj/"),
        cache("k8s", &["registry.k8s.io"], "ROOT", "ROOT"),
        cache("local", &["reg.example:5000"], "local", "ROOT"),
        cache("partial", &["ghcr.io"], "ghcr", "acme"),
        cache("public", &["public.ecr.aws"], "ecr-public", "ROOT"),
        Cache {
            trust: Trust::Upstream,
            ..cache("trusted", &["cgr.dev"], "chainguard", "ROOT")
        },
    ]
}

fn compiled() -> Compiled {
    Compiled::new(policy(), claims(), caches())
}

/// Facts in which these `repository:tag` are listed, each with the digest [`CACHED`].
fn facts(listed: &[&str]) -> Facts {
    let mut facts = Facts::default();
    for image in listed {
        let (name, tag) = image.split_once(':').unwrap();
        let images = Images {
            tags: BTreeMap::from([(tag.to_owned(), CACHED.to_owned())]),
            digests: BTreeSet::from([CACHED.to_owned()]),
        };
        facts.record(&registry(), name.parse().unwrap(), Arc::new(images));
    }
    facts
}

fn asked(image: &str) -> Asked<'_> {
    Asked {
        image,
        namespace: "default",
        pull_policy: PullPolicy::Pulls,
        credentials: Credentials::NotCovered,
    }
}

fn told(decision: &Decision<'_>) -> String {
    let rule = decision
        .rule()
        .map(|it| format!(" by {it}"))
        .unwrap_or_default();
    let target = decision.target().unwrap_or("kept").replace(HOST, "HOST");
    format!("{target} [{}]{rule}", decision.reason())
}

/// Decides with every image pullable.
fn check(images: &[&str], expected: &Expect) {
    let compiled = compiled();
    let facts = Facts::assuming(Presence::Active);
    let lines = images.iter().map(|image| {
        format!(
            "{image} -> {}\n",
            told(&decide(&compiled, &facts, &asked(image)))
        )
    });
    expected.assert_eq(&lines.collect::<String>());
}

mod knowledge;
mod laws;
mod names;
