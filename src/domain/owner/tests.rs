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
fn half_an_owner_tag_is_somebody_elses() {
    let half = BTreeMap::from([(CLUSTER.to_owned(), "east".to_owned())]);
    assert!(matches!(owner().judge(&half), Ownership::Foreign(_)));
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
