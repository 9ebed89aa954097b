//! One image reference that can be edited: what it names, how it is written, and who pulls it.

use std::collections::BTreeMap;
use std::iter;
use std::ops::Range;
use std::sync::Arc;

use super::overlay::name_of;
use crate::domain::reference::Reference;
use crate::domain::rewrite::{Credentials, PullPolicy};

/// An image reference in a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Site {
    /// Its line, from 1.
    pub line: usize,
    /// What it names, put together from all of its parts; always a reference.
    pub image: String,
    /// Where a registry is to be found that is not in `image`.
    pub registry: Stated,
    /// Where a tag is to be found that is not in `image`.
    pub tag: Stated,
    /// Who pulls it.
    pub context: Context,
    /// Where its parts are.
    pub written: Written,
}

/// Whether a part of a reference is all said here.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Stated {
    /// What `image` says is all there is: without a tag, `latest` is meant.
    Here,
    /// What `image` does not say, another file may: a chart's defaults, a base.
    Elsewhere,
}

/// How a reference is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Written {
    /// In one scalar.
    Whole(Scalar),
    /// In several; tag and digest have theirs, and are never changed.
    Parts {
        /// The registry's; `None` where it stands in the repository's.
        registry: Option<Scalar>,
        /// The repository's.
        repository: Scalar,
    },
    /// In one scalar that says its beginning, such as an argument's default. What comes after that is
    /// said elsewhere and stays.
    Beginning {
        /// The beginning.
        scalar: Scalar,
        /// All that comes after it.
        rest: String,
        /// Whether the rest has a part of the repository that a build may be given another for.
        varies: bool,
    },
    /// In a Kustomize override, whose `name` says what it is for and must stay.
    Override {
        /// What is overridden: the name that manifests have for it. Where they get another, the
        /// override no longer finds them.
        name: String,
        /// What it is called instead.
        new_name: NewName,
    },
    /// In an override of one string, `name=newName:tag`, of this name.
    Assignment {
        /// All of the string.
        scalar: Scalar,
        /// What is overridden.
        name: String,
    },
}

/// Where an override says what the image is called.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NewName {
    /// Its `newName`.
    Written(Scalar),
    /// Nowhere yet: these bytes, then the name, then those go in here.
    Absent {
        /// Where.
        at: usize,
        /// What comes before the name.
        before: String,
        /// What comes after it.
        after: &'static str,
    },
}

/// The bytes of a scalar's text, without quotes and what else surrounds it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Scalar {
    /// Where they are.
    pub span: Range<usize>,
    /// What they say.
    pub text: String,
    /// How they are quoted.
    pub style: Style,
}

/// How a scalar is written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Style {
    /// As it is.
    Plain,
    /// In single quotes.
    SingleQuoted,
    /// In double quotes.
    DoubleQuoted,
    /// In a literal block.
    Literal,
    /// In a folded block.
    Folded,
}

/// Who pulls an image, as far as the text says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Context {
    /// The object's kind; empty where there is none.
    pub kind: String,
    /// The namespace that the pods are in, if it is said.
    pub namespace: Option<String>,
    /// The cluster that an Argo CD application goes to, by name or URL.
    pub cluster: Option<String>,
    /// Whether it is pulled at all.
    pub pull_policy: PullPolicy,
    /// Whether the pod brings credentials.
    pub credentials: Credentials,
    /// The pod's own labels; `None` where another file may say more.
    pub labels: Option<Arc<BTreeMap<String, String>>>,
}

impl Default for Context {
    fn default() -> Self {
        Self {
            kind: String::new(),
            namespace: None,
            cluster: None,
            pull_policy: PullPolicy::Pulls,
            credentials: Credentials::NotCovered,
            labels: None,
        }
    }
}

impl NewName {
    fn span(&self) -> Range<usize> {
        match self {
            Self::Written(scalar) => scalar.span.clone(),
            Self::Absent { at, .. } => *at..*at,
        }
    }
}

impl Site {
    /// What it names.
    pub fn reference(&self) -> Reference<'_> {
        Reference::parse(&self.image).expect("a site is made of a reference")
    }

    /// What it names without tag and digest, as it is written: what an override looks for.
    pub fn name(&self) -> &str {
        name_of(&self.image)
    }

    /// Whether it names this repository by default alone, and another build another one.
    pub fn varies(&self) -> bool {
        matches!(self.written, Written::Beginning { varies: true, .. })
    }

    /// The bytes that an edit may change; an empty range is a place to insert at.
    pub fn spans(&self) -> impl Iterator<Item = Range<usize>> {
        let (first, second) = match &self.written {
            Written::Whole(scalar)
            | Written::Beginning { scalar, .. }
            | Written::Assignment { scalar, .. } => (scalar.span.clone(), None),
            Written::Parts {
                registry,
                repository,
            } => (repository.span.clone(), registry.as_ref()),
            Written::Override { new_name, .. } => (new_name.span(), None),
        };
        iter::once(first).chain(second.map(|it| it.span.clone()))
    }

    /// The first of its bytes, by which sites are in order.
    pub fn start(&self) -> usize {
        self.spans().map(|it| it.start).min().unwrap_or_default()
    }
}
