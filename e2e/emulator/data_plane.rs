//! The registry itself, as container clients use it.

use aws_sdk_ecr::types::{ImageTagMutability, RctAppliedFor};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ecr_operator::emulator::{Emulator, Upstream};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{Answer, DEV, PROD, REGION, ecr, http, plain, start, with_upstream};

pub(super) fn digest(content: &[u8]) -> String {
    let hex: String = Sha256::digest(content)
        .iter()
        .map(|it| format!("{it:02x}"))
        .collect();
    format!("sha256:{hex}")
}

/// A client that is logged in.
struct Docker<'a> {
    emulator: &'a Emulator,
    login: String,
}

impl<'a> Docker<'a> {
    async fn login(emulator: &'a Emulator, account: &str) -> Self {
        let told = ecr(emulator, plain(account), REGION)
            .get_authorization_token()
            .send()
            .await;
        let told = told.unwrap();
        let data = &told.authorization_data()[0];
        assert_eq!(data.proxy_endpoint(), Some(emulator.url().as_str()));
        Self {
            emulator,
            login: format!("Basic {}", data.authorization_token().unwrap()),
        }
    }

    async fn asks(&self, what: &str, body: &[u8]) -> Answer {
        http(self.emulator, what, &[("authorization", &self.login)], body).await
    }

    async fn uploads(&self, repository: &str, content: &[u8]) -> u16 {
        let begun = self
            .asks(&format!("POST /v2/{repository}/blobs/uploads/"), b"")
            .await;
        if begun.status != 202 {
            return begun.status;
        }
        let at = begun.header("location").to_owned();
        assert_eq!(self.asks(&format!("PATCH {at}"), content).await.status, 202);
        self.asks(&format!("PUT {at}?digest={}", digest(content)), b"")
            .await
            .status
    }

    async fn pushes(&self, repository: &str, tag: &str, layer: &[u8]) -> Answer {
        let config = json!({"architecture": "amd64", "os": "linux"}).to_string();
        assert_eq!(self.uploads(repository, layer).await, 201);
        assert_eq!(self.uploads(repository, config.as_bytes()).await, 201);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.oci.image.config.v1+json",
                "digest": digest(config.as_bytes()), "size": config.len(),
            },
            "layers": [{
                "mediaType": "application/vnd.oci.image.layer.v1.tar",
                "digest": digest(layer), "size": layer.len(),
            }],
        });
        self.asks(
            &format!("PUT /v2/{repository}/manifests/{tag}"),
            manifest.to_string().as_bytes(),
        )
        .await
    }
}

async fn with_repository(name: &str) -> Emulator {
    let emulator = start().await;
    ecr(&emulator, plain(DEV), REGION)
        .create_repository()
        .repository_name(name)
        .send()
        .await
        .unwrap();
    emulator
}

