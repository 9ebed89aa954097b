//! One form for every spelling of a lifecycle policy that means the same.

use serde_json::Value;

use super::ParseError;
use crate::domain::json::{Object, array, as_set, malformed, object};

type Result<T> = std::result::Result<T, ParseError>;

/// The canonical form of a lifecycle policy, and how many unknown elements were kept in it.
pub(super) fn document(value: Value) -> Result<(Value, usize)> {
    let mut unknown = 0;
    let mut document = Object::new();
    for (key, value) in object("document", value)? {
        if key == "rules" {
            document.insert(key, rules(value, &mut unknown)?);
        } else {
            unknown += 1;
            document.insert(key, value);
        }
    }
    if !document.contains_key("rules") {
        return Err(malformed("document", "has no rules"));
    }
    Ok((Value::Object(document), unknown))
}

fn rules(value: Value, unknown: &mut usize) -> Result<Value> {
    let mut rules = array("rules", value)?
        .into_iter()
        .enumerate()
        .map(|(index, it)| rule(&format!("rules[{index}]"), it, unknown))
        .collect::<Result<Vec<_>>>()?;
    rules.sort_by_cached_key(|it| (it["rulePriority"].as_u64(), it.to_string()));
    Ok(Value::Array(rules))
}

fn rule(at: &str, value: Value, unknown: &mut usize) -> Result<Value> {
    let mut rule = Object::new();
    for (key, value) in object(at, value)? {
        let canonical = match key.as_str() {
            "rulePriority" => number(&format!("{at}.{key}"), &value)?,
            "description" if value == "" => continue,
            "description" => value,
            "selection" => selection(&format!("{at}.{key}"), value, unknown)?,
            "action" => action(&format!("{at}.{key}"), value, unknown)?,
            _ => {
                *unknown += 1;
                value
            }
        };
        rule.insert(key, canonical);
    }
    for key in ["rulePriority", "selection", "action"] {
        if !rule.contains_key(key) {
            return Err(malformed(at, "lacks its priority, selection or action"));
        }
    }
    Ok(Value::Object(rule))
}

fn selection(at: &str, value: Value, unknown: &mut usize) -> Result<Value> {
    let mut selection = Object::new();
    for (key, value) in object(at, value)? {
        let canonical = match key.as_str() {
            // All patterns of a rule must match, so their order means nothing.
            "tagPatternList" | "tagPrefixList" => {
                let list = array(&format!("{at}.{key}"), value)?;
                if list.is_empty() {
                    continue;
                }
                as_set(list)
            }
            "storageClass" if value == "standard" => continue, // what its absence means
            "countNumber" => number(&format!("{at}.{key}"), &value)?,
            "tagStatus" | "countType" | "countUnit" | "storageClass" => value,
            _ => {
                *unknown += 1;
                value
            }
        };
        selection.insert(key, canonical);
    }
    Ok(Value::Object(selection))
}

fn action(at: &str, value: Value, unknown: &mut usize) -> Result<Value> {
    let action = object(at, value)?;
    let known = |key: &String| matches!(key.as_str(), "type" | "targetStorageClass");
    *unknown += action.keys().filter(|it| !known(it)).count();
    Ok(Value::Object(action))
}

fn number(at: &str, value: &Value) -> Result<Value> {
    let number = value
        .as_u64()
        .ok_or_else(|| malformed(at, "is no whole number"))?;
    Ok(number.into())
}
