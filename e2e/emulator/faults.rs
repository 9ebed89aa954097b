//! The journal, and requests that go wrong on purpose.

use std::time::Duration;

use ecr_operator::emulator::{Effect, Outcome, Rule};

use super::{DEV, REGION, ecr, http, own, plain, refusal, start};

fn on(operation: &str, effect: Effect) -> Rule {
    Rule {
        operation: Some(operation.to_owned()),
        effect,
        ..Rule::default()
    }
}

#[tokio::test]
async fn the_journal_tells_who_asked_what_and_what_came_of_it() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    dev.create_repository()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    dev.create_repository()
        .repository_name("web")
        .send()
        .await
        .unwrap_err();
    let entries = emulator.journal().entries();
    let [first, second] = &entries[..] else {
        panic!("{entries:?}")
    };
    assert_eq!(
        (
            first.sequence,
            first.account.as_str(),
            first.region.as_str()
        ),
        (1, DEV, REGION)
    );
    assert_eq!(
        (first.service.as_str(), first.operation.as_str()),
        ("ecr", "CreateRepository")
    );
    assert_eq!(first.parameters["repositoryName"], "web");
    assert_eq!(first.outcome, Outcome::Done);
    assert_eq!(
        second.outcome,
        Outcome::Refused("RepositoryAlreadyExistsException".to_owned())
    );
    let told = own(&emulator, "GET", "/journal?since=1", "").await;
    assert_eq!(told["entries"].as_array().unwrap().len(), 1);
    assert_eq!(
        told["entries"][0]["outcome"]["refused"],
        "RepositoryAlreadyExistsException"
    );
}

#[tokio::test]
async fn a_throttled_or_denied_request_has_no_effect() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    emulator.faults().add(Rule {
        times: Some(1),
        ..on("CreateRepository", Effect::Throttle)
    });
    emulator.faults().add(Rule {
        times: Some(1),
        ..on("CreateRepository", Effect::Deny)
    });
    let create = || dev.create_repository().repository_name("web").send();
    assert!(refusal(create().await).starts_with("ThrottlingException"));
    assert!(refusal(create().await).starts_with("AccessDeniedException"));
    create().await.unwrap();
}

#[tokio::test]
async fn a_cut_connection_leaves_the_effect_or_not() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let create = |name: &str| dev.create_repository().repository_name(name).send();
    emulator.faults().add(Rule {
        nth: Some(1),
        ..on("CreateRepository", Effect::CutBefore)
    });
    emulator.faults().add(Rule {
        nth: Some(1),
        ..on("CreateRepository", Effect::CutAfter)
    });
    assert!(refusal(create("before").await).starts_with('-'));
    assert!(refusal(create("after").await).starts_with('-'));
    let listed = dev.describe_repositories().send().await.unwrap();
    let names: Vec<_> = listed
        .repositories()
        .iter()
        .filter_map(|it| it.repository_name())
        .collect();
    assert_eq!(names, ["after"]);
    let outcomes: Vec<_> = emulator
        .journal()
        .entries()
        .into_iter()
        .map(|it| it.outcome)
        .collect();
    assert_eq!(
        outcomes,
        [Outcome::Lost, Outcome::DoneUnanswered, Outcome::Done]
    );
}

#[tokio::test]
async fn somebody_else_can_be_first() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let overtaken = Effect::Overtaken {
        operation: "CreateRepository".to_owned(),
        input: serde_json::json!({"repositoryName": "web"}),
    };
    emulator.faults().add(on("CreateRepository", overtaken));
    let created = dev.create_repository().repository_name("web").send().await;
    assert!(refusal(created).starts_with("RepositoryAlreadyExistsException"));
    let callers = emulator.journal().entries().into_iter();
    let callers: Vec<_> = callers.map(|it| it.caller).collect();
    assert_eq!(callers[0], format!("arn:aws:iam::{DEV}:user/somebody-else"));
    assert_eq!(callers.len(), 2);
}

#[tokio::test]
async fn a_region_can_stop_answering_while_others_do() {
    let emulator = start().await;
    let rule = Rule {
        region: Some(REGION.to_owned()),
        effect: Effect::Hang,
        ..Rule::default()
    };
    emulator.faults().add(rule);
    let here = ecr(&emulator, plain(DEV), REGION);
    let asked = tokio::spawn(async move { here.describe_repositories().send().await });
    emulator
        .journal()
        .wait_for(|it| it.outcome == Outcome::Lost)
        .await;
    ecr(&emulator, plain(DEV), "us-east-1")
        .describe_repositories()
        .send()
        .await
        .unwrap();
    assert!(!asked.is_finished());
    asked.abort();
}

#[tokio::test]
async fn rules_clock_and_reset_are_reached_over_http() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    dev.create_repository()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    let rule = r#"{"operation": "Describe*", "effect": {"refuse": {"code": "ServerException", "status": 500}}}"#;
    own(&emulator, "POST", "/faults", rule).await;
    assert!(refusal(dev.describe_repositories().send().await).starts_with("ServerException"));
    let told = own(&emulator, "GET", "/faults", "").await;
    assert_eq!(told["faults"][0]["hits"], 1);
    own(
        &emulator,
        "POST",
        "/clock",
        r#"{"set": "2030-01-01T00:00:00Z", "advance": "36h"}"#,
    )
    .await;
    assert!(
        emulator
            .clock()
            .now()
            .to_string()
            .starts_with("2030-01-02T12:00:0")
    );
    own(&emulator, "POST", "/reset", "").await;
    assert!(
        dev.describe_repositories()
            .send()
            .await
            .unwrap()
            .repositories()
            .is_empty()
    );
}

#[tokio::test]
async fn operations_that_are_not_emulated_are_unknown() {
    let emulator = start().await;
    let credential =
        format!("AWS4-HMAC-SHA256 Credential={DEV}/20260101/{REGION}/ecr/aws4_request");
    let headers = [
        ("authorization", credential.as_str()),
        (
            "x-amz-target",
            "AmazonEC2ContainerRegistry_V20150921.MakeCoffee",
        ),
    ];
    let answer = http(&emulator, "POST /", &headers, b"{}").await;
    assert_eq!(answer.status, 400);
    assert!(
        answer
            .text()
            .contains(r#""__type":"UnknownOperationException""#)
    );
}

#[tokio::test]
async fn a_stopped_emulator_cuts_its_connections() {
    let emulator = start().await;
    emulator.faults().add(Rule {
        effect: Effect::Hang,
        ..Rule::default()
    });
    let dev = ecr(&emulator, plain(DEV), REGION);
    let asked = tokio::spawn(async move { dev.describe_repositories().send().await });
    emulator
        .journal()
        .wait_for(|it| it.outcome == Outcome::Lost)
        .await;
    emulator.shutdown().await.unwrap();
    let answered = tokio::time::timeout(Duration::from_secs(30), asked).await;
    assert!(answered.unwrap().unwrap().is_err());
}
