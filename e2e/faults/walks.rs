//! F23 and F24: specs that change, to others and back, and to what AWS does not take.

use ecr_operator::emulator::{Effect, Entry, Rule};
use serde_json::{Value, json};

use super::case::{Case, REPOSITORY, Sweeps, on};
use super::{DEV, PROD, chance, oracle};

/// F23: a few of the 200 walks.
#[tokio::test(flavor = "multi_thread")]
async fn f23_a_walk_from_one_spec_to_another_and_back_leads_back() {
    walk(10).await;
}

/// F23: 200 random valid specs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `make soak`"]
async fn f23_two_hundred_walks_lead_back() {
    walk(200).await;
}

/// Each object goes from its spec to another and back, and is then what a new one of that spec is.
async fn walk(count: usize) {
    let case = Case::set("f23").await;
    case.environment("dev", DEV, json!({})).await;
    case.environment("prod", PROD, json!({})).await;
    case.apply(POLICIES).await;
    let operator = case.operator(Sweeps::Never);
    let specs = |seed: u64| (0..count as u64).map(move |it| (it, spec(2 * it + seed)));
    for step in [specs(0), specs(1), specs(0)] {
        for (number, spec) in step.clone() {
            case.repository(&format!("walk-{number}"), spec).await;
        }
        for (number, _) in step {
            case.ready(REPOSITORY, &format!("walk-{number}")).await;
        }
    }
    for (number, spec) in specs(0) {
        case.repository(&format!("fresh-{number}"), spec).await;
    }
    for (number, spec) in specs(0) {
        case.ready(REPOSITORY, &format!("fresh-{number}")).await;
        let [walked, fresh] = ["walk", "fresh"].map(|it| format!("{it}-{number}"));
        let mut walked = oracle::repository(&case, &walked).await;
        let mut fresh = oracle::repository(&case, &fresh).await;
        leave_out_what_is_not_managed(&spec, &mut walked);
        leave_out_what_is_not_managed(&spec, &mut fresh);
        oracle::alike(&format!("walk {number} of {spec}"), &walked, &fresh);
    }
    operator.kill().await;
    let operator = case.operator(Sweeps::Often);
    oracle::quiet(&case, &operator, &[DEV, PROD]).await;
    operator.kill().await;
}

/// Settings that a spec says nothing of are not managed: they stay as the spec before had them.
fn leave_out_what_is_not_managed(spec: &Value, shown: &mut Value) {
    for registry in [DEV, PROD].map(|it| format!("{it}/{}", super::REGION)) {
        if spec["scanOnPush"].is_null() {
            shown[&registry]["scan_on_push"] = Value::Null;
        }
        if spec["imageTagMutability"].is_null() {
            shown[&registry]["mutability"] = Value::Null;
            shown[&registry]["exclusions"] = Value::Null;
        }
    }
}

/// A valid spec, the same for the same seed. What ECR keeps for life is not in it.
fn spec(seed: u64) -> Value {
    let dice = |field: u64, sides: usize| chance(seed * 32 + field, sides);
    let mut spec = json!({"environments": ["CASE-dev", "CASE-prod"]});
    let mut maybe = |field: &str, choices: &[Value]| {
        let chosen = dice(field.len() as u64, choices.len() + 1);
        if let Some(value) = choices.get(chosen) {
            spec[field] = value.clone();
        }
    };
    maybe(
        "imageTagMutability",
        &[
            json!({"mode": "MUTABLE"}),
            json!({"mode": "IMMUTABLE"}),
            json!({"mode": "IMMUTABLE_WITH_EXCLUSION", "exclusionFilters": ["latest", "dev-*"]}),
            json!({"mode": "MUTABLE_WITH_EXCLUSION", "exclusionFilters": ["v*"]}),
        ],
    );
    maybe("scanOnPush", &[json!(true), json!(false)]);
    maybe(
        "lifecyclePolicyRef",
        &[json!({"name": "CASE-few"}), json!({"name": "CASE-many"})],
    );
    maybe(
        "access",
        &[
            json!({"pull": ["444444444444"]}),
            json!({"push": ["arn:aws:iam::555555555555:role/build"], "lambda": "Enabled"}),
            json!({"pull": ["o-abc1234567", "arn:aws:iam::444444444444:role/nodes"]}),
        ],
    );
    maybe(
        "tags",
        &[
            json!({"team": "a"}),
            json!({"team": "b", "tier": "gold"}),
            json!({"cost": "1"}),
        ],
    );
    if dice(0, 3) == 0 {
        spec["overrides"] =
            json!([{"environment": "CASE-prod", "scanOnPush": true, "tags": {"only": "prod"}}]);
    }
    spec
}

const POLICIES: &str = "
apiVersion: ecr-operator.dev/v1alpha1
kind: LifecyclePolicy
metadata: {name: CASE-few}
spec:
  rules:
  - priority: 1
    selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 5}
    action: {type: expire}
---
apiVersion: ecr-operator.dev/v1alpha1
kind: LifecyclePolicy
metadata: {name: CASE-many}
spec:
  rules:
  - priority: 1
    selection: {tagStatus: untagged, countType: sinceImagePushed, countNumber: 14, countUnit: days}
    action: {type: expire}
";

/// F24: AWS takes an edit for invalid. That is told and left at that, however often anybody looks,
/// until there is another edit.
#[tokio::test(flavor = "multi_thread")]
async fn f24_what_aws_refuses_is_not_asked_again_until_it_is_edited() {
    let case = Case::set("f24").await;
    case.environment("dev", DEV, json!({})).await;
    let spec = |account: &str| json!({"environments": ["CASE-dev"], "access": {"pull": [account]}});
    case.repository("api", spec("444444444444")).await;
    let operator = case.operator(Sweeps::Often);
    case.ready(REPOSITORY, "api").await;
    case.fault(Rule {
        repository: Some(format!("{}/api", case.name)),
        ..on("SetRepositoryPolicy", Effect::Refuse {
            code: "InvalidParameterException".to_owned(),
            message: "Invalid parameter at 'PolicyText' failed to satisfy constraint: 'Invalid repository policy provided'".to_owned(),
            status: 400,
        })
    });
    let since = case.now();
    case.repository("api", spec("666666666666")).await;
    case.because(REPOSITORY, "api", "Rejected").await;
    let message = case.message(REPOSITORY, "api").await;
    assert!(
        message.contains("Invalid repository policy provided"),
        "{message}"
    );
    oracle::quiet(&case, &operator, &[DEV]).await;
    let attempts = case.calls(since, DEV, "SetRepositoryPolicy").len();
    assert!(
        attempts <= 2,
        "{attempts} attempts at what AWS does not take"
    );

    case.emulator.faults().clear();
    let since = case.now();
    case.repository("api", spec("777777777777")).await;
    case.ready(REPOSITORY, "api").await;
    let taken: Vec<Entry> = case.calls(since, DEV, "SetRepositoryPolicy");
    assert_eq!(taken.len(), 1, "{taken:?}");
    operator.kill().await;
}
