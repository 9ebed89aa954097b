use expect_test::expect;

use super::*;
use crate::domain::repository::model::{STATES, apply, found, ours, owner, tags};

#[test]
fn policy_owner_environment_and_contents_decide_what_a_deletion_does() {
    let mut rows = Vec::new();
    for state in STATES {
        for policy in [DeletionPolicy::Retain, DeletionPolicy::DeleteIfEmpty] {
            for allow_delete in [false, true] {
                let deletion = Deletion {
                    owner: owner(),
                    policy,
                    allow_delete,
                };
                let mut ends: Vec<_> = [None, Some(Contents::Empty), Some(Contents::Images)]
                    .map(|contents| {
                        words(&plan_deletion(&deletion, found(state).as_ref(), contents))
                    })
                    .into();
                ends.dedup();
                let policy = format!("{policy:?}");
                let allowed = if allow_delete { "allowed" } else { "forbidden" };
                let ends = ends.join("; ");
                rows.push(format!("{state:8} {policy:13} {allowed:9} | {ends}"));
            }
        }
    }
    expect![[r#"
        absent   Retain        forbidden | left alone
        absent   Retain        allowed   | left alone
        absent   DeleteIfEmpty forbidden | left alone
        absent   DeleteIfEmpty allowed   | left alone
        unowned  Retain        forbidden | left alone
        unowned  Retain        allowed   | left alone
        unowned  DeleteIfEmpty forbidden | left alone
        unowned  DeleteIfEmpty allowed   | left alone
        ours     Retain        forbidden | UntagResource, since deletionPolicy is Retain
        ours     Retain        allowed   | UntagResource, since deletionPolicy is Retain
        ours     DeleteIfEmpty forbidden | UntagResource, since the environment does not allow deletion
        ours     DeleteIfEmpty allowed   | asks what it holds; DeleteRepository; UntagResource, since it holds images
        dead uid Retain        forbidden | UntagResource, since deletionPolicy is Retain
        dead uid Retain        allowed   | UntagResource, since deletionPolicy is Retain
        dead uid DeleteIfEmpty forbidden | UntagResource, since an earlier object of this name made it
        dead uid DeleteIfEmpty allowed   | UntagResource, since an earlier object of this name made it
        foreign  Retain        forbidden | left alone
        foreign  Retain        allowed   | left alone
        foreign  DeleteIfEmpty forbidden | left alone
        foreign  DeleteIfEmpty allowed   | left alone"#]].assert_eq(&rows.join("\n"));
}

fn words(released: &Released) -> String {
    match released {
        Released::NothingOfOurs => "left alone".to_owned(),
        Released::AskContents => "asks what it holds".to_owned(),
        Released::Kept(change, why) => format!("{}, since {why}", change.operation()),
        Released::Deleted(change) => change.operation().to_owned(),
    }
}

#[test]
fn what_is_kept_is_nobodys_afterwards_and_keeps_its_other_tags() {
    let deletion = Deletion {
        owner: owner(),
        policy: DeletionPolicy::Retain,
        allow_delete: true,
    };
    let mut world = Some(ours());
    let team = tags([("team", "payments")]);
    world.as_mut().unwrap().tags.extend(team.clone());
    let Released::Kept(change, _) = plan_deletion(&deletion, world.as_ref(), None) else {
        panic!("not kept")
    };
    apply(&mut world, &change);
    assert_eq!(world.as_ref().unwrap().tags, team);
    let again = plan_deletion(&deletion, world.as_ref(), None);
    assert_eq!(again, Released::NothingOfOurs);
}
