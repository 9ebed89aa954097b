//! `ecr-operator import`, against an emulated account: what it writes down, and that `plan` of it
//! shows owner tags and nothing else.

use std::path::Path;
use std::process::Output;

use ecr_operator::emulator::{Emulator, Entry};
use expect_test::{ExpectFile, expect_file};
use serde_json::Value;
use tokio::process::Command;

use crate::emulator::seeded;

mod registry;

const AWS: &str = include_str!("aws.yaml");
const OBJECTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/import/objects.yaml");

async fn run(aws: &Emulator, command: &str, files: &[&Path], args: &[&str]) -> Output {
    let files = files.iter().flat_map(|it| ["-f".as_ref(), it.as_os_str()]);
    Command::new(env!("CARGO_BIN_EXE_ecr-operator"))
        .args([command, "--cluster-id=east"])
        .arg(format!("--endpoint-url={}", aws.url()))
        .args(files)
        .args(args)
        .env("AWS_ACCESS_KEY_ID", "999999999999")
        .env("AWS_SECRET_ACCESS_KEY", "emulated")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("KUBECONFIG", "/nowhere")
        .env_remove("KUBERNETES_SERVICE_HOST")
        .env_remove("AWS_SESSION_TOKEN")
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs `import` of an environment; gives the manifests and what was said beside them.
async fn import(aws: &Emulator, files: &[&Path], args: &[&str]) -> (String, String) {
    let output = run(aws, "import", files, args).await;
    let (manifests, said) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{said}");
    (manifests, said)
}

/// Checks what a plan of these files would write, call by call, and what it would not do.
async fn check_plan(aws: &Emulator, files: &[&Path], expected: &ExpectFile) {
    let output = run(aws, "plan", files, &["-o", "json"]).await;
    let mut told = String::new();
    for line in text(&output.stdout).lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["type"] != "target" || line["outcome"] == "InStep" {
            continue;
        }
        let word = |field: &str| line[field].as_str().unwrap().to_owned();
        let list = |field: &str, of: &str| -> Vec<String> {
            let items = line[field].as_array().unwrap().iter();
            items
                .map(|it| it[of].as_str().unwrap().to_owned())
                .collect()
        };
        told += &format!(
            "{} {} {} {:?} {} {:?}\n",
            word("environment"),
            word("object"),
            word("outcome"),
            list("differences", "field"),
            line["calls"],
            list("refused", "reason"),
        );
    }
    expected.assert_eq(&told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_what_is_imported_shows_owner_tags_and_nothing_else() {
    let aws = seeded(AWS).await;
    let folder = tempfile::tempdir().unwrap();
    let (dev, prod) = (
        folder.path().join("dev.yaml"),
        folder.path().join("prod.yaml"),
    );
    let objects = Path::new(OBJECTS);
    let (manifests, said) = import(&aws, &[objects], &["--environment=dev"]).await;
    expect_file!["dev.yaml"].assert_eq(&manifests);
    expect_file!["dev.said"].assert_eq(&said);
    std::fs::write(&dev, manifests).unwrap();
    check_plan(&aws, &[objects, &dev], &expect_file!["dev.plan"]).await;

    // The next environment is added to the objects that are there now.
    let (manifests, said) = import(&aws, &[objects, &dev], &["--environment=prod"]).await;
    expect_file!["prod.yaml"].assert_eq(&manifests);
    expect_file!["prod.said"].assert_eq(&said);
    std::fs::write(&prod, manifests).unwrap();
    check_plan(&aws, &[objects, &dev, &prod], &expect_file!["prod.plan"]).await;

    let again = import(&aws, &[objects, &dev], &["--environment=dev"]).await;
    assert!(!again.0.contains("kind:"), "{}", again.0);
    let written = aws.journal().entries().into_iter().find(Entry::is_write);
    assert_eq!(written, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_can_be_put_into_one_namespace_and_only_be_observed() {
    let aws = seeded(AWS).await;
    let args = [
        "--environment=prod",
        "--namespace=shop",
        "--management-policy=observe",
    ];
    let (manifests, _) = import(&aws, &[Path::new(OBJECTS)], &args).await;
    let namespaces: Vec<&str> = manifests
        .lines()
        .filter(|it| it.starts_with("  namespace"))
        .collect();
    assert_eq!(namespaces, ["  namespace: shop"; 2]);
    assert_eq!(manifests.matches("managementPolicy: Observe").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_imported_is_an_error_that_says_what_to_do() {
    let aws = seeded(AWS).await;
    for (args, said) in [
        (
            &["--environment=lab"][..],
            "there is no EnvironmentAccount lab",
        ),
        (
            &["--environment=dev", "--region=eu-west-1"],
            "make an EnvironmentAccount whose home",
        ),
    ] {
        let output = run(&aws, "import", &[Path::new(OBJECTS)], args).await;
        assert_eq!(output.status.code(), Some(1));
        assert!(
            text(&output.stderr).contains(said),
            "{}",
            text(&output.stderr)
        );
    }
    assert!(aws.journal().entries().is_empty());
}