#[tokio::test]
async fn an_image_that_was_pushed_is_pulled_and_described() {
    let emulator = with_repository("team/web").await;
    let docker = Docker::login(&emulator, DEV).await;
    let pushed = docker.pushes("team/web", "v1", b"layer").await;
    assert_eq!(pushed.status, 201);
    let pulled = docker.asks("GET /v2/team/web/manifests/v1", b"").await;
    assert_eq!(
        pulled.header("docker-content-digest"),
        pushed.header("docker-content-digest")
    );
    assert_eq!(digest(&pulled.body), pulled.header("docker-content-digest"));
    let blob = format!("/v2/team/web/blobs/{}", digest(b"layer"));
    assert_eq!(
        docker.asks(&format!("GET {blob}"), b"").await.body,
        b"layer"
    );
    let head = docker.asks(&format!("HEAD {blob}"), b"").await;
    assert_eq!((head.header("content-length"), head.body.len()), ("5", 0));
    let range = [
        ("authorization", docker.login.as_str()),
        ("range", "bytes=1-3"),
    ];
    let part = http(&emulator, &format!("GET {blob}"), &range, b"").await;
    assert_eq!((part.status, part.text().as_str()), (206, "aye"));
    assert_eq!(part.header("content-range"), "bytes 1-3/5");
    let tags = docker.asks("GET /v2/team/web/tags/list", b"").await.text();
    assert_eq!(tags, r#"{"name":"team/web","tags":["v1"]}"#);
    let dev = ecr(&emulator, plain(DEV), REGION);
    let described = dev
        .describe_images()
        .repository_name("team/web")
        .send()
        .await
        .unwrap();
    assert!(
        described.image_details()[0]
            .last_recorded_pull_time()
            .is_some()
    );
}

#[tokio::test]
async fn without_a_token_or_with_an_old_one_nothing_is_told() {
    let emulator = with_repository("web").await;
    let refused = http(&emulator, "GET /v2/", &[], b"").await;
    assert_eq!(refused.status, 401);
    assert!(
        refused
            .header("www-authenticate")
            .contains(r#"service="ecr.amazonaws.com""#)
    );
    let docker = Docker::login(&emulator, DEV).await;
    assert_eq!(docker.asks("GET /v2/", b"").await.status, 200);
    emulator
        .clock()
        .advance(jiff::SignedDuration::from_hours(13));
    let refused = docker.asks("GET /v2/", b"").await;
    assert_eq!(refused.status, 403);
    assert!(
        refused
            .text()
            .contains("Your authorization token has expired")
    );
}

#[tokio::test]
async fn the_host_names_the_registry_and_its_policies_decide() {
    let emulator = with_repository("web").await;
    Docker::login(&emulator, DEV)
        .await
        .pushes("web", "v1", b"layer")
        .await;
    let other = Docker::login(&emulator, PROD).await;
    let host = format!("{DEV}.dkr.ecr.{REGION}.amazonaws.com");
    let headers = [
        ("authorization", other.login.as_str()),
        ("host", host.as_str()),
    ];
    let pull = || http(&emulator, "GET /v2/web/manifests/v1", &headers, b"");
    assert_eq!(pull().await.status, 403);
    let policy = json!({"Version": "2012-10-17", "Statement": [{
        "Effect": "Allow", "Principal": {"AWS": PROD}, "Action": "ecr:BatchGetImage",
    }]});
    ecr(&emulator, plain(DEV), REGION)
        .set_repository_policy()
        .repository_name("web")
        .policy_text(policy.to_string())
        .send()
        .await
        .unwrap();
    assert_eq!(pull().await.status, 200);
}

#[tokio::test]
async fn a_push_makes_the_repository_only_where_a_template_says_so() {
    let emulator = start().await;
    let docker = Docker::login(&emulator, DEV).await;
    assert_eq!(docker.uploads("new/web", b"layer").await, 404);
    let dev = ecr(&emulator, plain(DEV), REGION);
    dev.create_repository_creation_template()
        .prefix("new")
        .applied_for(RctAppliedFor::CreateOnPush)
        .image_tag_mutability(ImageTagMutability::Immutable)
        .send()
        .await
        .unwrap();
    assert_eq!(docker.pushes("new/web", "v1", b"layer").await.status, 201);
    assert_eq!(docker.pushes("new/web", "v1", b"other").await.status, 400);
    let made = dev
        .describe_repositories()
        .repository_names("new/web")
        .send()
        .await
        .unwrap();
    assert_eq!(
        made.repositories()[0].image_tag_mutability(),
        Some(&ImageTagMutability::Immutable)
    );
}

#[tokio::test]
async fn a_blob_is_mounted_only_where_the_account_allows_it() {
    let emulator = with_repository("from").await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    dev.create_repository()
        .repository_name("to")
        .send()
        .await
        .unwrap();
    let docker = Docker::login(&emulator, DEV).await;
    docker.uploads("from", b"layer").await;
    let mount = format!(
        "POST /v2/to/blobs/uploads/?mount={}&from=from",
        digest(b"layer")
    );
    assert_eq!(docker.asks(&mount, b"").await.status, 202);
    dev.put_account_setting()
        .name("BLOB_MOUNTING")
        .value("ENABLED")
        .send()
        .await
        .unwrap();
    assert_eq!(docker.asks(&mount, b"").await.status, 201);
}

#[tokio::test]
async fn a_pull_through_a_cache_imports_by_tag_and_not_by_digest() {
    let images = vec!["*:*".to_owned()];
    let emulator = with_upstream(
        "quay.io",
        Upstream {
            images,
            ..Upstream::default()
        },
    )
    .await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    dev.create_pull_through_cache_rule()
        .ecr_repository_prefix("quay")
        .upstream_registry_url("quay.io")
        .send()
        .await
        .unwrap();
    let docker = Docker::login(&emulator, DEV).await;
    let pulled = docker
        .asks("GET /v2/quay/argoproj/argocd/manifests/v3", b"")
        .await;
    assert_eq!(pulled.status, 200);
    let manifest: Value = serde_json::from_slice(&pulled.body).unwrap();
    let config = manifest["config"]["digest"].as_str().unwrap();
    let got = docker
        .asks(&format!("GET /v2/quay/argoproj/argocd/blobs/{config}"), b"")
        .await;
    assert_eq!(digest(&got.body), config);
    let by_digest = format!("GET /v2/quay/argoproj/other/manifests/{}", digest(b"x"));
    assert_eq!(docker.asks(&by_digest, b"").await.status, 404);
}

#[tokio::test]
async fn a_token_says_the_user_and_a_password() {
    let emulator = start().await;
    let docker = Docker::login(&emulator, DEV).await;
    let decoded = STANDARD
        .decode(docker.login.trim_start_matches("Basic "))
        .unwrap();
    assert!(String::from_utf8(decoded).unwrap().starts_with("AWS:"));
}

#[tokio::test]
async fn what_refers_to_an_image_is_listed_and_filtered() {
    let emulator = with_repository("web").await;
    let docker = Docker::login(&emulator, DEV).await;
    let pushed = docker.pushes("web", "v1", b"layer").await;
    let subject = pushed.header("docker-content-digest");
    let config = b"{}";
    assert_eq!(docker.uploads("web", config).await, 201);
    for kind in ["application/spdx+json", "application/signature"] {
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "artifactType": kind,
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": digest(config), "size": config.len(),
            },
            "layers": [],
            "subject": {
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": subject, "size": 1,
            },
        });
        let text = manifest.to_string();
        let at = format!("PUT /v2/web/manifests/{}", digest(text.as_bytes()));
        let put = docker.asks(&at, text.as_bytes()).await;
        assert_eq!((put.status, put.header("oci-subject")), (201, subject));
    }
    let at = format!("GET /v2/web/referrers/{subject}");
    let all: Value = serde_json::from_str(&docker.asks(&at, b"").await.text()).unwrap();
    assert_eq!(all["manifests"].as_array().unwrap().len(), 2);
    let some = docker
        .asks(&format!("{at}?artifactType=application/signature"), b"")
        .await;
    assert_eq!(some.header("oci-filters-applied"), "artifactType");
    let some: Value = serde_json::from_str(&some.text()).unwrap();
    assert_eq!(
        some["manifests"][0]["artifactType"],
        "application/signature"
    );
    assert_eq!(some["manifests"].as_array().unwrap().len(), 1);
}
