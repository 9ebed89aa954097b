use expect_test::{Expect, expect};

use super::super::environment;
use super::super::fixture::{BASE, told, world};
use super::*;

const OBJECTS: &str = r#"
kind: ImageRepository
metadata: {name: api, namespace: payments, uid: r1}
spec: {environments: [dev, prod]}
---
kind: ImageRepository
metadata: {name: ledger, namespace: payments, uid: r2}
spec:
  environments: [prod]
  encryption: {type: KMS}
  overrides:
  - environment: prod
    encryption:
      type: KMS
      kmsKey: arn:aws:kms:us-east-1:333333333333:key/1
---
kind: ImageRepository
metadata: {name: base, namespace: payments, uid: r3}
spec: {environments: [prod], repositoryName: shared/base}
---
kind: ImageRepository
metadata: {name: ungranted, namespace: web, uid: r4}
spec:
  environments: [prod]
  encryption: {type: KMS, kmsKey: "arn:aws:kms:us-east-1:333333333333:key/2"}
---
kind: PullThroughRule
metadata: {name: quay}
spec: {upstreamRegistry: quay, environments: [prod], trustUpstream: Enabled}
---
kind: PullThroughRule
metadata: {name: k8s}
spec: {upstreamRegistry: k8s, environments: [prod], prewarm: {images: ["pause:3.10"]}}
---
kind: PullThroughRule
metadata: {name: peer}
spec:
  upstreamRegistry: ecr
  upstreamRegistryUrl: 999999999999.dkr.ecr.us-east-1.amazonaws.com
  environments: [prod]
  roles: [{environment: prod, roleArn: "arn:aws:iam::333333333333:role/peer"}]
  repositoryTemplate: {tags: {team: platform}}
---
kind: PullThroughRule
metadata: {name: broken}
spec: {upstreamRegistry: docker-hub, environments: [prod]}
"#;

#[test]
fn what_is_used_is_one_example_of_each_kind() {
    let world = world(&[BASE, OBJECTS]);
    let used = |name: &str| {
        let object = world.environment(name).unwrap();
        uses(object, &environment(object, &world).unwrap(), &world)
    };
    let Uses {
        cluster: _,
        management: _,
        deletion,
        registries,
        repositories,
        caches,
        settings,
        keys,
        passed,
    } = used("prod");
    assert_eq!((deletion, registries.len()), (Deletion::Withheld, 2));
    assert!(settings.values().all(BTreeSet::is_empty), "{settings:?}");
    let repositories: Vec<_> = repositories.iter().map(RepositoryName::as_str).collect();
    assert_eq!(repositories, ["payments/api", "shared/base"]);
    let caches: Vec<_> = caches
        .iter()
        .map(|it| (it.example.as_str(), it.filled.iter().collect::<Vec<_>>()))
        .collect();
    assert_eq!(
        caches,
        [
            ("ecr/ecr-operator-preflight", vec![]),
            ("k8s/ecr-operator-preflight", vec![&Purpose::Operator]),
            ("quay/ecr-operator-preflight", vec![&Purpose::Nodes]),
        ]
    );
    let peer = || "arn:aws:iam::333333333333:role/peer".to_owned();
    assert_eq!(
        passed,
        BTreeSet::from([(Need::Caches, peer()), (Need::Templates, peer())])
    );
    assert_eq!(
        keys.into_iter().collect::<Vec<_>>(),
        ["arn:aws:kms:us-east-1:333333333333:key/1"]
    );
    assert_eq!(
        (used("dev").caches, used("dev").keys.len()),
        (Vec::new(), 0)
    );
}

/// What is left of ours in the replica's registry needs its right until it is taken out.
#[test]
fn settings_are_used_while_they_are_asked_for_or_left() {
    let object = r#"
kind: EnvironmentAccount
metadata: {name: eu, uid: e9}
spec:
  accountId: "555555555555"
  region: eu-west-1
  replicaRegions: [eu-west-2]
  registry: {scanning: {scanType: BASIC}}
status:
  registries:
  - {region: eu-west-2, uri: u, state: Ready, record: {policySids: [EcrOperatorTrust]}}
"#;
    let world = world(&[BASE, object]);
    let object = world.environment("eu").unwrap();
    let used = uses(object, &environment(object, &world).unwrap(), &world);
    let used = used.settings.iter();
    let used: Vec<String> = used
        .map(|(place, it)| format!("{} {it:?}", place.region))
        .collect();
    expect![[r#"
        eu-west-1 {Scanning}
        eu-west-2 {Scanning, Policy}"#]]
    .assert_eq(&used.join(
        "
",
    ));
}

fn check(preflight: &str, expected: &Expect) {
    let object = format!(
        "kind: EnvironmentAccount\nmetadata: {{name: eu, uid: e9}}\n\
         spec: {{accountId: \"555555555555\", region: eu-west-1, preflight: {preflight}}}"
    );
    let world = world(&[BASE, &object]);
    let object = world.environment("eu").unwrap();
    expected.assert_eq(&match roles(object) {
        Ok(roles) => format!("{roles:?}"),
        // What is wrong with it makes the environment invalid.
        Err(stopped) => {
            assert_eq!(environment(object, &world).unwrap_err(), stopped);
            told(&stopped)
        }
    });
}

#[test]
fn only_roles_can_be_looked_at() {
    check("{}", &expect!["[]"]);
    check(
        r#"{buildRoles: ["arn:aws:iam::555555555555:user/jane"]}"#,
        &expect![[
            r#" InvalidSpec spec.preflight.buildRoles[0]: "arn:aws:iam::555555555555:user/jane" is no role ARN: the ARN of an IAM role, like arn:aws:iam::333333333333:role/ecr"#
        ]],
    );
}
