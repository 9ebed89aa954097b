//! What registries have only one of is taken out again: an environment asks for none of it any more and
//! leaves a region, another is deleted, which leaves what it put. Others have a part in each document.

use ecr_operator::commands::demo::hand::Hand;
use serde_json::{Value, json};

use super::case::{Case, REPOSITORY, Sweeps};
use super::crashes::{Strike, all_end_alike, calm, pairs};
use super::play::{self, Play};
use super::{DEV, PROD, REGION};

const OBJECTS: &str = include_str!("manifests/taking_out.yaml");
const THEIRS: &str = include_str!("manifests/theirs.yaml");

/// Whose pulls somebody else excludes.
const THEIR_ROLE: &str = "arn:aws:iam::111111111111:role/theirs";

/// What is left at its end.
pub(super) const LEFT: [(&str, &str); 2] = [("EnvironmentAccount", "dev"), (REPOSITORY, "api")];

/// F1: SIGKILL right after each external call that takes something out commits.
#[tokio::test(flavor = "multi_thread")]
async fn f1_what_is_taken_out_is_gone_whatever_call_the_operator_is_killed_after() {
    let calm = calm(Play::TakingOut).await;
    let after_calls = (1..=calm.calls).map(|it| vec![Strike::AfterCall(it)]);
    let after_writes = (1..=calm.writes).map(|it| vec![Strike::AfterWrite(it)]);
    let plans = after_calls.chain(after_writes).collect();
    all_end_alike("F1, taking out", Play::TakingOut, plans).await;
}

/// F2: SIGKILL right before each.
#[tokio::test(flavor = "multi_thread")]
async fn f2_what_is_taken_out_is_gone_whatever_call_the_operator_is_killed_before() {
    let calm = calm(Play::TakingOut).await;
    let before_calls = (1..=calm.calls).map(|it| vec![Strike::BeforeCall(it)]);
    let before_writes = (1..=calm.writes).map(|it| vec![Strike::BeforeWrite(it)]);
    let plans = before_calls.chain(before_writes).collect();
    all_end_alike("F2, taking out", Play::TakingOut, plans).await;
}

/// F3: the reply to each is lost after the commit, and the process lives on.
#[tokio::test(flavor = "multi_thread")]
async fn f3_what_is_taken_out_is_gone_though_a_reply_was_lost() {
    let calm = calm(Play::TakingOut).await;
    let calls = (1..=calm.calls).map(|it| vec![Strike::ReplyLost(it)]);
    let writes = (1..=calm.writes).map(|it| vec![Strike::WriteReplyLost(it)]);
    all_end_alike(
        "F3, taking out",
        Play::TakingOut,
        calls.chain(writes).collect(),
    )
    .await;
}

/// F4: a crash at k, then at j during recovery; 200 pairs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `make soak`"]
async fn f4_what_is_taken_out_is_gone_though_the_operator_is_killed_again_while_it_recovers() {
    let plans = pairs(Play::TakingOut, 200).await;
    all_end_alike("F4, taking out", Play::TakingOut, plans).await;
}

/// Everything is in place, and nobody operates any more.
pub(super) async fn open() -> Case {
    let case = Case::with_seed("taken", THEIRS).await;
    case.apply(OBJECTS).await;
    let operator = case.operator(Sweeps::Never);
    for name in ["dev", "prod"] {
        case.ready("EnvironmentAccount", name).await;
        play::allowed(&case, name).await;
    }
    case.ready(REPOSITORY, "api").await;
    let rules = read(
        &case,
        (DEV, REGION),
        "DescribeRegistry",
        "/replicationConfiguration/rules",
    );
    assert_eq!(rules.await.as_array().unwrap().len(), 2);
    operator.kill().await;
    case
}

/// Takes out all that one environment asked for, and deletes the other.
pub(super) async fn play(case: &Case) {
    let alone = json!({"spec": {"replication": "Disabled"}});
    case.edit(REPOSITORY, "api", alone).await;
    let nothing = json!({"spec": {"registry": null, "replicaRegions": null}});
    case.edit("EnvironmentAccount", "dev", nothing).await;
    let is_out = |it: Option<&Value>| {
        let registries = it.and_then(|it| it["status"]["registries"].as_array());
        registries.is_some_and(|it| it.len() == 1 && it[0]["record"].is_null())
    };
    let environment = ("EnvironmentAccount", "dev");
    case.until(environment, "without a part in its registries", is_out)
        .await;
    case.delete("EnvironmentAccount", "prod").await;
    case.gone("EnvironmentAccount", "prod").await;
    for (kind, name) in LEFT {
        case.ready(kind, name).await;
    }
}

/// What others have is as it was, and nothing of ours is beside it; but what the environment put that
/// was deleted stays.
pub(super) async fn theirs_alone_are_left(case: &Case) {
    for (account, region, ours) in [
        (DEV, REGION, false),
        (DEV, "eu-west-1", false),
        (PROD, REGION, true),
    ] {
        let place = (account, region);
        let of = async |operation, path| read(case, place, operation, path).await;
        let filters = "/scanningConfiguration/rules/0/repositoryFilters";
        let filters = of("GetRegistryScanningConfiguration", filters).await;
        let (mut scanned, mut excluded) =
            (vec!["theirs-*".to_owned()], vec![THEIR_ROLE.to_owned()]);
        if ours {
            scanned.push("prod-*".to_owned());
            excluded.push(format!("arn:aws:iam::{account}:role/scanner"));
        }
        assert_eq!(each(&filters, "filter"), scanned, "{place:?}");
        let exclusions = of("ListPullTimeUpdateExclusions", "/pullTimeUpdateExclusions").await;
        assert_eq!(exclusions, json!(excluded), "{place:?}");
        let rules = of("DescribeRegistry", "/replicationConfiguration/rules").await;
        let [rule] = rules.as_array().unwrap().as_slice() else {
            panic!("{place:?}: {rules}");
        };
        assert_eq!(each(&rule["repositoryFilters"], "filter"), ["theirs/"]);
        let rules = of("GetSigningConfiguration", "/signingConfiguration/rules").await;
        let profiles = each(&rules, "signingProfileArn");
        assert!(
            matches!(profiles.as_slice(), [it] if it.ends_with("/theirs")),
            "{place:?}: {rules}"
        );
        let policy = of("GetRegistryPolicy", "/policyText").await;
        let policy: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
        assert_eq!(each(&policy["Statement"], "Sid"), ["Theirs"], "{place:?}");
    }
}

/// A part of what ECR answers.
async fn read(case: &Case, (account, region): (&str, &str), operation: &str, path: &str) -> Value {
    let hand = Hand {
        region,
        ..case.hand(account)
    };
    let mut answer = hand.ecr(operation, &json!({})).await.unwrap();
    answer.pointer_mut(path).unwrap().take()
}

fn each(list: &Value, field: &str) -> Vec<String> {
    let items = list.as_array().unwrap().iter();
    items
        .map(|it| it[field].as_str().unwrap().to_owned())
        .collect()
}
