//! Repositories and everything that hangs on them.

use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageTagMutability, ImageTagMutabilityExclusionFilter,
    ImageTagMutabilityExclusionFilterType,
};
use expect_test::expect;

use super::{DEV, PROD, REGION, ecr, plain, refusal, start, tag, tagging};
use aws_sdk_resourcegroupstagging::types::TagFilter;

#[tokio::test]
async fn a_repository_belongs_to_one_account_and_one_region() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let created = dev
        .create_repository()
        .repository_name("payments/api")
        .send()
        .await
        .unwrap();
    let created = created.repository().unwrap();
    expect!["111111111111.dkr.ecr.eu-central-1.amazonaws.com/payments/api"]
        .assert_eq(created.repository_uri().unwrap());
    expect!["arn:aws:ecr:eu-central-1:111111111111:repository/payments/api"]
        .assert_eq(created.repository_arn().unwrap());
    assert_eq!(
        created.image_tag_mutability(),
        Some(&ImageTagMutability::Mutable)
    );
    assert_eq!(
        created
            .encryption_configuration()
            .unwrap()
            .encryption_type(),
        &EncryptionType::Aes256
    );
    expect!["RepositoryAlreadyExistsException: The repository with name 'payments/api' already exists in the registry with id '111111111111'"]
        .assert_eq(&refusal(dev.create_repository().repository_name("payments/api").send().await));
    for elsewhere in [
        ecr(&emulator, plain(PROD), REGION),
        ecr(&emulator, plain(DEV), "us-east-1"),
    ] {
        let found = elsewhere
            .describe_repositories()
            .repository_names("payments/api")
            .send()
            .await;
        assert!(refusal(found).starts_with("RepositoryNotFoundException"));
    }
}

#[tokio::test]
async fn what_the_service_model_does_not_allow_is_refused() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let named = |name: &str| dev.create_repository().repository_name(name).send();
    assert!(refusal(named("Upper").await).contains("must satisfy regular expression"));
    assert!(refusal(named("a").await).contains("greater than or equal to 2"));
    let odd = dev
        .create_repository()
        .repository_name("web")
        .image_tag_mutability(ImageTagMutability::from("SOMETIMES"));
    assert!(refusal(odd.send().await).contains("Member must satisfy enum value set"));
    let without_filters = dev
        .create_repository()
        .repository_name("web")
        .image_tag_mutability(ImageTagMutability::ImmutableWithExclusion);
    assert!(refusal(without_filters.send().await).contains("can't be null"));
}

#[tokio::test]
async fn lists_come_in_pages_with_tokens_that_belong_to_them() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    for name in ["web", "api", "jobs"] {
        dev.create_repository()
            .repository_name(name)
            .send()
            .await
            .unwrap();
    }
    let first = dev
        .describe_repositories()
        .max_results(2)
        .send()
        .await
        .unwrap();
    let names = |it: &[aws_sdk_ecr::types::Repository]| -> Vec<String> {
        it.iter()
            .map(|it| it.repository_name().unwrap().to_owned())
            .collect()
    };
    assert_eq!(names(first.repositories()), ["api", "jobs"]);
    let token = first.next_token().unwrap();
    let second = dev
        .describe_repositories()
        .max_results(2)
        .next_token(token)
        .send()
        .await
        .unwrap();
    assert_eq!(names(second.repositories()), ["web"]);
    assert_eq!(second.next_token(), None);
    let misused = dev
        .list_images()
        .repository_name("web")
        .next_token(token)
        .send()
        .await;
    assert!(refusal(misused).contains("'nextToken'"));
}

#[tokio::test]
async fn settings_are_kept_and_changed() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let filter = ImageTagMutabilityExclusionFilter::builder()
        .filter_type(ImageTagMutabilityExclusionFilterType::Wildcard)
        .filter("latest*")
        .build()
        .unwrap();
    let kms = EncryptionConfiguration::builder().encryption_type(EncryptionType::Kms);
    dev.create_repository()
        .repository_name("web")
        .image_tag_mutability(ImageTagMutability::ImmutableWithExclusion)
        .image_tag_mutability_exclusion_filters(filter)
        .encryption_configuration(kms.build().unwrap())
        .tags(tag("team", "a"))
        .send()
        .await
        .unwrap();
    let described = dev
        .describe_repositories()
        .repository_names("web")
        .send()
        .await
        .unwrap();
    let web = &described.repositories()[0];
    assert_eq!(
        web.image_tag_mutability_exclusion_filters()[0].filter(),
        "latest*"
    );
    let key = web.encryption_configuration().unwrap().kms_key().unwrap();
    assert!(
        key.starts_with("arn:aws:kms:eu-central-1:111111111111:key/"),
        "{key}"
    );
    dev.put_image_tag_mutability()
        .repository_name("web")
        .image_tag_mutability(ImageTagMutability::Mutable)
        .send()
        .await
        .unwrap();
    let described = dev
        .describe_repositories()
        .repository_names("web")
        .send()
        .await
        .unwrap();
    assert!(
        described.repositories()[0]
            .image_tag_mutability_exclusion_filters()
            .is_empty()
    );
}

