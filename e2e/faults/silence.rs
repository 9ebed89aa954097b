//! F13 and F14: AWS does not answer, or not in time.

use std::time::Duration;

use ecr_operator::ecr::Timeouts;
use ecr_operator::emulator::{Effect, Entry, Rule};
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::runtime::wait::await_condition;
use serde_json::json;
use tokio::time::timeout;

use super::case::{Case, REPOSITORY, Sweeps};
use super::kubernetes::{Trouble, View};
use super::{DEV, PATIENCE, PROD, oracle};

const FAR: &str = "us-west-2";
const NAMES: [&str; 3] = ["a", "b", "c"];

async fn declare(case: &Case, far: &str) {
    case.environment("near", DEV, json!({})).await;
    case.environment("far", far, json!({"region": FAR})).await;
    for name in NAMES {
        let spec = json!({
            "environments": ["CASE-near", "CASE-far"],
            "access": {"pull": ["444444444444"]},
        });
        case.repository(name, spec).await;
    }
}

/// The very account that answers in one region is silent in the other.
#[tokio::test(flavor = "multi_thread")]
async fn f13_a_black_holed_region_delays_no_other_and_is_noticed_when_it_is_back() {
    let case = Case::set("f13").await;
    case.fault(Rule {
        region: Some(FAR.to_owned()),
        effect: Effect::Hang,
        ..Rule::default()
    });
    declare(&case, DEV).await;
    let mut role = case.role(Sweeps::Never);
    role.timeouts = Timeouts {
        attempt: Duration::from_secs(1),
        read: Duration::from_secs(2),
        write: Duration::from_secs(2),
        ..Timeouts::default()
    };
    let operator = role.start(View::of(&case.name, Trouble::None));
    for name in NAMES {
        case.target(name, "near", "Ready").await;
    }
    // The others were done before anybody had given the silent region up, and stay so after.
    for name in NAMES {
        case.because(REPOSITORY, name, "Unreachable").await;
        case.target(name, "near", "Ready").await;
    }
    let since = case.now();
    let edit = json!({"spec": {"scanOnPush": true}});
    case.edit(REPOSITORY, "a", edit).await;
    let near = |it: &Entry| it.sequence > since && it.operation == "PutImageScanningConfiguration";
    case.heard("edit while a region is silent", near).await;

    case.emulator.faults().clear();
    for name in NAMES {
        case.ready(REPOSITORY, name).await;
    }
    operator.kill().await;
    let operator = case.operator(Sweeps::Often);
    oracle::quiet(&case, &operator, &[DEV]).await;
    operator.kill().await;
}

/// No calls come back: the lease is renewed all the same, another account is served, and whoever is
/// told to stop does not wait for answers. Were it to, it would wait for longer than this test does.
#[tokio::test(flavor = "multi_thread")]
async fn f14_slow_replies_keep_neither_the_lease_nor_the_shutdown() {
    let case = Case::set("f14").await;
    case.fault(Rule {
        account: Some(PROD.to_owned()),
        service: Some("ecr".to_owned()),
        effect: Effect::Hang,
        ..Rule::default()
    });
    declare(&case, PROD).await;
    let mut role = case.role(Sweeps::Never);
    let long = Duration::from_secs(3600);
    role.timeouts = Timeouts {
        connect: long,
        attempt: long,
        read: long,
        write: long,
    };
    let operator = role.start(View::of(&case.name, Trouble::None));
    let waiting = |it: &Entry| it.account == PROD && it.fault.is_some();
    case.heard("call that is not answered", waiting).await;

    let leases: Api<Lease> = Api::namespaced(case.client(), &format!("{}-system", case.name));
    let lease = leases.get("ecr-operator").await.unwrap().spec.unwrap();
    let renewed = |it: Option<&Lease>| {
        let now = it.and_then(|it| it.spec.as_ref()).unwrap();
        assert_eq!(
            now.holder_identity, lease.holder_identity,
            "the lease is kept"
        );
        now.renew_time > lease.renew_time
    };
    let renewal = await_condition(leases.clone(), "ecr-operator", renewed);
    timeout(PATIENCE, renewal)
        .await
        .expect("the lease is renewed")
        .unwrap();
    for name in NAMES {
        // With the far target pending nobody shows the near one; what counts is in ECR.
        let full = format!("{}/{name}", case.name);
        let made = |it: &Entry| {
            it.account == DEV
                && it.operation == "SetRepositoryPolicy"
                && it.parameters["repositoryName"] == full
        };
        case.heard("policy in the account that answers", made).await;
    }
    timeout(PATIENCE, operator.stop())
        .await
        .expect("it stops without answers");
    let lease = leases.get("ecr-operator").await.unwrap().spec.unwrap();
    assert_eq!(
        lease.holder_identity.as_deref(),
        Some(""),
        "the lease is given back"
    );
}
