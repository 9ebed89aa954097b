use expect_test::{Expect, expect};

use super::*;
use crate::domain::owner;
use crate::domain::repository::{Observed, Reading};

fn owner(uid: &str) -> Owner {
    Owner {
        cluster: "east".parse().unwrap(),
        object: "PullThroughRule/hub".to_owned(),
        uid: uid.to_owned(),
    }
}

fn keep(images: u32) -> lifecycle::Document {
    lifecycle::Document::parse(&format!(
        r#"{{"rules":[{{"rulePriority":1,"selection":{{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":{images}}},"action":{{"type":"expire"}}}}]}}"#
    ))
    .unwrap()
}

fn desired() -> Desired {
    Desired {
        prefix: "hub".parse().unwrap(),
        owner: owner("u2"),
        management: Management::Manage,
        mutability: Some(Mutability::Mutable),
        encryption: Some(Encryption::Aes256),
        policy: Setting::Unmanaged,
        lifecycle: Setting::Present(keep(9)),
        safety: lifecycle::Safety::default(),
        tags: BTreeMap::new(),
        retired_tags: BTreeSet::new(),
        unread: Unread::InStep,
    }
}

/// A repository of an owner, or of the cache by its mark.
fn observed(owner: Option<Owner>) -> Observed {
    let mark = BTreeMap::from([(owner::CACHE.to_owned(), "hub".to_owned())]);
    Observed {
        arn: String::new(),
        mutability: Mutability::Mutable,
        scan_on_push: false,
        encryption: Encryption::Aes256,
        created: None,
        tags: owner.map_or(mark, |it| it.tags()),
        policy: Reading::NotRead,
        lifecycle: Reading::NotRead,
    }
}

type Repositories = BTreeMap<RepositoryName, Arc<Observed>>;

fn repositories<const N: usize>(of: [(&str, Observed); N]) -> Repositories {
    of.map(|(name, it)| (name.parse().unwrap(), Arc::new(it)))
        .into()
}

fn rules(prefixes: &[&str]) -> BTreeMap<Prefix, pull_through::Observed> {
    let rule = |prefix: &&str| {
        let prefix = Prefix::observed(prefix);
        let observed = pull_through::Observed {
            prefix: prefix.clone(),
            upstream: None,
            url: String::new(),
            upstream_prefix: Prefix::Root,
            credential: None,
            role: None,
            created: None,
        };
        (prefix, observed)
    };
    prefixes.iter().map(rule).collect()
}

fn check(desired: &Desired, observed: &Repositories, expected: &Expect) {
    let rules = rules(&["hub", "hub/inner", "hu", "ROOT"]);
    let Survey {
        in_step,
        differing,
        to_settle,
        waiting,
        unproven,
    } = survey(desired, &rules, observed);
    let names = |of: &[RepositoryName]| {
        let names: Vec<&str> = of.iter().map(RepositoryName::as_str).collect();
        names.join(" ")
    };
    let mut text = format!(
        "{in_step} in step, {differing} differing, to settle: {}",
        names(&to_settle)
    );
    if !waiting.is_empty() {
        text = format!("{text}, waiting: {}", names(&waiting));
    }
    if !unproven.is_empty() {
        text = format!("{text}, unproven: {}", names(&unproven));
    }
    expected.assert_eq(&text);
}

