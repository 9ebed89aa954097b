//! Which images a policy leaves as they are: patterns that are parsed as references are, and match
//! whole components of a path, so that no look-alike is ever meant.

use std::fmt;
use std::str::FromStr;

use super::DEFAULT_TAG;
use super::source::{is_bare_host, place};
use crate::domain::reference::{self, Reference};

/// An image, all images below a path (`quay.io/prometheus/*`), or one tag of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Pattern {
    host: String,
    path: Path,
    tag: Option<String>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Path {
    /// Exactly this one.
    Is(String),
    /// Whatever begins with this: empty, or ending in a `/`.
    Below(String),
}

/// Why a text is no pattern of images.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidPattern {
    /// What is before the `*`, or all of it, is no reference.
    #[error("{text:?} is no image pattern")]
    NotAReference {
        /// What was given.
        text: String,
        /// Why.
        source: reference::Error,
    },
    /// It has a digest.
    #[error("{0:?} has a digest: give a path, and a tag where one tag is meant")]
    Digest(String),
    /// It is a host alone, or has a host that can be none.
    #[error("{0:?} names no repository of a registry: give host and path, or HOST/* for all of it")]
    NoHost(String),
    /// A `*` is not the last component.
    #[error("{0:?} has a * that is not the last component of its path: write it as HOST/PATH/*")]
    Star(String),
}

/// Stands for the `*` while the rest is parsed; two components, so that no `library/` is implied.
const ANYTHING: &str = "x/x";

impl Pattern {
    /// The host that its images are on.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Whether an image of its host is meant, by `path` and as it was written.
    pub(super) fn matches(&self, path: &str, image: &Reference<'_>) -> bool {
        let path_matches = match &self.path {
            Path::Is(it) => it == path,
            Path::Below(it) => path.starts_with(it.as_str()),
        };
        let tag = match (image.tag(), image.digest()) {
            (None, None) => Some(DEFAULT_TAG),
            (tag, _) => tag,
        };
        path_matches && (self.tag.is_none() || self.tag.as_deref() == tag)
    }
}

impl FromStr for Pattern {
    type Err = InvalidPattern;

    fn from_str(text: &str) -> Result<Self, InvalidPattern> {
        let below = text.strip_suffix("/*");
        if below.unwrap_or(text).contains('*') {
            return Err(InvalidPattern::Star(text.to_owned()));
        }
        let whole = below.map_or(text.to_owned(), |it| format!("{it}/{ANYTHING}"));
        let image = Reference::parse(&whole).map_err(|source| InvalidPattern::NotAReference {
            text: text.to_owned(),
            source,
        })?;
        if image.digest().is_some() {
            return Err(InvalidPattern::Digest(text.to_owned()));
        }
        if image.domain().is_empty() || is_bare_host(&image) {
            return Err(InvalidPattern::NoHost(text.to_owned()));
        }
        let (host, path) = place(&image);
        let path = path.concat();
        Ok(Self {
            host: host.into_owned(),
            path: match below.and_then(|_| path.strip_suffix(ANYTHING)) {
                Some(path) => Path::Below(path.to_owned()),
                None => Path::Is(path),
            },
            tag: image.tag().map(str::to_owned),
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, path, tag } = self;
        match path {
            Path::Is(path) => write!(f, "{host}/{path}")?,
            Path::Below(path) => write!(f, "{host}/{path}*")?,
        }
        tag.as_ref().map_or(Ok(()), |it| write!(f, ":{it}"))
    }
}
