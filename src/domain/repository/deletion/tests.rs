use expect_test::expect;

use super::*;
use crate::domain::owner::RELEASED_BY;
use crate::domain::repository::Reading;
use crate::domain::repository::model::{
    STATES, apply, buried, deletion, found, ours, policy, quarantined, tags,
};

const POLICIES: [DeletionPolicy; 3] = [
    DeletionPolicy::Retain,
    DeletionPolicy::DeleteIfEmpty,
    DeletionPolicy::Delete,
];

/// One line for each state, policy and environment.
fn table() -> String {
    let mut rows = Vec::new();
    for state in STATES {
        for policy in POLICIES {
            for allow_delete in [false, true] {
                let deletion = Deletion {
                    allow_delete,
                    ..deletion(policy)
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
                rows.push(format!("{state:18} {policy:13} {allowed:9} | {ends}"));
            }
        }
    }
    rows.join("\n")
}

#[test]
fn policy_owner_environment_and_contents_decide_what_a_deletion_does() {
    expect![[r#"
        absent             Retain        forbidden | left alone: nothing of ours is there
        absent             Retain        allowed   | left alone: nothing of ours is there
        absent             DeleteIfEmpty forbidden | left alone: nothing of ours is there
        absent             DeleteIfEmpty allowed   | left alone: nothing of ours is there
        absent             Delete        forbidden | left alone: nothing of ours is there
        absent             Delete        allowed   | left alone: nothing of ours is there
        unowned            Retain        forbidden | left alone: nothing of ours is there
        unowned            Retain        allowed   | left alone: nothing of ours is there
        unowned            DeleteIfEmpty forbidden | left alone: nothing of ours is there
        unowned            DeleteIfEmpty allowed   | left alone: nothing of ours is there
        unowned            Delete        forbidden | left alone: nothing of ours is there
        unowned            Delete        allowed   | left alone: nothing of ours is there
        ours               Retain        forbidden | TagResource, UntagResource, since deletionPolicy is Retain
        ours               Retain        allowed   | TagResource, UntagResource, since deletionPolicy is Retain
        ours               DeleteIfEmpty forbidden | TagResource, UntagResource, since the environment does not allow deletion
        ours               DeleteIfEmpty allowed   | asks what it holds; DeleteRepository; TagResource, UntagResource, since it holds images
        ours               Delete        forbidden | TagResource, UntagResource, since the environment does not allow deletion
        ours               Delete        allowed   | asks what it holds; DeleteRepository; TagResource, may go after 2026-06-02T00:00:00Z
        dead uid           Retain        forbidden | TagResource, UntagResource, since deletionPolicy is Retain
        dead uid           Retain        allowed   | TagResource, UntagResource, since deletionPolicy is Retain
        dead uid           DeleteIfEmpty forbidden | TagResource, UntagResource, since an earlier object of this name made it
        dead uid           DeleteIfEmpty allowed   | TagResource, UntagResource, since an earlier object of this name made it
        dead uid           Delete        forbidden | TagResource, UntagResource, since an earlier object of this name made it
        dead uid           Delete        allowed   | TagResource, UntagResource, since an earlier object of this name made it
        released           Retain        forbidden | left alone: nothing of ours is there
        released           Retain        allowed   | left alone: nothing of ours is there
        released           DeleteIfEmpty forbidden | left alone: nothing of ours is there
        released           DeleteIfEmpty allowed   | left alone: nothing of ours is there
        released           Delete        forbidden | left alone: nothing of ours is there
        released           Delete        allowed   | left alone: nothing of ours is there
        released elsewhere Retain        forbidden | left alone: nothing of ours is there
        released elsewhere Retain        allowed   | left alone: nothing of ours is there
        released elsewhere DeleteIfEmpty forbidden | left alone: nothing of ours is there
        released elsewhere DeleteIfEmpty allowed   | left alone: nothing of ours is there
        released elsewhere Delete        forbidden | left alone: nothing of ours is there
        released elsewhere Delete        allowed   | left alone: nothing of ours is there
        foreign            Retain        forbidden | left alone: nothing of ours is there
        foreign            Retain        allowed   | left alone: nothing of ours is there
        foreign            DeleteIfEmpty forbidden | left alone: nothing of ours is there
        foreign            DeleteIfEmpty allowed   | left alone: nothing of ours is there
        foreign            Delete        forbidden | left alone: nothing of ours is there
        foreign            Delete        allowed   | left alone: nothing of ours is there"#]]
    .assert_eq(&table());
}

fn words(released: &Released) -> String {
    match released {
        Released::LeftAlone(why) => format!("left alone: {why}"),
        Released::AskContents => "asks what it holds".to_owned(),
        Released::Kept(changes, why) => {
            let calls: Vec<&str> = changes.iter().map(Change::operation).collect();
            format!("{}, since {why}", calls.join(", "))
        }
        Released::Condemned(change, due) => {
            let call = change.as_ref().map_or("nothing", Change::operation);
            format!("{call}, may go after {due}")
        }
        Released::Deleted(change) => change.operation().to_owned(),
    }
}

#[test]
fn where_this_cluster_only_observes_nothing_is_written() {
    for policy in POLICIES {
        for state in STATES {
            let deletion = Deletion {
                management: Management::Observe,
                ..deletion(policy)
            };
            let released = plan_deletion(&deletion, found(state).as_ref(), None);
            assert!(matches!(released, Released::LeftAlone(_)), "{released:?}");
        }
    }
}

#[test]
fn a_tombstone_that_stands_is_not_moved_and_retain_takes_it_off() {
    let standing = buried("2026-01-01T00:00:00Z");
    let with_images =
        |policy| plan_deletion(&deletion(policy), standing.as_ref(), Some(Contents::Images));
    assert_eq!(
        words(&with_images(DeletionPolicy::Delete)),
        "nothing, may go after 2026-01-01T00:00:00Z"
    );
    for policy in [DeletionPolicy::Retain, DeletionPolicy::DeleteIfEmpty] {
        let Released::Kept(changes, _) = with_images(policy) else {
            panic!("not kept")
        };
        let mut world = standing.clone();
        for change in &changes {
            apply(&mut world, change);
        }
        assert_eq!(
            world.unwrap().tags,
            tags([(RELEASED_BY, "east/payments/api")])
        );
    }
}

#[test]
fn what_is_kept_is_nobodys_afterwards_and_keeps_its_other_tags() {
    let deletion = deletion(DeletionPolicy::Retain);
    let mut world = Some(ours());
    let team = tags([("team", "payments")]);
    world.as_mut().unwrap().tags.extend(team.clone());
    let Released::Kept(changes, _) = plan_deletion(&deletion, world.as_ref(), None) else {
        panic!("not kept")
    };
    for change in &changes {
        apply(&mut world, change);
    }
    let mut marked = tags([(RELEASED_BY, "east/payments/api")]);
    marked.extend(team);
    assert_eq!(world.as_ref().unwrap().tags, marked);
    let again = plan_deletion(&deletion, world.as_ref(), None);
    assert_eq!(again, Released::LeftAlone(LeftAlone::NotOurs));
}

#[test]
fn what_is_kept_under_quarantine_can_be_pulled_before_it_is_nobodys() {
    let mut world = quarantined("2026-01-01T00:00:00Z");
    let released = plan_deletion(&deletion(DeletionPolicy::Retain), world.as_ref(), None);
    assert_eq!(
        words(&released),
        "SetRepositoryPolicy, TagResource, UntagResource, since deletionPolicy is Retain"
    );
    let Released::Kept(changes, _) = released else {
        panic!("not kept")
    };
    changes.iter().for_each(|it| apply(&mut world, it));
    let kept = world.unwrap();
    assert_eq!(kept.policy, Reading::Present(policy("444444444444")));
    assert_eq!(kept.tags, tags([(RELEASED_BY, "east/payments/api")]));
}

#[test]
fn tombstone_needs_room_for_all_its_tags() {
    let mut world = Some(ours());
    let others = (0..MOST_TAGS - 5).map(|it| (format!("t{it}"), String::new()));
    world.as_mut().unwrap().tags.extend(others);
    let deletion = deletion(DeletionPolicy::Delete);
    let released = plan_deletion(&deletion, world.as_ref(), Some(Contents::Images));
    assert!(
        matches!(released, Released::Kept(_, Kept::NoRoom)),
        "{released:?}"
    );
}
