//! Objects of a version of the definitions that is newer than the operator: one that it does not
//! understand is told about, and all the others go on.

use serde_json::json;

use super::scene::Scene;

/// Stores an object with a word that the operator does not know, before the operator starts: its
/// first list has it.
pub(super) async fn an_object_that_this_version_does_not_know(scene: &Scene) {
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/deletionPolicy\
                /enum/-";
    let newer = json!([{"op": "add", "path": path, "value": "Shred"}]).to_string();
    let definition = "crd imagerepositories.ecr-operator.dev";
    scene
        .kubectl("patch", definition, &["--type=json", "--patch", &newer])
        .await
        .unwrap();
    scene.namespace("newer").await;
    let spec = json!({"environments": ["stage"], "deletionPolicy": "Shred"});
    // The API server takes up a new definition a moment later than it answers.
    scene.repository_when_taken("newer/secret", &spec).await;
}

/// Sees that it was told about, while everybody else was served; and that it can be mended.
pub(super) async fn is_told_about_and_stops_nobody(scene: &Scene) {
    let event = scene.told("newer", "NotUnderstood").await;
    let note = event.note.unwrap();
    assert!(note.contains("Shred"), "{note}");
    scene
        .repository("newer/other", json!({"environments": ["stage"]}))
        .await;
    scene.ready("newer/other").await;
    scene
        .edit("newer/secret", json!({"deletionPolicy": "Retain"}))
        .await;
    scene.ready("newer/secret").await;
}
