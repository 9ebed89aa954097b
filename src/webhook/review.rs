//! One review, pure: from the body that the API server sent to the body that it gets. It allows
//! whatever it is asked about; all it ever does is to name an image differently. What it cannot
//! read, or what it should not touch, stays as it is.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelValue;

use super::answer::{Answer, AuditAnnotations};
use super::images::{Field, Image, List};
use super::originals::{self, Note};
use super::secrets::PullSecrets;
use super::wire::{self, Pod, Request};
use crate::domain::admission;
use crate::domain::facts::Facts;
use crate::domain::rewrite::{Asked, Compiled, Decision, Mode, PullPolicy, Reason, Table, decide};

/// Bytes that are said of an image that stays as it is.
const LONGEST_SHOWN: usize = 512;

/// All that a review is decided by, loaded beforehand.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The rules of every policy.
    pub table: Arc<Table>,
    /// What the registries were seen to hold.
    pub facts: Arc<Facts>,
    /// Which hosts the pull secrets are for.
    pub pull_secrets: Arc<PullSecrets>,
    /// The operator's own namespace, whose pods are left alone whoever asks.
    pub own_namespace: String,
}

/// What a review came to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reviewed {
    /// The body of the answer; `None` where not even a uid could be found to answer to.
    pub answer: Option<Vec<u8>>,
    /// What it was about.
    pub outcome: Outcome,
    /// What was decided about each image, and why.
    pub verdicts: Vec<(Verb, Reason)>,
    /// Whether it was no more than a question.
    pub dry_run: bool,
}

/// What a review was about. A metric's label.
#[derive(Clone, Copy, Debug, EncodeLabelValue, Eq, Hash, PartialEq)]
pub enum Outcome {
    /// A pod's images, by a policy that says what it would do.
    Audit,
    /// A pod's images, by a policy that does it.
    Rewrite,
    /// A pod that is never looked at: opted out, a mirror pod, or of an exempt namespace.
    Exempt,
    /// Nothing that images are named by: an operation or a resource that we do not ask for.
    NotAsked,
    /// A policy that this replica does not know (yet).
    UnknownPolicy,
    /// A body that does not read.
    Malformed,
}

/// What was decided about an image. A metric's label.
#[derive(Clone, Copy, Debug, EncodeLabelValue, Eq, Hash, PartialEq)]
pub enum Verb {
    /// It is to be pulled from ECR.
    Rewrite,
    /// It stays as it is.
    Keep,
}

/// Answers the review in `body` by the rules of `policy`.
pub fn review(rules: &Rules, policy: &str, body: &[u8]) -> Reviewed {
    let request = match wire::read(body) {
        Ok(request) => request,
        Err(error) => {
            let warning = format!("ecr-operator could not read this review: {error}");
            let uid = wire::uid(body);
            return Reviewed {
                answer: uid.map(|uid| Answer::warning(&uid, warning).to_bytes()),
                outcome: Outcome::Malformed,
                verdicts: Vec::new(),
                dry_run: false,
            };
        }
    };
    let unchanged = |outcome, answer: Answer<'_>| Reviewed {
        answer: Some(answer.to_bytes()),
        outcome,
        verdicts: Vec::new(),
        dry_run: request.dry_run == Some(true),
    };
    let uid = &request.uid;
    let Some(compiled) = rules.table.policy(policy) else {
        let warning = format!("ecr-operator knows no ImageAdmissionPolicy {policy} (yet)");
        return unchanged(Outcome::UnknownPolicy, Answer::warning(uid, warning));
    };
    let Some(subject) = Subject::of(&request) else {
        return unchanged(Outcome::NotAsked, Answer::unchanged(uid));
    };
    if subject.is_exempt(&rules.own_namespace) {
        return unchanged(Outcome::Exempt, Answer::unchanged(uid));
    }
    let findings = subject.findings(rules, compiled);
    let (answer, outcome) = match compiled.policy().mode {
        Mode::Audit => (subject.audit(&findings), Outcome::Audit),
        Mode::Rewrite => (subject.rewrite(rules, &findings), Outcome::Rewrite),
    };
    let verdicts = findings.iter().map(|it| (it.verb(), it.decision.reason()));
    Reviewed {
        verdicts: verdicts.collect(),
        ..unchanged(outcome, answer)
    }
}

/// What a request is about, when it is about the images of a pod.
pub(super) struct Subject<'p> {
    pub(super) pod: &'p Pod<'p>,
    pub(super) namespace: &'p str,
    request: &'p Request<'p>,
    place: Place<'p>,
}

/// Which images are asked about, and where the originals of rewritten ones can be kept.
enum Place<'p> {
    /// A new pod: all images, originals in an annotation.
    NewPod,
    /// A pod that runs: the ephemeral containers that it does not have yet. The API server takes
    /// nothing else from a patch, so originals go to the audit log and to whoever asked.
    Running { known: BTreeSet<&'p str> },
}

/// One image, and what is to become of it.
pub(super) struct Finding<'p, 't> {
    pub(super) image: Image<'p>,
    pub(super) decision: Decision<'t>,
}

impl Finding<'_, '_> {
    fn verb(&self) -> Verb {
        match self.decision {
            Decision::Rewrite { .. } => Verb::Rewrite,
            Decision::Keep { .. } => Verb::Keep,
        }
    }
}