#[test]
fn only_what_ecr_reports_as_made_by_the_cache_is_touched() {
    let tagged = |key: &str, value: &str| Observed {
        tags: BTreeMap::from([(key.to_owned(), value.to_owned())]),
        ..observed(None)
    };
    let foreign = Owner {
        object: "hub/app".to_owned(),
        ..owner("u2")
    };
    check(
        &desired(),
        &repositories([
            ("hub", observed(None)),
            ("hubs/app", observed(None)),
            ("other", observed(None)),
            ("hub/inner/app", observed(None)),
            ("hub/by-hand", tagged("team", "shop")),
            ("hub/of-another", tagged(owner::CACHE, "quay")),
            ("hub/released", tagged(owner::RELEASED_BY, "east/hub/app")),
            ("hub/foreign", observed(Some(foreign))),
            ("hub/library/nginx", observed(None)),
            ("hub/ours", observed(Some(owner("u2")))),
            ("hub/restored", observed(Some(owner("u1")))),
        ]),
        &expect![
            "1 in step, 0 differing, to settle: hub/library/nginx hub/restored, unproven: hub/by-hand hub/of-another hub/released"
        ],
    );
}

#[test]
fn what_no_call_changes_is_counted_and_not_tried_again() {
    let encrypted = Observed {
        encryption: Encryption::Kms(None),
        ..observed(Some(owner("u2")))
    };
    check(
        &desired(),
        &repositories([("hub/a", encrypted.clone())]),
        &expect!["0 in step, 1 differing, to settle: "],
    );
    let observing = Desired {
        management: Management::Observe,
        unread: Unread::Unknown,
        ..desired()
    };
    check(
        &observing,
        &repositories([("hub/a", encrypted), ("hub/b", observed(None))]),
        &expect!["1 in step, 1 differing, to settle: "],
    );
}

#[test]
fn documents_that_nobody_has_read_are_read_unless_status_says_that_they_were_put() {
    let ours = repositories([("hub/a", observed(Some(owner("u2"))))]);
    check(
        &desired(),
        &ours,
        &expect!["1 in step, 0 differing, to settle: "],
    );
    let unknown = Desired {
        unread: Unread::Unknown,
        ..desired()
    };
    check(
        &unknown,
        &ours,
        &expect!["0 in step, 0 differing, to settle: hub/a"],
    );
    let read = |document| Observed {
        lifecycle: Reading::Present(document),
        ..observed(Some(owner("u2")))
    };
    check(
        &unknown,
        &repositories([("hub/a", read(keep(9))), ("hub/b", read(keep(5)))]),
        &expect!["1 in step, 0 differing, to settle: , waiting: hub/b"],
    );
}

#[test]
fn a_repository_that_only_its_lifecycle_policy_is_missing_from_waits_and_blocks_no_other() {
    let without = |owner| Observed {
        lifecycle: Reading::Absent,
        ..observed(owner)
    };
    check(
        &desired(),
        &repositories([
            ("hub/adopted", without(Some(owner("u2")))),
            ("hub/new", without(None)),
            ("hub/settled", observed(Some(owner("u2")))),
        ]),
        &expect!["1 in step, 0 differing, to settle: hub/new, waiting: hub/adopted"],
    );
}

#[test]
fn the_whole_registry_is_never_a_cache() {
    let root = Desired {
        prefix: Prefix::Root,
        ..desired()
    };
    let all = repositories([("hub/a", observed(None)), ("legacy/app", observed(None))]);
    check(&root, &all, &expect!["0 in step, 0 differing, to settle: "]);
}

#[test]
fn a_retrofitted_repository_settles() {
    let name: RepositoryName = "hub/library/nginx".parse().unwrap();
    let mutable = Desired {
        lifecycle: Setting::Unmanaged,
        mutability: Some(Mutability::Immutable),
        ..desired()
    };
    let found = observed(None);
    let plan = repository::plan(&mutable.repository(&name), Some(&found));
    let operations: Vec<_> = plan
        .changes
        .iter()
        .map(repository::Change::operation)
        .collect();
    assert_eq!(operations, ["TagResource", "PutImageTagMutability"]);
    let after = Observed {
        tags: owner("u2").tags(),
        mutability: Mutability::Immutable,
        ..found
    };
    let settled = survey(
        &mutable,
        &rules(&["hub"]),
        &[(name, Arc::new(after))].into(),
    );
    assert_eq!((settled.in_step, settled.to_settle.len()), (1, 0));
}
