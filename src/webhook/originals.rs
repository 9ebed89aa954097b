//! The note of what stood where before: one annotation on a new pod, a JSON map from `containers[app]`
//! to the image. It is for people and reports. Nothing in a note that came with a pod is believed
//! unless our own rules say the same: that is how the note of a policy called before, or of an
//! earlier call for the same pod, survives, and a made-up one does not.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::answer::{Operation, to_json};
use super::review::{Finding, Rules, Subject};
use super::wire::Metadata;
use crate::api::ORIGINAL_IMAGES;
use crate::domain::rewrite::{Asked, Credentials, PullPolicy, decide};

/// The API server refuses a pod whose annotations are longer in sum.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/>
const LONGEST_ANNOTATIONS: usize = 256 << 10;

/// By where an image stands, what stood there before.
type Originals = BTreeMap<String, String>;

/// Where the note goes.
pub(super) enum Note {
    /// Nothing has to be written.
    AsItIs,
    /// Into the pod.
    Patch(Operation),
    /// Not into the pod.
    Elsewhere(Originals),
}

impl Note {
    /// The note of a rewrite that the pod cannot keep.
    pub(super) fn elsewhere(findings: &[Finding<'_, '_>]) -> Self {
        match rewritten(findings) {
            originals if originals.is_empty() => Self::AsItIs,
            originals => Self::Elsewhere(originals),
        }
    }
}

/// The note for a new pod.
pub(super) fn note(subject: &Subject<'_>, rules: &Rules, findings: &[Finding<'_, '_>]) -> Note {
    let metadata = subject.pod.metadata.as_ref();
    let annotations = metadata.and_then(|it| it.annotations.as_ref());
    let present = annotations.and_then(|it| it.original_images.as_deref());
    let mut originals = present
        .map(|it| believed(it, subject, rules))
        .unwrap_or_default();
    originals.extend(rewritten(findings));
    if originals.is_empty() {
        return match present {
            Some(_) => Note::Patch(Operation::Remove {
                path: member(ORIGINAL_IMAGES),
            }),
            None => Note::AsItIs,
        };
    }
    let text = to_json(&originals);
    if present == Some(&text) {
        return Note::AsItIs;
    }
    let others = annotations.map_or(0, |it| {
        it.size - present.map_or(0, |it| it.len() + ORIGINAL_IMAGES.len())
    });
    if others + ORIGINAL_IMAGES.len() + text.len() > LONGEST_ANNOTATIONS {
        return Note::elsewhere(findings);
    }
    Note::Patch(annotate(metadata, ORIGINAL_IMAGES, text))
}

fn rewritten(findings: &[Finding<'_, '_>]) -> Originals {
    let rewritten = findings.iter().filter(|it| it.decision.target().is_some());
    rewritten
        .map(|it| (it.image.field.to_string(), it.image.reference.to_owned()))
        .collect()
}

/// What a note says that our rules say too: that the image which stands there is what one of our
/// policies makes of the original.
fn believed(text: &str, subject: &Subject<'_>, rules: &Rules) -> Originals {
    let mut claimed: Originals = serde_json::from_str(text).unwrap_or_default();
    let mut originals = Originals::new();
    for image in subject.pod.images() {
        let field = image.field.to_string();
        let Some(original) = claimed.remove(&field) else {
            continue;
        };
        let asked = Asked {
            image: &original,
            namespace: subject.namespace,
            pull_policy: PullPolicy::Pulls,
            credentials: Credentials::NotCovered,
        };
        let ours = rules
            .table
            .policies()
            .any(|policy| decide(policy, &rules.facts, &asked).target() == Some(image.reference));
        if ours {
            originals.insert(field, original);
        }
    }
    originals
}

/// Adds an annotation, with as much around it as is missing.
pub(super) fn annotate(metadata: Option<&Metadata<'_>>, key: &str, text: String) -> Operation {
    let annotations = metadata.and_then(|it| it.annotations.as_ref());
    let (path, value) = match (metadata, annotations) {
        (_, Some(_)) => (member(key), Value::String(text)),
        (Some(_), None) => ("/metadata/annotations".to_owned(), json!({ key: text })),
        (None, None) => ("/metadata".to_owned(), json!({"annotations": {key: text}})),
    };
    Operation::Add { path, value }
}

/// The JSON pointer of an annotation: a slash within a key is written `~1`.
fn member(key: &str) -> String {
    format!(
        "/metadata/annotations/{}",
        key.replace('~', "~0").replace('/', "~1")
    )
}
