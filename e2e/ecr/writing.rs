//! Every change there is: one call each, and seen by the next look without another call.

use std::collections::BTreeSet;

use ecr_operator::domain::repository::{Change, Create, Encryption, Mutability, Observed, Reading};
use ecr_operator::domain::{lifecycle, policy};
use ecr_operator::ecr::{ErrorKind, Seen};

use super::*;

const POLICY: &str = r#"{"Version": "2012-10-17", "Statement": [{"Sid": "a", "Effect": "Allow",
    "Principal": {"AWS": ["444444444444"]}, "Action": ["ecr:BatchGetImage"]}]}"#;
const LIFECYCLE: &str = r#"{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "untagged",
    "countType": "imageCountMoreThan", "countNumber": 5}, "action": {"type": "expire"}}]}"#;

fn policy() -> policy::Document {
    policy::Document::parse(POLICY).unwrap()
}

fn lifecycle() -> lifecycle::Document {
    lifecycle::Document::parse(LIFECYCLE).unwrap()
}

fn filters(of: &[&str]) -> BTreeSet<String> {
    of.iter().map(|it| (*it).to_owned()).collect()
}

fn create() -> Create {
    Create {
        mutability: Some(Mutability::ImmutableExcept(filters(&["latest", "dev-*"]))),
        scan_on_push: Some(true),
        encryption: Some(Encryption::Kms(None)),
        tags: tags(&[("ecr-operator.dev/cluster", "east"), ("team", "payments")]),
    }
}

/// Makes `change`, and checks that it was one call, that the snapshot shows what `becomes` says
/// without another, and that ECR then says the same.
async fn check(
    emulator: &Emulator,
    registry: &Registry,
    change: Change,
    becomes: impl Fn(&Observed) -> bool,
) {
    let repository = name("payments/api");
    let before = emulator.journal().last();
    registry.apply(&repository, &change).await.unwrap();
    assert_eq!(operations(emulator, before).len(), 1, "{change:?}");

    let Seen::Present(seen) = registry.seen(&repository) else {
        panic!("not seen after {change:?}")
    };
    assert!(becomes(&seen), "{change:?}: {seen:?}");
    let observed = registry.observe(&repository).await.unwrap().unwrap();
    assert_eq!(observed, *seen, "{change:?}");
}

#[tokio::test]
async fn every_change_is_one_call_and_is_seen_at_once() {
    let emulator = emulator("{}").await;
    let registry = registry(&emulator, HERE).await;
    let check =
        |change, becomes: fn(&Observed) -> bool| check(&emulator, &registry, change, becomes);

    check(Change::CreateRepository(create()), |it| {
        it.mutability == create().mutability.unwrap()
            && it.scan_on_push
            && matches!(it.encryption, Encryption::Kms(Some(_)))
            && it.tags == create().tags
            && it.policy == Reading::Absent
            && it.lifecycle == Reading::Absent
    })
    .await;
    for mutability in [
        Mutability::Mutable,
        Mutability::Immutable,
        Mutability::MutableExcept(filters(&["v*"])),
    ] {
        check(Change::PutImageTagMutability(mutability), |it| {
            it.mutability != create().mutability.unwrap()
        })
        .await;
    }
    check(Change::PutImageScanningConfiguration(false), |it| {
        !it.scan_on_push
    })
    .await;
    check(Change::SetRepositoryPolicy(policy()), |it| {
        it.policy == Reading::Present(policy())
    })
    .await;
    check(Change::PutLifecyclePolicy(lifecycle()), |it| {
        it.lifecycle == Reading::Present(lifecycle())
    })
    .await;
    check(
        Change::TagResource(tags(&[("team", "core"), ("new", "")])),
        |it| it.tags["team"] == "core" && it.tags["new"].is_empty() && it.tags.len() == 3,
    )
    .await;
    check(Change::UntagResource(filters(&["team", "new"])), |it| {
        it.tags == tags(&[("ecr-operator.dev/cluster", "east")])
    })
    .await;
    check(Change::DeleteRepositoryPolicy, |it| {
        it.policy == Reading::Absent
    })
    .await;
    check(Change::DeleteLifecyclePolicy, |it| {
        it.lifecycle == Reading::Absent
    })
    .await;
}

