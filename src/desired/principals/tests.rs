use expect_test::expect;

use crate::desired::fixture::{BASE, told, world};
use crate::desired::{environment, pull_through, registry, repository};

/// What becomes of this access in `prod`, whose account allows these principals.
fn outcome(allowed: &str, access: &str) -> String {
    let text = format!(
        r#"
kind: EnvironmentAccount
metadata: {{name: prod}}
spec:
  accountId: "333333333333"
  region: us-east-1
  {allowed}
  grants: [{{namespaceSelector: {{}}, repositoryPrefixes: ["{{namespace}}/"]}}]
---
kind: ImageRepository
metadata: {{name: api, namespace: payments, uid: r1}}
spec: {{environments: [prod], access: {access}}}
"#
    );
    let world = world(&[BASE, &text]);
    let object = world.repository("payments", "api").unwrap();
    let targets = repository(object, &world);
    match &targets[0] {
        Ok(_) => format!("{access}: granted"),
        Err(stopped) => format!("{access}: {}", told(stopped)),
    }
}

fn statement(principal: &str, conditions: &str) -> String {
    format!(
        "{{statements: [{{sid: A, effect: Allow, principals: ['{principal}'], \
         actions: ['ecr:BatchGetImage'], conditions: [{conditions}]}}]}}"
    )
}

