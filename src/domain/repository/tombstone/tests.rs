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

mod cancelled;

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
