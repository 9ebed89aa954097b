use expect_test::expect;

use crate::manifest::tests::check;

#[test]
fn the_layouts_that_charts_share() {
    check(
        "charts/a/values.yaml",
        r#"image: quay.io/a/one:1
two:
  image:
    registry: docker.io # hub
    repository: bitnami/two
    tag: "2"
    digest: ""
three:
  image:
    repository: quay.io/a/three
    # tag: 3
four:
  image: {repository: four, tag: 4}
five:
  image:
    registry: registry.k8s.io
    image: ingress-nginx/controller
    tag: v1
    digest: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
controllerImage: cr.l5d.io/linkerd/controller
controllerImageVersion: ""
proxy:
  image:
    name: cr.l5d.io/linkerd/proxy
    version: ""
# image: nginx:commented
seven: {image: proxyv2}
extraContainers:
- {name: x, image: busybox}
"#,
        &expect![[r#"
            1: quay.io/a/one:1
            5: docker.io/bitnami/two:2
            10: quay.io/a/three (tag elsewhere)
            13: four:4 (registry elsewhere)
            17: registry.k8s.io/ingress-nginx/controller:v1@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
            20: cr.l5d.io/linkerd/controller (tag elsewhere)
            24: cr.l5d.io/linkerd/proxy (tag elsewhere)
            26: nginx:commented [Comment]
            27: proxyv2 [RegistryElsewhere]
            29: busybox
            + image: moved.example/a/one:1
            +     registry: moved.example # hub
            +     repository: moved.example/a/three
            +   image: {repository: moved.example/library/four, tag: 4}
            +     registry: moved.example
            + controllerImage: moved.example/linkerd/controller
            +     name: moved.example/linkerd/proxy
            + - {name: x, image: moved.example/library/busybox}
        "#]],
    );
}

#[test]
fn a_global_registry_changes_once_and_for_all() {
    check(
        "values.yaml",
        r#"global:
  imageRegistry: harbor.example
web:
  image: {registry: docker.io, repository: a/web, tag: 1}
db:
  image: {repository: a/db, tag: 2}
"#,
        &expect![[r#"
            4: harbor.example/a/web:1
            6: harbor.example/a/db:2
            +   imageRegistry: moved.example
        "#]],
    );
}

#[test]
fn what_is_no_image_is_none() {
    check(
        "values.yaml",
        r#"repository: https://charts.example/stable
dashboards: {repository: git@example.com:a/b.git, tag: 1}
image: {pullPolicy: Always}
empty: {image: {registry: quay.io, repository: "", tag: ""}}
logo: {image: true}
templated: {image: "{{ .Values.global.registry }}/a:1"}
other: {image: {registry: quay.io/, repository: a/b, tag: 1}}
"#,
        &expect![[r#"
            6: {{ .Values.global.registry }}/a:1 [Variable]
            7: quay.io//a/b:1 [NotAReference]
        "#]],
    );
}

#[test]
fn files_of_any_name_are_values_where_nothing_else_has_that_shape() {
    check(
        "envs/prod.yaml",
        r#"app:
  image:
    repository: quay.io/a/b
    tag: 1
"#,
        &expect![[r#"
            3: quay.io/a/b:1
            +     repository: moved.example/a/b
        "#]],
    );
}
