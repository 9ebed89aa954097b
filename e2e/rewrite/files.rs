//! Files that nobody wrote by hand: sparse ones, pipes and sockets. None of them is read to its end.

use std::fs::{self, File};
use std::os::unix::net::UnixListener;
use std::process::{Command, Output};

use serde_json::{Value, json};

use super::{PROD, Tree, findings};

/// What a sparse file claims and no disk has.
const TERABYTE: u64 = 1 << 40;

/// Path and reason of each finding.
fn reasons(output: &Output) -> Vec<(Value, Value)> {
    let findings = findings(output).into_iter();
    findings
        .map(|it| (it["path"].clone(), it["reason"].clone()))
        .collect()
}

fn shop() -> [(Value, Value); 3] {
    ["OwnRepository", "PullThrough", "NoRule"].map(|it| (json!("shop.yaml"), json!(it)))
}

fn sparse(tree: &Tree, name: &str) {
    let file = File::create(tree.path().join(name)).unwrap();
    file.set_len(TERABYTE).unwrap();
}

#[test]
fn sparse_file_is_passed_over_with_a_finding() {
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    for name in ["Dockerfile", "kustomization.yaml", "huge.yaml"] {
        sparse(&tree, name);
    }
    let output = tree.rewrite(&["-e", "prod", "--output-format", "json", "--write"]);
    let too_large = |it: &str| (json!(it), json!("TooLarge"));
    let large = ["Dockerfile", "huge.yaml", "kustomization.yaml"].map(too_large);
    assert_eq!(reasons(&output), [&large[..], &shop()[..]].concat());
    assert!(tree.text("shop.yaml").contains(".dkr.ecr."));
    let length = |it: &str| fs::metadata(tree.path().join(it)).unwrap().len();
    assert_eq!(length("huge.yaml"), TERABYTE);
}

#[test]
fn sparse_file_asked_for_alone_is_passed_over() {
    let tree = Tree::new(&[]);
    fs::create_dir(tree.path()).unwrap();
    sparse(&tree, "huge.yaml");
    let output = tree.rewrite_at(
        &tree.path().join("huge.yaml"),
        &["-e", "prod", "--output-format", "json"],
    );
    assert_eq!(reasons(&output), [(json!("huge.yaml"), json!("TooLarge"))]);
}

#[test]
fn sparse_settings_and_rules_are_errors() {
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    sparse(&tree, ".ecr-operator.yaml");
    let settings = tree.rewrite(&["-e", "prod"]);
    fs::remove_file(tree.path().join(".ecr-operator.yaml")).unwrap();
    let rules = File::options().write(true).open(tree.rules()).unwrap();
    rules.set_len(TERABYTE).unwrap();
    let rules = tree.rewrite(&["-e", "prod"]);
    for (output, name) in [(settings, ".ecr-operator.yaml"), (rules, "rules.yaml")] {
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{told}");
        assert!(told.contains(name) && told.contains("too large"), "{told}");
    }
}

#[test]
fn sparse_gitignore_is_not_read() {
    let tree = Tree::new(&[("shop.yaml", PROD), ("huge/shop.yaml", PROD)]);
    sparse(&tree, "huge/.gitignore");
    let output = tree.rewrite(&["-e", "prod", "--output-format", "json"]);
    assert_eq!(reasons(&output), shop());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("huge/.gitignore: it is too large"), "{told}");
    let inside = tree.rewrite_at(&tree.path().join("huge"), &["-e", "prod"]);
    let told = String::from_utf8(inside.stderr).unwrap();
    assert_eq!(inside.status.code(), Some(1), "{told}");
    assert!(told.contains("huge/.gitignore"), "{told}");
}

/// A test that waits for a pipe does not end.
#[test]
fn pipes_and_sockets_are_passed_over() {
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    let pipe = tree.path().join("pipe.yaml");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let _socket = UnixListener::bind(tree.path().join("socket.yaml")).unwrap();
    let output = tree.rewrite(&["-e", "prod", "--output-format", "json"]);
    assert_eq!(reasons(&output), shop());
    let alone = tree.rewrite_at(&pipe, &["-e", "prod"]);
    let told = String::from_utf8(alone.stderr).unwrap();
    assert_eq!(alone.status.code(), Some(1), "{told}");
    assert!(told.contains("pipe.yaml: not a regular file"), "{told}");
}
