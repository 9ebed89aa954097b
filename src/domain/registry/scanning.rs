//! Scanning and signing: rules with filters in which `*` stands for anything.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning.html>
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/managed-signing.html>

use serde_json::Value;

use super::filters::{Joins, Rule, Shape};
use crate::domain::json::Object;

/// ECR has one rule for each frequency, and two of them at most.
pub(super) const SCANNING: Shape = Shape {
    field: "registry.scanning.rules",
    filter_type: "WILDCARD",
    most_rules: 2,
    key: |it| Some(it["scanFrequency"].as_str()?.to_owned()),
    of_key: |it| of("scanFrequency", it),
    joins: Joins::TheOne,
    too_many: |_| None,
    satisfies: is_there,
};

pub(super) const SIGNING: Shape = Shape {
    field: "registry.signing.rules",
    filter_type: "WILDCARD_MATCH",
    most_rules: 10,
    key: |it| Some(it["signingProfileArn"].as_str()?.to_owned()),
    of_key: |it| of("signingProfileArn", it),
    joins: Joins::Ours,
    too_many: |_| None,
    satisfies: is_there,
};

/// The frequency that a scan type has not.
pub(super) fn foreign_frequency(scan_type: &str) -> Option<&'static str> {
    match scan_type {
        "BASIC" => Some("CONTINUOUS_SCAN"),
        "ENHANCED" => Some("MANUAL"),
        _ => None,
    }
}

fn of(field: &str, key: &str) -> Object {
    [(field.to_owned(), Value::from(key))].into_iter().collect()
}

fn is_there(rules: &[Rule], key: &str, filter: &str) -> bool {
    let says_so = |it: &Rule| it.is_about_all() || it.filters.contains(filter);
    rules
        .iter()
        .any(|it| it.key.as_deref() == Some(key) && says_so(it))
}
