//! How the emulator says no: a code, a message and sometimes members of their own, as AWS would.

use serde_json::{Map, Value};

/// An error answer of an AWS service.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    /// The error code, for example `RepositoryNotFoundException`.
    pub(crate) code: String,
    /// The sentence that goes with it.
    pub(crate) message: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// Members that this error has besides its message.
    pub(crate) members: Map<String, Value>,
}

impl Refusal {
    /// An error with status 400, which nearly all are.
    pub(crate) fn new(code: &str, message: impl Into<String>) -> Self {
        Self {
            code: code.to_owned(),
            message: message.into(),
            status: 400,
            members: Map::new(),
        }
    }

    /// The same error with another HTTP status.
    pub(crate) fn with_status(self, status: u16) -> Self {
        Self { status, ..self }
    }

    /// The same error with one more member.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.members.insert(name.to_owned(), value.into());
        self
    }

    /// `InvalidParameterException` in ECR's words: which member, and the constraint it broke.
    pub(crate) fn invalid(at: &str, constraint: &str) -> Self {
        Self::new(
            "InvalidParameterException",
            format!("Invalid parameter at '{at}' failed to satisfy constraint: '{constraint}'"),
        )
    }

    /// `ValidationException`, which the newer operations use for their own rules.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// A body that is no JSON of the right shape.
    pub(crate) fn serialization(message: &str) -> Self {
        Self::new("SerializationException", message)
    }
}
