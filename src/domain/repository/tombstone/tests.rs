use expect_test::{expect, expect_file};

use super::*;
use crate::domain::lifecycle::Safety;
use crate::domain::owner::Owner;
use crate::domain::repository::model::{
    CONDEMNED, DUE, World, apply, buried, deletion, observed, ours, owner, policy, quarantined,
    settle,
};
use crate::domain::repository::stock::{Image, Kind};
use crate::domain::repository::{
    Adoption, Contents, Deletion, DeletionPolicy, Desired, Management, Mutability, Observed,
    Reading, Released, Setting, plan, plan_deletion,
};

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

fn terms(now: &str) -> Terms {
    let now = moment(now);
    Terms {
        cluster: "east".parse().unwrap(),
        authority: Authority::Manages,
        allow_delete: true,
        clocks: Clocks {
            aws: now.clone(),
            kubernetes: now.clone(),
            ours: now.clone(),
            seconds_apart: 2,
        },
        due: moment("2026-09-01T00:00:00Z"),
        condemned_before: now,
        settled: moment("2026-01-01T00:00:00Z"),
        unused_since: moment("2026-05-03T00:00:00Z"),
    }
}

/// A look that found one image, which came and was used at these moments.
fn look(came: &str, used: &str) -> Look {
    let image = Image {
        tags: ["1.0".to_owned()].into(),
        kind: Kind::Single,
        came: moment(came),
        used: moment(used),
    };
    Look {
        at: moment("2026-06-30T00:00:00Z"),
        images: [("sha256:1".to_owned(), image)].into(),
    }
}

const OLD: &str = "2026-04-01T00:00:00Z";

/// All that can be found out of a repository with images that nobody uses.
fn unused() -> Findings {
    Findings {
        pods: Some(Pods::None),
        claimant: Some(Claimant::Nobody),
        look: Some(look(OLD, OLD)),
        first_look: None,
    }
}

fn empty() -> Look {
    Look {
        images: BTreeMap::new(),
        ..look(OLD, OLD)
    }
}

fn calls(changes: &[Change]) -> String {
    let calls: Vec<&str> = changes.iter().map(Change::operation).collect();
    calls.join(", ")
}

fn words(end: &End) -> String {
    match end {
        End::NotOurs => "left alone".to_owned(),
        End::Waits(why) => format!("waits: {why}"),
        End::Ask(what) => format!("asks: {what:?}"),
        End::Condemned(Change::TagResource(tags)) | End::Announced(Change::TagResource(tags)) => {
            format!("TagResource {tags:?}")
        }
        End::Condemned(change)
        | End::Announced(change)
        | End::Quarantined(change)
        | End::Deleted(change) => change.operation().to_owned(),
        End::Emptied(images) => format!("BatchDeleteImage of {}", images.len()),
        End::Lifted(changes, why) => format!("lifted by {}: {why}", calls(changes)),
        End::Kept(changes, why) => format!("{}, since {why}", calls(changes)),
    }
}

