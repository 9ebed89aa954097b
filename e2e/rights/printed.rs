//! The roles that `ecr-operator iam` prints, held to what was reviewed.

use std::process::Command;

use expect_test::expect_file;
use serde_json::{Value, json};

#[test]
fn policies_are_printed_for_what_each_environment_uses() {
    let objects = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/plan/objects.yaml");
    let print = |format: &str| {
        let output = Command::new(env!("CARGO_BIN_EXE_ecr-operator"))
            .args([
                "iam",
                "--cluster-id=east",
                "-f",
                objects,
                "--environment=dev",
            ])
            .args([
                "--hub-role=arn:aws:iam::999999999999:role/ecr-operator-hub",
                "-o",
                format,
            ])
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap()
    };
    expect_file!["roles.json"].assert_eq(&print("json"));
    expect_file!["template.json"].assert_eq(&print("cloudformation"));
    expect_file!["roles.tf"].assert_eq(&print("terraform"));
}

#[test]
fn pods_that_serve_get_a_role_that_lists() {
    let output = Command::new(env!("CARGO_BIN_EXE_ecr-operator"))
        .args(["iam", "--cluster-id=east", "--account=333333333333"])
        .args([
            "--hub-role=arn:aws:iam::999999999999:role/ecr-operator-hub",
            "--webhook-hub-role=arn:aws:iam::999999999999:role/ecr-operator-webhook-hub",
        ])
        .output()
        .unwrap();
    let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let of = |it: &Value| json!({"hub": it["hub"], "webhookHub": it["webhookHub"], "read": it["targets"][1]});
    let pretty = serde_json::to_string_pretty(&of(&printed)).unwrap() + "\n";
    expect_file!["listing.json"].assert_eq(&pretty);
    let trusted = &printed["targets"][0]["trustPolicy"]["Statement"][0]["Principal"]["AWS"];
    assert_eq!(trusted, "arn:aws:iam::999999999999:role/ecr-operator-hub");
}
