use std::collections::BTreeMap;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;

mod grammar;

const ARN: &str = "arn:aws:secretsmanager:us-east-1:333333333333:secret:ecr-pullthroughcache/hub";

fn registry() -> Registry {
    Registry::new(
        "333333333333".parse().unwrap(),
        "us-east-1".parse().unwrap(),
    )
}

/// A rule for an upstream in one place, under its own prefix, with the secret that it needs.
fn rule(upstream: Upstream) -> Rule {
    let url = match upstream {
        Upstream::AzureContainerRegistry => Some("example.azurecr.io"),
        Upstream::Ecr => Some("333333333333.dkr.ecr.eu-central-1.amazonaws.com"),
        _ => None,
    };
    Rule {
        prefix: upstream.default_prefix().parse().unwrap(),
        source: Source::new(upstream, url).unwrap(),
        upstream_prefix: Prefix::Root,
        credential: (upstream.authentication() == Authentication::Secret)
            .then(|| ARN.parse().unwrap()),
        role: None,
    }
}

fn desired(upstream: Upstream) -> Desired {
    Desired {
        management: Management::Manage,
        claim: Claim::Recorded,
        rule: rule(upstream),
    }
}

/// The rule that ECR has after it was made.
fn made(rule: &Rule) -> Observed {
    Observed {
        prefix: rule.prefix.clone(),
        upstream: Some(rule.source.upstream().to_string()),
        url: rule.source.url().to_owned(),
        upstream_prefix: rule.upstream_prefix.clone(),
        credential: rule.credential.as_ref().map(ToString::to_string),
        role: rule.role.as_ref().map(ToString::to_string),
        created: None,
    }
}

type Rules = BTreeMap<Prefix, Observed>;

fn rules<const N: usize>(rules: [Observed; N]) -> Rules {
    rules.map(|it| (it.prefix.clone(), it)).into()
}

/// What ECR does on a call, as far as a plan can tell.
fn apply(rules: &mut Rules, change: &Change) {
    match change {
        Change::CreatePullThroughCacheRule(rule) => {
            assert!(!rules.keys().any(|it| it.overlaps(&rule.prefix)));
            rules.insert(rule.prefix.clone(), made(rule));
        }
        Change::UpdatePullThroughCacheRule {
            prefix,
            credential,
            role,
        } => {
            let rule = rules.get_mut(prefix).unwrap();
            let text = |it: &Option<SecretArn>| it.as_ref().map(ToString::to_string);
            rule.credential = text(credential).or(rule.credential.take());
            let text = |it: &Option<RoleArn>| it.as_ref().map(ToString::to_string);
            rule.role = text(role).or(rule.role.take());
        }
    }
}

/// One line for each change, refusal and difference; what is changed settles.
fn check(desired: &Desired, observed: &Rules, expected: &Expect) {
    let Plan {
        changes,
        refusals,
        differences,
    } = plan(desired, observed);
    let lines = [
        changes.iter().map(name).collect::<Vec<_>>(),
        refusals.iter().map(|it| format!("refused: {it}")).collect(),
        differences
            .iter()
            .map(|it| format!("{}: {} -> {}", it.field, it.observed, it.desired))
            .collect(),
    ];
    expected.assert_eq(&lines.concat().join("\n"));
    let mut after = observed.clone();
    for change in &changes {
        apply(&mut after, change);
        assert_eq!(plan(desired, &after), Plan::default());
    }
}

fn name(change: &Change) -> String {
    match change {
        Change::CreatePullThroughCacheRule(rule) => {
            format!("CreatePullThroughCacheRule({})", rule.prefix)
        }
        Change::UpdatePullThroughCacheRule { prefix, .. } => {
            format!("UpdatePullThroughCacheRule({prefix})")
        }
    }
}

