//! Who calls, and what they may do.

use aws_credential_types::Credentials;
use expect_test::expect;

use super::{DEV, PROD, REGION, ecr, plain, refusal, seeded, start, sts};

const SEED: &str = r#"
accounts:
  "333333333333":
    roles:
      ecr-operator:
        trust:
          Version: "2012-10-17"
          Statement:
            - Effect: Allow
              Principal: {AWS: "arn:aws:iam::111111111111:root"}
              Action: [sts:AssumeRole, sts:TagSession]
              Condition: {StringEquals: {"sts:ExternalId": cluster-1}}
        policies:
          - Version: "2012-10-17"
            Statement: {Effect: Allow, Action: ["ecr:Describe*", "ecr:CreateRepository"], Resource: "*"}
    registries:
      eu-central-1:
        repositories:
          web:
            images: [{tags: ["1.0"]}]
            policy:
              Version: "2012-10-17"
              Statement: {Effect: Allow, Principal: {AWS: "222222222222"}, Action: "ecr:BatchGetImage"}
"#;

async fn assume(sts: &aws_sdk_sts::Client, external_id: &str) -> Result<Credentials, String> {
    let assumed = sts
        .assume_role()
        .role_arn("arn:aws:iam::333333333333:role/ecr-operator")
        .role_session_name("test")
        .external_id(external_id)
        .send()
        .await;
    if assumed.is_err() {
        return Err(refusal(assumed));
    }
    let given = assumed.unwrap().credentials.unwrap();
    let (key, token) = (given.access_key_id, given.session_token);
    Ok(Credentials::new(
        key,
        given.secret_access_key,
        Some(token),
        None,
        "test",
    ))
}

#[tokio::test]
async fn an_access_key_of_twelve_digits_is_that_account_and_any_other_is_the_default_one() {
    let emulator = start().await;
    for (key, account) in [
        (DEV, DEV),
        ("AKIAEXAMPLE", "123456789012"),
        ("test", "123456789012"),
    ] {
        let identity = sts(&emulator, plain(key))
            .get_caller_identity()
            .send()
            .await
            .unwrap();
        assert_eq!(identity.account(), Some(account));
        assert_eq!(
            identity.arn(),
            Some(format!("arn:aws:iam::{account}:root").as_str())
        );
    }
}

#[tokio::test]
async fn a_role_of_any_account_is_assumed_unless_a_seed_declares_its_roles() {
    let emulator = start().await;
    let role = assume(&sts(&emulator, plain(DEV)), "whatever")
        .await
        .unwrap();
    let identity = sts(&emulator, role.clone())
        .get_caller_identity()
        .send()
        .await
        .unwrap();
    assert_eq!(identity.account(), Some(PROD));
    expect!["arn:aws:sts::333333333333:assumed-role/ecr-operator/test"]
        .assert_eq(identity.arn().unwrap());
    ecr(&emulator, role, REGION)
        .create_repository()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    let prod = ecr(&emulator, plain(PROD), REGION);
    prod.describe_repositories()
        .repository_names("web")
        .send()
        .await
        .unwrap();
}