#[test]
fn where_nothing_is_said_accounts_of_this_clusters_environments_are_allowed() {
    let lines = [
        "{pull: ['333333333333']}",
        "{pull: ['111111111111']}",
        "{pull: ['arn:aws:iam::111111111111:role/nodes']}",
        "{pull: ['arn:aws:iam::333333333333:role/nodes'], lambda: Enabled}",
        "{pull: ['444444444444']}",
        "{push: ['arn:aws:iam::444444444444:role/ci']}",
        "{pull: [o-abc1234567]}",
    ]
    .map(|access| outcome("", access));
    expect![[r#"
        {pull: ['333333333333']}: granted
        {pull: ['111111111111']}: granted
        {pull: ['arn:aws:iam::111111111111:role/nodes']}: granted
        {pull: ['arn:aws:iam::333333333333:role/nodes'], lambda: Enabled}: granted
        {pull: ['444444444444']}: prod NotGranted spec.access: EnvironmentAccount prod does not allow access for 444444444444: add it to spec.allowedPrincipals there, or take it out here
        {push: ['arn:aws:iam::444444444444:role/ci']}: prod NotGranted spec.access: EnvironmentAccount prod does not allow access for arn:aws:iam::444444444444:role/ci: add it to spec.allowedPrincipals there, or take it out here
        {pull: [o-abc1234567]}: prod NotGranted spec.access: EnvironmentAccount prod does not allow access for o-abc1234567: add it to spec.allowedPrincipals there, or take it out here"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn what_is_listed_is_allowed_and_nothing_else_but_the_own_account() {
    let allowed = r#"allowedPrincipals: {accounts: ["444444444444"], organizations: [o-abc1234567], roles: ["arn:aws:iam::555555555555:role/ci"]}"#;
    let lines = [
        "{pull: ['333333333333']}",
        "{pull: ['444444444444']}",
        "{pull: ['arn:aws:iam::444444444444:user/ann']}",
        "{pull: [o-abc1234567]}",
        "{push: ['arn:aws:iam::555555555555:role/ci']}",
        "{push: ['arn:aws:iam::555555555555:role/ci2']}",
        "{pull: ['555555555555']}",
        "{pull: ['111111111111']}",
        "{pull: [o-zzz1234567]}",
    ]
    .map(|access| outcome(allowed, access));
    expect![[r#"
        {pull: ['333333333333']}: granted
        {pull: ['444444444444']}: granted
        {pull: ['arn:aws:iam::444444444444:user/ann']}: granted
        {pull: [o-abc1234567]}: granted
        {push: ['arn:aws:iam::555555555555:role/ci']}: granted
        {push: ['arn:aws:iam::555555555555:role/ci2']}: prod NotGranted spec.access: EnvironmentAccount prod does not allow access for arn:aws:iam::555555555555:role/ci2: add it to spec.allowedPrincipals there, or take it out here
        {pull: ['555555555555']}: prod NotGranted spec.access: EnvironmentAccount prod does not allow access for 555555555555: add it to spec.allowedPrincipals there, or take it out here
        {pull: ['111111111111']}: prod NotGranted spec.access: EnvironmentAccount prod does not allow access for 111111111111: add it to spec.allowedPrincipals there, or take it out here
        {pull: [o-zzz1234567]}: prod NotGranted spec.access: EnvironmentAccount prod does not allow access for o-zzz1234567: add it to spec.allowedPrincipals there, or take it out here"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn a_statement_is_judged_by_whom_it_lets_in() {
    let condition = |operator: &str, key: &str, value: &str| {
        format!("{{operator: {operator}, key: '{key}', values: ['{value}']}}")
    };
    let lines = [
        statement("*", ""),
        statement(
            "*",
            &condition("StringEquals", "aws:PrincipalOrgID", "o-abc1234567"),
        ),
        statement(
            "*",
            &condition("StringEquals", "aws:PrincipalAccount", "111111111111"),
        ),
        statement("*", &condition("StringLike", "aws:PrincipalArn", "*")),
        statement("444444444444", ""),
        statement("arn:aws:sts::111111111111:assumed-role/ci/me", ""),
        statement("codebuild.amazonaws.com", ""),
        statement(
            "codebuild.amazonaws.com",
            &condition("StringEquals", "aws:SourceAccount", "333333333333"),
        ),
        statement(
            "codebuild.amazonaws.com",
            &condition("StringEquals", "aws:SourceAccount", "444444444444"),
        ),
    ]
    .map(|access| outcome("", &access));
    expect![[r#"
        {statements: [{sid: A, effect: Allow, principals: ['*'], actions: ['ecr:BatchGetImage'], conditions: []}]}: prod InvalidSpec spec.access: this would let anybody in: name accounts, roles or organizations
        {statements: [{sid: A, effect: Allow, principals: ['*'], actions: ['ecr:BatchGetImage'], conditions: [{operator: StringEquals, key: 'aws:PrincipalOrgID', values: ['o-abc1234567']}]}]}: prod NotGranted spec.access: EnvironmentAccount prod does not allow access for o-abc1234567: add it to spec.allowedPrincipals there, or take it out here
        {statements: [{sid: A, effect: Allow, principals: ['*'], actions: ['ecr:BatchGetImage'], conditions: [{operator: StringEquals, key: 'aws:PrincipalAccount', values: ['111111111111']}]}]}: granted
        {statements: [{sid: A, effect: Allow, principals: ['*'], actions: ['ecr:BatchGetImage'], conditions: [{operator: StringLike, key: 'aws:PrincipalArn', values: ['*']}]}]}: prod InvalidSpec spec.access: this would let anybody in: name accounts, roles or organizations
        {statements: [{sid: A, effect: Allow, principals: ['444444444444'], actions: ['ecr:BatchGetImage'], conditions: []}]}: prod NotGranted spec.access: EnvironmentAccount prod does not allow access for 444444444444: add it to spec.allowedPrincipals there, or take it out here
        {statements: [{sid: A, effect: Allow, principals: ['arn:aws:sts::111111111111:assumed-role/ci/me'], actions: ['ecr:BatchGetImage'], conditions: []}]}: granted
        {statements: [{sid: A, effect: Allow, principals: ['codebuild.amazonaws.com'], actions: ['ecr:BatchGetImage'], conditions: []}]}: prod NotGranted spec.access: codebuild.amazonaws.com would act for any of its customers: add a condition on aws:SourceAccount, aws:SourceArn or aws:SourceOrgID
        {statements: [{sid: A, effect: Allow, principals: ['codebuild.amazonaws.com'], actions: ['ecr:BatchGetImage'], conditions: [{operator: StringEquals, key: 'aws:SourceAccount', values: ['333333333333']}]}]}: granted
        {statements: [{sid: A, effect: Allow, principals: ['codebuild.amazonaws.com'], actions: ['ecr:BatchGetImage'], conditions: [{operator: StringEquals, key: 'aws:SourceAccount', values: ['444444444444']}]}]}: prod NotGranted spec.access: EnvironmentAccount prod does not allow access for 444444444444: add it to spec.allowedPrincipals there, or take it out here"#]].assert_eq(&lines.join("\n"));
}

#[test]
fn a_default_of_the_environment_is_held_to_its_own_list() {
    let defaults = "defaults: {access: {pull: ['444444444444']}}";
    let text = format!(
        r#"
kind: EnvironmentAccount
metadata: {{name: prod}}
spec:
  accountId: "333333333333"
  region: us-east-1
  {defaults}
  grants: [{{namespaceSelector: {{}}, repositoryPrefixes: ["{{namespace}}/"]}}]
---
kind: ImageRepository
metadata: {{name: api, namespace: payments, uid: r1}}
spec: {{environments: [prod]}}
"#
    );
    let world = world(&[&text, NAMESPACE]);
    let targets = repository(world.repository("payments", "api").unwrap(), &world);
    expect!["prod NotGranted EnvironmentAccount prod spec.defaults.access: EnvironmentAccount prod does not allow access for 444444444444: add it to spec.allowedPrincipals there, or take it out here"].assert_eq(&told(targets[0].as_ref().unwrap_err()));
}

const NAMESPACE: &str = "{kind: Namespace, metadata: {name: payments}}";

/// What becomes of this access in the places of `prod` that are not an `ImageRepository`'s: the
/// repositories that a cache makes, and the registry as a whole.
fn elsewhere(principals: &str) -> String {
    let text = format!(
        r#"
kind: EnvironmentAccount
metadata: {{name: prod, uid: e2}}
spec:
  accountId: "333333333333"
  region: us-east-1
  allowedPrincipals: {{accounts: ["444444444444"]}}
  registry:
    policyStatements:
    - {{sid: A, principals: {principals}, actions: ['ecr:ReplicateImage']}}
---
kind: PullThroughRule
metadata: {{name: cache, uid: p1}}
spec:
  upstreamRegistry: quay
  environments: [prod]
  repositoryTemplate: {{access: {{pull: {principals}}}}}
"#
    );
    let world = world(&[BASE, &text]);
    let account = world.environment("prod").unwrap();
    let prod = environment(account, &world).unwrap();
    let of_registry = registry(account, &prod, prod.home(), &world).map(drop);
    let rule = world.rules().next().unwrap();
    let of_cache = pull_through(rule, &world).remove(0).map(drop);
    let told = |outcome: Result<(), _>| outcome.map_or_else(|it| told(&it), |()| "granted".into());
    let [of_cache, of_registry] = [of_cache, of_registry].map(told);
    format!("{principals}\n  {of_cache}\n  {of_registry}\n")
}

#[test]
fn caches_and_registries_let_in_only_whom_the_environment_allows() {
    let told = [
        "['333333333333']",
        "['444444444444']",
        "['arn:aws:iam::444444444444:role/nodes']",
        "['444444444444', '555555555555']",
        "['arn:aws:iam::555555555555:role/ci']",
    ]
    .map(elsewhere);
    expect![[r#"
        ['333333333333']
          granted
          granted
        ['444444444444']
          granted
          granted
        ['arn:aws:iam::444444444444:role/nodes']
          granted
          granted
        ['444444444444', '555555555555']
          prod/us-east-1 NotGranted spec.repositoryTemplate.access: EnvironmentAccount prod does not allow access for 555555555555: add it to spec.allowedPrincipals there, or take it out here
          /us-east-1 NotGranted spec.registry.policyStatements[0].principals: EnvironmentAccount prod does not allow access for 555555555555: add it to spec.allowedPrincipals there, or take it out here
        ['arn:aws:iam::555555555555:role/ci']
          prod/us-east-1 NotGranted spec.repositoryTemplate.access: EnvironmentAccount prod does not allow access for arn:aws:iam::555555555555:role/ci: add it to spec.allowedPrincipals there, or take it out here
          /us-east-1 NotGranted spec.registry.policyStatements[0].principals: EnvironmentAccount prod does not allow access for arn:aws:iam::555555555555:role/ci: add it to spec.allowedPrincipals there, or take it out here
    "#]]
    .assert_eq(&told.concat());
}
