//! What a plan holds back. A lifecycle policy deletes images, so it is put on a repository that may
//! have some only when it is known what it would take; everything else goes ahead without it.

use super::{Change, Desired, Observed, Plan, Reading, Refusal, Setting};
use crate::domain::lifecycle;
use crate::domain::lifecycle::safety::{Budget, Counts, InUse, Protect, Verdict};

/// A change that is not made yet.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// The change.
    pub change: Change,
    /// The field of the spec that it belongs to, as differences name it.
    pub field: &'static str,
    /// Why it waits.
    pub because: Because,
}

/// Why a change waits.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Because {
    /// What it would take is to be looked at first.
    NotPreviewed,
    /// What pods use is not known yet.
    UsageNotKnown,
    /// More would expire than the budget allows, and nobody has approved of it.
    OverBudget {
        /// What it would take.
        counts: Counts,
        /// What it may take.
        budget: Budget,
        /// The most images that an approval would let expire here.
        ask: usize,
    },
    /// It would take an image that pods use.
    InUse(InUse),
    /// It is about to be taken off, as soon as it is written down that it is to stay off.
    Suspending(InUse),
    /// It was taken off since it would have taken an image that pods use.
    Suspended(Option<InUse>),
}

const FIELD: &str = "lifecyclePolicyRef";

impl Plan {
    /// Holds the lifecycle policy of a repository that exists and so may have images, unless it does
    /// what the one in force does; and acts on what was found of the one in force.
    pub(super) fn guard(mut self, desired: &Desired, observed: &Observed) -> Self {
        let Setting::Present(document) = &desired.lifecycle else {
            return self;
        };
        let safety = &desired.safety;
        let put = Change::PutLifecyclePolicy(document.clone());
        if safety.suspended {
            self.changes.retain(|it| *it != put);
            if let Reading::Present(_) | Reading::Foreign(_) = observed.lifecycle {
                self.changes.push(Change::DeleteLifecyclePolicy);
            }
            self.hold(document, Because::Suspended(safety.found.clone()));
            return self;
        }
        let in_force = match &observed.lifecycle {
            Reading::Present(observed) => Some(observed),
            Reading::NotRead | Reading::Absent | Reading::Foreign(_) => None,
        };
        if self.changes.contains(&put) {
            if !in_force.is_some_and(|it| it.acts_like(document)) {
                self.changes.retain(|it| *it != put);
                self.hold(document, Because::NotPreviewed);
            }
        } else if let Some(found) = &safety.found {
            match safety.protect {
                Protect::Warn => self.refusals.push(Refusal::ImageInUse(found.clone())),
                Protect::Suspend => self.hold(document, Because::Suspending(found.clone())),
            }
        }
        self
    }

    /// The lifecycle policy that waits to be previewed.
    pub fn to_preview(&self) -> Option<&lifecycle::Document> {
        self.held
            .iter()
            .find_map(|it| match (&it.because, &it.change) {
                (Because::NotPreviewed, Change::PutLifecyclePolicy(document)) => Some(document),
                _ => None,
            })
    }

    /// What becomes of the policy that was not previewed, now that it was.
    #[must_use]
    pub fn judged(self, verdict: &Verdict, counts: Counts, safety: &lifecycle::Safety) -> Self {
        match verdict {
            Verdict::Safe => self.released(),
            Verdict::OverBudget => self.waiting(&Because::OverBudget {
                counts,
                budget: safety.budget,
                ask: safety.ask(counts).unwrap_or(counts.expiring),
            }),
            Verdict::InUse(in_use) => self.waiting(&Because::InUse(in_use.clone())),
        }
    }

    /// The policy that was not previewed waits for something else.
    #[must_use]
    pub fn waiting(mut self, because: &Because) -> Self {
        for it in self.held.iter_mut().filter(|it| it.is_unseen()) {
            it.because = because.clone();
        }
        self
    }

    fn released(mut self) -> Self {
        let released = self.held.extract_if(.., |it| it.is_unseen());
        self.changes.extend(released.map(|it| it.change));
        self
    }

    fn hold(&mut self, document: &lifecycle::Document, because: Because) {
        let is_shown = self.differences.iter().any(|it| it.field == FIELD);
        if !is_shown {
            self.differs(FIELD, "absent", document.summary());
        }
        self.held.push(Held {
            change: Change::PutLifecyclePolicy(document.clone()),
            field: FIELD,
            because,
        });
    }
}

impl Held {
    fn is_unseen(&self) -> bool {
        self.because == Because::NotPreviewed
    }
}

#[cfg(test)]
mod tests;
