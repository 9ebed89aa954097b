//! What the API server itself says to objects of ours: the examples pass, and whatever is wrong is
//! refused by a message that names the field and says what to write instead.

use std::fmt::Write;

use ecr_operator::api;
use expect_test::expect_file;
use serde_json::{Value, json};

use super::session::{FULL, Keep, MINIMAL, Session, documents, example};

#[tokio::test]
async fn the_least_and_the_most_of_every_kind_is_accepted() {
    for text in [MINIMAL, FULL] {
        for object in documents(text) {
            if let Err(error) = Session::open().await.apply(&object, Keep::Nothing).await {
                panic!("{}: {error}", object["kind"]);
            }
        }
    }
}

#[tokio::test]
async fn what_the_types_read_is_what_they_write() {
    for mut object in [MINIMAL, FULL].into_iter().flat_map(documents) {
        let spec = match object["kind"].as_str().unwrap() {
            "EnvironmentAccount" => through::<api::EnvironmentAccountSpec>(&object),
            "ImageRepository" => through::<api::ImageRepositorySpec>(&object),
            "PullThroughRule" => through::<api::PullThroughRuleSpec>(&object),
            "LifecyclePolicy" => through::<api::LifecyclePolicySpec>(&object),
            "ImageAdmissionPolicy" => through::<api::ImageAdmissionPolicySpec>(&object),
            other => panic!("{other} is not ours"),
        };
        json_patch::merge(&mut object["spec"], &spec); // adds the defaults of minimal objects
        assert_eq!(object["spec"], spec);
    }
}

fn through<T: serde::de::DeserializeOwned + serde::Serialize>(object: &Value) -> Value {
    let spec: T = serde_json::from_value(object["spec"].clone()).unwrap();
    serde_json::to_value(spec).unwrap()
}

/// Merges each change (null takes a field away) into the minimal spec of `kind` and checks what the
/// API server says to the outcome; `golden` names the file in `refusals/` that has its answers.
async fn check(kind: &str, changes: impl IntoIterator<Item = Value>, golden: &str) {
    check_changes(&example(MINIMAL, kind), changes, golden).await;
}

/// Stores the full example of `kind`, then checks what the API server says to changes of it.
async fn check_update(kind: &str, changes: impl IntoIterator<Item = Value>, golden: &str) {
    let session = Session::open().await;
    let mut stored = example(FULL, kind);
    stored["metadata"]["name"] = json!("changing");
    session.apply(&stored, Keep::Stored).await.unwrap();
    check_changes(&stored, changes, golden).await;
    session.delete(&stored).await;
}

async fn check_changes(from: &Value, changes: impl IntoIterator<Item = Value>, golden: &str) {
    let session = Session::open().await;
    let mut answers = String::new();
    for change in changes {
        let mut object = from.clone();
        json_patch::merge(&mut object["spec"], &change);
        let answer = match session.apply(&object, Keep::Nothing).await {
            Ok(_) => "accepted".to_owned(),
            Err(refusal) => refusal.replace('\n', "\n  "),
        };
        writeln!(answers, "{change}\n  {answer}").unwrap();
    }
    expect_file![format!("refusals/{golden}.txt")].assert_eq(&answers);
}

#[tokio::test]
async fn a_wrong_environment_is_refused() {
    let (ours, theirs) = (
        "arn:aws:iam::111111111111:role/ecr-operator",
        "arn:aws:iam::222222222222:role/ecr-operator",
    );
    let role = json!({"roleArn": theirs});
    let grant = |it: Value| json!({"grants": [it]});
    let select = json!({"matchExpressions": [{"key": "team", "operator": "In"}]});
    check(
        "EnvironmentAccount",
        [
            json!({"accountId": "11111111111"}),
            json!({"accountId": 111111111111_i64}),
            json!({"region": "Frankfurt"}),
            json!({"replicaRegions": ["eu-central-1"]}),
            json!({"replicaRegions": ["us-west-2", "us-west-2"]}),
            json!({"assumeRole": role}),
            json!({"assumeRole": {"roleArn": "ecr-operator"}}),
            json!({"assumeRole": {"roleArn": ours, "readRoleArn": theirs}}),
            json!({"assumeRole": {"roleArn": ours, "readRoleArn": "ecr-operator-read"}}),
            grant(json!({"repositoryPrefixes": ["a/"]})),
            grant(json!({"namespaceSelector": {}})),
            grant(json!({"namespaceSelector": {}, "repositoryPrefixes": ["{name}/"]})),
            grant(json!({"repositoryPrefixes": ["a/"], "namespaceSelector": select})),
            grant(json!({
                "namespaceSelector": {},
                "repositoryPrefixes": ["a/"],
                "sourcePrefixes": ["https://old/"],
            })),
            json!({"defaults": {"tags": {"aws:team": "a"}}}),
            json!({"managementPolicy": "Watch"}),
            json!({"preflight": {"nodeRoles": ["eks-nodes"]}}),
            json!({"deletion": {"delayHours": -1}}),
            json!({"deletion": {"unusedDays": 5000}}),
            json!({"allowedPrincipals": {"accounts": ["*"]}}),
            json!({"allowedPrincipals": {"organizations": ["o-*"]}}),
            json!({"allowedPrincipals": {"roles": ["arn:aws:iam::444444444444:role/*"]}}),
        ],
        "environment",
    )
    .await;
}

