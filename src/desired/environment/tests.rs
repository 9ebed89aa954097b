use expect_test::{Expect, expect};

use super::super::fixture::{BASE, told, world};
use super::*;

/// What an environment `eu` with this spec comes to.
fn check(spec: &str, expected: &Expect) {
    let object = format!(
        "kind: EnvironmentAccount\n\
         metadata: {{name: eu, uid: e9, creationTimestamp: \"2026-03-01T00:00:00Z\"}}\n\
         spec: {spec}"
    );
    let world = world(&[BASE, &object]);
    let shown = match environment(world.environment("eu").unwrap(), &world) {
        Ok(environment) => shown(&environment),
        Err(stopped) => told(&stopped),
    };
    expected.assert_eq(&shown);
}

fn shown(environment: &Environment) -> String {
    let Environment {
        name,
        account,
        registries,
        role,
        management,
    } = environment;
    let registries: Vec<_> = registries.iter().map(ToString::to_string).collect();
    let role = role
        .as_ref()
        .map(|it| (it.arn.as_str(), it.external_id.as_deref()));
    format!(
        "{name} {account} {management:?} {role:?}: {}",
        registries.join(", ")
    )
}

#[test]
fn the_home_registry_comes_first_and_the_others_in_order() {
    check(
        "{accountId: '222222222222', region: eu-west-1}",
        &expect!["eu 222222222222 Manage None: 222222222222/eu-west-1"],
    );
    let regions =
        "{accountId: '222222222222', region: eu-west-1, replicaRegions: [us-east-2, ap-south-1]}";
    check(
        regions,
        &expect![
            "eu 222222222222 Manage None: 222222222222/eu-west-1, 222222222222/ap-south-1, 222222222222/us-east-2"
        ],
    );
}

#[test]
fn the_role_is_one_of_the_account() {
    let spec = |role: &str| {
        format!("{{accountId: '222222222222', region: eu-west-1, assumeRole: {role}}}")
    };
    let ours = "{roleArn: 'arn:aws:iam::222222222222:role/ops/ecr', externalId: xyz}";
    check(
        &spec(ours),
        &expect![[
            r#"eu 222222222222 Manage Some(("arn:aws:iam::222222222222:role/ops/ecr", Some("xyz"))): 222222222222/eu-west-1"#
        ]],
    );
    check(
        &spec("{roleArn: 'arn:aws:iam::333333333333:role/ecr'}"),
        &expect![
            " InvalidSpec spec.assumeRole.roleArn: arn:aws:iam::333333333333:role/ecr is no role of account 222222222222: correct one of the two"
        ],
    );
    check(
        &spec("{roleArn: ecr}"),
        &expect![[
            r#" InvalidSpec spec.assumeRole.roleArn: "ecr" is no role ARN: the ARN of an IAM role, like arn:aws:iam::333333333333:role/ecr"#
        ]],
    );
}

#[test]
fn a_registry_belongs_to_the_older_environment() {
    check(
        "{accountId: '333333333333', region: us-west-2}",
        &expect![
            " Conflict spec.accountId: registry 333333333333/us-west-2 belongs to the older EnvironmentAccount prod: remove one of the two"
        ],
    );
    check(
        "{accountId: '333333333333', region: eu-west-1}",
        &expect!["eu 333333333333 Manage None: 333333333333/eu-west-1"],
    );
}

#[test]
fn what_cannot_be_called_is_said_by_field() {
    check(
        "{accountId: '2222', region: eu-west-1}",
        &expect![[
            r#" InvalidSpec spec.accountId: "2222" is no account id: an AWS account id is twelve digits"#
        ]],
    );
    check(
        "{accountId: '222222222222', region: Dublin}",
        &expect![[
            r#" InvalidSpec spec.region: "Dublin" is no region: a region is lower-case words and a number joined by hyphens, like eu-central-1"#
        ]],
    );
    check(
        "{accountId: '222222222222', region: eu-west-1, replicaRegions: [eu-west-1]}",
        &expect![" InvalidSpec spec.replicaRegions[0]: eu-west-1 is there already: take it out"],
    );
    check(
        "{accountId: '222222222222', region: eu-west-1, suspend: true, managementPolicy: Observe}",
        &expect![" Suspended spec.suspend: nothing is read or written until spec.suspend is false"],
    );
    let prefix = |it: &str| {
        format!(
            "{{accountId: '222222222222', region: eu-west-1, grants: [{{namespaceSelector: {{}}, \
             repositoryPrefixes: [a], sourcePrefixes: ['{it}']}}]}}"
        )
    };
    check(
        &prefix("quay.io/Prom/"),
        &expect![[
            r#" InvalidSpec spec.grants[0].sourcePrefixes[0]: "quay.io/Prom/" begins no image name: write a host and a path, like quay.io/{namespace}/"#
        ]],
    );
    check(
        &prefix("222222222222.dkr.ecr.eu-west-1.amazonaws.com/"),
        &expect![[
            r#" InvalidSpec spec.grants[0].sourcePrefixes[0]: "222222222222.dkr.ecr.eu-west-1.amazonaws.com/" begins no image name: write a host and a path, like quay.io/{namespace}/"#
        ]],
    );
}
