use proptest::prelude::*;

use super::*;
use crate::domain::owner::{KEYS, Owner, Ownership};
use crate::domain::repository::model::{apply, ours, owner, tags};
use crate::domain::repository::{
    Adoption, Desired, Management, Mutability, Refusal, Setting, plan,
};

fn desired(owner: Owner, own: BTreeMap<String, String>) -> Desired {
    Desired {
        name: "payments/api".parse().unwrap(),
        owner,
        management: Management::Manage,
        adoption: Adoption::Never,
        mutability: Some(Mutability::Mutable),
        scan_on_push: None,
        encryption: None,
        policy: Setting::Unmanaged,
        lifecycle: Setting::Unmanaged,
        safety: crate::domain::lifecycle::Safety::default(),
        tags: own,
        retired_tags: BTreeSet::new(),
    }
}

/// So many tags of a team, all of which the object asks for.
fn own(count: usize) -> BTreeMap<String, String> {
    (0..count)
        .map(|it| (format!("own-{it:02}"), String::new()))
        .collect()
}

/// Makes the calls until one of this number would be made.
fn until(observed: &mut Option<Observed>, calls: &[Change], crash: usize) {
    for change in calls.iter().take(crash) {
        apply(observed, change);
    }
}

fn operations(calls: &[Change]) -> Vec<&'static str> {
    calls.iter().map(Change::operation).collect()
}

#[test]
fn release_puts_its_mark_before_the_owner_tags_go() {
    let mut observed = ours();
    observed.tags.extend(tags([("team", "payments")]));
    let calls = freed(&observed);
    assert_eq!(operations(&calls), ["TagResource", "UntagResource"]);
    let mut world = Some(observed);
    until(&mut world, &calls, calls.len());
    let left = tags([("team", "payments"), (RELEASED_BY, "east/payments/api")]);
    assert_eq!(world.unwrap().tags, left);
}

#[test]
fn release_of_full_tags_makes_room_by_the_uid() {
    let mut observed = ours();
    observed.tags.extend(own(MOST_TAGS - KEYS.len()));
    let calls = freed(&observed);
    let expected = ["UntagResource", "TagResource", "UntagResource"];
    assert_eq!(operations(&calls), expected);
}

#[test]
fn tags_that_leave_no_room_for_the_owner_refuse_the_way_back() {
    let mut observed = ours();
    observed.tags = tags([(RELEASED_BY, "east/payments/api")]);
    observed.tags.extend(own(48));
    let plan = plan(&desired(owner(), BTreeMap::new()), Some(&observed));
    assert_eq!(plan.changes, []);
    assert_eq!(
        plan.refusals,
        [Refusal::TooManyTags {
            others: 48,
            asked: 3
        }]
    );
}

proptest! {
    /// A crash after any call, of the release or of the way back, ends alike: the object made again
    /// owns its repository, with all its other tags, and no mark is left.
    #[test]
    fn released_repository_comes_back_after_any_crash(
        count in 0..=MOST_TAGS - KEYS.len(),
        release in 0..4_usize,
        back in 0..4_usize,
    ) {
        let before = Owner { uid: "u1".to_owned(), ..owner() };
        let mut observed = ours();
        observed.tags = before.tags();
        observed.tags.extend(own(count));
        let mut world = Some(observed);
        let calls = freed(world.as_ref().unwrap());
        until(&mut world, &calls, release);
        prop_assert_ne!(owner().judge(&world.as_ref().unwrap().tags), Ownership::Unowned);
        // The object is there until it has released.
        if owner().judge(&world.as_ref().unwrap().tags) != Ownership::Released {
            let calls = freed(world.as_ref().unwrap());
            until(&mut world, &calls, calls.len());
        }
        prop_assert_eq!(owner().judge(&world.as_ref().unwrap().tags), Ownership::Released);
        let desired = desired(owner(), own(count));
        let calls = plan(&desired, world.as_ref()).changes;
        let mut at_once = world.clone();
        for change in &calls {
            apply(&mut at_once, change);
        }
        for change in calls.iter().take(back) {
            apply(&mut world, change);
            prop_assert_ne!(owner().judge(&world.as_ref().unwrap().tags), Ownership::Unowned);
        }
        for change in plan(&desired, world.as_ref()).changes {
            apply(&mut world, &change);
        }
        prop_assert_eq!(&world, &at_once);
        let mut expected = owner().tags();
        expected.extend(own(count));
        prop_assert_eq!(world.unwrap().tags, expected);
    }
}
