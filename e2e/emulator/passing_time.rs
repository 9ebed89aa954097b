//! What ECR does by itself as time passes.

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{ImageIdentifier, ImageStatusFilter, TargetStorageClass};
use jiff::SignedDuration;

use super::{DEV, REGION, ecr, plain, refusal, seeded};

const SEED: &str = r#"
accounts:
  "111111111111":
    registries:
      eu-central-1:
        repositories:
          web:
            images:
              - {tags: ["1"], pushed: "2026-01-01T00:00:00Z"}
              - {tags: ["2"], pushed: "2026-01-02T00:00:00Z"}
              - {tags: ["3"], pushed: "2026-01-03T00:00:00Z"}
"#;

const KEEP_ONE: &str = r#"{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1}, "action": {"type": "expire"}}]}"#;

async fn tags(client: &Client) -> Vec<String> {
    let listed = client
        .describe_images()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    let mut tags: Vec<String> = listed
        .image_details()
        .iter()
        .flat_map(|it| it.image_tags().to_vec())
        .collect();
    tags.sort();
    tags
}

#[tokio::test]
async fn a_lifecycle_policy_works_a_day_after_it_was_put() {
    let emulator = seeded(SEED).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let put = dev
        .put_lifecycle_policy()
        .repository_name("web")
        .lifecycle_policy_text(KEEP_ONE);
    put.send().await.unwrap();
    assert_eq!(tags(&dev).await, ["1", "2", "3"]);
    emulator.clock().advance(SignedDuration::from_hours(25));
    assert_eq!(tags(&dev).await, ["3"]);
}

#[tokio::test]
async fn a_preview_tells_what_a_policy_would_do_and_does_nothing() {
    let emulator = seeded(SEED).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    emulator.clock().stop();
    let start = || {
        dev.start_lifecycle_policy_preview()
            .repository_name("web")
            .lifecycle_policy_text(KEEP_ONE)
            .send()
    };
    start().await.unwrap();
    assert!(refusal(start().await).starts_with("LifecyclePolicyPreviewInProgressException"));
    emulator.clock().advance(SignedDuration::from_secs(1));
    let got = dev
        .get_lifecycle_policy_preview()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    assert_eq!(got.status().unwrap().as_str(), "COMPLETE");
    assert_eq!(got.summary().unwrap().expiring_image_total_count(), Some(2));
    assert_eq!(tags(&dev).await, ["1", "2", "3"]);
}

#[tokio::test]
async fn an_archived_image_cannot_be_pulled_until_it_is_restored() {
    let emulator = seeded(SEED).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let id = || ImageIdentifier::builder().image_tag("1").build();
    let to = |class: TargetStorageClass| {
        dev.update_image_storage_class()
            .repository_name("web")
            .image_id(id())
            .target_storage_class(class)
            .send()
    };
    to(TargetStorageClass::Archive).await.unwrap();
    assert_eq!(tags(&dev).await, ["2", "3"]);
    let got = dev
        .batch_get_image()
        .repository_name("web")
        .image_ids(id())
        .send()
        .await
        .unwrap();
    assert_eq!(got.images().len(), 0);
    let archived = aws_sdk_ecr::types::DescribeImagesFilter::builder()
        .image_status(ImageStatusFilter::Archived)
        .build();
    let listed = dev
        .describe_images()
        .repository_name("web")
        .filter(archived)
        .send()
        .await
        .unwrap();
    assert!(listed.image_details()[0].last_archived_at().is_some());
    to(TargetStorageClass::Standard).await.unwrap();
    emulator.clock().advance(SignedDuration::from_mins(20));
    assert_eq!(tags(&dev).await, ["1", "2", "3"]);
}
