use expect_test::expect;

use crate::manifest::tests::check;
use crate::manifest::{Base, Overlay, read};

#[test]
fn overrides_keep_their_name() {
    check(
        "overlays/prod/kustomization.yaml",
        r#"apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: shop
images:
- name: nginx # web
  newTag: '1.27'
- name: ghcr.io/shop/app
  newName: quay.io/shop/app
  digest: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
- {name: redis, newTag: 7}
- {"name": "json"}
"#,
        &expect![[r#"
            5: nginx:1.27
            7: ghcr.io/shop/app [OverrideName]
            8: quay.io/shop/app@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
            10: redis:7
            11: json (tag elsewhere)
            +   newName: moved.example/library/nginx
            +   newName: moved.example/shop/app
            + - {name: redis, newName: moved.example/library/redis, newTag: 7}
            + - {"name": "json", "newName": "moved.example/library/json"}
        "#]],
    );
}

#[test]
fn patches_are_read_as_what_they_patch() {
    check(
        "kustomization.yml",
        r#"patches:
- target: {kind: Deployment}
  patch: |-
    - op: replace
      path: /spec/template/spec/containers/0/image
      value: quay.io/a/b:1
- patch: |
    apiVersion: apps/v1
    kind: Deployment
    spec: {template: {spec: {containers: [{name: web, image: 'nginx:2'}]}}}
- patch: "- {op: replace, path: /spec/containers/0/image, value: quay.io/folded/out:1}\n"
"#,
        &expect![[r#"
            6: quay.io/a/b:1
            10: nginx:2
            11: quay.io/folded/out:1 [Embedded]
            +       value: moved.example/a/b:1
            +     spec: {template: {spec: {containers: [{name: web, image: 'moved.example/library/nginx:2'}]}}}
        "#]],
    );
}

#[test]
fn a_kustomization_says_what_its_overrides_hold_for() {
    let text = "resources: [../base, web.yaml]\ncomponents: [../c]\npatches: [{path: p.yaml}, {patch: 'a: 1\n'}]\nimages: [{name: FROM_A_SCRIPT/web}]\n";
    let document = read("kustomization.yaml", text.as_bytes());
    let expected = Overlay {
        names: vec!["FROM_A_SCRIPT/web".to_owned()],
        base: Base::Folder,
        resources: ["../base", "web.yaml", "p.yaml"]
            .map(str::to_owned)
            .to_vec(),
        components: vec!["../c".to_owned()],
    };
    assert_eq!(document.overlays, [expected]);
}
