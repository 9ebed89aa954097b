//! Names with a grammar, parsed at the edge and believed ever after: accounts, regions, registries
//! and repositories. A value of these types is valid by construction.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Why a text is no name of its kind; the message says what the kind allows.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} is no {kind}: {rule}")]
pub struct InvalidName {
    /// What was given.
    pub text: String,
    /// What it should have been, in the field's words.
    pub kind: &'static str,
    /// What that kind allows.
    pub rule: &'static str,
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $rule:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Arc<str>);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                let valid: fn(&str) -> bool = $valid;
                if valid(text) {
                    Ok(Self(text.into()))
                } else {
                    Err(InvalidName { text: text.to_owned(), kind: $kind, rule: $rule })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.as_ref().to_owned()
            }
        }

        /// So that maps by name are searched by text; equality and order are the text's own.
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// An AWS account, for example `333333333333`.
    AccountId, "account id", "an AWS account id is twelve digits",
    |it| it.len() == 12 && it.bytes().all(|b| b.is_ascii_digit())
);

name!(
    /// An AWS region, for example `eu-central-1`.
    Region, "region", "a region is lower-case words and a number joined by hyphens, like eu-central-1",
    |it| {
        it.len() <= 32
            && it.split('-').count() >= 3
            && it.split('-').all(|word| {
                !word.is_empty()
                    && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
            })
    }
);

name!(
    /// The name of an ECR repository inside its registry, for example `payments/api`.
    ///
    /// 2 to 256 characters of ECR's grammar:
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreateRepository.html>.
    RepositoryName, "repository name",
    "2 to 256 characters, lower-case letters and digits, separated by one of . _ __ - or /",
    |it| (2..=256).contains(&it.len()) && it.split('/').all(is_path_component)
);

name!(
    /// What one cluster calls itself in owner tags; stable over rebuilds of the cluster.
    ClusterId, "cluster id", "1 to 63 letters, digits, dots, underscores or hyphens",
    |it| {
        (1..=63).contains(&it.len())
            && it.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
    }
);

name!(
    /// The name of an `EnvironmentAccount`, for example `prod`.
    EnvironmentName, "environment name", "a DNS label: lower-case letters, digits and hyphens, at most 63",
    |it| {
        (1..=63).contains(&it.len())
            && !it.starts_with('-')
            && !it.ends_with('-')
            && it.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    }
);

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`, the component of a repository path.
fn is_path_component(text: &str) -> bool {
    let alphanumeric = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let (Some(first), Some(last)) = (text.as_bytes().first(), text.as_bytes().last()) else {
        return false;
    };
    alphanumeric(first)
        && alphanumeric(last)
        && text
            .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            .all(|it| matches!(it, "" | "." | "_" | "__") || it.bytes().all(|b| b == b'-'))
}

/// One ECR registry: an account's repositories in one region. Displays as
/// `333333333333/eu-central-1`, the one short form used in messages and tables.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Registry {
    /// The account that owns the registry.
    pub account: AccountId,
    /// The region it is in.
    pub region: Region,
}

impl Registry {
    /// The registry of `account` in `region`.
    pub fn new(account: AccountId, region: Region) -> Self {
        Self { account, region }
    }

    /// The host that images of this registry are pulled from.
    pub fn host(&self) -> String {
        format!(
            "{}.dkr.ecr.{}.{}",
            self.account,
            self.region,
            self.dns_suffix()
        )
    }

    /// The ARN of a repository in this registry.
    pub fn repository_arn(&self, name: &RepositoryName) -> String {
        self.repositories_arn(name.as_str())
    }

    /// The ARN of all repositories in this registry whose names match `pattern`, in which `*` stands
    /// for anything.
    pub fn repositories_arn(&self, pattern: &str) -> String {
        format!(
            "arn:{}:ecr:{}:{}:repository/{pattern}",
            self.partition(),
            self.region,
            self.account
        )
    }

    /// The AWS partition of the registry's region: `aws`, `aws-cn` or `aws-us-gov`.
    pub fn partition(&self) -> &'static str {
        match self.region.as_str() {
            it if it.starts_with("cn-") => "aws-cn",
            it if it.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        }
    }

    /// What other services call ECR there, as `kms:ViaService` has it: `ecr.REGION.amazonaws.com`.
    pub fn service(&self) -> String {
        format!("ecr.{}.{}", self.region, self.dns_suffix())
    }

    fn dns_suffix(&self) -> &'static str {
        if self.partition() == "aws-cn" {
            "amazonaws.com.cn"
        } else {
            "amazonaws.com"
        }
    }
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

#[cfg(test)]
mod tests;
