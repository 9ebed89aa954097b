//! From a policy that somebody wrote back to typed statements, where there are such: the way back
//! from [`Document::from_statements`], exactly or not at all.

use std::collections::BTreeSet;

use serde_json::Value;

use super::statement::{Action, Condition, Effect, Principal, Statement};
use super::{Document, VERSION};
use crate::domain::json::Object;

/// Why a policy has no typed form; the element is named as IAM names it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{at} {problem}")]
pub struct Untyped {
    at: String,
    problem: String,
}

type Result<T> = std::result::Result<T, Untyped>;

impl Document {
    /// The statements that make this very document.
    ///
    /// # Errors
    /// When it says something that statements cannot.
    pub fn typed(&self) -> Result<Vec<Statement>> {
        let document: Object =
            serde_json::from_str(self.as_str()).expect("the canonical text is a JSON object");
        for (key, value) in &document {
            match key.as_str() {
                "Statement" => {}
                "Version" if value == VERSION => {}
                _ => return Err(untyped(key, format!("is {value}"))),
            }
        }
        let statements = self.statements().into_iter().enumerate();
        let statements: Vec<_> = statements
            .map(|(i, it)| statement(&format!("Statement[{i}]"), it))
            .collect::<Result<_>>()?;
        match Self::from_statements(&statements) {
            Ok(same) if same == *self => Ok(statements),
            Ok(_) => Err(untyped("the document", "reads otherwise when typed")),
            Err(invalid) => Err(untyped("the document", invalid.to_string())),
        }
    }
}

fn statement(at: &str, value: Value) -> Result<Statement> {
    let Value::Object(members) = value else {
        return Err(untyped(at, "is no object"));
    };
    let mut statement = Statement {
        sid: None,
        effect: Effect::Allow,
        principals: BTreeSet::new(),
        actions: BTreeSet::new(),
        conditions: Vec::new(),
    };
    for (key, value) in members {
        let at = format!("{at}.{key}");
        match key.as_str() {
            "Sid" => statement.sid = value.as_str().map(str::to_owned),
            "Effect" if value == "Deny" => statement.effect = Effect::Deny,
            "Effect" => {}
            "Principal" => statement.principals = principals(&at, &value)?,
            "Action" => statement.actions = parsed::<Action>(&at, &value)?,
            "Condition" => statement.conditions = conditions(&at, &value)?,
            _ => return Err(untyped(&at, "has no typed form")),
        }
    }
    Ok(statement)
}

fn principals(at: &str, value: &Value) -> Result<BTreeSet<Principal>> {
    let mut principals = BTreeSet::new();
    for (kind, names) in value.as_object().into_iter().flatten() {
        let at = format!("{at}.{kind}");
        if !matches!(kind.as_str(), "AWS" | "Service") {
            return Err(untyped(&at, "has no typed form"));
        }
        principals.extend(parsed::<Principal>(&at, names)?);
    }
    Ok(principals)
}

fn conditions(at: &str, value: &Value) -> Result<Vec<Condition>> {
    let mut conditions = Vec::new();
    for (operator, keys) in value.as_object().into_iter().flatten() {
        for (key, values) in keys.as_object().into_iter().flatten() {
            conditions.push(Condition {
                operator: operator.clone(),
                key: key.clone(),
                values: parsed(&format!("{at}.{operator}.{key}"), values)?,
            });
        }
    }
    Ok(conditions)
}

fn parsed<T: Ord + std::str::FromStr<Err: std::fmt::Display>>(
    at: &str,
    list: &Value,
) -> Result<BTreeSet<T>> {
    let texts = list.as_array().into_iter().flatten();
    let parse = |it: &Value| {
        let text = it.as_str().unwrap_or_default();
        text.parse()
            .map_err(|it: T::Err| untyped(at, it.to_string()))
    };
    texts.map(parse).collect()
}

fn untyped(at: &str, problem: impl Into<String>) -> Untyped {
    Untyped {
        at: at.to_owned(),
        problem: problem.into(),
    }
}

#[cfg(test)]
mod tests;