#[tokio::test]
async fn a_declared_trust_policy_decides() {
    let emulator = seeded(SEED).await;
    assume(&sts(&emulator, plain(DEV)), "cluster-1")
        .await
        .unwrap();
    let expected = "AccessDenied: User: arn:aws:iam::111111111111:root is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::333333333333:role/ecr-operator";
    assert_eq!(
        assume(&sts(&emulator, plain(DEV)), "guess")
            .await
            .unwrap_err(),
        expected
    );
    assert!(
        assume(&sts(&emulator, plain("222222222222")), "cluster-1")
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_declared_role_may_do_what_its_policies_allow() {
    let emulator = seeded(SEED).await;
    let role = assume(&sts(&emulator, plain(DEV)), "cluster-1")
        .await
        .unwrap();
    let prod = ecr(&emulator, role, REGION);
    prod.describe_repositories().send().await.unwrap();
    expect!["AccessDeniedException: User: arn:aws:sts::333333333333:assumed-role/ecr-operator/test is not authorized to perform: ecr:DeleteRepository on resource: arn:aws:ecr:eu-central-1:333333333333:repository/web because no identity-based policy allows the ecr:DeleteRepository action"]
        .assert_eq(&refusal(prod.delete_repository().repository_name("web").send().await));
}

#[tokio::test]
async fn another_account_needs_a_policy_of_the_repository() {
    let emulator = seeded(SEED).await;
    let get = |account: &str| {
        let id = aws_sdk_ecr::types::ImageIdentifier::builder()
            .image_tag("1.0")
            .build();
        ecr(&emulator, plain(account), REGION)
            .batch_get_image()
            .registry_id(PROD)
            .repository_name("web")
            .image_ids(id)
            .send()
    };
    assert_eq!(get("222222222222").await.unwrap().images().len(), 1);
    assert!(
        refusal(get(DEV).await)
            .contains("no resource-based policy allows the ecr:BatchGetImage action")
    );
}

#[tokio::test]
async fn made_up_expired_and_missing_credentials_are_refused() {
    let emulator = start().await;
    let made_up = Credentials::new("ASIAEXAMPLE", "secret", Some("token".into()), None, "test");
    let error = refusal(
        ecr(&emulator, made_up.clone(), REGION)
            .describe_repositories()
            .send()
            .await,
    );
    assert!(error.starts_with("UnrecognizedClientException"), "{error}");
    let error = refusal(sts(&emulator, made_up).get_caller_identity().send().await);
    assert!(error.starts_with("InvalidClientTokenId"), "{error}");

    let role = assume(&sts(&emulator, plain(DEV)), "whatever")
        .await
        .unwrap();
    emulator
        .clock()
        .advance(jiff::SignedDuration::from_hours(2));
    let error = refusal(
        ecr(&emulator, role, REGION)
            .describe_repositories()
            .send()
            .await,
    );
    assert!(error.starts_with("ExpiredTokenException"), "{error}");
}

#[tokio::test]
async fn a_registry_policy_lets_another_account_list_repositories() {
    let emulator = seeded(SEED).await;
    let list = || {
        ecr(&emulator, plain(DEV), REGION)
            .describe_repositories()
            .registry_id(PROD)
            .send()
    };
    assert!(refusal(list().await).starts_with("AccessDeniedException"));
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"AWS": "111111111111"}, "Action": "ecr:DescribeRepositories",
        "Resource": "arn:aws:ecr:eu-central-1:333333333333:repository/*"}]}"#;
    let prod = ecr(&emulator, plain(PROD), REGION);
    prod.put_registry_policy()
        .policy_text(policy)
        .send()
        .await
        .unwrap();
    assert_eq!(list().await.unwrap().repositories().len(), 1);
}

#[tokio::test]
async fn a_principal_that_is_gone_is_told_by_its_unique_id() {
    let emulator = seeded(SEED).await;
    let prod = ecr(&emulator, plain(PROD), REGION);
    let policy = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "ecr:*",
        "Principal": {"AWS": "arn:aws:iam::333333333333:role/ecr-operator"}}]}"#;
    let set = || {
        prod.set_repository_policy()
            .repository_name("web")
            .policy_text(policy)
            .send()
    };
    set().await.unwrap();
    let without = "accounts: {\"333333333333\": {roles: {}}}";
    emulator
        .plant(&ecr_operator::emulator::Seed::parse(without).unwrap())
        .unwrap();
    let got = prod
        .get_repository_policy()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    assert!(got.policy_text().unwrap().contains("\"AWS\" : \"AROA"));
    assert!(refusal(set().await).contains("Principal not found"));
}

#[tokio::test]
async fn pulls_by_an_excluded_role_are_not_recorded() {
    let emulator = seeded(&SEED.replace("ecr:CreateRepository", "ecr:BatchGetImage")).await;
    let role = assume(&sts(&emulator, plain(DEV)), "cluster-1")
        .await
        .unwrap();
    let prod = ecr(&emulator, plain(PROD), REGION);
    prod.register_pull_time_update_exclusion()
        .principal_arn("arn:aws:iam::333333333333:role/ecr-operator")
        .send()
        .await
        .unwrap();
    for (credentials, recorded) in [(role, false), (plain(PROD), true)] {
        let id = aws_sdk_ecr::types::ImageIdentifier::builder()
            .image_tag("1.0")
            .build();
        let got = ecr(&emulator, credentials, REGION)
            .batch_get_image()
            .repository_name("web")
            .image_ids(id)
            .send();
        assert_eq!(got.await.unwrap().images().len(), 1);
        let told = prod.describe_images().repository_name("web").send().await;
        let pulled = told.unwrap().image_details()[0].last_recorded_pull_time;
        assert_eq!(pulled.is_some(), recorded);
    }
}
