//! What cancels a tombstone, and what lifts the quarantine of one.

use super::*;

/// An object of the same name, made again; it does not manage the policy.
fn made_again() -> Desired {
    Desired {
        name: "payments/api".parse().unwrap(),
        owner: Owner {
            uid: "u3".to_owned(),
            ..owner()
        },
        management: Management::Manage,
        adoption: Adoption::Never,
        mutability: Some(Mutability::Mutable),
        scan_on_push: None,
        encryption: None,
        policy: Setting::Unmanaged,
        lifecycle: Setting::Unmanaged,
        safety: Safety::default(),
        tags: BTreeMap::new(),
        retired_tags: BTreeSet::new(),
    }
}

#[test]
fn an_object_made_again_cancels_the_tombstone() {
    let desired = made_again();
    let cancelled = settle(&desired, buried(DUE));
    assert_eq!(cancelled.as_ref().unwrap().tags, desired.owner.tags());
    assert_eq!(plan(&desired, cancelled.as_ref()).changes, []);
    let end = plan_end(
        &terms("2027-01-01T00:00:00Z"),
        cancelled.as_ref(),
        &unused(),
    );
    assert_eq!(end, End::NotOurs);
}

#[test]
fn object_made_again_lifts_the_quarantine_before_its_tags_go() {
    let desired = made_again();
    let plan = plan(&desired, quarantined(DUE).as_ref());
    assert_eq!(
        calls(&plan.changes),
        "TagResource, SetRepositoryPolicy, UntagResource"
    );
    let settled = settle(&desired, quarantined(DUE)).unwrap();
    assert_eq!(settled.policy, Reading::Present(policy("444444444444")));
    assert_eq!(settled.tags, desired.owner.tags());
}

