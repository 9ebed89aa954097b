//! `ecr-operator explain` as people and scripts run it, with rules from files.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Output, Stdio};

const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/explain/rules.yaml");

fn explain() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ecr-operator"));
    command
        .arg("explain")
        .env("KUBECONFIG", "/nowhere")
        .env_remove("KUBERNETES_SERVICE_HOST");
    command
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (
        output.status.code(),
        text(&output.stdout),
        text(&output.stderr),
    )
}

#[test]
fn rules_of_files_decide_by_claims_caches_and_exclusions() {
    let images = [
        "nginx:1.27",
        "registry.old.example/shop/checkout:1.42.0",
        "quay.io/argoproj/argocd:v3.1.0",
        "quay.io/prometheus/node-exporter:v1.8.2",
        "quay.io.evil.example/argoproj/argocd:v3.1.0",
        "602401143452.dkr.ecr.us-west-2.amazonaws.com/eks/coredns:v1",
        "Not/A/Reference",
    ];
    let output = explain()
        .args(["--rules", RULES, "--output", "json"])
        .args(images)
        .output()
        .unwrap();
    let (code, answers, warnings) = text(&output);
    assert_eq!((code, warnings.as_str()), (Some(0), ""));
    let told: Vec<String> = answers
        .lines()
        .map(|it| {
            let answer: serde_json::Value = serde_json::from_str(it).unwrap();
            let field = |name: &str| answer[name].as_str().unwrap().to_owned();
            let target = field("target").replace("333333333333.dkr.ecr.eu-central-1.", "");
            format!("{} {target}", field("reason"))
        })
        .collect();
    assert_eq!(
        told,
        [
            "PullThrough amazonaws.com/docker-hub/library/nginx:1.27",
            "OwnRepository amazonaws.com/shop/checkout:1.42.0",
            "PullThrough amazonaws.com/quay/argoproj/argocd:v3.1.0",
            "Excluded ",
            "NoRule ",
            "AlreadyEcr ",
            " ",
        ]
    );
}

#[test]
fn without_rules_references_are_read_and_without_a_cluster_the_error_says_what_to_do() {
    let empty = tempfile::tempdir().unwrap();
    let output = explain()
        .arg("--rules")
        .arg(empty.path())
        .args(["-o", "json", "nginx"])
        .output()
        .unwrap();
    let (code, answers, _) = text(&output);
    assert_eq!(code, Some(0));
    assert!(
        answers.contains(r#""repository":"library/nginx""#),
        "{answers}"
    );
    assert!(answers.contains(r#""decision":"keep""#), "{answers}");
    let (code, answers, errors) = text(&explain().arg("nginx").output().unwrap());
    assert_eq!((code, answers.as_str()), (Some(1), ""));
    assert!(errors.contains("--rules"), "{errors}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let mut child = explain()
        .args(["--rules", RULES, "-o", "json", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdin.write_all(b"nginx\n").unwrap();
    let mut answer = String::new();
    stdout.read_line(&mut answer).unwrap();
    assert!(answer.contains("docker-hub/library/nginx"), "{answer}");
    drop(stdout);
    stdin.write_all(b"nginx\n").unwrap();
    drop(stdin);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
