//! Pull-through caches against upstreams that stand in for the real ones.

use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier, ImageTagMutability, RctAppliedFor};
use aws_sdk_ecr::{Client, operation::batch_get_image::BatchGetImageOutput};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecr_operator::emulator::{Emulator, FirstPullByDigest, Options, Upstream};

use super::{DEV, PROD, REGION, ecr, plain, refusal, seeded, start, with_upstream};

fn stand_in() -> Upstream {
    Upstream {
        images: vec!["argoproj/*:*".to_owned()],
        ..Upstream::default()
    }
}

async fn rule(client: &Client, prefix: &str, url: &str) {
    client
        .create_pull_through_cache_rule()
        .ecr_repository_prefix(prefix)
        .upstream_registry_url(url)
        .send()
        .await
        .unwrap();
}

async fn get(client: &Client, repository: &str, tag: &str) -> BatchGetImageOutput {
    let id = ImageIdentifier::builder().image_tag(tag).build();
    client
        .batch_get_image()
        .repository_name(repository)
        .image_ids(id)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_first_request_by_tag_imports_the_image_and_makes_the_repository() {
    let emulator = with_upstream("quay.io", stand_in()).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    rule(&dev, "quay", "quay.io").await;
    assert_eq!(
        get(&dev, "quay/argoproj/argocd", "v3").await.images().len(),
        1
    );
    let listed = dev
        .describe_images()
        .repository_name("quay/argoproj/argocd")
        .send()
        .await
        .unwrap();
    assert_eq!(listed.image_details()[0].image_tags(), ["v3"]);
}

#[tokio::test]
async fn what_the_upstream_refuses_is_told_in_ecrs_words() {
    let failing = Upstream {
        fails: Some("UpstreamTooManyRequests".to_owned()),
        ..Upstream::default()
    };
    let emulator = with_upstream("quay.io", failing).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    rule(&dev, "quay", "quay.io").await;
    let got = get(&dev, "quay/argoproj/argocd", "v3").await;
    let code = got.failures()[0].failure_code();
    assert_eq!(code, Some(&ImageFailureCode::UpstreamTooManyRequests));
    let checked = dev
        .validate_pull_through_cache_rule()
        .ecr_repository_prefix("quay")
        .send()
        .await;
    let checked = checked.unwrap();
    assert!(!checked.is_valid());
    assert_eq!(checked.failure(), Some("UpstreamTooManyRequests"));
}

#[tokio::test]
async fn nothing_is_imported_by_digest() {
    let emulator = with_upstream("quay.io", stand_in()).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    rule(&dev, "quay", "quay.io").await;
    let id = ImageIdentifier::builder()
        .image_digest(format!("sha256:{:064}", 1))
        .build();
    let got = dev
        .batch_get_image()
        .repository_name("quay/argoproj/argocd")
        .image_ids(id)
        .send()
        .await;
    assert!(refusal(got).starts_with("RepositoryNotFoundException"));
}

#[tokio::test]
async fn an_image_is_imported_by_digest_where_the_emulator_is_told_to() {
    let known = Upstream {
        images: vec!["argoproj/argocd:v3".to_owned()],
        ..Upstream::default()
    };
    let emulator = with_upstream("quay.io", known.clone()).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    rule(&dev, "quay", "quay.io").await;
    let by_tag = get(&dev, "quay/argoproj/argocd", "v3").await;
    let digest = by_tag.images()[0].image_id().unwrap().image_digest();
    let importing = Emulator::start(Options {
        upstreams: [("quay.io".to_owned(), known)].into(),
        first_pull_by_digest: FirstPullByDigest::Imports,
        ..Options::default()
    });
    let importing = importing.await.unwrap();
    let dev = ecr(&importing, plain(DEV), REGION);
    rule(&dev, "quay", "quay.io").await;
    let id = ImageIdentifier::builder().set_image_digest(digest.map(str::to_owned));
    let got = dev
        .batch_get_image()
        .repository_name("quay/argoproj/argocd")
        .image_ids(id.build())
        .send();
    let got = got.await.unwrap();
    assert_eq!(got.images()[0].image_id().unwrap().image_digest(), digest);
}

#[tokio::test]
async fn rules_are_checked_as_ecr_checks_them() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let create = |prefix: &str, url: &str| {
        dev.create_pull_through_cache_rule()
            .ecr_repository_prefix(prefix)
            .upstream_registry_url(url)
    };
    let unsupported = create("x1", "registry.example.com").send().await;
    assert!(refusal(unsupported).starts_with("UnsupportedUpstreamRegistryException"));
    let bare = create("hub", "registry-1.docker.io").send().await;
    assert!(refusal(bare).starts_with("ValidationException"));
    let secret =
        "arn:aws:secretsmanager:eu-central-1:111111111111:secret:ecr-pullthroughcache/hub-AbCdEf";
    create("hub", "registry-1.docker.io")
        .credential_arn(secret)
        .send()
        .await
        .unwrap();
    let twice = create("hub", "quay.io").send().await;
    assert!(refusal(twice).starts_with("PullThroughCacheRuleAlreadyExistsException"));
    let elsewhere = secret.replace("eu-central-1", "us-east-1");
    let elsewhere = create("hub2", "registry-1.docker.io")
        .credential_arn(elsewhere)
        .send()
        .await;
    assert!(refusal(elsewhere).starts_with("UnableToAccessSecretException"));
    let gone = dev
        .delete_pull_through_cache_rule()
        .ecr_repository_prefix("nope")
        .send()
        .await;
    assert!(refusal(gone).starts_with("PullThroughCacheRuleNotFoundException"));
}

