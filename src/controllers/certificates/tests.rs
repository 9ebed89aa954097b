use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use expect_test::{Expect, expect};
use jiff::{SignedDuration, Timestamp};
use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::*;

mod clocks;

const NAME: &str = "ecr-operator.ecr-operator-system.svc";

fn names() -> BTreeSet<String> {
    BTreeSet::from([NAME.to_owned()])
}

fn start() -> Timestamp {
    "2026-11-22T09:00:00Z".parse().unwrap()
}

fn days(days: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * days)
}

fn issued() -> Store {
    Store::issue(&names(), start(), &Lifetimes::default()).unwrap()
}

fn bytes(store: &Store) -> BTreeMap<String, Vec<u8>> {
    let data = store.data();
    data.into_iter()
        .map(|(key, value)| (key, value.into_bytes()))
        .collect()
}

/// What an API server says that trusts `bundle` and is shown `certificate` at `now`.
fn handshake(bundle: &str, certificate: &str, now: Timestamp) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(bundle.as_bytes()) {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider)
        .build()
        .unwrap();
    let certificate = CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap();
    let name = ServerName::try_from(NAME).unwrap();
    let now = Duration::from_secs(now.as_second().try_into().unwrap());
    verifier
        .verify_server_cert(
            &certificate,
            &[],
            &name,
            &[],
            UnixTime::since_unix_epoch(now),
        )
        .map(|_| ())
}

/// The steps from `store` on, one a line with its day, when a new authority is seen as soon as it
/// is published.
fn check(mut store: Store, until: SignedDuration, expect: &Expect) {
    let lifetimes = Lifetimes::default();
    let (mut now, mut steps) = (start(), String::new());
    while now < start() + until {
        let seen = Some(store.newest.term.issued);
        let step = plan(&store, &names(), seen, now, &lifetimes);
        if let Step::Wait(at) = step {
            now = at;
            continue;
        }
        let day = start().duration_until(now).as_hours() / 24;
        steps.push_str(&format!("{day}: {step:?}\n"));
        store = store.take(step, &names(), now, &lifetimes).unwrap();
    }
    expect.assert_eq(&steps);
}

