use super::*;

fn owner() -> Owner {
    Owner {
        cluster: "east".parse().unwrap(),
        object: "payments/api".to_owned(),
        uid: "u1".to_owned(),
    }
}

#[test]
fn tags_are_judged_from_the_owners_side() {
    let ours = owner().tags();
    assert_eq!(owner().judge(&BTreeMap::new()), Ownership::Unowned);
    assert_eq!(owner().judge(&ours), Ownership::Ours);

    let reborn = Owner {
        uid: "u2".to_owned(),
        ..owner()
    };
    assert_eq!(reborn.judge(&ours), Ownership::OursUnderAnotherUid);

    let other = Owner {
        cluster: "west".parse().unwrap(),
        ..owner()
    };
    let Ownership::Foreign(foreign) = other.judge(&ours) else {
        panic!("not foreign")
    };
    assert_eq!(foreign.to_string(), "cluster east, object payments/api");
}

#[test]
fn keys_are_reserved_in_every_spelling() {
    for key in [
        CLUSTER,
        "Ecr-Operator.dev/cluster",
        "ECR-OPERATOR.DEV/x",
        "AWS:x",
    ] {
        assert!(is_reserved(key), "{key}");
    }
    for key in ["team", "ecr-operator.dev", "example.org/ecr-operator.dev/x"] {
        assert!(!is_reserved(key), "{key}");
    }
}

#[test]
fn half_an_owner_tag_is_somebody_elses() {
    let half = BTreeMap::from([(CLUSTER.to_owned(), "east".to_owned())]);
    assert!(matches!(owner().judge(&half), Ownership::Foreign(_)));
}

/// The tags of what `owner` has released.
fn released(owner: &Owner) -> BTreeMap<String, String> {
    let mark = mark_of_release(&owner.tags()).unwrap();
    BTreeMap::from([(RELEASED_BY.to_owned(), mark)])
}

fn named(cluster: &str, object: &str) -> Owner {
    Owner {
        cluster: cluster.parse().unwrap(),
        object: object.to_owned(),
        uid: "u3".to_owned(),
    }
}

#[test]
fn released_repository_is_for_its_own_cluster_and_namespace() {
    let tags = released(&owner());
    assert_eq!(tags[RELEASED_BY], "east/payments/api");
    let judged = |cluster, object| named(cluster, object).judge(&tags);
    assert_eq!(judged("east", "payments/api"), Ownership::Released);
    assert_eq!(judged("east", "payments/renamed"), Ownership::Released);
    assert_eq!(judged("east", "payment/api"), Ownership::Unowned);
    assert_eq!(judged("east", "payments-old/api"), Ownership::Unowned);
    assert_eq!(judged("west", "payments/api"), Ownership::Unowned);
    assert_eq!(judged("eas", "t/payments/api"), Ownership::Unowned);
}

#[test]
fn released_repository_that_has_an_owner_is_the_owners() {
    let with = |owner: Owner| {
        let mut tags = released(&self::owner());
        tags.extend(owner.tags());
        self::owner().judge(&tags)
    };
    assert!(matches!(
        with(named("west", "payments/api")),
        Ownership::Foreign(_)
    ));
    assert!(matches!(
        with(named("east", "payments/other")),
        Ownership::Foreign(_)
    ));
    assert_eq!(with(owner()), Ownership::Ours);
}

#[test]
fn marks_of_two_releases_are_nobodys_unless_both_are_ours() {
    let mut tags = released(&owner());
    tags.insert(RELEASED_BY.to_uppercase(), "west/payments/api".to_owned());
    assert_eq!(owner().judge(&tags), Ownership::Unowned);
    tags.insert(RELEASED_BY.to_uppercase(), "east/payments/other".to_owned());
    assert_eq!(owner().judge(&tags), Ownership::Released);
    assert_eq!(keys_of_release(&tags).len(), 2);
}

#[test]
fn owner_tag_counts_in_every_spelling_of_its_key() {
    let spelled = BTreeMap::from([(CLUSTER.to_uppercase(), "west".to_owned())]);
    assert!(matches!(owner().judge(&spelled), Ownership::Foreign(_)));
    let mut both = owner().tags();
    both.extend(spelled);
    let Ownership::Foreign(foreign) = owner().judge(&both) else {
        panic!("not foreign")
    };
    assert_eq!(foreign.cluster, "east and west");
}

#[test]
fn mark_of_a_long_name_fits_a_tag_and_is_still_ours() {
    let cluster = "c".repeat(63);
    for length in [100, 180, 253] {
        let long = named(
            &cluster,
            &format!("{}/{}", "n".repeat(63), "a".repeat(length)),
        );
        let tags = released(&long);
        assert!(tags[RELEASED_BY].len() <= 256);
        assert_eq!(long.judge(&tags), Ownership::Released, "{length}");
        assert_eq!(owner().judge(&tags), Ownership::Unowned, "{length}");
    }
}

#[test]
fn an_object_name_longer_than_a_tag_is_hashed_and_still_ours() {
    let long = Owner {
        object: format!("ns/{}", "a".repeat(300)),
        ..owner()
    };
    assert!(long.tags().values().all(|it| it.len() <= 256));
    assert_eq!(long.judge(&long.tags()), Ownership::Ours);
}
