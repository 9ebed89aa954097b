use expect_test::{Expect, expect};

use super::*;
use crate::desired::environment;
use crate::desired::fixture::{BASE, told, world};

/// What is asked of each registry of `prod`, whose spec has these lines beside what `BASE` says.
fn check(spec: &str, repositories: &str, expected: &Expect) {
    let prod = format!(
        "kind: EnvironmentAccount
metadata: {{name: prod, uid: e2, creationTimestamp: \"2026-01-02T00:00:00Z\"}}
spec:
  accountId: \"333333333333\"
  region: us-east-1
  replicaRegions: [us-west-2]
  allowedPrincipals: {{accounts: [\"444444444444\"]}}
  grants: [{{namespaceSelector: {{}}, repositoryPrefixes: [\"{{namespace}}/\"]}}]
{spec}"
    );
    let world = world(&[BASE, &prod, repositories]);
    let object = world.environment("prod").unwrap();
    let prod = environment(object, &world).unwrap();
    let lines = prod
        .registries
        .iter()
        .map(|it| match registry(object, &prod, it, &world) {
            Ok(desired) => format!("{it} {}\n", shown(&desired)),
            Err(stopped) => format!("{}\n", told(&stopped)),
        });
    expected.assert_eq(&lines.collect::<String>());
}

fn shown(desired: &Desired) -> String {
    let Desired {
        management: _,
        replication,
        scan_type,
        scanning,
        statements,
        settings,
        exclusions,
        signing,
    } = desired;
    let mut words = Vec::new();
    let Replication {
        destinations,
        wanted,
        kept,
    } = replication;
    let names = wanted.keys().map(ToString::to_string).collect::<Vec<_>>();
    words.extend(
        (!names.is_empty()).then(|| format!("replicates {names:?} to {}", destinations.len())),
    );
    words.extend((!kept.is_empty()).then(|| format!("keeps {}", kept.len())));
    words.extend(scan_type.map(str::to_owned));
    words.extend((!scanning.is_empty()).then(|| format!("scans {scanning:?}")));
    words.extend(statements.values().map(|it| format!("{it:?}")));
    words.extend(
        settings
            .iter()
            .map(|(name, value)| format!("{name}={value}")),
    );
    words.extend((!exclusions.is_empty()).then(|| format!("without {exclusions:?}")));
    words.extend((!signing.is_empty()).then(|| format!("signs {signing:?}")));
    words.join(", ")
}

#[test]
fn all_but_replication_is_asked_of_every_region() {
    check(
        "  registry:
    scanning:
      scanType: ENHANCED
      rules: [{scanFrequency: CONTINUOUS_SCAN, repositoryFilters: [\"prod-*\"]}]
    policyStatements:
    - {sid: Import, principals: [\"444444444444\"], actions: [ecr:BatchImportUpstreamImage], repositories: [\"hub/*\"]}
    accountSettings: {blobMounting: ENABLED, registryPolicyScope: V2}
    pullTimeUpdateExclusions: [\"arn:aws:iam::333333333333:role/scanner\"]
    signing:
      rules:
      - signingProfileArn: arn:aws:signer:us-west-2:333333333333:/signing-profiles/images
        repositoryFilters: [\"*\"]
",
        "
kind: ImageRepository
metadata: {name: api, namespace: payments}
spec: {environments: [prod], replication: Enabled}
",
        &expect![[r#"
            333333333333/us-east-1 replicates ["payments/api"] to 1, ENHANCED, scans {"CONTINUOUS_SCAN": {"prod-*"}}, Statement(Object {"Action": Array [String("ecr:BatchImportUpstreamImage")], "Effect": String("Allow"), "Principal": Object {"AWS": Array [String("444444444444")]}, "Resource": Array [String("arn:aws:ecr:us-east-1:333333333333:repository/hub/*")], "Sid": String("EcrOperator16477688Import")}), REGISTRY_POLICY_SCOPE=V2, BLOB_MOUNTING=ENABLED, without {"arn:aws:iam::333333333333:role/scanner"}
            333333333333/us-west-2 ENHANCED, scans {"CONTINUOUS_SCAN": {"prod-*"}}, Statement(Object {"Action": Array [String("ecr:BatchImportUpstreamImage")], "Effect": String("Allow"), "Principal": Object {"AWS": Array [String("444444444444")]}, "Resource": Array [String("arn:aws:ecr:us-west-2:333333333333:repository/hub/*")], "Sid": String("EcrOperator16477688Import")}), REGISTRY_POLICY_SCOPE=V2, BLOB_MOUNTING=ENABLED, without {"arn:aws:iam::333333333333:role/scanner"}, signs {"arn:aws:signer:us-west-2:333333333333:/signing-profiles/images": {"*"}}
        "#]],
    );
}

#[test]
fn a_repository_is_replicated_while_its_object_asks_and_kept_so_while_it_cannot_be_read() {
    check(
        "",
        "
kind: ImageRepository
metadata: {name: api, namespace: payments}
spec: {environments: [dev, prod], replication: Enabled}
---
kind: ImageRepository
metadata: {name: web, namespace: payments}
spec:
  environments: [dev, prod]
  overrides: [{environment: prod, replication: Enabled}]
---
kind: ImageRepository
metadata: {name: not, namespace: payments}
spec:
  environments: [dev, prod]
  replication: Enabled
  overrides: [{environment: prod, replication: Disabled}]
---
kind: ImageRepository
metadata: {name: plain, namespace: payments}
spec: {environments: [prod]}
---
kind: ImageRepository
metadata: {name: suspended, namespace: payments}
spec: {environments: [prod], replication: Enabled, suspend: true}
---
kind: ImageRepository
metadata: {name: seen, namespace: payments}
spec: {environments: [prod], replication: Enabled, managementPolicy: Observe}
---
kind: ImageRepository
metadata: {name: going, namespace: payments, deletionTimestamp: \"2026-03-01T00:00:00Z\"}
spec: {environments: [prod], replication: Enabled}
",
        &expect![[r#"
            333333333333/us-east-1 replicates ["payments/api", "payments/web"] to 1, keeps 2
            333333333333/us-west-2 
        "#]],
    );
}

#[test]
fn a_frequency_that_the_scan_type_has_not_is_refused() {
    check(
        "  registry:
    scanning: {scanType: BASIC, rules: [{scanFrequency: CONTINUOUS_SCAN, repositoryFilters: [a]}]}
",
        "",
        &expect![[r#"
            /us-east-1 InvalidSpec spec.registry.scanning.rules[0].scanFrequency: this goes with scanType ENHANCED: change one of the two
            /us-west-2 InvalidSpec spec.registry.scanning.rules[0].scanFrequency: this goes with scanType ENHANCED: change one of the two
        "#]],
    );
}

#[test]
fn a_statement_for_everybody_is_refused() {
    check(
        "  registry:
    policyStatements: [{sid: A, principals: ['*'], actions: [ecr:ReplicateImage]}]
",
        "",
        &expect![[r#"
            /us-east-1 InvalidSpec spec.registry.policyStatements[0].principals: "*" has a wildcard: write it in full
            /us-west-2 InvalidSpec spec.registry.policyStatements[0].principals: "*" has a wildcard: write it in full
        "#]],
    );
}

#[test]
fn a_statement_for_every_action_is_refused() {
    check(
        "  registry:
    policyStatements: [{sid: A, principals: ['444444444444'], actions: ['ecr:*']}]
",
        "",
        &expect![[r#"
            /us-east-1 InvalidSpec spec.registry.policyStatements[0].actions: "ecr:*" has a wildcard: write it in full
            /us-west-2 InvalidSpec spec.registry.policyStatements[0].actions: "ecr:*" has a wildcard: write it in full
        "#]],
    );
}

#[test]
fn a_profile_of_a_region_that_the_environment_has_not_is_refused() {
    check(
        "  registry:
    signing:
      rules:
      - signingProfileArn: arn:aws:signer:eu-west-3:333333333333:/signing-profiles/images
        repositoryFilters: [a]
",
        "",
        &expect![[r#"
            /us-east-1 InvalidSpec spec.registry.signing.rules[0].signingProfileArn: the profile is in eu-west-3, which is no region of the environment: name one in region or replicaRegions
            /us-west-2 InvalidSpec spec.registry.signing.rules[0].signingProfileArn: the profile is in eu-west-3, which is no region of the environment: name one in region or replicaRegions
        "#]],
    );
}