#[tokio::test]
async fn a_wrong_part_of_a_registry_is_refused() {
    let scan = |kind: &str, frequency: &str, filter: &str| {
        let rule = json!({"scanFrequency": frequency, "repositoryFilters": [filter]});
        json!({"registry": {"scanning": {"scanType": kind, "rules": [rule]}}})
    };
    let statement = |change: Value| {
        let mut statement = json!({
            "sid": "Replicate",
            "principals": ["444444444444"],
            "actions": ["ecr:ReplicateImage"],
        });
        json_patch::merge(&mut statement, &change);
        json!({"registry": {"policyStatements": [statement]}})
    };
    let sign = |region: &str, filters: Value| {
        let arn = format!("arn:aws:{region}:111111111111:/signing-profiles/images");
        let rule = json!({"signingProfileArn": arn, "repositoryFilters": filters});
        json!({"registry": {"signing": {"rules": [rule]}}})
    };
    let exclude = |arn: &str| json!({"registry": {"pullTimeUpdateExclusions": [arn]}});
    check(
        "EnvironmentAccount",
        [
            scan("ENHANCED", "CONTINUOUS_SCAN", "*"),
            scan("BASIC", "CONTINUOUS_SCAN", "*"),
            scan("ENHANCED", "MANUAL", "*"),
            scan("BASIC", "DAILY", "*"),
            scan("BASIC", "SCAN_ON_PUSH", "Prod-*"),
            statement(json!({})),
            statement(json!({"effect": "Deny"})),
            statement(json!({"principals": ["*"]})),
            statement(json!({"actions": ["ecr:*"]})),
            statement(json!({"repositories": ["Payments"]})),
            statement(json!({"sid": "Allow replication"})),
            sign("signer:eu-central-1", json!(["*"])),
            sign("signer:eu-central-1", json!([])),
            sign("kms:eu-central-1", json!(["*"])),
            exclude("arn:aws:iam::111111111111:role/scanner"),
            exclude("arn:aws:iam::111111111111:role/*"),
            json!({"registry": {"accountSettings": {"blobMounting": "On"}}}),
            json!({"registry": {"accountSettings": {"registryPolicyScope": "V1"}}}),
        ],
        "registry",
    )
    .await;
}

#[tokio::test]
async fn an_environment_is_named_by_one_label() {
    let mut object = example(MINIMAL, "EnvironmentAccount");
    object["metadata"]["name"] = json!("eu.prod");
    let refusal = Session::open().await.apply(&object, Keep::Nothing).await;
    let rule = "metadata.name must be one label: at most 63 lower-case letters, digits and hyphens";
    assert_eq!(
        refusal.unwrap_err(),
        format!("<nil>: Invalid value: {rule}")
    );
}

#[tokio::test]
async fn another_account_or_region_is_another_environment() {
    check_update(
        "EnvironmentAccount",
        [
            json!({"accountId": "222222222222", "assumeRole": null}),
            json!({"region": "eu-west-1"}),
            json!({"managementPolicy": "Manage", "replicaRegions": null}),
        ],
        "environment_update",
    )
    .await;
}

