//! Lifecycle policies: typed rules, checked against everything that ECR would refuse before it is
//! called, and canonical text, so that equal meaning is equal bytes.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>

use std::fmt;

use serde::Serialize;
use serde_json::{Value, json};

use super::json;

pub mod approval;
mod canonical;
mod check;
pub mod safety;

pub use super::json::ParseError;
pub use check::{Invalid, Violation};
pub use safety::Safety;

/// One rule, in the words of ECR's document.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Rules apply in this order, lowest first; from 1, unique, with gaps if you like.
    #[serde(rename = "rulePriority")]
    pub priority: u32,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Which images it is about.
    pub selection: Selection,
    /// What happens to them.
    pub action: Action,
}

/// Which images a rule is about.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Selection {
    /// Whether they have tags.
    pub tag_status: TagStatus,
    /// An image is selected if every one of these patterns matches one of its tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tag_pattern_list: Vec<String>,
    /// An image is selected if every one of these prefixes starts one of its tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tag_prefix_list: Vec<String>,
    /// What `count_number` counts.
    pub count_type: CountType,
    /// Images to keep, or days; from 1.
    pub count_number: u32,
    /// The unit of a time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_unit: Option<CountUnit>,
    /// In which storage they are; `None` means standard.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage_class: Option<StorageClass>,
}

/// What a rule does with the images that it selects.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Action {
    /// What it does.
    #[serde(rename = "type")]
    pub kind: ActionType,
    /// Where a transition leads; only [`StorageClass::Archive`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_storage_class: Option<StorageClass>,
}

/// Whether an image has tags.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum TagStatus {
    /// It has some that match.
    Tagged,
    /// It has none.
    Untagged,
    /// Every image.
    Any,
}

/// What a rule counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CountType {
    /// Images beyond the newest so many.
    ImageCountMoreThan,
    /// Days since the push.
    SinceImagePushed,
    /// Days since the last pull, or the push of what was never pulled.
    SinceImagePulled,
    /// Days in the archive.
    SinceImageTransitioned,
}

/// The unit of a time.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CountUnit {
    /// Days, the only one.
    Days,
}

/// Where an image is stored.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum StorageClass {
    /// Where it can be pulled from.
    Standard,
    /// Cheaper, and not pullable until it is restored.
    Archive,
}

/// What a rule does.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum ActionType {
    /// Delete the image.
    Expire,
    /// Move it to another storage class.
    Transition,
}

/// A lifecycle policy document in canonical form: rules by priority, lists and keys in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document {
    text: String,
    unknown: usize,
}

impl Document {
    /// The document of these rules, in whatever order, or everything that ECR would refuse.
    pub fn from_rules(rules: &[Rule]) -> Result<Self, Invalid> {
        let mut violations = check::rules(rules);
        let document = Self::canonical(json!({"rules": rules}))
            .expect("typed rules have a lifecycle policy's shape");
        if violations.is_empty() {
            violations.extend(check::length(&document.text));
        }
        if violations.is_empty() {
            Ok(document)
        } else {
            Err(Invalid { violations })
        }
    }

    /// The canonical form of a text that ECR answered with.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        Self::canonical(json::parse(text)?)
    }

    /// The canonical text, which is also what is sent.
    pub fn as_str(&self) -> &str {
        &self.text
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

    /// Whether it does what `other` does: they differ in nothing but what rules are said to be for.
    pub fn acts_like(&self, other: &Self) -> bool {
        let acts = |it: &Self| {
            let mut value = it.value();
            for rule in value["rules"].as_array_mut().into_iter().flatten() {
                rule.as_object_mut().map(|it| it.remove("description"));
            }
            value
        };
        self.unknown == 0 && other.unknown == 0 && acts(self) == acts(other)
    }

    fn value(&self) -> Value {
        serde_json::from_str(&self.text).expect("the canonical text was written as JSON")
    }

    /// One line for people: the rules' priorities, and the start of the hash.
    pub fn summary(&self) -> String {
        let value = self.value();
        let rules = value["rules"].as_array().into_iter().flatten();
        let priorities: Vec<_> = rules.map(|it| it["rulePriority"].to_string()).collect();
        format!("rules {} sha256:{:.8}", priorities.join(", "), self.hash())
    }

    fn canonical(value: Value) -> Result<Self, ParseError> {
        let (value, unknown) = canonical::document(value)?;
        let text = value.to_string();
        Ok(Self { text, unknown })
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests;
