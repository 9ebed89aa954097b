//! Laws of every plan, over worlds and wishes that nobody thought of.

use proptest::collection::{btree_map, btree_set};
use proptest::option;
use proptest::prelude::*;

use super::model::{World, apply, calls, keep, keys, listed, owner, policy, settle};
use super::*;
use crate::domain::owner::{KEYS, Owner, RELEASED_BY};

fn mutability() -> impl Strategy<Value = Mutability> {
    prop_oneof![
        Just(Mutability::Mutable),
        Just(Mutability::Immutable),
        Just(Mutability::MutableExcept(keys(["v*"]))),
        btree_set("[a-c]\\*", 1..3).prop_map(Mutability::ImmutableExcept),
    ]
}

fn encryption() -> impl Strategy<Value = Encryption> {
    let key = option::of(Just(
        "arn:aws:kms:eu-central-1:333333333333:key/1".to_owned(),
    ));
    prop_oneof![Just(Encryption::Aes256), key.prop_map(Encryption::Kms)]
}

fn policies() -> impl Strategy<Value = policy::Document> {
    "[12]{12}".prop_map(|it| policy(&it))
}

fn lifecycles() -> impl Strategy<Value = lifecycle::Document> {
    (1..4_u32).prop_map(keep)
}

fn setting<T: Clone + std::fmt::Debug>(
    document: impl Strategy<Value = T>,
) -> impl Strategy<Value = Setting<T>> {
    option::of(option::of(document)).prop_map(|it| match it {
        None => Setting::Unmanaged,
        Some(None) => Setting::Absent,
        Some(Some(document)) => Setting::Present(document),
    })
}

fn reading<T: Clone + std::fmt::Debug>(
    document: impl Strategy<Value = T>,
) -> impl Strategy<Value = Reading<T>> {
    option::of(option::of(document)).prop_map(|it| match it {
        None => Reading::Absent,
        Some(None) => Reading::Foreign("not JSON".to_owned()),
        Some(Some(document)) => Reading::Present(document),
    })
}

fn tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map("[a-d]", "[xy]", 0..4)
}

fn desired() -> impl Strategy<Value = Desired> {
    let settings = (
        option::of(mutability()),
        option::of(any::<bool>()),
        option::of(encryption()),
    );
    let documents = (setting(policies()), setting(lifecycles()));
    let modes = (
        prop_oneof![4 => Just(Management::Manage), 1 => Just(Management::Observe)],
        prop_oneof![Just(Adoption::Never), Just(Adoption::IfUnowned)],
    );
    let keys = btree_set("[a-e]", 0..3);
    (settings, documents, modes, tags(), keys).prop_map(
        |(settings, (policy, lifecycle), (management, adoption), tags, retired_tags)| {
            let (mutability, scan_on_push, encryption) = settings;
            Desired {
                name: "payments/api".parse().unwrap(),
                owner: owner(),
                management,
                adoption,
                mutability,
                scan_on_push,
                encryption,
                policy,
                lifecycle,
                safety: lifecycle::Safety::default(),
                tags,
                retired_tags,
            }
        },
    )
}

/// Whose owner tags a repository may bear.
fn owner_tags() -> impl Strategy<Value = BTreeMap<String, String>> {
    let uid = |uid: &str| Owner {
        uid: uid.to_owned(),
        ..owner()
    };
    let west = Owner {
        cluster: "west".parse().unwrap(),
        ..owner()
    };
    let released = |by: &str| BTreeMap::from([(RELEASED_BY.to_owned(), by.to_owned())]);
    let half = BTreeMap::from([(KEYS[0].to_owned(), "east".to_owned())]);
    prop_oneof![
        3 => Just(owner().tags()),
        2 => Just(BTreeMap::new()),
        1 => Just(uid("u1").tags()),
        1 => Just(west.tags()),
        1 => Just(half),
        1 => Just(released("east/payments/renamed")),
        1 => Just(released("west/payments/api")),
    ]
}

fn world() -> impl Strategy<Value = World> {
    let repository = (
        (mutability(), any::<bool>(), encryption()),
        (reading(policies()), reading(lifecycles())),
        (tags(), owner_tags()),
    )
        .prop_map(|(settings, (policy, lifecycle), (mut tags, owner_tags))| {
            let (mutability, scan_on_push, encryption) = settings;
            tags.extend(owner_tags);
            Observed {
                arn: model::ARN.to_owned(),
                mutability,
                scan_on_push,
                encryption,
                tags,
                created: None,
                policy,
                lifecycle,
            }
        });
    option::weighted(0.85, repository)
}

/// What a person put on a repository and no desire speaks of.
fn foreign_tags(desired: &Desired, world: &World) -> BTreeMap<String, String> {
    let tags = world.iter().flat_map(|it| &it.tags);
    tags.filter(|(key, _)| {
        !desired.tags.contains_key(*key)
            && !desired.retired_tags.contains(*key)
            && !KEYS.contains(&key.as_str())
            && *key != RELEASED_BY
    })
    .map(|(key, value)| (key.clone(), value.clone()))
    .collect()
}

