//! Kubernetes objects: pods and whatever has a pod's shape within it, lists of objects, and the
//! fields of well-known custom resources that name images. Of other kinds nothing is guessed.

use std::sync::Arc;

use super::found::Found;
use super::left::Reason;
use super::site::Context;
use super::tree::{Cursor, DEEPEST};
use super::{argo_cd, flux, helm, kustomize, nested, tekton};
use crate::domain::rewrite::{Credentials, PullPolicy};

/// What a pod's containers are listed under.
const CONTAINERS: [&str; 3] = ["containers", "initContainers", "ephemeralContainers"];
/// Kinds of which a pod's shape is a pattern, an answer or a schema, and no pod.
const NO_PODS: [&str; 7] = [
    "kyverno.io",
    "policies.kyverno.io",
    "gatekeeper.sh",
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "ecr-operator.dev",
    "image.openshift.io",
];
/// Operators that compare the image that they run with the one in the object.
const COMPARING: [&str; 1] = ["postgresql.cnpg.io"];
/// Fields of custom resources that name an image and nothing else: group, kind or all, path.
/// <https://prometheus-operator.dev/docs/api-reference/api/>,
/// <https://olm.operatorframework.io/docs/concepts/crds/catalogsource/>,
/// <https://tekton.dev/docs/pipelines/stepactions/>,
/// <https://rook.io/docs/rook/latest/CRDs/Cluster/ceph-cluster-crd/#ceph-version>,
/// <https://www.rabbitmq.com/kubernetes/operator/using-operator#images>,
/// <https://github.com/open-telemetry/opentelemetry-operator/blob/main/docs/api/opentelemetrycollectors.md>,
/// <https://github.com/minio/operator/blob/master/docs/tenant_crd.adoc>.
const FIELDS: [(&str, &str, &[&str]); 11] = [
    ("monitoring.coreos.com", "", &["spec", "image"]),
    ("monitoring.coreos.com", "", &["spec", "thanos", "image"]),
    (
        "monitoring.coreos.com",
        "ThanosRuler",
        &["spec", "queryImage"],
    ),
    ("operators.coreos.com", "CatalogSource", &["spec", "image"]),
    ("tekton.dev", "StepAction", &["spec", "image"]),
    (
        "ceph.rook.io",
        "CephCluster",
        &["spec", "cephVersion", "image"],
    ),
    ("rabbitmq.com", "RabbitmqCluster", &["spec", "image"]),
    (
        "opentelemetry.io",
        "OpenTelemetryCollector",
        &["spec", "image"],
    ),
    ("minio.min.io", "Tenant", &["spec", "image"]),
    ("upgrade.cattle.io", "Plan", &["spec", "upgrade", "image"]),
    ("upgrade.cattle.io", "Plan", &["spec", "prepare", "image"]),
];

/// Which lists of a group's objects hold containers, beside a pod's own.
#[derive(Clone, Copy)]
struct Shape {
    lists: &'static [&'static str],
    singles: &'static [&'static str],
    /// Whether what stands here is all that is said of a pod.
    whole: bool,
}

/// Steps and sidecars: <https://tekton.dev/docs/pipelines/tasks/>.
const TEKTON: Shape = Shape {
    lists: &["steps", "sidecars"],
    singles: &["stepTemplate"],
    whole: true,
};
/// Templates: <https://argo-workflows.readthedocs.io/en/latest/fields/#template>.
const ARGO: Shape = Shape {
    lists: &["sidecars"],
    singles: &["container", "script", "resource"],
    whole: true,
};
const PODS: Shape = Shape {
    lists: &[],
    singles: &[],
    whole: true,
};
const PATCHES: Shape = Shape {
    whole: false,
    ..PODS
};

/// Reads one document.
pub(super) fn read<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    object(found, at, 0);
}

fn object<'a>(found: &mut Found<'a>, at: Cursor<'a>, depth: usize) {
    let kind = at.string("kind").unwrap_or_default();
    let version = at.string("apiVersion").unwrap_or_default();
    let group = version.split_once('/').map_or("", |it| it.0);
    if depth > DEEPEST || !found.may_look() {
        return;
    }
    if kind.ends_with("List")
        && let Some(items) = at.get("items")
    {
        return items.items().for_each(|it| object(found, it, depth + 1));
    }
    let context = context(at);
    match (group, kind) {
        ("argoproj.io", "Application" | "ApplicationSet") => argo_cd::read(found, at),
        ("helm.toolkit.fluxcd.io", "HelmRelease") => flux::read(found, at),
        ("kustomize.toolkit.fluxcd.io", "Kustomization") => flux::read(found, at),
        ("kustomize.config.k8s.io", _) => kustomize::read(found, at),
        ("helm.cattle.io", "HelmChart" | "HelmChartConfig") => {
            if let Some(values) = at.find(&["spec", "valuesContent"]) {
                nested::read(found, values, |found, at| helm::read(found, at, &context));
            }
        }
        _ if NO_PODS.contains(&group) || group.ends_with(".gatekeeper.sh") => {}
        _ if COMPARING.contains(&group) => comparing(found, at, 0),
        _ => {
            for (of, only, path) in FIELDS {
                if of == group
                    && (only.is_empty() || only == kind)
                    && let Some(image) = at.find(path)
                {
                    found.whole(image, &context);
                }
            }
            let shape = match group {
                "tekton.dev" | "triggers.tekton.dev" => TEKTON,
                "argoproj.io" => ARGO,
                _ => PODS,
            };
            if group == "tekton.dev" {
                tekton::defaults(found, at, &context);
            }
            pods(found, at, shape, &context, 0);
        }
    }
}

