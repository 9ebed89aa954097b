//! ARNs that a rule names: the secret that it signs in with, and the role that it acts by.

use std::fmt;
use std::str::FromStr;

use crate::domain::names::{AccountId, InvalidName, Region, Registry};

/// A Secrets Manager secret that ECR can read: its name starts with `ecr-pullthroughcache/`.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-creating-secret.html>
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SecretArn {
    text: String,
    region: Region,
    account: AccountId,
}

impl SecretArn {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is in the account and region of `registry`.
    pub fn is_in(&self, registry: &Registry) -> bool {
        (&self.account, &self.region) == (&registry.account, &registry.region)
    }
}

impl FromStr for SecretArn {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName {
            text: text.to_owned(),
            kind: "secret ARN",
            rule: "the ARN of a Secrets Manager secret whose name starts with ecr-pullthroughcache/",
        };
        let [_, region, account, resource] = arn(text, "secretsmanager").ok_or_else(invalid)?;
        let name = resource.strip_prefix("secret:ecr-pullthroughcache/");
        let is_name = |it: &str| {
            !it.is_empty()
                && it
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"/_+=.@-".contains(&b))
        };
        if !name.is_some_and(is_name) || !(50..=612).contains(&text.len()) {
            return Err(invalid());
        }
        Ok(Self {
            text: text.to_owned(),
            region: region.parse().map_err(|_| invalid())?,
            account: account.parse().map_err(|_| invalid())?,
        })
    }
}

/// An IAM role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RoleArn {
    text: String,
    account: AccountId,
}

impl RoleArn {
    /// The ARN as text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Its account.
    pub fn account(&self) -> &AccountId {
        &self.account
    }
}

impl FromStr for RoleArn {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let invalid = || InvalidName {
            text: text.to_owned(),
            kind: "role ARN",
            rule: "the ARN of an IAM role, like arn:aws:iam::333333333333:role/ecr",
        };
        let [_, _, account, resource] = arn(text, "iam").ok_or_else(invalid)?;
        if resource.strip_prefix("role/").is_none_or(str::is_empty) {
            return Err(invalid());
        }
        Ok(Self {
            text: text.to_owned(),
            account: account.parse().map_err(|_| invalid())?,
        })
    }
}

/// Partition, region, account and resource of an ARN of `service`.
fn arn<'a>(text: &'a str, service: &str) -> Option<[&'a str; 4]> {
    let parts: [&str; 6] = text.splitn(6, ':').collect::<Vec<_>>().try_into().ok()?;
    let [arn, partition, of, region, account, resource] = parts;
    (arn == "arn" && of == service && partition.starts_with("aws"))
        .then_some([partition, region, account, resource])
}

impl fmt::Display for SecretArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for RoleArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
