//! Pull-through cache rules: what is desired in one registry, what is there, and the plan. A rule
//! bears no tags, so it is known by its prefix, and it is ours if it equals what is desired.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html>

use std::fmt;
use std::str::FromStr;

use super::names::{AccountId, InvalidName, Region, Registry, RepositoryName};
use super::origin::Created;

mod arn;
mod plan;
mod upstream;

pub use super::repository::{Difference, Management};
pub use arn::{RoleArn, SecretArn};
pub use plan::{Change, Plan, Refusal, plan};
pub use upstream::{Authentication, InvalidSource, Source, Upstream};

/// The most rules of a registry, which AWS does not raise.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
pub const MOST_RULES: usize = 50;

/// One rule as it should be in one registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Desired {
    /// Whether anything may be written at all.
    pub management: Management,
    /// Whether a rule that is there already is ours to change.
    pub claim: Claim,
    /// The rule.
    pub rule: Rule,
}

/// Whose a rule is that is there already. One that is as desired is in step, whoever made it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Claim {
    /// Status has it: we made it, or found it as desired.
    Recorded,
    /// Nothing is known of it: somebody else's.
    New,
}

/// A rule as one asks for it. ECR can change its credential and role later, nothing else.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rule {
    /// Where its images are cached: `PREFIX/...`.
    pub prefix: Prefix,
    /// The registry that it caches.
    pub source: Source,
    /// What is cached of it; [`Prefix::Root`] is everything.
    pub upstream_prefix: Prefix,
    /// The secret to sign in with; `None` leaves what is there.
    pub credential: Option<SecretArn>,
    /// The role to read another ECR registry with; `None` leaves what is there.
    pub role: Option<RoleArn>,
}

/// A rule as ECR lists it; anybody's, so most of it is text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observed {
    /// Where its images are cached.
    pub prefix: Prefix,
    /// ECR's name for the upstream; `None` for rules older than those names.
    pub upstream: Option<String>,
    /// The upstream's URL.
    pub url: String,
    /// What is cached of it.
    pub upstream_prefix: Prefix,
    /// The ARN of the secret to sign in with.
    pub credential: Option<String>,
    /// The ARN of the role to read another ECR registry with.
    pub role: Option<String>,
    /// When it was created.
    pub created: Option<Created>,
}

/// Why a rule cannot work in a registry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Invalid {
    /// The upstream asks for a sign-in.
    #[error("ECR pulls from {0} only with credentials: give a secret of {1}")]
    SecretMissing(Upstream, Registry),
    /// The upstream takes no secret.
    #[error("ECR takes no credentials for {0}: take the entry out")]
    SecretNotTaken(Upstream),
    /// ECR reads the secret in the rule's own account and region only.
    #[error(
        "secret {arn} is not in {registry}, where the rule is, and ECR reads secrets of the rule's \
         own account and region only: give one of them"
    )]
    SecretElsewhere {
        /// The secret.
        arn: SecretArn,
        /// Where the rule is.
        registry: Registry,
    },
    /// Another account's ECR is read with a role.
    #[error("ECR reads {0} of another account only by a role: give one for the environment")]
    RoleMissing(String),
    /// Only an ECR upstream takes a role.
    #[error("ECR takes no role for {0}: take the entry out")]
    RoleNotTaken(Upstream),
    /// The role must be of the account that the rule is in.
    #[error("role {arn} is not of account {account}, where the rule is: give one that is")]
    RoleElsewhere {
        /// The role.
        arn: RoleArn,
        /// The rule's account.
        account: AccountId,
    },
    /// ECR takes an upstream prefix only below a prefix of its own.
    #[error("{0} needs an ecrRepositoryPrefix other than ROOT")]
    UpstreamPrefixUnderRoot(Prefix),
    /// ECR has no caches outside the `aws` partition.
    #[error("ECR has no pull-through caches in {0}: take the environment out")]
    NotThere(Region),
}

impl Invalid {
    /// The field of the spec that is to blame.
    pub fn field(&self) -> &'static str {
        match self {
            Self::SecretMissing(..) | Self::SecretNotTaken(_) | Self::SecretElsewhere { .. } => {
                "credentials"
            }
            Self::RoleMissing(_) | Self::RoleNotTaken(_) | Self::RoleElsewhere { .. } => "roles",
            Self::UpstreamPrefixUnderRoot(_) => "upstreamRepositoryPrefix",
            Self::NotThere(_) => "environments",
        }
    }
}

impl Rule {
    /// The repository in the cache of an upstream repository; `None`: the rule does not cache it.
    pub fn cached(&self, path: &str) -> Option<RepositoryName> {
        let rest = match &self.upstream_prefix {
            Prefix::Root => path,
            Prefix::Path(prefix) => path.strip_prefix(prefix.as_str())?.strip_prefix('/')?,
        };
        let name = match &self.prefix {
            Prefix::Root => rest.to_owned(),
            Prefix::Path(prefix) => format!("{prefix}/{rest}"),
        };
        name.parse().ok()
    }

