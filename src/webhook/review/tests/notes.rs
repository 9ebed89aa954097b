//! The note of the originals: who writes it, and who is believed.

use super::*;
use crate::api::ORIGINAL_IMAGES;

#[test]
fn a_made_up_note_is_never_believed() {
    let note = |image: &str, original: &str| {
        let mut pod = app(image);
        let note = json!({"containers[app]": original, "containers[gone]": "nginx:1.27"});
        pod["metadata"]["annotations"] =
            json!({"ecr-operator.dev/original-images": note.to_string()});
        create(&pod)
    };
    // The image is rewritten now, from what really stood there.
    check(
        &rewriting(),
        &note("nginx:1.27", "evil.example/nginx:1.27"),
        &expect![[r#"
            replace /spec/containers/0/image ECR/docker-hub/library/nginx:1.27
            add /metadata/annotations/ecr-operator.dev~1original-images {"containers[app]":"nginx:1.27"}
            audit decisions: {"containers[app]":"nginx:1.27 rewritten to ECR/docker-hub/library/nginx:1.27 [PullThrough]"}
        "#]],
    );
    // It is not, and no rule of ours could have made it of what the note says.
    check(
        &rewriting(),
        &note(&format!("{ECR}/app:1"), "nginx:1.27"),
        &expect![[r#"
            remove /metadata/annotations/ecr-operator.dev~1original-images
            audit decisions: {"containers[app]":"ECR/app:1 kept [AlreadyEcr]"}
        "#]],
    );
    // Not even a note.
    let mut pod = app(&format!("{ECR}/app:1"));
    pod["metadata"]["annotations"] = json!({"ecr-operator.dev/original-images": "[1, 2"});
    check(
        &rewriting(),
        &create(&pod),
        &expect![[r#"
            remove /metadata/annotations/ecr-operator.dev~1original-images
            audit decisions: {"containers[app]":"ECR/app:1 kept [AlreadyEcr]"}
        "#]],
    );
}

#[test]
fn the_next_policy_leaves_rewritten_images_alone_and_keeps_the_first_original() {
    let rules = rules([policy("base", Mode::Rewrite), policy("prod", Mode::Rewrite)]);
    let first = create(&app("nginx:1.27"));
    let by_base = patched(
        &first,
        &answer(&rules, "base", first.to_string().as_bytes()),
    );
    check(
        &rules,
        &create(&by_base),
        &expect![[r#"
            audit decisions: {"containers[app]":"ECR/docker-hub/library/nginx:1.27 kept [AlreadyEcr]"}
        "#]],
    );

    // A sidecar comes in front between two calls: the places are named, not counted.
    let mut with_sidecar = by_base;
    let containers = with_sidecar["spec"]["containers"].as_array_mut().unwrap();
    containers.insert(0, json!({"name": "proxy", "image": "redis"}));
    check(
        &rules,
        &create(&with_sidecar),
        &expect![[r#"
            replace /spec/containers/0/image ECR/docker-hub/library/redis
            add /metadata/annotations/ecr-operator.dev~1original-images {"containers[app]":"nginx:1.27","containers[proxy]":"redis"}
            audit decisions: {"containers[app]":"ECR/docker-hub/library/nginx:1.27 kept [AlreadyEcr]","containers[proxy]":"redis rewritten to ECR/docker-hub/library/redis [PullThrough]"}
        "#]],
    );
}

#[test]
fn a_pod_without_annotations_or_metadata_gets_what_is_missing() {
    let mut pod = app("nginx:1.27");
    for metadata in [
        json!({"annotations": null}),
        json!({"annotations": {}}),
        json!({"annotations": {"a/b~c": "d"}}),
        json!({}),
        json!(null),
    ] {
        pod["metadata"] = metadata;
        let review = create(&pod);
        let answer = answer(&rewriting(), "prod", review.to_string().as_bytes());
        let note = &patched(&review, &answer)["metadata"]["annotations"][ORIGINAL_IMAGES];
        assert_eq!(
            note, r#"{"containers[app]":"nginx:1.27"}"#,
            "{}",
            pod["metadata"]
        );
    }
}

#[test]
fn a_note_that_would_make_the_api_server_refuse_the_pod_goes_to_the_audit_log() {
    let mut pod = app("nginx:1.27");
    pod["metadata"]["annotations"] = json!({"big": "x".repeat((256 << 10) - 60)});
    check(
        &rewriting(),
        &create(&pod),
        &expect![[r#"
            replace /spec/containers/0/image ECR/docker-hub/library/nginx:1.27
            warning: containers[app]: nginx:1.27 was rewritten to ECR/docker-hub/library/nginx:1.27 [PullThrough]
            audit decisions: {"containers[app]":"nginx:1.27 rewritten to ECR/docker-hub/library/nginx:1.27 [PullThrough]"}
            audit original-images: {"containers[app]":"nginx:1.27"}
        "#]],
    );
}
