use expect_test::expect;

use crate::manifest::tests::check;

#[test]
fn defaults_that_steps_name_are_images() {
    check(
        "task.yaml",
        r#"apiVersion: tekton.dev/v1
kind: Task
spec:
  params:
  - name: builder
    description: what builds, like quay.io/buildah/stable:v1
    default: quay.io/buildah/stable:v2 # pinned
  - {name: TOOL_IMAGE, default: "alpine:3"}
  - {name: image, default: ghcr.io/built/here:1}
  - {name: tag, default: v3}
  steps:
  - {name: build, image: $(params.builder), args: [$(params.image)]}
  - {name: again, image: '$(params.builder)'}
  - {name: tool, image: '$(params["TOOL_IMAGE"])'}
  - {name: composed, image: 'quay.io/a/b:$(params.tag)'}
"#,
        &expect![[r#"
            6: quay.io/buildah/stable:v1 [UnknownField]
            7: quay.io/buildah/stable:v2
            8: alpine:3
            9: ghcr.io/built/here:1 [UnknownField]
            12: $(params.builder) [Variable]
            13: $(params.builder) [Variable]
            14: $(params["TOOL_IMAGE"]) [Variable]
            15: quay.io/a/b:$(params.tag) [Variable]
            +     default: moved.example/buildah/stable:v2 # pinned
            +   - {name: TOOL_IMAGE, default: "moved.example/library/alpine:3"}
        "#]],
    );
}

#[test]
fn the_nearest_declaration_is_meant() {
    check(
        "pipeline.yaml",
        r#"apiVersion: tekton.dev/v1beta1
kind: Pipeline
spec:
  params:
  - {name: tool, default: 'alpine:3'}
  - {name: shell, default: 'bash:5'}
  tasks:
  - name: build
    taskSpec:
      params: [{name: tool, default: 'busybox:1'}]
      steps: [{image: $(params.tool)}, {image: $(params.shell)}]
---
apiVersion: tekton.dev/v1alpha1
kind: Task
spec:
  inputs: {params: [{name: tool, default: 'redis:7'}]}
  steps: [{image: $(inputs.params.tool)}]
"#,
        &expect![[r#"
            6: bash:5
            10: busybox:1
            11: $(params.shell) [Variable]
            11: $(params.tool) [Variable]
            16: redis:7
            17: $(inputs.params.tool) [Variable]
            +   - {name: shell, default: 'moved.example/library/bash:5'}
            +       params: [{name: tool, default: 'moved.example/library/busybox:1'}]
            +   inputs: {params: [{name: tool, default: 'moved.example/library/redis:7'}]}
        "#]],
    );
}