#[tokio::test]
async fn a_wrong_repository_is_refused() {
    let except = |mode: &str, filters: Value| {
        let mutability = json!({"mode": mode, "exclusionFilters": filters});
        json!({"imageTagMutability": mutability})
    };
    let key = "arn:aws:kms:eu-central-1:111111111111:key/1";
    check(
        "ImageRepository",
        [
            json!({"environments": null}),
            json!({"environments": []}),
            json!({"environments": ["dev", "dev"]}),
            json!({"environments": ["Dev"]}),
            json!({"repositoryName": "Payments/API"}),
            json!({"repositoryName": "payments//api"}),
            except("IMMUTABLE", json!(["latest"])),
            except("IMMUTABLE_WITH_EXCLUSION", json!([])),
            except(
                "IMMUTABLE_WITH_EXCLUSION",
                json!(["1", "2", "3", "4", "5", "6"]),
            ),
            except("MUTABLE_WITH_EXCLUSION", json!(["*a*b*"])),
            except("FROZEN", json!(null)),
            json!({"encryption": {"type": "AES256", "kmsKey": key}}),
            json!({"encryption": {"type": "KMS", "kmsKey": "alias/mine"}}),
            json!({"lifecyclePolicyRef": {"name": "Keep 30"}}),
            json!({"tags": {"aws:x": "1"}}),
            json!({"tags": {"ecr-operator.dev/uid": "1"}}),
            json!({"tags": {"Ecr-Operator.dev/cluster": "1"}}),
            json!({"migratesFrom": ["registry.old.example/api:1.0"]}),
            json!({"overrides": [{"environment": "prod"}]}),
            json!({"overrides": [{"environment": "dev"}, {"environment": "dev"}]}),
            json!({"deletionPolicy": "Force"}),
            json!({"replication": "On"}),
        ],
        "repository",
    )
    .await;
}

#[tokio::test]
async fn wrong_access_is_refused() {
    let statement = |it: Value| {
        let mut statement = json!({
            "sid": "Own",
            "effect": "Allow",
            "principals": ["444444444444"],
            "actions": ["ecr:BatchGetImage"],
        });
        json_patch::merge(&mut statement, &it);
        json!({"access": {"statements": [statement]}})
    };
    check(
        "ImageRepository",
        [
            json!({"access": {"pull": ["*"]}}),
            json!({"access": {"push": ["arn:aws:iam::444444444444:role/*"]}}),
            json!({"access": {"lambda": "On"}}),
            statement(json!({"principals": ["*"]})),
            statement(json!({"principals": ["everyone"]})),
            statement(json!({"principals": []})),
            statement(json!({"actions": ["s3:GetObject"]})),
            statement(json!({"sid": "EcrOperatorPull"})),
            statement(json!({"effect": "Permit"})),
            statement(
                json!({"conditions": [{"operator": "StringEquals", "key": "aws:PrincipalOrgID"}]}),
            ),
        ],
        "access",
    )
    .await;
}

#[tokio::test]
async fn what_ecr_keeps_for_life_cannot_be_changed_in_a_repository() {
    check_update(
        "ImageRepository",
        [
            json!({"repositoryName": "payments/other"}),
            json!({"repositoryName": null}),
            json!({"encryption": {"type": "AES256"}}),
            json!({"encryption": null, "environments": ["prod"], "scanOnPush": null}),
        ],
        "repository_update",
    )
    .await;
}

