//! The registries that ECR can cache, each with the names that images are pulled by.

use std::fmt;
use std::str::FromStr;

use crate::domain::names::{AccountId, InvalidName, Region};

/// A kind of upstream registry, in ECR's words.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html>
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Upstream {
    /// Docker Hub.
    DockerHub,
    /// GitHub's registry.
    GithubContainerRegistry,
    /// Quay.
    Quay,
    /// The registry of the Kubernetes project.
    K8s,
    /// Amazon ECR Public.
    EcrPublic,
    /// GitLab.com; not one that runs elsewhere.
    GitlabContainerRegistry,
    /// A registry of Azure, each with a host of its own.
    AzureContainerRegistry,
    /// Another private ECR registry.
    Ecr,
    /// Chainguard.
    Chainguard,
}

/// How ECR signs in to an upstream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authentication {
    /// Not at all.
    None,
    /// With a Secrets Manager secret.
    Secret,
    /// With an IAM role, unless it is of the same account.
    Role,
}

/// What is the same for every registry of a kind.
struct Facts {
    name: &'static str,
    at: At,
    hosts: &'static [&'static str],
    prefix: &'static str,
    authentication: Authentication,
}

/// Where registries of a kind are.
enum At {
    /// There is one, here.
    Host(&'static str),
    /// Each has a host of its own.
    Given {
        is_host: fn(&str) -> bool,
        rule: &'static str,
    },
}

impl Upstream {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::DockerHub,
        Self::GithubContainerRegistry,
        Self::Quay,
        Self::K8s,
        Self::EcrPublic,
        Self::GitlabContainerRegistry,
        Self::AzureContainerRegistry,
        Self::Ecr,
        Self::Chainguard,
    ];

    /// ECR's name, for example `docker-hub`.
    pub fn name(self) -> &'static str {
        self.facts().name
    }

    /// The prefix of its cache where none is given.
    pub fn default_prefix(self) -> &'static str {
        self.facts().prefix
    }

    /// How ECR signs in to it.
    pub fn authentication(self) -> Authentication {
        self.facts().authentication
    }

    #[rustfmt::skip] // a table
    fn facts(self) -> Facts {
        use At::{Given, Host};
        use Authentication::{None as Open, Role, Secret};
        let facts = |name, prefix, at, hosts, authentication| Facts { name, at, hosts, prefix, authentication };
        match self {
            Self::DockerHub => facts("docker-hub", "docker-hub", Host("registry-1.docker.io"), DOCKER_HUB, Secret),
            Self::GithubContainerRegistry => facts("github-container-registry", "ghcr", Host("ghcr.io"), &["ghcr.io"], Secret),
            Self::Quay => facts("quay", "quay", Host("quay.io"), &["quay.io"], Open),
            Self::K8s => facts("k8s", "k8s", Host("registry.k8s.io"), &["registry.k8s.io"], Open),
            Self::EcrPublic => facts("ecr-public", "ecr-public", Host("public.ecr.aws"), &["public.ecr.aws"], Open),
            Self::GitlabContainerRegistry => facts("gitlab-container-registry", "gitlab", Host("registry.gitlab.com"), &["registry.gitlab.com"], Secret),
            // The service model names no URL for Chainguard; this is the host of its images.
            Self::Chainguard => facts("chainguard", "chainguard", Host("cgr.dev"), &["cgr.dev"], Secret),
            Self::AzureContainerRegistry => facts("azure-container-registry", "azure", Given { is_host: is_azure_host, rule: "like example.azurecr.io" }, &[], Secret),
            Self::Ecr => facts("ecr", "ecr", Given { is_host: |it| ecr_account(it).is_some(), rule: "like 444444444444.dkr.ecr.us-east-1.amazonaws.com" }, &[], Role),
        }
    }
}

/// Docker Hub's images are `docker.io/...` where a host is named at all.
const DOCKER_HUB: &[&str] = &["docker.io", "index.docker.io", "registry-1.docker.io"];

impl FromStr for Upstream {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let found = Self::ALL.into_iter().find(|it| it.name() == text);
        found.ok_or_else(|| InvalidName {
            text: text.to_owned(),
            kind: "upstream registry",
            rule: "one of docker-hub, github-container-registry, quay, k8s, ecr-public, gitlab-container-registry, azure-container-registry, ecr, chainguard",
        })
    }
}

impl fmt::Display for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One upstream registry: its kind and where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    upstream: Upstream,
    url: String,
}

/// Why there is no such upstream registry.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidSource {
    /// Registries of this kind are each somewhere else.
    #[error("{upstream} needs an upstreamRegistryUrl, {rule}")]
    UrlMissing {
        /// The kind.
        upstream: Upstream,
        /// What it looks like.
        rule: &'static str,
    },
    /// There is one registry of this kind.
    #[error("{upstream} is at {url}, so it takes no other upstreamRegistryUrl")]
    UrlNotTaken {
        /// The kind.
        upstream: Upstream,
        /// Where it is.
        url: &'static str,
    },
    /// No registry of this kind has such a host.
    #[error("{url:?} is no registry of {upstream}, {rule}")]
    WrongUrl {
        /// The kind.
        upstream: Upstream,
        /// What was given.
        url: String,
        /// What it looks like.
        rule: &'static str,
    },
}

impl Source {
    /// A registry of this kind; `url`, a host name, tells where those are that have no one place.
    pub fn new(upstream: Upstream, url: Option<&str>) -> Result<Self, InvalidSource> {
        let url = match (upstream.facts().at, url) {
            (At::Host(fixed), None) => fixed,
            (At::Host(fixed), Some(url)) if fixed == url => fixed,
            (At::Host(url), Some(_)) => return Err(InvalidSource::UrlNotTaken { upstream, url }),
            (At::Given { rule, .. }, None) => {
                return Err(InvalidSource::UrlMissing { upstream, rule });
            }
            (At::Given { is_host, .. }, Some(url)) if is_host(url) => url,
            (At::Given { rule, .. }, Some(url)) => {
                let url = url.to_owned();
                return Err(InvalidSource::WrongUrl {
                    upstream,
                    url,
                    rule,
                });
            }
        };
        let url = url.to_owned();
        Ok(Self { upstream, url })
    }

    /// Its kind.
    pub fn upstream(&self) -> Upstream {
        self.upstream
    }

    /// Its URL as ECR takes it: a host name.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The hosts that references to its images name, the usual one first.
    pub fn hosts(&self) -> Vec<&str> {
        match self.upstream.facts().hosts {
            [] => vec![&self.url],
            hosts => hosts.to_vec(),
        }
    }

    /// The account of an upstream that is ECR itself.
    pub fn account(&self) -> Option<AccountId> {
        ecr_account(&self.url)
    }
}

/// The account in `ACCOUNT.dkr.ecr.REGION.amazonaws.com`.
fn ecr_account(host: &str) -> Option<AccountId> {
    let (account, rest) = host.split_once(".dkr.ecr.")?;
    let (region, suffix) = rest.split_once('.')?;
    let of_aws = matches!(suffix, "amazonaws.com" | "amazonaws.com.cn");
    region.parse::<Region>().ok().filter(|_| of_aws)?;
    account.parse().ok()
}

/// The registry's own name is 5 to 50 letters and digits.
fn is_azure_host(host: &str) -> bool {
    host.strip_suffix(".azurecr.io").is_some_and(|name| {
        (5..=50).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests;
