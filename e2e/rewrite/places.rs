//! Where an image goes to depends on where it is said: for which environment, namespace and service.

use std::fs;
use std::process::Command;

use expect_test::expect;
use serde_json::json;

use super::{PROD, RULES, Tree, findings};

#[test]
fn what_admission_policies_do_not_select_is_left() {
    let tree = Tree::new(&[("shop.yaml", PROD), ("Dockerfile", "FROM redis:7.4\n")]);
    let policy = "---\napiVersion: ecr-operator.dev/v1alpha1\nkind: ImageAdmissionPolicy\nmetadata: {name: data}\nspec: {environment: prod, namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: data}}}\n";
    fs::write(tree.rules(), format!("{RULES}{policy}")).unwrap();
    let findings = findings(&tree.rewrite(&["-e", "prod", "--output-format", "json"]));
    let reasons: Vec<_> = findings.iter().map(|it| &it["reason"]).collect();
    assert_eq!(
        reasons,
        ["PullThrough", "NotSelected", "NotSelected", "NoRule"]
    );
}

#[test]
fn what_several_environments_read_is_left_and_never_guessed() {
    let tree = Tree::new(&[("base/shop.yaml", PROD)]);
    tree.check(&[], &expect![[r#"
        exit 0

        left [NoRule] no PullThroughRule caches its registry and no ImageRepository migrates from its name
          base/shop.yaml:13  ghcr.io/acme/proxy:2

        left [NeedsEnvironment] several environments read this file: override the image in each overlay, or in values of each environment
          base/shop.yaml:10  registry.old.example/shop/checkout:1.42.0
          base/shop.yaml:11  redis:7.4

                                files  rewritten    in step       left
        Kubernetes                  1          0          0          3
        Total                       1          0          0          3

        1 files looked at in. There is nothing to rewrite.
    "#]]);
}

#[test]
fn the_folder_says_itself_who_reads_what() {
    let map = "environments:\n- {path: base/, environment: dev}\n- {namespace: shop, environment: prod}\n";
    let tree = Tree::new(&[(".ecr-operator.yaml", map), ("base/shop.yaml", PROD)]);
    let findings = findings(&tree.rewrite(&["--output-format", "json"]));
    let environments: Vec<_> = findings.iter().map(|it| &it["environment"]).collect();
    assert_eq!(
        environments,
        [&json!("prod"); 3],
        "the last that fits decides"
    );
}

#[test]
fn the_base_of_an_override_keeps_the_name_that_it_is_found_by() {
    let overlay = "resources: [../../base]\nimages:\n- name: registry.old.example/shop/checkout\n  newTag: \"1.43.0\"\n";
    let tree = Tree::new(&[
        ("base/shop.yaml", PROD),
        ("envs/prod/kustomization.yaml", overlay),
    ]);
    assert_eq!(
        tree.rewrite(&["-e", "prod", "--write"]).status.code(),
        Some(0)
    );
    assert!(
        tree.text("base/shop.yaml")
            .contains("\"registry.old.example/shop/checkout:1.42.0\"")
    );
    let host = "333333333333.dkr.ecr.eu-central-1.amazonaws.com";
    let overlay = tree.text("envs/prod/kustomization.yaml");
    assert!(
        overlay.contains(&format!("newName: {host}/shop/checkout")),
        "{overlay}"
    );
    assert!(
        overlay.contains("- name: registry.old.example/shop/checkout"),
        "{overlay}"
    );
}

#[test]
fn a_folder_of_a_repository_is_told_as_the_repository_would_be() {
    let map = "environments: [{path: /base/, environment: prod}]\n";
    let overlay = "resources: [../base]\nimages: [{name: redis, newTag: '8'}]\n";
    let tree = Tree::new(&[
        (".ecr-operator.yaml", map),
        ("base/shop.yaml", PROD),
        ("dev/kustomization.yaml", overlay),
    ]);
    let told = |path: &str| {
        let output = tree.rewrite_at(&tree.path().join(path), &["--output-format", "json"]);
        let findings = findings(&output).into_iter();
        let base = findings.filter(|it| it["path"] == "base/shop.yaml");
        base.collect::<Vec<_>>()
    };
    let all = told("");
    let reasons: Vec<_> = all.iter().map(|it| &it["reason"]).collect();
    assert_eq!(reasons, ["OwnRepository", "Overridden", "NoRule"]);
    assert_eq!(told("base"), all);
    assert_eq!(told("base/shop.yaml"), all);
    let dev = tree.rewrite_at(&tree.path().join("dev"), &["--output-format", "json"]);
    assert_eq!(findings(&dev)[0]["path"], "dev/kustomization.yaml");
}

#[test]
fn what_git_has_is_looked_at_though_it_is_ignored() {
    let tree = Tree::new(&[(".gitignore", "base\n"), ("base/shop.yaml", PROD)]);
    let looked_at = || findings(&tree.rewrite(&["-e", "prod", "--output-format", "json"])).len();
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        let ran = git.args(arguments).current_dir(tree.path()).output();
        assert!(ran.unwrap().status.success(), "git {arguments:?}");
    };
    git(&["init", "-q"]);
    assert_eq!(looked_at(), 0);
    git(&["add", "--force", "base"]);
    assert_eq!(looked_at(), 3);
}

#[test]
fn a_chart_that_may_say_its_registry_itself_is_left() {
    let values = "image:\n  repository: redis\n  tag: \"7.4\"\n";
    let tree = Tree::new(&[("values.yaml", values)]);
    let findings = findings(&tree.rewrite(&["-e", "prod", "--output-format", "json"]));
    assert_eq!(findings[0]["reason"], "RegistryElsewhere");
}

#[test]
fn a_wrong_environment_is_an_error_that_names_it() {
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    tree.check(
        &["-e", "production"],
        &expect![[r#"
        exit 1
        error: there is no EnvironmentAccount production: correct the name, or add it to the rules
    "#]],
    );
}

#[test]
fn one_service_is_moved_alone() {
    let tree = Tree::new(&[("shop.yaml", PROD)]);
    let findings = findings(&tree.rewrite(&[
        "-e",
        "prod",
        "--service",
        "shop/checkout",
        "--output-format",
        "json",
    ]));
    let images: Vec<_> = findings.iter().map(|it| &it["image"]).collect();
    assert_eq!(images, ["registry.old.example/shop/checkout:1.42.0"]);
}

#[test]
fn a_base_that_another_build_names_otherwise_moves_with_its_registry_alone() {
    let dockerfile = "ARG NAME=checkout\nARG TAG=1.42.0\nARG BASE=redis\n\
                      FROM registry.old.example/shop/${NAME}:1.42.0\n\
                      FROM registry.old.example/shop/checkout:${TAG}\n\
                      FROM docker.io/library/${BASE}:7.4\n";
    let tree = Tree::new(&[("Dockerfile", dockerfile)]);
    let findings = findings(&tree.rewrite(&["-e", "prod", "--write", "--output-format", "json"]));
    let reasons: Vec<_> = findings.iter().map(|it| &it["reason"]).collect();
    assert_eq!(reasons, ["Variable", "OwnRepository", "PullThrough"]);
    let host = "333333333333.dkr.ecr.eu-central-1.amazonaws.com";
    let expected = dockerfile
        .replace(
            "registry.old.example/shop/checkout:",
            &format!("{host}/shop/checkout:"),
        )
        .replace(
            "docker.io/library/$",
            &format!("{host}/docker-hub/library/$"),
        );
    assert_eq!(tree.text("Dockerfile"), expected);
}
