//! One answer of `explain`: how an image is read and what becomes of it, as text or as JSON.

use std::fmt::Display;
use std::io::{self, Write};

use serde::{Serialize, Serializer};

use crate::domain::facts::{Facts, Presence};
use crate::domain::reference::{Reference, Repository};
use crate::domain::rewrite::{
    Asked, Compiled, Credentials, Decision, Mode, PullPolicy, Reason, Rule, decide,
};

/// What images are looked at through.
pub(super) struct Lens<'a> {
    /// The policy; `None` where there is none, so that nothing is rewritten.
    pub(super) policy: Option<&'a Compiled>,
    /// The namespace of the pod that names the image.
    pub(super) namespace: &'a str,
}

impl<'a> Lens<'a> {
    /// What becomes of `image` where every repository is as `presence` says.
    fn decide(&self, image: &str, presence: Presence) -> Decision<'a> {
        let asked = Asked {
            image,
            namespace: self.namespace,
            pull_policy: PullPolicy::Pulls,
            credentials: Credentials::NotCovered,
        };
        match self.policy {
            Some(policy) => decide(policy, &Facts::assuming(presence), &asked),
            None => Decision::Keep {
                reason: Reason::NoRule,
                rule: None,
            },
        }
    }
}

/// What is to be said of one image.
pub(super) enum Answer<'a> {
    /// How it is read, and what becomes of it.
    Decided {
        image: Reference<'a>,
        decision: Decision<'a>,
    },
    /// It is no reference.
    Unreadable { image: &'a str, error: String },
}

impl<'a> Answer<'a> {
    /// What becomes of `image`.
    pub(super) fn of(image: &'a str, lens: &Lens<'a>) -> Self {
        match Reference::parse(image) {
            Ok(reference) => Self::Decided {
                image: reference,
                decision: lens.decide(image, Presence::Active),
            },
            Err(error) => Self::Unreadable {
                image,
                error: error.to_string(),
            },
        }
    }

    /// What is said of bytes that are no text; `image` is as much of them as can be shown.
    pub(super) fn not_text(image: &'a str, error: std::str::Utf8Error) -> Self {
        let error = format!("not UTF-8, at byte {}", error.valid_up_to());
        Self::Unreadable { image, error }
    }

    /// Writes the answer as one line of JSON.
    pub(super) fn write_json(&self, out: &mut impl Write) -> io::Result<()> {
        let line = match self {
            Self::Decided { image, decision } => Line {
                image: image.as_str(),
                registry: image.domain(),
                repository: Text(Some(image.repository())),
                tag: image.tag().unwrap_or_default(),
                digest: image.digest().unwrap_or_default(),
                decision: match decision {
                    Decision::Rewrite { .. } => "rewrite",
                    Decision::Keep { .. } => "keep",
                },
                target: decision.target().unwrap_or_default(),
                rule: Text(decision.rule()),
                reason: decision.reason().as_str(),
                error: None,
            },
            Self::Unreadable { image, error } => Line {
                image,
                error: Some(error),
                ..Line::default()
            },
        };
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")
    }

    /// Writes the answer for people: what becomes of the image, by which rule and why.
    pub(super) fn write_text(&self, lens: &Lens<'_>, out: &mut impl Write) -> io::Result<()> {
        let (image, decision) = match self {
            Self::Decided { image, decision } => (image, decision),
            Self::Unreadable { image, error } => {
                // Quoted: what is no reference may be anything, a terminal's commands too.
                writeln!(out, "\n{image:?}    no image reference")?;
                return writeln!(out, "  why       {error}");
            }
        };
        let done = match decision {
            Decision::Rewrite { .. } => "rewritten",
            Decision::Keep { .. } => "kept",
        };
        writeln!(out, "\n{image}    {done}    [{}]", decision.reason())?;
        let meaning = image.normalised().to_string();
        if meaning != image.as_str() {
            writeln!(out, "  means     {meaning}")?;
        }
        if let Some(target) = decision.target() {
            writeln!(out, "  runs      {target}")?;
        }
        if let Some(rule) = decision.rule() {
            writeln!(out, "  rule      {rule}")?;
        }
        writeln!(out, "  why       {}", decision.reason().explanation())?;
        match lens.decide(image.as_str(), Presence::Absent) {
            Decision::Keep { reason, .. } if reason != decision.reason() => {
                writeln!(out, "  if not    kept [{reason}]: {}", reason.explanation())
            }
            Decision::Keep { .. } | Decision::Rewrite { .. } => Ok(()),
        }
    }
}

/// Writes what people read first: by which policy all that follows is decided.
pub(super) fn write_heading(lens: &Lens<'_>, out: &mut impl Write) -> io::Result<()> {
    let Some(compiled) = lens.policy else {
        return writeln!(out, "No policy, so nothing is rewritten");
    };
    let policy = compiled.policy();
    let mode = match policy.mode {
        Mode::Audit => "Audit: pods stay as they are",
        Mode::Rewrite => "Rewrite",
    };
    writeln!(
        out,
        "Policy {} ({mode}), registry {}\nNo registry was asked: images count as being where their rules lead",
        policy.name, policy.registry
    )
}

#[derive(Default, Serialize)]
struct Line<'a> {
    image: &'a str,
    registry: &'a str,
    repository: Text<Repository<'a>>,
    tag: &'a str,
    digest: &'a str,
    decision: &'a str,
    target: &'a str,
    rule: Text<Rule<'a>>,
    reason: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// What displays, written without a copy; empty where there is nothing.
struct Text<T>(Option<T>);

impl<T> Default for Text<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Display> Serialize for Text<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(it) => serializer.collect_str(it),
            None => serializer.serialize_str(""),
        }
    }
}
