use serde_json::{Value, json};

use super::*;
use crate::api::ORIGINAL_IMAGES;

fn pod(name: &str, image: &str) -> Value {
    json!({
        "metadata": {"namespace": "shop", "name": name, "resourceVersion": "7"},
        "spec": {"containers": [{"name": "app", "image": image}]},
    })
}

fn read(pod: Value) -> wire::Pod {
    serde_json::from_value(pod).unwrap()
}

/// What is known of pods, as `pod: references (id)`.
fn uses(pod: &Pod) -> Vec<String> {
    let line = |it: &crate::domain::usage::Image| {
        let id = it.id.as_deref().unwrap_or("not pulled");
        format!("{} ({id})", it.references.join(" was "))
    };
    pod.images.iter().map(line).collect()
}

#[test]
fn a_pod_is_cut_down_to_its_images_wherever_they_stand() {
    let whole = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "api-0", "namespace": "shop", "uid": "u", "resourceVersion": "7",
            "labels": {"app": "api"},
            "annotations": {
                "other": "x".repeat(1000),
                ORIGINAL_IMAGES: r#"{"containers[app]":"old/app:1","volumes[model]":"old/model:2"}"#,
            },
            "managedFields": [{"manager": "kubectl"}],
        },
        "spec": {
            "containers": [{"name": "app", "image": "new/app:1", "env": [{"name": "A", "value": "b"}]}],
            "initContainers": [{"name": "wait", "image": "busybox"}],
            "ephemeralContainers": [{"name": "look", "image": "debug:1"}],
            "volumes": [
                {"name": "model", "image": {"reference": "new/model:2"}},
                {"name": "cache", "emptyDir": {}},
            ],
        },
        "status": {
            "phase": "Running",
            "containerStatuses": [{"name": "app", "image": "new/app:1", "imageID": "new/app@sha256:1"}],
            "initContainerStatuses": [{"name": "wait", "image": "busybox", "imageID": ""}],
        },
    });
    let wire::Pod { pod, .. } = read(whole);
    assert_eq!(pod.name, "shop/api-0");
    assert_eq!(
        uses(&pod),
        [
            "new/model:2 was old/model:2 (not pulled)",
            "busybox (not pulled)",
            "new/app:1 was old/app:1 (new/app@sha256:1)",
            "debug:1 (not pulled)",
        ]
    );
}

#[test]
fn a_pod_with_a_note_that_is_no_map_still_uses_what_it_says() {
    let mut odd = pod("api-0", "app:1");
    odd["metadata"]["annotations"] = json!({ORIGINAL_IMAGES: "[no"});
    assert_eq!(uses(&read(odd).pod), ["app:1 (not pulled)"]);
}

#[test]
fn while_a_list_comes_in_what_was_known_stays() {
    let mut pods = Pods::default();
    pods.take(Event::Init);
    pods.take(Event::InitApply(read(pod("a", "app:1"))));
    assert_eq!(pods.due, None, "half a list tells nothing");
    pods.take(Event::InitDone);
    assert!(pods.due.is_some());
    pods.due = None;
    pods.take(Event::Init);
    pods.take(Event::InitApply(read(pod("b", "app:2"))));
    assert_eq!(pods.due, None);
    assert_eq!(pods.known.keys().collect::<Vec<_>>(), ["shop/a"]);
    pods.take(Event::InitDone);
    assert_eq!(pods.known.keys().collect::<Vec<_>>(), ["shop/b"]);
}

#[test]
fn only_a_change_of_images_is_told_and_many_are_told_once() {
    let mut pods = Pods::default();
    pods.take(Event::Apply(read(pod("a", "app:1"))));
    let due = pods.due;
    assert!(due.is_some());
    pods.take(Event::Apply(read(pod("b", "app:1"))));
    assert_eq!(pods.due, due, "told with the first");
    pods.due = None;
    let mut moved = pod("a", "app:1");
    moved["metadata"]["resourceVersion"] = json!("8");
    pods.take(Event::Apply(read(moved)));
    assert_eq!(pods.due, None, "nothing that it uses has changed");
    pods.take(Event::Delete(read(pod("a", "app:1"))));
    assert!(pods.due.is_some());
}
