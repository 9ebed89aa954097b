//! F22: ECR tells what it was told in other words, and nobody answers that by writing.

use ecr_operator::emulator::{Effect, Entry, Garble, Seed};
use jiff::SignedDuration;
use serde_json::json;

use super::case::{Case, REPOSITORY, Sweeps, on};
use super::{DEV, oracle};

/// Declared, so that a role can be missing from it.
const TEAM: &str = "555555555555";
/// The team's account with the role that builds push by, and without it.
const ROLES: [&str; 2] = [
    r#"{accounts: {"555555555555": {roles: {build: {trust: {}}, deploy: {trust: {}}}}}}"#,
    r#"{accounts: {"555555555555": {roles: {deploy: {trust: {}}}}}}"#,
];
/// The hours of a day.
const HOURS: usize = 24;

#[tokio::test(flavor = "multi_thread")]
async fn f22_what_ecr_tells_in_another_order_is_no_drift_for_a_day() {
    let case = Case::with_seed("f22", ROLES[0]).await;
    case.environment("dev", DEV, json!({})).await;
    let spec = json!({
        "environments": ["CASE-dev"],
        "access": {
            "pull": ["444444444444", "666666666666", "arn:aws:iam::555555555555:role/deploy", "o-abc1234567"],
            "push": ["arn:aws:iam::555555555555:role/build", "arn:aws:iam::777777777777:root"],
            "lambda": "Enabled",
        },
        "tags": {"team": "order"},
    });
    case.repository("api", spec).await;
    for operation in ["GetRepositoryPolicy", "SetRepositoryPolicy"] {
        case.fault(on(operation, Effect::Garble(Garble::Shuffle)));
    }
    let operator = case.operator(Sweeps::Often);
    case.ready(REPOSITORY, "api").await;
    a_day_passes_without_a_write(&case, &operator).await;
    operator.kill().await;
}

/// The role that a policy names is deleted: ECR tells its unique id from then on, and does not take
/// the name any more.
#[tokio::test(flavor = "multi_thread")]
async fn f22_a_deleted_principal_is_shown_and_not_written_again_and_again() {
    let case = Case::with_seed("f22", ROLES[0]).await;
    case.environment("dev", DEV, json!({})).await;
    let push = format!("arn:aws:iam::{TEAM}:role/build");
    let spec = json!({"environments": ["CASE-dev"], "access": {"push": [push]}});
    case.repository("api", spec).await;
    let operator = case.operator(Sweeps::Often);
    case.ready(REPOSITORY, "api").await;
    let since = case.now();
    case.emulator
        .plant(&Seed::parse(ROLES[1]).unwrap())
        .unwrap();
    let told = |it: &Entry| it.sequence > since && it.operation == "GetRepositoryPolicy";
    case.heard("read of the policy", told).await;
    case.because(REPOSITORY, "api", "DanglingPrincipal").await;
    a_day_passes_without_a_write(&case, &operator).await;
    let attempts = case.calls(since, DEV, "SetRepositoryPolicy").len();
    assert!(
        attempts <= 3,
        "{attempts} attempts to name a role that is gone"
    );
    operator.kill().await;
}

/// An hour between two looks: tokens end, sessions are renewed, and nothing is written.
async fn a_day_passes_without_a_write(case: &Case, operator: &super::operator::Operator) {
    oracle::quiet(case, operator, &[DEV]).await;
    let (since, before) = (case.now(), operator.view.writes());
    for _ in 0..HOURS {
        case.emulator.clock().advance(SignedDuration::from_hours(1));
        let now = case.now();
        let read = |it: &Entry| {
            it.sequence > now
                && it.operation == "GetRepositoryPolicy"
                && it.outcome == ecr_operator::emulator::Outcome::Done
        };
        case.heard("read of the policy in this hour", read).await;
    }
    assert_eq!(case.writes(since), [], "written within a day");
    assert_eq!(operator.view.writes(), before, "told within a day");
}
