//! A client that behaves gets every answer, whatever strangers do to the listener. No deadline helps
//! here: all of them are an hour away, so that what lets the client in is that others have to go.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use ecr_operator::server::Limits;
use hyper::StatusCode;
use serde_json::json;
use tokio::time::timeout;

use super::attacks::{Attack, Crowd, Persistence, Strangers};
use super::called::Called;
use super::fixture::{Server, review_of};

/// Longer than any test.
const LATE: Duration = Duration::from_secs(3600);
/// Long enough for every answer on a slow machine, and nothing that is measured.
const PATIENCE: Duration = Duration::from_secs(120);
/// Calls of the client under each attack.
const CALLS: usize = 30;

/// Limits that an attack reaches with few connections.
fn limits() -> Limits {
    Limits {
        handshake: LATE,
        first_request: LATE,
        idle: LATE,
        body: LATE,
        answer: LATE,
        bodies_bytes: 16 << 20,
        connections: 64,
        ..Limits::default()
    }
}

/// More connections than there may be.
fn crowd(attack: Attack, persistence: Persistence) -> Crowd {
    let connections = match attack {
        Attack::StalledStreams | Attack::ClosedWindow | Attack::RapidReset => 6,
        // These cost the processor, too, which no limit of connections spares.
        Attack::LargeBody | Attack::UnreadAnswers => 8,
        Attack::IdleTcp
        | Attack::IdleTls
        | Attack::IdleAfterReview
        | Attack::SlowHead
        | Attack::StalledBody => 100,
    };
    Crowd {
        connections,
        persistence,
    }
}

/// Reviews on new connections, and on one that is kept.
async fn is_answered(attack: Attack, from: Ipv4Addr, persistence: Persistence) {
    let server = Server::ready_with(limits()).await;
    let from = IpAddr::V4(from);
    let crowd = crowd(attack, persistence);
    let _strangers = Strangers::begin(&server.target(), attack, crowd).await;
    let mut kept = server.client_from(from).await;
    for call in 0..CALLS {
        let mut another = server.client_from(from).await;
        for client in [&mut another, &mut kept] {
            let answer = client.review(review_of("nginx:1.27")).await;
            let (status, _) = answer.unwrap_or_else(|it| panic!("{call} under {attack:?}: {it:?}"));
            assert_eq!(status, StatusCode::OK, "call {call} under {attack:?}");
        }
    }
}

// All of 127/8 is loopback on Linux.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_of_another_address_loses_no_call() {
    for attack in Attack::ALL {
        let answered = is_answered(attack, Ipv4Addr::new(127, 0, 0, 2), Persistence::Again);
        let answered = timeout(PATIENCE, answered).await;
        assert!(answered.is_ok(), "no answer under {attack:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn client_behind_the_same_address_loses_no_call() {
    for attack in Attack::ALL {
        // Only who made progress last can tell them apart, so nobody comes back here.
        let answered = is_answered(attack, Ipv4Addr::LOCALHOST, Persistence::Once);
        let answered = timeout(PATIENCE, answered).await;
        assert!(answered.is_ok(), "no answer under {attack:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pod_is_rewritten_under_every_attack() {
    let Some(called) = Called::start_with("admission-attacked", limits()).await else {
        return;
    };
    for attack in Attack::ALL {
        let target = called.server.target();
        // The API server has the address of the strangers here.
        let crowd = crowd(attack, Persistence::Once);
        let strangers = Strangers::begin(&target, attack, crowd).await;
        for pod in 0..CALLS {
            let spec = json!({"containers": [{"name": "web", "image": "nginx:1.27"}]});
            let spec = called.admitted("web", spec).await;
            let image = &spec["containers"][0]["image"];
            assert_ne!(image, "nginx:1.27", "pod {pod} under {attack:?}");
        }
        drop(strangers);
    }
    called.end().await;
}

#[tokio::test]
async fn evicted_connections_are_counted() {
    let server = Server::ready_with(Limits {
        connections: 2,
        ..limits()
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        let mut client = server.client().await;
        client.review(review_of("nginx:1.27")).await.unwrap();
        clients.push(client);
    }
    let mut oldest = clients.swap_remove(0);
    oldest.review(review_of("nginx:1.27")).await.unwrap_err();
    let counted = server.counted();
    let evictions = "ecr_operator_admission_evictions_total 1\n";
    assert!(counted.contains(evictions), "{counted}");
}
