//! `--verify`: nothing is changed to what is not there.

use std::fs;

use ecr_operator::commands::demo::hand::Hand;
use ecr_operator::emulator::{Emulator, Options};
use serde_json::json;

use super::{PROD, RULES, Tree};

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_changed_where_an_image_is_not_in_every_environment() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    let asked = |emulator: &Emulator| {
        let url = emulator.url();
        tree.rewrite(&[
            "-e",
            "prod",
            "--service",
            "shop/checkout",
            "--verify",
            "--write",
            "--endpoint-url",
            &url,
        ])
    };
    push(&emulator, ("333333333333", "eu-central-1"), "a").await;
    let refused = asked(&emulator);
    let told = String::from_utf8(refused.stderr).unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        told.contains("shop/checkout:1.42.0") && told.contains("dev ABSENT"),
        "{told}"
    );
    assert_eq!(tree.text("shop.yaml"), PROD);
    push(&emulator, ("111111111111", "eu-central-1"), "b").await;
    let told = String::from_utf8(asked(&emulator).stderr).unwrap();
    assert!(told.contains("DIFFERENT"), "{told}");
    assert_eq!(tree.text("shop.yaml"), PROD);
    push(&emulator, ("111111111111", "eu-central-1"), "a").await;
    let done = asked(&emulator);
    assert_eq!(
        done.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    assert!(
        tree.text("shop.yaml")
            .contains("333333333333.dkr.ecr.eu-central-1.amazonaws.com/shop/checkout:1.42.0")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_is_looked_for_in_the_region_of_the_policy_that_rewrites_it() {
    let emulator = Emulator::start(Options::default()).await.unwrap();
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    let region = "eu-west-1";
    let policies = format!(
        "---\n{POLICY}\nmetadata: {{name: a}}\nspec: {{environment: prod, exclude: [registry.old.example/shop/]}}\n\
         ---\n{POLICY}\nmetadata: {{name: b}}\nspec: {{environment: prod, region: {region}}}\n"
    );
    let home = "accountId: \"333333333333\"\n  region: eu-central-1\n";
    let rules = RULES.replace(home, &format!("{home}  replicaRegions: [{region}]\n"));
    fs::write(tree.rules(), rules + &policies).unwrap();
    let asked = || {
        let url = emulator.url();
        let service = ["--service", "shop/checkout", "--verify", "--write"];
        tree.rewrite(&[&["-e", "prod", "--endpoint-url", &url], &service[..]].concat())
    };
    push(&emulator, ("111111111111", "eu-central-1"), "a").await;
    push(&emulator, ("333333333333", "eu-central-1"), "a").await;
    let told = String::from_utf8(asked().stderr).unwrap();
    assert!(told.contains("prod/eu-west-1 ABSENT"), "{told}");
    assert_eq!(tree.text("shop.yaml"), PROD);
    push(&emulator, ("333333333333", region), "a").await;
    let told = String::from_utf8(asked().stderr).unwrap();
    assert!(told.contains("dev ok  prod/eu-west-1 ok"), "{told}");
    let moved = "333333333333.dkr.ecr.eu-west-1.amazonaws.com/shop/checkout:1.42.0";
    assert!(tree.text("shop.yaml").contains(moved));
}

const POLICY: &str = "apiVersion: ecr-operator.dev/v1alpha1\nkind: ImageAdmissionPolicy";

/// An image with a config of these digits, as shop/checkout:1.42.0.
async fn push(emulator: &Emulator, (account, region): (&str, &str), digit: &str) {
    let hand = Hand {
        emulator,
        account,
        region,
    };
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2,
                   "digest": format!("sha256:{}", digit.repeat(64))},
        "layers": [],
    });
    let named = json!({"repositoryName": "shop/checkout"});
    // It may be there from before.
    drop(hand.ecr("CreateRepository", &named).await);
    let image = json!({"repositoryName": "shop/checkout", "imageTag": "1.42.0",
                       "imageManifest": manifest.to_string()});
    hand.ecr("PutImage", &image).await.unwrap();
}
