//! F20: two clusters claim one repository of an account that both manage, or have each a part in its
//! registry. F21: somebody else writes to the registry while we do.

use std::collections::BTreeSet;

use ecr_operator::domain::registry::sid;
use ecr_operator::emulator::{Effect, Entry, Rule};
use serde_json::{Value, json};

use super::case::{Case, REPOSITORY, Sweeps, on};
use super::{DEV, oracle};

const ENVIRONMENT: &str = "EnvironmentAccount";

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

/// Both clusters change their parts of one registry at the same time, again and again. ECR knows no
/// conditional put, so each may write over what the other has just written; nobody's part is lost for
/// good, and what was there before both stays.
#[tokio::test(flavor = "multi_thread")]
async fn f20_two_clusters_have_each_their_part_in_one_registry() {
    const ROUNDS: usize = 4;
    let east = Case::set("f20-east").await;
    let west = east.neighbour("f20-west").await;
    put_policy(&east, &["Theirs"]).await;
    let both = [&east, &west];
    let operators = both.map(|it| it.operator(Sweeps::Often));
    for round in 0..=ROUNDS {
        for case in both {
            case.environment("dev", DEV, part(&case.name, round)).await;
        }
    }
    for case in both {
        let spec = json!({"environments": ["CASE-dev"], "replication": "Enabled"});
        case.repository("app", spec).await;
    }
    for (case, operator) in both.iter().zip(&operators) {
        case.ready(ENVIRONMENT, "dev").await;
        case.ready(REPOSITORY, "app").await;
        oracle::quiet(case, operator, &[DEV]).await;
    }
    let mut sids = BTreeSet::from(["Theirs".to_owned()]);
    let mut filters = BTreeSet::new();
    let mut excluded = BTreeSet::new();
    let mut replicated = BTreeSet::new();
    for case in both {
        sids.insert(ours(case, &format!("Round{ROUNDS}")));
        filters.insert(format!("{}/{ROUNDS}", case.name));
        excluded.insert(role(&case.name, ROUNDS));
        replicated.insert(format!("{}/app", case.name));
    }
    let ecr = async |operation| east.hand(DEV).ecr(operation, &json!({})).await.unwrap();
    assert_eq!(policy(&east).await, sids);
    let scanning = ecr("GetRegistryScanningConfiguration").await;
    let rules = &scanning["scanningConfiguration"]["rules"];
    assert_eq!(rules.as_array().unwrap().len(), 1, "{rules}");
    assert_eq!(texts(&rules[0]["repositoryFilters"], "filter"), filters);
    let replication = ecr("DescribeRegistry").await;
    // Each has a rule of its own: neither adds to what it has not made.
    let rules = replication["replicationConfiguration"]["rules"].as_array();
    let filters = |rule: &Value| texts(&rule["repositoryFilters"], "filter");
    let sent: BTreeSet<_> = rules.unwrap().iter().flat_map(filters).collect();
    assert_eq!(sent, replicated);
    let exclusions = ecr("ListPullTimeUpdateExclusions").await;
    let exclusions = exclusions["pullTimeUpdateExclusions"].as_array().unwrap();
    let exclusions = exclusions.iter().map(|it| it.as_str().unwrap().to_owned());
    assert_eq!(exclusions.collect::<BTreeSet<_>>(), excluded);
    for operator in operators {
        operator.kill().await;
    }
}

/// What a cluster asks of the registry in one round.
fn part(cluster: &str, round: usize) -> Value {
    json!({"replicaRegions": ["eu-west-1"], "registry": {
        "scanning": {"rules": [{
            "scanFrequency": "SCAN_ON_PUSH",
            "repositoryFilters": [format!("{cluster}/{round}")],
        }]},
        "policyStatements": [statement(&format!("Round{round}"))],
        "pullTimeUpdateExclusions": [role(cluster, round)],
    }})
}

fn statement(sid: &str) -> Value {
    json!({"sid": sid, "principals": ["444444444444"], "actions": ["ecr:ReplicateImage"]})
}

fn role(cluster: &str, round: usize) -> String {
    format!("arn:aws:iam::{DEV}:role/{cluster}-{round}")
}