#[tokio::test]
async fn tags_are_checked_counted_and_told_by_the_tagging_api() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let arn = "arn:aws:ecr:eu-central-1:111111111111:repository/web";
    dev.create_repository()
        .repository_name("web")
        .tags(tag("team", "a"))
        .send()
        .await
        .unwrap();
    dev.tag_resource()
        .resource_arn(arn)
        .tags(tag("stage", "dev"))
        .send()
        .await
        .unwrap();
    dev.untag_resource()
        .resource_arn(arn)
        .tag_keys("team")
        .send()
        .await
        .unwrap();
    let listed = dev
        .list_tags_for_resource()
        .resource_arn(arn)
        .send()
        .await
        .unwrap();
    assert_eq!(listed.tags(), [tag("stage", "dev")]);
    let reserved = dev
        .tag_resource()
        .resource_arn(arn)
        .tags(tag("aws:x", "y"))
        .send()
        .await;
    assert!(refusal(reserved).starts_with("InvalidTagParameterException"));
    let many = (0..50).map(|it| tag(&format!("k{it}"), "v")).collect();
    let crowded = dev
        .tag_resource()
        .resource_arn(arn)
        .set_tags(Some(many))
        .send()
        .await;
    assert!(refusal(crowded).starts_with("TooManyTagsException"));
    let found = tagging(&emulator)
        .get_resources()
        .resource_type_filters("ecr:repository")
        .send()
        .await;
    let found = found.unwrap();
    assert_eq!(
        found.resource_tag_mapping_list()[0].resource_arn(),
        Some(arn)
    );
}

#[tokio::test]
async fn policies_come_back_in_ecrs_own_spelling() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    dev.create_repository()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    let set = |text: &str| {
        dev.set_repository_policy()
            .repository_name("web")
            .policy_text(text)
            .send()
    };
    assert!(refusal(set("{}").await).contains("Invalid repository policy provided"));
    set(r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":["333333333333"]},"Action":["ecr:BatchGetImage"]}]}"#)
        .await
        .unwrap();
    let got = dev
        .get_repository_policy()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    expect![[r#"
        {
          "Version" : "2012-10-17",
          "Statement" : [ {
            "Effect" : "Allow",
            "Principal" : {
              "AWS" : "arn:aws:iam::333333333333:root"
            },
            "Action" : [ "ecr:BatchGetImage" ]
          } ]
        }"#]]
    .assert_eq(got.policy_text().unwrap());
    dev.delete_repository_policy()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    let gone = dev
        .get_repository_policy()
        .repository_name("web")
        .send()
        .await;
    assert!(refusal(gone).starts_with("RepositoryPolicyNotFoundException"));
}

#[tokio::test]
async fn lifecycle_policies_are_kept_as_they_were_put() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    dev.create_repository()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    let put = |text: &str| {
        dev.put_lifecycle_policy()
            .repository_name("web")
            .lifecycle_policy_text(text)
            .send()
    };
    let text = r#"{"rules": [{"rulePriority": 1, "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 3}, "action": {"type": "expire"}}]}"#;
    put(text).await.unwrap();
    let got = dev
        .get_lifecycle_policy()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    assert_eq!(got.lifecycle_policy_text(), Some(text));
    assert!(
        refusal(put(&text.replace("any", "some")).await)
            .contains("Lifecycle policy validation failure")
    );
    dev.delete_lifecycle_policy()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    let gone = dev
        .get_lifecycle_policy()
        .repository_name("web")
        .send()
        .await;
    assert!(refusal(gone).starts_with("LifecyclePolicyNotFoundException"));
}

#[tokio::test]
async fn tagged_repositories_are_found_by_their_tags_in_pages() {
    let emulator = start().await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    for (name, team) in [("api", "a"), ("bot", "b"), ("cli", "a"), ("web", "c")] {
        let made = dev.create_repository().repository_name(name);
        made.tags(tag("team", team)).send().await.unwrap();
    }
    let made = dev.create_repository().repository_name("untagged").send();
    made.await.unwrap();
    let client = tagging(&emulator);
    let teams = TagFilter::builder().key("team").values("a").values("b");
    let (mut found, mut token) = (Vec::new(), String::new());
    loop {
        let page = client
            .get_resources()
            .resource_type_filters("ecr:repository")
            .tag_filters(teams.clone().build())
            .resources_per_page(2)
            .pagination_token(token)
            .send();
        let page = page.await.unwrap();
        found.push(page.resource_tag_mapping_list().len());
        token = page.pagination_token().unwrap_or_default().to_owned();
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(found, [2, 1]);
    let wrong = client.get_resources().pagination_token("made up").send();
    assert!(refusal(wrong.await).starts_with("PaginationTokenExpiredException"));
}
