//! What canonical documents share: JSON text in one form, its hash, and lists that are sets.

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

/// A JSON object; its keys are in order, so that writing it is canonical.
pub(super) type Object = Map<String, Value>;

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
