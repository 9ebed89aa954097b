//! What was found, before it is printed: for each object and target what would change, what is
//! refused and why.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::api::conditions::Reason;
use crate::controllers::outcome;
use crate::domain::Registry;
use crate::domain::lifecycle::safety::Counts;
use crate::domain::repository::Difference;
use crate::ecr;

mod row;

pub(super) use row::outcome;

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
