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
        days(730),
        &expect![[r#"
            60: IssueServing
            120: IssueServing
            180: IssueServing
            240: IssueServing
            243: PublishAuthority
            243: IssueServing
            244: DropOldAuthorities
            303: IssueServing
            363: IssueServing
            423: IssueServing
            483: IssueServing
            486: PublishAuthority
            486: IssueServing
            487: DropOldAuthorities
            546: IssueServing
            606: IssueServing
            666: IssueServing
            726: IssueServing
        "#]],
    );
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
    let now = start() + days(250);
    let renewed = issued()
        .take(
            Step::IssueServing,
            &names(),
            start() + days(230),
            &lifetimes,
        )
        .unwrap();
    let store = renewed
        .take(Step::PublishAuthority, &names(), now, &lifetimes)
        .unwrap();
    let at = |seen, now| plan(&store, &names(), seen, now, &lifetimes);

    let week = now + days(7);
    assert!(matches!(at(None, week), Step::Wait(_)));
    assert_eq!(at(Some(week), week), Step::Wait(week + lifetimes.settle));
    let settled = week + lifetimes.settle;
    assert_eq!(at(Some(week), settled), Step::IssueServing);
    // Nobody saw it, and the old certificate is about to end: an untrusted one is no worse.
    assert_eq!(at(None, start() + days(319)), Step::IssueServing);
}

#[test]
fn a_cluster_that_slept_for_years_heals_in_two_steps() {
    let lifetimes = Lifetimes::default();
    let now = start() + days(1000);
    let asleep = issued();
    let first = plan(&asleep, &names(), None, now, &lifetimes);
    assert_eq!(first, Step::PublishAuthority);
    let published = asleep.take(first, &names(), now, &lifetimes).unwrap();
    let second = plan(&published, &names(), None, now, &lifetimes);
    assert_eq!(second, Step::IssueServing);
    let healed = published.take(second, &names(), now, &lifetimes).unwrap();
    handshake(&healed.bundle(), &healed.serving.certificate, now).unwrap();
}

/// Both were issued while a clock was 70 days ahead.
#[test]
fn store_from_the_future_is_replaced_in_two_steps() {
    let lifetimes = Lifetimes::default();
    let now = start();
    let future = Store::issue(&names(), now + days(70), &lifetimes).unwrap();
    handshake(&future.bundle(), &future.serving.certificate, now).unwrap_err();
    let first = plan(&future, &names(), Some(now), now, &lifetimes);
    assert_eq!(first, Step::PublishAuthority);
    let published = future.take(first, &names(), now, &lifetimes).unwrap();
    let second = plan(&published, &names(), None, now, &lifetimes);
    assert_eq!(
        second,
        Step::IssueServing,
        "what is served is worth nothing, so nothing is waited for"
    );
    let healed = published.take(second, &names(), now, &lifetimes).unwrap();
    handshake(&healed.bundle(), &healed.serving.certificate, now).unwrap();
    let third = plan(&healed, &names(), Some(now), now, &lifetimes);
    assert_eq!(third, Step::Wait(now + lifetimes.overlap));
    Store::read(&bytes(&healed)).unwrap();
}

#[test]
fn serving_certificate_from_the_future_is_replaced_at_once() {
    let lifetimes = Lifetimes::default();
    let ahead = issued().take(Step::IssueServing, &names(), start() + days(70), &lifetimes);
    let step = plan(&ahead.unwrap(), &names(), None, start(), &lifetimes);
    assert_eq!(step, Step::IssueServing);
}

/// The next leader's clock may be late by what two clocks that agree with the API server's differ.
#[test]
fn certificates_of_a_clock_slightly_ahead_are_kept() {
    let lifetimes = Lifetimes::default();
    let late = start() - SignedDuration::from_mins(2);
    let step = plan(&issued(), &names(), None, late, &lifetimes);
    assert!(matches!(step, Step::Wait(_)), "{step:?}");
    let later = late - SignedDuration::from_secs(1);
    let step = plan(&issued(), &names(), None, later, &lifetimes);
    assert_eq!(step, Step::PublishAuthority);
}

/// The authority is from the future, and what it has signed since is not.
#[test]
fn certificate_is_good_for_no_longer_than_its_authority() {
    let lifetimes = Lifetimes::default();
    let (now, ahead) = (start(), start() + days(70));
    let future = Store::issue(&names(), ahead, &lifetimes).unwrap();
    let signed = future
        .take(Step::IssueServing, &names(), now, &lifetimes)
        .unwrap();
    assert_eq!(signed.served().issued, ahead);
    let shown = shown(&signed).unwrap();
    assert!(
        shown
            .defect(now)
            .is_some_and(|it| it.contains("still to come"))
    );
    assert_eq!(shown.defect(ahead), None);
}

#[test]
fn readiness_ends_at_both_ends_of_a_certificate() {
    let shown = shown(&issued()).unwrap();
    for (when, good) in [
        (start() - days(1), false),
        (start(), true),
        (start() + days(80), true),
        (start() + days(82), false),
        (start() + days(91), false),
    ] {
        assert_eq!(shown.defect(when).is_none(), good, "{when}");
    }
}

/// The dates beside a certificate say that it is good now; it is not.
#[test]
fn dates_that_contradict_their_certificate_are_unusable() {
    let lifetimes = Lifetimes::default();
    let mut lying = Store::issue(&names(), start() + days(70), &lifetimes).unwrap();
    lying.serving.term.issued = start();
    assert!(matches!(
        Store::read(&bytes(&lying)),
        Err(Unusable::Untrusted("tls.crt", _))
    ));
    for lie in [
        |term: &mut Term| term.issued -= days(1),
        |term: &mut Term| term.until += days(1),
    ] {
        let mut lying = issued();
        lie(&mut lying.newest.term);
        assert!(matches!(
            Store::read(&bytes(&lying)),
            Err(Unusable::Mismatch(_))
        ));
    }
}

#[test]
fn another_name_is_served_at_once_by_the_same_authority() {
    let lifetimes = Lifetimes::default();
    let more = BTreeSet::from([NAME.to_owned(), "127.0.0.1".to_owned()]);
    let step = plan(&issued(), &more, None, start(), &lifetimes);
    assert_eq!(step, Step::IssueServing);
    let store = issued().take(step, &more, start(), &lifetimes).unwrap();
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
        .take(
            Step::PublishAuthority,
            &names(),
            start() + days(250),
            &lifetimes,
        )
        .unwrap();
    for store in [one, two] {
        assert_eq!(Store::read(&bytes(&store)).unwrap(), store);
    }
}

#[test]
fn data_that_does_not_belong_together_is_no_store() {
    let (ours, other) = (bytes(&issued()), bytes(&issued()));
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
