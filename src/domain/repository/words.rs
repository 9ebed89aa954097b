//! Settings in AWS's words, as differences and tables show them.

use std::collections::BTreeSet;
use std::fmt;

use super::{Encryption, Mutability};

impl fmt::Display for Mutability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |it: &BTreeSet<String>| it.iter().cloned().collect::<Vec<_>>().join(", ");
        match self {
            Self::Mutable => f.write_str("MUTABLE"),
            Self::Immutable => f.write_str("IMMUTABLE"),
            Self::MutableExcept(filters) => {
                write!(f, "MUTABLE_WITH_EXCLUSION ({})", join(filters))
            }
            Self::ImmutableExcept(filters) => {
                write!(f, "IMMUTABLE_WITH_EXCLUSION ({})", join(filters))
            }
            Self::Other(mode) => f.write_str(mode),
        }
    }
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, key) = match self {
            Self::Aes256 => ("AES256", None),
            Self::Kms(key) => ("KMS", key.as_ref()),
            Self::KmsDsse(key) => ("KMS_DSSE", key.as_ref()),
            Self::Other(kind) => (kind.as_str(), None),
        };
        f.write_str(name)?;
        key.map_or(Ok(()), |key| write!(f, " ({key})"))
    }
}