#[tokio::test]
async fn a_fully_configured_repository_takes_three_calls() {
    let emulator = emulator("{}").await;
    let registry = registry(&emulator, HERE).await;
    let before = emulator.journal().last();
    for change in [
        Change::CreateRepository(create()),
        Change::SetRepositoryPolicy(policy()),
        Change::PutLifecyclePolicy(lifecycle()),
    ] {
        registry
            .apply(&name("payments/api"), &change)
            .await
            .unwrap();
    }
    assert_eq!(
        operations(&emulator, before),
        [
            "CreateRepository",
            "SetRepositoryPolicy",
            "PutLifecyclePolicy"
        ]
    );
}

#[tokio::test]
async fn what_is_already_gone_is_gone() {
    let emulator = emulator("{}").await;
    let registry = registry(&emulator, HERE).await;
    let repository = name("payments/api");
    registry
        .apply(&repository, &Change::CreateRepository(create()))
        .await
        .unwrap();
    for change in [
        Change::DeleteRepositoryPolicy,
        Change::DeleteLifecyclePolicy,
        Change::UntagResource(filters(&["never-there"])),
        Change::DeleteRepository,
        Change::DeleteRepository,
    ] {
        registry.apply(&repository, &change).await.unwrap();
    }
    assert_eq!(registry.seen(&repository), Seen::Absent);

    let change = Change::PutImageScanningConfiguration(true);
    let error = registry.apply(&repository, &change).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_repository_with_images_is_not_deleted() {
    let emulator = emulator(&format!(
        "accounts: {{'{PROD}': {{registries: {{{HERE}: {{repositories: {{payments/api: {{images: [{{tags: [v1]}}]}}}}}}}}}}}}"
    ))
    .await;
    let registry = registry(&emulator, HERE).await;
    let repository = name("payments/api");
    let error = registry
        .apply(&repository, &Change::DeleteRepository)
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotEmpty);
    assert!(registry.observe(&repository).await.unwrap().is_some());
}

#[tokio::test]
async fn a_repository_that_exists_is_another_error_than_a_refused_one() {
    let emulator = emulator("{}").await;
    let registry = registry(&emulator, HERE).await;
    let repository = name("payments/api");
    let make = Change::CreateRepository(create());
    registry.apply(&repository, &make).await.unwrap();
    let exists = registry.apply(&repository, &make).await.unwrap_err();
    assert_eq!(exists.kind, ErrorKind::AlreadyExists);

    let reserved = Change::CreateRepository(Create {
        tags: tags(&[("aws:reserved", "x")]),
        ..create()
    });
    let refused = registry.apply(&name("other"), &reserved).await.unwrap_err();
    assert_eq!(refused.kind, ErrorKind::InvalidParameter, "{refused}");
}

#[tokio::test]
async fn every_call_that_can_names_the_registry() {
    let emulator = emulator("{}").await;
    let registry = registry(&emulator, HERE).await;
    let repository = name("payments/api");
    registry
        .apply(&repository, &Change::CreateRepository(create()))
        .await
        .unwrap();
    registry.observe(&repository).await.unwrap();
    registry.refresh().await.unwrap();
    registry.images(&repository).await.unwrap();
    registry
        .apply(&repository, &Change::DeleteRepository)
        .await
        .unwrap();
    for entry in emulator.journal().entries() {
        let by_arn = ["ListTagsForResource", "TagResource", "UntagResource"];
        if entry.service == "ecr" && !by_arn.contains(&entry.operation.as_str()) {
            assert_eq!(entry.parameters["registryId"], PROD, "{}", entry.operation);
        }
    }
}