/// What an object says of who pulls its images.
pub(super) fn context(object: Cursor<'_>) -> Context {
    let namespace = object.find(&["metadata", "namespace"]);
    Context {
        kind: object.string("kind").unwrap_or_default().to_owned(),
        namespace: namespace.and_then(Cursor::text).map(str::to_owned),
        ..Context::default()
    }
}

/// Reads the pods within a patch, however deep they are.
pub(super) fn pods_within<'a>(found: &mut Found<'a>, at: Cursor<'a>, context: &Context) {
    pods(found, at, PATCHES, context, 0);
}

fn pods<'a>(found: &mut Found<'a>, at: Cursor<'a>, shape: Shape, context: &Context, depth: usize) {
    if depth > DEEPEST || !found.may_look() {
        return;
    }
    if !at.is_mapping() {
        return at
            .items()
            .for_each(|it| pods(found, it, shape, context, depth + 1));
    }
    let of_pod = of_pod(at, shape, context);
    let context = of_pod.as_ref().unwrap_or(context);
    let mut is_pod = false;
    for key in CONTAINERS.iter().chain(shape.lists) {
        for item in at.get(key).into_iter().flat_map(Cursor::items) {
            is_pod = true;
            container(found, item, context);
        }
    }
    for key in shape.singles {
        if let Some(single) = at.get(key) {
            container(found, single, context);
        }
    }
    for volume in at.get("volumes").into_iter().flat_map(Cursor::items) {
        if let Some(disk) = volume.get("containerDisk") {
            // KubeVirt: the kubelet pulls it as it does a container's.
            container(found, disk, context);
        }
        if let Some(image) = volume.find(&["image", "reference"]).filter(|_| is_pod) {
            let policy = policy(volume.find(&["image", "pullPolicy"]));
            found.whole(
                image,
                &Context {
                    pull_policy: policy,
                    ..context.clone()
                },
            );
        }
    }
    if let Some(manifest) = at.get("manifest").filter(|_| !shape.singles.is_empty()) {
        // An Argo Workflow's template that makes an object.
        nested::read(found, manifest, read);
    }
    for (key, value) in at.pairs() {
        // What an object reports of itself is nobody's to edit.
        if key != "status" || depth > 0 {
            pods(found, value, shape, context, depth + 1);
        }
    }
}

/// Reads the image of one container, if it has one.
pub(super) fn container<'a>(found: &mut Found<'a>, at: Cursor<'a>, context: &Context) {
    if let Some(image) = at.get("image") {
        let context = Context {
            pull_policy: policy(at.get("imagePullPolicy")),
            ..context.clone()
        };
        found.whole(image, &context);
    }
}

fn policy(at: Option<Cursor<'_>>) -> PullPolicy {
    match at.and_then(Cursor::text) {
        Some("Never") => PullPolicy::Never,
        Some(_) | None => PullPolicy::Pulls,
    }
}

/// The context within a mapping that says something of a pod: its labels, or its credentials.
fn of_pod(at: Cursor<'_>, shape: Shape, context: &Context) -> Option<Context> {
    let secrets = at.get("imagePullSecrets");
    let secrets = secrets.is_some_and(|it| it.items().next().is_some());
    let labelled = shape.whole && at.get("spec").is_some();
    if !secrets && !labelled {
        return None;
    }
    let mut context = context.clone();
    if secrets {
        context.credentials = Credentials::Unknown;
    }
    if labelled {
        let labels = at.find(&["metadata", "labels"]);
        let labels = labels.into_iter().flat_map(Cursor::pairs);
        let text =
            |(key, value): (&str, Cursor<'_>)| Some((key.to_owned(), value.text()?.to_owned()));
        context.labels = Some(Arc::new(labels.filter_map(text).collect()));
    }
    Some(context)
}

/// Leaves what an operator compares.
fn comparing<'a>(found: &mut Found<'a>, at: Cursor<'a>, depth: usize) {
    for (key, value) in at.pairs() {
        if matches!(key, "image" | "imageName") {
            found.leave(value, Reason::OperatorCompares);
        }
    }
    if depth < DEEPEST && found.may_look() {
        at.children().for_each(|it| comparing(found, it, depth + 1));
    }
}

#[cfg(test)]
mod tests;
