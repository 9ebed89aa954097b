//! What is found in one file, and what becomes of it.

use crate::domain::names::Registry;
use crate::domain::rewrite;
use crate::manifest::{self, Document, Format};

use super::rulebook::Rulebook;

/// One file that names images.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct File {
    /// Its path in the tree, with slashes.
    pub(super) path: String,
    /// What it is.
    pub(super) format: Format,
    /// What is found in it, in the order of the text.
    pub(super) findings: Vec<Finding>,
    /// Its text before and after, where it changes.
    pub(super) edit: Option<Edit>,
}

/// A file's text before and after.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Edit {
    pub(super) before: String,
    pub(super) after: String,
}

/// One reference, or something that looks like one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Finding {
    /// Its line, from 1.
    pub(super) line: usize,
    /// What it names, or what stands there.
    pub(super) text: String,
    /// The environment that reads it, if that is clear.
    pub(super) environment: Option<String>,
    /// What becomes of it.
    pub(super) outcome: Outcome,
}

/// What becomes of a reference: exactly one of these.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Outcome {
    /// It leads to ECR now.
    Rewritten {
        /// What it names now.
        target: String,
        /// The registry that this is in.
        registry: Registry,
        /// The object that says so.
        rule: Rule,
        /// Why, in the webhook's words.
        reason: rewrite::Reason,
    },
    /// It led to ECR before.
    InStep,
    /// It stays, for this reason.
    Left(Why),
}

/// The object that a rewrite comes from.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Rule {
    /// `namespace/name` of an `ImageRepository`.
    ImageRepository(String),
    /// The name of a `PullThroughRule`.
    PullThroughRule(String),
}

/// Why something stays as it is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Why {
    /// The rules say so.
    Rules(rewrite::Reason),
    /// The text does not allow it.
    Text(manifest::Reason),
}

impl Why {
    /// The one word.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rules(reason) => reason.as_str(),
            Self::Text(reason) => reason.as_str(),
        }
    }

    /// One sentence.
    pub(super) fn explanation(self) -> &'static str {
        match self {
            Self::Rules(reason) => reason.explanation(),
            Self::Text(reason) => reason.explanation(),
        }
    }
}

impl Outcome {
    /// The word for why it is so.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::Rewritten { reason, .. } => reason.as_str(),
            Self::InStep => rewrite::Reason::AlreadyEcr.as_str(),
            Self::Left(why) => why.as_str(),
        }
    }

    /// One sentence for why it is so.
    pub(super) fn explanation(&self) -> &'static str {
        match self {
            Self::Rewritten { reason, .. } => reason.explanation(),
            Self::InStep => rewrite::Reason::AlreadyEcr.explanation(),
            Self::Left(why) => why.explanation(),
        }
    }
}

impl std::fmt::Display for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ImageRepository(name) => write!(f, "ImageRepository {name}"),
            Self::PullThroughRule(name) => write!(f, "PullThroughRule {name}"),
        }
    }
}

/// What is found in a file; `None`: nothing that concerns anybody.
pub(super) fn examine(path: &str, bytes: &[u8], book: &Rulebook) -> Option<File> {
    told(path, bytes, manifest::read(path, bytes), book)
}

/// What is found in a file that is too large to be read.
pub(super) fn too_large(path: &str, book: &Rulebook) -> Option<File> {
    told(path, &[], manifest::too_large(path), book)
}

fn told(path: &str, bytes: &[u8], document: Document<'_>, book: &Rulebook) -> Option<File> {
    let mut findings: Vec<Option<Finding>> = document
        .sites
        .iter()
        .map(|site| {
            let (environment, outcome) = book.decide((path, document.format), site)?;
            Some(Finding {
                line: site.line,
                text: site.image.clone(),
                environment,
                outcome,
            })
        })
        .collect();
    let edit = edit(path, bytes, &document, &mut findings);
    let left = document.left.into_iter().filter(|_| book.tells_all());
    let left = left.map(|it| Finding {
        line: it.line,
        text: it.text,
        environment: None,
        outcome: Outcome::Left(Why::Text(it.reason)),
    });
    let mut findings: Vec<Finding> = findings.into_iter().flatten().chain(left).collect();
    findings.sort_by_key(|it| it.line);
    (!findings.is_empty()).then(|| File {
        path: path.to_owned(),
        format: document.format,
        findings,
        edit,
    })
}

/// The file's new text; what cannot be edited becomes something left.
fn edit(
    path: &str,
    bytes: &[u8],
    document: &Document<'_>,
    findings: &mut [Option<Finding>],
) -> Option<Edit> {
    let text = str::from_utf8(bytes).ok()?;
    let targets: Vec<Option<&str>> = findings.iter().map(target).collect();
    if targets.iter().all(Option::is_none) {
        return None;
    }
    let edited = manifest::edit(path, text, document, &targets);
    let refused = match &edited {
        Ok(edited) => edited
            .refused
            .iter()
            .map(|it| (it.site, it.reason))
            .collect(),
        Err(unproven) => {
            eprintln!("warning: {path}: {unproven}; the file stays as it is");
            let all = 0..findings.len();
            all.map(|it| (it, manifest::Reason::NotEditable))
                .collect::<Vec<_>>()
        }
    };
    for (site, reason) in refused {
        if let Some(finding) = &mut findings[site]
            && let Outcome::Rewritten { .. } = finding.outcome
        {
            finding.outcome = Outcome::Left(Why::Text(reason));
        }
    }
    let after = edited.ok()?.text;
    (after != text).then(|| Edit {
        before: text.to_owned(),
        after,
    })
}

fn target(finding: &Option<Finding>) -> Option<&str> {
    match &finding.as_ref()?.outcome {
        Outcome::Rewritten { target, .. } => Some(target),
        Outcome::InStep | Outcome::Left(_) => None,
    }
}
