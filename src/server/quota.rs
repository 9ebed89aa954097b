//! One limit that all peers share: so many connections, or so many bytes. Whoever comes gets in; what
//! is above the limit is taken from others, in this order:
//!
//! 1. Who has proven nothing yet may hold half of it. Where they hold more, they lose; where they do
//!    not, those lose that have. So a crowd of either kind leaves the other one room.
//! 2. The peer that holds most loses.
//! 3. What is stalled loses, then what is largest, then what has made no progress for longest. That
//!    alone decides among the clients behind one address (a proxy, a network that translates them).

use std::cmp::Reverse;
use std::collections::HashMap;
use std::mem;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Without progress for so long, a holder is stalled. A packet that is lost on the way takes less.
const STALLED: Duration = Duration::from_millis(500);
/// A peer that holds less than this part of the limit is not held to be greedy: API servers hold a
/// few dozen connections, and a thousand pods with one connection each must not make them lose.
const MODEST: u64 = 8;

/// So much for all peers together.
pub(super) struct Quota {
    most: u64,
    holdings: Mutex<Holdings>,
}

#[derive(Default)]
struct Holdings {
    taken: u64,
    next: u64,
    all: HashMap<u64, Holding>,
}

struct Holding {
    peer: IpAddr,
    amount: u64,
    standing: Standing,
    progressed: Instant,
    evicted: CancellationToken,
}

/// What is known of a holder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Standing {
    /// Nothing yet.
    New,
    /// It does what clients do.
    Proven,
}

/// What somebody wants to hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim {
    pub(super) peer: IpAddr,
    pub(super) amount: u64,
    pub(super) standing: Standing,
}

/// A part of a quota, given back when dropped.
pub(super) struct Share {
    quota: Arc<Quota>,
    id: u64,
    evicted: CancellationToken,
}

/// The share was taken away.
#[derive(Debug)]
pub(super) struct Evicted;

impl Quota {
    pub(super) fn new(most: u32) -> Self {
        Self {
            most: u64::from(most),
            holdings: Mutex::default(),
        }
    }

    /// A share for a newcomer. Others of its peer lose before it does.
    pub(super) fn claim(self: &Arc<Self>, claim: Claim) -> Share {
        let Claim {
            peer,
            amount,
            standing,
        } = claim;
        let mut holdings = self.holdings();
        let id = holdings.next;
        let evicted = CancellationToken::new();
        let holding = Holding {
            peer,
            amount,
            standing,
            progressed: Instant::now(),
            evicted: evicted.clone(),
        };
        holdings.next += 1;
        holdings.taken += amount;
        holdings.all.insert(id, holding);
        holdings.shrink(self.most, id);
        Share {
            quota: Arc::clone(self),
            id,
            evicted,
        }
    }

    /// Takes one share away, whose ever that is.
    pub(super) fn evict(&self) {
        let mut holdings = self.holdings();
        if let Some(id) = holdings.loser(self.most, None) {
            holdings.evict(id);
        }
    }

    fn holdings(&self) -> MutexGuard<'_, Holdings> {
        self.holdings.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Holdings {
    /// Evicts until all together hold no more than `most`, `mover` last of its peer.
    fn shrink(&mut self, most: u64, mover: u64) {
        while self.taken > most
            && let Some(id) = self.loser(most, Some(mover))
        {
            self.evict(id);
        }
    }

    fn evict(&mut self, id: u64) {
        if let Some(holding) = self.remove(id) {
            holding.evicted.cancel();
        }
    }

    fn remove(&mut self, id: u64) -> Option<Holding> {
        let holding = self.all.remove(&id)?;
        self.taken -= holding.amount;
        Some(holding)
    }

    /// Who loses next.
    fn loser(&self, most: u64, mover: Option<u64>) -> Option<u64> {
        let now = Instant::now();
        let mut held: HashMap<IpAddr, u64> = HashMap::new();
        let mut unproven = 0;
        for it in self.all.values() {
            *held.entry(it.peer).or_default() += it.amount;
            if it.standing == Standing::New {
                unproven += it.amount;
            }
        }
        let losing = if unproven > most / 2 {
            Standing::New
        } else {
            Standing::Proven
        };
        let loser = self.all.iter().min_by_key(|(id, it)| {
            let greed = held[&it.peer].max(most / MODEST);
            let moves = Some(**id) == mover;
            let other = it.standing != losing;
            let advances = now.duration_since(it.progressed) < STALLED;
            let size = Reverse(it.amount);
            let place = (other, Reverse(greed), moves);
            (place, advances, size, it.progressed, **id)
        });
        loser.map(|(id, _)| *id)
    }
}

impl Share {
    /// It made progress.
    pub(super) fn progress(&self) {
        if let Some(holding) = self.quota.holdings().all.get_mut(&self.id) {
            holding.progressed = Instant::now();
        }
    }

    /// It is proven now.
    pub(super) fn prove(&self) {
        if let Some(holding) = self.quota.holdings().all.get_mut(&self.id) {
            holding.standing = Standing::Proven;
        }
    }

    /// When it last made progress; `None` after it was evicted.
    pub(super) fn progressed(&self) -> Option<Instant> {
        let holdings = self.quota.holdings();
        holdings.all.get(&self.id).map(|it| it.progressed)
    }

    /// Holds `amount` from now on, at the cost of others where that is too much.
    pub(super) fn resize(&self, amount: u64) -> Result<(), Evicted> {
        let most = self.quota.most;
        let mut holdings = self.quota.holdings();
        let holding = holdings.all.get_mut(&self.id).ok_or(Evicted)?;
        let before = mem::replace(&mut holding.amount, amount);
        holdings.taken = holdings.taken - before + amount;
        holdings.shrink(most, self.id);
        let kept = holdings.all.contains_key(&self.id);
        kept.then_some(()).ok_or(Evicted)
    }

    /// Whoever takes it away takes `owner` away from now on.
    pub(super) fn belongs_to(&self, owner: &Self) {
        if let Some(holding) = self.quota.holdings().all.get_mut(&self.id) {
            holding.evicted = owner.evicted.clone();
        }
    }

    /// Takes it away.
    pub(super) fn evict(&self) {
        self.quota.holdings().evict(self.id);
    }

    /// Ends when it is taken away.
    pub(super) async fn evicted(&self) {
        self.evicted.cancelled().await;
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.quota.holdings().remove(self.id);
    }
}

#[cfg(test)]
mod tests;
