//! One repository of ECR as a plan sees it, and what each call does to it. It panics on calls that
//! ECR would refuse, and on those that the operator must never make.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::domain::lifecycle::safety::{Counts, Verdict};
use crate::domain::owner::{
    CLUSTER, CONDEMNED_AT, DELETE_AFTER, OBJECT, Ownership, QUARANTINED_AT, RELEASED_BY, UID,
};

/// Its ARN.
pub(super) const ARN: &str = "arn:aws:ecr:eu-central-1:333333333333:repository/payments/api";

/// A repository, or none.
pub(super) type World = Option<Observed>;

/// The object on whose behalf everything is done.
pub(super) fn owner() -> Owner {
    Owner {
        cluster: "east".parse().unwrap(),
        object: "payments/api".to_owned(),
        uid: "u2".to_owned(),
    }
}

/// A mutable repository that somebody owns.
pub(super) fn observed(owner_tags: BTreeMap<String, String>) -> Observed {
    Observed {
        arn: ARN.to_owned(),
        mutability: Mutability::Mutable,
        scan_on_push: false,
        encryption: Encryption::Aes256,
        created: None,
        tags: owner_tags,
        policy: Reading::Absent,
        lifecycle: Reading::Absent,
    }
}

/// The same, and it is ours.
pub(super) fn ours() -> Observed {
    observed(owner().tags())
}

/// When the delay of a deletion that begins in these tests is over.
pub(super) const DUE: &str = "2026-06-02T00:00:00Z";

/// A deletion in an environment that allows it.
pub(super) fn deletion(policy: DeletionPolicy) -> Deletion {
    Deletion {
        owner: owner(),
        policy,
        management: Management::Manage,
        allow_delete: true,
        due: DUE.parse().unwrap(),
    }
}

/// Ours, under a tombstone that was condemned at the moment of [`CONDEMNED`].
pub(super) fn buried(due: &str) -> World {
    let mut it = ours();
    it.tags.insert(DELETE_AFTER.to_owned(), due.to_owned());
    it.tags
        .insert(CONDEMNED_AT.to_owned(), CONDEMNED.to_owned());
    Some(it)
}

/// The same, with its quarantine in force.
pub(super) fn quarantined(due: &str) -> World {
    let mut it = buried(due).unwrap();
    it.tags
        .insert(QUARANTINED_AT.to_owned(), "2026-06-30T00:00:00Z".to_owned());
    let document = policy::Document::quarantined(Some(&policy("444444444444"))).unwrap();
    it.policy = Reading::Present(document);
    Some(it)
}

/// When the tombstones of these tests were first looked at.
pub(super) const CONDEMNED: &str = "2026-06-01T00:00:00Z";

/// What may be found under a name.
pub(super) const STATES: [&str; 7] = [
    "absent",
    "unowned",
    "ours",
    "dead uid",
    "released",
    "released elsewhere",
    "foreign",
];

/// One of them.
pub(super) fn found(state: &str) -> Option<Observed> {
    let of = |cluster: &str, uid: &str| {
        let pairs = [(CLUSTER, cluster), (OBJECT, "payments/api"), (UID, uid)];
        Some(observed(tags(pairs)))
    };
    let released = |by: &str| Some(observed(tags([(RELEASED_BY, by)])));
    match state {
        "absent" => None,
        "unowned" => Some(observed(BTreeMap::new())),
        "ours" => of("east", "u2"),
        "dead uid" => of("east", "u1"),
        "released" => released("east/payments/renamed"),
        "released elsewhere" => released("east/billing/api"),
        "foreign" => of("west", "u2"),
        _ => unreachable!("not in STATES"),
    }
}

/// The policy that lets an account do something.
pub(super) fn policy(account: &str) -> policy::Document {
    policy::Document::parse(&format!(
        r#"{{"Statement":[{{"Sid":"Ours","Effect":"Allow","Principal":{{"AWS":"{account}"}},"Action":"ecr:ListImages"}}]}}"#
    ))
    .unwrap()
}

/// The lifecycle policy that keeps so many images.
pub(super) fn keep(images: u32) -> lifecycle::Document {
    lifecycle::Document::parse(&format!(
        r#"{{"rules":[{{"rulePriority":1,"selection":{{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":{images}}},"action":{{"type":"expire"}}}}]}}"#
    ))
    .unwrap()
}

