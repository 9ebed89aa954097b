//! When to do what to the certificates: pure, by `now`. Each certificate has an authority of its own, and the
//! order of a renewal is what keeps every handshake good: issue both and publish the new authority beside the
//! old, wait until the API server trusts both, only then show the new certificate, and drop the old authority
//! when no replica can still show the former certificate.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Serving, Store};

/// How long things live.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetimes {
    /// A serving certificate and its authority.
    pub serving: SignedDuration,
    /// From seeing a new authority in every `caBundle` to showing its certificate: the time
    /// that every API server has to notice the changed webhook configuration.
    pub settle: SignedDuration,
    /// From showing a new certificate to dropping the authority of the old one: the time that
    /// every replica has to notice the changed Secret.
    pub overlap: SignedDuration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        let days = |it: i64| SignedDuration::from_hours(24 * it);
        Self {
            serving: days(90),
            settle: SignedDuration::from_mins(1),
            overlap: days(1),
        }
    }
}

/// The next step of a renewal. Each is one write of the Secret, so a crash between any two leaves a store
/// that the next plan goes on from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Issue a certificate with an authority of its own, and publish the authority beside those in use.
    IssueNext,
    /// Show the certificate that was issued.
    ShowNext,
    /// Publish the newest authority alone.
    DropOldAuthorities,
    /// Nothing to do before this moment, unless what was observed changes.
    Wait(Timestamp),
}

/// What to do with `store` at `now`, so that the serving certificate is good for `names`.
/// `trusted_since` is when the newest authority was first seen in every `caBundle`; `None` while
/// it is missing from one.
pub fn plan(
    store: &Store,
    names: &BTreeSet<String>,
    trusted_since: Option<Timestamp>,
    now: Timestamp,
    lifetimes: &Lifetimes,
) -> Step {
    let Store {
        newest,
        older,
        serving,
        shown,
        next,
    } = store;
    let renewal = |it: &Serving| {
        let term = store.good_for(it);
        let is_of_use = it.names == *names && !term.is_from_the_future(now);
        is_of_use
            .then(|| it.term.two_thirds())
            .filter(|at| now < *at)
    };
    if let Some(next) = next
        && renewal(next).is_some()
    {
        // A certificate that is about to end is worse than one that is not trusted everywhere, and so
        // is one that no API server accepts.
        let served = store.served();
        let hurry = match served.is_good(now) && serving.names == *names {
            true => served.last_tenth(),
            false => now,
        };
        let switch = trusted_since.map_or(hurry, |it| hurry.min(it + lifetimes.settle));
        return due(switch, now, Step::ShowNext);
    }
    // An earlier version may have published an authority and signed nothing with it yet: its key is gone.
    let is_whole = next.is_none() && serving.authority == newest.name;
    let Some(renewal) = renewal(serving).filter(|_| is_whole) else {
        return Step::IssueNext;
    };
    if older.is_empty() {
        return Step::Wait(renewal);
    }
    match due(*shown + lifetimes.overlap, now, Step::DropOldAuthorities) {
        Step::Wait(drop) => Step::Wait(renewal.min(drop)),
        step => step,
    }
}

fn due(at: Timestamp, now: Timestamp, step: Step) -> Step {
    if at <= now { step } else { Step::Wait(at) }
}
