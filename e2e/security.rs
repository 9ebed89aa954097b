//! `docs/security.md`, held to the truth: its tables are made from the rules and policies that the chart
//! installs and from the rights that `ecr-operator iam` prints. `UPDATE_EXPECT=1` writes them again.

use std::collections::BTreeMap;

use ecr_operator::commands::iam::policy::{self, Part, Target};
use ecr_operator::commands::rights::POLICIES;
use expect_test::expect_file;
use k8s_openapi::api::admissionregistration::v1::ValidatingAdmissionPolicySpec;
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::Value;

const PAGE: &str = include_str!("../docs/security.md");
const WRITES: [&str; 4] = ["create", "update", "patch", "delete"];

/// The rules of a ServiceAccount, by where they hold.
type Rules<'a> = &'a [(&'a str, &'a str)];

/// Of what leads.
const CONTROLLER: Rules = &[
    (
        "the cluster",
        include_str!("../charts/ecr-operator/files/cluster-rules.yaml"),
    ),
    (
        "its namespace",
        include_str!("../charts/ecr-operator/files/namespace-rules.yaml"),
    ),
    (
        "the probe namespace",
        include_str!("../charts/ecr-operator/files/probe-rules.yaml"),
    ),
];

/// Of what serves.
const WEBHOOK: Rules = &[
    (
        "the cluster",
        include_str!("../charts/ecr-operator/files/webhook-cluster-rules.yaml"),
    ),
    (
        "its namespace",
        include_str!("../charts/ecr-operator/files/webhook-namespace-rules.yaml"),
    ),
];

type Policies = BTreeMap<String, ValidatingAdmissionPolicySpec>;

#[test]
fn tables_are_those_of_rules_policies_and_rights() {
    let policies: Policies = serde_saphyr::from_str(POLICIES).unwrap();
    let (target, cluster) = (target(), "CLUSTER".parse().unwrap());
    let mut page = PAGE.to_owned();
    for (name, table) in [
        ("ecr-operator", of_rules(CONTROLLER, &policies)),
        ("ecr-operator-webhook", of_rules(WEBHOOK, &policies)),
        ("policies", of_policies(&policies)),
        (
            "aws",
            of_statements(&policy::permissions(&target, &cluster)),
        ),
        ("aws-listing", of_statements(&policy::listing(&target))),
    ] {
        page = with(&page, name, &table);
    }
    expect_file!["../docs/security.md"].assert_eq(&page);
}

/// The page with another table between the comments `<!-- NAME -->` and `<!-- end of NAME -->`.
fn with(page: &str, name: &str, table: &str) -> String {
    let (begin, end) = (
        format!("<!-- {name} -->\n"),
        format!("<!-- end of {name} -->"),
    );
    let (before, rest) = page.split_once(&begin).unwrap();
    let (_, after) = rest.split_once(&end).unwrap();
    format!("{before}{begin}\n{table}\n{end}{after}")
}

fn of_rules(rules: Rules<'_>, policies: &Policies) -> String {
    let mut table = "| in | may | on | limited by policy |\n|---|---|---|---|\n".to_owned();
    for (place, text) in rules {
        let rules: Vec<PolicyRule> = serde_saphyr::from_str(text).unwrap();
        for rule in rules {
            let verbs = rule.verbs.join(", ");
            let held = held(&rule, policies).join(", ");
            table += &format!("| {place} | {verbs} | {} | {held} |\n", objects(&rule));
        }
    }
    table
}

/// `secrets ecr-operator-webhook`, `pods`, `environmentaccounts.ecr-operator.dev`.
fn objects(rule: &PolicyRule) -> String {
    let names = rule.resource_names.iter().flatten().cloned();
    let names = names.collect::<Vec<_>>().join("`, `");
    let names = match names.as_str() {
        "" => String::new(),
        names => format!(" named `{names}`"),
    };
    let groups = rule.api_groups.iter().flatten();
    let resources = groups.flat_map(|group| {
        let resources = rule.resources.iter().flatten();
        resources.map(move |it| match group.as_str() {
            "" | "ecr-operator.dev" => format!("`{it}`"),
            group => format!("`{it}.{group}`"),
        })
    });
    resources.collect::<Vec<_>>().join(", ") + &names
}

/// The policies that look at a write of this rule.
fn held(rule: &PolicyRule, policies: &Policies) -> Vec<String> {
    if !rule.verbs.iter().any(|it| WRITES.contains(&it.as_str())) {
        return Vec::new();
    }
    let looks_at = |policy: &ValidatingAdmissionPolicySpec| {
        let constraints = policy.match_constraints.as_ref().unwrap();
        constraints.resource_rules.iter().flatten().any(|it| {
            let is_of = |group: &String| it.api_groups.iter().flatten().any(|it| it == group);
            let is_one = |resource: &String| {
                it.resources.iter().flatten().any(|it| match it.as_str() {
                    "*" => !resource.contains('/'),
                    it => it == resource,
                })
            };
            rule.api_groups.iter().flatten().any(is_of)
                && rule.resources.iter().flatten().any(is_one)
        })
    };
    let held = policies.iter().filter(|(_, it)| looks_at(it));
    held.map(|(name, _)| format!("`{name}`")).collect()
}

fn of_policies(policies: &Policies) -> String {
    let mut table = "| policy | what it holds |\n|---|---|\n".to_owned();
    for (name, policy) in policies {
        for validation in policy.validations.iter().flatten() {
            let message = validation.message.as_deref().unwrap();
            table += &format!("| `{name}` | {message} |\n");
        }
    }
    table
}

/// The account of an environment that uses everything that there is.
fn target() -> Target {
    Target {
        partition: "aws",
        account: "111111111111".parse().unwrap(),
        external_id: None,
        parts: [
            Part::Read,
            Part::Repositories,
            Part::Deletion,
            Part::Caches,
            Part::Registry,
        ]
        .into(),
    }
}

fn of_statements(policy: &Value) -> String {
    let mut table = "| statement | | actions | only where |\n|---|---|---|---|\n".to_owned();
    for statement in policy["Statement"].as_array().unwrap() {
        let text = |field: &str| statement[field].as_str().unwrap_or_default();
        let actions = list(&statement["Action"]).join(", ");
        let conditions = conditions(&statement["Condition"]).join("; ");
        let (sid, effect) = (text("Sid"), text("Effect"));
        table += &format!("| {sid} | {effect} | {actions} | {conditions} |\n");
    }
    table
}

fn conditions(condition: &Value) -> Vec<String> {
    let operators = condition.as_object().into_iter().flatten();
    let conditions = operators.flat_map(|(operator, keys)| {
        let keys = keys.as_object().unwrap().iter();
        keys.map(move |(key, values)| format!("{key} {operator} {}", list(values).join(", ")))
    });
    conditions.collect()
}

fn list(value: &Value) -> Vec<String> {
    match value {
        Value::Array(values) => values
            .iter()
            .map(|it| it.as_str().unwrap().to_owned())
            .collect(),
        value => vec![value.as_str().unwrap().to_owned()],
    }
}
