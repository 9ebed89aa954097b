use expect_test::{Expect, expect};

use super::super::model::{apply, keep, ours, owner};
use super::super::plan;
use super::*;
use crate::domain::lifecycle::Safety;
use crate::domain::lifecycle::safety::Protect;
use crate::domain::repository::{Adoption, Management};

fn desired(safety: Safety) -> Desired {
    Desired {
        name: "payments/api".parse().unwrap(),
        owner: owner(),
        management: Management::Manage,
        adoption: Adoption::Never,
        mutability: None,
        scan_on_push: Some(true),
        encryption: None,
        policy: Setting::Unmanaged,
        lifecycle: Setting::Present(keep(2)),
        safety,
        tags: std::collections::BTreeMap::new(),
        retired_tags: std::collections::BTreeSet::new(),
    }
}

fn with(lifecycle: Reading<lifecycle::Document>) -> Observed {
    Observed {
        lifecycle,
        ..ours()
    }
}

fn found(protect: Protect) -> Safety {
    Safety {
        protect,
        found: Some(InUse("v1 would expire".to_owned())),
        ..Safety::default()
    }
}

fn suspended() -> Safety {
    Safety {
        suspended: true,
        ..found(Protect::Suspend)
    }
}

/// What is done, held and refused, and whether the lifecycle policy shows as different.
fn check(plan: &Plan, expected: &Expect) {
    let done = plan.changes.iter().map(|it| it.operation().to_owned());
    let held = plan
        .held
        .iter()
        .map(|it| format!("{} held: {:?}", it.change.operation(), it.because));
    let refused = plan.refusals.iter().map(|it| format!("refused: {it:?}"));
    let differs = plan
        .differences
        .iter()
        .filter(|it| it.field == FIELD)
        .map(|it| format!("{} -> {}", it.observed, it.desired));
    let lines: Vec<_> = done.chain(held).chain(refused).chain(differs).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_policy_waits_for_its_preview_and_nothing_else_waits_for_it() {
    let plan = plan(&desired(Safety::default()), Some(&with(Reading::Absent)));
    check(
        &plan,
        &expect![[r#"
            PutImageScanningConfiguration
            PutLifecyclePolicy held: NotPreviewed
            absent -> rules 1 sha256:6e2bd428"#]],
    );
    assert_eq!(plan.to_preview(), Some(&keep(2)));
    let counts = Counts {
        images: 10,
        expiring: 8,
        transitioning: 0,
    };
    let safety = Safety::default();
    let judged = |verdict: &Verdict| plan.clone().judged(verdict, counts, &safety);
    check(
        &judged(&Verdict::Safe),
        &expect![[r#"
            PutImageScanningConfiguration
            PutLifecyclePolicy
            absent -> rules 1 sha256:6e2bd428"#]],
    );
    check(
        &judged(&Verdict::OverBudget),
        &expect![[r#"
            PutImageScanningConfiguration
            PutLifecyclePolicy held: OverBudget { counts: Counts { images: 10, expiring: 8, transitioning: 0 }, budget: Budget { percent: 20, images: 500 }, ask: 18 }
            absent -> rules 1 sha256:6e2bd428"#]],
    );
    check(
        &judged(&Verdict::InUse(InUse("v1".to_owned()))),
        &expect![[r#"
            PutImageScanningConfiguration
            PutLifecyclePolicy held: InUse(InUse("v1"))
            absent -> rules 1 sha256:6e2bd428"#]],
    );
}

#[test]
fn a_new_repository_has_no_image_to_lose() {
    let plan = plan(&desired(Safety::default()), None);
    check(
        &plan,
        &expect![[r#"
            CreateRepository
            PutLifecyclePolicy"#]],
    );
}

#[test]
fn rules_that_do_the_same_need_no_preview() {
    let described =
        keep(2)
            .as_str()
            .replacen("{\"action\"", "{\"description\":\"two\",\"action\"", 1);
    let described = lifecycle::Document::parse(&described).unwrap();
    assert_ne!(described, keep(2));
    let there = with(Reading::Present(described));
    check(
        &plan(&desired(Safety::default()), Some(&there)),
        &expect![[r#"
            PutImageScanningConfiguration
            PutLifecyclePolicy
            rules 1 sha256:f1af14e7 -> rules 1 sha256:6e2bd428"#]],
    );
}

#[test]
fn a_policy_in_force_that_takes_an_image_in_use_is_told_or_taken_off() {
    let there = with(Reading::Present(keep(2)));
    check(
        &plan(&desired(found(Protect::Warn)), Some(&there)),
        &expect![[r#"
            PutImageScanningConfiguration
            refused: ImageInUse(InUse("v1 would expire"))"#]],
    );
    check(
        &plan(&desired(found(Protect::Suspend)), Some(&there)),
        &expect![[r#"
            PutImageScanningConfiguration
            PutLifecyclePolicy held: Suspending(InUse("v1 would expire"))
            absent -> rules 1 sha256:6e2bd428"#]],
    );
}

#[test]
fn a_suspended_policy_is_taken_off_whoever_put_it_and_stays_off() {
    let expected = expect![[r#"
        PutImageScanningConfiguration
        DeleteLifecyclePolicy
        PutLifecyclePolicy held: Suspended(Some(InUse("v1 would expire")))
        absent -> rules 1 sha256:6e2bd428"#]];
    let desired = desired(suspended());
    let there = with(Reading::Present(keep(2)));
    let first = plan(&desired, Some(&there));
    check(&first, &expected);
    let mut world = Some(there);
    for change in &first.changes {
        apply(&mut world, change);
    }
    check(
        &plan(&desired, world.as_ref()),
        &expect![[r#"
            PutLifecyclePolicy held: Suspended(Some(InUse("v1 would expire")))
            absent -> rules 1 sha256:6e2bd428"#]],
    );
}

#[test]
fn who_only_observes_holds_nothing() {
    let desired = Desired {
        management: Management::Observe,
        ..desired(suspended())
    };
    let plan = plan(&desired, Some(&with(Reading::Absent)));
    check(&plan, &expect!["absent -> rules 1 sha256:6e2bd428"]);
}