#[test]
fn a_missing_rule_is_made() {
    check(
        &desired(Upstream::DockerHub),
        &Rules::new(),
        &expect![[r#"
            CreatePullThroughCacheRule(docker-hub)
            ecrRepositoryPrefix: absent -> docker-hub"#]],
    );
}

#[test]
fn an_equal_rule_is_in_step_whoever_made_it_and_whatever_it_overlaps() {
    let quay = desired(Upstream::Quay);
    let within = Observed {
        prefix: "quay/team".parse().unwrap(),
        ..made(&quay.rule)
    };
    check(&quay, &rules([made(&quay.rule), within]), &expect![""]);
    let nameless = Observed {
        upstream: None,
        ..made(&quay.rule)
    };
    check(&quay, &rules([nameless]), &expect![""]);
}

#[test]
fn what_a_rule_signs_in_with_is_updated() {
    let hub = desired(Upstream::DockerHub);
    let other = Observed {
        credential: Some(format!("{ARN}-old")),
        role: Some("arn:aws:iam::333333333333:role/left-alone".to_owned()),
        ..made(&hub.rule)
    };
    check(
        &hub,
        &rules([other.clone()]),
        &expect![[r#"
        UpdatePullThroughCacheRule(docker-hub)
        credentials: arn:aws:secretsmanager:us-east-1:333333333333:secret:ecr-pullthroughcache/hub-old -> arn:aws:secretsmanager:us-east-1:333333333333:secret:ecr-pullthroughcache/hub"#]],
    );
    let observing = Desired {
        management: Management::Observe,
        ..hub
    };
    check(
        &observing,
        &rules([other]),
        &expect![
            "credentials: arn:aws:secretsmanager:us-east-1:333333333333:secret:ecr-pullthroughcache/hub-old -> arn:aws:secretsmanager:us-east-1:333333333333:secret:ecr-pullthroughcache/hub"
        ],
    );
}

#[test]
fn a_rule_that_somebody_else_made_is_in_step_or_left_alone() {
    let hub = Desired {
        claim: Claim::New,
        ..desired(Upstream::DockerHub)
    };
    check(&hub, &rules([made(&hub.rule)]), &expect![""]);
    let other = Observed {
        credential: Some(format!("{ARN}-old")),
        ..made(&hub.rule)
    };
    check(
        &hub,
        &rules([other]),
        &expect![[r#"
        refused: the registry has a rule for docker-hub that this object did not make, with arn:aws:secretsmanager:us-east-1:333333333333:secret:ecr-pullthroughcache/hub-old in place of what credentials says: give the same once, or delete that rule
        credentials: arn:aws:secretsmanager:us-east-1:333333333333:secret:ecr-pullthroughcache/hub-old -> arn:aws:secretsmanager:us-east-1:333333333333:secret:ecr-pullthroughcache/hub"#]],
    );
}

#[test]
fn what_ecr_cannot_change_is_refused_and_nothing_else_is_changed() {
    let hub = desired(Upstream::DockerHub);
    let other = Observed {
        upstream: Some("quay".to_owned()),
        url: "quay.io".to_owned(),
        upstream_prefix: "library".parse().unwrap(),
        credential: None,
        ..made(&hub.rule)
    };
    check(
        &hub,
        &rules([other]),
        &expect![[r#"
        refused: a rule for docker-hub exists whose upstreamRegistry is quay, and ECR cannot change it
        refused: a rule for docker-hub exists whose upstreamRegistryUrl is quay.io, and ECR cannot change it
        refused: a rule for docker-hub exists whose upstreamRepositoryPrefix is library, and ECR cannot change it
        upstreamRegistry: quay -> docker-hub
        upstreamRegistryUrl: quay.io -> registry-1.docker.io
        upstreamRepositoryPrefix: library -> ROOT
        credentials: absent -> arn:aws:secretsmanager:us-east-1:333333333333:secret:ecr-pullthroughcache/hub"#]],
    );
}

#[test]
fn a_prefix_inside_that_of_another_rule_is_refused() {
    let mut quay = desired(Upstream::Quay);
    let at = |prefix: &str| Observed {
        prefix: prefix.parse().unwrap(),
        ..made(&rule(Upstream::Quay))
    };
    quay.rule.prefix = "quay/team".parse().unwrap();
    check(
        &quay,
        &rules([at("quay"), at("quay/team/a")]),
        &expect![[r#"
            refused: prefix quay/team overlaps the rule for quay that the registry has: choose another, or delete that rule
            refused: prefix quay/team overlaps the rule for quay/team/a that the registry has: choose another, or delete that rule
            ecrRepositoryPrefix: absent -> quay/team"#]],
    );
    check(
        &quay,
        &rules([at("quay/teams"), at("ROOT")]),
        &expect![[r#"
            CreatePullThroughCacheRule(quay/team)
            ecrRepositoryPrefix: absent -> quay/team"#]],
    );
}

#[test]
fn the_fifty_first_rule_is_refused() {
    let full: Rules = (0..50)
        .map(|it| Prefix::observed(&format!("cache-{it}")))
        .map(|prefix| {
            let observed = Observed {
                prefix: prefix.clone(),
                ..made(&rule(Upstream::K8s))
            };
            (prefix, observed)
        })
        .collect();
    check(
        &desired(Upstream::Quay),
        &full,
        &expect![[r#"
        refused: the registry has 50 rules already, and AWS allows no more
        ecrRepositoryPrefix: absent -> quay"#]],
    );
    let mut fits = full;
    fits.pop_first();
    check(
        &desired(Upstream::Quay),
        &fits,
        &expect![[r#"
        CreatePullThroughCacheRule(quay)
        ecrRepositoryPrefix: absent -> quay"#]],
    );
}

#[test]
fn an_observing_cluster_says_what_is_missing() {
    let quay = Desired {
        management: Management::Observe,
        ..desired(Upstream::Quay)
    };
    check(
        &quay,
        &Rules::new(),
        &expect![[r#"
        refused: there is no rule for quay, and this cluster only observes
        ecrRepositoryPrefix: absent -> quay"#]],
    );
}
