//! What one review costs in process: the body of a pod of three containers, as an API server sends
//! it, read, decided, patched and answered. `cargo bench --bench review`.

use std::hint::black_box;
use std::sync::Arc;

use divan::counter::BytesCount;
use divan::{AllocProfiler, Bencher};
use ecr_operator::domain::Registry;
use ecr_operator::domain::facts::{Facts, Images};
use ecr_operator::domain::rewrite::{Cache, Compiled, Mode, OnUnknown, Policy, Table, Trust};
use ecr_operator::webhook::{Rules, review};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

/// A pod of Argo CD's repo server with a sidecar, recorded from an API server.
const THREE_CONTAINERS: &[u8] = include_bytes!("../data/review-three-containers.json");

fn main() {
    divan::main();
}

/// Three images rewritten, the originals noted.
#[divan::bench]
fn rewrite_three_containers(bencher: Bencher<'_, '_>) {
    measure(bencher, &rules(Mode::Rewrite));
}

/// The same decisions, told to the audit log alone.
#[divan::bench]
fn audit_three_containers(bencher: Bencher<'_, '_>) {
    measure(bencher, &rules(Mode::Audit));
}

/// What any webhook pays at least: the body as a tree of values.
#[divan::bench]
fn parse_as_values(bencher: Bencher<'_, '_>) {
    bencher
        .counter(BytesCount::of_slice(THREE_CONTAINERS))
        .bench(|| serde_json::from_slice::<serde_json::Value>(black_box(THREE_CONTAINERS)));
}

fn measure(bencher: Bencher<'_, '_>, rules: &Rules) {
    bencher
        .counter(BytesCount::of_slice(THREE_CONTAINERS))
        .bench(|| review(rules, "prod", black_box(THREE_CONTAINERS)));
}

fn rules(mode: Mode) -> Rules {
    let account = "333333333333".parse().expect("an account id");
    let registry = Registry::new(account, "eu-central-1".parse().expect("a region"));
    let policy = Policy {
        name: "prod".to_owned(),
        registry: registry.clone(),
        mode,
        exclude: Vec::new(),
        on_unknown: OnUnknown::Keep,
    };
    let cache = |prefix: &str, host: &str| Cache {
        rule: prefix.to_owned(),
        hosts: vec![host.to_owned()],
        prefix: prefix.parse().expect("a prefix"),
        upstream_prefix: "ROOT".parse().expect("a prefix"),
        trust: Trust::CachedOnly,
    };
    let caches = vec![cache("docker-hub", "docker.io"), cache("quay", "quay.io")];
    let mut facts = Facts::default();
    for (name, tag) in [
        ("quay/argoproj/argocd", "latest"),
        ("docker-hub/library/redis", "8"),
    ] {
        let images = Images {
            tags: [(tag.to_owned(), format!("sha256:{}", "0".repeat(64)))].into(),
            digests: [].into(),
        };
        facts.record(&registry, name.parse().expect("a name"), Arc::new(images));
    }
    Rules {
        table: Arc::new(Table::new([Compiled::new(policy, Vec::new(), caches)])),
        facts: Arc::new(facts),
        pull_secrets: Arc::default(),
        own_namespace: "ecr-operator-system".to_owned(),
    }
}
