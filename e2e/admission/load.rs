//! The certificate is rotated again and again under load, in the order of the plan: whatever a
//! client trusts and whatever it is shown at that moment, no request fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ecr_operator::controllers::certificates::{Lifetimes, Step};
use hyper::StatusCode;
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::fixture::{Client, Server, issue, review_of};

const ROTATIONS: usize = 20;

struct Load {
    server: Server,
    answered: AtomicU64,
    progress: Notify,
    stop: CancellationToken,
}

impl Load {
    /// Sends requests until it is stopped: on one connection, or on a new one for each.
    async fn run(self: Arc<Self>, reconnect: bool) {
        let mut client: Option<Client> = None;
        while !self.stop.is_cancelled() {
            let mut open = match client.take() {
                Some(client) => client,
                None => self.server.client().await,
            };
            let (status, _) = open.review(review_of("nginx:1.27")).await.unwrap();
            assert_eq!(status, StatusCode::OK);
            client = (!reconnect).then_some(open);
            self.answered.fetch_add(1, Ordering::Relaxed);
            self.progress.notify_waiters();
        }
    }

    /// Waits until more requests were answered than could have been under way.
    async fn some_more(&self) {
        let enough = self.answered.load(Ordering::Relaxed) + 16;
        while self.answered.load(Ordering::Relaxed) < enough {
            self.progress.notified().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_certificate_and_authority_are_rotated() {
    let load = Arc::new(Load {
        server: Server::ready().await,
        answered: AtomicU64::new(0),
        progress: Notify::new(),
        stop: CancellationToken::new(),
    });
    let clients: Vec<_> = [true, true, false, false]
        .map(|reconnect| tokio::spawn(Arc::clone(&load).run(reconnect)))
        .into();
    let (names, lifetimes) = (["127.0.0.1".to_owned()].into(), Lifetimes::default());
    let mut store = issue();
    load.server
        .trusted
        .rcu(|it| format!("{it}{}", store.bundle()));
    load.some_more().await;
    for _ in 0..ROTATIONS {
        for step in [Step::IssueNext, Step::ShowNext, Step::DropOldAuthorities] {
            store = store
                .take(step, &names, Timestamp::now(), &lifetimes)
                .unwrap();
            load.server.show(&store);
            load.server.trusted.store(Arc::new(store.bundle()));
            load.some_more().await;
        }
    }
    load.stop.cancel();
    for client in clients {
        client.await.unwrap();
    }
}
