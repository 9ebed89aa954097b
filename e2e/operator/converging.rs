//! From objects to repositories.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::expect;
use serde_json::Value;

use super::scene::{Scene, subject};
use super::{ACCOUNTS, DEV, PROD, STAGE};

const SHOP: &str = include_str!("manifests/shop.yaml");

/// Writes at most that a repository with every field costs in an account.
const FEW: usize = 3;

pub(super) async fn everything_is_made_once_and_then_nothing_is_written(scene: &Scene) {
    scene.namespace("shop").await;
    scene.apply(SHOP).await;
    for kind in [
        "environmentaccounts",
        "lifecyclepolicies",
        "pullthroughrules",
        "imageadmissionpolicies",
    ] {
        scene.ready(&format!("{kind}.ecr-operator.dev --all")).await;
    }
    for name in ["full", "plain", "named"] {
        scene.ready(&format!("shop/{name}")).await;
    }
    scene.is_quiet().await;
    nothing_was_written_twice(scene);
    what_was_asked_for_is_in_ecr(scene).await;
}

/// Also before the world was as it should be.
fn nothing_was_written_twice(scene: &Scene) {
    let mut creations: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut writes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut said = BTreeSet::new();
    let entries = scene.writes(0);
    for entry in &entries {
        let place = (entry.account.as_str(), subject(entry));
        let region = &entry.region;
        assert!(
            said.insert((
                place,
                region,
                &entry.operation,
                entry.parameters.to_string()
            )),
            "written twice: {entry:?}"
        );
        if entry.operation == "CreatePullThroughCacheRule" {
            continue;
        }
        *writes.entry(place).or_default() += 1;
        *creations.entry(place).or_default() += usize::from(entry.operation == "CreateRepository");
    }
    let shop = ACCOUNTS.map(|(_, account)| (account, "shop/full"));
    for place in shop {
        assert!(
            writes[&place] <= FEW,
            "{} writes to {place:?}",
            writes[&place]
        );
    }
    assert!(creations.values().all(|it| *it == 1), "{creations:?}");
    assert_eq!(creations.len(), 6, "{creations:?}");
    assert_eq!(
        scene
            .ledger(0)
            .iter()
            .filter(|it| it.ends_with("CreatePullThroughCacheRule"))
            .count(),
        3,
        "one rule in each region of dev and prod"
    );
}

async fn what_was_asked_for_is_in_ecr(scene: &Scene) {
    let full = scene.in_ecr(PROD, "shop/full").await;
    expect![[r#"
        encryption {"encryptionType":"KMS","kmsKey":"arn:aws:kms:eu-central-1:333333333333:key/1234abcd-12ab-34cd-56ef-1234567890ab"}
        filters null
        lifecycle {"rules":[{"action":{"type":"expire"},"rulePriority":1,"selection":{"countNumber":30,"countType":"imageCountMoreThan","tagStatus":"any"}}]}
        mutability "IMMUTABLE"
        policy {"Statement":[{"Action":["ecr:BatchCheckLayerAvailability","ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-abc1234567"}},"Effect":"Allow","Principal":{"AWS":"*"},"Sid":"EcrOperatorPullOrganizations"}],"Version":"2012-10-17"}
        scanOnPush false
        tags {"ecr-operator.dev/cluster":"east","ecr-operator.dev/object":"shop/full","ecr-operator.dev/uid":"UID","team":"shop","tier":"gold"}
    "#]]
    .assert_eq(&lines(&full));
    let plain = scene.in_ecr(DEV, "shop/plain").await;
    expect![[r#"
        encryption {"encryptionType":"AES256"}
        filters null
        lifecycle {"rules":[{"action":{"type":"expire"},"rulePriority":1,"selection":{"countNumber":30,"countType":"imageCountMoreThan","tagStatus":"any"}}]}
        mutability "IMMUTABLE"
        policy null
        scanOnPush false
        tags {"ecr-operator.dev/cluster":"east","ecr-operator.dev/object":"shop/plain","ecr-operator.dev/uid":"UID","environment":"dev"}
    "#]]
    .assert_eq(&lines(&plain));
    let staged = scene.in_ecr(STAGE, "shop/full").await;
    assert_eq!(staged["mutability"], "IMMUTABLE_WITH_EXCLUSION");
    assert_eq!(staged["filters"].as_array().unwrap().len(), 2, "{staged}");
}

/// A setting a line.
fn lines(repository: &Value) -> String {
    let settings = repository.as_object().unwrap().iter();
    settings
        .map(|(setting, value)| format!("{setting} {value}\n"))
        .collect()
}
