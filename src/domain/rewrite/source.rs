//! The name of an image without tag and digest, as rules name it: a host and a path, parsed.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::host;
use crate::domain::reference::{self, DOCKER_HUB, Reference};

/// An old name that can be migrated from. Displays with everything spelt out.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Source {
    host: String,
    path: String,
}

/// Why a text is no name to migrate from.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidSource {
    /// It is no reference.
    #[error("{text:?} is no image name")]
    NotAReference {
        /// What was given.
        text: String,
        /// Why.
        source: reference::Error,
    },
    /// It names one image of many.
    #[error("{0:?} has a tag or a digest: give the name alone, all its images are meant")]
    OneImage(String),
    /// It has no path, or a host that can be none.
    #[error("{0:?} names no repository of a registry: give host and path, like quay.io/org/app")]
    NoHost(String),
    /// What is in ECR is never rewritten.
    #[error("{0:?} is in ECR already: references to ECR registries are left alone")]
    AlreadyEcr(String),
}

impl Source {
    /// The registry's host, with its port if any; `docker.io` for each of Docker Hub's.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The repository there, `library/nginx` for `nginx`.
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl FromStr for Source {
    type Err = InvalidSource;

    fn from_str(text: &str) -> Result<Self, InvalidSource> {
        let image = Reference::parse(text).map_err(|source| InvalidSource::NotAReference {
            text: text.to_owned(),
            source,
        })?;
        if image.tag().is_some() || image.digest().is_some() {
            return Err(InvalidSource::OneImage(text.to_owned()));
        }
        if image.domain().is_empty() || is_bare_host(&image) {
            return Err(InvalidSource::NoHost(text.to_owned()));
        }
        if host::is_ecr(image.domain()) {
            return Err(InvalidSource::AlreadyEcr(text.to_owned()));
        }
        let (host, path) = place(&image);
        Ok(Self {
            host: host.into_owned(),
            path: path.concat(),
        })
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.path)
    }
}

/// The one name of an image's registry: `quay.io` for `QUAY.IO` and `quay.io:443`, and `docker.io` for
/// each of Docker Hub's hosts.
pub fn registry_host<'a>(image: &Reference<'a>) -> Cow<'a, str> {
    host::canonical(image.domain())
}

/// Where an image is: the one name of its registry, and its path there in two parts.
pub(in crate::domain) fn place<'a>(image: &Reference<'a>) -> (Cow<'a, str>, [&'a str; 2]) {
    let host = registry_host(image);
    let repository = image.repository();
    // The grammar implies library/ for two of Docker Hub's hosts, spelt in one way. Under any other
    // name the registry serves nothing else.
    let implied = if host == DOCKER_HUB && !repository.written.contains('/') {
        "library/"
    } else {
        repository.implied
    };
    (host, [implied, repository.written])
}

/// `quay.io` reads as an image of Docker Hub, which nobody means.
pub(super) fn is_bare_host(image: &Reference<'_>) -> bool {
    let text = image.as_str();
    !text.contains('/') && image.repository().written.contains('.')
}
