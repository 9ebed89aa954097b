use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;

use super::*;
use crate::api::conditions::Reason;
use crate::controllers::ledger::Ledger;
use crate::desired::Placed;
use crate::domain::Registry;
use crate::domain::owner::Owner;
use crate::domain::repository::{Adoption, Desired, Management, Setting};

fn object(targets: &serde_json::Value) -> ImageRepository {
    serde_json::from_value(json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "ImageRepository",
        "metadata": {"name": "api", "namespace": "payments", "uid": "u1", "generation": 2},
        "spec": {"environments": ["dev", "prod"]},
        "status": {"observedGeneration": 2, "targets": targets},
    }))
    .unwrap()
}

fn target(environment: &str, account: &str) -> Target {
    Target {
        environment: environment.parse().unwrap(),
        registry: Registry::new(account.parse().unwrap(), "eu-central-1".parse().unwrap()),
        desired: Desired {
            name: "payments/api".parse().unwrap(),
            owner: Owner {
                cluster: "east".parse().unwrap(),
                object: "payments/api".to_owned(),
                uid: "u1".to_owned(),
            },
            management: Management::Manage,
            adoption: Adoption::Never,
            mutability: None,
            scan_on_push: None,
            encryption: None,
            policy: Setting::Unmanaged,
            lifecycle: Setting::Unmanaged,
            safety: crate::domain::lifecycle::Safety::default(),
            tags: BTreeMap::new(),
            retired_tags: BTreeSet::new(),
        },
        replicas: None,
    }
}

fn settled(target: Target) -> End {
    End {
        extent: Extent::Target(target.key()),
        result: Ok(Settled {
            target,
            done: Vec::new(),
            held: Vec::new(),
            counts: None,
            refusals: Vec::new(),
            differences: Vec::new(),
            unreplicated: None,
            made_again: false,
        }),
    }
}

/// A stop of the whole environment, as the translation makes it.
fn stopped(environment: &str) -> End {
    let stopped = Stopped {
        environment: Some(environment.to_owned()),
        region: None,
        reason: Reason::NotGranted,
        field: "spec.repositoryName".to_owned(),
        message: "no grant".to_owned(),
    };
    End {
        extent: stopped.extent(),
        result: Err(Stop::Stopped(stopped)),
    }
}

fn shown<const N: usize>(
    object: &ImageRepository,
    ends: Vec<End>,
    releases: [(TargetKey, Release); N],
) -> ImageRepositoryStatus {
    let recorded = object.status.clone().unwrap_or_default().targets;
    let ledger = Ledger::of_targets(&recorded);
    let results = Results {
        ends,
        releases: releases.into(),
        others: Others {
            contested: Vec::new(),
            stops: None,
        },
    };
    let done = status::done(object, ledger, results, Timestamp::UNIX_EPOCH);
    done.status.unwrap()
}

const DEV: &str = "111111111111";
const PROD: &str = "333333333333";

/// What status records of an environment.
fn recorded(environment: &str, region: &str) -> serde_json::Value {
    let arn = format!("arn:aws:ecr:{region}:333333333333:repository/payments/api");
    let record = json!({"documents": ["LifecyclePolicy"], "tagKeys": ["team"]});
    json!({
        "environment": environment, "region": region, "state": "Ready", "arn": arn, "record": record,
    })
}

/// The rows as environment, region, state, and whether they record anything.
fn rows(status: &ImageRepositoryStatus) -> Vec<String> {
    let row = |it: &crate::api::targets::Target<_>| {
        let recorded: Option<&crate::api::image_repository::RepositoryRecord> = it.record.as_ref();
        let recorded = recorded.map_or("nothing", |_| "recorded");
        format!("{} {:?} {recorded}", it.key(), it.state)
    };
    status.targets.iter().map(row).collect()
}

#[test]
fn a_settled_object_shows_where_to_pull_from_and_settles_to_the_same_again() {
    let mut object = object(&json!([]));
    let ends = || vec![settled(target("dev", DEV)), settled(target("prod", PROD))];
    let first = shown(&object, ends(), []);
    assert_eq!(first.targets_ready.as_deref(), Some("2/2"));
    assert_eq!(first.repository_name.as_deref(), Some("payments/api"));
    assert_eq!(
        first.targets[1].uri.as_deref(),
        Some("333333333333.dkr.ecr.eu-central-1.amazonaws.com/payments/api")
    );
    object.status = Some(first.clone());
    assert_eq!(shown(&object, ends(), []), first);
}

#[test]
fn stop_of_an_environment_is_shown_on_what_is_recorded_there() {
    let old = json!({"environment": "prod", "region": "", "state": "Suspended"});
    let object = object(&json!([old, recorded("prod", "eu-central-1")]));
    let shown = shown(
        &object,
        vec![settled(target("dev", DEV)), stopped("prod")],
        [],
    );
    assert_eq!(shown.targets_ready.as_deref(), Some("1/2"));
    assert_eq!(
        rows(&shown),
        [
            "dev/eu-central-1 Ready recorded",
            "prod/eu-central-1 Stopped recorded"
        ]
    );
    assert_eq!(shown.targets[1].reason, Some(Reason::NotGranted));
    assert!(shown.targets[1].arn.is_some());
}

#[test]
fn stop_of_an_environment_without_records_has_a_row_without_region() {
    let shown = shown(&object(&json!([])), vec![stopped("prod")], []);
    assert_eq!(rows(&shown), ["prod Stopped nothing"]);
    let wire = serde_json::to_value(&shown.targets[0]).unwrap();
    assert_eq!(wire["region"], "", "a key of the list is in every row");
    assert_eq!(
        serde_json::from_value(wire).ok(),
        Some(shown.targets[0].clone())
    );
}

#[test]
fn target_that_left_the_spec_goes_once_it_is_released() {
    let (dev, prod) = (
        recorded("dev", "eu-central-1"),
        recorded("prod", "eu-central-1"),
    );
    let object = object(&json!([dev, prod]));
    let after = |release| {
        let key = TargetKey::new(&"dev", &"eu-central-1");
        rows(&shown(&object, vec![stopped("prod")], [(key, release)]))
    };
    let prod = "prod/eu-central-1 Stopped recorded";
    assert_eq!(after(Release::Done("kept".to_owned())), [prod]);
    let failing = "dev/eu-central-1 Failing recorded";
    let release = Release::NotYet("denied".to_owned(), Retry::BackingOff);
    assert_eq!(after(release), [failing, prod]);
}
