//! Images that a seed planted: described, got, deleted.

use aws_sdk_ecr::types::{ImageFailureCode, ImageIdentifier};
use ecr_operator::emulator::{BareManifests, Emulator, Options};

use super::data_plane::digest;
use super::{DEV, REGION, ecr, plain, refusal, seeded};

const SEED: &str = r#"
accounts:
  "111111111111":
    registries:
      eu-central-1:
        repositories:
          web:
            mutability: IMMUTABLE
            images:
              - {tags: ["1.0", stable], pushed: "2026-01-31T12:00:00Z"}
              - {tags: ["1.1"]}
              - {}
"#;

fn client(emulator: &Emulator) -> aws_sdk_ecr::Client {
    ecr(emulator, plain(DEV), REGION)
}

fn tagged(tag: &str) -> ImageIdentifier {
    ImageIdentifier::builder().image_tag(tag).build()
}

#[tokio::test]
async fn a_seeds_images_are_described_with_all_that_is_known() {
    let emulator = seeded(SEED).await;
    let dev = client(&emulator);
    let all = dev
        .describe_images()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    assert_eq!(all.image_details().len(), 3);
    let one = dev
        .describe_images()
        .repository_name("web")
        .image_ids(tagged("stable"))
        .send()
        .await;
    let one = &one.unwrap().image_details()[0].clone();
    assert_eq!(one.image_tags(), ["1.0", "stable"]);
    assert_eq!(
        one.image_pushed_at().unwrap().to_string(),
        "2026-01-31T12:00:00Z"
    );
    assert_eq!(one.image_status().unwrap().as_str(), "ACTIVE");
    let none = dev
        .describe_images()
        .repository_name("web")
        .image_ids(tagged("2.0"))
        .send()
        .await;
    assert_eq!(
        refusal(none),
        "ImageNotFoundException: The image with imageId {imageDigest:'null', imageTag:'2.0'} does not exist within the repository with name 'web' in the registry with id '111111111111'"
    );
}

#[tokio::test]
async fn images_are_listed_by_tag_in_pages() {
    let emulator = seeded(SEED).await;
    let dev = client(&emulator);
    let pages = dev
        .list_images()
        .repository_name("web")
        .into_paginator()
        .page_size(1);
    let ids: Vec<_> = pages
        .items()
        .send()
        .collect::<Result<_, _>>()
        .await
        .unwrap();
    let mut tags: Vec<_> = ids.iter().map(|it| it.image_tag().unwrap_or("-")).collect();
    tags.sort_unstable();
    assert_eq!(tags, ["-", "1.0", "1.1", "stable"]);
}

#[tokio::test]
async fn a_batch_says_what_failed_and_why() {
    let emulator = seeded(SEED).await;
    let dev = client(&emulator);
    let ids = [
        tagged("1.0"),
        tagged("2.0"),
        ImageIdentifier::builder().image_digest("x").build(),
    ];
    let got = dev
        .batch_get_image()
        .repository_name("web")
        .set_image_ids(Some(ids.into()))
        .send();
    let got = got.await.unwrap();
    assert!(
        got.images()[0]
            .image_manifest()
            .unwrap()
            .contains("schemaVersion")
    );
    let codes: Vec<_> = got
        .failures()
        .iter()
        .filter_map(|it| it.failure_code())
        .collect();
    assert_eq!(
        codes,
        [
            &ImageFailureCode::ImageNotFound,
            &ImageFailureCode::InvalidImageDigest
        ]
    );
}

#[tokio::test]
async fn an_image_goes_with_its_last_tag() {
    let emulator = seeded(SEED).await;
    let dev = client(&emulator);
    let delete = |tag: &str| {
        dev.batch_delete_image()
            .repository_name("web")
            .image_ids(tagged(tag))
            .send()
    };
    delete("1.0").await.unwrap();
    assert!(
        dev.describe_images()
            .repository_name("web")
            .image_ids(tagged("stable"))
            .send()
            .await
            .is_ok()
    );
    delete("stable").await.unwrap();
    let left = dev
        .describe_images()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    assert_eq!(left.image_details().len(), 2);
    let full = dev.delete_repository().repository_name("web").send().await;
    assert!(refusal(full).starts_with("RepositoryNotEmptyException"));
    dev.delete_repository()
        .repository_name("web")
        .force(true)
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn manifests_need_their_layers_and_immutable_tags_stay() {
    let emulator = seeded(SEED).await;
    let dev = client(&emulator);
    let got = dev
        .batch_get_image()
        .repository_name("web")
        .image_ids(tagged("1.1"))
        .send()
        .await;
    let manifest = got.unwrap().images()[0]
        .image_manifest()
        .unwrap()
        .to_owned();
    let put = |manifest: &str, tag: &str| {
        dev.put_image()
            .repository_name("web")
            .image_manifest(manifest)
            .image_tag(tag)
            .send()
    };
    put(&manifest, "1.2").await.unwrap();
    assert!(refusal(put(&manifest, "1.2").await).starts_with("ImageAlreadyExistsException"));
    assert!(refusal(put(&manifest, "1.0").await).starts_with("ImageTagAlreadyExistsException"));
    let unknown = manifest.replace("sha256:", "sha256:00");
    assert!(refusal(put(&unknown, "1.3").await).starts_with("LayersNotFoundException"));
    assert!(refusal(put("no json", "1.3").await).contains("Invalid JSON syntax"));
}

const BARE: &str = r#"{"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
  "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 3,
    "digest": "sha256:1111111111111111111111111111111111111111111111111111111111111111"},
  "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar", "size": 39,
    "digest": "sha256:2222222222222222222222222222222222222222222222222222222222222222"}]}"#;

#[tokio::test]
async fn a_repository_without_layers_takes_bare_manifests_unless_it_is_told_not_to() {
    for (bare_manifests, taken) in [
        (BareManifests::Taken, true),
        (BareManifests::Refused, false),
    ] {
        let emulator = Emulator::start(Options {
            bare_manifests,
            ..Options::default()
        });
        let emulator = emulator.await.unwrap();
        let dev = client(&emulator);
        let made = dev.create_repository().repository_name("bare").send().await;
        made.unwrap();
        let put = |tag: &str| {
            dev.put_image()
                .repository_name("bare")
                .image_manifest(BARE)
                .image_tag(tag)
                .send()
        };
        let first = put("1.0").await;
        assert_eq!(first.is_ok(), taken);
        if !taken {
            assert!(refusal(first).starts_with("LayersNotFoundException"));
            continue;
        }
        upload(&dev, "bare", b"a layer").await;
        assert!(refusal(put("1.1").await).starts_with("LayersNotFoundException"));
    }
}

async fn upload(client: &aws_sdk_ecr::Client, repository: &str, content: &[u8]) {
    let begun = client
        .initiate_layer_upload()
        .repository_name(repository)
        .send()
        .await
        .unwrap();
    let id = begun.upload_id().unwrap();
    let part = client
        .upload_layer_part()
        .repository_name(repository)
        .upload_id(id)
        .part_first_byte(0)
        .part_last_byte(content.len() as i64 - 1)
        .layer_part_blob(content.to_vec().into());
    part.send().await.unwrap();
    let complete = client
        .complete_layer_upload()
        .repository_name(repository)
        .upload_id(id)
        .layer_digests(digest(content));
    complete.send().await.unwrap();
}
