//! F11 and F12: AWS asks for fewer calls, in one account or in all.

use ecr_operator::emulator::{Effect, Entry, Outcome, Rule};
use serde_json::{Value, json};

use super::case::{Case, REPOSITORY, Sweeps, on};
use super::{DEV, HUB, PROD, oracle};

const OTHERS: [&str; 4] = ["222222222222", PROD, "444444444444", "555555555555"];
const NAMES: [&str; 6] = ["a", "b", "c", "d", "e", "f"];

/// A world of repositories with every document, in these accounts; Ready or not.
async fn declare(case: &Case, accounts: &[&str], names: impl IntoIterator<Item = String>) {
    let mut environments = Vec::new();
    for account in accounts {
        case.environment(account, account, json!({})).await;
        environments.push(format!("CASE-{account}"));
    }
    for name in names {
        case.repository(&name, spec(&environments)).await;
    }
}

fn spec(environments: &[String]) -> Value {
    json!({
        "environments": environments,
        "scanOnPush": true,
        "access": {"pull": ["444444444444"]},
        "tags": {"team": "storm"},
    })
}

fn names() -> impl Iterator<Item = String> {
    NAMES.into_iter().map(str::to_owned)
}

/// ECR throttles; STS is another service.
fn throttled(share: f64, account: Option<&str>) -> Rule {
    Rule {
        service: Some("ecr".to_owned()),
        account: account.map(str::to_owned),
        effect: Effect::Throttle,
        share: Some(share),
        ..Rule::default()
    }
}

/// What all of it costs when 30 of 100 calls are throttled, against what it costs in peace.
#[tokio::test(flavor = "multi_thread")]
async fn f11_thirty_percent_of_throttling_is_outlived_at_little_cost() {
    let mut costs = Vec::new();
    for share in [0.0, 0.3] {
        let case = Case::set("f11").await;
        case.fault(throttled(share, None));
        declare(&case, &[DEV, PROD], names()).await;
        let operator = case.operator(Sweeps::Never);
        for name in NAMES {
            case.ready(REPOSITORY, name).await;
        }
        costs.push(case.now());
        let creations = |account: &str| {
            let made = case.calls(0, account, "CreateRepository").into_iter();
            made.filter(|it| it.outcome == Outcome::Done).count()
        };
        assert_eq!([DEV, PROD].map(creations), [NAMES.len(); 2]);
        operator.kill().await;
        case.emulator.faults().clear();
        let operator = case.operator(Sweeps::Often);
        oracle::quiet(&case, &operator, &[DEV, PROD]).await;
        operator.kill().await;
    }
    let [calm, stormy] = costs[..] else {
        unreachable!("two runs")
    };
    assert!(
        stormy * 10 <= calm * 16,
        "{stormy} calls against {calm} in peace"
    );
}

/// One account that throttles everything, and five that answer: these neither wait nor ask more.
#[tokio::test(flavor = "multi_thread")]
async fn f11_one_throttled_account_slows_no_other() {
    let mut costs = Vec::new();
    for share in [0.0, 1.0] {
        let case = Case::set("f11").await;
        case.fault(throttled(share, Some(DEV)));
        declare(&case, &[&[DEV][..], &OTHERS[..]].concat(), names()).await;
        let operator = case.operator(Sweeps::Never);
        for name in NAMES {
            for account in OTHERS {
                case.target(name, account, "Ready").await;
            }
        }
        // In the order of things: all others are done while the sick one has nothing.
        if share > 0.0 {
            let done = |it: &Entry| it.outcome == Outcome::Done;
            assert!(!case.calls(0, DEV, "CreateRepository").iter().any(done));
        }
        let to_others = |it: &Entry| it.account != DEV && it.account != HUB;
        let entries = case.emulator.journal().entries();
        costs.push(entries.iter().filter(|it| to_others(it)).count());
        case.emulator.faults().clear();
        for name in NAMES {
            case.ready(REPOSITORY, name).await;
        }
        operator.kill().await;
    }
    let [calm, stormy] = costs[..] else {
        unreachable!("two runs")
    };
    assert!(
        stormy * 10 <= calm * 11,
        "{stormy} calls to the others against {calm} in peace"
    );
}

/// A quota of so many requests a second, which AWS keeps for each operation.
fn quota(operation: Option<&str>, rate: f64) -> Rule {
    Rule {
        service: Some("ecr".to_owned()),
        operation: operation.map(str::to_owned),
        rate: Some(rate),
        ..Rule::default()
    }
}

