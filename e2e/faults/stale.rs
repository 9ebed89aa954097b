//! F8 and F9: what an operator watches lags behind, or is the past. Whatever is not what the API server
//! has now is not acted on.

use axum::http::StatusCode;
use ecr_operator::emulator::Entry;
use serde_json::json;

use super::DEV;
use super::case::{Case, REPOSITORY, Sweeps};
use super::kubernetes::{Sight, Trouble, View};
use super::operator::Operator;

/// Who may pull `api`: at first, for a moment, and in the end.
const PULLS: [&str; 3] = ["444444444444", "555555555555", "666666666666"];

/// A repository with a policy, one that may be deleted, and a setting of the registry.
async fn declare(case: &Case) {
    let more =
        json!({"allowDelete": true, "registry": {"accountSettings": {"blobMounting": "DISABLED"}}});
    case.environment("dev", DEV, more).await;
    let spec = json!({
        "environments": ["CASE-dev"],
        "scanOnPush": true,
        "access": {"pull": [PULLS[0]]},
    });
    case.repository("api", spec).await;
    deletable(case).await;
}

async fn deletable(case: &Case) {
    let spec = json!({
        "environments": ["CASE-dev"],
        "scanOnPush": true,
        "deletionPolicy": "DeleteIfEmpty",
    });
    case.repository("job", spec).await;
}

async fn all_are_ready(case: &Case) {
    case.ready("EnvironmentAccount", "dev").await;
    for name in ["api", "job"] {
        case.ready(REPOSITORY, name).await;
    }
}

/// The user changes their mind twice, and makes `job` anew without waiting for the operator.
async fn things_move_on(case: &Case) {
    let registry = json!({"accountSettings": {"blobMounting": "ENABLED"}});
    let edit = json!({"spec": {"registry": registry}});
    case.edit("EnvironmentAccount", "dev", edit).await;
    for account in &PULLS[1..] {
        let edit = json!({"spec": {"access": {"pull": [account]}}});
        case.edit(REPOSITORY, "api", edit).await;
    }
    case.delete(REPOSITORY, "job").await;
    let released = json!({"metadata": {"finalizers": null}});
    case.edit(REPOSITORY, "job", released).await;
    case.gone(REPOSITORY, "job").await;
    deletable(case).await;
}

/// Waits until the operator has come to the end of something that was decided from what is no more,
/// for both objects.
async fn what_is_stale_is_refused(case: &Case, operator: &Operator) {
    for name in ["api", "job"] {
        let path = format!("namespaces/{}/imagerepositories/{name}/status", case.name);
        let refused = operator.view.until(|writes| {
            let mut ours = writes.iter().filter(|it| it.path == path);
            ours.any(|it| it.status == Some(StatusCode::CONFLICT))
        });
        let refused = tokio::time::timeout(super::PATIENCE, refused).await;
        refused.unwrap_or_else(|_| panic!("{name} was not looked at"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f8_nothing_is_written_by_what_a_watch_has_not_told_yet() {
    let case = Case::set("f8").await;
    declare(&case).await;
    let operator = case.operator(Sweeps::Often);
    all_are_ready(&case).await;
    operator.view.see(Sight::Frozen);
    things_move_on(&case).await;
    // The sweep has something to repair in each, and what it would repair it to is no more.
    for name in ["api", "job"] {
        let drift = json!({
            "repositoryName": format!("{}/{name}", case.name),
            "imageScanningConfiguration": {"scanOnPush": false},
        });
        let put = "PutImageScanningConfiguration";
        case.hand(DEV).ecr(put, &drift).await.unwrap();
    }
    let drift = json!({"name": "BLOB_MOUNTING", "value": "ENABLED"});
    let put = "PutAccountSetting";
    case.hand(DEV).ecr(put, &drift).await.unwrap();
    let since = case.now();
    what_is_stale_is_refused(&case, &operator).await;
    assert_eq!(case.writes(since), [], "decided from what is no more");
    operator.view.see(Sight::Clear);
    all_are_ready(&case).await;
    super::oracle::quiet(&case, &operator, &[DEV]).await;
    let pulls = |it: &Entry| it.parameters["policyText"].to_string().contains(PULLS[2]);
    let put = case.calls(since, DEV, "SetRepositoryPolicy");
    assert!(!put.is_empty() && put.iter().all(pulls), "{put:#?}");
    assert_eq!(case.calls(0, DEV, "DeleteRepository"), []);
    assert_eq!(case.calls(since, DEV, "PutAccountSetting"), []);
    operator.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f9_an_operator_that_begins_in_the_past_changes_nothing() {
    let case = Case::set("f9").await;
    declare(&case).await;
    let operator = case.operator(Sweeps::Never);
    all_are_ready(&case).await;
    operator.kill().await;
    case.delete(REPOSITORY, "job").await;
    let past = case.version().await;
    things_move_on(&case).await;
    let operator = case.operator(Sweeps::Often);
    all_are_ready(&case).await;
    super::oracle::quiet(&case, &operator, &[DEV]).await;
    operator.kill().await;

    // There `job` is on its way out, and `api` is for those of the beginning.
    let view = View::of(&case.name, Trouble::None);
    view.see(Sight::Past(past));
    let since = case.now();
    let operator = case.role(Sweeps::Often).start(view);
    what_is_stale_is_refused(&case, &operator).await;
    operator.view.see(Sight::Clear);
    super::oracle::quiet(&case, &operator, &[DEV]).await;
    all_are_ready(&case).await;
    assert_eq!(case.writes(since), Vec::<Entry>::new());
    operator.kill().await;
}
