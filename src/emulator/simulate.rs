//! AWS IAM, as far as a preflight asks it: `SimulatePrincipalPolicy`.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::iam::{Document, Question, Verdict, judge, unknown_keys};
use super::protocol;
use super::refusal::Refusal;

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Simulate {
    policy_source_arn: String,
    action_names: Vec<String>,
    resource_arns: Vec<String>,
    context_entries: Vec<ContextEntry>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct ContextEntry {
    context_key_name: String,
    context_key_values: Vec<String>,
}

/// Answers an operation of IAM.
pub(crate) fn answer(call: &mut Call<'_>, operation: &str, input: &Value) -> Answer {
    match operation {
        "SimulatePrincipalPolicy" => simulate(call, input),
        _ => Err(protocol::invalid_action(operation).into()),
    }
}

/// What the policies of a declared role or user say; others may do everything.
fn simulate(call: &Call<'_>, input: &Value) -> Answer {
    let asked = Simulate::deserialize(input)
        .map_err(|it| Refusal::new("ValidationError", it.to_string()))?;
    if asked.action_names.is_empty() {
        return Err(Refusal::new("ValidationError", "At least one action must be given").into());
    }
    may_ask(call, &asked.policy_source_arn)?;
    let policies = policies(call, &asked.policy_source_arn)?;
    let entries = asked.context_entries.into_iter();
    let context: BTreeMap<String, Vec<String>> = entries
        .map(|it| (it.context_key_name.to_lowercase(), it.context_key_values))
        .collect();
    let policies = policies.as_deref();
    let result = |action: &String| {
        let decided = |resource: &str| {
            let question = Question {
                account: "",
                names: &[],
                action,
                resource,
                context: &context,
            };
            let verdict = policies.map_or(Verdict::Allowed, |it| judge(it, &question));
            (
                verdict,
                policies
                    .map(|it| unknown_keys(it, &question))
                    .unwrap_or_default(),
            )
        };
        result(action, &asked.resource_arns, decided)
    };
    let results: Vec<Value> = asked.action_names.iter().map(result).collect();
    Ok(json!({"EvaluationResults": results, "IsTruncated": false}))
}

/// One result for an action: the most restrictive decision over all resources, and that on each.
/// <https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html>
fn result(
    action: &str,
    resources: &[String],
    decided: impl Fn(&str) -> (Verdict, BTreeSet<String>),
) -> Value {
    if resources.is_empty() {
        let (verdict, missing) = decided("*");
        return json!({
            "EvalActionName": action,
            "EvalResourceName": "*",
            "EvalDecision": word(verdict),
            "MatchedStatements": [],
            "MissingContextValues": missing,
        });
    }
    let decisions: Vec<_> = resources.iter().map(|it| (it, decided(it))).collect();
    let worst = decisions.iter().map(|(_, (verdict, _))| *verdict);
    let worst = worst.max_by_key(|it| match it {
        Verdict::Allowed => 0,
        Verdict::Silent => 1,
        Verdict::Denied => 2,
    });
    let all: BTreeSet<&String> = decisions.iter().flat_map(|(_, (_, it))| it).collect();
    let specific = decisions.iter().map(|(resource, (verdict, missing))| {
        json!({
            "EvalResourceName": resource,
            "EvalResourceDecision": word(*verdict),
            "MatchedStatements": [],
            "MissingContextValues": missing,
        })
    });
    json!({
        "EvalActionName": action,
        "EvalResourceName": "*",
        "EvalDecision": word(worst.unwrap_or(Verdict::Silent)),
        "MatchedStatements": [],
        "MissingContextValues": all,
        "ResourceSpecificResults": specific.collect::<Vec<_>>(),
    })
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Allowed => "allowed",
        Verdict::Denied => "explicitDeny",
        Verdict::Silent => "implicitDeny",
    }
}

/// Refuses a caller whose own policies do not let them look at others'.
fn may_ask(call: &Call<'_>, arn: &str) -> Result<(), Refusal> {
    let context = call.context();
    let question = call
        .caller
        .asks("iam:SimulatePrincipalPolicy", arn, &context);
    let answer = call.caller.permit(&question, &[], &call.caller.account);
    answer.map_err(|it| {
        Refusal {
            code: "AccessDenied".to_owned(),
            ..it
        }
        .with_status(403)
    })
}

/// The policies of a principal; `None`: it is not declared and may do everything.
fn policies(call: &Call<'_>, arn: &str) -> Result<Option<Vec<Document>>, Refusal> {
    let mut parts = arn.splitn(6, ':').skip(4);
    let (account, resource) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let Some((kind, name)) = resource.split_once('/').filter(|_| arn.contains(":iam::")) else {
        let message =
            format!("Invalid Entity Arn: {arn} does not clearly define entity type and name.");
        return Err(Refusal::new("InvalidInput", message));
    };
    let missing = || {
        let message = format!("The {kind} with name {name} cannot be found.");
        Refusal::new("NoSuchEntity", message).with_status(404)
    };
    let Some(declared) = call.state.accounts.get(account) else {
        return Ok(None);
    };
    let held = match (kind, &declared.roles) {
        ("role", None) => return Ok(None),
        ("role", Some(roles)) => &roles.get(name).ok_or_else(missing)?.policies,
        _ => &declared.users.get(name).ok_or_else(missing)?.policies,
    };
    Ok(held
        .as_ref()
        .map(|it| it.iter().filter_map(Document::from_value).collect()))
}