    /// The upstream repository that is cached in one of this name: the inverse of [`Rule::cached`].
    pub fn upstream_of(&self, name: &RepositoryName) -> Option<String> {
        let rest = match &self.prefix {
            Prefix::Root => name.as_str(),
            Prefix::Path(prefix) => name
                .as_str()
                .strip_prefix(prefix.as_str())?
                .strip_prefix('/')?,
        };
        Some(match &self.upstream_prefix {
            Prefix::Root => rest.to_owned(),
            Prefix::Path(prefix) => format!("{prefix}/{rest}"),
        })
    }

    /// Checks all that can be known of a desired rule before ECR is asked.
    pub fn check(&self, registry: &Registry) -> Result<(), Invalid> {
        let Self {
            prefix,
            source,
            upstream_prefix,
            credential,
            role,
        } = self;
        if registry.partition() != "aws" {
            return Err(Invalid::NotThere(registry.region.clone()));
        }
        if *prefix == Prefix::Root && *upstream_prefix != Prefix::Root {
            return Err(Invalid::UpstreamPrefixUnderRoot(upstream_prefix.clone()));
        }
        let upstream = source.upstream();
        match (upstream.authentication(), credential) {
            (Authentication::Secret, None) => {
                return Err(Invalid::SecretMissing(upstream, registry.clone()));
            }
            (Authentication::None | Authentication::Role, Some(_)) => {
                return Err(Invalid::SecretNotTaken(upstream));
            }
            (Authentication::Secret, Some(arn)) if !arn.is_in(registry) => {
                return Err(Invalid::SecretElsewhere {
                    arn: arn.clone(),
                    registry: registry.clone(),
                });
            }
            (Authentication::Secret, Some(_))
            | (Authentication::None | Authentication::Role, None) => {}
        }
        match (upstream.authentication(), role) {
            (Authentication::Role, None)
                if source.account().as_ref() != Some(&registry.account) =>
            {
                Err(Invalid::RoleMissing(source.url().to_owned()))
            }
            (Authentication::Role, Some(arn)) if *arn.account() != registry.account => {
                Err(Invalid::RoleElsewhere {
                    arn: arn.clone(),
                    account: registry.account.clone(),
                })
            }
            (Authentication::None | Authentication::Secret, Some(_)) => {
                Err(Invalid::RoleNotTaken(upstream))
            }
            (Authentication::None | Authentication::Secret, None) | (Authentication::Role, _) => {
                Ok(())
            }
        }
    }
}

/// The start of repository names, or all of them.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Prefix {
    /// `ROOT`: every repository that no other prefix claims.
    Root,
    /// Repositories below this path, written without the `/` that ECR assumes at its end.
    Path(String),
}

impl Prefix {
    /// Whether both claim a repository, one lying inside the other. `ROOT` gives way to any path.
    pub fn overlaps(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Root, Self::Root) => true,
            (Self::Root, Self::Path(_)) | (Self::Path(_), Self::Root) => false,
            (Self::Path(a), Self::Path(b)) => {
                format!("{a}/").starts_with(&format!("{b}/"))
                    || format!("{b}/").starts_with(&format!("{a}/"))
            }
        }
    }

    /// The prefix of a rule that ECR has, believed as it is.
    pub fn observed(text: &str) -> Self {
        match text {
            "ROOT" => Self::Root,
            path => Self::Path(path.strip_suffix('/').unwrap_or(path).to_owned()),
        }
    }

    /// Whether a repository of this name lies below it.
    pub fn covers(&self, name: &RepositoryName) -> bool {
        match self {
            Self::Root => true,
            Self::Path(path) => {
                let rest = name.as_str().strip_prefix(path.as_str());
                rest.is_some_and(|it| it.starts_with('/'))
            }
        }
    }

    /// The prefix as ECR writes it, without a `/` at its end.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Root => "ROOT",
            Self::Path(path) => path,
        }
    }
}

impl FromStr for Prefix {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if text == "ROOT" {
            return Ok(Self::Root);
        }
        let path = text.strip_suffix('/').unwrap_or(text);
        if (2..=30).contains(&text.len()) && path.split('/').all(is_segment) {
            return Ok(Self::Path(path.to_owned()));
        }
        Err(InvalidName {
            text: text.to_owned(),
            kind: "repository prefix",
            rule: "ROOT, or 2 to 30 characters, lower-case letters and digits separated by one of . _ - or /",
        })
    }
}

/// `[a-z0-9]+(?:[._-][a-z0-9]+)*`
fn is_segment(text: &str) -> bool {
    text.split(['.', '_', '-']).all(|word| {
        !word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests;
