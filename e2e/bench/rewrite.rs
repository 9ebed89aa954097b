//! What one image costs at admission: parse, find the rule, ask the facts. `cargo bench --bench
//! rewrite`. A table of 10,000 claims and ten caches, facts of 10,000 repositories; only a rewrite
//! allocates, once, for the new reference.

use std::collections::{BTreeMap, BTreeSet};
use std::hint::black_box;
use std::sync::Arc;

use divan::{AllocProfiler, Bencher};
use ecr_operator::domain::facts::{Facts, Images};
use ecr_operator::domain::reference::Reference;
use ecr_operator::domain::rewrite::{
    Asked, Cache, Claim, Compiled, Credentials, Mode, OnUnknown, Policy, PullPolicy, Scope, Trust,
    decide,
};
use ecr_operator::domain::{Registry, RepositoryName};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const REPOSITORIES: usize = 10_000;
const DIGEST: &str = "sha256:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa";
const IMAGES: [&str; 6] = [
    "nginx:1.27",
    "quay.io/argoproj/argocd:v3.1.0",
    "nginx:1.27@sha256:7cc4b5aefd1d0cadf8d97d4350462ba51c694ebca145b08d7d41b41acc8db5aa",
    "registry.old.example/team-7/service-7777:1.42.0",
    "quay.io.evil.example/argoproj/argocd:v3.1.0",
    "333333333333.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/nginx:1.27",
];

fn main() {
    divan::main();
}

#[divan::bench(args = IMAGES)]
fn parse(image: &str) -> bool {
    Reference::parse(black_box(image)).is_ok()
}

#[divan::bench(args = IMAGES)]
fn decide_one(bencher: Bencher<'_, '_>, image: &str) {
    let (policy, facts) = (policy(), facts());
    let asked = Asked {
        image,
        namespace: "shop",
        pull_policy: PullPolicy::Pulls,
        credentials: Credentials::NotCovered,
    };
    bencher.bench(|| decide(&policy, &facts, black_box(&asked)));
}

fn registry() -> Registry {
    let account = "333333333333".parse().expect("an account id");
    Registry::new(account, "eu-central-1".parse().expect("a region"))
}

fn policy() -> Compiled {
    let policy = Policy {
        name: "prod".to_owned(),
        registry: registry(),
        mode: Mode::Rewrite,
        exclude: vec!["quay.io/prometheus/*".parse().expect("a pattern")],
        on_unknown: OnUnknown::Keep,
    };
    let claims = (0..REPOSITORIES).map(|n| Claim {
        object: format!("team-{}/service-{n}", n % 10),
        namespace: format!("team-{}", n % 10),
        scope: Scope::Cluster,
        source: format!("registry.old.example/team-{}/service-{n}", n % 10)
            .parse()
            .expect("a name"),
        target: own(n),
    });
    let upstreams = [("docker.io", "docker-hub"), ("quay.io", "quay")];
    let others = (0..8).map(|n| (format!("upstream-{n}.example"), format!("cache-{n}")));
    let named = upstreams.map(|(host, prefix)| (host.to_owned(), prefix.to_owned()));
    let caches = named.into_iter().chain(others).map(|(host, prefix)| Cache {
        rule: prefix.clone(),
        hosts: vec![host],
        prefix: prefix.parse().expect("a prefix"),
        upstream_prefix: "ROOT".parse().expect("a prefix"),
        trust: Trust::CachedOnly,
    });
    Compiled::new(policy, claims.collect(), caches.collect())
}

fn facts() -> Facts {
    let mut facts = Facts::default();
    let tags = ["1.27", "v3.1.0", "1.42.0"];
    let images = Arc::new(Images {
        tags: BTreeMap::from(tags.map(|it| (it.to_owned(), DIGEST.to_owned()))),
        digests: BTreeSet::from([DIGEST.to_owned()]),
    });
    let cached = ["docker-hub/library/nginx", "quay/argoproj/argocd"];
    let cached = cached.map(|it| it.parse().expect("a name"));
    for name in (0..REPOSITORIES).map(own).chain(cached) {
        facts.record(&registry(), name, Arc::clone(&images));
    }
    facts
}

fn own(n: usize) -> RepositoryName {
    format!("team-{}/service-{n}", n % 10)
        .parse()
        .expect("a name")
}
