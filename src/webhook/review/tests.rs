use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;
use crate::domain::facts::Images;
use crate::domain::names::Registry;
use crate::domain::rewrite::{Cache, Claim, OnUnknown, Policy, Scope, Trust};

mod hostile;
mod notes;
mod secrets;

const DIGEST: &str = "sha256:2b3c1f6f0a8d4f5e9b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e2f1a0b9c8d7e6f50";
const ECR: &str = "333333333333.dkr.ecr.eu-central-1.amazonaws.com";

fn cache(rule: &str, host: &str, trust: Trust) -> Cache {
    Cache {
        rule: rule.to_owned(),
        hosts: vec![host.to_owned()],
        prefix: rule.parse().unwrap(),
        upstream_prefix: "ROOT".parse().unwrap(),
        trust,
    }
}

/// A policy that pulls from prod: Docker Hub and GHCR are cached, Quay is trusted, one own
/// repository has taken over an old name.
fn policy(name: &str, mode: Mode) -> Compiled {
    let policy = Policy {
        name: name.to_owned(),
        registry: registry(),
        mode,
        exclude: vec!["quay.io/prometheus/*".parse().unwrap()],
        on_unknown: OnUnknown::Keep,
    };
    let claim = Claim {
        object: "shop/checkout".to_owned(),
        namespace: "shop".to_owned(),
        scope: Scope::Cluster,
        source: "harbor.corp.example/shop/checkout".parse().unwrap(),
        target: "shop/checkout".parse().unwrap(),
    };
    let caches = vec![
        cache("docker-hub", "docker.io", Trust::CachedOnly),
        cache("ghcr", "ghcr.io", Trust::CachedOnly),
        cache("quay", "quay.io", Trust::Upstream),
    ];
    Compiled::new(policy, vec![claim], caches)
}

fn registry() -> Registry {
    Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    )
}

fn facts() -> Facts {
    let mut facts = Facts::default();
    for (repository, tag) in [
        ("docker-hub/library/nginx", "1.27"),
        ("docker-hub/library/busybox", "1.36"),
        ("docker-hub/library/redis", "latest"),
        ("shop/checkout", "1.42.0"),
        ("ghcr/dexidp/dex", "v2.45.1"),
    ] {
        let images = Images {
            tags: [(tag.to_owned(), DIGEST.to_owned())].into(),
            digests: [DIGEST.to_owned()].into(),
        };
        facts.record(&registry(), repository.parse().unwrap(), Arc::new(images));
    }
    facts
}

fn rules(policies: impl IntoIterator<Item = Compiled>) -> Rules {
    Rules {
        table: Arc::new(Table::new(policies)),
        facts: Arc::new(facts()),
        pull_secrets: Arc::default(),
        own_namespace: "ecr-operator-system".to_owned(),
    }
}

fn rewriting() -> Rules {
    rules([policy("prod", Mode::Rewrite)])
}

fn create(pod: &Value) -> Value {
    json!({
        "kind": "AdmissionReview",
        "apiVersion": "admission.k8s.io/v1",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "", "version": "v1", "kind": "Pod"},
            "resource": {"group": "", "version": "v1", "resource": "pods"},
            "requestKind": {"group": "", "version": "v1", "kind": "Pod"},
            "requestResource": {"group": "", "version": "v1", "resource": "pods"},
            "namespace": "shop",
            "operation": "CREATE",
            "userInfo": {"username": "admin", "groups": ["system:masters"]},
            "object": pod,
            "oldObject": null,
            "dryRun": false,
            "options": {"kind": "CreateOptions", "apiVersion": "meta.k8s.io/v1"},
        },
    })
}

fn add_ephemeral(old: &Value, new: &Value) -> Value {
    let mut review = create(new);
    review["request"]["operation"] = json!("UPDATE");
    review["request"]["subResource"] = json!("ephemeralcontainers");
    review["request"]["oldObject"] = old.clone();
    review
}

fn dry_run(mut review: Value) -> Value {
    review["request"]["dryRun"] = json!(true);
    review
}

fn pod(containers: &Value) -> Value {
    json!({
        "kind": "Pod",
        "apiVersion": "v1",
        "metadata": {"generateName": "app-", "creationTimestamp": null},
        "spec": {"containers": containers},
        "status": {},
    })
}

fn app(image: &str) -> Value {
    pod(&json!([{"name": "app", "image": image, "imagePullPolicy": "IfNotPresent"}]))
}

/// The answer, as lines.
fn show(answer: &Value) -> String {
    let mut lines = String::new();
    for operation in patch(answer).as_array().into_iter().flatten() {
        let [op, path] = ["op", "path"].map(|it| operation[it].as_str().unwrap());
        match &operation["value"] {
            Value::Null => writeln!(lines, "{op} {path}").unwrap(),
            Value::String(text) => writeln!(lines, "{op} {path} {text}").unwrap(),
            other => writeln!(lines, "{op} {path} {other}").unwrap(),
        }
    }
    for warning in answer["response"]["warnings"]
        .as_array()
        .into_iter()
        .flatten()
    {
        writeln!(lines, "warning: {}", warning.as_str().unwrap()).unwrap();
    }
    for (key, value) in answer["response"]["auditAnnotations"]
        .as_object()
        .into_iter()
        .flatten()
    {
        writeln!(lines, "audit {key}: {}", value.as_str().unwrap()).unwrap();
    }
    lines.replace(ECR, "ECR")
}

