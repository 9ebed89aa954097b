//! F20: two clusters claim one repository of an account that both manage.

use serde_json::json;

use super::case::{Case, REPOSITORY, Sweeps};
use super::{DEV, oracle};

async fn claim(case: &Case) {
    let shared = json!({"grants": [{"namespaceSelector": {}, "repositoryPrefixes": ["shared/"]}]});
    case.environment("dev", DEV, shared).await;
    let spec = json!({
        "environments": ["CASE-dev"],
        "repositoryName": "shared/base",
        "adoptionPolicy": "IfUnowned",
        "tags": {"team": case.name},
        "access": {"pull": ["444444444444"]},
    });
    case.repository("base", spec).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f20_the_second_of_two_clusters_is_a_conflict_and_writes_nothing() {
    let east = Case::set("f20-east").await;
    let west = east.neighbour("f20-west").await;
    claim(&east).await;
    let first = east.operator(Sweeps::Often);
    east.ready(REPOSITORY, "base").await;
    claim(&west).await;
    let (second, since) = (west.operator(Sweeps::Often), east.now());
    west.because(REPOSITORY, "base", "Conflict").await;
    let message = west.message(REPOSITORY, "base").await;
    assert!(message.contains(&east.name), "{message}");
    for (case, operator) in [(&east, &first), (&west, &second)] {
        oracle::quiet(case, operator, &[DEV]).await;
    }
    assert_eq!(east.writes(since), [], "nobody writes while both claim it");

    // The first lets go of it, and the other, which may adopt, takes it over: once.
    east.delete(REPOSITORY, "base").await;
    east.gone(REPOSITORY, "base").await;
    west.ready(REPOSITORY, "base").await;
    oracle::quiet(&west, &second, &[DEV]).await;
    first.kill().await;
    second.kill().await;
}
