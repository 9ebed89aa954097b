//! F10: writes of status conflict, all of them for a while, or one that would have forgotten something.

use std::time::Duration;

use axum::http::StatusCode;
use ecr_operator::emulator::Entry;
use serde_json::{Value, json};

use super::case::{Case, REPOSITORY, Sweeps};
use super::kubernetes::{Trouble, Write};
use super::operator::Operator;
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
    let edited =
        |it: &Entry| it.sequence > since && it.operation == "PutImageScanningConfiguration";
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

/// Something of ours that others have a part in, or that bears no tags: only status says that it is
/// ours.
struct Ours {
    kind: &'static str,
    /// The part of status that says it.
    recorded: &'static str,
    /// Its spec with the thing, without it, and without it in other words.
    specs: [Value; 3],
    /// The operations that put it and take it out.
    put: &'static str,
    taken: &'static str,
    /// The operation by which a sweep sees it.
    seen: &'static str,
}

/// A leader that was thought gone puts something, and records it after its successor has looked: the
/// successor's own record conflicts, and it looks again.
#[tokio::test(flavor = "multi_thread")]
async fn f10_what_somebody_else_has_recorded_meanwhile_is_not_forgotten() {
    let case = Case::set("f10").await;
    let statement = |sid: &str| json!({"sid": sid, "principals": ["444444444444"], "actions": ["ecr:ReplicateImage"]});
    let [kept, late] = ["Kept", "Late"].map(statement);
    let spec = |statements: &[&Value], mounting: &str| {
        json!({"registry": {
            "policyStatements": statements,
            "accountSettings": {"blobMounting": mounting},
        }})
    };
    let registry = Ours {
        kind: "EnvironmentAccount",
        recorded: "registries",
        specs: [
            spec(&[&kept, &late], "ENABLED"),
            spec(&[&kept], "ENABLED"),
            spec(&[&kept], "DISABLED"),
        ],
        put: "PutRegistryPolicy",
        taken: "PutRegistryPolicy",
        seen: "GetRegistryPolicy",
    };
    case.environment("shared", DEV, registry.specs[0].clone())
        .await;
    let template = json!({"imageTagMutability": {"mode": "MUTABLE"}});
    let cache = Ours {
        kind: "PullThroughRule",
        recorded: "targets",
        specs: [
            json!({"repositoryTemplate": template}),
            json!({"repositoryTemplate": null}),
            json!({"prewarm": {"observed": "Enabled"}}),
        ],
        put: "CreateRepositoryCreationTemplate",
        taken: "DeleteRepositoryCreationTemplate",
        seen: "DescribePullThroughCacheRules",
    };
    let rule = json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "PullThroughRule",
        "metadata": {"name": "CASE-shared"},
        "spec": {
            "upstreamRegistry": "quay",
            "environments": ["CASE-shared"],
            "repositoryTemplate": template,
        },
    });
    case.apply(&rule.to_string()).await;
    let operator = case.operator(Sweeps::Often);
    for ours in [registry, cache] {
        is_remembered(&case, &operator, ours).await;
    }
    oracle::quiet(&case, &operator, &[DEV]).await;
    operator.kill().await;
}

async fn is_remembered(case: &Case, operator: &Operator, ours: Ours) {
    let Ours {
        kind,
        recorded,
        specs: [_, without, anew],
        put,
        taken,
        seen,
    } = ours;
    case.ready(kind, "shared").await;
    let record = case.get(kind, "shared").await["status"][recorded].clone();
    let first = case.calls(0, DEV, put).swap_remove(0).parameters;
    case.edit(kind, "shared", json!({"spec": without})).await;
    case.ready(kind, "shared").await;

    case.hand(DEV).ecr(put, &first).await.unwrap();
    let since = case.now();
    let sees = |it: &Entry| it.sequence > since && it.operation == seen;
    case.heard("look at it", sees).await;
    let late = json!({"status": {recorded: record}});
    operator.view.trouble(Trouble::Overtaken(late));
    case.edit(kind, "shared", json!({"spec": anew})).await;
    let takes = |it: &Entry| it.sequence > since && it.operation == taken;
    case.heard("call that takes it out again", takes).await;
    case.ready(kind, "shared").await;
    let conflicts = |it: &Write| it.status == Some(StatusCode::CONFLICT);
    assert!(operator.view.writes().iter().any(conflicts));
    assert_ne!(case.get(kind, "shared").await["status"][recorded], record);
}
