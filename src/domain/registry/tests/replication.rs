use expect_test::expect;
use serde_json::json;

use super::super::model::{EU, US, destination};
use super::*;

#[test]
fn repositories_share_one_rule_and_one_filter_does_for_all_that_begin_with_it() {
    let plan = check(
        &replicated(&["shop/api", "shop/api-v2", "shop/web"]),
        &Record::default(),
        &World::empty(),
        &expect![[r#"
            PutReplicationConfiguration {"rules":[{"destinations":[{"region":"us-west-2","registryId":"333333333333"}],"repositoryFilters":[{"filter":"shop/api","filterType":"PREFIX_MATCH"},{"filter":"shop/web","filterType":"PREFIX_MATCH"}]}]}
        "#]],
    );
    assert_eq!(plan.record, plan.intent);
    assert_eq!(
        plan.record.replication,
        rules(&[(US, &["shop/api", "shop/web"])])
    );
}

#[test]
fn a_rule_of_somebody_else_that_sends_it_there_already_is_enough() {
    let mut theirs = to("us-west-2", &["shop/"]);
    theirs["deleteReplication"] = json!({"enabled": true});
    let world = replicating(&json!([theirs]));
    let desired = replicated(&["shop/api"]);
    let plan = check(&desired, &Record::default(), &world, &expect![""]);
    assert!(plan.record.is_empty(), "it is not ours to take out");
    assert!(plan.differences.is_empty());
}

#[test]
fn a_rule_without_filters_sends_everything() {
    let world = replicating(&json!([{"destinations": to("us-west-2", &[])["destinations"]}]));
    check(
        &replicated(&["shop/api"]),
        &Record::default(),
        &world,
        &expect![""],
    );
}

#[test]
fn a_rule_that_sends_it_to_one_of_two_regions_is_not_enough() {
    let mut desired = replicated(&["shop/api"]);
    desired.replication.destinations.insert(destination(EU));
    let world = replicating(&json!([to("us-west-2", &["shop/"])]));
    check(
        &desired,
        &Record::default(),
        &world,
        &expect![[r#"
            PutReplicationConfiguration {"rules":[{"destinations":[{"region":"us-west-2","registryId":"333333333333"}],"repositoryFilters":[{"filter":"shop/","filterType":"PREFIX_MATCH"}]},{"destinations":[{"region":"eu-west-1","registryId":"333333333333"},{"region":"us-west-2","registryId":"333333333333"}],"repositoryFilters":[{"filter":"shop/api","filterType":"PREFIX_MATCH"}]}]}
        "#]],
    );
}

#[test]
fn what_somebody_has_set_on_our_rule_stays_on_it_and_is_not_given_to_others() {
    let mut ours = to("us-west-2", &["shop/api"]);
    ours["deleteReplication"] = json!({"enabled": true});
    let record = Record {
        replication: rules(&[(US, &["shop/api"])]),
        ..Record::default()
    };
    check(
        &replicated(&["shop/api", "shop/web"]),
        &record,
        &replicating(&json!([ours])),
        &expect![[r#"
            PutReplicationConfiguration {"rules":[{"deleteReplication":{"enabled":true},"destinations":[{"region":"us-west-2","registryId":"333333333333"}],"repositoryFilters":[{"filter":"shop/api","filterType":"PREFIX_MATCH"}]},{"destinations":[{"region":"us-west-2","registryId":"333333333333"}],"repositoryFilters":[{"filter":"shop/web","filterType":"PREFIX_MATCH"}]}]}
        "#]],
    );
}

#[test]
fn the_last_filter_goes_with_its_rule_which_would_else_be_about_everything() {
    let record = Record {
        replication: rules(&[(US, &["shop/api"])]),
        ..Record::default()
    };
    let world = replicating(&json!([to("us-west-2", &["shop/api"])]));
    let plan = check(
        &nothing(),
        &record,
        &world,
        &expect![[r#"
            PutReplicationConfiguration {"rules":[]}
        "#]],
    );
    assert!(plan.record.is_empty());
    assert!(plan.intent.covers(&record), "until it is gone it is ours");
}

#[test]
fn a_repository_whose_object_is_suspended_stays_replicated() {
    let record = Record {
        replication: rules(&[(US, &["shop/api"])]),
        ..Record::default()
    };
    let mut desired = nothing();
    desired.replication.kept = BTreeSet::from(["shop/api".parse().unwrap()]);
    let world = replicating(&json!([to("us-west-2", &["shop/api"])]));
    let plan = check(&desired, &record, &world, &expect![""]);
    assert_eq!(plan.record, record);
}

#[test]
fn a_repository_of_somebody_else_is_not_replicated() {
    let observed = |tags| repository::Observed {
        arn: String::new(),
        mutability: repository::Mutability::Mutable,
        scan_on_push: false,
        encryption: repository::Encryption::Aes256,
        tags,
        created: None,
        policy: Reading::NotRead,
        lifecycle: Reading::NotRead,
    };
    let mut replication = replicated(&["shop/ours", "shop/theirs", "shop/yet-to-come"]).replication;
    replication.of_ours(|name| match name.as_str() {
        "shop/ours" => Some(observed(model::owner("shop/ours").tags())),
        "shop/theirs" => Some(observed(model::owner("other/object").tags())),
        _ => None,
    });
    let wanted: Vec<&str> = replication
        .wanted
        .keys()
        .map(RepositoryName::as_str)
        .collect();
    assert_eq!(wanted, ["shop/ours", "shop/yet-to-come"]);
    assert_eq!(replication.kept.len(), 1);
}

#[test]
fn names_that_begin_like_one_that_is_replicated_are_told() {
    let replication = replicated(&["shop/api", "shop/web"]).replication;
    let names = [
        "shop/api",
        "shop/api-secret",
        "shop/api/worker",
        "shop/ap",
        "x/shop/api",
    ];
    let names: Vec<RepositoryName> = names.iter().map(|it| it.parse().unwrap()).collect();
    let caught = also_replicated(&replication, names.iter());
    assert_eq!(caught, [&names[1], &names[2]]);
}

#[test]
fn a_hundred_filters_fill_a_rule() {
    let names: Vec<String> = (0..101).map(|it| format!("shop/r{it:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut world = World::empty();
    let put = plan(&replicated(&names), &Record::default(), &world.observed());
    world.apply(&put.changes[0]);
    let sizes = |world: &World| -> Vec<usize> {
        let rules = world.replication["rules"].as_array().unwrap().iter();
        rules
            .map(|it| it["repositoryFilters"].as_array().unwrap().len())
            .collect()
    };
    assert_eq!(sizes(&world), [100, 1]);
    // One that goes makes room for one that comes.
    let desired = replicated(&[&names[1..], &["shop/new"]].concat());
    let put = plan(&desired, &put.record, &world.observed());
    world.apply(&put.changes[0]);
    assert_eq!(sizes(&world), [100, 1]);
}
