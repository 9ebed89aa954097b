//! What was found, before it is printed: for each object and target what would change, what is
//! refused and why.

use std::collections::BTreeMap;
use std::time::Duration;

use super::previewed;
use crate::api::conditions::Reason;
use crate::controllers::outcome;
use crate::desired::{CacheTarget, Stopped, Target};
use crate::domain::lifecycle::safety::Counts;
use crate::domain::names::EnvironmentName;
use crate::domain::repository::{self, Because, Difference, Held, Management, Refusal};
use crate::domain::{Registry, pull_through, template};
use crate::ecr;

/// All that was found.
pub(super) struct Report {
    /// The objects, by kind and name.
    pub(super) objects: Vec<Object>,
    /// The registries that could not be read.
    pub(super) unread: Vec<Unread>,
    /// How many registries there are to read.
    pub(super) registries: usize,
    /// The calls that it took.
    pub(super) calls: u64,
    /// The time that it took.
    pub(super) elapsed: Duration,
}

/// One object and what becomes of it in each of its targets.
pub(super) struct Object {
    pub(super) kind: Kind,
    /// Its name, with its namespace where it has one.
    pub(super) name: String,
    pub(super) rows: Vec<Row>,
}

/// The kinds that say something about AWS.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    ImageRepository,
    PullThroughRule,
    EnvironmentAccount,
    LifecyclePolicy,
    ImageAdmissionPolicy,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::ImageRepository => "ImageRepository",
            Self::PullThroughRule => "PullThroughRule",
            Self::EnvironmentAccount => "EnvironmentAccount",
            Self::LifecyclePolicy => "LifecyclePolicy",
            Self::ImageAdmissionPolicy => "ImageAdmissionPolicy",
        }
    }
}

/// One target.
#[derive(Clone)]
pub(super) struct Row {
    /// Empty where it is about the object as a whole.
    pub(super) environment: String,
    /// `None` where it is not known, or about the object as a whole.
    pub(super) registry: Option<Registry>,
    pub(super) outcome: Outcome,
    /// What would be made or deleted, in people's words.
    pub(super) made: Vec<String>,
    /// Every field that is not as the object asks.
    pub(super) differences: Vec<Difference>,
    /// What is not done, and why.
    pub(super) refused: Vec<Refused>,
    /// What ECR previews before a call is made, by the differing field.
    pub(super) previewed: Vec<(&'static str, String)>,
    /// The writes that the operator would make, in order.
    pub(super) calls: Vec<&'static str>,
}

/// How a target stands.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Outcome {
    /// It is not there, and would be made.
    Create,
    /// It would be changed.
    Change,
    /// It is there, and would be deleted.
    Delete,
    /// It differs, and another cluster is to change it.
    Observe,
    /// A person has to act first, at least on a part of it.
    Refused,
    /// It could not be read.
    Unread,
    /// It is suspended: nothing is done, whatever differs.
    Suspended,
    /// It is as the object asks.
    InStep,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Create => "Create",
            Self::Change => "Change",
            Self::Delete => "Delete",
            Self::Observe => "Observe",
            Self::Refused => "Refused",
            Self::Unread => "Unread",
            Self::Suspended => "Suspended",
            Self::InStep => "InStep",
        }
    }
}

/// Something that the object asks for and that is not done.
#[derive(Clone)]
pub(super) struct Refused {
    /// The differing field that it is about; `None`: all of the target.
    pub(super) field: Option<&'static str>,
    pub(super) reason: Reason,
    pub(super) message: String,
    /// How much a lifecycle policy would take, where it is held for that.
    pub(super) counts: Option<Counts>,
}

/// A registry that could not be read.
pub(super) struct Unread {
    pub(super) environment: String,
    pub(super) registry: Registry,
    /// How many targets are in it.
    pub(super) targets: usize,
    pub(super) error: ecr::Error,
}

impl Unread {
    pub(super) fn reason(&self) -> Reason {
        outcome::of_error(self.error.kind).0
    }
}

impl Report {
    /// Whether everything could be read.
    pub(super) fn is_complete(&self) -> bool {
        self.unread.is_empty() && self.rows().all(|it| it.outcome != Outcome::Unread)
    }

    /// Whether anything is not as the objects ask.
    pub(super) fn differs(&self) -> bool {
        let settled = |it: &Row| matches!(it.outcome, Outcome::InStep | Outcome::Suspended);
        !self.rows().all(settled)
    }

