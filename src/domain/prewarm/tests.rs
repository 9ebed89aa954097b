use expect_test::{Expect, expect};

use super::*;
use crate::domain::pull_through::{Source, Upstream};
use crate::domain::usage::{Image as Runs, Pod};

fn registry(region: &str) -> Registry {
    Registry::new("333333333333".parse().unwrap(), region.parse().unwrap())
}

fn rule(prefix: &str, upstream_prefix: &str) -> Rule {
    Rule {
        prefix: prefix.parse().unwrap(),
        source: Source::new(Upstream::DockerHub, None).unwrap(),
        upstream_prefix: upstream_prefix.parse().unwrap(),
        credential: None,
        role: None,
    }
}

fn check(rule: &Rule, references: &[&str], expected: &Expect) {
    let image = |reference: &&str| Runs {
        references: vec![(*reference).to_owned()],
        id: None,
    };
    let pod = Pod {
        name: "shop/api".to_owned(),
        images: references.iter().map(image).collect(),
    };
    let usage = Usage::of_pods([&pod]);
    let Wanted { images, digests } = wanted(rule, &[registry("us-east-1")], &usage);
    let images: Vec<String> = images.iter().map(name).collect();
    expected.assert_eq(&format!("{} and {digests} digests", images.join(" ")));
}

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

#[test]
fn names_lead_to_the_cache_and_back() {
    for (prefix, upstream_prefix, path, name) in [
        ("hub", "ROOT", "library/nginx", "hub/library/nginx"),
        ("hub", "library", "library/nginx", "hub/nginx"),
        ("ROOT", "ROOT", "library/nginx", "library/nginx"),
    ] {
        let rule = rule(prefix, upstream_prefix);
        let cached = rule.cached(path).unwrap();
        assert_eq!(cached.as_str(), name);
        assert_eq!(rule.upstream_of(&cached).unwrap(), path);
    }
    let elsewhere = "hubs/library/nginx".parse().unwrap();
    assert_eq!(rule("hub", "ROOT").upstream_of(&elsewhere), None);
}

#[test]
fn what_pods_use_is_wanted_by_its_name_in_the_cache() {
    let digest = format!("grafana/grafana@{DIGEST}");
    check(
        &rule("hub", "ROOT"),
        &[
            "nginx",
            "docker.io/library/redis:7",
            "bitnami/redis:7.4",
            "quay.io/a/b:1",
            "333333333333.dkr.ecr.us-east-1.amazonaws.com/hub/acme/app:2",
            "333333333333.dkr.ecr.us-east-1.amazonaws.com/team/app:2",
            "444444444444.dkr.ecr.us-east-1.amazonaws.com/hub/acme/other:2",
            &digest,
        ],
        &expect![
            "hub/acme/app:2 hub/bitnami/redis:7.4 hub/library/nginx:latest hub/library/redis:7 and 1 digests"
        ],
    );
}

#[test]
fn a_part_of_an_upstream_is_wanted_by_a_rule_for_that_part_only() {
    check(
        &rule("official", "library"),
        &["nginx:1", "bitnami/redis:7.4"],
        &expect!["official/nginx:1 and 0 digests"],
    );
    check(
        &rule("ROOT", "ROOT"),
        &[
            "nginx:1",
            "333333333333.dkr.ecr.us-east-1.amazonaws.com/team/app:2",
        ],
        &expect!["library/nginx:1 and 0 digests"],
    );
}

#[test]
fn an_hour_has_its_imports_and_the_next_one_has_its_own() {
    let spent = Spent::default().and(10_000, 4).and(12_000, 3);
    assert_eq!(
        spent,
        Spent {
            since: 10_000,
            imports: 7
        }
    );
    assert_eq!(spent.left(13_599, 10), 3);
    assert_eq!(spent.left(13_599, 5), 0);
    assert_eq!(spent.left(13_600, 10), 10);
    assert_eq!(spent.left(9_000, 10), 10); // the clock was set back: better too early than never
    assert_eq!(
        spent.and(13_600, 1),
        Spent {
            since: 13_600,
            imports: 1
        }
    );
}

#[test]
fn the_next_ones_go_round_so_that_all_have_their_turn() {
    let missing: BTreeSet<Image> = ["a", "b", "c"]
        .map(|it| (format!("hub/{it}").parse().unwrap(), "1".to_owned()))
        .into();
    let next = |after: &str, most| {
        let next = next(&missing, after, most);
        next.into_iter().map(name).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(next("", 2), "hub/a:1 hub/b:1");
    assert_eq!(next("hub/b:1", 2), "hub/c:1 hub/a:1");
    assert_eq!(next("hub/c:1", 9), "hub/a:1 hub/b:1 hub/c:1");
    assert_eq!(next("", 0), "");
}
