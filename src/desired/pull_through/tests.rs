use expect_test::{Expect, expect};

use super::super::fixture::{BASE, told, world};
use super::*;
use crate::domain::lifecycle;
use crate::domain::repository::Setting;
use crate::domain::template::Settings;

const SECRETS: &str = "[\
    {environment: prod, region: us-east-1, secretArn: 'arn:aws:secretsmanager:us-east-1:333333333333:secret:ecr-pullthroughcache/hub-1'}, \
    {environment: prod, region: us-west-2, secretArn: 'arn:aws:secretsmanager:us-west-2:333333333333:secret:ecr-pullthroughcache/hub-2'}]";

/// What a rule with this spec comes to, in a world with these objects besides [`BASE`].
fn check(spec: &str, others: &str, expected: &Expect) {
    let object = format!(
        "kind: PullThroughRule\n\
         metadata: {{name: cache, uid: p9, creationTimestamp: \"2026-02-02T00:00:00Z\"}}\n\
         spec: {spec}"
    );
    let world = world(&[BASE, others, &object]);
    let object = world.rules().find(|it| it.name_any() == "cache").unwrap();
    let lines = pull_through(object, &world).into_iter().map(|it| match it {
        Ok(target) => shown(&target),
        Err(stopped) => told(&stopped),
    });
    expected.assert_eq(&lines.collect::<Vec<_>>().join("\n"));
}

fn shown(target: &CacheTarget) -> String {
    let CacheTarget {
        environment,
        registry,
        desired:
            Desired {
                management,
                claim: _,
                claimed,
                rule,
            },
        retrofit,
        template,
        prewarm,
    } = target;
    let Rule {
        prefix,
        source,
        upstream_prefix,
        credential,
        role,
    } = rule;
    let secret = credential.as_ref().map(|it| it.as_str().rsplit('/').next());
    let mut text = format!(
        "{environment} {registry} {management:?} {}/{upstream_prefix} as {prefix}",
        source.url()
    );
    text += &secret
        .flatten()
        .map_or(String::new(), |it| format!(", secret {it}"));
    text += &role
        .as_ref()
        .map_or(String::new(), |it| format!(", role {it}"));
    for (repository, tag) in prewarm {
        text += &format!(", {repository}:{tag}");
    }
    for (name, by) in claimed {
        text += &format!(", {name} is asked for by {by}");
    }
    if let Some(retrofit) = retrofit {
        text += &format!(
            ", retrofit {:?} {:?} for {}",
            retrofit.claimed, retrofit.unread, retrofit.owner.object
        );
    }
    match &template.settings {
        Setting::Unmanaged => text,
        Setting::Absent => text + ", no template any more",
        Setting::Present(settings) => text + "\n  " + &shown_settings(settings),
    }
}

