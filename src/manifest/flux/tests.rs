use expect_test::expect;

use crate::manifest::tests::check;

#[test]
fn values_renderers_and_overrides() {
    check(
        "hr.yaml",
        r#"apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
spec:
  targetNamespace: shop
  values:
    image: {registry: quay.io, repository: a/b, tag: 1} # {"$imagepolicy": "x:y"}
  postRenderers:
  - kustomize:
      images:
      - name: nginx
        newTag: 2
---
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
spec:
  images: [{name: c, newName: quay.io/c/d, newTag: "3"}]
"#,
        &expect![[r#"
            6: quay.io/a/b:1
            10: nginx:2
            16: quay.io/c/d:3
            +     image: {registry: moved.example, repository: a/b, tag: 1} # {"$imagepolicy": "x:y"}
            +         newName: moved.example/library/nginx
            +   images: [{name: c, newName: moved.example/c/d, newTag: "3"}]
        "#]],
    );
}
