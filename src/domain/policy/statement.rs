//! Statements as people write them in a spec, and the document that they make.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde_json::{Value, json};

use super::{Invalid, VERSION, words};
use crate::domain::json::Object;
use crate::domain::names::{AccountId, InvalidName};

/// One statement of a repository policy. ECR's have no resource: it is the repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statement {
    /// What people call it; unique in its policy.
    pub sid: Option<String>,
    /// Whether it allows or denies.
    pub effect: Effect,
    /// Whom it is about; at least one.
    pub principals: BTreeSet<Principal>,
    /// What they may or may not do; at least one.
    pub actions: BTreeSet<Action>,
    /// When it holds: all of these together.
    pub conditions: Vec<Condition>,
}

/// What a statement does with a request that it matches.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Effect {
    /// Lets it through, unless another statement denies it.
    Allow,
    /// Refuses it, whatever other statements say.
    Deny,
}

/// Whom a statement is about.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Principal {
    /// Everybody: `*`.
    Anyone,
    /// All that an account lets act: twelve digits, or the ARN of its root.
    Account(AccountId),
    /// A role, user or session, by ARN without wildcards.
    Arn(String),
    /// An AWS service, for example `lambda.amazonaws.com`.
    Service(String),
}

/// An action such as `ecr:BatchGetImage` or `ecr:Get*`, in AWS's spelling.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Action(String);

/// One test of a request: `key` compared by `operator` with any of `values`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Condition {
    /// For example `StringEquals`.
    pub operator: String,
    /// For example `aws:PrincipalOrgID`.
    pub key: String,
    /// What it is compared with; at least one.
    pub values: BTreeSet<String>,
}

impl FromStr for Principal {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text == "*" {
            return Ok(Self::Anyone);
        }
        if let Some(account) = account_of_root(text) {
            return Ok(Self::Account(account));
        }
        if is_principal_arn(text) {
            return Ok(Self::Arn(text.to_owned()));
        }
        if is_service(text) {
            return Ok(Self::Service(text.to_owned()));
        }
        Err(InvalidName {
            text: text.to_owned(),
            kind: "principal",
            rule: "an account id, the ARN of a role or user without wildcards, an AWS service, or *",
        })
    }
}

impl FromStr for Action {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let of_ecr = text.split_once(':').is_some_and(|(service, name)| {
            service.eq_ignore_ascii_case("ecr")
                && !name.is_empty()
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'*' | b'?'))
        });
        if of_ecr || text == "*" {
            Ok(Self(words::action(text)))
        } else {
            Err(InvalidName {
                text: text.to_owned(),
                kind: "action",
                rule: "an action of Amazon ECR, like ecr:BatchGetImage or ecr:Get*",
            })
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The account that twelve digits or the ARN of a root user name. The partition says nothing
/// more: a policy names principals of its own partition only.
pub(super) fn account_of_root(text: &str) -> Option<AccountId> {
    text.parse().ok().or_else(|| {
        let ["arn", _, "iam", "", account, "root"] = arn_parts(text)?[..] else {
            return None;
        };
        account.parse().ok()
    })
}

/// The six parts of an ARN.
pub(super) fn arn_parts(text: &str) -> Option<[&str; 6]> {
    text.splitn(6, ':').collect::<Vec<_>>().try_into().ok()
}

fn is_principal_arn(text: &str) -> bool {
    let Some(["arn", partition, "iam" | "sts", "", account, resource]) = arn_parts(text) else {
        return false;
    };
    partition.starts_with("aws")
        && account.parse::<AccountId>().is_ok()
        && resource
            .split_once('/')
            .is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty())
        && !text.contains(['*', '?', ' '])
}

fn is_service(text: &str) -> bool {
    let name = text
        .strip_suffix(".amazonaws.com")
        .or_else(|| text.strip_suffix(".amazonaws.com.cn"));
    name.is_some_and(|it| {
        !it.is_empty()
            && it
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'))
    })
}

/// The JSON of a policy of these statements.
pub(super) fn document(statements: &[Statement]) -> Result<Value, Invalid> {
    if statements.is_empty() {
        return Err(Invalid::NoStatements);
    }
    let mut sids = BTreeSet::new();
    let mut values = Vec::new();
    for (index, statement) in statements.iter().enumerate() {
        if let Some(sid) = statement.sid.as_ref().filter(|it| !sids.insert(*it)) {
            let sid = sid.clone();
            return Err(Invalid::SidTaken {
                statement: index,
                sid,
            });
        }
        values.push(statement.value(index)?);
    }
    Ok(json!({"Version": VERSION, "Statement": values}))
}

impl Statement {
    fn value(&self, index: usize) -> Result<Value, Invalid> {
        let Self {
            sid,
            effect,
            principals,
            actions,
            conditions,
        } = self;
        let empty = |field| Invalid::Empty {
            statement: index,
            field,
        };
        if principals.is_empty() {
            return Err(empty("principals"));
        }
        if actions.is_empty() {
            return Err(empty("actions"));
        }
        let effect = match effect {
            Effect::Allow => "Allow",
            Effect::Deny => "Deny",
        };
        let actions: Vec<_> = actions.iter().map(ToString::to_string).collect();
        let mut value = json!({
            "Effect": effect,
            "Principal": principals_value(principals),
            "Action": actions,
            "Condition": conditions_value(index, conditions)?,
        });
        if let Some(sid) = sid {
            value["Sid"] = json!(sid);
        }
        Ok(value)
    }
}

fn principals_value(principals: &BTreeSet<Principal>) -> Value {
    let (mut aws, mut services) = (Vec::new(), Vec::new());
    for principal in principals {
        match principal {
            Principal::Anyone => aws.push("*"),
            Principal::Account(account) => aws.push(account.as_str()),
            Principal::Arn(arn) => aws.push(arn),
            Principal::Service(service) => services.push(service.as_str()),
        }
    }
    let kinds = [("AWS", aws), ("Service", services)];
    let present = kinds.into_iter().filter(|(_, list)| !list.is_empty());
    Value::Object(
        present
            .map(|(kind, list)| (kind.to_owned(), json!(list)))
            .collect(),
    )
}

fn conditions_value(index: usize, conditions: &[Condition]) -> Result<Value, Invalid> {
    let mut operators = Object::new();
    for Condition {
        operator,
        key,
        values,
    } in conditions
    {
        if !words::is_operator(operator) {
            return Err(Invalid::UnknownOperator {
                statement: index,
                operator: operator.clone(),
            });
        }
        if values.is_empty() || key.is_empty() {
            return Err(Invalid::Empty {
                statement: index,
                field: "conditions",
            });
        }
        let key = words::condition_key(key);
        let keys = operators
            .entry(operator)
            .or_insert_with(|| Value::Object(Object::new()));
        if keys.get(&key).is_some() {
            return Err(Invalid::SameConditionTwice {
                statement: index,
                operator: operator.clone(),
                key,
            });
        }
        keys[key] = json!(values);
    }
    Ok(Value::Object(operators))
}
