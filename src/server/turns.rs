//! What keeps one peer from having the processor for itself: its TLS handshakes come one after the
//! other, and a connection that has much to do lets others in between.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::task::consume_budget;

/// The part of a task's turn (tokio gives it 128) that a frame of a body takes: 16 KiB at most, to be
/// decrypted and copied.
pub(super) const FRAME: u32 = 16;
/// The part that an answer takes. A client that sends many requests at once gets two in a turn.
pub(super) const ANSWER: u32 = 64;

/// Takes this part of the turn; where it is over, other tasks have theirs first.
pub(super) async fn take(part: u32) {
    for _ in 0..part {
        consume_budget().await;
    }
}

/// Held by whoever of a peer shakes hands.
pub(super) type Turn = Arc<tokio::sync::Mutex<()>>;

/// The turns of all peers that are connected.
#[derive(Default)]
pub(super) struct Turns(Mutex<HashMap<IpAddr, Weak<tokio::sync::Mutex<()>>>>);

impl Turns {
    /// The turn that all connections of `peer` share.
    pub(super) fn of(&self, peer: IpAddr) -> Turn {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(&peer).and_then(Weak::upgrade) {
            return turn;
        }
        // No more peers stay here than there are connections.
        turns.retain(|_, it| it.strong_count() > 0);
        let turn = Turn::default();
        turns.insert(peer, Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn connections_of_one_peer_share_a_turn_that_goes_with_them() {
        let [one, other] = [1, 2].map(|it| IpAddr::V4(Ipv4Addr::new(10, 0, 0, it)));
        let turns = Turns::default();
        let first = turns.of(one);
        assert!(Arc::ptr_eq(&first, &turns.of(one)));
        assert!(!Arc::ptr_eq(&first, &turns.of(other)));
        drop(first);
        let _next = turns.of(one);
        assert_eq!(turns.0.lock().unwrap().len(), 1, "the other has gone");
    }
}
