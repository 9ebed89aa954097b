use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::json;

use super::record::Recorded;
use super::release::targets_left;
use super::*;
use crate::api::conditions::Reason;
use crate::api::targets::TargetState;
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
        environment: target.environment.to_string(),
        region: target.registry.region.to_string(),
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

fn shown(object: &ImageRepository, ends: Vec<End>, released: &[Release]) -> ImageRepositoryStatus {
    let recorded = object.status.clone().unwrap_or_default().targets;
    let done = status::done(
        (object, &[]),
        &recorded,
        ends,
        released,
        Timestamp::UNIX_EPOCH,
    );
    done.status.unwrap()
}

const DEV: &str = "111111111111";
const PROD: &str = "333333333333";

#[test]
fn a_settled_object_shows_where_to_pull_from_and_settles_to_the_same_again() {
    let mut object = object(&json!([]));
    let ends = || vec![settled(target("dev", DEV)), settled(target("prod", PROD))];
    let first = shown(&object, ends(), &[]);
    assert_eq!(first.targets_ready.as_deref(), Some("2/2"));
    assert_eq!(first.repository_name.as_deref(), Some("payments/api"));
    assert_eq!(
        first.targets[1].uri.as_deref(),
        Some("333333333333.dkr.ecr.eu-central-1.amazonaws.com/payments/api")
    );
    object.status = Some(first.clone());
    assert_eq!(shown(&object, ends(), &[]), first);
}

#[test]
fn one_failed_account_is_told_and_keeps_what_is_recorded_of_it() {
    let arn = "arn:aws:ecr:eu-central-1:333333333333:repository/payments/api";
    let recorded = json!([{
        "environment": "prod", "region": "eu-central-1", "state": "Ready", "arn": arn,
        "record": {"documents": ["LifecyclePolicy"], "tagKeys": ["team"]},
    }]);
    let failed = End {
        environment: "prod".to_owned(),
        region: "eu-central-1".to_owned(),
        result: Err(Stop::Stopped(Stopped {
            environment: "prod".to_owned(),
            region: None,
            reason: Reason::NotGranted,
            field: "spec.repositoryName".to_owned(),
            message: "no grant".to_owned(),
        })),
    };
    let shown = shown(
        &object(&recorded),
        vec![settled(target("dev", DEV)), failed],
        &[],
    );
    assert_eq!(shown.targets_ready.as_deref(), Some("1/2"));
    let prod = &shown.targets[1];
    assert_eq!(
        (prod.state, prod.reason),
        (TargetState::Stopped, Some(Reason::NotGranted))
    );
    assert_eq!(prod.arn.as_deref(), Some(arn));
    assert!(
        prod.record.is_some(),
        "a deletion has to find what was made"
    );
}

#[test]
fn an_environment_that_left_the_spec_is_let_go_and_one_that_is_stopped_is_not() {
    let recorded = json!([
        {"environment": "dev", "region": "eu-central-1", "state": "Ready", "record": {}},
        {"environment": "prod", "region": "eu-central-1", "state": "Ready", "record": {}},
    ]);
    let object = object(&recorded);
    let recorded: Vec<Recorded> = object.status.clone().unwrap().targets;
    let stopped = Stopped {
        environment: "dev".to_owned(),
        region: None,
        reason: Reason::EnvironmentNotFound,
        field: "spec.environments".to_owned(),
        message: "gone".to_owned(),
    };
    let left = targets_left(&recorded, &[Err(stopped)]);
    let left: Vec<&str> = left.iter().map(|it| it.environment.as_str()).collect();
    assert_eq!(left, ["prod"]);

    let released = [Release::Done("kept".to_owned())];
    let shown = shown(&object, vec![settled(target("dev", DEV))], &released);
    let kept: Vec<&str> = shown
        .targets
        .iter()
        .map(|it| it.environment.as_str())
        .collect();
    assert_eq!(kept, ["dev"]);
}
