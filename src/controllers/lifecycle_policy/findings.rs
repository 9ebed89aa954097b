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

/// What a look has come to.
#[derive(Clone, Debug)]
pub struct Finding {
    /// Why the policy waits.
    pub because: Because,
    /// The most images that an approval would let expire; `None`: the budget allows it.
    pub ask: Option<usize>,
    /// How long that is believed, whatever was asked.
    pub patience: Duration,
}

/// What a repository asks a person for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ask {
    /// The name of the policy.
    pub policy: String,
    /// The hash of its document.
    pub document: String,
    /// The repository.
    pub arn: String,
    /// The most images that would be let expire.
    pub most: usize,
}

/// A policy that waits.
#[derive(Debug)]
struct Waiting {
    asked: Asked,
    found: Finding,
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

    /// Keeps why a policy waits. When its patience is over it is looked at again, whatever was asked.
    pub fn waits(&self, place: Place, asked: Asked, found: Finding) {
        let now = Instant::now();
        let waiting = Waiting {
            asked,
            until: now.checked_add(found.patience),
            found,
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
        holds.then(|| waiting.found.because.clone())
    }

    /// What the repositories whose policy waits ask for, as far as that still holds.
    pub fn asks(&self) -> Vec<Ask> {
        let (found, now) = (self.found(), Instant::now());
        let waiting = found.waiting.iter().filter(|(_, it)| it.holds(now));
        let asks = waiting.filter_map(|((registry, name), it)| {
            Some(Ask {
                policy: it.asked.safety.policy.clone(),
                document: it.asked.document.hash(),
                arn: registry.repository_arn(name),
                most: it.found.ask?,
            })
        });
        asks.collect()
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