/// Between our read and our put: what came there is written over, which nobody can see, and nothing
/// else is. Put once more it stays, and nobody fights.
#[tokio::test(flavor = "multi_thread")]
async fn f21_a_put_between_our_read_and_our_put_is_not_fought() {
    let case = Case::set("f21").await;
    put_policy(&case, &["Theirs"]).await;
    let overtaken = on("PutRegistryPolicy", put_between(&["Theirs", "Late"]));
    let operator = edited(&case, overtaken).await;
    case.ready(ENVIRONMENT, "dev").await;
    let [first, second] = ["First", "Second"].map(|it| ours(&case, it));
    let now = BTreeSet::from(["Theirs".to_owned(), first, second]);
    assert_eq!(policy(&case).await, now);
    operator.kill().await;

    put_policy(&case, &["Theirs", "Late"]).await;
    let repository = json!({"environments": ["CASE-dev"]});
    case.repository("api", repository).await;
    let operator = case.operator(Sweeps::Often);
    case.ready(REPOSITORY, "api").await;
    oracle::quiet(&case, &operator, &[DEV]).await;
    case.ready(ENVIRONMENT, "dev").await;
    let mut all = now;
    all.insert("Late".to_owned());
    assert_eq!(policy(&case).await, all);
    operator.kill().await;
}

/// Between our put and our look at it: it is told, and ours comes beside theirs.
#[tokio::test(flavor = "multi_thread")]
async fn f21_a_put_right_after_ours_is_seen_and_told() {
    let case = Case::set("f21").await;
    put_policy(&case, &["Theirs"]).await;
    let overtaken = Rule {
        nth: Some(2), // the first is right before our put
        ..on("GetRegistryPolicy", put_between(&["Theirs", "Late"]))
    };
    let operator = edited(&case, overtaken).await;
    let told = |it: Option<&Value>| {
        let conditions = it.and_then(|it| it["status"]["conditions"].as_array());
        conditions.into_iter().flatten().any(|it| {
            let message = it["message"].as_str().unwrap_or_default();
            message.contains("somebody else has changed it after us")
        })
    };
    case.until((ENVIRONMENT, "dev"), "overtaken", told).await;
    case.ready(ENVIRONMENT, "dev").await;
    let ours = ["First", "Second"].map(|it| ours(&case, it));
    let theirs = ["Theirs", "Late"].map(str::to_owned);
    let all = ours.into_iter().chain(theirs);
    assert_eq!(policy(&case).await, all.collect::<BTreeSet<_>>());
    operator.kill().await;
}

/// An operator that has put its first statement, and is asked for a second when `rule` is in force.
async fn edited(case: &Case, rule: Rule) -> super::operator::Operator {
    let asked = |statements: &[&str]| {
        let statements: Vec<Value> = statements.iter().copied().map(statement).collect();
        json!({"registry": {"policyStatements": statements}})
    };
    case.environment("dev", DEV, asked(&["First"])).await;
    let operator = case.operator(Sweeps::Never);
    case.ready(ENVIRONMENT, "dev").await;
    let since = case.now();
    case.fault(Rule {
        times: Some(1),
        ..rule
    });
    case.environment("dev", DEV, asked(&["First", "Second"]))
        .await;
    let theirs = |it: &Entry| it.sequence > since && it.caller.ends_with("user/somebody-else");
    case.heard("put of somebody else's", theirs).await;
    operator
}

/// The sid that a statement of the case's cluster has in the registry.
fn ours(case: &Case, name: &str) -> String {
    sid(&case.name.parse().unwrap(), name)
}

fn put_between(sids: &[&str]) -> Effect {
    Effect::Overtaken {
        operation: "PutRegistryPolicy".to_owned(),
        input: theirs(sids),
    }
}

async fn put_policy(case: &Case, sids: &[&str]) {
    let put = case.hand(DEV);
    put.ecr("PutRegistryPolicy", &theirs(sids)).await.unwrap();
}

/// A policy of statements that are none of ours.
fn theirs(sids: &[&str]) -> Value {
    let statement = |sid: &&str| {
        json!({
            "Sid": sid,
            "Effect": "Allow",
            "Principal": {"AWS": "arn:aws:iam::777777777777:root"},
            "Action": "ecr:ReplicateImage",
            "Resource": "*",
        })
    };
    let statements: Vec<Value> = sids.iter().map(statement).collect();
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    json!({"policyText": policy.to_string()})
}

/// The sids of the registry policy.
async fn policy(case: &Case) -> BTreeSet<String> {
    let policy = case.hand(DEV).ecr("GetRegistryPolicy", &json!({})).await;
    let policy = policy.unwrap();
    let policy: Value = serde_json::from_str(policy["policyText"].as_str().unwrap()).unwrap();
    texts(&policy["Statement"], "Sid")
}

fn texts(list: &Value, field: &str) -> BTreeSet<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|it| it[field].as_str().unwrap().to_owned())
        .collect()
}
