//! What a plan says of what a registry has only one of, with what others have in it.

use expect_test::expect;
use serde_json::Value;

use super::{check, fed, plan, text, writes};
use crate::emulator::seeded;

/// Another tool replicates, scans and lets nobody delete.
const AWS: &str = r#"
accounts:
  "111111111111":
    registries:
      eu-central-1:
        calls:
        - operation: PutReplicationConfiguration
          input:
            replicationConfiguration:
              rules:
              - destinations: [{region: eu-west-1, registryId: "444444444444"}]
                repositoryFilters: [{filter: theirs/, filterType: PREFIX_MATCH}]
        - operation: PutRegistryScanningConfiguration
          input:
            scanType: BASIC
            rules:
            - scanFrequency: SCAN_ON_PUSH
              repositoryFilters:
              - {filter: "theirs*", filterType: WILDCARD}
              - {filter: "old/*", filterType: WILDCARD}
        - operation: RegisterPullTimeUpdateExclusion
          input: {principalArn: "arn:aws:iam::111111111111:role/theirs"}
"#;

/// As `kubectl get -o yaml` writes them: with what status says is ours, of which `old/*` is asked for
/// no more.
const OBJECTS: &str = r#"
apiVersion: ecr-operator.dev/v1alpha1
kind: EnvironmentAccount
metadata: {name: dev}
spec:
  accountId: "111111111111"
  region: eu-central-1
  replicaRegions: [eu-west-1]
  grants: [{namespaceSelector: {}, repositoryPrefixes: ["{namespace}/"]}]
  registry:
    scanning: {rules: [{scanFrequency: SCAN_ON_PUSH, repositoryFilters: ["shop/*"]}]}
    accountSettings: {blobMounting: ENABLED}
    pullTimeUpdateExclusions: ["arn:aws:iam::111111111111:role/scanner"]
status:
  registries:
  - region: eu-central-1
    uri: 111111111111.dkr.ecr.eu-central-1.amazonaws.com
    state: Ready
    record: {scanning: [{of: SCAN_ON_PUSH, filters: ["old/*"]}]}
---
apiVersion: ecr-operator.dev/v1alpha1
kind: EnvironmentAccount
metadata: {name: none}
spec: {accountId: "222222222222", region: eu-central-1}
---
apiVersion: ecr-operator.dev/v1alpha1
kind: ImageRepository
metadata: {name: cart, namespace: shop}
spec: {environments: [dev], replication: Enabled}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn our_part_is_added_what_is_left_of_it_goes_and_theirs_is_not_named() {
    let aws = seeded(AWS).await;
    let mut command = plan(&aws);
    command
        .env("AWS_ACCESS_KEY_ID", "111111111111")
        .args(["-f", "-"]);
    let output = fed(command, OBJECTS.as_bytes()).await;
    check(
        &output,
        2,
        &expect![[r#"
        shop/cart
          dev  111111111111/eu-central-1  +  repository shop/cart
        EnvironmentAccount dev
          dev  111111111111/eu-central-1  ~  replication                            absent -> shop/cart 111111111111/eu-west-1
                                          ~  registry.scanning.rules                old/* SCAN_ON_PUSH -> absent
                                          ~  registry.scanning.rules                absent -> shop/* SCAN_ON_PUSH
                                          ~  registry.accountSettings.blobMounting  DISABLED -> ENABLED
                                          ~  registry.pullTimeUpdateExclusions      absent -> arn:aws:iam::111111111111:role/scanner
          dev  111111111111/eu-west-1     ~  registry.scanning.rules                absent -> shop/* SCAN_ON_PUSH
                                          ~  registry.accountSettings.blobMounting  DISABLED -> ENABLED
                                          ~  registry.pullTimeUpdateExclusions      absent -> arn:aws:iam::111111111111:role/scanner

        Calls   CreateRepository 1, PutAccountSetting 2, PutRegistryScanningConfiguration 2, PutReplicationConfiguration 1, RegisterPullTimeUpdateExclusion 2
        Plan    1 to create, 2 to change
                2 objects in 2 registries, read with 11 calls in TIME s. Nothing was written.
    "#]],
    );

    let mut command = plan(&aws);
    command
        .env("AWS_ACCESS_KEY_ID", "111111111111")
        .args(["-f", "-", "-o", "json"]);
    let output = fed(command, OBJECTS.as_bytes()).await;
    let told = text(&output.stdout);
    let lines = told.lines().map(|it| serde_json::from_str(it).unwrap());
    let lines: Vec<Value> = lines
        .filter(|it: &Value| it["kind"] == "EnvironmentAccount")
        .collect();
    let expected = [
        (
            "eu-central-1",
            vec![
                "PutReplicationConfiguration",
                "PutRegistryScanningConfiguration",
                "PutAccountSetting",
                "RegisterPullTimeUpdateExclusion",
            ],
        ),
        (
            "eu-west-1",
            vec![
                "PutRegistryScanningConfiguration",
                "PutAccountSetting",
                "RegisterPullTimeUpdateExclusion",
            ],
        ),
    ];
    for (line, (region, calls)) in lines.iter().zip(&expected) {
        assert_eq!(line["region"], *region);
        assert_eq!(line["outcome"], "Change");
        assert_eq!(line["calls"], serde_json::json!(calls), "{line}");
    }
    assert_eq!(lines.len(), expected.len(), "{told}");
    assert_eq!(writes(&aws), []);
}
