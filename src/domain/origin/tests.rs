use super::*;
use crate::domain::repository::{Encryption, Mutability, Observed, Reading};

fn rule(prefix: &str, created: i64) -> (Prefix, pull_through::Observed) {
    let prefix = Prefix::observed(prefix);
    let observed = pull_through::Observed {
        prefix: prefix.clone(),
        upstream: None,
        url: String::new(),
        upstream_prefix: Prefix::Root,
        credential: None,
        role: None,
        created: Some(Created(created)),
    };
    (prefix, observed)
}

fn repository(tags: &[(&str, &str)], created: i64) -> Observed {
    let tags = tags.iter();
    Observed {
        arn: String::new(),
        mutability: Mutability::Mutable,
        scan_on_push: false,
        encryption: Encryption::Aes256,
        tags: tags
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        created: Some(Created(created)),
        policy: Reading::NotRead,
        lifecycle: Reading::NotRead,
    }
}

#[test]
fn origin_is_judged_by_marks_and_age_and_never_by_name() {
    let rules = BTreeMap::from([rule("quay", 100)]);
    let name = "quay/argoproj/argocd".parse().unwrap();
    let maker = Maker::of(&name, &rules, &BTreeMap::new()).unwrap();
    let upper = "ECR-Operator.dev/cluster";
    for (tags, created, origin) in [
        (vec![], 100, Origin::Unmarked),
        (vec![], 99, Origin::Somebody),
        (vec![("team", "shop")], 101, Origin::Unmarked),
        (vec![(owner::CACHE, "quay")], 101, Origin::Cache),
        (vec![(owner::CACHE, "quay")], 99, Origin::Cache),
        (vec![(owner::CACHE, "hub")], 101, Origin::Somebody),
        (vec![(owner::OBJECT, "PullThroughRule/q")], 1, Origin::Cache),
        (vec![(owner::OBJECT, "quay/argocd")], 101, Origin::Somebody),
        (
            vec![(owner::CACHE, "quay"), (owner::OBJECT, "quay/argocd")],
            101,
            Origin::Somebody,
        ),
        (vec![(owner::UID, "u1")], 101, Origin::Somebody),
        (vec![(owner::DELETE_AFTER, "x")], 101, Origin::Somebody),
        (vec![(upper, "west")], 101, Origin::Somebody),
        (
            vec![("ECR-Operator.dev/object", "quay/argocd")],
            101,
            Origin::Somebody,
        ),
        (
            vec![(owner::RELEASED_BY, "east/quay/argocd")],
            101,
            Origin::Somebody,
        ),
        (
            vec![("aws:cloudformation:stack-name", "x")],
            101,
            Origin::Somebody,
        ),
    ] {
        let judged = maker.judge(&repository(&tags, created));
        assert_eq!(judged, origin, "{tags:?} {created}");
    }
}

#[test]
fn rule_of_the_longest_name_is_known_as_a_rule() {
    let rule = Owner {
        cluster: "east".parse().unwrap(),
        object: Owner::rule(&"q".repeat(253)),
        uid: "u1".to_owned(),
    };
    let tags = rule.tags();
    let tags: Vec<_> = tags.iter().map(|(key, value)| (&**key, &**value)).collect();
    assert!(tags.iter().all(|(_, value)| value.len() <= 256));
    let maker = Maker {
        prefix: Prefix::observed("quay"),
        since: None,
    };
    assert_eq!(maker.judge(&repository(&tags, 1)), Origin::Cache);
}

#[test]
fn replica_is_somebodys_where_its_source_is_marked() {
    let maker = Maker {
        prefix: Prefix::Root,
        since: Some(Created(100)),
    };
    for (tags, created, origin) in [
        (
            vec![(owner::RELEASED_BY, "east/shop/api")],
            101,
            Origin::Somebody,
        ),
        (vec![(owner::OBJECT, "shop/api")], 101, Origin::Somebody),
        (vec![(owner::CACHE, "ROOT")], 101, Origin::Unmarked),
        (vec![], 99, Origin::Unmarked), // the cache of another region may be younger
    ] {
        let source = Arc::new(repository(&tags, created));
        assert_eq!(maker.judge_replica(Some(&source)), origin, "{tags:?}");
    }
    assert_eq!(maker.judge_replica(None), Origin::Unmarked);
}

#[test]
fn maker_is_the_rule_with_the_longest_prefix() {
    let rules = BTreeMap::from([rule("ROOT", 1), rule("quay", 2), rule("quay/team", 3)]);
    for (name, since) in [
        ("bitnami/redis", 1),
        ("quay/app", 2),
        ("quay/team/app", 3),
        ("quayed/app", 1),
    ] {
        let maker = Maker::of(&name.parse().unwrap(), &rules, &BTreeMap::new());
        assert_eq!(maker.unwrap().since, Some(Created(since)), "{name}");
    }
}

#[test]
fn maker_created_again_keeps_what_it_made_before() {
    let name: RepositoryName = "quay/app".parse().unwrap();
    let known = BTreeMap::from([(Prefix::observed("quay"), Some(Created(100)))]);
    for rules in [BTreeMap::new(), BTreeMap::from([rule("quay", 900)])] {
        let maker = Maker::of(&name, &rules, &known).unwrap();
        assert_eq!(maker.judge(&repository(&[], 500)), Origin::Unmarked);
        assert_eq!(maker.judge(&repository(&[], 50)), Origin::Somebody);
    }
    assert_eq!(Maker::of(&name, &BTreeMap::new(), &BTreeMap::new()), None);
}
