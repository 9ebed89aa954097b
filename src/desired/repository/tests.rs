use expect_test::{Expect, expect};

use super::super::fixture::{BASE, DEFAULTS, SQUATTER, told, world};
use super::*;

/// What `payments/api` comes to, in a world with these objects besides [`BASE`].
fn check(spec: &str, others: &str, expected: &Expect) {
    expected.assert_eq(&outcome(&of_spec(spec), others));
}

fn of_spec(spec: &str) -> String {
    format!("spec:\n  {}", spec.replace('\n', "\n  "))
}

fn outcome(object: &str, others: &str) -> String {
    let metadata =
        "{name: api, namespace: payments, uid: r1, creationTimestamp: \"2026-02-02T00:00:00Z\"}";
    let object = format!("kind: ImageRepository\nmetadata: {metadata}\n{object}");
    let world = world(&[BASE, others, &object]);
    let object = world.repository("payments", "api").unwrap();
    let lines = repository(object, &world).into_iter().map(|it| match it {
        Ok(target) => shown(&target),
        Err(stopped) => told(&stopped),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A target with what is not as in a minimal one.
fn shown(target: &Target) -> String {
    let Target {
        environment,
        registry,
        desired,
        replicas: _, // shown by the registry's own tests
    } = target;
    let Desired {
        name,
        owner,
        management,
        adoption,
        mutability,
        scan_on_push,
        encryption,
        policy,
        lifecycle,
        safety,
        tags,
        retired_tags,
    } = desired;
    let managed = matches!(lifecycle, Setting::Present(_));
    assert_eq!(managed, *safety != lifecycle::Safety::default());
    assert_eq!(
        (owner.object.as_str(), owner.uid.as_str()),
        ("payments/api", "r1")
    );
    let mut words = vec![format!("{environment} {registry} {name} {management:?}")];
    words.extend((*adoption == Adoption::IfUnowned).then(|| "adopts".to_owned()));
    words.extend(mutability.as_ref().map(ToString::to_string));
    words.extend(scan_on_push.map(|it| format!("scan {it}")));
    words.extend(encryption.as_ref().map(ToString::to_string));
    words.extend(match policy {
        Setting::Present(it) => Some(format!("policy {it}")),
        Setting::Absent => Some("no policy".to_owned()),
        Setting::Unmanaged => None,
    });
    words.extend(match lifecycle {
        Setting::Present(it) => Some(format!("lifecycle {}", it.summary())),
        Setting::Absent => Some("no lifecycle".to_owned()),
        Setting::Unmanaged => None,
    });
    words.extend((!tags.is_empty()).then(|| format!("tags {tags:?}")));
    words.extend((!retired_tags.is_empty()).then(|| format!("without {retired_tags:?}")));
    words.join(", ")
}

#[test]
fn the_least_object_is_a_repository_in_each_environment_and_nothing_else_is_managed() {
    check(
        "environments: [prod, dev]",
        "",
        &expect![[r#"
        dev 111111111111/eu-central-1 payments/api Manage
        prod 333333333333/us-east-1 payments/api Manage"#]],
    );
}

#[test]
fn an_environment_is_asked_once_however_often_it_is_named() {
    check(
        "environments: [dev, dev]",
        "",
        &expect!["dev 111111111111/eu-central-1 payments/api Manage"],
    );
    check(
        "environments: []",
        "",
        &expect![" InvalidSpec spec.environments: name at least one EnvironmentAccount"],
    );
}

#[test]
fn the_strongest_that_says_anything_is_taken_field_by_field() {
    check(
        "environments: [prod]",
        DEFAULTS,
        &expect![[
            r#"prod 333333333333/us-east-1 payments/api Manage, IMMUTABLE, KMS, policy {"Statement":[{"Action":["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Effect":"Allow","Principal":{"AWS":["444444444444"]},"Sid":"EcrOperatorPull"}],"Version":"2012-10-17"}, lifecycle rules 1 sha256:5485bc83, tags {"from": "environment", "team": "platform"}"#
        ]],
    );
    let spec = "environments: [dev, prod]\n\
                imageTagMutability: {mode: MUTABLE}\n\
                scanOnPush: true\n\
                access: {}\n\
                tags: {team: payments}\n\
                overrides:\n\
                - {environment: prod, encryption: {type: AES256}, scanOnPush: false, tags: {tier: '1'}}";
    check(
        spec,
        DEFAULTS,
        &expect![[r#"
        dev 111111111111/eu-central-1 payments/api Manage, MUTABLE, scan true, no policy, tags {"team": "payments"}
        prod 333333333333/us-east-1 payments/api Manage, MUTABLE, scan false, AES256, no policy, lifecycle rules 1 sha256:5485bc83, tags {"from": "environment", "team": "platform", "tier": "1"}"#]],
    );
}

#[test]
fn access_becomes_the_whole_policy() {
    let spec = "environments: [dev]\n\
                access: {pull: [\"444444444444\"], lambda: Enabled, statements: [\
                {sid: NoDelete, effect: Deny, principals: ['*'], actions: ['ecr:DeleteRepository']}]}";
    check(
        spec,
        "",
        &expect![[
            r#"dev 111111111111/eu-central-1 payments/api Manage, policy {"Statement":[{"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Condition":{"StringLike":{"aws:SourceArn":["arn:aws:lambda:eu-central-1:111111111111:function:*","arn:aws:lambda:eu-central-1:444444444444:function:*"]}},"Effect":"Allow","Principal":{"Service":["lambda.amazonaws.com"]},"Sid":"EcrOperatorLambda"},{"Action":["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Effect":"Allow","Principal":{"AWS":["444444444444"]},"Sid":"EcrOperatorPull"},{"Action":["ecr:DeleteRepository"],"Effect":"Deny","Principal":{"AWS":["*"]},"Sid":"NoDelete"}],"Version":"2012-10-17"}"#
        ]],
    );
}

const WRONG: [&str; 16] = [
    "imageTagMutability: {mode: IMMUTABLE, exclusionFilters: [a]}",
    "imageTagMutability: {mode: IMMUTABLE_WITH_EXCLUSION}",
    "imageTagMutability: {mode: MUTABLE_WITH_EXCLUSION, exclusionFilters: ['a b']}",
    "encryption: {type: AES256, kmsKey: 'arn:aws:kms:us-east-1:333333333333:key/1'}",
    "encryption: {type: KMS, kmsKey: 'arn:aws:kms:us-west-1:333333333333:key/1'}",
    "encryption: {type: KMS, kmsKey: alias/mine}",
    "encryption: {type: KMS_DSSE}",
    "lifecyclePolicyRef: {name: keep-31}",
    "access: {pull: ['*']}",
    "access: {statements: [{sid: A, effect: Allow, principals: ['*'], actions: ['ecr:*']}]}",
    "access: {statements: [{sid: A, effect: Allow, principals: [], actions: ['ecr:*']}]}",
    "access: {statements: [{sid: A, effect: Deny, principals: ['*'], actions: ['s3:GetObject']}]}",
    "tags: {'aws:x': a}",
    "tags: {Ecr-Operator.dev/cluster: a}",
    "tags: {'a;b': a}",
    "overrides: [{environment: prod, access: {push: [nobody]}}]",
];

#[test]
fn wrong_settings_are_blamed_on_the_field_that_says_them() {
    let lines = WRONG.map(|setting| {
        let object = of_spec(&format!("environments: [prod]\n{setting}"));
        format!("{setting}\n  {}", outcome(&object, DEFAULTS))
    });
    expect![[r#"
        imageTagMutability: {mode: IMMUTABLE, exclusionFilters: [a]}
          prod InvalidSpec spec.imageTagMutability.exclusionFilters: filters go with MUTABLE_WITH_EXCLUSION and IMMUTABLE_WITH_EXCLUSION: change the mode, or take them out
        imageTagMutability: {mode: IMMUTABLE_WITH_EXCLUSION}
          prod InvalidSpec spec.imageTagMutability.exclusionFilters: give 1 to 5 filters
        imageTagMutability: {mode: MUTABLE_WITH_EXCLUSION, exclusionFilters: ['a b']}
          prod InvalidSpec spec.imageTagMutability.exclusionFilters[0]: "a b" is no tag filter: write 1 to 128 letters, digits and . _ - with at most 2 *, like dev-*
        encryption: {type: AES256, kmsKey: 'arn:aws:kms:us-east-1:333333333333:key/1'}
          prod InvalidSpec spec.encryption.kmsKey: a key goes with type KMS or KMS_DSSE: change the type, or take the key out
        encryption: {type: KMS, kmsKey: 'arn:aws:kms:us-west-1:333333333333:key/1'}
          prod InvalidSpec spec.encryption.kmsKey: the key is in us-west-1, and the repository in 333333333333/us-east-1: give a key of the repository's region, in overrides where environments differ
        encryption: {type: KMS, kmsKey: alias/mine}
          prod InvalidSpec spec.encryption.kmsKey: "alias/mine" is no ARN of a KMS key: write it in full
        encryption: {type: KMS_DSSE}
          prod InvalidSpec spec.encryption.type: ECR has KMS_DSSE in AWS GovCloud only: choose KMS
        lifecyclePolicyRef: {name: keep-31}
          prod ReferenceNotFound spec.lifecyclePolicyRef.name: there is no LifecyclePolicy "keep-31": make one, or name another
        access: {pull: ['*']}
          prod InvalidSpec spec.access.pull[0]: "*" is no grantee: an account id, the ARN of a role or user, or an organization id like o-a1b2c3d4e5
        access: {statements: [{sid: A, effect: Allow, principals: ['*'], actions: ['ecr:*']}]}
          prod InvalidSpec spec.access: this would let anybody in: name accounts, roles or organizations
        access: {statements: [{sid: A, effect: Allow, principals: [], actions: ['ecr:*']}]}
          prod InvalidSpec spec.access: statements[0]: principals must not be empty
        access: {statements: [{sid: A, effect: Deny, principals: ['*'], actions: ['s3:GetObject']}]}
          prod InvalidSpec spec.access.statements[0].actions[0]: "s3:GetObject" is no action: an action of Amazon ECR, like ecr:BatchGetImage or ecr:Get*
        tags: {'aws:x': a}
          prod InvalidSpec spec.tags[aws:x]: keys that start with aws: or ecr-operator.dev/ are reserved, in upper or lower case: choose another
        tags: {Ecr-Operator.dev/cluster: a}
          prod InvalidSpec spec.tags[Ecr-Operator.dev/cluster]: keys that start with aws: or ecr-operator.dev/ are reserved, in upper or lower case: choose another
        tags: {'a;b': a}
          prod InvalidSpec spec.tags[a;b]: write letters, digits, spaces and _ . : / = + - @ only
        overrides: [{environment: prod, access: {push: [nobody]}}]
          prod InvalidSpec spec.overrides[0].access.push[0]: "nobody" is no grantee: an account id, the ARN of a role or user, or an organization id like o-a1b2c3d4e5"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn an_environments_wrong_default_is_blamed_on_the_environment() {
    let wrong = DEFAULTS.replace("name: keep-30", "name: gone");
    check(
        "environments: [prod]",
        &wrong,
        &expect![[
            r#"prod ReferenceNotFound EnvironmentAccount prod spec.defaults.lifecyclePolicyRef.name: there is no LifecyclePolicy "gone": make one, or name another"#
        ]],
    );
    let wrong = DEFAULTS.replace("444444444444", "4444");
    check(
        "environments: [prod]",
        &wrong,
        &expect![[
            r#"prod InvalidSpec EnvironmentAccount prod spec.defaults.access.pull[0]: "4444" is no grantee: an account id, the ARN of a role or user, or an organization id like o-a1b2c3d4e5"#
        ]],
    );
}

#[test]
fn an_invalid_lifecycle_policy_stops_who_refers_to_it() {
    let policy = "kind: LifecyclePolicy\nmetadata: {name: keep-30}\nspec: {rules: []}";
    check(
        "environments: [dev]\nlifecyclePolicyRef: {name: keep-30}",
        policy,
        &expect![
            "dev InvalidSpec LifecyclePolicy keep-30 spec.rules: a policy needs at least one rule"
        ],
    );
}

#[test]
fn one_wrong_environment_stops_no_other() {
    check(
        "environments: [dev, gone, prod]",
        "",
        &expect![[r#"
        dev 111111111111/eu-central-1 payments/api Manage
        gone EnvironmentNotFound spec.environments: there is no EnvironmentAccount "gone": make one, or take it out
        prod 333333333333/us-east-1 payments/api Manage"#]],
    );
    let broken = "{kind: EnvironmentAccount, metadata: {name: prod}, spec: {accountId: '3', region: us-east-1}}";
    check(
        "environments: [dev, prod]",
        broken,
        &expect![[r#"
        dev 111111111111/eu-central-1 payments/api Manage
        prod EnvironmentNotReady EnvironmentAccount prod spec.accountId: "3" is no account id: an AWS account id is twelve digits"#]],
    );
}

#[test]
fn a_name_must_be_valid_and_granted() {
    check(
        "environments: [dev]\nrepositoryName: Payments/API",
        "",
        &expect![[
            r#"dev InvalidSpec spec.repositoryName: "Payments/API" is no repository name: 2 to 256 characters, lower-case letters and digits, separated by one of . _ __ - or /"#
        ]],
    );
    check(
        "environments: [dev, prod]\nrepositoryName: shared/base",
        "",
        &expect![[r#"
            dev NotGranted spec.repositoryName: EnvironmentAccount dev grants shared/base to no namespace like payments: add a grant to it, or choose another repositoryName
            prod 333333333333/us-east-1 shared/base Manage"#]],
    );
    let namespace = "kind: Namespace\nmetadata: {name: payments}";
    check(
        "environments: [dev, prod]",
        namespace,
        &expect![[r#"
        dev 111111111111/eu-central-1 payments/api Manage
        prod NotGranted spec.repositoryName: EnvironmentAccount prod grants payments/api to no namespace like payments: add a grant to it, or choose another repositoryName"#]],
    );
}

#[test]
fn the_older_of_two_that_may_have_a_name_has_it() {
    check(
        "environments: [dev, prod]",
        SQUATTER,
        &expect![[r#"
        dev 111111111111/eu-central-1 payments/api Manage
        prod 333333333333/us-east-1 payments/api Manage"#]],
    );
    let granted = r#"
kind: EnvironmentAccount
metadata: {name: dev}
spec:
  accountId: "111111111111"
  region: eu-central-1
  grants: [{namespaceSelector: {}, repositoryPrefixes: [payments]}]
"#;
    check(
        "environments: [dev, prod]",
        &format!("{granted}---{SQUATTER}"),
        &expect![[r#"
            dev Conflict spec.repositoryName: the older ImageRepository web/theirs asks for payments/api in dev too: remove one of the two, or choose another repositoryName
            prod 333333333333/us-east-1 payments/api Manage"#]],
    );
    let younger = SQUATTER.replace("2026-02-01", "2026-02-03");
    check(
        "environments: [dev, prod]",
        &format!("{granted}---{younger}"),
        &expect![[r#"
            dev 111111111111/eu-central-1 payments/api Manage
            prod 333333333333/us-east-1 payments/api Manage"#]],
    );
}

#[test]
fn observing_anywhere_is_observing() {
    check(
        "environments: [dev]\nmanagementPolicy: Observe",
        "",
        &expect!["dev 111111111111/eu-central-1 payments/api Observe"],
    );
    let observed = r#"
kind: EnvironmentAccount
metadata: {name: dev}
spec:
  accountId: "111111111111"
  region: eu-central-1
  managementPolicy: Observe
  grants: [{namespaceSelector: {}, repositoryPrefixes: ["{namespace}/"]}]
"#;
    check(
        "environments: [dev]\nadoptionPolicy: IfUnowned",
        observed,
        &expect!["dev 111111111111/eu-central-1 payments/api Observe, adopts"],
    );
    let suspended = observed.replace("managementPolicy: Observe", "suspend: true");
    check(
        "environments: [dev]",
        &suspended,
        &expect![
            "dev Suspended EnvironmentAccount dev spec.suspend: nothing is read or written until spec.suspend is false"
        ],
    );
    check(
        "environments: [dev]\nsuspend: true",
        "",
        &expect![
            "dev Suspended spec.suspend: nothing is read or written until spec.suspend is false"
        ],
    );
}

#[test]
fn what_status_says_was_put_and_nobody_wants_is_to_go() {
    let object = |spec: &str| {
        format!(
            "spec: {spec}\n\
             status:\n\
             \x20 targets:\n\
             \x20 - environment: dev\n\
             \x20   region: eu-central-1\n\
             \x20   state: Ready\n\
             \x20   record: {{documents: [RepositoryPolicy, LifecyclePolicy], tagKeys: [team, tier]}}"
        )
    };
    let retired = outcome(&object("{environments: [dev], tags: {team: a}}"), "");
    expect![[r#"dev 111111111111/eu-central-1 payments/api Manage, no policy, no lifecycle, tags {"team": "a"}, without {"tier"}"#]]
        .assert_eq(&retired);
    let kept = "{environments: [dev], access: {pull: ['444444444444']}, lifecyclePolicyRef: {name: keep-30}}";
    expect![[r#"dev 111111111111/eu-central-1 payments/api Manage, policy {"Statement":[{"Action":["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Effect":"Allow","Principal":{"AWS":["444444444444"]},"Sid":"EcrOperatorPull"}],"Version":"2012-10-17"}, lifecycle rules 1 sha256:5485bc83, without {"team", "tier"}"#]]
        .assert_eq(&outcome(&object(kept), ""));
}

#[test]
fn an_environment_on_its_way_out_takes_nothing_new() {
    let dev = r#"
kind: EnvironmentAccount
metadata: {name: dev, deletionTimestamp: "2026-03-01T00:00:00Z"}
spec:
  accountId: "111111111111"
  region: eu-central-1
  grants: [{namespaceSelector: {}, repositoryPrefixes: ["{namespace}/"]}]
"#;
    check(
        "environments: [dev, prod]",
        dev,
        &expect![[r#"
        dev EnvironmentNotReady EnvironmentAccount dev metadata.deletionTimestamp: it is being deleted, so nothing is made or changed there any more: take it out of spec.environments
        prod 333333333333/us-east-1 payments/api Manage"#]],
    );
}