/// What the repository holds, and who uses it.
fn uses() -> [(&'static str, Findings); 4] {
    [
        (
            "empty",
            Findings {
                look: Some(empty()),
                ..unused()
            },
        ),
        ("images", unused()),
        (
            "in use",
            Findings {
                pods: Some(Pods::Some(vec!["shop/api-0".to_owned()])),
                ..unused()
            },
        ),
        (
            "pulled",
            Findings {
                look: Some(look(OLD, "2026-05-20T00:00:00Z")),
                ..unused()
            },
        ),
    ]
}

/// deletionPolicy, what the repository holds and who uses it, what the environment allows, and how
/// long ago the object went: the whole way from the object's deletion to the repository's.
#[test]
fn policy_use_permission_and_delay_decide_whether_images_go() {
    let mut rows = Vec::new();
    for policy in [
        DeletionPolicy::Retain,
        DeletionPolicy::DeleteIfEmpty,
        DeletionPolicy::Delete,
    ] {
        for (what, findings) in &uses() {
            for allow_delete in [false, true] {
                for (when, now) in [
                    ("in the delay", "2026-06-01T12:00:00Z"),
                    ("after it", "2026-06-02T00:00:00Z"),
                ] {
                    let end = whole_way(policy, findings, allow_delete, now);
                    let policy = format!("{policy:?}");
                    let allowed = if allow_delete { "allowed" } else { "forbidden" };
                    rows.push(format!(
                        "{policy:13} {what:6} {allowed:9} {when:12} | {end}"
                    ));
                }
            }
        }
    }
    expect_file!["table.txt"].assert_eq(&(rows.join("\n") + "\n"));
}

fn whole_way(policy: DeletionPolicy, findings: &Findings, allow_delete: bool, now: &str) -> String {
    let contents = match &findings.look {
        Some(look) if look.images.is_empty() => Contents::Empty,
        Some(_) | None => Contents::Images,
    };
    let deletion = Deletion {
        allow_delete,
        ..deletion(policy)
    };
    let mut world = Some(ours());
    let first = match plan_deletion(&deletion, world.as_ref(), Some(contents)) {
        Released::Kept(changes, _) => changes,
        Released::Deleted(change) => vec![change],
        Released::Condemned(change, _) => change.into_iter().collect(),
        other @ (Released::LeftAlone(_) | Released::AskContents) => panic!("{other:?}"),
    };
    let mut said = vec![calls(&first)];
    first.iter().for_each(|it| apply(&mut world, it));
    let terms = Terms {
        allow_delete,
        due: moment(now),
        ..terms(now)
    };
    let mut findings = findings.clone();
    loop {
        let end = plan_end(&terms, world.as_ref(), &findings);
        match &end {
            End::Condemned(change) | End::Announced(change) | End::Quarantined(change) => {
                said.push(change.operation().to_owned());
                apply(&mut world, change);
            }
            End::Emptied(batch) => {
                said.push("BatchDeleteImage".to_owned());
                findings.look.as_mut().unwrap().without(batch);
            }
            _ => {
                said.push(words(&end));
                return said.join(", then ");
            }
        }
    }
}

#[test]
fn what_is_not_known_is_asked_for_and_the_living_last() {
    let terms = terms("2026-07-01T00:00:00Z");
    let mut findings = Findings::default();
    let mut asked = Vec::new();
    loop {
        match plan_end(&terms, buried(DUE).as_ref(), &findings) {
            End::Ask(question) => {
                asked.push(format!("{question:?}"));
                match question {
                    Question::Pods => findings.pods = unused().pods,
                    Question::Claimant => findings.claimant = unused().claimant,
                    Question::Images => findings.look = unused().look,
                    Question::Policy => panic!("it is read"),
                }
            }
            end => {
                asked.push(words(&end));
                break;
            }
        }
    }
    expect![[r#"Pods, Images, Claimant, TagResource {"ecr-operator.dev/quarantined-at": "2026-06-30T00:00:00Z"}"#]].assert_eq(&asked.join(", "));
}

#[test]
fn in_doubt_it_waits() {
    let ours = owner().tags();
    let now = "2026-07-01T00:00:00Z";
    let of = |terms: &Terms, world: World, findings: &Findings| {
        words(&plan_end(terms, world.as_ref(), findings))
    };
    let lines = [
        of(&terms(now), None, &unused()),
        of(&terms(now), Some(observed(ours)), &unused()),
        of(&terms(now), buried("next week"), &unused()),
        of(
            &Terms {
                cluster: "west".parse().unwrap(),
                ..terms(now)
            },
            buried(DUE),
            &unused(),
        ),
        of(
            &Terms {
                authority: Authority::Observes,
                ..terms(now)
            },
            buried(DUE),
            &unused(),
        ),
        of(
            &Terms {
                settled: moment("2026-07-02T00:00:00Z"),
                ..terms(now)
            },
            buried(DUE),
            &unused(),
        ),
        of(
            &terms(now),
            buried(DUE),
            &Findings {
                pods: Some(Pods::NotLoaded),
                ..unused()
            },
        ),
        of(
            &terms(now),
            buried(DUE),
            &Findings {
                claimant: Some(Claimant::Object("shop/api".to_owned())),
                ..unused()
            },
        ),
    ];
    expect![[r#"
        left alone
        left alone
        waits: its tag ecr-operator.dev/delete-after is no moment: put one there, or take the tag off
        left alone
        waits: this cluster only observes the account
        waits: the delay ends at 2026-07-02T00:00:00Z
        waits: it is not known yet which images pods use
        waits: ImageRepository shop/api asks for it"#]].assert_eq(&lines.join("\n"));
}

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