impl<'p> Subject<'p> {
    fn of(request: &'p Request<'p>) -> Option<Self> {
        let wire::Resource { group, resource } = &request.resource;
        if !group.is_empty() || &**resource != "pods" {
            return None;
        }
        let place = match (&*request.operation, request.sub_resource.as_deref()) {
            ("CREATE", None | Some("")) => Place::NewPod,
            ("UPDATE", Some("ephemeralcontainers")) => Place::Running {
                known: request
                    .old_object
                    .as_ref()?
                    .images()
                    .map(|it| it.field)
                    .filter(|it| it.list == List::EphemeralContainers)
                    .map(|it| it.name)
                    .collect(),
            },
            _ => return None,
        };
        Some(Self {
            pod: request.object.as_ref()?,
            namespace: request.namespace.as_deref()?,
            request,
            place,
        })
    }

    /// The API server is told to leave these out; whoever asks anyway gets the same.
    fn is_exempt(&self, own_namespace: &str) -> bool {
        let metadata = self.pod.metadata.as_ref();
        let annotations = metadata.and_then(|it| it.annotations.as_ref());
        let labels = metadata.and_then(|it| it.labels.as_ref());
        let rewrite = labels.and_then(|it| it.rewrite.as_deref());
        self.namespace == own_namespace
            || admission::SYSTEM_NAMESPACES.contains(&self.namespace)
            || annotations.is_some_and(|it| it.mirror)
            || rewrite == Some(admission::OPTED_OUT)
    }

    fn images(&self) -> impl Iterator<Item = Image<'p>> {
        self.pod.images().filter(|image| match &self.place {
            Place::NewPod => true,
            Place::Running { known } => {
                let Field { list, name, .. } = image.field;
                list == List::EphemeralContainers && !known.contains(name)
            }
        })
    }

    fn findings<'t>(&self, rules: &Rules, policy: &'t Compiled) -> Vec<Finding<'p, 't>> {
        let secrets = rules.pull_secrets.of(self.namespace, self.pod);
        self.images()
            .map(|image| {
                let asked = Asked {
                    image: image.reference,
                    namespace: self.namespace,
                    pull_policy: match image.pull_policy {
                        Some("Never") => PullPolicy::Never,
                        _ => PullPolicy::Pulls,
                    },
                    credentials: secrets.credentials(image.reference),
                };
                let decision = decide(policy, &rules.facts, &asked);
                Finding { image, decision }
            })
            .collect()
    }

    /// Nothing changes. Whoever asks by a dry run is told what would.
    fn audit(&self, findings: &[Finding<'p, '_>]) -> Answer<'p> {
        let mut answer = Answer::unchanged(&self.request.uid);
        answer.audit(
            AuditAnnotations::Decisions,
            &lines(findings, "would be rewritten to"),
        );
        if self.request.dry_run == Some(true) {
            answer.warnings = warnings(findings, "would be rewritten to");
        }
        answer
    }

    fn rewrite(&self, rules: &Rules, findings: &[Finding<'p, '_>]) -> Answer<'p> {
        let mut answer = Answer::unchanged(&self.request.uid);
        answer.audit(
            AuditAnnotations::Decisions,
            &lines(findings, "rewritten to"),
        );
        for Finding { image, decision } in findings {
            if let Some(target) = decision.target() {
                answer.replace(image.field.pointer(), target.to_owned());
            }
        }
        let note = match self.place {
            Place::NewPod => originals::note(self, rules, findings),
            Place::Running { .. } => Note::elsewhere(findings),
        };
        match note {
            Note::AsItIs => {}
            Note::Patch(operation) => answer.patch.push(operation),
            Note::Elsewhere(originals) => {
                answer.audit(AuditAnnotations::OriginalImages, &originals);
                answer.warnings = warnings(findings, "was rewritten to");
            }
        }
        answer
    }
}

/// What became of each image, by where it stands.
fn lines(findings: &[Finding<'_, '_>], rewritten: &str) -> BTreeMap<String, String> {
    let lines = findings.iter().map(|Finding { image, decision }| {
        let line = match decision {
            Decision::Rewrite {
                target,
                reason,
                rule: _,
            } => {
                format!("{} {rewritten} {target} [{reason}]", image.reference)
            }
            Decision::Keep { reason, rule: _ } => {
                format!("{} kept [{reason}]", shown(image.reference))
            }
        };
        (image.field.to_string(), line)
    });
    lines.collect()
}

/// As much of a reference as is said of one that stays: a name may be as long as a request. What is
/// rewritten has a repository's name.
fn shown(reference: &str) -> Cow<'_, str> {
    match reference.get(..reference.floor_char_boundary(LONGEST_SHOWN)) {
        Some(beginning) if beginning.len() < reference.len() => {
            format!("{beginning}… ({} bytes)", reference.len()).into()
        }
        _ => reference.into(),
    }
}

/// What became of the images that were rewritten, a few of them, for whoever sent the pod. The API
/// server cuts warnings off that are long in sum.
fn warnings(findings: &[Finding<'_, '_>], rewritten: &str) -> Vec<String> {
    let rewrites = findings.iter().filter_map(|Finding { image, decision }| {
        let Decision::Rewrite {
            target,
            reason,
            rule: _,
        } = decision
        else {
            return None;
        };
        let Image {
            field, reference, ..
        } = image;
        Some(format!(
            "{field}: {reference} {rewritten} {target} [{reason}]"
        ))
    });
    rewrites.take(10).collect()
}

#[cfg(test)]
mod tests;
