//! The rows that a status has of an object's targets, and what is recorded in them. One place decides
//! which rows are left and which go: a row that records something goes only when its target was
//! released. Results are joined with rows by key.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::environment_account::RegistryStatus;
use crate::api::targets::{Target, TargetKey};
use crate::desired::Extent;

/// One row of a status.
pub trait Row: Clone {
    /// Whether it records that something of ours may be there.
    fn is_recorded(&self) -> bool;
}

impl<Record: Clone> Row for Target<Record> {
    fn is_recorded(&self) -> bool {
        self.record.is_some()
    }
}

impl Row for RegistryStatus {
    fn is_recorded(&self) -> bool {
        self.record.is_some()
    }
}

/// What became of one thing that an object asks for.
pub struct End<T> {
    /// What it is about.
    pub extent: Extent,
    /// How it ended.
    pub result: T,
}

/// The rows of one status, by key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Ledger<R>(BTreeMap<TargetKey, R>);

impl<R: Row> Ledger<R> {
    /// The ledger of these rows.
    pub fn of(rows: impl IntoIterator<Item = (TargetKey, R)>) -> Self {
        Self(rows.into_iter().collect())
    }

    /// The row of `key`.
    pub fn find(&self, key: &TargetKey) -> Option<&R> {
        self.0.get(key)
    }

    /// The row of `key`, which is `pending` where there is none yet.
    pub fn row(&mut self, key: &TargetKey, pending: impl FnOnce() -> R) -> &mut R {
        self.0.entry(key.clone()).or_insert_with(pending)
    }

    /// All rows, in order of their keys.
    pub fn rows(&self) -> impl Iterator<Item = &R> {
        self.0.values()
    }

    /// All rows as status has them.
    pub fn into_rows(self) -> Vec<R> {
        self.0.into_values().collect()
    }

    /// What is recorded and no longer asked for. A stop is no release: what it is about is still asked
    /// for, in whichever region it was made.
    pub fn left(&self, asked: &[Extent]) -> Vec<(TargetKey, R)> {
        let is_left =
            |key: &TargetKey, row: &R| row.is_recorded() && !asked.iter().any(|it| it.covers(key));
        let rows = self.0.iter().filter(|(key, row)| is_left(key, row));
        rows.map(|(key, row)| (key.clone(), row.clone())).collect()
    }

    /// The rows after these ends. Each end is shown on what it is about: its own row, or where it is
    /// about more, every row that is recorded there; `show` makes a row from the one that was there.
    /// What was released goes, and of the rest what records nothing.
    #[must_use]
    pub fn merge<T>(
        mut self,
        ends: &[End<T>],
        released: &BTreeSet<TargetKey>,
        show: impl Fn(TargetKey, Option<R>, &T) -> R,
    ) -> Self {
        let mut after = BTreeMap::new();
        for End { extent, result } in ends {
            for key in self.shown_on(extent) {
                let row = self.0.remove(&key).or_else(|| after.remove(&key));
                let row = show(key.clone(), row, result);
                after.insert(key, row);
            }
        }
        let mut rest = self.0;
        rest.retain(|key, row| row.is_recorded() && !released.contains(key));
        after.extend(rest);
        Self(after)
    }

    /// The keys under which a result about `extent` is shown.
    fn shown_on(&self, extent: &Extent) -> Vec<TargetKey> {
        let recorded = self.0.iter().filter(|(_, row)| row.is_recorded());
        let covered = recorded.map(|(key, _)| key).filter(|it| extent.covers(it));
        let covered: Vec<TargetKey> = covered.cloned().collect();
        match extent {
            Extent::Target(key) => vec![key.clone()],
            Extent::Environment(environment) if covered.is_empty() => vec![TargetKey {
                environment: environment.clone(),
                region: None,
            }],
            Extent::Environment(_) | Extent::Object => covered,
        }
    }
}

impl<Record: Clone + Default> Ledger<Target<Record>> {
    /// The ledger of a status that has these targets.
    pub fn of_targets(targets: &[Target<Record>]) -> Self {
        Self::of(targets.iter().map(|it| (it.key(), it.clone())))
    }

    /// Records what is about to be made under `key`, beside what is recorded there already.
    pub fn record(
        &mut self,
        key: &TargetKey,
        intent: impl FnOnce(Record) -> Record,
    ) -> &mut Target<Record> {
        let row = self.row(key, || Target::pending(key.clone()));
        row.record = Some(intent(row.record.take().unwrap_or_default()));
        row
    }
}

#[cfg(test)]
mod laws;
