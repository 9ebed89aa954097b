//! What canonical documents share: their JSON taken apart, its hash, and lists that are sets.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// A JSON object; its keys are in order, so that writing it is canonical.
pub(super) type Object = Map<String, Value>;

/// Why a text is no document of its kind.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// It is not JSON.
    #[error("the document is no JSON")]
    Json(#[source] serde_json::Error),
    /// It is JSON of another shape.
    #[error("{at} {problem}")]
    Malformed {
        /// The element, for example `Statement[0].Principal`.
        at: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

pub(super) fn malformed(at: impl Into<String>, problem: &'static str) -> ParseError {
    let at = at.into();
    ParseError::Malformed { at, problem }
}

pub(super) fn parse(text: &str) -> Result<Value, ParseError> {
    serde_json::from_str(text).map_err(ParseError::Json)
}

pub(super) fn object(at: &str, value: Value) -> Result<Object, ParseError> {
    match value {
        Value::Object(object) => Ok(object),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            Err(malformed(at, "is no object"))
        }
    }
}

pub(super) fn array(at: &str, value: Value) -> Result<Vec<Value>, ParseError> {
    match value {
        Value::Array(list) => Ok(list),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Err(malformed(at, "is no list"))
        }
    }
}

pub(super) fn string(at: &str, value: Value) -> Result<String, ParseError> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            Err(malformed(at, "is no text"))
        }
    }
}

/// SHA-256 of `text` as lower-case hexadecimal digits.
pub(super) fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes())
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Sorts a list that means a set and drops what is there twice.
pub(super) fn as_set(mut list: Vec<Value>) -> Value {
    list.sort_by_cached_key(Value::to_string);
    list.dedup();
    Value::Array(list)
}

/// A value, or a list of values, as a list: both spell the same in AWS's documents.
pub(super) fn as_list(value: Value) -> Vec<Value> {
    match value {
        Value::Array(list) => list,
        one => vec![one],
    }
}
