//! The quarantine of a repository whose images are about to be deleted: one statement of ours in its
//! policy, which denies everybody to push and to pull. All other statements stay as they are written,
//! so that the quarantine is lifted by taking this one out.

use serde_json::{Value, json};

use super::{Document, LONGEST, VERSION};
use crate::domain::json::{self, Object, as_list};

/// The sid of the statement, by which we know it again.
pub const QUARANTINE: &str = "EcrOperatorQuarantine";

/// What it denies: every call that adds an image, makes one pullable, or pulls one. Reading,
/// deleting and setting the policy stay allowed, so it locks nobody out of lifting it.
const DENIED: [&str; 7] = [
    "ecr:BatchGetImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
];

/// Why a repository cannot be put under quarantine.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unfit {
    /// Its policy is no document that we can read.
    #[error("its policy cannot be read, so no statement can be added: correct the policy")]
    Unreadable,
    /// With one more statement its policy is longer than ECR takes.
    #[error(
        "its policy would be {length} characters long with the statement {QUARANTINE}, and ECR \
         takes {LONGEST}: shorten the policy"
    )]
    TooLong {
        /// How long it would be.
        length: usize,
    },
}

/// What is left of a policy when the quarantine is lifted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Lifted {
    /// There was none in it.
    AsItWas,
    /// Nothing: the statement was all of it.
    Nothing,
    /// This one.
    Document(Document),
}

impl Document {
    /// Whether a statement of ours is in it, as we wrote it or as somebody edited it.
    pub fn is_marked(&self) -> bool {
        self.statements().iter().any(is_ours)
    }

    /// Whether it denies everybody to push and to pull, in our own statement.
    pub fn is_quarantine(&self) -> bool {
        let ours = canonical(&statement());
        self.statements().iter().any(|it| canonical(it) == ours)
    }

    /// The policy with our statement in it; `None` is a repository without a policy.
    ///
    /// # Errors
    /// When ECR would not take it.
    pub fn quarantined(policy: Option<&Self>) -> Result<Self, Unfit> {
        let (mut document, mut statements) = match policy {
            Some(policy) => policy.without_ours(),
            None => {
                let version = ("Version".to_owned(), json!(VERSION));
                ([version].into_iter().collect(), Vec::new())
            }
        };
        statements.push(statement());
        document.insert("Statement".to_owned(), Value::Array(statements));
        let text = Value::Object(document).to_string();
        let length = text.chars().count();
        if length > LONGEST {
            return Err(Unfit::TooLong { length });
        }
        Self::parse(&text).map_err(|_| Unfit::Unreadable)
    }

    /// The policy without our statement.
    pub fn lifted(&self) -> Lifted {
        if !self.is_marked() {
            return Lifted::AsItWas;
        }
        let (mut document, statements) = self.without_ours();
        if statements.is_empty() {
            return Lifted::Nothing;
        }
        document.insert("Statement".to_owned(), Value::Array(statements));
        let left = Self::parse(&Value::Object(document).to_string());
        Lifted::Document(left.expect("a document without one of its statements is one"))
    }

    /// The text as it is written, taken apart: the rest of it, and the statements of others.
    fn without_ours(&self) -> (Object, Vec<Value>) {
        let written = json::parse(self.written()).expect("a document was read from JSON");
        let mut document = match written {
            Value::Object(document) => document,
            other => unreachable!("a document is an object: {other}"),
        };
        let statements = document.remove("Statement").map(as_list);
        let mut statements = statements.unwrap_or_default();
        statements.retain(|it| !is_ours(it));
        (document, statements)
    }
}

fn statement() -> Value {
    json!({
        "Sid": QUARANTINE,
        "Effect": "Deny",
        "Principal": "*",
        "Action": DENIED,
    })
}

fn is_ours(statement: &Value) -> bool {
    statement["Sid"] == QUARANTINE
}

fn canonical(statement: &Value) -> Option<Document> {
    Document::parse(&json!({"Statement": [statement]}).to_string()).ok()
}

#[cfg(test)]
mod tests;
