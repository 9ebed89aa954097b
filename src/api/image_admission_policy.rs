//! `ImageAdmissionPolicy`: which pods are rewritten, to which environment's registry.

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::conditions::Condition;
use super::rules;
use super::selectors::Selector;

/// Which pods, to which registry, and what stays as it is.
#[derive(Clone, CustomResource, Debug, Default, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "ecr-operator.dev",
    version = "v1alpha1",
    kind = "ImageAdmissionPolicy",
    plural = "imageadmissionpolicies",
    shortname = "imgadm",
    category = "ecr",
    status = "ImageAdmissionPolicyStatus",
    derive = "PartialEq",
    doc = "Rewrites the images of new pods to the registry of the environment that this cluster pulls from.",
    printcolumn(name = "Mode", type_ = "string", json_path = ".spec.mode"),
    printcolumn(
        name = "Environment",
        type_ = "string",
        json_path = ".spec.environment"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(
        name = "Reachable",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"AdmissionReachable\")].status"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    ),
    printcolumn(
        name = "Registry",
        type_ = "string",
        json_path = ".status.registry",
        priority = 1
    )
)]
#[serde(rename_all = "camelCase")]
pub struct ImageAdmissionPolicySpec {
    /// The EnvironmentAccount that this cluster's nodes pull from. Example: prod.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = rules::environment())]
    pub environment: String,
    /// The region to pull from: the environment's home region or one of its replicaRegions. Default:
    /// its home region. Example: eu-central-1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    #[x_kube(validation = rules::region())]
    pub region: Option<String>,
    /// Audit (pods stay as they are; the API server's audit log, metrics and, on a dry run, a warning
    /// say what would be rewritten) or Rewrite. Default: Audit.
    #[serde(default)]
    pub mode: Mode,
    /// The namespaces whose pods are looked at. kube-system and the operator's own are never. Default:
    /// all. Example: {matchLabels: {team: payments}}.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<Selector>,
    /// The pods that are looked at, by their own labels. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_selector: Option<Selector>,
    /// Images that stay as they are: host and path, with a * at the end for everything below, and a
    /// tag where only that one is meant. Default: none.
    /// Example: ["quay.io/prometheus/*", "docker.io/library/busybox"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(min = 1, max = 512)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(it, !it.contains('://') && !it.contains('@') && \
            !it.contains(' ') && (!it.contains('*') || it.matches('^[^*]+/[*]$')))")
        .message("write a host and a path, with /* at the end for all below it, \
                  like quay.io/prometheus/*"))]
    pub exclude: Vec<String>,
    /// What to do with an image of which is not known (yet) whether ECR has it: Keep it, or Rewrite it
    /// at the risk of a pull that fails. Default: Keep.
    #[serde(default)]
    pub on_unknown: OnUnknown,
}

/// What a policy does.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum Mode {
    /// Says what would be rewritten.
    #[default]
    Audit,
    /// Rewrites.
    Rewrite,
}

/// What to do with an image of which is not known whether ECR has it.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub enum OnUnknown {
    /// Keep it.
    #[default]
    Keep,
    /// Rewrite it.
    Rewrite,
}

/// Whether the policy is in force.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageAdmissionPolicyStatus {
    /// The metadata.generation that this status was computed for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling and Stalled; and AdmissionReachable: whether the API server reaches the
    /// operator about new pods, tried every minute with a pod that is never made.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The registry that images are rewritten to, for example
    /// 333333333333.dkr.ecr.eu-central-1.amazonaws.com.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub registry: Option<String>,
}
