use expect_test::{expect, expect_file};

use super::*;
use crate::domain::lifecycle::Safety;
use crate::domain::owner::Owner;
use crate::domain::repository::model::{
    DUE, World, apply, buried, deletion, observed, ours, owner, settle,
};
use crate::domain::repository::{
    Adoption, Contents, Deletion, DeletionPolicy, Desired, Mutability, Released, Setting, plan,
    plan_deletion,
};

fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

fn terms(now: &str) -> Terms {
    Terms {
        cluster: "east".parse().unwrap(),
        management: Management::Manage,
        allow_delete: true,
        now: moment(now),
        settled: moment("2026-01-01T00:00:00Z"),
        unused_since: moment("2026-05-03T00:00:00Z"),
    }
}

/// All that can be found out of a repository with images that nobody uses.
fn unused() -> Findings {
    Findings {
        pods: Some(Pods::None),
        claimant: Some(Claimant::Nobody),
        holdings: Some(Holdings::Images(moment("2026-04-01T00:00:00Z"))),
    }
}

fn words(end: &End) -> String {
    match end {
        End::NotOurs => "left alone".to_owned(),
        End::Waits(why) => format!("waits: {why}"),
        End::Ask(what) => format!("asks: {what:?}"),
        End::Kept(changes, why) => {
            let calls: Vec<_> = changes.iter().map(Change::operation).collect();
            format!("{}, since {why}", calls.join(", "))
        }
        End::Deleted(change) => format!("{change:?}"),
    }
}

/// What the repository holds, and who uses it.
fn uses() -> [(&'static str, Findings); 4] {
    [
        (
            "empty",
            Findings {
                holdings: Some(Holdings::Nothing),
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
                holdings: Some(Holdings::Images(moment("2026-05-20T00:00:00Z"))),
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
    let contents = match findings.holdings {
        Some(Holdings::Nothing) => Contents::Empty,
        Some(Holdings::Images(_)) | None => Contents::Images,
    };
    let deletion = Deletion {
        allow_delete,
        ..deletion(policy)
    };
    let mut world = Some(ours());
    let first = match plan_deletion(&deletion, world.as_ref(), Some(contents)) {
        Released::Kept(changes, _) => changes,
        Released::Deleted(change) => vec![change],
        Released::Condemned(change, _) => vec![change.unwrap()],
        other @ (Released::LeftAlone(_) | Released::AskContents) => panic!("{other:?}"),
    };
    for change in &first {
        apply(&mut world, change);
    }
    let terms = Terms {
        allow_delete,
        ..terms(now)
    };
    let end = plan_end(&terms, world.as_ref(), findings);
    let first: Vec<_> = first.iter().map(Change::operation).collect();
    format!("{}, then {}", first.join(", "), words(&end))
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
                    Question::Holdings => findings.holdings = unused().holdings,
                }
            }
            end => {
                asked.push(words(&end));
                break;
            }
        }
    }
    expect!["Pods, Holdings, Claimant, DeleteRepositoryWithImages"].assert_eq(&asked.join(", "));
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
                management: Management::Observe,
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

#[test]
fn an_object_made_again_cancels_the_tombstone() {
    let desired = Desired {
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
        retired_tags: std::collections::BTreeSet::new(),
    };
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
