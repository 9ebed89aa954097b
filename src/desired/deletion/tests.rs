use expect_test::expect;

use super::*;
use crate::desired::fixture::{BASE, world};

const NOW: &str = "2026-06-01T12:00:00.25Z";

/// `prod` of this further spec, made on the day of [`BASE`], and an object with this one.
fn lines(account: &str, object: &str) -> String {
    let allowing = format!(
        r#"
kind: EnvironmentAccount
metadata: {{name: prod, creationTimestamp: "2026-01-02T00:00:00Z"}}
spec: {{accountId: "333333333333", region: us-east-1{account}}}
---
kind: ImageRepository
metadata: {{name: api, namespace: payments, uid: r1}}
spec: {{environments: [prod]{object}}}
"#
    );
    let world = world(&[BASE, &allowing]);
    let object = world.repository("payments", "api").unwrap();
    let now = NOW.parse().unwrap();
    let lines = ["dev", "prod", "gone"].map(|it| {
        let Deletion {
            owner: _,
            policy,
            management,
            allow_delete,
            due,
        } = deletion(object, &it.parse().unwrap(), &world, now);
        format!("{it} {policy:?} {management:?} {allow_delete} {due}")
    });
    lines.join("\n")
}

#[test]
fn a_repository_is_deleted_only_where_object_and_environment_say_so() {
    expect![[r#"
        dev DeleteIfEmpty Manage false 2026-06-02T12:00:00Z
        prod DeleteIfEmpty Manage true 2026-06-02T12:00:00Z
        gone DeleteIfEmpty Manage false 2026-06-02T12:00:00Z"#]]
    .assert_eq(&lines(
        ", allowDelete: true",
        ", deletionPolicy: DeleteIfEmpty",
    ));
}

#[test]
fn the_environment_says_how_long_a_deletion_can_be_cancelled() {
    expect![[r#"
        dev Delete Manage false 2026-06-02T12:00:00Z
        prod Delete Manage true 2026-06-08T12:00:00Z
        gone Delete Manage false 2026-06-02T12:00:00Z"#]]
    .assert_eq(&lines(
        ", allowDelete: true, deletion: {delayHours: 168}",
        ", deletionPolicy: Delete",
    ));
}

#[test]
fn who_only_observes_or_is_suspended_lets_go_without_a_call() {
    for (account, object) in [
        (", managementPolicy: Observe", ""),
        ("", ", managementPolicy: Observe"),
        ("", ", suspend: true"),
    ] {
        let lines = lines(account, object);
        let prod = lines.lines().nth(1).unwrap();
        assert!(prod.starts_with("prod Retain Observe"), "{prod}");
    }
}

/// What time it is for AWS, for the API server and here.
fn times(seconds: [i64; 3]) -> Times {
    let now: Timestamp = NOW.parse().unwrap();
    let [aws, kubernetes, ours] = seconds.map(|it| now + SignedDuration::from_secs(it));
    Times {
        aws,
        kubernetes,
        ours,
    }
}

/// The terms of `prod` of this further metadata and spec.
fn of(metadata: &str, spec: &str, times: Times) -> Terms {
    let text = format!(
        r#"
kind: EnvironmentAccount
metadata: {{name: prod{metadata}}}
spec: {{accountId: "333333333333", region: us-east-1, allowDelete: true{spec}}}
"#
    );
    let world = world(&[&text]);
    terms(world.environment("prod").unwrap(), &world, times)
}

const MADE: &str = r#", creationTimestamp: "2026-05-31T20:00:00Z""#;

#[test]
fn environment_says_how_long_its_repositories_are_kept() {
    let line = |spec: &str| {
        let Terms {
            cluster,
            authority: _,
            allow_delete,
            clocks: _,
            due,
            condemned_before,
            settled,
            unused_since,
        } = of(MADE, spec, times([0; 3]));
        format!("{cluster} {allow_delete} {due} {condemned_before} {settled} {unused_since}")
    };
    assert_eq!(
        line(""),
        "blue true 2026-06-02T12:00:00Z 2026-05-31T12:00:00Z 2026-06-01T20:00:00Z 2026-05-02T12:00:00Z"
    );
    assert_eq!(
        line(", deletion: {delayHours: 1, unusedDays: 0}"),
        "blue true 2026-06-01T13:00:00Z 2026-06-01T11:00:00Z 2026-05-31T21:00:00Z 2026-06-01T12:00:00Z"
    );
}

#[test]
fn environment_that_is_observed_suspended_or_going_deletes_nothing() {
    let authority = |metadata: &str, spec: &str| {
        let terms = of(metadata, spec, times([0; 3]));
        terms.authority
    };
    assert_eq!(authority(MADE, ""), Authority::Manages);
    let observes = ", managementPolicy: Observe";
    assert_eq!(authority(MADE, observes), Authority::Observes);
    assert_eq!(authority(MADE, ", suspend: true"), Authority::Suspended);
    let going = format!(r#"{MADE}, deletionTimestamp: "2026-06-01T11:00:00Z""#);
    assert_eq!(authority(&going, ", suspend: true"), Authority::Leaving);
}

#[test]
fn moments_are_aws_time_and_all_clocks_are_compared() {
    let terms = of(MADE, "", times([10, -20, 45]));
    assert_eq!(terms.due.to_string(), "2026-06-02T12:00:10Z");
    assert_eq!(terms.clocks.seconds_apart, 65);
}
