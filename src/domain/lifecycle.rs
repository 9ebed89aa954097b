//! Lifecycle policy documents: canonical text, so that equal meaning is equal bytes.

use std::fmt;

/// A lifecycle policy document in canonical form.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Document(String);

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
