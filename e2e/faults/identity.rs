//! F16 and F17: credentials that are denied, that end in the middle of things, or are gone for good.

use ecr_operator::emulator::{Effect, Entry, Outcome, Rule, Seed};
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::case::{Case, REPOSITORY, Sweeps, on};
use super::kubernetes::{Trouble, View};
use super::operator::{Operator, SECRET};
use super::{DEV, PROD, REGION, oracle};

/// What AWS says of our policies to whoever may decode it.
const ENCODED: &str = "AQoDYXdzEJr1K2canary";

async fn declare(case: &Case) {
    case.environment("dev", DEV, json!({})).await;
    case.environment("prod", PROD, json!({})).await;
    let both = json!({"environments": ["CASE-dev", "CASE-prod"], "tags": {"team": "who"}});
    case.repository("both", both).await;
    case.repository("only", json!({"environments": ["CASE-dev"]}))
        .await;
}

/// Nobody may assume the role of one account.
fn denied(account: &str) -> Rule {
    let role = format!("arn:aws:iam::{account}:role/ecr-operator");
    let message = format!(
        "User: arn:aws:iam::999999999999:user/hub is not authorized to perform: sts:AssumeRole on resource: {role}. Encoded authorization failure message: {ENCODED}"
    );
    Rule {
        role: Some(role),
        ..on(
            "AssumeRole",
            Effect::Refuse {
                code: "AccessDenied".to_owned(),
                message,
                status: 403,
            },
        )
    }
}

/// An operator that logs all that it can.
fn operator(case: &Case) -> Operator {
    let mut role = case.role(Sweeps::Never);
    role.logs = "trace,h2=off,hyper_util=off,rustls=off";
    role.start(View::of(&case.name, Trouble::None))
}

