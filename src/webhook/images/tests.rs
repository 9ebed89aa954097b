use expect_test::expect;
use k8s_openapi::api::core::v1::Pod as Schema;
use serde_json::{Value, json};

use crate::webhook::wire::Pod;

/// Strings of a pod that are called `image` or `reference` and name no image to pull.
const OTHERS: [&str; 4] = [
    // A block device in a Ceph cluster.
    "spec.volumes[].rbd.image",
    // What the kubelet reports; nobody pulls by it.
    "status.containerStatuses[].image",
    "status.ephemeralContainerStatuses[].image",
    "status.initContainerStatuses[].image",
];

/// The paths of all strings in a pod that are called `image` or `reference`, `[]` for any item.
fn image_paths() -> Vec<String> {
    let schema = schemars::schema_for!(Schema).to_value();
    let mut paths = Vec::new();
    walk(&schema, &schema, String::new(), &mut paths);
    for other in OTHERS {
        assert!(
            paths.iter().any(|it| it == other),
            "{other} is no path of the schema"
        );
    }
    paths.retain(|it| !OTHERS.contains(&it.as_str()));
    paths.sort();
    paths
}

fn walk(root: &Value, schema: &Value, path: String, paths: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).unwrap();
        return walk(root, target, path, paths);
    }
    for of in ["anyOf", "allOf", "oneOf"] {
        for schema in schema[of].as_array().into_iter().flatten() {
            walk(root, schema, path.clone(), paths);
        }
    }
    if let Some(items) = schema.get("items") {
        walk(root, items, format!("{path}[]"), paths);
    }
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        let text = property["type"].to_string().contains("\"string\"");
        if text && matches!(name.as_str(), "image" | "reference") {
            paths.push(path);
        } else {
            walk(root, property, path, paths);
        }
    }
}

/// A pod in which `value` stands at `path`, as the second item of every list.
fn pod_with(path: &str, value: Value) -> Value {
    path.rsplit('.')
        .fold(value, |value, name| match name.strip_suffix("[]") {
            Some(list) => json!({ list: [{}, value] }),
            None => json!({ name: value }),
        })
}

#[test]
fn every_image_that_a_pod_of_the_schema_can_name_is_visited() {
    let paths = image_paths();
    for path in &paths {
        let pod = pod_with(path, json!("registry.example/app:1")).to_string();
        let pod: Pod<'_> = serde_json::from_str(&pod).unwrap();
        let images: Vec<_> = pod.images().collect();
        assert_eq!(images.len(), 1, "{path}");
        assert_eq!(images[0].reference, "registry.example/app:1");
        let pointer = path.replace("[]", ".1").replace('.', "/");
        assert_eq!(images[0].field.pointer(), format!("/{pointer}"));
    }
    expect![[r#"
        spec.containers[].image
        spec.ephemeralContainers[].image
        spec.initContainers[].image
        spec.volumes[].image.reference"#]]
    .assert_eq(&paths.join("\n"));
}

#[test]
fn an_image_knows_its_place_and_pull_policy() {
    let pod = json!({"spec": {
        "containers": [{"name": "app", "image": "a"}, {"name": "no-image"}],
        "initContainers": [{"name": "wait", "image": "b", "imagePullPolicy": "Never"}],
        "volumes": [{"name": "scratch", "emptyDir": {}},
            {"name": "model", "image": {"reference": "c", "pullPolicy": "Always"}}],
        "ephemeralContainers": null,
    }});
    let pod = pod.to_string();
    let pod: Pod<'_> = serde_json::from_str(&pod).unwrap();
    let lines: Vec<String> = pod
        .images()
        .map(|it| format!("{} {} {:?}", it.field, it.reference, it.pull_policy))
        .collect();
    expect![[r#"
        volumes[model] c Some("Always")
        initContainers[wait] b Some("Never")
        containers[app] a None"#]]
    .assert_eq(&lines.join("\n"));
}
