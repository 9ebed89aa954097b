//! Whom a policy lets in. When in doubt the answer is [`Admitted::Anyone`]: it guards tenants
//! against each other, so a spelling that is not understood must not pass as narrow.

use std::collections::BTreeSet;

use serde_json::Value;

use super::statement::{account_of_root, arn_parts};
use crate::domain::names::AccountId;

/// Someone whom a statement admits.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Admitted {
    /// The whole world: a wildcard, or everybody but a few, that no condition narrows.
    Anyone,
    /// An AWS organization, by id.
    Organization(String),
    /// A whole account.
    Account(AccountId),
    /// One principal, by ARN, unique id or identity provider.
    Principal(String),
    /// An AWS service, on behalf of any of its customers.
    Service(String),
}

/// Whom one canonical statement admits.
pub(in crate::domain) fn admitted(statement: &Value) -> BTreeSet<Admitted> {
    if statement["Effect"] != "Allow" {
        return BTreeSet::new();
    }
    let Some(principals) = statement["Principal"].as_object() else {
        return narrowed(statement); // NotPrincipal, or nobody named
    };
    let mut admitted = BTreeSet::new();
    for (kind, list) in principals {
        let Some(list) = list.as_array() else {
            return narrowed(statement);
        };
        for text in list.iter().map(|it| it.as_str().unwrap_or("*")) {
            match principal(kind, text) {
                Admitted::Anyone => admitted.extend(narrowed(statement)),
                Admitted::Service(service) => match pinned(statement, customers) {
                    Some(customers) => admitted.extend(customers),
                    None => drop(admitted.insert(Admitted::Service(service))),
                },
                someone => {
                    admitted.insert(someone);
                }
            }
        }
    }
    admitted
}

fn principal(kind: &str, text: &str) -> Admitted {
    let has_wildcard = text.contains(['*', '?']);
    match kind {
        "AWS" => {
            if let Some(account) = account_of_root(text) {
                return Admitted::Account(account);
            }
            if has_wildcard {
                return account_of(text).map_or(Admitted::Anyone, Admitted::Account);
            }
            Admitted::Principal(text.to_owned())
        }
        _ if has_wildcard => Admitted::Anyone,
        "Service" => Admitted::Service(text.to_owned()),
        _ => Admitted::Principal(text.to_owned()),
    }
}

/// Whom a wildcard still admits under the statement's conditions.
fn narrowed(statement: &Value) -> BTreeSet<Admitted> {
    pinned(statement, callers).unwrap_or_else(|| BTreeSet::from([Admitted::Anyone]))
}

/// Whom the statement's conditions name, as `who` reads one of them. All conditions hold together,
/// so one that pins it suffices.
fn pinned(
    statement: &Value,
    who: fn(&str, &Value) -> Option<BTreeSet<Admitted>>,
) -> Option<BTreeSet<Admitted>> {
    let operators = statement["Condition"].as_object();
    operators
        .into_iter()
        .flatten()
        .filter(|(operator, _)| pins(operator))
        .filter_map(|(_, keys)| keys.as_object())
        .flatten()
        .find_map(|(key, values)| who(key, values))
}

/// Whether an operator holds only if the key is there and is one of the values. `IfExists` and
/// `ForAllValues:` hold for callers that do not have the key.
fn pins(operator: &str) -> bool {
    let operator = operator.strip_prefix("ForAnyValue:").unwrap_or(operator);
    matches!(
        operator,
        "StringEquals" | "StringEqualsIgnoreCase" | "StringLike" | "ArnEquals" | "ArnLike"
    )
}

/// The callers that a condition key's values name; `None` if it does not pin the caller.
fn callers(key: &str, values: &Value) -> Option<BTreeSet<Admitted>> {
    let caller: fn(&str) -> Option<Admitted> = match key {
        "aws:PrincipalOrgID" => |it| fixed(it).map(Admitted::Organization),
        "aws:PrincipalOrgPaths" => |it| fixed(it.split_once('/')?.0).map(Admitted::Organization),
        "aws:PrincipalAccount" => |it| it.parse().ok().map(Admitted::Account),
        "aws:PrincipalArn" => |it| match fixed(it) {
            Some(arn) => arn_parts(it).map(|_| Admitted::Principal(arn)),
            None => account_of(it).map(Admitted::Account),
        },
        _ => return None,
    };
    each(values, caller)
}

/// The customers for whom a service acts, that a condition key's values name.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/confused-deputy.html#cross-service-confused-deputy-prevention>
fn customers(key: &str, values: &Value) -> Option<BTreeSet<Admitted>> {
    let customer: fn(&str) -> Option<Admitted> = match key {
        "aws:SourceAccount" => |it| it.parse().ok().map(Admitted::Account),
        "aws:SourceArn" => |it| account_of(it).map(Admitted::Account),
        "aws:SourceOrgID" => |it| fixed(it).map(Admitted::Organization),
        "aws:SourceOrgPaths" => |it| fixed(it.split_once('/')?.0).map(Admitted::Organization),
        _ => return None,
    };
    each(values, customer)
}

fn each(values: &Value, who: fn(&str) -> Option<Admitted>) -> Option<BTreeSet<Admitted>> {
    let values = values.as_array().filter(|it| !it.is_empty())?;
    values.iter().map(|it| who(it.as_str()?)).collect()
}

fn fixed(text: &str) -> Option<String> {
    (!text.is_empty() && !text.contains(['*', '?', '$'])).then(|| text.to_owned())
}

/// The account part of an ARN whose other parts may be wildcards.
fn account_of(text: &str) -> Option<AccountId> {
    let [_, _, _, _, account, _] = arn_parts(text)?;
    account.parse().ok()
}

#[cfg(test)]
mod tests;