fn patch(answer: &Value) -> Value {
    let Some(patch) = answer["response"]["patch"].as_str() else {
        return Value::Null;
    };
    assert_eq!(answer["response"]["patchType"], "JSONPatch");
    serde_json::from_slice(&STANDARD.decode(patch).unwrap()).unwrap()
}

/// The answer to `review`; whatever it is about, it is allowed and bears its uid.
fn answer(rules: &Rules, policy: &str, body: &[u8]) -> Value {
    let answer = review(rules, policy, body).answer.unwrap();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    assert_eq!(answer["apiVersion"], "admission.k8s.io/v1");
    assert_eq!(answer["kind"], "AdmissionReview");
    assert_eq!(answer["response"]["allowed"], true);
    assert_eq!(
        answer["response"]["uid"],
        "705ab4f5-6393-11e8-b7cc-42010a800002"
    );
    answer
}

/// The pod as it is after the answer.
fn patched(review: &Value, answer: &Value) -> Value {
    let mut pod = review["request"]["object"].clone();
    if !patch(answer).is_null() {
        let patch: json_patch::Patch = serde_json::from_value(patch(answer)).unwrap();
        json_patch::patch(&mut pod, &patch).unwrap();
    }
    pod
}

fn check(rules: &Rules, review: &Value, expect: &Expect) {
    let answer = answer(rules, "prod", review.to_string().as_bytes());
    patched(review, &answer);
    expect.assert_eq(&show(&answer));
}

