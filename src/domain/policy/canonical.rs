//! One form for every spelling of a policy that means the same.

use serde_json::Value;

use super::statement::account_of_root;
use super::{ParseError, words};
use crate::domain::json::{Object, as_list, as_set, malformed, object, string};

/// What IAM assumes where no version is given.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>
const VERSION_WHEN_ABSENT: &str = "2008-10-17";

type Result<T> = std::result::Result<T, ParseError>;

/// The canonical form of a policy, and how many unknown elements were kept in it.
pub(super) fn document(value: Value) -> Result<(Value, usize)> {
    let mut unknown = 0;
    let mut document = Object::new();
    document.insert("Version".to_owned(), VERSION_WHEN_ABSENT.into());
    for (key, value) in object("document", value)? {
        match key.as_str() {
            "Version" | "Id" => {
                document.insert(key.clone(), string(&key, value)?.into());
            }
            "Statement" => {
                document.insert(key, statements(value, &mut unknown)?);
            }
            _ => {
                unknown += 1;
                document.insert(key, value);
            }
        }
    }
    if !document.contains_key("Statement") {
        return Err(malformed("document", "has no Statement"));
    }
    Ok((Value::Object(document), unknown))
}

/// Statements are a set: their order means nothing, and neither does saying one twice. They are
/// ordered by sid first, since that is what people look for.
fn statements(value: Value, unknown: &mut usize) -> Result<Value> {
    let mut statements = as_list(value)
        .into_iter()
        .enumerate()
        .map(|(index, it)| statement(&format!("Statement[{index}]"), it, unknown))
        .collect::<Result<Vec<_>>>()?;
    statements.sort_by_cached_key(|it| (it["Sid"].to_string(), it.to_string()));
    statements.dedup();
    Ok(Value::Array(statements))
}

fn statement(at: &str, value: Value, unknown: &mut usize) -> Result<Value> {
    let mut statement = Object::new();
    for (key, value) in object(at, value)? {
        let at = format!("{at}.{key}");
        let canonical = match key.as_str() {
            "Sid" => Value::String(string(&at, value)?),
            "Effect" => effect(&at, value)?,
            "Principal" | "NotPrincipal" => principals(&at, value, unknown)?,
            "Action" | "NotAction" => strings(&at, value, words::action)?,
            "Resource" | "NotResource" => strings(&at, value, str::to_owned)?,
            "Condition" => conditions(&at, value)?,
            _ => {
                *unknown += 1;
                value
            }
        };
        let says_nothing = match key.as_str() {
            "Sid" => canonical == "",
            "Condition" => canonical.as_object().is_some_and(Object::is_empty),
            _ => false,
        };
        if !says_nothing {
            statement.insert(key, canonical);
        }
    }
    if !statement.contains_key("Effect") {
        return Err(malformed(at, "has no Effect"));
    }
    Ok(Value::Object(statement))
}

fn effect(at: &str, value: Value) -> Result<Value> {
    match value.as_str() {
        Some("Allow" | "Deny") => Ok(value),
        _ => Err(malformed(at, "is neither Allow nor Deny")),
    }
}

/// `"*"` and `{"AWS": "*"}` mean the same in the policy of a resource.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-anonymous>
fn principals(at: &str, value: Value, unknown: &mut usize) -> Result<Value> {
    let anyone = Value::Array(vec!["*".into()]);
    if value == "*" {
        return Ok(Value::Object(
            [("AWS".to_owned(), anyone)].into_iter().collect(),
        ));
    }
    let mut principals = Object::new();
    for (kind, value) in object(at, value)? {
        let at = format!("{at}.{kind}");
        let list = match kind.as_str() {
            "AWS" => strings(&at, value, principal)?,
            "Service" | "Federated" | "CanonicalUser" => strings(&at, value, str::to_owned)?,
            _ => {
                *unknown += 1;
                value
            }
        };
        principals.insert(kind, list);
    }
    Ok(Value::Object(principals))
}

/// An account has two spellings; the id is the shorter, and knows no partition.
fn principal(text: &str) -> String {
    account_of_root(text).map_or_else(|| text.to_owned(), String::from)
}

fn conditions(at: &str, value: Value) -> Result<Value> {
    let mut operators = Object::new();
    for (operator, value) in object(at, value)? {
        let mut keys = Object::new();
        for (key, value) in object(&format!("{at}.{operator}"), value)? {
            let at = format!("{at}.{operator}.{key}");
            let values = as_list(value)
                .into_iter()
                .map(|it| condition_value(&at, it))
                .collect::<Result<Vec<_>>>()?;
            if keys
                .insert(words::condition_key(&key), as_set(values))
                .is_some()
            {
                return Err(malformed(at, "is there twice"));
            }
        }
        if !keys.is_empty() {
            operators.insert(operator, Value::Object(keys));
        }
    }
    Ok(Value::Object(operators))
}

/// IAM compares text: `true` and `"true"`, 5 and `"5"` are the same to it.
fn condition_value(at: &str, value: Value) -> Result<Value> {
    match value {
        Value::String(_) => Ok(value),
        Value::Bool(_) | Value::Number(_) => Ok(value.to_string().into()),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(malformed(at, "has a value that is no text"))
        }
    }
}

fn strings(at: &str, value: Value, canonical: fn(&str) -> String) -> Result<Value> {
    let list = as_list(value)
        .into_iter()
        .map(|it| Ok(canonical(&string(at, it)?).into()))
        .collect::<Result<Vec<_>>>()?;
    Ok(as_set(list))
}
