//! Statements of the registry policy. Ours are known by their sid, which has a mark of the cluster in
//! it, so that no two clusters ever write the same statement.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions.html>

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::domain::json::{self, Object, as_list};
use crate::domain::names::ClusterId;
use crate::domain::policy;
use crate::domain::repository::{Difference, Reading};

/// The longest registry policy that ECR takes, in characters.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutRegistryPolicy.html>
pub(super) const LONGEST: usize = 10_240;

pub(super) const FIELD: &str = "registry.policyStatements";

/// The sid that the statement `name` of a cluster has in the registry policy.
pub fn sid(cluster: &ClusterId, name: &str) -> String {
    let mark = json::sha256(cluster.as_str());
    format!("EcrOperator{}{name}", &mark[..8])
}

/// One statement as it is to stand in the registry policy. It allows: with scope V2 ECR asks the
/// registry policy about every request, so that one which denies can lock everybody out, this
/// operator and its own correction included.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Statement(Value);

impl Statement {
    /// The statement that allows what `statement` says, whatever its effect, on `resources`.
    ///
    /// # Errors
    /// When IAM would not take it.
    pub fn allowing(
        statement: policy::Statement,
        resources: &BTreeSet<String>,
    ) -> Result<Self, policy::Invalid> {
        let statement = policy::Statement {
            effect: policy::Effect::Allow,
            ..statement
        };
        let document = policy::Document::from_statements(&[statement])?;
        let document = json::parse(document.as_str()).expect("a document is written as JSON");
        let mut statement = document["Statement"][0].clone();
        statement["Resource"] = json!(resources);
        Ok(Self(statement))
    }

    /// Everyone whom it lets do anything at all.
    pub fn admits(&self) -> BTreeSet<policy::Admitted> {
        policy::admitted(&self.0)
    }
}

/// The registry policy with our part in it.
pub(super) struct Merged {
    /// What to put; `None`: nothing is left of it.
    pub(super) text: Option<String>,
    /// Whether it is another than the one that is there.
    pub(super) changed: bool,
    /// The sids of ours that are in it.
    pub(super) sids: BTreeSet<String>,
    /// What is not as desired.
    pub(super) differences: Vec<Difference>,
}

/// Merges `desired` into the policy that is there, and takes out the sids that the record has and
/// nobody wants; `None`: what is there is no policy that we can read.
pub(super) fn merge(
    observed: &Reading<String>,
    desired: &BTreeMap<String, Statement>,
    record: &BTreeSet<String>,
) -> Option<Merged> {
    let mut document = read(observed)?;
    let statements = as_list(document.remove("Statement").unwrap_or(json!([])));
    let mut differences = Vec::new();
    let mut merged = Vec::new();
    let mut found = BTreeSet::new();
    for statement in statements {
        let sid = statement["Sid"].as_str().unwrap_or_default();
        match desired.get(sid) {
            Some(Statement(ours)) => {
                found.insert(sid.to_owned());
                if means_the_same(&statement, ours) {
                    merged.push(statement);
                } else {
                    differences.push(difference(&statement.to_string(), &ours.to_string()));
                    merged.push(ours.clone());
                }
            }
            None if record.contains(sid) => {
                differences.push(difference(&statement.to_string(), "absent"));
            }
            None => merged.push(statement),
        }
    }
    for (_, Statement(ours)) in desired.iter().filter(|(sid, _)| !found.contains(*sid)) {
        differences.push(difference("absent", &ours.to_string()));
        merged.push(ours.clone());
    }
    let is_empty = merged.is_empty();
    document.insert("Statement".to_owned(), Value::Array(merged));
    Some(Merged {
        text: (!is_empty).then(|| Value::Object(document).to_string()),
        changed: !differences.is_empty(),
        sids: desired.keys().cloned().collect(),
        differences,
    })
}

fn read(observed: &Reading<String>) -> Option<Object> {
    match observed {
        Reading::Present(text) => match json::parse(text).ok()? {
            Value::Object(document) => Some(document),
            _ => None,
        },
        Reading::Absent | Reading::NotRead => {
            let version = ("Version".to_owned(), json!("2012-10-17"));
            Some([version].into_iter().collect())
        }
        Reading::Foreign(_) => None,
    }
}

/// ECR spells statements in its own way: order, root ARNs, lists of one.
fn means_the_same(theirs: &Value, ours: &Value) -> bool {
    let canonical = |it: &Value| {
        let document = json!({"Statement": [it]}).to_string();
        policy::Document::parse(&document).ok()
    };
    canonical(theirs).is_some_and(|it| Some(it) == canonical(ours))
}

fn difference(observed: &str, desired: &str) -> Difference {
    Difference {
        field: FIELD,
        observed: observed.to_owned(),
        desired: desired.to_owned(),
    }
}