/// Nothing that an object shows, that people are told or that is logged has a secret in it.
async fn nothing_is_given_away(case: &Case, operator: &Operator) {
    let log = operator.log();
    assert!(log.contains("AssumeRole"), "the log says nothing: {log}");
    assert!(!log.contains(SECRET), "a secret is in the log");
    let mut shown = String::new();
    for (kind, name) in [
        ("EnvironmentAccount", "dev"),
        ("EnvironmentAccount", "prod"),
        (REPOSITORY, "both"),
        (REPOSITORY, "only"),
    ] {
        shown += &case.get(kind, name).await.to_string();
    }
    let events: kube::Api<k8s_openapi::api::events::v1::Event> = kube::Api::all(case.client());
    let events = events.list(&Default::default()).await.unwrap();
    let ours = events.items.iter().filter(|it| {
        let about = it
            .regarding
            .as_ref()
            .and_then(|it| it.name.clone())
            .unwrap_or_default();
        it.metadata.namespace.as_deref() == Some(&case.name) || about.starts_with(&case.name)
    });
    let told: Vec<Value> = ours.map(|it| json!(it)).collect();
    assert!(!told.is_empty(), "people are told");
    shown += &json!(told).to_string();
    for secret in [SECRET, ENCODED] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn f16_a_denied_role_shows_on_the_objects_of_its_account_only_and_heals_by_itself() {
    let case = Case::set("f16").await;
    case.fault(denied(PROD));
    declare(&case).await;
    let operator = operator(&case);
    case.because("EnvironmentAccount", "prod", "AccessDenied")
        .await;
    case.because(REPOSITORY, "both", "AccessDenied").await;
    case.target("both", "dev", "Ready").await;
    case.ready(REPOSITORY, "only").await;
    case.ready("EnvironmentAccount", "dev").await;
    nothing_is_given_away(&case, &operator).await;
    let to_prod = |it: &Entry| it.account == PROD;
    assert!(
        !case.emulator.journal().entries().iter().any(to_prod),
        "nobody was let in"
    );

    case.emulator.faults().clear();
    case.ready("EnvironmentAccount", "prod").await;
    case.ready(REPOSITORY, "both").await;
    operator.kill().await;
}

/// All credentials end at once, in the middle of a sweep as likely as not: new ones are asked for.
#[tokio::test(flavor = "multi_thread")]
async fn f16_credentials_that_end_in_a_sweep_are_replaced() {
    let case = Case::set("f16").await;
    declare(&case).await;
    let operator = case.operator(Sweeps::Often);
    for name in ["both", "only"] {
        case.ready(REPOSITORY, name).await;
    }
    let since = case.now();
    case.emulator.clock().advance(SignedDuration::from_hours(2));
    for account in [DEV, PROD] {
        let ended = |it: &Entry| {
            it.sequence > since
                && it.outcome == Outcome::Refused("ExpiredTokenException".to_owned())
        };
        case.heard("use of old credentials", ended).await;
        let list = |it: &Entry| {
            it.sequence > since && it.account == account && it.outcome == Outcome::Done
        };
        case.heard("use of new credentials", list).await;
    }
    oracle::quiet(&case, &operator, &[DEV, PROD]).await;
    for name in ["both", "only"] {
        case.ready(REPOSITORY, name).await;
    }
    let asked = case.calls(since, super::HUB, "AssumeRole").len();
    assert!(asked <= 8, "{asked} times for two accounts");
    operator.kill().await;
}

/// Our clock is off by ten minutes: AWS takes no signature of ours until it is set.
#[tokio::test(flavor = "multi_thread")]
async fn f16_signatures_of_a_wrong_clock_are_refused_until_it_is_set() {
    let case = Case::set("f16").await;
    let message = "Signature expired: 20260101T000000Z is now earlier than 20260101T000500Z (20260101T001000Z - 5 min.)";
    let effect = Effect::Refuse {
        code: "InvalidSignatureException".to_owned(),
        message: message.to_owned(),
        status: 400,
    };
    case.fault(Rule {
        service: Some("ecr".to_owned()),
        account: Some(PROD.to_owned()),
        effect,
        ..Rule::default()
    });
    declare(&case).await;
    let operator = operator(&case);
    case.because(REPOSITORY, "both", "AccessDenied").await;
    case.target("both", "dev", "Ready").await;
    case.ready(REPOSITORY, "only").await;
    nothing_is_given_away(&case, &operator).await;
    case.emulator.faults().clear();
    case.ready(REPOSITORY, "both").await;
    operator.kill().await;
}

/// The account cannot be reached ever again: the object says so and how to let it go, and then goes
/// at once; its namespace ends.
#[tokio::test(flavor = "multi_thread")]
async fn f17_an_object_without_credentials_is_let_go_by_its_annotation() {
    let case = Case::set("f17").await;
    declare(&case).await;
    let operator = case.operator(Sweeps::Never);
    for name in ["both", "only"] {
        case.ready(REPOSITORY, name).await;
    }
    operator.kill().await;
    case.fault(on("AssumeRole", Effect::Deny));
    let (operator, since) = (case.operator(Sweeps::Never), case.now());
    case.end().await;
    for name in ["both", "only"] {
        case.because(REPOSITORY, name, "Deleting").await;
        let message = case.message(REPOSITORY, name).await;
        assert!(
            message.contains("ecr-operator.dev/orphan=true"),
            "{message}"
        );
        let orphan = json!({"metadata": {"annotations": {"ecr-operator.dev/orphan": "true"}}});
        case.edit(REPOSITORY, name, orphan).await;
        case.gone(REPOSITORY, name).await;
    }
    case.ended().await;
    assert_eq!(
        case.writes(since),
        [],
        "an orphan's repository is left as it is"
    );
    operator.kill().await;
}

/// A role that may do everything with repositories but look into those of caches, and hands on none.
const NARROW: &str = r#"
upstreams: {registry.k8s.io: {images: ["pause:3.10"]}}
accounts:
  "111111111111":
    roles:
      ecr-operator:
        trust:
          Version: "2012-10-17"
          Statement: {Effect: Allow, Principal: {AWS: "arn:aws:iam::999999999999:root"}, Action: [sts:AssumeRole, sts:TagSession]}
        policies:
        - Version: "2012-10-17"
          Statement:
          - Effect: Allow
            Action: ["tag:GetResources", "iam:SimulatePrincipalPolicy", "ecr:D*", "ecr:L*", "ecr:G*", "ecr:C*",
              "ecr:S*", "ecr:T*", "ecr:U*", "ecr:P*", "ecr:V*", "ecr:BatchImportUpstreamImage"]
            Resource: "*"
"#;

/// F16: what the operator's own role lacks for its caches is named with the statement to add, one after
/// the other: to look at what it prewarms, and to hand ECR the role of a template.
#[tokio::test(flavor = "multi_thread")]
async fn f16_what_a_role_lacks_for_caches_is_named_with_the_statement_to_add() {
    let case = Case::with_seed("narrow", NARROW).await;
    let operator = case.operator(Sweeps::Never);
    case.environment("dev", DEV, json!({})).await;
    let made = format!("arn:aws:iam::{DEV}:role/made");
    let rule = json!({
        "apiVersion": "ecr-operator.dev/v1alpha1",
        "kind": "PullThroughRule",
        "metadata": {"name": "CASE-k8s"},
        "spec": {
            "upstreamRegistry": "k8s",
            "environments": ["CASE-dev"],
            "roles": [{"environment": "CASE-dev", "roleArn": made}],
            "repositoryTemplate": {"tags": {"team": "platform"}},
            "prewarm": {"images": ["pause:3.10"]},
        },
    });
    case.apply(&rule.to_string()).await;
    let cache = format!("arn:aws:ecr:{REGION}:{DEV}:repository/k8s/*");
    let look = json!({"Effect": "Allow", "Action": ["ecr:BatchGetImage"], "Resource": [cache]});
    let services = ["ecr.amazonaws.com", "pullthroughcache.ecr.amazonaws.com"];
    let pass = json!({
        "Effect": "Allow",
        "Action": ["iam:PassRole"],
        "Resource": [made],
        "Condition": {"StringEquals": {"iam:PassedToService": services}},
    });
    lacks(&case, "ecr:BatchGetImage", &[&look, &pass]).await;
    granted(&case, &[&look]).await;
    lacks(&case, "iam:PassRole", &[&pass]).await;
    granted(&case, &[&look, &pass]).await;
    let allowed = |it: Option<&Value>| {
        it.is_some_and(|it| it["status"]["preflight"][0]["state"] == "Allowed")
    };
    let environment = ("EnvironmentAccount", "dev");
    case.until(environment, "allowed everything", allowed).await;
    operator.kill().await;
}

/// Waits until this action is the first that the operator's role lacks; the policy to add is these
/// statements.
async fn lacks(case: &Case, action: &str, statements: &[&Value]) {
    let is_named = |it: Option<&Value>| {
        it.is_some_and(|it| it["status"]["preflight"][0]["missingAction"] == action)
    };
    case.until(("EnvironmentAccount", "dev"), action, is_named)
        .await;
    let shown = case.get("EnvironmentAccount", "dev").await;
    let policy = &shown["status"]["preflight"][0]["policy"];
    let policy: Value = serde_json::from_str(policy.as_str().unwrap()).unwrap();
    assert_eq!(policy["Statement"], json!(statements));
}

/// Somebody adds these statements to the role, and asks for a look now.
async fn granted(case: &Case, statements: &[&Value]) {
    let mut seed: Value = serde_saphyr::from_str(NARROW).unwrap();
    let policies = &mut seed["accounts"][DEV]["roles"]["ecr-operator"]["policies"];
    let added = json!({"Version": "2012-10-17", "Statement": statements});
    policies.as_array_mut().unwrap().push(added);
    let seed = Seed::parse(&seed.to_string()).unwrap();
    case.emulator.plant(&seed).unwrap();
    let asked = statements.len().to_string();
    let now = json!({"metadata": {"annotations": {"ecr-operator.dev/reconcile-at": asked}}});
    case.edit("EnvironmentAccount", "dev", now).await;
}
