use expect_test::{Expect, expect};

use super::*;

const ROLES: &str = "roles: [{environment: prod, roleArn: 'arn:aws:iam::333333333333:role/cache'}]";

#[test]
fn a_template_has_what_is_said_and_the_role_of_the_place() {
    let rule = |template: &str, more: &str| {
        format!(
            "{{upstreamRegistry: quay, environments: [prod], repositoryTemplate: {template}{more}}}"
        )
    };
    check(
        &rule("{lifecyclePolicyRef: {name: keep-30}}", ""),
        "",
        &expect![[r#"
            prod 333333333333/us-east-1 Manage quay.io/ROOT as quay
              rules 1 sha256:5485bc83
            prod 333333333333/us-west-2 Manage quay.io/ROOT as quay
              rules 1 sha256:5485bc83"#]],
    );
    let all = "{imageTagMutability: {mode: IMMUTABLE_WITH_EXCLUSION, exclusionFilters: [latest]}, \
               encryption: {type: KMS}, access: {pull: ['444444444444']}, tags: {team: platform}}";
    check(
        &rule(all, &format!(", {ROLES}")),
        "",
        &expect![[r#"
            prod 333333333333/us-east-1 Manage quay.io/ROOT as quay
              IMMUTABLE_WITH_EXCLUSION (latest), KMS, access EcrOperatorPull sha256:cac4e488, {"ecr-operator.dev/cache": "quay", "team": "platform"}, by arn:aws:iam::333333333333:role/cache
            prod 333333333333/us-west-2 Manage quay.io/ROOT as quay
              IMMUTABLE_WITH_EXCLUSION (latest), KMS, access EcrOperatorPull sha256:cac4e488, {"ecr-operator.dev/cache": "quay", "team": "platform"}, by arn:aws:iam::333333333333:role/cache"#]],
    );
}

#[test]
fn a_template_that_ecr_could_not_carry_out_is_refused_by_field() {
    let check = |template: &str, more: &str, expected: &Expect| {
        let spec = format!(
            "{{upstreamRegistry: quay, environments: [prod], repositoryTemplate: {template}{more}}}"
        );
        check(&spec, "", expected);
    };
    check(
        "{tags: {team: platform}}",
        "",
        &expect![[r#"
            prod/us-east-1 InvalidSpec spec.repositoryTemplate.tags: ECR carries this out only by a role: give one for prod in spec.roles
            prod/us-west-2 InvalidSpec spec.repositoryTemplate.tags: ECR carries this out only by a role: give one for prod in spec.roles"#]],
    );
    check(
        "{encryption: {type: KMS}}",
        "",
        &expect![[r#"
            prod/us-east-1 InvalidSpec spec.repositoryTemplate.encryption: ECR carries this out only by a role: give one for prod in spec.roles
            prod/us-west-2 InvalidSpec spec.repositoryTemplate.encryption: ECR carries this out only by a role: give one for prod in spec.roles"#]],
    );
    check(
        "{lifecyclePolicyRef: {name: gone}}",
        "",
        &expect![[r#"
        prod/us-east-1 ReferenceNotFound spec.repositoryTemplate.lifecyclePolicyRef.name: there is no LifecyclePolicy "gone": make one, or name another
        prod/us-west-2 ReferenceNotFound spec.repositoryTemplate.lifecyclePolicyRef.name: there is no LifecyclePolicy "gone": make one, or name another"#]],
    );
    check(
        "{tags: {team: platform}}",
        ", roles: [{environment: prod, roleArn: 'arn:aws:iam::444444444444:role/cache'}]",
        &expect![[r#"
            prod/us-east-1 InvalidSpec spec.roles[0].roleArn: role arn:aws:iam::444444444444:role/cache is not of account 333333333333, where the rule is: give one that is
            prod/us-west-2 InvalidSpec spec.roles[0].roleArn: role arn:aws:iam::444444444444:role/cache is not of account 333333333333, where the rule is: give one that is"#]],
    );
    check(
        "{access: {statements: [{sid: A, effect: Allow, principals: ['*'], actions: ['ecr:BatchGetImage']}]}}",
        "",
        &expect![[r#"
            prod/us-east-1 InvalidSpec spec.repositoryTemplate.access: this would let anybody in: name accounts, roles or organizations
            prod/us-west-2 InvalidSpec spec.repositoryTemplate.access: this would let anybody in: name accounts, roles or organizations"#]],
    );
}

#[test]
fn a_template_that_status_has_and_nobody_asks_for_is_to_go() {
    let status = "{targets: [{environment: dev, region: eu-central-1, state: Ready, record: \
                  {accountId: '111111111111', ecrRepositoryPrefix: quay, upstreamRegistryUrl: quay.io, \
                  upstreamRepositoryPrefix: ROOT, templateHash: abc}}]}";
    let spec = format!("{{upstreamRegistry: quay, environments: [dev]}}\nstatus: {status}");
    check(
        &spec,
        "",
        &expect!["dev 111111111111/eu-central-1 Manage quay.io/ROOT as quay, no template any more"],
    );
}

#[test]
fn a_retrofit_needs_to_know_of_what_and_where() {
    check(
        "{upstreamRegistry: quay, environments: [dev], retrofit: Enabled}",
        "",
        &expect![
            "dev/eu-central-1 InvalidSpec spec.retrofit: retrofit brings repositories in line with repositoryTemplate: say what that is"
        ],
    );
    check(
        "{upstreamRegistry: quay, environments: [dev], ecrRepositoryPrefix: ROOT, retrofit: Enabled, \
         repositoryTemplate: {lifecyclePolicyRef: {name: keep-30}}}",
        "",
        &expect![
            "dev/eu-central-1 InvalidSpec spec.retrofit: ROOT covers every repository of the registry, not only those that the cache made: retrofit needs a prefix of its own"
        ],
    );
}