/// Whatever speaks against it while the quarantine stands.
#[test]
fn quarantine_is_lifted_by_all_that_speaks_against_it() {
    let now = "2026-07-01T00:00:00Z";
    let of = |terms: &Terms, world: World, findings: &Findings| {
        words(&plan_end(terms, world.as_ref(), findings))
    };
    let without = |key: &str| {
        let mut it = quarantined(DUE).unwrap();
        it.tags.remove(key);
        Some(it)
    };
    let plain = |terms: &Terms| of(terms, quarantined(DUE), &unused());
    let mut apart = terms(now);
    apart.clocks.seconds_apart = 61;
    let authority = |authority| Terms {
        authority,
        ..terms(now)
    };
    let lines = [
        plain(&terms(now)),
        plain(&authority(Authority::Observes)),
        plain(&authority(Authority::Suspended)),
        plain(&authority(Authority::Leaving)),
        plain(&apart),
        plain(&Terms {
            allow_delete: false,
            ..terms(now)
        }),
        of(&terms(now), without(owner::DELETE_AFTER), &unused()),
        of(&terms(now), without(owner::CLUSTER), &unused()),
        of(&terms(now), without(owner::QUARANTINED_AT), &unused()),
    ];
    expect![[r#"
        BatchDeleteImage of 1
        lifted by SetRepositoryPolicy, UntagResource: this cluster only observes the account
        lifted by SetRepositoryPolicy, UntagResource: the environment is suspended
        lifted by SetRepositoryPolicy, UntagResource: the environment itself is being deleted
        lifted by SetRepositoryPolicy, UntagResource: the clocks differ by 61 s, and nothing is deleted while they differ by more than 60: here it is 2026-07-01T00:00:00Z, AWS says 2026-07-01T00:00:00Z, the API server says 2026-07-01T00:00:00Z
        SetRepositoryPolicy, TagResource, UntagResource, since the environment does not allow deletion
        lifted by SetRepositoryPolicy, UntagResource: its tag ecr-operator.dev/delete-after was taken off
        lifted by SetRepositoryPolicy, UntagResource: its tag ecr-operator.dev/delete-after was taken off
        TagResource {"ecr-operator.dev/quarantined-at": "2026-06-30T00:00:00Z"}"#]].assert_eq(&lines.join("\n"));
}

/// What pods, objects and images say while the quarantine stands.
#[test]
fn quarantine_is_lifted_by_whoever_comes() {
    let now = terms("2026-07-01T00:00:00Z");
    let found = |findings: &Findings| words(&plan_end(&now, quarantined(DUE).as_ref(), findings));
    let came = |earlier| Findings {
        look: Some(look("2026-06-30T00:00:00Z", "2026-06-30T00:00:00Z")),
        first_look: earlier,
        ..unused()
    };
    let lines = [
        found(&Findings {
            pods: Some(Pods::Some(vec!["shop/api-0".to_owned()])),
            ..unused()
        }),
        found(&Findings {
            claimant: Some(Claimant::Object("shop/api".to_owned())),
            ..unused()
        }),
        found(&Findings {
            look: Some(look(OLD, "2026-06-01T00:00:00Z")),
            ..unused()
        }),
        found(&came(None)),
        found(&came(Some(empty()))),
        found(&Findings {
            look: Some(empty()),
            ..unused()
        }),
    ];
    expect![[r#"
        lifted by SetRepositoryPolicy, UntagResource: pods use it: shop/api-0
        lifted by SetRepositoryPolicy, UntagResource: ImageRepository shop/api asks for it
        lifted by SetRepositoryPolicy, UntagResource: an image was pulled or pushed at 2026-06-01T00:00:00Z
        SetRepositoryPolicy, TagResource, UntagResource, since an image was pushed while it was being deleted: somebody uses it
        SetRepositoryPolicy, TagResource, UntagResource, since an image was pushed while it was being deleted: somebody uses it
        DeleteRepository"#]].assert_eq(&lines.join("\n"));
}

/// A tag that a wrong clock, or a hand, wrote long before its time.
#[test]
fn tombstone_that_no_clock_vouched_for_has_its_delay_from_now() {
    let mut world = ours();
    world.tags.insert(
        owner::DELETE_AFTER.to_owned(),
        "1999-01-01T00:00:00Z".to_owned(),
    );
    let now = "2026-07-01T00:00:00Z";
    let end = |world: &Observed, terms: &Terms| plan_end(terms, Some(world), &unused());
    let apart = Terms {
        clocks: Clocks {
            seconds_apart: 70 * 24 * 3600,
            ..terms(now).clocks
        },
        ..terms(now)
    };
    expect!["waits: the clocks differ by 6048000 s, and nothing is deleted while they differ by more than 60: here it is 2026-07-01T00:00:00Z, AWS says 2026-07-01T00:00:00Z, the API server says 2026-07-01T00:00:00Z"]
        .assert_eq(&words(&end(&world, &apart)));
    let condemned = end(&world, &terms(now));
    expect![[r#"TagResource {"ecr-operator.dev/condemned-at": "2026-07-01T00:00:00Z", "ecr-operator.dev/delete-after": "2026-09-01T00:00:00Z"}"#]]
        .assert_eq(&words(&condemned));
    let End::Condemned(Change::TagResource(tags)) = condemned else {
        unreachable!("it is condemned")
    };
    world.tags.extend(tags);
    world.tags.insert(
        owner::DELETE_AFTER.to_owned(),
        "1999-01-01T00:00:00Z".to_owned(),
    );
    let early = Terms {
        condemned_before: moment("2026-06-30T23:59:59Z"),
        ..terms(now)
    };
    assert!(matches!(end(&world, &early), End::Waits(Waiting::Delay(_))));
    assert!(matches!(end(&world, &terms(now)), End::Announced(_)));
    let back = Terms {
        condemned_before: moment(CONDEMNED),
        ..terms("2026-06-02T00:00:00Z")
    };
    assert!(
        matches!(end(&world, &back), End::Waits(Waiting::Delay(_))),
        "a clock that goes back makes it wait"
    );
}
