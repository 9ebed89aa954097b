use expect_test::{Expect, expect};

use super::super::fixture::{BASE, told, world};
use super::*;
use crate::domain::facts::Facts;
use crate::domain::rewrite::{Asked, Credentials, OnUnknown, PullPolicy, decide};

/// Rewrites whatever a rule leads to, so that a decision shows the rule.
const POLICY: &str = r#"
kind: ImageAdmissionPolicy
metadata: {name: all}
spec: {environment: prod, mode: Rewrite, onUnknown: Rewrite, exclude: ["quay.io/prometheus/*"]}
"#;

const MIGRATED: &str = r#"
kind: ImageRepository
metadata: {name: api, namespace: payments, uid: r1}
spec:
  environments: [prod]
  migratesFrom: [registry.old.example/payments/api, ghcr.io/acme/api]
"#;

/// What becomes of images in pods of the namespaces `payments` and `web`, and what is told.
fn check(objects: &[&str], images: &[&str], expected: &Expect) {
    let world = world(&[&[BASE], objects].concat());
    let rules = rules(&world);
    let mut lines = Vec::new();
    for policy in rules.table.policies() {
        for image in images {
            for namespace in ["payments", "web"] {
                let asked = Asked {
                    image,
                    namespace,
                    pull_policy: PullPolicy::Pulls,
                    credentials: Credentials::NotCovered,
                };
                let decision = decide(policy, &Facts::default(), &asked);
                let target = decision
                    .target()
                    .map_or("-", |it| it.split_once('/').unwrap().1);
                let name = &policy.policy().name;
                lines.push(format!(
                    "{name} {namespace} {image}: {target} {}",
                    decision.reason()
                ));
            }
        }
    }
    for (
        registry,
        Destinations {
            repositories,
            caches,
        },
    ) in &rules.registries
    {
        let repositories = repositories.iter().map(ToString::to_string);
        let prefixes = caches.keys().map(|it| format!("{it}/*"));
        lines.push(format!(
            "{registry}: {}",
            repositories.chain(prefixes).collect::<Vec<_>>().join(" ")
        ));
    }
    lines.extend(
        rules
            .stopped
            .iter()
            .map(|(subject, it)| format!("{subject:?} {}", told(it))),
    );
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn an_old_name_is_the_clusters_where_the_environment_grants_it_and_else_the_namespaces() {
    check(
        &[POLICY, MIGRATED],
        &["registry.old.example/payments/api:1", "ghcr.io/acme/api:1"],
        &expect![[r#"
            all payments registry.old.example/payments/api:1: payments/api:1 OwnRepository
            all web registry.old.example/payments/api:1: payments/api:1 OwnRepository
            all payments ghcr.io/acme/api:1: payments/api:1 OwnRepository
            all web ghcr.io/acme/api:1: - NoRule
            333333333333/us-east-1: payments/api"#]],
    );
}

#[test]
fn who_may_not_have_the_repository_leads_nobody_there() {
    let ungranted = MIGRATED.replace("payments, uid", "web, uid");
    check(
        &[POLICY, &ungranted],
        &["ghcr.io/acme/api:1"],
        &expect![[r#"
        all payments ghcr.io/acme/api:1: - NoRule
        all web ghcr.io/acme/api:1: - NoRule
        333333333333/us-east-1: "#]],
    );
}

#[test]
fn older_of_two_claims_on_one_name_stays_in_force() {
    let created = |object: &str, uid: &str, at: &str| {
        let metadata = format!("uid: {uid}, creationTimestamp: \"2026-12-01T00:00:0{at}Z\"");
        object.replace("uid: r1", &metadata)
    };
    let older = created(MIGRATED, "r2", "1");
    let younger = created(&MIGRATED.replace("name: api", "name: other"), "r1", "2");
    let from_a_file = MIGRATED.replace("name: api", "name: a-file");
    check(
        &[POLICY, &younger, &from_a_file, &older],
        &["ghcr.io/acme/api:1", "registry.old.example/payments/api:1"],
        &expect![[r#"
            all payments ghcr.io/acme/api:1: payments/api:1 OwnRepository
            all web ghcr.io/acme/api:1: - NoRule
            all payments registry.old.example/payments/api:1: payments/api:1 OwnRepository
            all web registry.old.example/payments/api:1: payments/api:1 OwnRepository
            333333333333/us-east-1: payments/api
            Repository("payments/a-file") prod Conflict spec.migratesFrom: ghcr.io/acme/api is claimed for namespace payments by the older ImageRepository payments/api, which keeps it: take it out of one of the two
            Repository("payments/a-file") prod Conflict spec.migratesFrom: registry.old.example/payments/api is claimed for the whole cluster by the older ImageRepository payments/api, which keeps it: take it out of one of the two
            Repository("payments/other") prod Conflict spec.migratesFrom: ghcr.io/acme/api is claimed for namespace payments by the older ImageRepository payments/api, which keeps it: take it out of one of the two
            Repository("payments/other") prod Conflict spec.migratesFrom: registry.old.example/payments/api is claimed for the whole cluster by the older ImageRepository payments/api, which keeps it: take it out of one of the two"#]],
    );
}

#[test]
fn of_two_claims_in_files_neither_applies_and_both_are_told() {
    let other = MIGRATED
        .replace("name: api", "name: other")
        .replace("uid: r1", "uid: r2");
    check(
        &[POLICY, MIGRATED, &other],
        &["ghcr.io/acme/api:1"],
        &expect![[r#"
            all payments ghcr.io/acme/api:1: - ContestedClaim
            all web ghcr.io/acme/api:1: - NoRule
            333333333333/us-east-1: payments/api payments/other
            Repository("payments/api") prod Conflict spec.migratesFrom: ghcr.io/acme/api is claimed for namespace payments by payments/api and payments/other: none of them gets it until the others let go
            Repository("payments/api") prod Conflict spec.migratesFrom: registry.old.example/payments/api is claimed for the whole cluster by payments/api and payments/other: none of them gets it until the others let go
            Repository("payments/other") prod Conflict spec.migratesFrom: ghcr.io/acme/api is claimed for namespace payments by payments/api and payments/other: none of them gets it until the others let go
            Repository("payments/other") prod Conflict spec.migratesFrom: registry.old.example/payments/api is claimed for the whole cluster by payments/api and payments/other: none of them gets it until the others let go"#]],
    );
}

#[test]
fn a_claim_that_is_no_name_is_told_and_the_others_apply() {
    let wrong = MIGRATED.replace("registry.old.example/payments/api", "ghcr.io/acme/api:1");
    check(
        &[POLICY, &wrong],
        &["ghcr.io/acme/api:1"],
        &expect![[r#"
        all payments ghcr.io/acme/api:1: payments/api:1 OwnRepository
        all web ghcr.io/acme/api:1: - NoRule
        333333333333/us-east-1: payments/api
        Repository("payments/api") prod InvalidSpec spec.migratesFrom[0]: "ghcr.io/acme/api:1" has a tag or a digest: give the name alone, all its images are meant"#]],
    );
}

#[test]
fn suspended_and_observing_objects_still_lead_to_what_exists() {
    let suspended = MIGRATED.replace(
        "spec:",
        "spec:\n  suspend: true\n  managementPolicy: Observe",
    );
    check(
        &[POLICY, &suspended],
        &["ghcr.io/acme/api:1"],
        &expect![[r#"
        all payments ghcr.io/acme/api:1: payments/api:1 OwnRepository
        all web ghcr.io/acme/api:1: - NoRule
        333333333333/us-east-1: payments/api"#]],
    );
}

const CACHES: &str = r#"
kind: PullThroughRule
metadata: {name: quay, uid: p1}
spec: {upstreamRegistry: quay, environments: [dev, prod], trustUpstream: Enabled}
---
kind: PullThroughRule
metadata: {name: hub, uid: p2}
spec: {upstreamRegistry: docker-hub, environments: [prod]}
---
kind: PullThroughRule
metadata: {name: k8s, uid: p3}
spec: {upstreamRegistry: k8s, environments: [dev]}
"#;

#[test]
fn caches_of_the_policys_environment_apply_if_they_can_work() {
    let images = [
        "quay.io/org/app:1",
        "quay.io/prometheus/node-exporter:1",
        "nginx",
        "registry.k8s.io/pause:3.10",
    ];
    check(
        &[POLICY, CACHES],
        &images,
        &expect![[r#"
        all payments quay.io/org/app:1: quay/org/app:1 PullThrough
        all web quay.io/org/app:1: quay/org/app:1 PullThrough
        all payments quay.io/prometheus/node-exporter:1: - Excluded
        all web quay.io/prometheus/node-exporter:1: - Excluded
        all payments nginx: - NoRule
        all web nginx: - NoRule
        all payments registry.k8s.io/pause:3.10: - NoRule
        all web registry.k8s.io/pause:3.10: - NoRule
        333333333333/us-east-1: quay/*
        Rule("hub") prod/us-east-1 InvalidSpec spec.credentials: ECR pulls from docker-hub only with credentials: give a secret of 333333333333/us-east-1"#]],
    );
}

#[test]
fn a_policy_that_is_wrong_anywhere_is_not_in_force() {
    let policy = |name: &str, spec: &str| {
        format!("kind: ImageAdmissionPolicy\nmetadata: {{name: {name}}}\nspec: {spec}\n")
    };
    let policies = [
        policy("a", "{environment: gone}"),
        policy("b", "{environment: prod, region: eu-west-1}"),
        policy("c", "{environment: prod, region: us-west-2}"),
        policy("d", "{environment: prod, exclude: ['quay.io/prom*']}"),
        policy("e", "{environment: prod, exclude: [quay.io]}"),
    ];
    let policies: Vec<&str> = policies.iter().map(String::as_str).collect();
    check(
        &policies,
        &["quay.io/org/app"],
        &expect![[r#"
        c payments quay.io/org/app: - NoRule
        c web quay.io/org/app: - NoRule
        333333333333/us-west-2: 
        Policy("a")  EnvironmentNotFound spec.environment: there is no EnvironmentAccount "gone": make one, or name another
        Policy("b")  InvalidSpec spec.region: EnvironmentAccount prod has no registry in eu-west-1: add it to its replicaRegions, or choose one of its regions
        Policy("d")  InvalidSpec spec.exclude[0]: "quay.io/prom*" has a * that is not the last component of its path: write it as HOST/PATH/*
        Policy("e")  InvalidSpec spec.exclude[0]: "quay.io" names no repository of a registry: give host and path, or HOST/* for all of it"#]],
    );
}

#[test]
fn a_policy_says_to_the_webhook_what_its_object_says() {
    let world = world(&[BASE, POLICY]);
    let rules = rules(&world);
    let policy = rules.table.policy("all").unwrap().policy();
    assert_eq!(policy.on_unknown, OnUnknown::Rewrite);
    assert_eq!(policy.registry.to_string(), "333333333333/us-east-1");
}