#[tokio::test]
async fn another_ecr_registry_is_an_upstream_where_its_policy_lets_the_role_in() {
    let emulator = seeded(
        r#"
accounts:
  "333333333333":
    registries:
      us-east-1:
        repositories:
          base/jdk: {images: [{tags: ["21"]}]}
"#,
    )
    .await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let role = "arn:aws:iam::111111111111:role/cache";
    dev.create_pull_through_cache_rule()
        .ecr_repository_prefix("shared")
        .upstream_registry_url("333333333333.dkr.ecr.us-east-1.amazonaws.com")
        .custom_role_arn(role)
        .send()
        .await
        .unwrap();
    let refused = get(&dev, "shared/base/jdk", "21").await;
    let code = refused.failures()[0].failure_code();
    assert_eq!(code, Some(&ImageFailureCode::UpstreamAccessDenied));
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow",
        "Principal": {"AWS": role},
        "Action": ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
    }]});
    ecr(&emulator, plain(PROD), "us-east-1")
        .set_repository_policy()
        .repository_name("base/jdk")
        .policy_text(policy.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(get(&dev, "shared/base/jdk", "21").await.images().len(), 1);
}

#[tokio::test]
async fn a_repository_of_a_cache_is_made_by_the_most_specific_template() {
    let emulator = with_upstream("quay.io", stand_in()).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    rule(&dev, "quay", "quay.io").await;
    for (prefix, mutability) in [
        ("ROOT", ImageTagMutability::Mutable),
        ("quay/argoproj", ImageTagMutability::Immutable),
    ] {
        dev.create_repository_creation_template()
            .prefix(prefix)
            .applied_for(RctAppliedFor::PullThroughCache)
            .image_tag_mutability(mutability)
            .send()
            .await
            .unwrap();
    }
    get(&dev, "quay/argoproj/argocd", "v3").await;
    let made = dev
        .describe_repositories()
        .repository_names("quay/argoproj/argocd")
        .send()
        .await;
    let made = made.unwrap();
    assert_eq!(
        made.repositories()[0].image_tag_mutability(),
        Some(&ImageTagMutability::Immutable)
    );
}

#[tokio::test]
async fn an_upstream_that_asks_for_a_login_gets_the_one_in_its_address() {
    let upstream = seeded(
        r#"
accounts:
  "333333333333":
    registries:
      eu-central-1:
        repositories:
          base/jdk: {images: [{tags: ["21"]}]}
"#,
    )
    .await;
    let told = ecr(&upstream, plain(PROD), REGION)
        .get_authorization_token()
        .send();
    let told = told.await.unwrap();
    let token = told.authorization_data()[0].authorization_token().unwrap();
    let login = String::from_utf8(STANDARD.decode(token).unwrap()).unwrap();
    let at = upstream.address();
    let denied = Some(&ImageFailureCode::UpstreamAccessDenied);
    for (url, failure) in [
        (format!("http://{at}"), denied),
        (format!("http://{login}@{at}"), None),
    ] {
        let known = Upstream {
            url: Some(url),
            ..Upstream::default()
        };
        let emulator = with_upstream("quay.io", known).await;
        let dev = ecr(&emulator, plain(DEV), REGION);
        rule(&dev, "quay", "quay.io").await;
        let got = get(&dev, "quay/base/jdk", "21").await;
        let code = got.failures().first().and_then(|it| it.failure_code());
        assert_eq!(code, failure);
        assert_eq!(got.images().len(), usize::from(failure.is_none()));
    }
}
