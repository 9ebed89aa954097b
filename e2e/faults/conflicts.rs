//! F10: every write of status conflicts for a while.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::json;

use super::case::{Case, REPOSITORY, Sweeps};
use super::kubernetes::{Trouble, Write};
use super::{DEV, oracle};

/// Attempts to write one object's status are at least so far apart.
const PAUSE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn f10_conflicts_of_status_hold_up_no_edit_and_are_not_fought() {
    let case = Case::set("f10").await;
    case.environment("dev", DEV, json!({})).await;
    let spec = json!({"environments": ["CASE-dev"]});
    case.repository("old", spec.clone()).await;
    let operator = case.operator(Sweeps::Never);
    case.ready(REPOSITORY, "old").await;
    case.ready("EnvironmentAccount", "dev").await;

    operator.view.trouble(Trouble::Conflicts);
    let since = case.now();
    case.repository("new", spec).await;
    let edit = json!({"spec": {"scanOnPush": true}});
    case.edit(REPOSITORY, "old", edit).await;
    let edited = |it: &ecr_operator::emulator::Entry| {
        it.sequence > since && it.operation == "PutImageScanningConfiguration"
    };
    case.heard("edit", edited).await;
    for name in ["new", "old"] {
        let path = format!("namespaces/{}/imagerepositories/{name}/status", case.name);
        let refused = |writes: &Vec<Write>| {
            let ours = writes.iter().filter(|it| it.path == path);
            let refused = ours.filter(|it| it.status == Some(StatusCode::CONFLICT));
            refused.map(|it| it.at).collect::<Vec<_>>()
        };
        operator.view.until(|it| refused(it).len() >= 3).await;
        let attempts = refused(&operator.view.writes());
        let hasty = attempts.windows(2).find(|it| it[1] - it[0] < PAUSE);
        assert!(hasty.is_none(), "{name}: {hasty:?}");
    }
    // What is about to be made has to stand in status first, and does not yet.
    assert_eq!(case.calls(since, DEV, "CreateRepository"), []);

    operator.view.trouble(Trouble::None);
    for name in ["new", "old"] {
        case.ready(REPOSITORY, name).await;
    }
    assert_eq!(case.calls(since, DEV, "CreateRepository").len(), 1);
    operator.kill().await;
    let operator = case.operator(Sweeps::Often);
    oracle::quiet(&case, &operator, &[DEV]).await;
    operator.kill().await;
}