/// A cold start under a quota: everything is made, and asked for little more often than it is let.
async fn cold_start(count: usize, rate: f64) {
    let case = Case::set("f12").await;
    case.fault(quota(None, rate));
    let names: Vec<String> = (0..count).map(|it| format!("cold-{it}")).collect();
    declare(&case, &[DEV], names.clone()).await;
    let operator = case.operator(Sweeps::Never);
    for name in &names {
        case.ready(REPOSITORY, name).await;
    }
    let throttled = |it: &Entry| it.outcome == Outcome::Refused("ThrottlingException".to_owned());
    for operation in ["CreateRepository", "SetRepositoryPolicy"] {
        let calls = case.calls(0, DEV, operation);
        let refused = calls.iter().filter(|it| throttled(it)).count();
        assert_eq!(
            calls.len() - refused,
            count,
            "{operation} was done once for each"
        );
        assert!(
            refused <= count,
            "{operation}: {refused} refused for {count} done"
        );
    }
    operator.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f12_a_cold_start_under_a_hard_quota_is_no_storm() {
    cold_start(30, 5.0).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `make soak`"]
async fn f12_a_cold_start_of_a_thousand_under_a_hard_quota_is_no_storm() {
    cold_start(1000, 2.0).await;
}

/// A backlog waits for the very operation that the edit needs, so slowly that most of it still waits
/// when the edit comes, however busy this machine is.
#[tokio::test(flavor = "multi_thread")]
async fn f12_an_edit_overtakes_a_backlog_of_creations() {
    const BACKLOG: usize = 40;
    let case = Case::set("f12").await;
    declare(&case, &[DEV], ["edited".to_owned()]).await;
    let operator = case.operator(Sweeps::Never);
    case.ready(REPOSITORY, "edited").await;
    let began = case.now();
    case.fault(quota(Some("SetRepositoryPolicy"), 0.5));
    for number in 0..BACKLOG {
        case.repository(&format!("cold-{number}"), spec(&[format!("CASE-{DEV}")]))
            .await;
    }
    let done = |it: &Entry| it.operation == "SetRepositoryPolicy" && it.outcome == Outcome::Done;
    let begun = |it: &Entry| it.sequence > began && done(it);
    case.heard("policy of the backlog", begun).await;
    let since = case.now();
    let edit = json!({"spec": {"access": {"pull": ["666666666666"]}}});
    case.edit(REPOSITORY, "edited", edit).await;
    let full = format!("{}/edited", case.name);
    let ours = |it: &Entry| it.parameters["repositoryName"] == full;
    let edited = case
        .heard("edit", |it| it.sequence > since && done(it) && ours(it))
        .await;
    let before = |it: &&Entry| done(it) && it.sequence < edited.sequence;
    let all = case.calls(since, DEV, "SetRepositoryPolicy");
    let overtaking = all.iter().filter(before).count();
    let written = case.calls(began, DEV, "SetRepositoryPolicy");
    let waiting = BACKLOG - written.iter().filter(before).count();
    assert!(
        overtaking < waiting,
        "{overtaking} went first, {waiting} were waiting still"
    );
    case.emulator.faults().clear();
    for number in 0..BACKLOG {
        case.ready(REPOSITORY, &format!("cold-{number}")).await;
    }
    operator.kill().await;
}

/// A sweep reads every policy under a quota, so slowly that it has most of them still to read when the
/// operator sees the edit, however busy this machine is; the edit needs the same operation, and is next.
#[tokio::test(flavor = "multi_thread")]
async fn f12_an_edit_overtakes_the_sweep() {
    const SWEPT: usize = 20;
    let case = Case::set("f12").await;
    let names: Vec<String> = (0..SWEPT).map(|it| format!("swept-{it}")).collect();
    declare(&case, &[DEV], names.clone()).await;
    let operator = case.operator(Sweeps::Never);
    for name in &names {
        case.ready(REPOSITORY, name).await;
    }
    operator.kill().await;
    case.fault(quota(Some("GetRepositoryPolicy"), 0.5));
    let (operator, began) = (case.operator(Sweeps::Often), case.now());
    let read = |it: &Entry| it.operation == "GetRepositoryPolicy" && it.outcome == Outcome::Done;
    case.heard("sweep", |it| it.sequence > began && read(it))
        .await;
    let since = case.now();
    let edit = json!({"spec": {"access": {"pull": ["666666666666"]}}});
    case.edit(REPOSITORY, "swept-19", edit).await;
    let written = |it: &Entry| it.sequence > since && it.operation == "SetRepositoryPolicy";
    let edited = case.heard("edit", written).await;
    let reads = case.calls(since, DEV, "GetRepositoryPolicy");
    let before = |it: &&Entry| read(it) && it.sequence < edited.sequence;
    let overtaking = reads.iter().filter(before).count();
    assert!(
        overtaking < SWEPT / 2,
        "{overtaking} of {SWEPT} reads went first"
    );
    operator.kill().await;
}

/// The list of a registry that was not seen yet never ends; a few edits do without it.
#[tokio::test(flavor = "multi_thread")]
async fn f12_an_edit_after_a_restart_does_not_wait_for_the_list() {
    let case = Case::set("f12").await;
    declare(&case, &[DEV], ["edited", "other"].map(str::to_owned)).await;
    let operator = case.operator(Sweeps::Never);
    for name in ["edited", "other"] {
        case.ready(REPOSITORY, name).await;
    }
    operator.kill().await;
    case.fault(on("GetResources", Effect::Throttle));
    let since = case.now();
    let edit = json!({"spec": {"tags": {"team": "calm"}}});
    case.edit(REPOSITORY, "edited", edit).await;
    let operator = case.operator(Sweeps::Never);
    let written = |it: &Entry| it.sequence > since && it.operation == "TagResource";
    case.heard("edit", written).await;
    let lists = case.calls(since, DEV, "GetResources");
    assert!(lists.iter().all(|it| it.outcome != Outcome::Done));
    operator.kill().await;
}