    /// How many targets stand in each way.
    pub(super) fn outcomes(&self) -> BTreeMap<Outcome, usize> {
        let mut counts = BTreeMap::new();
        for row in self.rows() {
            *counts.entry(row.outcome).or_default() += 1;
        }
        let unread: usize = self.unread.iter().map(|it| it.targets).sum();
        if unread > 0 {
            *counts.entry(Outcome::Unread).or_default() += unread;
        }
        counts
    }

    /// How often the operator would make each write.
    pub(super) fn writes(&self) -> BTreeMap<&'static str, usize> {
        let mut counts = BTreeMap::new();
        for call in self.rows().flat_map(|it| &it.calls) {
            *counts.entry(*call).or_default() += 1;
        }
        counts
    }

    fn rows(&self) -> impl Iterator<Item = &Row> {
        self.objects.iter().flat_map(|it| &it.rows)
    }
}

impl Object {
    /// Whether every target is as the object asks.
    pub(super) fn is_in_step(&self) -> bool {
        self.rows.iter().all(|it| it.outcome == Outcome::InStep)
    }
}

impl Row {
    /// A target of which nothing can be said but why.
    pub(super) fn stopped(stopped: &Stopped) -> Self {
        let refused = Refused {
            field: None,
            reason: stopped.reason,
            message: stopped.to_string(),
            counts: None,
        };
        let outcome = match stopped.reason {
            Reason::Suspended => Outcome::Suspended,
            _ => Outcome::Refused,
        };
        Self {
            environment: stopped.environment.clone(),
            registry: None,
            outcome,
            refused: vec![refused],
            ..Self::in_step()
        }
    }

    /// A target that could not be read.
    pub(super) fn unread(
        (environment, registry): (&EnvironmentName, &Registry),
        error: &ecr::Error,
    ) -> Self {
        let refused = Refused {
            field: None,
            reason: outcome::of_error(error.kind).0,
            message: error.to_string(),
            counts: None,
        };
        Self {
            environment: environment.to_string(),
            registry: Some(registry.clone()),
            outcome: Outcome::Unread,
            refused: vec![refused],
            ..Self::in_step()
        }
    }

    /// What the plan of a repository comes to.
    pub(super) fn of_repository(target: &Target, plan: repository::Plan) -> Self {
        let repository::Plan {
            mut changes,
            held,
            refusals,
            differences,
        } = plan;
        let mut refused: Vec<_> = refusals.iter().map(refused).collect();
        let mut previews = Vec::new();
        for it in held {
            if it.because == Because::NotPreviewed {
                previews.push((it.field, previewed::to_be(&target.desired.safety)));
                changes.push(it.change);
            } else {
                refused.push(waits(&it, &target.desired));
            }
        }
        let made = made(&target.desired, &changes);
        Self {
            environment: target.environment.to_string(),
            registry: Some(target.registry.clone()),
            outcome: outcome(
                (!made.is_empty(), !changes.is_empty(), !refused.is_empty()),
                (target.desired.management, &differences),
            ),
            calls: changes.iter().map(repository::Change::operation).collect(),
            made,
            differences,
            refused,
            previewed: previews,
        }
    }

    /// What the plans of a cache rule and of its template come to.
    pub(super) fn of_rule(
        target: &CacheTarget,
        rule: pull_through::Plan,
        template: template::Plan,
    ) -> Self {
        let of_rule = rule.refusals.iter().map(|it| Refused {
            field: match it {
                pull_through::Refusal::Immutable { field, .. }
                | pull_through::Refusal::Foreign { field, .. } => Some(*field),
                pull_through::Refusal::Overlap { .. }
                | pull_through::Refusal::Claimed { .. }
                | pull_through::Refusal::TooManyRules
                | pull_through::Refusal::Missing(_) => None,
            },
            reason: outcome::of_rule_refusal(it),
            message: it.to_string(),
            counts: None,
        });
        let of_template = template.refusals.iter().map(|it| Refused {
            field: None,
            reason: outcome::of_template_refusal(it),
            message: it.to_string(),
            counts: None,
        });
        let refused: Vec<_> = of_rule.chain(of_template).collect();
        let differences = [rule.differences, template.differences].concat();
        let (mut calls, mut made) = (Vec::new(), Vec::new());
        // As in the controller: the template first, and nothing where something is refused.
        if refused.is_empty() {
            calls.extend(template.changes.iter().map(template::Change::operation));
            calls.extend(rule.changes.iter().map(pull_through::Change::operation));
            made.extend(template.changes.iter().filter_map(made_template));
            made.extend(rule.changes.iter().filter_map(made_rule));
        }
        Self {
            environment: target.environment.to_string(),
            registry: Some(target.registry.clone()),
            outcome: outcome(
                (!made.is_empty(), !calls.is_empty(), !refused.is_empty()),
                (target.desired.management, &differences),
            ),
            calls,
            made,
            differences,
            refused,
            previewed: Vec::new(),
        }
    }