#[tokio::test]
async fn a_wrong_cache_is_refused() {
    let secret = |region: &str, name: &str| {
        let arn = format!("arn:aws:secretsmanager:{region}:111111111111:secret:{name}-AbCdEf");
        json!({"credentials": [{"environment": "dev", "region": "eu-central-1", "secretArn": arn}]})
    };
    let hub = "ecr-pullthroughcache/hub";
    let with = |mut it: Value, change: Value| {
        json_patch::merge(&mut it, &change);
        it
    };
    let role = json!({"environment": "prod", "roleArn": "arn:aws:iam::333333333333:role/cache"});
    let images = |it: &str| json!({"prewarm": {"images": [it]}});
    check(
        "PullThroughRule",
        [
            json!({"upstreamRegistry": "dockerhub"}),
            json!({"upstreamRegistry": "docker-hub"}),
            with(
                secret("eu-central-1", hub),
                json!({"upstreamRegistry": "azure-container-registry"}),
            ),
            json!({"upstreamRegistryUrl": "quay.io"}),
            json!({"roles": [role]}),
            json!({"upstreamRegistry": "ecr"}),
            json!({"ecrRepositoryPrefix": "q"}),
            json!({"ecrRepositoryPrefix": "Quay"}),
            secret("us-east-1", hub),
            with(
                secret("eu-central-1", hub),
                json!({"environments": ["prod"]}),
            ),
            secret("eu-central-1", "docker-hub"),
            images("docker.io/library/nginx"),
            images("library/nginx@sha256:0123"),
            json!({"repositoryTemplate": {}}),
            json!({"repositoryTemplate": {"tags": {"team": "a"}}}),
            json!({"repositoryTemplate": {"encryption": {"type": "KMS"}}}),
            json!({"repositoryTemplate": {"encryption": {"type": "AES256"}}}),
            json!({"repositoryTemplate": {"tags": {"ecr-operator.dev/uid": "a"}}}),
            json!({"retrofit": "Enabled"}),
            json!({
                "retrofit": "Enabled",
                "ecrRepositoryPrefix": "ROOT",
                "repositoryTemplate": {"imageTagMutability": {"mode": "MUTABLE"}},
            }),
            json!({"prewarm": {}}),
            json!({"prewarm": {"observed": "Enabled", "importsPerHour": 0}}),
        ],
        "cache",
    )
    .await;
}

#[tokio::test]
async fn what_ecr_cannot_change_in_a_cache_is_another_rule() {
    check_update(
        "PullThroughRule",
        [
            json!({"upstreamRegistry": "quay"}),
            json!({"ecrRepositoryPrefix": "docker"}),
            json!({"ecrRepositoryPrefix": null}),
            json!({"upstreamRepositoryPrefix": "library"}),
            json!({"prewarm": null, "trustUpstream": "Disabled"}),
        ],
        "cache_update",
    )
    .await;
}

#[tokio::test]
async fn a_wrong_lifecycle_policy_is_refused() {
    let rule = |change: Value| {
        let mut rule = json!({
            "priority": 1,
            "selection": {
                "tagStatus": "tagged",
                "tagPrefixList": ["v"],
                "countType": "sinceImagePushed",
                "countNumber": 1,
            },
            "action": {"type": "expire"},
        });
        json_patch::merge(&mut rule, &change);
        rule
    };
    let select = |change: Value| json!({"rules": [rule(json!({"selection": change}))]});
    let any =
        rule(json!({"priority": 1, "selection": {"tagStatus": "any", "tagPrefixList": null}}));
    check(
        "LifecyclePolicy",
        [
            json!({"rules": []}),
            json!({"rules": [any, rule(json!({"priority": 2}))]}),
            (json!({"rules": [rule(json!({})), rule(json!({}))]})),
            select(json!({"tagStatus": "untagged"})),
            select(json!({"tagPrefixList": null})),
            select(json!({"tagPatternList": ["v*"]})),
            select(json!({"tagPrefixList": null, "tagPatternList": ["*1*2*3*4*"]})),
            select(json!({"countNumber": 0})),
            select(json!({"countType": "imageCountMoreThan", "countUnit": "days"})),
            select(json!({"countUnit": "hours"})),
            select(json!({"countType": "sinceImagePulled"})),
            select(json!({"countType": "sinceImageTransitioned"})),
            (json!({"rules": [rule(json!({"action": {"type": "transition"}}))]})),
            json!({"safety": {"maxExpiringPercent": 101}}),
            json!({"safety": {"maxExpiringPercent": -1}}),
            json!({"safety": {"maxExpiringImages": 1_000_001}}),
            json!({"safety": {"protectInUse": "Never"}}),
            json!({"safety": {"approvedHash": "sha256:abc"}}),
            json!({"safety": {"dryRun": true}}),
        ],
        "lifecycle_policy",
    )
    .await;
}

#[tokio::test]
async fn a_wrong_image_policy_is_refused() {
    check(
        "ImageAdmissionPolicy",
        [
            json!({"environment": null}),
            json!({"mode": "Enforce"}),
            json!({"region": "Oregon"}),
            json!({"exclude": ["quay.io/prom*"]}),
            json!({"exclude": ["https://quay.io/prometheus"]}),
            json!({"onUnknown": "Drop"}),
            json!({"failover": {}}),
        ],
        "image_policy",
    )
    .await;
}
