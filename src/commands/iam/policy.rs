//! The documents themselves, as pure functions of who they are for.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::actions::{DEPENDENT, Dependent, Holder, On, Part, right};
use crate::domain::names::{AccountId, ClusterId};
use crate::domain::owner;
use crate::domain::pull_through::RoleArn;
use crate::ecr::Operation;

/// What the operator never does, whatever else the role is allowed.
pub const NEVER: [&str; 5] = [
    "ecr:BatchDeleteImage",
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
];

/// The role that the operator assumes in one account.
#[derive(Clone, Debug)]
pub struct Target {
    /// The partition: `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: &'static str,
    /// Its account.
    pub account: AccountId,
    /// What the trust policy asks for; `None`: nothing.
    pub external_id: Option<String>,
    /// What it is used for; [`Part::Read`] and [`Part::Repositories`] always are.
    pub parts: Vec<Part>,
}

/// What the operator's own role may do: assume these roles.
pub fn hub(roles: &[RoleArn]) -> Value {
    let roles: Vec<&str> = roles.iter().map(RoleArn::as_str).collect();
    document(&[json!({
        "Sid": "AssumeTargetRoles",
        "Effect": "Allow",
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Resource": roles,
    })])
}

/// Who may assume the target role: the operator's own role alone, as this cluster, with the external
/// id. Condition keys: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-sts>
pub fn trust(target: &Target, hub: &RoleArn, cluster: &ClusterId) -> Value {
    let tag = format!("aws:RequestTag/{}", owner::CLUSTER);
    let mut equals = BTreeMap::from([(tag, cluster.to_string())]);
    if let Some(id) = &target.external_id {
        equals.insert("sts:ExternalId".to_owned(), id.clone());
    }
    document(&[json!({
        "Sid": "EcrOperator",
        "Effect": "Allow",
        "Principal": {"AWS": hub.as_str()},
        "Action": ["sts:AssumeRole", "sts:TagSession"],
        "Condition": {
            "StringEquals": equals,
            "StringLike": {"sts:RoleSessionName": "ecr-operator@*"},
        },
    })])
}

/// What the target role may do: what the operator calls and nothing else, and nothing at all to the
/// repositories of another cluster.
pub fn permissions(target: &Target, cluster: &ClusterId) -> Value {
    let mut statements = Vec::new();
    for part in target.parts() {
        for on in [On::Anything, On::Repositories, On::Roles] {
            statements.extend(calls(part, on, target, cluster));
        }
        let of_part = |it: &&Dependent| it.holder == Holder::Target(part);
        let dependent = DEPENDENT.iter().filter(of_part);
        statements.extend(dependent.map(|it| dependent_statement(it, target)));
    }
    let cluster_tag = format!("aws:ResourceTag/{}", owner::CLUSTER);
    // Creating is harmless: ECR refuses a name that is taken, and says that it is.
    let changes = |it: &&Operation| **it != Operation::CreateRepository;
    let own = Operation::ALL.iter().filter(changes).map(|it| right(*it));
    let writes = own.filter(|it| {
        it.on == On::Repositories && it.part != Part::Caches && target.parts().contains(&it.part)
    });
    let writes: Vec<String> = writes.map(|it| it.action).collect();
    statements.push(json!({
        "Sid": "NeverToAnotherCluster",
        "Effect": "Deny",
        "Action": sorted(writes),
        "Resource": target.repositories(),
        "Condition": {
            "Null": {&cluster_tag: "false"},
            "StringNotEquals": {&cluster_tag: cluster},
        },
    }));
    statements.push(json!({
        "Sid": "NeverToImages",
        "Effect": "Deny",
        "Action": NEVER,
        "Resource": "*",
    }));
    document(&statements)
}

impl Target {
    fn parts(&self) -> Vec<Part> {
        let mut parts = vec![Part::Read, Part::Repositories];
        parts.extend(&self.parts);
        parts.sort_unstable();
        parts.dedup();
        parts
    }

    fn repositories(&self) -> String {
        self.of_account("arn:PARTITION:ecr:*:ACCOUNT:repository/*")
    }

    fn of_account(&self, arn: &str) -> String {
        arn.replace("PARTITION", self.partition)
            .replace("ACCOUNT", self.account.as_str())
    }
}

/// The calls of a part on one form of resource; `None`: there are none.
fn calls(part: Part, on: On, target: &Target, cluster: &ClusterId) -> Option<Value> {
    let rights = Operation::ALL.iter().map(|it| right(*it));
    let actions = rights.filter(|it| it.part == part && it.on == on);
    let actions = sorted(actions.map(|it| it.action).collect());
    if actions.is_empty() {
        return None;
    }
    let (sid, resource) = match on {
        On::Repositories if part != Part::Caches => (part.sid().to_owned(), target.repositories()),
        On::Repositories => (format!("{}Images", part.sid()), target.repositories()),
        On::Roles => (
            format!("{}Roles", part.sid()),
            target.of_account("arn:PARTITION:iam::ACCOUNT:role/*"),
        ),
        On::Anything | On::Nothing => (part.sid().to_owned(), "*".to_owned()),
    };
    let mut statement = json!({
        "Sid": sid,
        "Effect": "Allow",
        "Action": actions,
        "Resource": resource,
    });
    if part == Part::Deletion {
        let tag = format!("aws:ResourceTag/{}", owner::CLUSTER);
        statement["Condition"] = json!({"StringEquals": {tag: cluster}});
    }
    Some(statement)
}

/// One action that AWS checks beside a call; each has a condition or a resource of its own.
fn dependent_statement(it: &Dependent, target: &Target) -> Value {
    let name = it.action.replace(':', " ");
    let words = name.split(' ').map(|word| {
        let (first, rest) = word.split_at(1);
        first.to_uppercase() + rest
    });
    let mut statement = json!({
        "Sid": format!("{}For{}", words.collect::<String>(), it.of),
        "Effect": "Allow",
        "Action": it.action,
        "Resource": target.of_account(it.on),
    });
    if let Some((operator, key, value)) = it.only {
        statement["Condition"] = json!({operator: {key: value}});
    }
    statement
}

fn sorted(mut actions: Vec<String>) -> Vec<String> {
    actions.sort_unstable();
    actions.dedup();
    actions
}

fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

#[cfg(test)]
mod tests;
