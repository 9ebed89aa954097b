use std::net::Ipv4Addr;
use std::time::Duration;

use super::*;

fn claim(quota: &Arc<Quota>, peer: u8, amount: u64) -> Share {
    quota.claim(Claim {
        peer: IpAddr::V4(Ipv4Addr::new(10, 0, 0, peer)),
        amount,
        standing: Standing::New,
    })
}

fn proven(quota: &Arc<Quota>, peer: u8) -> Share {
    let share = claim(quota, peer, 1);
    share.prove();
    share
}

/// Lets the last progress of `share` be so long ago.
fn age(share: &Share, seconds: u64) {
    let mut holdings = share.quota.holdings();
    let holding = holdings.all.get_mut(&share.id).unwrap();
    holding.progressed -= Duration::from_secs(seconds);
}

fn held(share: &Share) -> bool {
    share.progressed().is_some()
}

fn count(shares: &[Share]) -> usize {
    shares.iter().filter(|it| held(it)).count()
}

#[test]
fn newcomer_gets_in_and_greediest_peer_loses() {
    let quota = Arc::new(Quota::new(16));
    let modest: Vec<_> = (0..2).map(|_| claim(&quota, 1, 1)).collect();
    let greedy: Vec<_> = (0..14).map(|_| claim(&quota, 2, 1)).collect();
    let newcomers: Vec<_> = (0..6).map(|_| claim(&quota, 3, 1)).collect();
    assert_eq!((count(&modest), count(&newcomers)), (2, 6));
    assert_eq!(count(&greedy), 8);
}

#[test]
fn modest_peers_lose_what_stalls_longest() {
    // Nobody holds an eighth, so nobody is greedy: neither is the API server with three.
    let quota = Arc::new(Quota::new(32));
    let crowd: Vec<_> = (10..39).map(|peer| claim(&quota, peer, 1)).collect();
    age(&crowd[7], 60);
    let api_server: Vec<_> = (0..4).map(|_| claim(&quota, 1, 1)).collect();
    assert_eq!(count(&api_server), 4);
    assert_eq!(count(&crowd), 28);
    assert!(!held(&crowd[7]));
}

#[test]
fn proven_share_outlives_a_crowd_of_newcomers() {
    let quota = Arc::new(Quota::new(8));
    let idle = proven(&quota, 1);
    age(&idle, 60);
    let crowd: Vec<_> = (0..100).map(|_| claim(&quota, 1, 1)).collect();
    assert!(held(&idle));
    assert_eq!(count(&crowd), 7);
}

#[test]
fn newcomers_outlive_a_crowd_of_proven_shares() {
    let quota = Arc::new(Quota::new(8));
    let crowd: Vec<_> = (0..8).map(|_| proven(&quota, 1)).collect();
    let newcomers: Vec<_> = (0..4).map(|_| claim(&quota, 1, 1)).collect();
    assert_eq!(count(&newcomers), 4);
    assert_eq!(count(&crowd), 4);
    assert!(held(&crowd[4]), "the idle ones go in their order");
}

#[test]
fn growth_costs_the_greediest_and_is_given_back() {
    let quota = Arc::new(Quota::new(100));
    let large = claim(&quota, 1, 60);
    let small = claim(&quota, 2, 10);
    small.resize(41).unwrap();
    assert!(!held(&large), "it holds most");
    large.resize(1).unwrap_err();
    let other = claim(&quota, 1, 30);
    small.resize(90).unwrap_err();
    assert!(!held(&small), "it would hold most itself");
    assert!(held(&other));
    drop((large, small, other));
    assert_eq!(quota.holdings().taken, 0);
}

#[test]
fn stalled_shares_go_before_large_ones() {
    let quota = Arc::new(Quota::new(100));
    let amounts = [10, 40, 20, 30];
    let shares = amounts.map(|it| claim(&quota, 1, it));
    age(&shares[0], 60);
    // So that none of them stalls, however slow the test is.
    shares[1..].iter().for_each(|it| {
        quota.holdings().all.get_mut(&it.id).unwrap().progressed += Duration::from_secs(3600);
    });
    let mut order = Vec::new();
    for _ in amounts {
        let before = shares.each_ref().map(held);
        quota.evict();
        let lost = (0..amounts.len()).find(|it| before[*it] && !held(&shares[*it]));
        order.extend(lost.map(|it| amounts[it]));
    }
    assert_eq!(order, [10, 40, 30, 20]);
}

#[test]
fn share_of_an_owner_takes_the_owner_away() {
    let (connections, memory) = (Arc::new(Quota::new(1)), Arc::new(Quota::new(100)));
    let connection = claim(&connections, 1, 1);
    let request = claim(&memory, 1, 100);
    request.belongs_to(&connection);
    let other = claim(&memory, 2, 100);
    assert!(connection.evicted.is_cancelled());
    assert!(held(&other));
}
