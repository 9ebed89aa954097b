//! What looks at lifecycle policies have come to where no status has room for it, since one object
//! may speak for thousands of repositories. Lost with the process, and then found out anew.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::domain::lifecycle::{Document, Safety};
use crate::domain::repository::Because;
use crate::domain::usage::Used;
use crate::domain::{Registry, RepositoryName};

/// One repository.
pub type Place = (Registry, RepositoryName);

/// What a look depends on beside the images: when it is another, the look is taken again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Asked {
    /// The policy.
    pub document: Document,
    /// How far it may go.
    pub safety: Safety,
    /// What pods use of the repository; `None`: not known yet.
    pub used: Option<Used>,
}

/// The findings, shared.
#[derive(Debug, Default)]
pub struct Findings(Mutex<Found>);

#[derive(Debug, Default)]
struct Found {
    /// Where a policy in force was seen to take an image in use.
    suspects: BTreeSet<Place>,
    /// Where a policy waits.
    waiting: BTreeMap<Place, Waiting>,
}

/// A policy that waits.
#[derive(Debug)]
struct Waiting {
    asked: Asked,
    because: Because,
    /// `None`: for good.
    until: Option<Instant>,
}

impl Findings {
    /// Asks the next reconciliation to look at a policy in force.
    pub fn suspect(&self, place: Place) {
        self.found().suspects.insert(place);
    }

    /// Whether somebody asked for that.
    pub fn is_suspect(&self, place: &Place) -> bool {
        self.found().suspects.contains(place)
    }

    /// It was looked at.
    pub fn clear(&self, place: &Place) {
        self.found().suspects.remove(place);
    }

    /// Keeps why a policy waits. After `patience` it is looked at again, whatever was asked.
    pub fn waits(&self, place: Place, asked: Asked, because: Because, patience: Duration) {
        let now = Instant::now();
        let waiting = Waiting {
            asked,
            because,
            until: now.checked_add(patience),
        };
        let mut found = self.found();
        found.waiting.retain(|_, it| it.holds(now)); // some of them are nobody's any more
        found.waiting.insert(place, waiting);
    }

    /// Why the policy waits, if a look at this very thing has said so not long ago.
    pub fn why(&self, place: &Place, asked: &Asked) -> Option<Because> {
        let found = self.found();
        let waiting = found.waiting.get(place)?;
        let holds = waiting.asked == *asked && waiting.holds(Instant::now());
        holds.then(|| waiting.because.clone())
    }

    fn found(&self) -> MutexGuard<'_, Found> {
        // A panic elsewhere leaves what was known, not a broken invariant.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    fn holds(&self, now: Instant) -> bool {
        self.until.is_none_or(|it| now < it)
    }
}

#[cfg(test)]
mod tests;
