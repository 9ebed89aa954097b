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

#[test]
fn an_environment_that_is_new_suspended_or_going_lets_no_images_go() {
    let of = |metadata: &str, spec: &str| {
        let text = format!(
            r#"
kind: EnvironmentAccount
metadata: {{name: prod{metadata}}}
spec: {{accountId: "333333333333", region: us-east-1, allowDelete: true{spec}}}
"#
        );
        let world = world(&[&text]);
        terms(
            world.environment("prod").unwrap(),
            &world,
            NOW.parse().unwrap(),
        )
        .map(|it| {
            let Terms {
                cluster,
                management,
                allow_delete,
                now,
                settled,
                unused_since,
            } = it;
            format!("{cluster} {management:?} {allow_delete} {now} {settled} {unused_since}")
        })
    };
    let made = r#", creationTimestamp: "2026-05-31T20:00:00Z""#;
    assert_eq!(
        of(made, "").as_deref(),
        Some("blue Manage true 2026-06-01T12:00:00Z 2026-06-01T20:00:00Z 2026-05-02T12:00:00Z")
    );
    assert_eq!(
        of(made, ", deletion: {delayHours: 1, unusedDays: 0}").as_deref(),
        Some("blue Manage true 2026-06-01T12:00:00Z 2026-05-31T21:00:00Z 2026-06-01T12:00:00Z")
    );
    assert_eq!(of(made, ", suspend: true"), None);
    let going = format!(r#"{made}, deletionTimestamp: "2026-06-01T11:00:00Z""#);
    assert_eq!(of(&going, ""), None);
    assert_eq!(of("", ""), None, "an object without an age");
}