fn shown_settings(settings: &Settings) -> String {
    let Settings {
        mutability,
        encryption,
        policy,
        lifecycle,
        tags,
        role,
    } = settings;
    let said = [
        mutability.as_ref().map(ToString::to_string),
        encryption.as_ref().map(ToString::to_string),
        policy.as_ref().map(|it| format!("access {}", it.summary())),
        lifecycle.as_ref().map(lifecycle::Document::summary),
        (!tags.is_empty()).then(|| format!("{tags:?}")),
        role.as_ref().map(|it| format!("by {it}")),
    ];
    said.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

#[test]
fn a_rule_is_in_every_region_of_each_environment_with_the_secret_of_the_place() {
    check(
        "{upstreamRegistry: quay, environments: [prod, dev]}",
        "",
        &expect![[r#"
            dev 111111111111/eu-central-1 Manage quay.io/ROOT as quay
            prod 333333333333/us-east-1 Manage quay.io/ROOT as quay
            prod 333333333333/us-west-2 Manage quay.io/ROOT as quay"#]],
    );
    let hub =
        format!("{{upstreamRegistry: docker-hub, environments: [prod], credentials: {SECRETS}}}");
    check(
        &hub,
        "",
        &expect![[r#"
        prod 333333333333/us-east-1 Manage registry-1.docker.io/ROOT as docker-hub, secret hub-1
        prod 333333333333/us-west-2 Manage registry-1.docker.io/ROOT as docker-hub, secret hub-2"#]],
    );
}

#[test]
fn what_is_prewarmed_is_named_as_it_is_cached() {
    let images = "[library/nginx:1.27, 'grafana/grafana:11']";
    let rule = |more: &str, images: &str| {
        format!(
            "{{upstreamRegistry: ecr-public, environments: [dev], prewarm: {{images: {images}}}{more}}}"
        )
    };
    check(
        &rule("", images),
        "",
        &expect![
            "dev 111111111111/eu-central-1 Manage public.ecr.aws/ROOT as ecr-public, ecr-public/library/nginx:1.27, ecr-public/grafana/grafana:11"
        ],
    );
    check(
        &rule(", ecrRepositoryPrefix: ROOT", images),
        "",
        &expect![
            "dev 111111111111/eu-central-1 Manage public.ecr.aws/ROOT as ROOT, library/nginx:1.27, grafana/grafana:11"
        ],
    );
    let within = ", ecrRepositoryPrefix: official, upstreamRepositoryPrefix: library";
    check(
        &rule(within, "[library/nginx:1.27]"),
        "",
        &expect![
            "dev 111111111111/eu-central-1 Manage public.ecr.aws/library as official, official/nginx:1.27"
        ],
    );
    check(
        &rule(within, images),
        "",
        &expect![[
            r#"dev/eu-central-1 InvalidSpec spec.prewarm.images[1]: "grafana/grafana:11" is not below upstreamRepositoryPrefix library"#
        ]],
    );
    check(
        &rule("", "[library/nginx]"),
        "",
        &expect![[
            r#"dev/eu-central-1 InvalidSpec spec.prewarm.images[0]: "library/nginx" has no tag, or a digest: ECR caches by tag"#
        ]],
    );
    check(
        &rule("", "['library/Nginx:1']"),
        "",
        &expect![[
            r#"dev/eu-central-1 InvalidSpec spec.prewarm.images[0]: "library/Nginx:1": an upper-case letter in the repository name"#
        ]],
    );
}

#[test]
fn one_wrong_registry_stops_no_other() {
    let hub = format!(
        "{{upstreamRegistry: docker-hub, environments: [dev, gone, prod], credentials: {SECRETS}}}"
    );
    check(
        &hub,
        "",
        &expect![[r#"
            dev/eu-central-1 InvalidSpec spec.credentials: ECR pulls from docker-hub only with credentials: give a secret of 111111111111/eu-central-1
            gone EnvironmentNotFound spec.environments: there is no EnvironmentAccount "gone": make one, or take it out
            prod 333333333333/us-east-1 Manage registry-1.docker.io/ROOT as docker-hub, secret hub-1
            prod 333333333333/us-west-2 Manage registry-1.docker.io/ROOT as docker-hub, secret hub-2"#]],
    );
    let elsewhere = hub.replace("us-west-2:333333333333", "us-east-2:333333333333");
    check(
        &elsewhere,
        "",
        &expect![[r#"
            dev/eu-central-1 InvalidSpec spec.credentials: ECR pulls from docker-hub only with credentials: give a secret of 111111111111/eu-central-1
            gone EnvironmentNotFound spec.environments: there is no EnvironmentAccount "gone": make one, or take it out
            prod 333333333333/us-east-1 Manage registry-1.docker.io/ROOT as docker-hub, secret hub-1
            prod/us-west-2 InvalidSpec spec.credentials[1].secretArn: secret arn:aws:secretsmanager:us-east-2:333333333333:secret:ecr-pullthroughcache/hub-2 is not in 333333333333/us-west-2, where the rule is, and ECR reads secrets of the rule's own account and region only: give one of them"#]],
    );
}

#[test]
fn what_ecr_would_not_take_is_said_by_field() {
    check(
        "{upstreamRegistry: quay, environments: []}",
        "",
        &expect![" InvalidSpec spec.environments: name at least one EnvironmentAccount"],
    );
    check(
        "{upstreamRegistry: quay, environments: [dev], upstreamRegistryUrl: a.b}",
        "",
        &expect![
            "dev/eu-central-1 InvalidSpec spec.upstreamRegistryUrl: quay is at quay.io, so it takes no other upstreamRegistryUrl"
        ],
    );
    check(
        "{upstreamRegistry: ecr, environments: [dev]}",
        "",
        &expect![
            "dev/eu-central-1 InvalidSpec spec.upstreamRegistryUrl: ecr needs an upstreamRegistryUrl, like 444444444444.dkr.ecr.us-east-1.amazonaws.com"
        ],
    );
    check(
        "{upstreamRegistry: quay, environments: [dev], ecrRepositoryPrefix: Q/}",
        "",
        &expect![[
            r#"dev/eu-central-1 InvalidSpec spec.ecrRepositoryPrefix: "Q/" is no repository prefix: ROOT, or 2 to 30 characters, lower-case letters and digits separated by one of . _ - or /"#
        ]],
    );
    check(
        "{upstreamRegistry: ecr, environments: [dev], upstreamRegistryUrl: 444444444444.dkr.ecr.us-east-1.amazonaws.com}",
        "",
        &expect![
            "dev/eu-central-1 InvalidSpec spec.roles: ECR reads 444444444444.dkr.ecr.us-east-1.amazonaws.com of another account only by a role: give one for the environment"
        ],
    );
    check(
        "{upstreamRegistry: ecr, environments: [dev], upstreamRegistryUrl: 444444444444.dkr.ecr.us-east-1.amazonaws.com, \
         roles: [{environment: dev, roleArn: 'arn:aws:iam::111111111111:role/cache'}]}",
        "",
        &expect![
            "dev 111111111111/eu-central-1 Manage 444444444444.dkr.ecr.us-east-1.amazonaws.com/ROOT as ecr, role arn:aws:iam::111111111111:role/cache"
        ],
    );
}

#[test]
fn the_older_of_two_overlapping_prefixes_stays() {
    let other = |created: &str, environment: &str| {
        format!(
            "kind: PullThroughRule\n\
             metadata: {{name: other, uid: p1, creationTimestamp: \"{created}T00:00:00Z\"}}\n\
             spec: {{upstreamRegistry: k8s, ecrRepositoryPrefix: cache/k8s, environments: [{environment}]}}"
        )
    };
    let rule = "{upstreamRegistry: quay, ecrRepositoryPrefix: cache, environments: [dev]}";
    check(
        rule,
        &other("2026-02-01", "dev"),
        &expect![
            "dev/eu-central-1 Conflict spec.ecrRepositoryPrefix: prefix cache overlaps that of the older PullThroughRule other in dev: choose another, or remove one of the two"
        ],
    );
    check(
        rule,
        &other("2026-02-03", "dev"),
        &expect!["dev 111111111111/eu-central-1 Manage quay.io/ROOT as cache"],
    );
    check(
        rule,
        &other("2026-02-01", "prod"),
        &expect!["dev 111111111111/eu-central-1 Manage quay.io/ROOT as cache"],
    );
}

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
          IMMUTABLE_WITH_EXCLUSION (latest), KMS, access EcrOperatorPull sha256:cac4e488, {"team": "platform"}, by arn:aws:iam::333333333333:role/cache
        prod 333333333333/us-west-2 Manage quay.io/ROOT as quay
          IMMUTABLE_WITH_EXCLUSION (latest), KMS, access EcrOperatorPull sha256:cac4e488, {"team": "platform"}, by arn:aws:iam::333333333333:role/cache"#]],
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
fn what_is_asked_for_by_name_is_not_of_the_cache() {
    let claim = |name: &str, namespace: &str| {
        format!(
            "kind: ImageRepository\nmetadata: {{name: {name}, namespace: {namespace}}}\n\
             spec: {{environments: [dev], repositoryName: payments/{name}}}\n---\n"
        )
    };
    // The second is granted to nobody, so it claims nothing.
    let claims = claim("api", "payments") + &claim("web", "web");
    let rule = "{upstreamRegistry: quay, environments: [dev], ecrRepositoryPrefix: payments, \
                retrofit: Enabled, repositoryTemplate: {lifecyclePolicyRef: {name: keep-30}}}";
    check(
        rule,
        &claims,
        &expect![[r#"
        dev 111111111111/eu-central-1 Manage quay.io/ROOT as payments, payments/api is asked for by payments/api, retrofit {RepositoryName("payments/api")} Unknown for PullThroughRule/cache
          rules 1 sha256:5485bc83"#]],
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