    /// Where it is, for sorting and for people: environment, and account with region.
    pub(super) fn place(&self) -> (String, String) {
        let registry = self.registry.as_ref();
        let registry = registry.map_or(String::new(), ToString::to_string);
        (self.environment.clone(), registry)
    }

    /// A target with nothing to be said of it.
    pub(super) fn in_step() -> Self {
        Self {
            environment: String::new(),
            registry: None,
            outcome: Outcome::InStep,
            made: Vec::new(),
            differences: Vec::new(),
            refused: Vec::new(),
            previewed: Vec::new(),
            calls: Vec::new(),
        }
    }
}

fn made_rule(change: &pull_through::Change) -> Option<String> {
    use pull_through::Change::{CreatePullThroughCacheRule, UpdatePullThroughCacheRule};
    match change {
        CreatePullThroughCacheRule(rule) => Some(format!("cache rule {}", rule.prefix)),
        UpdatePullThroughCacheRule { .. } => None,
    }
}

fn made_template(change: &template::Change) -> Option<String> {
    use template::Change::{
        CreateRepositoryCreationTemplate, DeleteRepositoryCreationTemplate,
        UpdateRepositoryCreationTemplate,
    };
    match change {
        CreateRepositoryCreationTemplate(it) => Some(format!("creation template {}", it.prefix)),
        UpdateRepositoryCreationTemplate(_) | DeleteRepositoryCreationTemplate(_) => None,
    }
}

fn refused(refusal: &Refusal) -> Refused {
    let (reason, message) = outcome::of_refusal(refusal);
    let field = match refusal {
        Refusal::EncryptionImmutable => Some("encryption"),
        Refusal::PrincipalsGone(_) => Some("access"),
        Refusal::ImageInUse(_) => Some("lifecyclePolicyRef"),
        Refusal::TooManyTags { .. } => Some("tags"),
        Refusal::NotAdopted
        | Refusal::OwnedByAnother(_)
        | Refusal::Missing
        | Refusal::Contested(_) => None,
    };
    Refused {
        field,
        reason,
        message,
        counts: None,
    }
}

/// What a change means that waits for a person or for pods.
fn waits(held: &Held, desired: &repository::Desired) -> Refused {
    let (reason, _, _, message) = outcome::of_held(&held.because, desired);
    let counts = match held.because {
        Because::OverBudget { counts, .. } => Some(counts),
        Because::NotPreviewed
        | Because::UsageNotKnown
        | Because::InUse(_)
        | Because::Suspending(_)
        | Because::Suspended(_) => None,
    };
    Refused {
        field: Some(held.field),
        reason,
        message,
        counts,
    }
}

/// What would be made with a new repository; nothing where there is one.
fn made(desired: &repository::Desired, changes: &[repository::Change]) -> Vec<String> {
    use repository::Change::{
        CreateRepository, DeleteLifecyclePolicy, DeleteRepository, DeleteRepositoryPolicy,
        DeleteRepositoryWithImages, PutImageScanningConfiguration, PutImageTagMutability,
        PutLifecyclePolicy, SetRepositoryPolicy, TagResource, UntagResource,
    };
    if !matches!(changes.first(), Some(CreateRepository(_))) {
        return Vec::new();
    }
    let word = |it: &repository::Change| match it {
        CreateRepository(_) => format!("repository {}", desired.name),
        SetRepositoryPolicy(_) => "access policy".to_owned(),
        PutLifecyclePolicy(_) => "lifecycle policy".to_owned(),
        PutImageTagMutability(_)
        | PutImageScanningConfiguration(_)
        | DeleteRepositoryPolicy
        | DeleteLifecyclePolicy
        | TagResource(_)
        | UntagResource(_)
        | DeleteRepository
        | DeleteRepositoryWithImages => it.operation().to_owned(),
    };
    changes.iter().map(word).collect()
}

/// How a target stands that is created, changed or refused, as the first three say.
pub(super) fn outcome(
    (created, changed, refused): (bool, bool, bool),
    (management, differences): (Management, &[Difference]),
) -> Outcome {
    match (refused, created, changed, management) {
        (true, ..) => Outcome::Refused,
        (_, true, ..) => Outcome::Create,
        (_, _, true, _) => Outcome::Change,
        (_, _, _, Management::Observe) if !differences.is_empty() => Outcome::Observe,
        (_, _, _, Management::Observe | Management::Manage) => Outcome::InStep,
    }
}
