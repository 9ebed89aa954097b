use expect_test::{Expect, expect};

use super::super::fixture::{BASE, told, world};
use super::super::{pull_through, repository, rules};
use super::*;
use crate::domain::facts::{Facts, Presence};
use crate::domain::rewrite::{Asked, Credentials, PullPolicy, decide};

/// A policy in prod that rewrites what is not known, so that only what objects say decides.
const POLICY: &str = "kind: ImageAdmissionPolicy\n\
     metadata: {name: all}\n\
     spec: {environment: prod, mode: Rewrite, onUnknown: Rewrite}\n";

fn cache(spec: &str, created: &str) -> String {
    format!(
        "kind: PullThroughRule\n\
         metadata: {{name: cache, uid: p1, creationTimestamp: \"{created}T00:00:00Z\"}}\n\
         spec: {{upstreamRegistry: quay, {spec}}}\n"
    )
}

/// `payments/api`, made on the second of February.
fn object(spec: &str) -> String {
    format!(
        "kind: ImageRepository\n\
         metadata: {{name: api, namespace: payments, uid: r1, creationTimestamp: \"2026-02-02T00:00:00Z\"}}\n\
         {spec}\n"
    )
}

/// What becomes of the repository, of the cache and of an image of quay.io that is named alike.
fn check(texts: &[&str], expected: &Expect) {
    let world = world(&[&[BASE, POLICY], texts].concat());
    let mut lines = Vec::new();
    let object = world.repository("payments", "api").unwrap();
    lines.extend(repository(object, &world).iter().map(|it| match it {
        Ok(target) => format!("{} has {}", target.environment, target.desired.name),
        Err(stopped) => told(stopped),
    }));
    lines.extend(stopped_by_repository(object, &world));
    for rule in world.rules() {
        let targets = pull_through(rule, &world);
        lines.extend(targets.iter().map(|it| match it {
            Ok(target) => format!("{} caches in {}", rule.name_any(), target.registry),
            Err(stopped) => told(stopped),
        }));
        lines.extend(stopped_by_rule(rule, &world));
    }
    let rules = rules(&world);
    let policy = rules.table.policy("all").unwrap();
    let image = Asked {
        image: "quay.io/payments/api:1",
        namespace: "web",
        pull_policy: PullPolicy::Pulls,
        credentials: Credentials::NotCovered,
    };
    let facts = Facts::assuming(Presence::Active);
    let decision = decide(policy, &facts, &image);
    let target = decision
        .target()
        .map_or("kept", |it| it.split_once('/').unwrap().1);
    lines.push(format!("{}: {target} {}", image.image, decision.reason()));
    expected.assert_eq(&lines.join("\n"));
}

const BELOW: &str = "spec: {environments: [prod], repositoryName: payments/payments/api}";

