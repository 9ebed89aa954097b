//! What an account's caches and registries have: creation templates with their rules, and with
//! `--registry-settings` what a registry has only one of.

use std::path::Path;

use ecr_operator::emulator::Entry;
use expect_test::expect_file;

use super::{check_plan, import};
use crate::emulator::seeded;

const AWS: &str = include_str!("registry/aws.yaml");
const OBJECTS: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/e2e/import/registry/objects.yaml"
);

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_of_imported_templates_and_settings_shows_no_change_to_any() {
    let aws = seeded(AWS).await;
    let folder = tempfile::tempdir().unwrap();
    let (objects, imported) = (Path::new(OBJECTS), folder.path().join("dev.yaml"));
    let args = ["--environment=dev", "--registry-settings"];
    let (manifests, said) = import(&aws, &[objects], &args).await;
    expect_file!["registry/dev.yaml"].assert_eq(&manifests);
    expect_file!["registry/dev.said"].assert_eq(&said);
    std::fs::write(&imported, manifests).unwrap();
    check_plan(
        &aws,
        &[objects, &imported],
        &expect_file!["registry/dev.plan"],
    )
    .await;

    // All of it is said now.
    let (again, _) = import(&aws, &[objects, &imported], &args).await;
    assert!(!again.contains("kind:"), "{again}");
    let written = aws.journal().entries().into_iter().find(Entry::is_write);
    assert_eq!(written, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_has_one_of_is_neither_read_nor_written_unasked() {
    let aws = seeded(AWS).await;
    let objects = Path::new(OBJECTS);
    let (manifests, _) = import(&aws, &[objects], &["--environment=dev"]).await;
    assert!(!manifests.contains("EnvironmentAccount"), "{manifests}");
    assert!(manifests.contains("repositoryTemplate:"), "{manifests}");
    let read = |it: &Entry| it.operation == "GetRegistryPolicy";
    assert!(!aws.journal().entries().iter().any(read));
}