#[test]
fn two_years_of_steps_come_in_the_safe_order() {
    check(
        issued(),
        days(300),
        &expect![[r#"
            60: IssueNext
            60: ShowNext
            61: DropOldAuthorities
            120: IssueNext
            120: ShowNext
            121: DropOldAuthorities
            180: IssueNext
            180: ShowNext
            181: DropOldAuthorities
            240: IssueNext
            240: ShowNext
            241: DropOldAuthorities
        "#]],
    );
}

/// Whoever reads the Secret at any moment can sign nothing.
#[test]
fn no_private_key_of_an_authority_is_kept() {
    let lifetimes = Lifetimes::default();
    let mut store = issued();
    for step in [Step::IssueNext, Step::ShowNext, Step::DropOldAuthorities] {
        store = store.take(step, &names(), start(), &lifetimes).unwrap();
        let data = store.data();
        let keys = data.iter().filter(|it| it.1.contains("PRIVATE KEY"));
        let keys: Vec<&str> = keys.map(|it| it.0.as_str()).collect();
        let expected: &[&str] = match step {
            Step::IssueNext => &["next.key", "tls.key"],
            Step::ShowNext | Step::DropOldAuthorities | Step::Wait(_) => &["tls.key"],
        };
        assert_eq!(keys, expected, "{step:?}");
        assert_eq!(Store::read(&bytes(&store)).unwrap(), store, "{step:?}");
    }
}

/// As an earlier version wrote it between two steps: an authority of which nothing is signed.
#[test]
fn authority_that_has_signed_nothing_is_followed_by_another() {
    let lifetimes = Lifetimes::default();
    let half = issued().take(Step::IssueNext, &names(), start() + days(1), &lifetimes);
    let half = Store {
        next: None,
        ..half.unwrap()
    };
    Store::read(&bytes(&half)).unwrap();
    let later = start() + days(2);
    let step = plan(&half, &names(), Some(start()), later, &lifetimes);
    assert_eq!(step, Step::IssueNext);
    let next = half
        .clone()
        .take(step, &names(), later, &lifetimes)
        .unwrap();
    handshake(&next.bundle(), &half.serving.certificate, later).unwrap();
    assert!(matches!(
        plan(&next, &names(), None, later, &lifetimes),
        Step::Wait(_)
    ));
}

#[test]
fn three_years_pass_without_a_failed_handshake_though_everyone_is_late() {
    let lifetimes = Lifetimes::default();
    let mut store = issued();
    // Who may still trust or show what: the value, and until when it may linger somewhere.
    let mut bundles = vec![(store.bundle(), Timestamp::MAX)];
    let mut shown = vec![(store.serving.certificate.clone(), Timestamp::MAX)];
    let mut now = start();
    let mut handshakes = 0;
    while now < start() + days(3 * 365) {
        // The new authority is seen two hours after it was published.
        let seen = store.newest.term.issued + SignedDuration::from_hours(2);
        let seen = Some(seen).filter(|it| *it <= now);
        let step = plan(&store, &names(), seen, now, &lifetimes);
        let changed = !matches!(step, Step::Wait(_));
        store = store.take(step, &names(), now, &lifetimes).unwrap();
        linger(&mut bundles, store.bundle(), now, lifetimes.settle);
        let serving = store.serving.certificate.clone();
        linger(&mut shown, serving, now, lifetimes.overlap);
        if changed || start().duration_until(now).as_hours() % 24 == 0 {
            for (bundle, _) in &bundles {
                for (certificate, _) in &shown {
                    handshake(bundle, certificate, now).unwrap();
                    handshakes += 1;
                }
            }
        }
        now += SignedDuration::from_hours(1);
    }
    assert!(handshakes > 3 * 365, "{handshakes}");
}

/// `value` is what is current from `now` on; the former one may be seen for `lag` more.
fn linger(
    values: &mut Vec<(String, Timestamp)>,
    value: String,
    now: Timestamp,
    lag: SignedDuration,
) {
    values.retain(|(_, until)| *until > now);
    let (current, until) = values.last_mut().unwrap();
    if *current != value {
        *until = now + lag;
        values.push((value, Timestamp::MAX));
    }
}

#[test]
fn the_certificate_is_not_switched_before_the_new_authority_was_seen_for_a_while() {
    let lifetimes = Lifetimes::default();
    let now = start() + days(60);
    let store = issued()
        .take(Step::IssueNext, &names(), now, &lifetimes)
        .unwrap();
    let at = |seen, now| plan(&store, &names(), seen, now, &lifetimes);

    let week = now + days(7);
    assert!(matches!(at(None, week), Step::Wait(_)));
    assert_eq!(at(Some(week), week), Step::Wait(week + lifetimes.settle));
    let settled = week + lifetimes.settle;
    assert_eq!(at(Some(week), settled), Step::ShowNext);
    // Nobody saw it, and the old certificate is about to end: an untrusted one is no worse.
    assert_eq!(at(None, start() + days(81)), Step::ShowNext);
    // The old authority is dropped a day after the switch, however long that took.
    let shown = store
        .take(Step::ShowNext, &names(), settled, &lifetimes)
        .unwrap();
    let next = plan(&shown, &names(), Some(week), settled, &lifetimes);
    assert_eq!(next, Step::Wait(settled + lifetimes.overlap));
}

#[test]
fn a_cluster_that_slept_for_years_heals_in_two_steps() {
    let lifetimes = Lifetimes::default();
    let now = start() + days(1000);
    let asleep = issued();
    let first = plan(&asleep, &names(), None, now, &lifetimes);
    assert_eq!(first, Step::IssueNext);
    let published = asleep.take(first, &names(), now, &lifetimes).unwrap();
    let second = plan(&published, &names(), None, now, &lifetimes);
    assert_eq!(second, Step::ShowNext);
    let healed = published.take(second, &names(), now, &lifetimes).unwrap();
    handshake(&healed.bundle(), &healed.serving.certificate, now).unwrap();
}

/// What was issued and never shown is too old as well.
#[test]
fn a_cluster_that_slept_in_a_renewal_issues_again() {
    let lifetimes = Lifetimes::default();
    let asleep = issued().take(Step::IssueNext, &names(), start() + days(60), &lifetimes);
    let step = plan(
        &asleep.unwrap(),
        &names(),
        None,
        start() + days(1000),
        &lifetimes,
    );
    assert_eq!(step, Step::IssueNext);
}

#[test]
fn another_name_is_served_at_once() {
    let lifetimes = Lifetimes::default();
    let more = BTreeSet::from([NAME.to_owned(), "127.0.0.1".to_owned()]);
    let mut store = issued();
    for expected in [Step::IssueNext, Step::ShowNext] {
        let step = plan(&store, &more, None, start(), &lifetimes);
        assert_eq!(step, expected);
        store = store.take(step, &more, start(), &lifetimes).unwrap();
    }
    assert!(matches!(
        plan(&store, &more, None, start(), &lifetimes),
        Step::Wait(_)
    ));
    Store::read(&bytes(&store)).unwrap();
}

#[test]
fn a_store_is_read_back_as_it_was_written() {
    let lifetimes = Lifetimes::default();
    let one = issued();
    let two = one
        .clone()
        .take(Step::IssueNext, &names(), start() + days(60), &lifetimes)
        .unwrap();
    for store in [one, two] {
        assert_eq!(Store::read(&bytes(&store)).unwrap(), store);
    }
}

/// It had the authority's key, and did not say since when the certificate was shown.
#[test]
fn store_of_an_earlier_version_is_taken_over() {
    let mut data = bytes(&issued());
    data.insert("ca.key".to_owned(), b"a key".to_vec());
    let mut terms: serde_json::Value = serde_json::from_slice(&data["terms.json"]).unwrap();
    terms.as_object_mut().unwrap().remove("shown");
    data.insert("terms.json".to_owned(), terms.to_string().into_bytes());
    let read = Store::read(&data).unwrap();
    assert_eq!((read.shown, read.next.as_ref()), (start(), None));
    assert!(!read.data().contains_key("ca.key"));
}

#[test]
fn data_that_does_not_belong_together_is_no_store() {
    let renewing = || {
        let renewing = issued().take(Step::IssueNext, &names(), start(), &Lifetimes::default());
        bytes(&renewing.unwrap())
    };
    let (ours, other) = (renewing(), renewing());
    for key in ours.keys() {
        let mut missing = ours.clone();
        missing.remove(key);
        assert!(Store::read(&missing).is_err(), "{key} missing");

        let mut garbled = ours.clone();
        garbled.insert(key.clone(), b"\xff garbage".to_vec());
        assert!(Store::read(&garbled).is_err(), "{key} garbled");

        if key != "terms.json" {
            let mut mixed = ours.clone();
            mixed.insert(key.clone(), other[key].clone());
            assert!(Store::read(&mixed).is_err(), "{key} of another store");
        }
    }
}

#[test]
fn no_private_key_shows_in_debug() {
    let shown = format!("{:?}", issued());
    assert!(!shown.contains("PRIVATE KEY"), "{shown}");
}
