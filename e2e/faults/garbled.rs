//! F15, beside the plays in which each call is garbled once: a word that is newer than this program.

use ecr_operator::emulator::{Effect, Garble, Rule};
use serde_json::json;

use super::case::{Case, REPOSITORY, Sweeps};
use super::{DEV, oracle};

/// ECR has a mutability that nobody here knows. Who says nothing of mutability leaves it at that.
#[tokio::test(flavor = "multi_thread")]
async fn f15_a_setting_that_is_newer_than_this_program_is_kept() {
    let case = Case::set("f15").await;
    case.environment("dev", DEV, json!({})).await;
    let reword = Garble::Reword {
        from: r#""MUTABLE""#.to_owned(),
        to: r#""FROZEN_FOR_AUDIT""#.to_owned(),
    };
    case.fault(Rule {
        effect: Effect::Garble(reword),
        ..Rule::default()
    });
    case.repository(
        "api",
        json!({"environments": ["CASE-dev"], "scanOnPush": true}),
    )
    .await;
    let operator = case.operator(Sweeps::Often);
    case.ready(REPOSITORY, "api").await;
    oracle::quiet(&case, &operator, &[DEV]).await;
    assert_eq!(case.calls(0, DEV, "PutImageTagMutability"), []);
    assert_eq!(case.calls(0, DEV, "CreateRepository").len(), 1);
    operator.kill().await;
}
