//! The documents themselves, as pure functions of who they are for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::domain::names::{AccountId, ClusterId};
use crate::domain::owner;
use crate::domain::pull_through::RoleArn;
use crate::domain::rights::{self, DEPENDENT, Dependent, Need, On, RIGHTS, Right};

/// What the operator never does, whatever else the role is allowed.
pub const NEVER: [&str; 4] = [
    "ecr:CompleteLayerUpload",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
];

/// What it does to the images of a repository that is deleted, and nowhere else.
const DELETES_IMAGES: &str = "ecr:BatchDeleteImage";

/// What a role is used for: the statements that its policy has.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// Looking: always there.
    Read,
    /// Making and changing repositories: where the environment is managed.
    Repositories,
    /// Deleting repositories with their images: where the environment has `allowDelete`.
    Deletion,
    /// Pull-through caches: where a `PullThroughRule` names the environment.
    Caches,
    /// Writing settings of the registry: where the environment has some, a repository replicates, or
    /// something is left to be taken out.
    Registry,
}

impl Part {
    /// The part that a need is met by.
    pub fn of(need: Need) -> Self {
        match need {
            Need::List
            | Need::ListCaches
            | Need::ListTemplates
            | Need::See(_)
            | Need::Read
            | Need::Ask => Self::Read,
            Need::Write | Need::Encrypt => Self::Repositories,
            Need::Delete => Self::Deletion,
            Need::Caches | Need::Templates | Need::Prewarm => Self::Caches,
            Need::Put(_) => Self::Registry,
        }
    }

    /// The `Sid` of its statement about these resources.
    fn sid(self, on: On) -> &'static str {
        match (self, on) {
            (Self::Read, On::Anything) => "Read",
            (Self::Read, On::Repositories) => "ReadRepositories",
            (_, On::Roles) => "ReadRoles",
            (Self::Repositories, _) => "Repositories",
            (Self::Deletion, _) => "Deletion",
            (Self::Caches, On::Anything) => "Caches",
            (Self::Caches, On::Repositories) => "CachesImages",
            (Self::Registry, _) => "Registry",
        }
    }
}

/// The role that the operator assumes in one account.
#[derive(Clone, Debug)]
pub struct Target {
    /// The partition: `aws`, `aws-cn` or `aws-us-gov`.
    pub partition: &'static str,
    /// Its account.
    pub account: AccountId,
    /// What the trust policy asks for; `None`: nothing.
    pub external_id: Option<String>,
    /// What it is used for.
    pub parts: BTreeSet<Part>,
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

/// Who may assume the target role: the operator's own roles in `hubs` alone, as this cluster, with the
/// external id. Condition keys: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-sts>
pub fn trust(target: &Target, hubs: &[&RoleArn], cluster: &ClusterId) -> Value {
    let tag = format!("aws:RequestTag/{}", owner::CLUSTER);
    let mut equals = BTreeMap::from([(tag, cluster.to_string())]);
    if let Some(id) = &target.external_id {
        equals.insert("sts:ExternalId".to_owned(), id.clone());
    }
    let principals = match hubs {
        [hub] => json!(hub.as_str()),
        hubs => json!(hubs.iter().map(|it| it.as_str()).collect::<Vec<_>>()),
    };
    document(&[json!({
        "Sid": "EcrOperator",
        "Effect": "Allow",
        "Principal": {"AWS": principals},
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
    for part in &target.parts {
        for on in [On::Anything, On::Repositories, On::Roles] {
            statements.extend(calls(*part, on, target, cluster));
        }
        let of_part = |it: &&Dependent| it.need().map(Part::of) == Some(*part);
        // What is also called is allowed for that already.
        let only_beside = |it: &&Dependent| RIGHTS.iter().all(|right| right.action != it.action);
        let dependent = DEPENDENT.iter().filter(of_part).filter(only_beside);
        statements.extend(dependent.map(|it| dependent_statement(it, target)));
    }
    statements.extend(never_to_another_cluster(target, cluster));
    statements.push(never_to_images(target));
    document(&statements)
}

/// What the role may do that images are listed by for admission: nothing else.
pub fn listing(target: &Target) -> Value {
    let calls = |on: On| {
        json!({
            "Sid": Part::Read.sid(on),
            "Effect": "Allow",
            "Action": sorted(rights::serving().filter(|it| it.on == on)),
            "Resource": target.resource(on),
        })
    };
    document(&[
        calls(On::Anything),
        calls(On::Repositories),
        never_to_images(target),
    ])
}

/// Denies to push, and to delete images where deletion is not allowed.
fn never_to_images(target: &Target) -> Value {
    let mut actions: BTreeSet<&str> = NEVER.into();
    if !target.parts.contains(&Part::Deletion) {
        actions.insert(DELETES_IMAGES);
    }
    json!({
        "Sid": "NeverToImages",
        "Effect": "Deny",
        "Action": actions,
        "Resource": "*",
    })
}

/// Denies every change of a repository that has another cluster's tag. Creating is harmless: ECR refuses
/// a name that is taken, and says that it is. `None`: the role changes none.
fn never_to_another_cluster(target: &Target, cluster: &ClusterId) -> Option<Value> {
    let changes = |it: &&Right| {
        matches!(it.need, Need::Write | Need::Delete) && it.action != "ecr:CreateRepository"
    };
    let actions = RIGHTS.iter().filter(changes);
    let actions = sorted(actions.filter(|it| target.parts.contains(&Part::of(it.need))));
    let tag = format!("aws:ResourceTag/{}", owner::CLUSTER);
    (!actions.is_empty()).then(|| {
        json!({
            "Sid": "NeverToAnotherCluster",
            "Effect": "Deny",
            "Action": actions,
            "Resource": target.repositories(),
            "Condition": {
                "Null": {&tag: "false"},
                "StringNotEquals": {&tag: cluster},
            },
        })
    })
}

impl Target {
    fn resource(&self, on: On) -> String {
        match on {
            On::Anything => "*".to_owned(),
            On::Repositories => self.repositories(),
            On::Roles => self.of_account("arn:PARTITION:iam::ACCOUNT:role/*"),
        }
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
    let of_part = |it: &&Right| Part::of(it.need) == part && it.on == on;
    let actions = sorted(RIGHTS.iter().filter(of_part));
    if actions.is_empty() {
        return None;
    }
    let mut statement = json!({
        "Sid": part.sid(on),
        "Effect": "Allow",
        "Action": actions,
        "Resource": target.resource(on),
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

fn sorted<'a>(rights: impl Iterator<Item = &'a Right>) -> BTreeSet<&'static str> {
    rights.map(|it| it.action).collect()
}

fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

#[cfg(test)]
mod tests;
