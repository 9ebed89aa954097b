//! IAM policy documents: read, judged, and spelled as ECR gives them back.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

mod condition;
mod judge;
mod spelling;

pub(crate) use judge::{Question, Verdict, judge, unknown_keys};
pub(crate) use spelling::canonical;

/// A policy document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Document {
    /// The policy language's version.
    pub(crate) version: String,
    /// The document's own name.
    pub(crate) id: Option<String>,
    /// What it says.
    pub(crate) statements: Vec<Statement>,
}

/// One statement of a document.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Statement {
    /// The statement's own name.
    pub(crate) sid: Option<String>,
    /// Whether it allows; otherwise it denies.
    pub(crate) allows: bool,
    /// Whom it is about; `None` in identity policies, which are about their identity.
    pub(crate) principal: Option<Scope<Principals>>,
    /// Which actions it is about.
    pub(crate) action: Scope<Vec<String>>,
    /// Which resources; `None`: the one that the document is attached to.
    pub(crate) resource: Option<Scope<Vec<String>>>,
    /// Under which conditions: operator, key, values.
    pub(crate) conditions: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// The members that were written as lists, be it of one entry.
    pub(crate) lists: BTreeSet<String>,
}

/// `Action` or `NotAction`, `Principal` or `NotPrincipal`, `Resource` or `NotResource`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Scope<T> {
    /// These.
    Only(T),
    /// All but these.
    AllBut(T),
}

/// Whom a statement is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Principals {
    /// `"*"`.
    Everyone,
    /// By kind: `AWS`, `Service`, `Federated`, `CanonicalUser`.
    Listed(BTreeMap<String, Vec<String>>),
}

impl Document {
    /// Reads a document from its text; `None` where it is no policy.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::from_value(&serde_json::from_str(text).ok()?)
    }

    /// Reads a document from its JSON; `None` where it is no policy.
    pub(crate) fn from_value(value: &Value) -> Option<Self> {
        let object = known(value, &["Version", "Id", "Statement"])?;
        let version = match object.get("Version") {
            None => "2008-10-17",
            Some(it) => it
                .as_str()
                .filter(|it| matches!(*it, "2008-10-17" | "2012-10-17"))?,
        };
        let statements = match object.get("Statement")? {
            Value::Array(items) => items
                .iter()
                .map(Statement::from_value)
                .collect::<Option<_>>()?,
            one => vec![Statement::from_value(one)?],
        };
        Some(Self {
            version: version.to_owned(),
            id: optional(object, "Id")?,
            statements,
        })
    }
}

impl Statement {
    fn from_value(value: &Value) -> Option<Self> {
        let members = [
            "Sid",
            "Effect",
            "Principal",
            "NotPrincipal",
            "Action",
            "NotAction",
            "Resource",
            "NotResource",
            "Condition",
        ];
        let object = known(value, &members)?;
        let allows = match object.get("Effect")?.as_str()? {
            "Allow" => true,
            "Deny" => false,
            _ => return None,
        };
        let action = scope(object, "Action", "NotAction", words)??;
        let conditions = object
            .get("Condition")
            .map_or(Some(BTreeMap::new()), conditions)?;
        Some(Self {
            sid: optional(object, "Sid")?,
            allows,
            principal: scope(object, "Principal", "NotPrincipal", principals)?,
            action,
            resource: scope(object, "Resource", "NotResource", words)?,
            conditions,
            lists: object
                .iter()
                .filter(|(_, it)| it.is_array())
                .map(|(name, _)| name.clone())
                .collect(),
        })
    }
}

/// The object, where it has no members but these.
fn known<'a>(value: &'a Value, members: &[&str]) -> Option<&'a Map<String, Value>> {
    value
        .as_object()
        .filter(|it| it.keys().all(|key| members.contains(&key.as_str())))
}

/// A text that may be missing; the outer `None` is one that is no text.
fn optional(object: &Map<String, Value>, name: &str) -> Option<Option<String>> {
    match object.get(name) {
        None => Some(None),
        Some(it) => it.as_str().map(|it| Some(it.to_owned())),
    }
}

/// One of two members that exclude each other; the outer `None` is a mistake.
fn scope<T>(
    object: &Map<String, Value>,
    only: &str,
    all_but: &str,
    read: fn(&Value) -> Option<T>,
) -> Option<Option<Scope<T>>> {
    match (object.get(only), object.get(all_but)) {
        (Some(it), None) => Some(Some(Scope::Only(read(it)?))),
        (None, Some(it)) => Some(Some(Scope::AllBut(read(it)?))),
        (None, None) => Some(None),
        (Some(_), Some(_)) => None,
    }
}

/// A text or a list of texts, at least one.
fn words(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(it) => Some(vec![it.clone()]),
        Value::Array(items) if !items.is_empty() => items
            .iter()
            .map(|it| it.as_str().map(str::to_owned))
            .collect(),
        _ => None,
    }
}

fn principals(value: &Value) -> Option<Principals> {
    if value.as_str() == Some("*") {
        return Some(Principals::Everyone);
    }
    let object = known(value, &["AWS", "Service", "Federated", "CanonicalUser"])?;
    let listed: BTreeMap<_, _> = object
        .iter()
        .map(|(kind, it)| Some((kind.clone(), words(it)?)))
        .collect::<Option<_>>()?;
    let is_principal = |it: &String| {
        it == "*"
            || is_account(it)
            || it.starts_with("arn:aws")
            || ["AIDA", "AROA"].iter().any(|kind| it.starts_with(kind))
    };
    let known = listed
        .get("AWS")
        .is_none_or(|it| it.iter().all(is_principal));
    (!listed.is_empty() && known).then_some(Principals::Listed(listed))
}

fn conditions(value: &Value) -> Option<BTreeMap<String, BTreeMap<String, Vec<String>>>> {
    let scalar = |it: &Value| match it {
        Value::String(it) => Some(it.clone()),
        Value::Bool(_) | Value::Number(_) => Some(it.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let values = |it: &Value| match it {
        Value::Array(items) => items.iter().map(scalar).collect::<Option<Vec<_>>>(),
        one => scalar(one).map(|it| vec![it]),
    };
    let keys = |it: &Value| -> Option<BTreeMap<String, Vec<String>>> {
        it.as_object()?
            .iter()
            .map(|(key, it)| Some((key.clone(), values(it)?)))
            .collect()
    };
    let operators = value.as_object()?.iter();
    operators
        .map(|(name, it)| condition::is_operator(name).then_some((name.clone(), keys(it)?)))
        .collect()
}

/// Whether this is the id of an AWS account.
pub(crate) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|it| it.is_ascii_digit())
}

#[cfg(test)]
mod tests;
