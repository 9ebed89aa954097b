//! IAM policy documents as ECR keeps them, in one canonical text, so that equal meaning is equal
//! bytes. ECR reorders statements and principals, turns account ids into root ARNs and lists of one
//! into plain strings; comparing anything but the canonical form writes the same policy for ever.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>

use std::collections::BTreeSet;
use std::fmt;

use serde_json::Value;

use super::json;

mod admits;
mod canonical;
mod dangling;
mod quarantine;
mod statement;
mod typed;
mod words;

pub use super::json::ParseError;
pub use admits::Admitted;
pub(super) use admits::admitted;
pub use quarantine::{Lifted, QUARANTINE, Unfit};
pub use statement::{Action, Condition, Effect, Principal, Statement};
pub use typed::Untyped;

/// The longest repository policy that ECR takes, in characters.
pub const LONGEST: usize = 10_240;

/// The version of the policy language that our documents are written in.
const VERSION: &str = "2012-10-17";

/// A policy document in canonical form: keys, statements and lists in order, lists always lists,
/// account ids instead of root ARNs, AWS's own spelling of actions and condition keys.
#[derive(Clone, Debug)]
pub struct Document {
    text: String,
    unknown: usize,
    /// The text that it was read from, or that is to be sent for it, where that is another one.
    written: Option<String>,
}

impl PartialEq for Document {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Document {}

/// Why statements make no document that ECR would take.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Invalid {
    /// A policy without a statement.
    #[error("a policy needs at least one statement")]
    NoStatements,
    /// A statement without a principal or an action, or a condition without a value.
    #[error("statements[{statement}]: {field} must not be empty")]
    Empty {
        /// Its place in the list, from 0.
        statement: usize,
        /// What is missing.
        field: &'static str,
    },
    /// IAM wants the sids of a policy to be unique.
    #[error("statements[{statement}]: the sid {sid:?} is already taken")]
    SidTaken {
        /// Its place in the list, from 0.
        statement: usize,
        /// The sid.
        sid: String,
    },
    /// No condition operator of IAM's.
    #[error("statements[{statement}]: {operator:?} is no condition operator")]
    UnknownOperator {
        /// Its place in the list, from 0.
        statement: usize,
        /// What was given.
        operator: String,
    },
    /// One statement compares one key twice with one operator, which JSON cannot say.
    #[error("statements[{statement}]: {operator} {key} is there twice, put the values together")]
    SameConditionTwice {
        /// Its place in the list, from 0.
        statement: usize,
        /// The operator.
        operator: String,
        /// The key.
        key: String,
    },
    /// Longer than [`LONGEST`].
    #[error("the policy is {length} characters long, and ECR takes at most {LONGEST}")]
    TooLong {
        /// How long it is.
        length: usize,
    },
}

impl Document {
    /// The document that these statements make, checked against what ECR takes.
    pub fn from_statements(statements: &[Statement]) -> Result<Self, Invalid> {
        let value = statement::document(statements)?;
        let document = Self::canonical(value).expect("typed statements have a policy's shape");
        let length = document.text.chars().count();
        if length > LONGEST {
            return Err(Invalid::TooLong { length });
        }
        Ok(document)
    }

    /// The canonical form of a text that ECR answered with, or that somebody wrote.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Ok(Self {
            written: Some(text.to_owned()),
            ..Self::canonical(json::parse(text)?)?
        })
    }

    /// The canonical text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text as it was written, where it was read; it is sent as it stands, so that what others
    /// wrote in it keeps their spelling. Else the canonical text.
    pub fn written(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.text)
    }

    /// The same document without the text that it was read from: what is kept of thousands.
    #[must_use]
    pub fn canonical_only(self) -> Self {
        Self {
            written: None,
            ..self
        }
    }

    /// How many elements it has that this program does not know. They are kept, but two documents
    /// that spell them differently cannot be proven equal.
    pub fn unknown(&self) -> usize {
        self.unknown
    }

    /// SHA-256 of the canonical text, in hexadecimal.
    pub fn hash(&self) -> String {
        json::sha256(&self.text)
    }

    /// Everyone whom an `Allow` statement admits to anything at all.
    pub fn admits(&self) -> BTreeSet<Admitted> {
        self.statements().iter().flat_map(admitted).collect()
    }

    /// Whether it admits anyone at all, in whatever spelling.
    pub fn is_public(&self) -> bool {
        self.admits().contains(&Admitted::Anyone)
    }

    /// One line for people: the statements' sids, and the start of the hash.
    pub fn summary(&self) -> String {
        let sids: Vec<String> = self
            .statements()
            .iter()
            .map(|it| it["Sid"].as_str().unwrap_or("(no sid)").to_owned())
            .collect();
        format!("{} sha256:{:.8}", sids.join(", "), self.hash())
    }

    fn canonical(value: Value) -> Result<Self, ParseError> {
        let (value, unknown) = canonical::document(value)?;
        Ok(Self {
            text: value.to_string(),
            unknown,
            written: None,
        })
    }

    fn statements(&self) -> Vec<Value> {
        let mut value: Value =
            serde_json::from_str(&self.text).expect("the canonical text was written as JSON");
        json::as_list(value["Statement"].take())
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
