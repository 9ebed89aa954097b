use super::*;
use crate::domain::facts::{Presence, Wanted};

const MAX_AGE: Duration = Duration::from_secs(900);

fn registry() -> Registry {
    Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    )
}

fn names(names: &[&str]) -> BTreeSet<RepositoryName> {
    names.iter().map(|it| it.parse().unwrap()).collect()
}

/// A list of one tagged image.
fn look(name: &str, began: Instant) -> Look {
    let mut look = Look::nothing(name.parse().unwrap(), began);
    if let Ok(images) = &mut look.images {
        images.tags.insert("1".to_owned(), "sha256:aa".to_owned());
        images.digests.insert("sha256:aa".to_owned());
    }
    look
}

fn failed(name: &str, began: Instant) -> Look {
    Look {
        images: Err(Failure::Refused("AccessDenied".to_owned())),
        ..look(name, began)
    }
}

/// What is known of the tag and the digest of each repository at a moment.
fn presence(known: &Known, names: &[&str], now: Instant) -> Vec<[Presence; 2]> {
    let (facts, _) = known.facts(MAX_AGE, now);
    let of = |name: &&str| {
        [Wanted::Tag("1"), Wanted::Digest("sha256:aa")]
            .map(|it| facts.presence(&registry(), name, it))
    };
    names.iter().map(of).collect()
}

fn take(known: &mut Known, names: BTreeSet<RepositoryName>, looks: Vec<Look>, now: Instant) {
    let listed = Listed {
        names,
        origins: BTreeMap::new(),
        looks,
    };
    known.take(&registry(), listed, now);
}

#[test]
fn facts_are_not_known_once_they_are_too_old() {
    let (mut known, start) = (Known::default(), Instant::now());
    let both = ["shop/api", "shop/web"];
    let looks = vec![look("shop/api", start), look("shop/web", start)];
    take(&mut known, names(&both), looks, start);
    let later = start + Duration::from_secs(600);
    let looks = vec![failed("shop/api", later), look("shop/web", later)];
    take(&mut known, names(&both), looks, later);
    let (active, unknown) = ([Presence::Active; 2], [Presence::Unknown; 2]);
    assert_eq!(presence(&known, &both, later), [active, active]);
    let (_, expiry) = known.facts(MAX_AGE, later);
    let expiry = expiry.unwrap();
    assert!(expiry < start + MAX_AGE, "no fact is believed for longer");
    assert_eq!(presence(&known, &both, expiry), [unknown, active]);
    let Overdue {
        count,
        first,
        failure,
        ..
    } = known.freshness(MAX_AGE, expiry)[&registry()]
        .overdue
        .clone()
        .unwrap();
    assert_eq!((count, first.as_str()), (1, "shop/api"));
    assert_eq!(failure.as_deref(), Some("AccessDenied"));
    take(
        &mut known,
        names(&both),
        vec![look("shop/api", expiry)],
        expiry,
    );
    assert_eq!(presence(&known, &both, expiry), [active, active]);
    assert_eq!(known.freshness(MAX_AGE, expiry)[&registry()].overdue, None);
}

#[test]
fn round_that_fails_confirms_nothing() {
    let (mut known, start) = (Known::default(), Instant::now());
    let api = names(&["shop/api"]);
    take(&mut known, api, vec![look("shop/api", start)], start);
    let end = start + MAX_AGE;
    for _ in 0..3 {
        let (names, why) = (names(&["shop/new"]), "no role".to_owned());
        known.fail(&registry(), Failed { names, why }, end);
    }
    let both = ["shop/api", "shop/new"];
    let unknown = [Presence::Unknown; 2];
    assert_eq!(presence(&known, &both, end), [unknown, unknown]);
    let freshness = known.freshness(MAX_AGE, end)[&registry()].clone();
    assert_eq!((freshness.not_known, freshness.oldest), (2, Some(start)));
    let overdue = freshness.overdue.unwrap();
    assert_eq!(
        (overdue.count, overdue.failure.as_deref()),
        (1, Some("no role"))
    );
}

/// 10,000 repositories are listed once in 67 minutes at worst, which is not too old.
#[test]
fn age_is_no_less_than_a_large_registry_takes() {
    let (mut known, start) = (Known::default(), Instant::now());
    let many: Vec<String> = (0..10_000).map(|it| format!("shop/{it}")).collect();
    let looks = many.iter().map(|it| look(it, start)).collect();
    let all = many.iter().map(|it| it.parse().unwrap()).collect();
    take(&mut known, all, looks, start);
    let hour = start + Duration::from_hours(1);
    assert_eq!(known.freshness(MAX_AGE, hour)[&registry()].not_known, 0);
    let long = start + Duration::from_mins(67);
    assert_eq!(
        known.freshness(MAX_AGE, long)[&registry()].not_known,
        10_000
    );
}
