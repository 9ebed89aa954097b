use expect_test::{Expect, expect};

use super::super::fixture::{BASE, told, world};
use super::*;
use crate::domain::lifecycle;
use crate::domain::repository::Setting;
use crate::domain::template::Settings;

mod template;

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
        desired: Desired {
            management,
            claim: _,
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
    if let Some(retrofit) = retrofit {
        text += &format!(
            ", retrofit {:?} for {}",
            retrofit.unread, retrofit.owner.object
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
