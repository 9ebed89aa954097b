use super::*;

fn registry(region: &str) -> Registry {
    Registry::new("333333333333".parse().unwrap(), region.parse().unwrap())
}

#[test]
fn only_what_was_listed_is_active_and_only_what_was_looked_for_is_absent() {
    let here = registry("eu-central-1");
    let mut facts = Facts::default();
    let images = Images {
        tags: BTreeMap::from([("1.27".to_owned(), "sha256:aa".to_owned())]),
        digests: BTreeSet::from(["sha256:aa".to_owned(), "sha256:bb".to_owned()]),
    };
    facts.record(&here, "shop/api".parse().unwrap(), Arc::new(images));
    facts.record(&here, "shop/new".parse().unwrap(), Arc::default());
    for (region, repository, wanted, presence) in [
        (
            "eu-central-1",
            "shop/api",
            Wanted::Tag("1.27"),
            Presence::Active,
        ),
        (
            "eu-central-1",
            "shop/api",
            Wanted::Tag("1.28"),
            Presence::Absent,
        ),
        (
            "eu-central-1",
            "shop/api",
            Wanted::Digest("sha256:bb"),
            Presence::Active,
        ),
        (
            "eu-central-1",
            "shop/api",
            Wanted::Digest("sha256:cc"),
            Presence::Absent,
        ),
        (
            "eu-central-1",
            "shop/new",
            Wanted::Tag("1.27"),
            Presence::Absent,
        ),
        (
            "eu-central-1",
            "shop/other",
            Wanted::Tag("1.27"),
            Presence::Unknown,
        ),
        (
            "us-east-1",
            "shop/api",
            Wanted::Tag("1.27"),
            Presence::Unknown,
        ),
    ] {
        let told = facts.presence(&registry(region), repository, wanted);
        assert_eq!(told, presence, "{region} {repository} {wanted:?}");
    }
}

#[test]
fn a_clone_keeps_what_it_knew() {
    let here = registry("eu-central-1");
    let mut facts = Facts::default();
    let before = facts.clone();
    facts.record(&here, "shop/api".parse().unwrap(), Arc::default());
    assert!(before.images(&here, "shop/api").is_none());
    assert!(facts.images(&here, "shop/api").is_some());
}

#[test]
fn without_lists_all_images_can_be_assumed_alike() {
    let facts = Facts::assuming(Presence::Active);
    let told = facts.presence(&registry("eu-central-1"), "any/name", Wanted::Tag("x"));
    assert_eq!(told, Presence::Active);
}
