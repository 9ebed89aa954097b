//! F1 to F3 over the end of a repository with images: the operator is struck at every call of it, and a
//! canary pushes an image or creates a pod right then. What came is never lost, and no quarantine stays.

use std::collections::BTreeMap;

use ecr_operator::emulator::{Effect, Entry, Outcome, Rule};
use futures::{StreamExt as _, stream};
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{ListParams, PostParams};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::case::{Case, PERIOD, REPOSITORY, Sweeps, on};
use super::kubernetes::CASE;
use super::{DEV, PATIENCE, REGION, oracle};

/// Stories at the same time: each of them mostly waits.
const AT_ONCE: usize = 6;
/// The calls of an end, beside its reads of the repository itself.
const CALLS: [&str; 6] = [
    "DescribeImages",
    "GetRepositoryPolicy",
    "TagResource",
    "SetRepositoryPolicy",
    "BatchDeleteImage",
    "DeleteRepository",
];
/// Days that the images of a story are old.
const OLD: SignedDuration = SignedDuration::from_hours(24 * 70);

/// Who comes when a strike falls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Canary {
    /// Pushes an image.
    Push,
    /// Creates a pod.
    Pod,
}

/// At which call what happens: `nth` counts those of the same operation.
#[derive(Clone, Debug)]
struct Strike {
    operation: &'static str,
    nth: u64,
    effect: Effect,
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_image_that_comes_after_any_call_of_an_end_is_not_lost() {
    struck(&Effect::HangAfter, Canary::Push).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f2_image_that_comes_before_any_call_of_an_end_is_not_lost() {
    struck(&Effect::Hang, Canary::Push).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f3_image_that_comes_when_a_reply_is_lost_is_not_lost() {
    struck(&Effect::CutAfter, Canary::Push).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f1_pod_that_comes_before_the_first_batch_stops_an_end() {
    struck(&Effect::HangAfter, Canary::Pod).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f2_pod_that_comes_before_any_call_stops_an_end() {
    struck(&Effect::Hang, Canary::Pod).await;
}

/// Nobody comes: all that was there goes, in the order that ECR wants, and never by force.
#[tokio::test(flavor = "multi_thread")]
async fn repository_nobody_uses_ends_without_force() {
    let case = open().await;
    let (since, operator) = (case.now(), case.operator(Sweeps::Often));
    gone(&case).await;
    let calls: Vec<String> = case
        .writes(since)
        .into_iter()
        .map(|it| it.operation)
        .filter(|it| it != "CreateRepository")
        .collect();
    let expected = [
        "TagResource",
        "TagResource",
        "TagResource",
        "SetRepositoryPolicy",
        "BatchDeleteImage",
        "DeleteRepository",
    ];
    assert_eq!(calls, expected);
    let deleted = case.calls(since, DEV, "DeleteRepository");
    assert!(deleted.iter().all(|it| it.parameters["force"].is_null()));
    operator.kill().await;
}

/// AWS's clock jumps 70 days ahead, and with it every image looks old and every delay over.
#[tokio::test(flavor = "multi_thread")]
async fn clock_of_aws_that_runs_ahead_deletes_nothing() {
    let case = declared(json!({"unusedDays": 1})).await;
    let operator = case.operator(Sweeps::Often);
    case.gone(REPOSITORY, "api").await;
    condemned(&case).await;
    case.emulator.clock().advance(OLD);
    let note = told(&case, "ClocksDiffer").await;
    assert!(note.contains("604"), "{note}");
    oracle::quiet(&case, &operator, &[DEV]).await;
    assert_eq!(images(&case).await, 2);
    assert_eq!(case.calls(0, DEV, "DeleteRepository"), []);
    operator.kill().await;
}

/// The same of the API server's clock; once it is right again, the end comes.
#[tokio::test(flavor = "multi_thread")]
async fn clock_of_the_api_server_that_is_wrong_stops_deletions() {
    let case = open().await;
    let role = case.role(Sweeps::Often);
    let view = super::kubernetes::View::of(&case.name, super::kubernetes::Trouble::None);
    view.ahead(-OLD);
    let operator = role.start(view);
    case.gone(REPOSITORY, "api").await;
    told(&case, "ClocksDiffer").await;
    oracle::quiet(&case, &operator, &[DEV]).await;
    assert_eq!(images(&case).await, 2);
    operator.view.ahead(SignedDuration::ZERO);
    gone(&case).await;
    operator.kill().await;
}

/// Both servers agree, and this machine's clock does not.
#[tokio::test(flavor = "multi_thread")]
async fn clock_of_this_machine_that_is_wrong_stops_deletions() {
    let case = open().await;
    case.emulator.clock().advance(-OLD);
    let role = case.role(Sweeps::Often);
    let view = super::kubernetes::View::of(&case.name, super::kubernetes::Trouble::None);
    view.ahead(-OLD);
    let operator = role.start(view);
    case.gone(REPOSITORY, "api").await;
    told(&case, "ClocksDiffer").await;
    assert_eq!(images(&case).await, 2);
    assert_eq!(case.calls(0, DEV, "DeleteRepository"), []);
    operator.kill().await;
}

/// Strikes at each call of an end, one story each.
async fn struck(effect: &Effect, canary: Canary) {
    let mut strikes = Vec::new();
    for (operation, count) in calm().await {
        strikes.extend((1..=count).map(|nth| Strike {
            operation,
            nth,
            effect: effect.clone(),
        }));
    }
    let stories = stream::iter(strikes).map(|it| story(it, canary));
    let ends: Vec<Outlook> = stories.buffer_unordered(AT_ONCE).collect().await;
    let kept = ends.iter().filter(|it| **it == Outlook::Kept).count();
    assert!(kept > 0, "no canary of {} was in time", ends.len());
}

/// How often an end that nobody disturbs makes each call.
async fn calm() -> BTreeMap<&'static str, u64> {
    let case = open().await;
    let (since, operator) = (case.now(), case.operator(Sweeps::Often));
    gone(&case).await;
    let calls = CALLS.map(|it| {
        let calls = case.calls(since, DEV, it);
        let of_it = calls.iter().filter(|it| is_of(&case, it));
        (it, of_it.count() as u64)
    });
    operator.kill().await;
    calls.into()
}

fn is_of(case: &Case, entry: &Entry) -> bool {
    let full = format!("{}/api", case.name);
    let named = entry.parameters["repositoryName"] == *full;
    let arn = entry.parameters["resourceArn"].as_str();
    named || arn.is_some_and(|it| it.ends_with(&format!("/{full}")))
}

/// What a story came to.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Outlook {
    Kept,
    Gone,
}

async fn story(strike: Strike, canary: Canary) -> Outlook {
    let case = open().await;
    let full = format!("{}/api", case.name);
    let since = case.now();
    let mut rule = Rule {
        nth: Some(strike.nth),
        times: Some(1),
        ..on(strike.operation, strike.effect.clone())
    };
    if strike.operation != "TagResource" {
        rule.repository = Some(full.clone());
    }
    case.fault(rule);
    let operator = case.operator(Sweeps::Often);
    let fallen = |it: &Entry| it.sequence > since && it.fault.is_some();
    case.heard(&format!("{strike:?}"), fallen).await;
    let operator = match strike.effect {
        Effect::CutAfter => operator,
        _ => {
            operator.kill().await;
            case.emulator.faults().clear();
            case.operator(Sweeps::Never)
        }
    };
    let batches = case.calls(since, DEV, "BatchDeleteImage").into_iter();
    let was_whole = batches.filter(is_done).count() == 0;
    let came = match canary {
        Canary::Push => case.hand(DEV).push(&full, "canary").await.is_ok(),
        Canary::Pod => {
            create_pod(&case).await;
            was_whole
        }
    };
    operator.kill().await;
    let operator = case.operator(Sweeps::Often);
    let what = format!("{} {strike:?} {canary:?}", case.name);
    if canary == Canary::Push && !came {
        gone(&case).await; // it was refused: nothing speaks against the end
    }
    while_quarantined(&case, &what).await;
    oracle::quiet(&case, &operator, &[DEV]).await;
    let outlook = ended(&case, &what, (canary, came)).await;
    operator.kill().await;
    outlook
}

/// Waits until no quarantine stands.
async fn while_quarantined(case: &Case, what: &str) {
    let lifted = async {
        while quarantine(case).await {
            sleep(PERIOD).await;
        }
    };
    let lifted = timeout(PATIENCE, lifted).await;
    lifted.unwrap_or_else(|_| panic!("{what}: its quarantine stays"));
}

/// Whether the list shows a quarantine, or the policy has one.
async fn quarantine(case: &Case) -> bool {
    let full = format!("{}/api", case.name);
    let named = json!({"repositoryName": full});
    let hand = case.hand(DEV);
    let arn = format!("arn:aws:ecr:{REGION}:{DEV}:repository/{full}");
    let policy = hand.ecr("GetRepositoryPolicy", &named).await;
    let arn = json!({"resourceArn": arn});
    let tags = hand.ecr("ListTagsForResource", &arn).await;
    let shown = [policy, tags].map(|it| it.unwrap_or_default().to_string());
    shown
        .iter()
        .any(|it| it.contains("Quarantine") || it.contains("quarantined-at"))
}

/// Sees that what came is there, and that nothing denies to use it.
async fn ended(case: &Case, what: &str, (canary, came): (Canary, bool)) -> Outlook {
    let full = format!("{}/api", case.name);
    let named = json!({"repositoryName": full});
    let hand = case.hand(DEV);
    let policy = hand.ecr("GetRepositoryPolicy", &named).await;
    if policy.is_err() {
        assert!(!came, "{what}: it came, and the repository is gone");
        return Outlook::Gone;
    }
    assert_eq!(policy.unwrap()["policyText"], theirs(case).await, "{what}");
    assert!(!quarantine(case).await, "{what}");
    match canary {
        Canary::Push if came => {
            let id = json!({"repositoryName": full, "imageIds": [{"imageTag": "canary"}]});
            let images = hand.ecr("BatchGetImage", &id).await.unwrap();
            assert_eq!(images["images"].as_array().unwrap().len(), 1, "{what}");
        }
        Canary::Pod if came => assert_eq!(images(case).await, 2, "{what}"),
        Canary::Push | Canary::Pod => {}
    }
    Outlook::Kept
}

/// A repository of two old images and a policy of somebody else's, whose object was just deleted; and
/// another one, so that the registry is swept to the end.
async fn open() -> Case {
    declared(json!({"delayHours": 0, "unusedDays": 1})).await
}

async fn declared(terms: Value) -> Case {
    let case = Case::set("ending").await;
    let environment = json!({"allowDelete": true, "deletion": terms});
    case.environment("dev", DEV, environment).await;
    let spec = |policy: &str| json!({"environments": ["CASE-dev"], "deletionPolicy": policy});
    case.repository("api", spec("Delete")).await;
    case.repository("other", spec("Retain")).await;
    let operator = case.operator(Sweeps::Never);
    case.ready(REPOSITORY, "api").await;
    case.ready(REPOSITORY, "other").await;
    operator.kill().await;
    let (hand, full) = (case.hand(DEV), format!("{}/api", case.name));
    let policy = json!({"Version": "2008-10-17", "Statement": [{
        "Sid": "Pull", "Effect": "Allow", "Action": ["ecr:BatchGetImage"],
        "Principal": {"AWS": "444444444444"},
    }]});
    for name in ["api", "other"] {
        let name = format!("{}/{name}", case.name);
        let policy = json!({"repositoryName": name, "policyText": policy.to_string()});
        hand.ecr("SetRepositoryPolicy", &policy).await.unwrap();
    }
    case.emulator.clock().advance(-OLD);
    for tag in ["1.0", "2.0"] {
        hand.push(&full, tag).await.unwrap();
    }
    case.emulator.clock().advance(OLD);
    case.delete(REPOSITORY, "api").await;
    case
}

/// The policy that was there before, as ECR spells it.
async fn theirs(case: &Case) -> Value {
    let named = json!({"repositoryName": format!("{}/other", case.name)});
    let policy = case.hand(DEV).ecr("GetRepositoryPolicy", &named).await;
    policy.unwrap()["policyText"].clone()
}

async fn images(case: &Case) -> usize {
    let named = json!({"repositoryName": format!("{}/api", case.name)});
    let listed = case.hand(DEV).ecr("ListImages", &named).await.unwrap();
    listed["imageIds"].as_array().unwrap().len()
}

fn is_done(entry: &Entry) -> bool {
    matches!(entry.outcome, Outcome::Done | Outcome::DoneUnanswered)
}

async fn gone(case: &Case) {
    let gone = |it: &Entry| it.operation == "DeleteRepository" && is_done(it);
    case.heard("DeleteRepository", gone).await;
}

async fn condemned(case: &Case) {
    let condemned = |it: &Entry| it.parameters["tags"].to_string().contains("condemned-at");
    case.heard("condemnation", condemned).await;
}

async fn create_pod(case: &Case) {
    let image = format!("{DEV}.dkr.ecr.{REGION}.amazonaws.com/{}/api:1.0", case.name);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": "canary", "labels": {CASE: case.name}},
        "spec": {
            "serviceAccountName": "default",
            "automountServiceAccountToken": false,
            "containers": [{"name": "main", "image": image}],
        },
    });
    let pods: Api<Pod> = Api::namespaced(case.client(), &case.name);
    let pod = serde_json::from_value(pod).unwrap();
    pods.create(&PostParams::default(), &pod).await.unwrap();
}

/// Waits for an event of this reason about the case's environment; gives its note.
async fn told(case: &Case, reason: &str) -> String {
    let events: Api<Event> = Api::namespaced(case.client(), "default");
    let environment = case.full("EnvironmentAccount", "dev");
    let told = async {
        loop {
            let all = events.list(&ListParams::default()).await.unwrap();
            let found = all.items.into_iter().find(|it| {
                let about = it.regarding.as_ref().and_then(|it| it.name.as_deref());
                about == Some(&environment) && it.reason.as_deref() == Some(reason)
            });
            match found {
                Some(event) => return event.note.unwrap_or_default(),
                None => sleep(PERIOD).await,
            }
        }
    };
    let told = timeout(PATIENCE, told).await;
    told.unwrap_or_else(|_| panic!("{}: no event {reason}", case.name))
}
