//! Lists, single reads, documents, images.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use ecr_operator::domain::repository::{Contents, Encryption, Mutability, Reading};
use ecr_operator::ecr::Seen;

use super::*;

/// `count` repositories, each with a tag that names it.
fn many(count: usize) -> String {
    let mut seed = format!("accounts: {{'{PROD}': {{registries: {{{HERE}: {{repositories: {{\n");
    for number in 0..count {
        writeln!(
            seed,
            "  team/app-{number:04}: {{tags: {{number: '{number}'}}}},"
        )
        .unwrap();
    }
    seed.push_str("}}}}}\n");
    seed
}

#[tokio::test]
async fn a_list_takes_a_call_for_a_thousand_repositories_and_one_for_a_hundred_tagged_ones() {
    let emulator = emulator(&many(2500)).await;
    let registry = registry(&emulator, HERE).await;
    assert!(registry.snapshot().is_none());
    let before = emulator.journal().last();

    let snapshot = registry.refresh().await.unwrap();
    assert_eq!(snapshot.len(), 2500);
    for (number, observed) in snapshot.values().enumerate() {
        assert_eq!(observed.tags, tags(&[("number", &number.to_string())]));
        assert_eq!(observed.policy, Reading::NotRead);
    }
    let calls = operations(&emulator, before);
    let count = |operation: &str| calls.iter().filter(|it| *it == operation).count();
    assert_eq!(count("DescribeRepositories"), 3);
    assert_eq!(count("GetResources"), 25);
    assert_eq!(calls.len(), 28);
}

#[tokio::test]
async fn many_who_ask_for_a_list_at_once_share_it() {
    let emulator = emulator(ONE).await;
    let registry = registry(&emulator, HERE).await;
    let lists = |since| {
        let calls = operations(&emulator, since);
        let lists = calls.iter().filter(|it| *it == "DescribeRepositories");
        lists.count()
    };
    let before = emulator.journal().last();
    let first = futures::future::join_all((0..50).map(|_| registry.listed())).await;
    assert!(first.into_iter().all(|it| it.unwrap().len() == 2));
    assert_eq!(lists(before), 1);

    let before = emulator.journal().last();
    let again = futures::future::join_all((0..50).map(|_| registry.refresh())).await;
    assert!(again.into_iter().all(|it| it.unwrap().len() == 2));
    assert_eq!(
        lists(before),
        2,
        "the one under way began before the others asked"
    );
}

#[tokio::test]
async fn a_registry_is_read_within_its_own_account_and_region() {
    let emulator = emulator(&format!(
        "accounts:
          '{PROD}': {{registries: {{{HERE}: {{repositories: {{ours/here: {{}}}}}}, {THERE}: {{repositories: {{ours/there: {{}}}}}}}}}}
          '{HUB}': {{registries: {{{HERE}: {{repositories: {{theirs/here: {{}}}}}}}}}}"
    ))
    .await;
    let snapshot = registry(&emulator, HERE).await.refresh().await.unwrap();
    assert_eq!(snapshot.keys().collect::<Vec<_>>(), [&name("ours/here")]);
}

const ONE: &str = "
accounts:
  '333333333333':
    registries:
      eu-central-1:
        repositories:
          payments/api:
            tags: {team: payments}
            mutability: IMMUTABLE
            scanOnPush: true
            policy: {Version: '2012-10-17', Statement: [{Sid: a, Effect: Allow, Principal: '*', Action: 'ecr:BatchGetImage'}]}
            lifecycle: {rules: [{rulePriority: 1, selection: {tagStatus: untagged, countType: imageCountMoreThan, countNumber: 5}, action: {type: expire}}]}
            images: [{tags: [v1, latest]}, {tags: []}]
          bare: {}
";

#[tokio::test]
async fn one_repository_is_read_with_its_tags_and_documents() {
    let emulator = emulator(ONE).await;
    let registry = registry(&emulator, HERE).await;
    assert_eq!(registry.seen(&name("payments/api")), Seen::Unknown);

    let observed = registry
        .observe(&name("payments/api"))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        observed.arn,
        "arn:aws:ecr:eu-central-1:333333333333:repository/payments/api"
    );
    assert_eq!(observed.mutability, Mutability::Immutable);
    assert!(observed.scan_on_push);
    assert_eq!(observed.encryption, Encryption::Aes256);
    assert_eq!(observed.tags, tags(&[("team", "payments")]));
    assert!(matches!(observed.policy, Reading::Present(_)));
    assert!(matches!(observed.lifecycle, Reading::Present(_)));
    let seen = registry.seen(&name("payments/api"));
    assert_eq!(seen, Seen::Present(Arc::new(observed)));

    let bare = registry.observe(&name("bare")).await.unwrap().unwrap();
    assert_eq!(bare.policy, Reading::Absent);
    assert_eq!(bare.lifecycle, Reading::Absent);
    assert!(registry.snapshot().is_none(), "two reads are no list");
}

#[tokio::test]
async fn a_repository_that_is_not_there_costs_one_call_and_is_remembered() {
    let emulator = emulator(ONE).await;
    let registry = registry(&emulator, HERE).await;
    let before = emulator.journal().last();
    assert_eq!(registry.observe(&name("no/such")).await.unwrap(), None);
    assert_eq!(operations(&emulator, before), ["DescribeRepositories"]);
    assert_eq!(registry.seen(&name("no/such")), Seen::Absent);
}

#[tokio::test]
async fn documents_stay_known_over_lists() {
    let emulator = emulator(ONE).await;
    let registry = registry(&emulator, HERE).await;
    registry.refresh().await.unwrap();
    registry
        .read_documents(&name("payments/api"))
        .await
        .unwrap();
    let snapshot = registry.refresh().await.unwrap();
    assert!(matches!(
        snapshot[&name("payments/api")].policy,
        Reading::Present(_)
    ));
    assert_eq!(snapshot[&name("bare")].policy, Reading::NotRead);
}

#[tokio::test]
async fn contents_and_images_tell_what_can_be_lost_and_what_can_be_pulled() {
    let emulator = emulator(ONE).await;
    let registry = registry(&emulator, HERE).await;
    for (repository, contents) in [
        ("payments/api", Contents::Images),
        ("bare", Contents::Empty),
        ("no/such", Contents::Empty),
    ] {
        let before = emulator.journal().last();
        let found = registry.contents(&name(repository)).await.unwrap();
        assert_eq!(found, contents, "{repository}");
        assert_eq!(operations(&emulator, before), ["ListImages"]);
    }

    let images = registry.images(&name("payments/api")).await.unwrap();
    let named: BTreeSet<&str> = images.tags.keys().map(String::as_str).collect();
    assert_eq!(named, BTreeSet::from(["latest", "v1"]));
    assert_eq!(images.tags["latest"], images.tags["v1"]);
    assert_eq!(images.digests.len(), 2);
    let none = registry.images(&name("no/such")).await.unwrap();
    assert!(none.tags.is_empty() && none.digests.is_empty());
}
