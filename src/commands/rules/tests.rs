use super::*;

fn write(folder: &tempfile::TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn our_kinds_are_read_from_every_yaml_file_and_others_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    write(
        &folder,
        "a/rules.yml",
        "apiVersion: ecr-operator.dev/v1alpha1
kind: PullThroughRule
metadata: {name: quay}
spec: {upstreamRegistry: quay, environments: [prod]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: other}
---
---
apiVersion: v1
kind: List
items:
- apiVersion: ecr-operator.dev/v1alpha1
  kind: ImageRepository
  metadata: {name: api}
  spec: {environments: [prod]}
- apiVersion: v1
  kind: Namespace
  metadata: {name: shop, labels: {team: shop}}
",
    );
    write(
        &folder,
        "b.json",
        r#"{"apiVersion": "ecr-operator.dev/v1alpha1", "kind": "EnvironmentAccount",
            "metadata": {"name": "prod"}, "spec": {"accountId": "333333333333", "region": "eu-central-1"}}"#,
    );
    write(&folder, "README.md", "no: [yaml");
    write(
        &folder,
        "chart/templates/app.yaml",
        "{{- if .Values.on }}\nkind: Namespace\n{{- end }}",
    );
    let world = from_files(folder.path()).unwrap();
    assert_eq!(world.rules().count(), 1);
    assert_eq!(world.environments().count(), 1);
    let namespaces = world.repositories().map(|it| it.namespace());
    assert_eq!(Vec::from_iter(namespaces), [Some("default".to_owned())]);
    assert_eq!(world.labels("shop").unwrap()["team"], "shop");
    assert_eq!(world.labels("default").unwrap()[NAMESPACE_NAME], "default");
}

#[test]
fn a_file_that_cannot_be_read_as_rules_is_named_with_the_object() {
    for (text, expected) in [
        (
            "a: 1\n---\napiVersion: ecr-operator.dev/v1alpha1\nkind: [",
            "document 2 at line 2: error: line 4 column 7",
        ),
        (
            "apiVersion: ecr-operator.dev/v1alpha1\nkind: ImageRepository\nmetadata: {name: x}\n\
             spec: {environments: [dev], migrateFrom: [a/b]}",
            "ImageRepository x: there is no field spec.migrateFrom",
        ),
        (
            "apiVersion: ecr-operator.dev/v1alpha1\nkind: PullThroughRule\nmetadata: {name: x}\nspec: {}",
            "PullThroughRule x: missing field `upstreamRegistry`",
        ),
        (
            "apiVersion: ecr-operator.dev/v2\nkind: PullThroughRule",
            "PullThroughRule has version v2: this program knows v1alpha1",
        ),
        (
            "apiVersion: ecr-operator.dev/v1alpha1\nkind: Pullthroughrule",
            "ecr-operator.dev has no kind \"Pullthroughrule\"",
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(&folder, "rules.yaml", text);
        let error = format!("{:#}", from_files(folder.path()).unwrap_err());
        assert!(
            error.contains(expected) && error.contains("rules.yaml"),
            "{error}"
        );
    }
}

#[test]
fn one_file_alone_is_read_too_and_a_missing_one_is_told() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "any.txt", "apiVersion: v1\nkind: Secret");
    assert!(from_files(&folder.path().join("any.txt")).is_ok());
    let missing = folder.path().join("missing");
    let error = format!("{:#}", from_files(&missing).unwrap_err());
    assert!(error.contains("missing"), "{error}");
}
