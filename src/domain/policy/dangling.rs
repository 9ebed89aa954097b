//! Principals that are no more. When a role or user that a policy names is deleted, IAM shows its
//! unique id in place of its ARN, and the id stays even if a role of that name is made again.
//! Putting the ARN back fails while there is no such role, so it is told and not tried for ever.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html#principal-roles>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Document;
use crate::domain::json::as_list;

/// A statement without its AWS principals, and these.
type Statements = BTreeMap<String, BTreeSet<String>>;

impl Document {
    /// The ARNs of `desired` for which this document has unique ids of deleted roles or users, if
    /// that is all in which the two differ; `None` if anything else does, or nothing.
    pub fn dangling(&self, desired: &Self) -> Option<BTreeSet<String>> {
        let (observed, desired) = (self.by_meaning()?, desired.by_meaning()?);
        if !observed.keys().eq(desired.keys()) {
            return None;
        }
        let mut gone = BTreeSet::new();
        for (there, wanted) in observed.values().zip(desired.values()) {
            let ids = there.difference(wanted).count();
            let missing: BTreeSet<_> = wanted.difference(there).collect();
            let only_ids = there.difference(wanted).all(|it| is_unique_id(it));
            if !only_ids || ids != missing.len() || !missing.iter().all(|it| it.contains(":iam::"))
            {
                return None;
            }
            gone.extend(missing.into_iter().cloned());
        }
        (!gone.is_empty()).then_some(gone)
    }

    /// `None` where two statements differ in nothing but their principals: which one lost a role
    /// cannot be told.
    fn by_meaning(&self) -> Option<Statements> {
        let mut statements = Statements::new();
        for mut statement in self.statements() {
            let principals = match statement.get_mut("Principal") {
                Some(it) => it["AWS"].take(),
                None => Value::Null,
            };
            let principals = match principals {
                Value::Null => Vec::new(),
                list => as_list(list),
            };
            let names = principals
                .iter()
                .map(|it| it.as_str().unwrap_or_default().to_owned());
            let before = statements.insert(statement.to_string(), names.collect());
            if before.is_some() {
                return None;
            }
        }
        Some(statements)
    }
}

/// `AROA...` of a role or `AIDA...` of a user.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
fn is_unique_id(principal: &str) -> bool {
    let id = principal
        .strip_prefix("AROA")
        .or_else(|| principal.strip_prefix("AIDA"));
    id.is_some_and(|it| {
        it.len() >= 12
            && it
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests;