#[test]
fn repository_below_an_older_cache_is_stopped_and_both_say_so() {
    check(
        &[
            &object(BELOW),
            &cache(
                "ecrRepositoryPrefix: payments, environments: [dev, prod]",
                "2026-02-01",
            ),
        ],
        &expect![[r#"
            prod Conflict spec.repositoryName: payments/payments/api lies below the prefix of the older PullThroughRule cache in prod, and would pass for an image of its upstream: choose another repositoryName, or remove one of the two
            cache caches in 111111111111/eu-central-1
            cache caches in 333333333333/us-east-1
            cache caches in 333333333333/us-west-2
            ImageRepository payments/api asks for payments/payments/api below the prefix in prod, and is stopped
            quay.io/payments/api:1: payments/payments/api:1 PullThrough"#]],
    );
}

#[test]
fn cache_above_an_older_repository_is_stopped_and_both_say_so() {
    check(
        &[
            &object(BELOW),
            &cache(
                "ecrRepositoryPrefix: payments, environments: [dev, prod]",
                "2026-02-03",
            ),
        ],
        &expect![[r#"
            prod has payments/payments/api
            PullThroughRule cache asks for a prefix that covers this repository in prod, and is stopped
            cache caches in 111111111111/eu-central-1
            prod/us-east-1 Conflict spec.ecrRepositoryPrefix: prefix payments covers payments/payments/api, which the older ImageRepository payments/api asks for in prod: choose another prefix, or remove one of the two
            prod/us-west-2 Conflict spec.ecrRepositoryPrefix: prefix payments covers payments/payments/api, which the older ImageRepository payments/api asks for in prod: choose another prefix, or remove one of the two
            quay.io/payments/api:1: kept NoRule"#]],
    );
}

#[test]
fn cache_of_another_environment_stops_no_repository() {
    check(
        &[
            &object(BELOW),
            &cache(
                "ecrRepositoryPrefix: payments, environments: [dev]",
                "2026-02-01",
            ),
        ],
        &expect![[r#"
            prod has payments/payments/api
            cache caches in 111111111111/eu-central-1
            quay.io/payments/api:1: kept NoRule"#]],
    );
}

#[test]
fn repository_that_is_not_granted_stops_no_cache() {
    check(
        &[
            &object("spec: {environments: [prod], repositoryName: quay/payments/api}"),
            &cache("environments: [prod]", "2026-02-03"),
        ],
        &expect![[r#"
            prod NotGranted spec.repositoryName: EnvironmentAccount prod grants quay/payments/api to no namespace like payments: add a grant to it, or choose another repositoryName
            cache caches in 333333333333/us-east-1
            cache caches in 333333333333/us-west-2
            quay.io/payments/api:1: quay/payments/api:1 PullThrough"#]],
    );
}

#[test]
fn repository_beside_a_root_cache_has_its_name_to_itself() {
    for created in ["2026-02-01", "2026-02-03"] {
        let expected = expect![[r#"
            prod has payments/api
            cache caches in 333333333333/us-east-1
            cache caches in 333333333333/us-west-2
            quay.io/payments/api:1: kept RepositoryTaken"#]];
        check(
            &[
                &object("spec: {environments: [prod]}"),
                &cache("ecrRepositoryPrefix: ROOT, environments: [prod]", created),
            ],
            &expected,
        );
    }
}

/// The status of an object of which this was made in prod.
fn made(record: &str) -> String {
    format!(
        "status: {{targets: [{{environment: prod, region: us-east-1, state: Ready, record: {record}}}]}}\n"
    )
}

const CACHED: &str = "{ecrRepositoryPrefix: payments, accountId: '333333333333', \
     upstreamRegistryUrl: quay.io, upstreamRepositoryPrefix: ROOT}";

#[test]
fn repository_that_was_made_is_not_the_caches_though_it_is_stopped() {
    let object = object(&format!("{BELOW}\n{}", made("{}")));
    let cache = cache(
        "ecrRepositoryPrefix: payments, environments: [prod]",
        "2026-02-01",
    );
    check(
        &[&object, &format!("{cache}{}", made(CACHED))],
        &expect![[r#"
            prod Conflict spec.repositoryName: payments/payments/api lies below the prefix of the older PullThroughRule cache in prod, and would pass for an image of its upstream: choose another repositoryName, or remove one of the two
            cache caches in 333333333333/us-east-1
            cache caches in 333333333333/us-west-2
            ImageRepository payments/api asks for payments/payments/api below the prefix in prod, and is stopped
            quay.io/payments/api:1: kept RepositoryTaken"#]],
    );
}

/// Its spec got the environment only now.
#[test]
fn older_object_does_not_stop_a_cache_that_was_made() {
    let cache = cache(
        "ecrRepositoryPrefix: payments, environments: [prod]",
        "2026-02-03",
    );
    check(
        &[&object(BELOW), &format!("{cache}{}", made(CACHED))],
        &expect![[r#"
            prod Conflict spec.repositoryName: payments/payments/api lies below the prefix of the older PullThroughRule cache in prod, and would pass for an image of its upstream: choose another repositoryName, or remove one of the two
            cache caches in 333333333333/us-east-1
            cache caches in 333333333333/us-west-2
            ImageRepository payments/api asks for payments/payments/api below the prefix in prod, and is stopped
            quay.io/payments/api:1: payments/payments/api:1 PullThrough"#]],
    );
}

#[test]
fn older_cache_does_not_stop_a_repository_that_was_made() {
    let cache = cache(
        "ecrRepositoryPrefix: payments, environments: [prod]",
        "2026-02-01",
    );
    check(
        &[&object(&format!("{BELOW}\n{}", made("{}"))), &cache],
        &expect![[r#"
            prod has payments/payments/api
            PullThroughRule cache asks for a prefix that covers this repository in prod, and is stopped
            prod/us-east-1 Conflict spec.ecrRepositoryPrefix: prefix payments covers payments/payments/api, which the older ImageRepository payments/api asks for in prod: choose another prefix, or remove one of the two
            prod/us-west-2 Conflict spec.ecrRepositoryPrefix: prefix payments covers payments/payments/api, which the older ImageRepository payments/api asks for in prod: choose another prefix, or remove one of the two
            quay.io/payments/api:1: kept NoRule"#]],
    );
}

#[test]
fn cache_is_the_older_of_two_of_one_second() {
    for uid in ["a1", "z1"] {
        let cache = cache(
            "ecrRepositoryPrefix: payments, environments: [prod]",
            "2026-02-02",
        );
        let cache = cache.replace("uid: p1", &format!("uid: {uid}"));
        let expected = expect![[r#"
            prod Conflict spec.repositoryName: payments/payments/api lies below the prefix of the older PullThroughRule cache in prod, and would pass for an image of its upstream: choose another repositoryName, or remove one of the two
            cache caches in 333333333333/us-east-1
            cache caches in 333333333333/us-west-2
            ImageRepository payments/api asks for payments/payments/api below the prefix in prod, and is stopped
            quay.io/payments/api:1: payments/payments/api:1 PullThrough"#]];
        check(&[&object(BELOW), &cache], &expected);
    }
}

/// One level deeper than the prefix, or one shorter.
#[test]
fn prefix_counts_by_whole_segments_at_any_depth() {
    for (prefix, created) in [
        ("payments/payments", "2026-02-01"),
        ("payments/payments", "2026-02-03"),
        ("payments/pay", "2026-02-01"),
        ("payments/payments/api", "2026-02-01"),
    ] {
        let cache = cache(
            &format!("ecrRepositoryPrefix: {prefix}, environments: [prod]"),
            created,
        );
        let world = world(&[BASE, POLICY, &object(BELOW), &cache]);
        let object = world.repository("payments", "api").unwrap();
        let rule = world.rules().next().unwrap();
        let has_it = repository(object, &world).iter().all(Result::is_ok);
        let caches = pull_through(rule, &world).iter().all(Result::is_ok);
        let expected = match (prefix, created) {
            ("payments/payments", "2026-02-01") => (false, true),
            ("payments/payments", _) => (true, false),
            _ => (true, true), // nothing of one lies below the other
        };
        assert_eq!((has_it, caches), expected, "{prefix} {created}");
    }
}

#[test]
fn objects_that_are_yet_to_be_created_are_the_youngest() {
    let rule = cache(
        "ecrRepositoryPrefix: payments, environments: [prod]",
        "2026-02-01",
    );
    let object = object(BELOW).replace(", creationTimestamp: \"2026-02-02T00:00:00Z\"", "");
    check(
        &[&object, &rule],
        &expect![[r#"
        prod Conflict spec.repositoryName: payments/payments/api lies below the prefix of the older PullThroughRule cache in prod, and would pass for an image of its upstream: choose another repositoryName, or remove one of the two
        cache caches in 333333333333/us-east-1
        cache caches in 333333333333/us-west-2
        ImageRepository payments/api asks for payments/payments/api below the prefix in prod, and is stopped
        quay.io/payments/api:1: payments/payments/api:1 PullThrough"#]],
    );
}
