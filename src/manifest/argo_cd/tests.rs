use expect_test::expect;

use crate::manifest::tests::check;

#[test]
fn parameters_values_and_overrides_of_applications() {
    check(
        "apps/web.yaml",
        r#"apiVersion: argoproj.io/v1alpha1
kind: Application
spec:
  destination: {name: prod, namespace: shop}
  sources:
  - helm:
      parameters:
      - {name: image.repository, value: quay.io/a/b}
      - {name: image.tag, value: "1"}
      - {name: sidecarImage, value: quay.io/c/d:2}
      valuesObject:
        image: {repository: quay.io/e/f, tag: 3}
  - helm:
      values: |
        image:
          repository: quay.io/g/h # comment
          tag: 4
  - kustomize:
      images: [nginx:5, 'old=quay.io/i/j:6']
"#,
        &expect![[r#"
            8: quay.io/a/b:1
            10: quay.io/c/d:2
            12: quay.io/e/f:3
            16: quay.io/g/h:4
            19: nginx:5
            19: quay.io/i/j:6
            +       - {name: image.repository, value: moved.example/a/b}
            +       - {name: sidecarImage, value: moved.example/c/d:2}
            +         image: {repository: moved.example/e/f, tag: 3}
            +           repository: moved.example/g/h # comment
            +       images: [nginx=moved.example/library/nginx:5, 'old=moved.example/i/j:6']
        "#]],
    );
}

#[test]
fn what_the_image_updater_writes_is_a_source() {
    check(
        "apps/web/.argocd-source-web.yaml",
        "kustomize:\n  images:\n  - quay.io/shop/web:2\nhelm:\n  parameters:\n  - {name: image.repository, value: ghcr.io/shop/web}\n  - {name: image.tag, value: '3'}\n",
        &expect![[r#"
            3: quay.io/shop/web:2
            6: ghcr.io/shop/web:3
            +   - quay.io/shop/web=moved.example/shop/web:2
            +   - {name: image.repository, value: moved.example/shop/web}
        "#]],
    );
}