#[test]
fn a_new_pods_images_are_rewritten_and_the_originals_noted() {
    check(
        &rewriting(),
        &create(&app("nginx:1.27")),
        &expect![[r#"
            replace /spec/containers/0/image ECR/docker-hub/library/nginx:1.27
            add /metadata/annotations {"ecr-operator.dev/original-images":"{\"containers[app]\":\"nginx:1.27\"}"}
            audit decisions: {"containers[app]":"nginx:1.27 rewritten to ECR/docker-hub/library/nginx:1.27 [PullThrough]"}
        "#]],
    );
}

#[test]
fn every_list_of_containers_and_image_volumes_is_rewritten() {
    let mut pod = app("harbor.corp.example/shop/checkout:1.42.0");
    pod["spec"]["initContainers"] = json!([{"name": "wait", "image": "busybox:1.36"}]);
    pod["spec"]["ephemeralContainers"] =
        json!([{"name": "debug", "image": "docker.io/library/redis"}]);
    pod["spec"]["volumes"] = json!([
        {"name": "tmp", "emptyDir": {}},
        {"name": "site", "image": {"reference": "index.docker.io/nginx:1.27", "pullPolicy": "Always"}},
    ]);
    check(
        &rewriting(),
        &create(&pod),
        &expect![[r#"
            replace /spec/volumes/1/image/reference ECR/docker-hub/library/nginx:1.27
            replace /spec/initContainers/0/image ECR/docker-hub/library/busybox:1.36
            replace /spec/containers/0/image ECR/shop/checkout:1.42.0
            replace /spec/ephemeralContainers/0/image ECR/docker-hub/library/redis
            add /metadata/annotations {"ecr-operator.dev/original-images":"{\"containers[app]\":\"harbor.corp.example/shop/checkout:1.42.0\",\"ephemeralContainers[debug]\":\"docker.io/library/redis\",\"initContainers[wait]\":\"busybox:1.36\",\"volumes[site]\":\"index.docker.io/nginx:1.27\"}"}
            audit decisions: {"containers[app]":"harbor.corp.example/shop/checkout:1.42.0 rewritten to ECR/shop/checkout:1.42.0 [OwnRepository]","ephemeralContainers[debug]":"docker.io/library/redis rewritten to ECR/docker-hub/library/redis [PullThrough]","initContainers[wait]":"busybox:1.36 rewritten to ECR/docker-hub/library/busybox:1.36 [PullThrough]","volumes[site]":"index.docker.io/nginx:1.27 rewritten to ECR/docker-hub/library/nginx:1.27 [PullThrough]"}
        "#]],
    );
}

#[test]
fn what_is_kept_says_why_in_the_audit_log_only() {
    let containers = [
        ("a", "ghcr.io/acme/other:1"),
        ("b", "quay.io/prometheus/node-exporter:v1"),
        ("c", "registry.example:5000/team/app:1"),
        ("d", "111111111111.dkr.ecr.us-east-1.amazonaws.com/app:1"),
        ("e", "NOT A REFERENCE"),
        ("f", "quay.io.evil.example/argoproj/argocd:latest"),
    ];
    let containers = containers.map(|(name, image)| json!({"name": name, "image": image}));
    check(
        &rewriting(),
        &create(&pod(&json!(containers))),
        &expect![[r#"
            audit decisions: {"containers[a]":"ghcr.io/acme/other:1 kept [NotKnown]","containers[b]":"quay.io/prometheus/node-exporter:v1 kept [Excluded]","containers[c]":"registry.example:5000/team/app:1 kept [NoRule]","containers[d]":"111111111111.dkr.ecr.us-east-1.amazonaws.com/app:1 kept [AlreadyEcr]","containers[e]":"NOT A REFERENCE kept [NotAReference]","containers[f]":"quay.io.evil.example/argoproj/argocd:latest kept [NoRule]"}
        "#]],
    );
}

#[test]
fn an_image_that_is_never_pulled_stays() {
    let pod = pod(&json!([{"name": "app", "image": "nginx:1.27", "imagePullPolicy": "Never"}]));
    check(
        &rewriting(),
        &create(&pod),
        &expect![[r#"
        audit decisions: {"containers[app]":"nginx:1.27 kept [PullPolicyNever]"}
    "#]],
    );
}

#[test]
fn auditing_changes_nothing_and_answers_a_dry_run_with_warnings() {
    let rules = rules([policy("prod", Mode::Audit)]);
    check(
        &rules,
        &create(&app("nginx:1.27")),
        &expect![[r#"
            audit decisions: {"containers[app]":"nginx:1.27 would be rewritten to ECR/docker-hub/library/nginx:1.27 [PullThrough]"}
        "#]],
    );
    check(
        &rules,
        &dry_run(create(&app("nginx:1.27"))),
        &expect![[r#"
            warning: containers[app]: nginx:1.27 would be rewritten to ECR/docker-hub/library/nginx:1.27 [PullThrough]
            audit decisions: {"containers[app]":"nginx:1.27 would be rewritten to ECR/docker-hub/library/nginx:1.27 [PullThrough]"}
        "#]],
    );
}

#[test]
fn a_dry_run_is_rewritten_like_the_real_thing() {
    let review = create(&app("nginx:1.27"));
    let rules = rewriting();
    let [real, dry] = [review.clone(), dry_run(review)]
        .map(|it| answer(&rules, "prod", it.to_string().as_bytes()));
    assert_eq!(real, dry);
}

#[test]
fn only_the_ephemeral_containers_that_are_new_are_rewritten_in_a_running_pod() {
    let mut old = app("nginx:1.27");
    old["spec"]["ephemeralContainers"] = json!([{"name": "old", "image": "busybox:1.36"}]);
    let mut new = old.clone();
    new["spec"]["ephemeralContainers"] = json!([
        {"name": "old", "image": "busybox:1.36"},
        {"name": "new", "image": "busybox:1.36"},
    ]);
    check(
        &rewriting(),
        &add_ephemeral(&old, &new),
        &expect![[r#"
            replace /spec/ephemeralContainers/1/image ECR/docker-hub/library/busybox:1.36
            warning: ephemeralContainers[new]: busybox:1.36 was rewritten to ECR/docker-hub/library/busybox:1.36 [PullThrough]
            audit decisions: {"ephemeralContainers[new]":"busybox:1.36 rewritten to ECR/docker-hub/library/busybox:1.36 [PullThrough]"}
            audit original-images: {"ephemeralContainers[new]":"busybox:1.36"}
        "#]],
    );
}

#[test]
fn no_other_update_of_a_pod_is_touched() {
    let (old, new) = (app("nginx:1.26"), app("nginx:1.27"));
    for sub_resource in [
        json!(null),
        json!(""),
        json!("status"),
        json!("resize"),
        json!("eviction"),
    ] {
        let mut review = add_ephemeral(&old, &new);
        review["request"]["subResource"] = sub_resource;
        check(&rewriting(), &review, &expect![[""]]);
    }
    let mut deployment = create(&app("nginx:1.27"));
    deployment["request"]["resource"] =
        json!({"group": "apps", "version": "v1", "resource": "pods"});
    check(&rewriting(), &deployment, &expect![[""]]);
}

#[test]
fn pods_that_are_exempt_are_untouched() {
    let with = |path: &str, value: Value| {
        let mut review = create(&app("nginx:1.27"));
        *review.pointer_mut(path).unwrap() = value;
        review
    };
    let metadata = "/request/object/metadata";
    for review in [
        with(
            metadata,
            json!({"labels": {"ecr-operator.dev/rewrite": "false"}}),
        ),
        with(
            metadata,
            json!({"annotations": {"kubernetes.io/config.mirror": "c0ffee"}}),
        ),
        with("/request/namespace", json!("kube-system")),
        with("/request/namespace", json!("kube-node-lease")),
        with("/request/namespace", json!("ecr-operator-system")),
    ] {
        check(&rewriting(), &review, &expect![[""]]);
    }
}