fn is_held(desired: &Desired, world: &World) -> bool {
    desired.management == Management::Observe
        || plan(desired, world.as_ref())
            .refusals
            .iter()
            .any(|it| match it {
                Refusal::NotAdopted
                | Refusal::OwnedByAnother(_)
                | Refusal::MayBeCached { .. }
                | Refusal::Missing => true,
                Refusal::EncryptionImmutable
                | Refusal::TooManyTags { .. }
                | Refusal::PrincipalsGone(_)
                | Refusal::ImageInUse(_)
                | Refusal::Contested(_) => false,
            })
}

proptest! {
    #[test]
    fn a_plan_settles_and_stays_settled(desired in desired(), world in world()) {
        let settled = settle(&desired, world.clone());
        let after = plan(&desired, settled.as_ref());
        prop_assert_eq!(&after.changes, &[]);
        prop_assert_eq!(&after.held, &[]);
        if !is_held(&desired, &world) {
            let refused = after.refusals.len();
            prop_assert!(after.refusals.iter().all(|it| *it == Refusal::EncryptionImmutable));
            prop_assert_eq!(after.differences.len(), refused, "only encryption still differs");
        }
    }

    #[test]
    fn a_crash_after_any_call_ends_in_the_same_world(desired in desired(), world in world()) {
        let whole = settle(&desired, world.clone());
        let mut crashed = world.clone();
        for change in calls(&desired, &world) {
            apply(&mut crashed, &change);
            prop_assert_eq!(&settle(&desired, crashed.clone()), &whole);
        }
    }

    #[test]
    fn a_call_made_twice_ends_in_the_same_world(desired in desired(), world in world()) {
        let whole = settle(&desired, world.clone());
        let mut twice = world.clone();
        for change in calls(&desired, &world) {
            apply(&mut twice, &change);
            let once = twice.clone();
            match change {
                // ECR answers a second one with an error, which the driver knows.
                Change::CreateRepository(_)
                | Change::DeleteRepositoryPolicy
                | Change::DeleteLifecyclePolicy => {}
                _ => apply(&mut twice, &change),
            }
            prop_assert_eq!(&twice, &once);
        }
        prop_assert_eq!(twice, whole);
    }

    #[test]
    fn it_touches_only_what_it_manages(desired in desired(), world in world()) {
        let after = settle(&desired, world.clone());
        let (Some(before), Some(after)) = (&world, &after) else { return Ok(()) };
        for (key, value) in foreign_tags(&desired, &world) {
            prop_assert_eq!(after.tags.get(&key), Some(&value));
        }
        prop_assert_eq!(&after.encryption, &before.encryption);
        if desired.mutability.is_none() {
            prop_assert_eq!(&after.mutability, &before.mutability);
        }
        if desired.scan_on_push.is_none() {
            prop_assert_eq!(after.scan_on_push, before.scan_on_push);
        }
        if desired.policy == Setting::Unmanaged {
            prop_assert_eq!(&after.policy, &before.policy);
        }
        if desired.lifecycle == Setting::Unmanaged {
            prop_assert_eq!(&after.lifecycle, &before.lifecycle);
        }
    }

    #[test]
    fn what_is_not_ours_is_not_written(desired in desired(), world in world()) {
        if is_held(&desired, &world) {
            prop_assert_eq!(&calls(&desired, &world), &[]);
        }
    }

    #[test]
    fn a_list_leads_to_no_other_calls_than_a_read(desired in desired(), world in world()) {
        let read = plan(&desired, world.as_ref());
        let listed = listed(&world);
        let seen = plan(&desired, listed.as_ref());
        prop_assert!(seen.changes.iter().all(|it| read.changes.contains(it)));
        prop_assert!(seen.held.iter().all(|it| read.held.contains(it)));
        if !listed.is_some_and(|it| desired.needs_reading(&it)) {
            prop_assert_eq!(seen, read);
        }
    }

    #[test]
    fn there_and_back_again_ends_where_it_began(a in asked(), b in asked()) {
        let first = settle(&a, None);
        let then = settle(&remembering(&a, b.clone()), first.clone());
        let back = settle(&remembering(&b, a), then);
        prop_assert_eq!(back, first);
    }
}

/// A desire for a new repository. A setting that is not managed stays as it is, so all are.
fn asked() -> impl Strategy<Value = Desired> {
    desired().prop_map(|it| Desired {
        management: Management::Manage,
        mutability: it.mutability.or(Some(Mutability::Mutable)),
        scan_on_push: it.scan_on_push.or(Some(false)),
        encryption: None,
        retired_tags: BTreeSet::new(),
        ..it
    })
}

/// `next` with what status recorded of `before`: what was put and is not wanted any more goes.
fn remembering(before: &Desired, next: Desired) -> Desired {
    Desired {
        retired_tags: before.tags.keys().cloned().collect(),
        policy: retired(&before.policy, next.policy),
        lifecycle: retired(&before.lifecycle, next.lifecycle),
        ..next
    }
}

fn retired<T>(before: &Setting<T>, next: Setting<T>) -> Setting<T> {
    match (before, next) {
        (Setting::Present(_), Setting::Unmanaged) => Setting::Absent,
        (_, next) => next,
    }
}
