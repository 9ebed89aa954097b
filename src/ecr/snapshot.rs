//! What is known of the repositories of one registry: the last list, and what single reads and our
//! own writes have told since. A list that began before a write does not undo it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::refusals::Refusals;
use super::registry_settings;
use super::repeats::Repeats;
use super::turns::Turns;
use crate::domain::RepositoryName;
use crate::domain::repository::{Observed, Reading};

/// The repositories of one registry.
pub type Snapshot = BTreeMap<RepositoryName, Arc<Observed>>;

/// What is known of one repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Seen {
    /// The registry was not listed yet, and this name was not read.
    Unknown,
    /// There was none when last looked.
    Absent,
    /// It was as told when last looked.
    Present(Arc<Observed>),
}

/// So many repositories may be read by themselves before the first list: enough for the people who wait
/// for an edit after a restart, and too few to take its turns from the list, which serves all others.
const READS_AHEAD: u32 = 16;

/// The memory of one registry, shared by all handles on it.
#[derive(Debug, Default)]
pub(super) struct Memory {
    state: Mutex<State>,
    /// Held by who lists: two lists at a time would cost twice and tell nothing more.
    pub(super) listing: tokio::sync::Mutex<()>,
    /// How many repositories were read before the first list.
    ahead: AtomicU32,
    /// What was written how often.
    pub(super) repeats: Repeats,
    /// What AWS did not take.
    pub(super) refusals: Refusals,
    /// Who writes to which repository now.
    pub(super) turns: Turns,
    /// What the registry has only one of.
    pub(super) settings: registry_settings::Known,
}

#[derive(Debug, Default)]
struct State {
    /// Readers hold clones, so a change copies the map, but no repository, while somebody reads it.
    repositories: Arc<Snapshot>,
    /// The number of the last list that was taken in; 0 before the first.
    listed: u64,
    /// The number of the last list that began.
    began: u64,
    /// Counts what was learned name by name.
    now: u64,
    /// When each name was last learned about, since the last list began.
    learned: BTreeMap<RepositoryName, u64>,
}

/// A moment in a memory's own time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment(u64);

/// A list, by its number.
#[derive(Clone, Copy, Debug)]
pub(super) struct List(u64);

impl Memory {
    /// The whole registry, or `None` before its first list.
    pub(super) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        let state = self.state();
        (state.listed > 0).then(|| state.repositories.clone())
    }

    /// The whole registry, if a list that began after `earlier` was taken in.
    pub(super) fn snapshot_after(&self, earlier: List) -> Option<Arc<Snapshot>> {
        let state = self.state();
        (state.listed > earlier.0).then(|| state.repositories.clone())
    }

    /// Whether one more repository may be read by itself before the first list; counts it.
    pub(super) fn may_read_ahead(&self) -> bool {
        self.ahead.fetch_add(1, Ordering::Relaxed) < READS_AHEAD
    }

    /// The last list that began.
    pub(super) fn last_list(&self) -> List {
        List(self.state().began)
    }

    pub(super) fn seen(&self, name: &RepositoryName) -> Seen {
        let state = self.state();
        match state.repositories.get(name) {
            Some(observed) => Seen::Present(Arc::clone(observed)),
            None if state.listed > 0 || state.learned.contains_key(name) => Seen::Absent,
            None => Seen::Unknown,
        }
    }

    /// Now: what is read from here on is newer than all that is known.
    pub(super) fn now(&self) -> Moment {
        Moment(self.state().now)
    }

    /// Takes in a read of one name that began at `since`, unless more was learned meanwhile.
    pub(super) fn read(&self, since: Moment, name: &RepositoryName, observed: Option<Observed>) {
        let mut state = self.state();
        if !state.learned_after(since, name) {
            state.learn(name, observed);
        }
    }

    /// Takes in a part of a known repository, read since `since`, unless more was learned meanwhile.
    pub(super) fn read_part(
        &self,
        since: Moment,
        name: &RepositoryName,
        take: impl FnOnce(&mut Observed),
    ) {
        let mut state = self.state();
        if !state.learned_after(since, name) {
            state.change(name, take);
        }
    }

    /// Takes in that we made `name`, as the answer has it.
    pub(super) fn made(&self, name: &RepositoryName, observed: Observed) {
        self.state().learn(name, Some(observed));
    }

    /// Takes in that we changed `name`. A change of the unknown is unknown too.
    pub(super) fn wrote(&self, name: &RepositoryName, change: impl FnOnce(&mut Observed)) {
        self.state().change(name, change);
    }

    /// Takes in that `name` is gone.
    pub(super) fn gone(&self, name: &RepositoryName) {
        self.state().learn(name, None);
    }

    /// Begins a list: what is learned from here on is newer than it.
    pub(super) fn begin_list(&self) -> (List, Moment) {
        let mut state = self.state();
        state.began += 1;
        (List(state.began), Moment(state.now))
    }

    /// Takes in a list that began at `since`. Documents are not listed: those read earlier stay
    /// known. What was learned of a name since the list began stays as it was learned.
    pub(super) fn list(
        &self,
        (List(number), since): (List, Moment),
        mut listed: Snapshot,
    ) -> Arc<Snapshot> {
        let mut state = self.state();
        let known = &state.repositories;
        for (name, observed) in &mut listed {
            if let Some(known) = known.get(name) {
                let observed = Arc::make_mut(observed);
                carry(&known.policy, &mut observed.policy);
                carry(&known.lifecycle, &mut observed.lifecycle);
            }
        }
        for (name, _) in state.learned.iter().filter(|(_, at)| **at > since.0) {
            match known.get(name) {
                Some(known) => listed.insert(name.clone(), Arc::clone(known)),
                None => listed.remove(name),
            };
        }
        state.repositories = Arc::new(listed);
        state.listed = number;
        state.learned.clear(); // the next list begins after all of it
        state.repositories.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves what was known, not a broken invariant.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn learned_after(&self, since: Moment, name: &RepositoryName) -> bool {
        self.learned.get(name).is_some_and(|at| *at > since.0)
    }

    fn learn(&mut self, name: &RepositoryName, observed: Option<Observed>) {
        let repositories = Arc::make_mut(&mut self.repositories);
        match observed {
            Some(observed) => repositories.insert(name.clone(), Arc::new(observed)),
            None => repositories.remove(name),
        };
        self.mark(name);
    }

    fn change(&mut self, name: &RepositoryName, change: impl FnOnce(&mut Observed)) {
        if let Some(known) = Arc::make_mut(&mut self.repositories).get_mut(name) {
            change(Arc::make_mut(known));
            self.mark(name);
        }
    }

    fn mark(&mut self, name: &RepositoryName) {
        self.now += 1;
        self.learned.insert(name.clone(), self.now);
    }
}

fn carry<T: Clone>(known: &Reading<T>, listed: &mut Reading<T>) {
    if matches!(listed, Reading::NotRead) {
        listed.clone_from(known);
    }
}

#[cfg(test)]
mod tests;
