//! State that outlives the process, and identities beyond access keys.

use aws_sdk_sts::error::ProvideErrorMetadata as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ecr_operator::emulator::{Emulator, Options};

use super::{DEV, REGION, ecr, http, own, plain, seeded, sts};

#[tokio::test]
async fn what_was_there_is_there_again_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("state.json");
    let options = || Options {
        state: Some(file.clone()),
        ..Options::default()
    };
    let emulator = Emulator::start(options()).await.unwrap();
    let dev = ecr(&emulator, plain(DEV), REGION);
    dev.create_repository()
        .repository_name("web")
        .send()
        .await
        .unwrap();
    emulator.shutdown().await.unwrap();
    let emulator = Emulator::start(options()).await.unwrap();
    let dev = ecr(&emulator, plain(DEV), REGION);
    dev.describe_repositories()
        .repository_names("web")
        .send()
        .await
        .unwrap();
    let told = own(&emulator, "GET", "/state", "").await;
    assert!(told["registries"]["111111111111/eu-central-1"]["repositories"]["web"].is_object());
}

#[tokio::test]
async fn a_service_accounts_token_is_a_role_where_its_trust_policy_says_so() {
    let emulator = seeded(
        r#"
accounts:
  "111111111111":
    roles:
      operator:
        trust:
          Version: "2012-10-17"
          Statement:
            Effect: Allow
            Principal: {Federated: "arn:aws:iam::111111111111:oidc-provider/oidc.example"}
            Action: sts:AssumeRoleWithWebIdentity
            Condition: {StringEquals: {"oidc.example:sub": "system:serviceaccount:ops:operator"}}
"#,
    )
    .await;
    let assume = |subject: &str| {
        let claims =
            format!(r#"{{"iss": "https://oidc.example", "sub": "{subject}", "aud": "sts"}}"#);
        sts(&emulator, plain("unused"))
            .assume_role_with_web_identity()
            .role_arn("arn:aws:iam::111111111111:role/operator")
            .role_session_name("test")
            .web_identity_token(format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims)))
            .send()
    };
    let given = assume("system:serviceaccount:ops:operator").await.unwrap();
    assert!(
        given
            .credentials()
            .unwrap()
            .access_key_id()
            .starts_with("ASIA")
    );
    let refused = assume("system:serviceaccount:other:pod").await.unwrap_err();
    assert_eq!(refused.code(), Some("AccessDenied"));
}

#[tokio::test]
async fn a_preflight_is_told_what_a_declared_role_may_do() {
    let emulator = seeded(
        r#"
accounts:
  "111111111111":
    roles:
      reader:
        trust: {}
        policies:
          - Statement: {Effect: Allow, Action: "ecr:Describe*", Resource: "*"}
"#,
    )
    .await;
    let credential =
        format!("AWS4-HMAC-SHA256 Credential={DEV}/20260101/us-east-1/iam/aws4_request");
    let form = b"Action=SimulatePrincipalPolicy&Version=2010-05-08\
        &PolicySourceArn=arn%3Aaws%3Aiam%3A%3A111111111111%3Arole%2Freader\
        &ActionNames.member.1=ecr%3ADescribeImages&ActionNames.member.2=ecr%3APutImage";
    let told = http(&emulator, "POST /", &[("authorization", &credential)], form)
        .await
        .text();
    let decisions: Vec<&str> = told
        .split("<EvalDecision>")
        .skip(1)
        .map(|it| it.split('<').next().unwrap())
        .collect();
    assert_eq!(decisions, ["allowed", "implicitDeny"]);
}

#[tokio::test]
async fn the_documented_seed_can_be_planted() {
    let page = include_str!("../../docs/emulator.md");
    let section = page
        .split("## Seeds")
        .nth(1)
        .unwrap()
        .split("\n## ")
        .next()
        .unwrap();
    let lines = section.lines().filter_map(|it| it.strip_prefix("    "));
    let emulator = seeded(&lines.collect::<Vec<_>>().join("\n")).await;
    let dev = ecr(&emulator, plain(DEV), REGION);
    let listed = dev
        .describe_images()
        .repository_name("payments/api")
        .send()
        .await
        .unwrap();
    assert_eq!(listed.image_details()[0].image_tags(), ["1.0", "stable"]);
    let rules = dev
        .describe_pull_through_cache_rules()
        .send()
        .await
        .unwrap();
    assert_eq!(rules.pull_through_cache_rules().len(), 1);
}
