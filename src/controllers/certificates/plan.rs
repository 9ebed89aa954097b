//! When to do what to the certificates: pure, by `now`. The order of a change of authority is what
//! keeps every handshake good: publish the new one beside the old, wait until the API server trusts
//! both, only then show a certificate of the new one, and drop the old when no replica can still
//! show the former certificate.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::Store;

/// How long things live.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lifetimes {
    /// An authority.
    pub authority: SignedDuration,
    /// A serving certificate.
    pub serving: SignedDuration,
    /// From seeing a new authority in every `caBundle` to showing a certificate of it: the time
    /// that every API server has to notice the changed webhook configuration.
    pub settle: SignedDuration,
    /// From showing a certificate of the new authority to dropping the old one: the time that
    /// every replica has to notice the changed Secret.
    pub overlap: SignedDuration,
}

impl Default for Lifetimes {
    fn default() -> Self {
        let days = |it: i64| SignedDuration::from_hours(24 * it);
        Self {
            authority: days(365),
            serving: days(90),
            settle: SignedDuration::from_mins(1),
            overlap: days(1),
        }
    }
}

/// The next step of a rotation. Each is one write of the Secret, so a crash between any two leaves
/// a store that the next plan goes on from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Step {
    /// Make an authority and publish it beside the one in use.
    PublishAuthority,
    /// Make a serving certificate, signed by the newest authority.
    IssueServing,
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
        key: _,
        serving,
    } = store;
    if newest.term.is_from_the_future(now) {
        return Step::PublishAuthority;
    }
    let served = store.served();
    if serving.authority != newest.name {
        // A certificate that is about to end is worse than one that is not trusted everywhere, and so
        // is one that no API server accepts.
        let hurry = match served.is_good(now) {
            true => served.last_tenth(),
            false => now,
        };
        let switch = trusted_since.map_or(hurry, |it| hurry.min(it + lifetimes.settle));
        return due(switch, now, Step::IssueServing);
    }
    let drop = serving.term.issued + lifetimes.overlap;
    let mut next = newest.term.two_thirds();
    if next <= now {
        return Step::PublishAuthority;
    }
    if !older.is_empty() {
        if drop <= now {
            return Step::DropOldAuthorities;
        }
        next = next.min(drop);
    }
    if serving.names != *names || served.is_from_the_future(now) {
        return Step::IssueServing;
    }
    match due(serving.term.two_thirds(), now, Step::IssueServing) {
        Step::Wait(renewal) => Step::Wait(next.min(renewal)),
        step => step,
    }
}

fn due(at: Timestamp, now: Timestamp, step: Step) -> Step {
    if at <= now { step } else { Step::Wait(at) }
}
