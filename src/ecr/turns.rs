//! Who writes to one repository at a time. A plan that is made from a read, and the calls that follow
//! from it, are one turn: an object that takes a repository back and a tombstone that ends it never
//! overlap.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::domain::RepositoryName;

/// The turns that are taken or waited for, by repository.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<HashMap<RepositoryName, Weak<AsyncMutex<()>>>>);

/// The only one to write to a repository, until dropped.
#[must_use = "dropped, it is somebody else's turn"]
#[derive(Debug)]
pub struct Turn(#[expect(dead_code, reason = "held")] OwnedMutexGuard<()>);

impl Turns {
    /// Waits for the turn to write to `name`.
    pub(super) async fn take(&self, name: &RepositoryName) -> Turn {
        let turn = {
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, it| it.strong_count() > 0);
            let turn = turns.get(name).and_then(Weak::upgrade);
            let turn = turn.unwrap_or_default();
            turns.insert(name.clone(), Arc::downgrade(&turn));
            turn
        };
        Turn(turn.lock_owned().await)
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn turn_is_of_one_repository_and_one_at_a_time() {
        let turns = Turns::default();
        let [one, other] = ["shop/one", "shop/other"].map(|it| it.parse().unwrap());
        let first = turns.take(&one).await;
        assert!(turns.take(&one).now_or_never().is_none());
        assert!(turns.take(&other).now_or_never().is_some());
        drop(first);
        assert!(turns.take(&one).now_or_never().is_some());
        let kept = turns.0.lock().unwrap().len();
        assert!(kept <= 2, "{kept} turns are kept");
    }
}
