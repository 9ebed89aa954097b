use std::sync::Arc;

use expect_test::expect;
use serde_json::json;

use super::tally::{Tallies, tallies};
use super::*;
use crate::api::{ImageRepository, PullThroughRule};

fn object(name: &str, lifecycles: &[serde_json::Value]) -> Arc<ImageRepository> {
    let targets: Vec<_> = lifecycles
        .iter()
        .zip(["dev", "prod"])
        .map(|(it, environment)| {
            json!({
                "environment": environment, "region": "eu-central-1", "state": "Ready",
                "record": {"lifecycle": it},
            })
        })
        .collect();
    let object = json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "ImageRepository",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"environments": ["dev", "prod"]},
        "status": {"targets": targets},
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

fn found(policy: &str, expiring: i64, held: bool, in_use: Option<&str>) -> serde_json::Value {
    json!({
        "policy": policy, "hash": "", "images": 100, "expiring": expiring, "transitioning": 1,
        "held": held, "inUse": in_use,
    })
}

fn lines(tallies: &Tallies) -> String {
    let line = |(policy, tally): (&String, &Tally)| {
        let worst: Vec<_> = tally
            .worst
            .iter()
            .map(|it| format!("{} {} {}", it.repository, it.environment, it.expiring))
            .collect();
        let Tally {
            expiring,
            transitioning,
            held,
            in_use,
            worst: _,
        } = tally;
        format!(
            "{policy}: {expiring} expire, {transitioning} move, held in {held}, in use in {in_use}; {}",
            worst.join(", ")
        )
    };
    tallies.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_policy_shows_totals_and_where_most_would_go() {
    let objects = [
        object(
            "api",
            &[
                found("keep-30", 5, false, None),
                found("keep-5", 41, true, None),
            ],
        ),
        object(
            "web",
            &[
                found("keep-30", 7, true, Some("1.2")),
                found("keep-30", 7, false, None),
            ],
        ),
        object("idle", &[found("keep-30", 0, false, None)]),
        object("new", &[]),
    ];
    expect![[r#"
        keep-30: 19 expire, 4 move, held in 1, in use in 1; shop/web dev 7, shop/web prod 7, shop/api dev 5
        keep-5: 41 expire, 1 move, held in 1, in use in 0; shop/api prod 41"#]]
    .assert_eq(&lines(&tallies(&objects, &[])));
}

fn cache(policy: &str, held: u32, in_use: u32) -> Arc<PullThroughRule> {
    let retrofit = json!({
        "retrofitted": 7, "differing": held, "held": held, "inUse": in_use, "left": 0,
    });
    let record = json!({
        "accountId": "111111111111", "ecrRepositoryPrefix": "hub",
        "upstreamRegistryUrl": "registry-1.docker.io", "upstreamRepositoryPrefix": "ROOT",
        "retrofit": retrofit,
    });
    let target = json!({
        "environment": "dev", "region": "eu-central-1", "state": "Stopped", "record": record,
    });
    let object = json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "PullThroughRule",
        "metadata": {"name": "hub"},
        "spec": {
            "upstreamRegistry": "docker-hub",
            "environments": ["dev"],
            "repositoryTemplate": {"lifecyclePolicyRef": {"name": policy}},
        },
        "status": {"targets": [target]},
    });
    Arc::new(serde_json::from_value(object).unwrap())
}

#[test]
fn what_waits_in_caches_is_counted_too() {
    let objects = [object("api", &[found("keep-30", 5, true, None)])];
    let rules = [cache("keep-30", 3, 1), cache("keep-5", 0, 0)];
    expect!["keep-30: 5 expire, 1 move, held in 4, in use in 1; shop/api dev 5"]
        .assert_eq(&lines(&tallies(&objects, &rules)));
}

#[test]
fn only_the_ten_worst_are_named() {
    let objects: Vec<_> = (1..=12)
        .map(|it| object(&format!("r{it:02}"), &[found("keep-30", it, false, None)]))
        .collect();
    let tallies = tallies(&objects, &[]);
    let worst = &tallies["keep-30"].worst;
    assert_eq!(worst.len(), 10);
    assert_eq!((worst[0].expiring, worst[9].expiring), (12, 3));
    assert_eq!(tallies["keep-30"].expiring, 78);
}

#[test]
fn a_policy_that_waits_somewhere_says_so_and_what_to_do() {
    let tally = |held, in_use| Tally {
        held,
        in_use,
        ..Tally::default()
    };
    let hashes = Hashes {
        document: "1234".to_owned(),
        approval: "5678".to_owned(),
    };
    let judge = |it: Option<&Tally>| judge("keep-30", Some(&hashes), it);
    let reason = |it: &Tally| judge(Some(it)).reason;
    assert_eq!(reason(&tally(0, 0)), Reason::Succeeded);
    assert_eq!(reason(&tally(2, 0)), Reason::LifecycleOverBudget);
    assert_eq!(reason(&tally(2, 1)), Reason::ImageInUse);
    assert_eq!(judge(None).reason, Reason::Succeeded);
    let message = judge(Some(&tally(2, 0))).message;
    let patch = r#"lifecyclepolicy keep-30 --type=merge --patch='{"spec":{"safety":{"approvedHash":"5678"}}}'"#;
    assert!(message.contains(patch), "{message}");
}

#[test]
fn before_anything_is_added_up_the_totals_stay() {
    let before = LifecyclePolicyStatus {
        expiring: Some(41),
        ..LifecyclePolicyStatus::default()
    };
    assert_eq!(totals(before.clone(), false, None).expiring, Some(41));
    assert_eq!(totals(before, true, None).expiring, None);
}