/// What a call does.
pub(super) fn apply(world: &mut World, change: &Change) {
    if let Change::CreateRepository(create) = change {
        assert_eq!(*world, None, "RepositoryAlreadyExistsException");
        *world = Some(created(create));
        return;
    }
    let it = world.as_mut().expect("RepositoryNotFoundException");
    match owner().judge(&it.tags) {
        Ownership::Ours | Ownership::OursUnderAnotherUid => {}
        Ownership::Unowned | Ownership::Released => {
            assert!(takes_over(change), "{change:?} before it is ours");
        }
        Ownership::Foreign(owner) => panic!("{change:?} on a repository of {owner}"),
    }
    match change {
        Change::CreateRepository(_) => unreachable!("see above"),
        Change::PutImageTagMutability(mutability) => it.mutability = mutability.clone(),
        Change::PutImageScanningConfiguration(on) => it.scan_on_push = *on,
        Change::SetRepositoryPolicy(document) => it.policy = Reading::Present(document.clone()),
        Change::DeleteRepositoryPolicy => it.policy = taken_off(&it.policy),
        Change::PutLifecyclePolicy(document) => it.lifecycle = Reading::Present(document.clone()),
        Change::DeleteLifecyclePolicy => it.lifecycle = taken_off(&it.lifecycle),
        Change::TagResource(tags) => {
            it.tags.extend(tags.clone());
            assert!(it.tags.len() <= MOST_TAGS, "TooManyTagsException");
        }
        Change::UntagResource(keys) => it.tags.retain(|key, _| !keys.contains(key)),
        Change::BatchDeleteImage(_) => {} // the model holds no images
        Change::DeleteRepository => *world = None,
    }
}

fn created(create: &Create) -> Observed {
    let Create {
        mutability,
        scan_on_push,
        encryption,
        tags,
    } = create;
    let account_key = format!(
        "arn:aws:kms:eu-central-1:333333333333:key/{}",
        "0".repeat(36)
    );
    let encryption = match encryption {
        None => Encryption::Aes256,
        Some(Encryption::Kms(None)) => Encryption::Kms(Some(account_key)),
        Some(given) => given.clone(),
    };
    Observed {
        arn: ARN.to_owned(),
        mutability: mutability.clone().unwrap_or(Mutability::Mutable),
        scan_on_push: scan_on_push.unwrap_or(false),
        encryption,
        tags: tags.clone(),
        created: None,
        policy: Reading::Absent,
        lifecycle: Reading::Absent,
    }
}

fn takes_over(change: &Change) -> bool {
    match change {
        Change::TagResource(tags) => matches!(
            owner().judge(tags),
            Ownership::Ours | Ownership::OursUnderAnotherUid
        ),
        _ => false,
    }
}

fn taken_off<T>(document: &Reading<T>) -> Reading<T> {
    match document {
        Reading::Present(_) | Reading::Foreign(_) => Reading::Absent,
        Reading::Absent => panic!("PolicyNotFoundException"),
        Reading::NotRead => panic!("the world has been read"),
    }
}

/// What a list tells of a repository.
pub(super) fn listed(world: &World) -> World {
    world.clone().map(|it| Observed {
        policy: Reading::NotRead,
        lifecycle: Reading::NotRead,
        ..it
    })
}

/// The calls of a plan made from what a read tells, where no lifecycle policy takes too much.
pub(super) fn calls(desired: &Desired, world: &World) -> Vec<Change> {
    let plan = plan(desired, world.as_ref());
    let nothing = Counts::default();
    plan.judged(&Verdict::Safe, nothing, &desired.safety)
        .changes
}

/// Makes them all.
pub(super) fn settle(desired: &Desired, mut world: World) -> World {
    for change in calls(desired, &world) {
        apply(&mut world, &change);
    }
    world
}

/// The tags of `pairs`.
pub(super) fn tags<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

/// The keys in `keys`.
pub(super) fn keys<const N: usize>(keys: [&str; N]) -> BTreeSet<String> {
    keys.map(str::to_owned).into()
}
