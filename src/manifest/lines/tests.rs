use super::*;

#[track_caller]
fn check(line: &str, expected: &[&str]) {
    assert_eq!(named_in(line), expected, "{line}");
}

#[test]
fn keys_whose_name_ends_with_image_have_values() {
    check("image: nginx", &["nginx"]);
    check("  - image: 'a/b:1' # x", &["a/b:1"]);
    check("\"image\": \"debian\", \"tag\": \"9\"", &["debian"]);
    check("FOO_IMAGE=a/b", &["a/b"]);
    check("kubectl run x --image=busybox --rm", &["busybox"]);
    check("--image=quay.io/a/b:1", &["quay.io/a/b:1"]);
    check(
        "X=\"--image=kindest/node:v$2\"; shift",
        &["kindest/node:v$2"],
    );
    check("ARG IMAGE=alpine:3", &["alpine:3"]);
    check("image  =  \"x:1\"", &["x:1"]);
}

#[test]
fn templates_and_variables_stand_for_images() {
    check(
        "image: {{ .Values.image }}:{{ .Values.tag }}",
        &["{{ .Values.image }}:{{ .Values.tag }}"],
    );
    check("image: \"{{ x }}\"", &["{{ x }}"]);
    check("image: ${IMAGE}", &["${IMAGE}"]);
    check("image: a/b:${TAG}", &["a/b:${TAG}"]);
    check("FROM quay.io/a/b:${V} AS x", &["quay.io/a/b"]);
}

#[test]
fn words_with_a_registry_are_images_wherever_they_stand() {
    check(
        "docker tag quay.io/a/b:1 ghcr.io/c/d:2",
        &["quay.io/a/b:1", "ghcr.io/c/d:2"],
    );
    check(
        "--config-reloader=registry.corp.example/a/b:1",
        &["registry.corp.example/a/b:1"],
    );
    check("uses: docker://gcr.io/a/b", &["gcr.io/a/b"]);
    check("see gcr.io/a/b.", &["gcr.io/a/b"]);
    check("quay.io/a/app-{name}:1", &["quay.io/a/app"]);
    check(
        "111111111111.dkr.ecr.us-east-1.amazonaws.com/x",
        &["111111111111.dkr.ecr.us-east-1.amazonaws.com/x"],
    );
}

#[test]
fn what_is_run_or_pulled_by_its_tag_is_an_image() {
    check(
        "docker run --rm -it golang:1.7 sh -c 'go build'",
        &["golang:1.7"],
    );
    check(
        "x=$(docker run -v \"$(pwd):/docs\" -u \"$(id -u)\" jnorwood/helm-docs:v1.8.1)",
        &["jnorwood/helm-docs:v1.8.1"],
    );
    check("sudo podman pull 'redis:7.4'", &["redis:7.4"]);
    check("docker run quay.io/a/b:1", &["quay.io/a/b:1"]);
    check("docker run -p 8000:8000 --add-host db:10 ${IMAGE}", &[]);
    check("docker build -t web:1 .", &[]);
    check(
        "docker images 'ghcr.io/a/demo:latest-*' -q",
        &["ghcr.io/a/demo:latest-*"],
    );
}

#[test]
fn a_digest_that_is_none_yet_hides_no_image() {
    check("# image: quay.io/a/b:1@sha256:<digest>", &["quay.io/a/b:1"]);
    check(
        "image: \"corp.example/a/b:1@sha256:abc\"",
        &["corp.example/a/b:1"],
    );
    check("see quay.io/a/b@sha256:...", &["quay.io/a/b"]);
}

#[test]
fn what_a_scheme_says_to_be_an_image_is_one() {
    check(
        "# lint: docker://rhysd/actionlint:1.7",
        &["rhysd/actionlint:1.7"],
    );
    check("copy docker://$(params.IMAGE)", &[]);
    for id in [
        "17.3.2",
        "885e82a1ed0b7356541bb410a0126921ac42439607c09875cd8097dd5d7b5376",
    ] {
        check(&format!("containerID: docker://{id}"), &[]);
    }
}

#[test]
fn what_comes_after_a_long_template_is_told_as_well() {
    let line = format!(
        "\"image\": \"${{X:-{}}}\", \"hub\": \"quay.io/a\"",
        "x".repeat(300)
    );
    assert_eq!(named_in(&line).last(), Some(&"quay.io/a"));
}

#[test]
fn prose_and_addresses_are_none() {
    for line in [
        "the image: a picture of something",
        "image: true story of it",
        "https://quay.io/a/b:1",
        "oci://ghcr.io/a/chart:1",
        "see github.com/a/b:1 and k8s.io/api:2",
        "iam.amazonaws.com/role",
        "10.0.0.0/8:80",
        "imagePullPolicy: Always",
        "app.kubernetes.io/name: web",
        "some_image: word",
        "",
    ] {
        check(line, &[]);
    }
}
