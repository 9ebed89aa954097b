//! The words that the admission server and its configuration share: which pods are never looked
//! at, how a pod or a namespace opts out, and where the originals are kept.

/// Annotation on a pod: a JSON map of where an image stands, `containers[app]`, to the image that
/// stood there before. It is written for people and reports, and never trusted as input.
pub const ORIGINAL_IMAGES: &str = "ecr-operator.dev/original-images";

/// Label on a pod or a namespace; [`OPTED_OUT`] as its value leaves the pod, or all pods, alone.
pub const REWRITE: &str = "ecr-operator.dev/rewrite";

/// The value of [`REWRITE`] that opts out.
pub const OPTED_OUT: &str = "false";

/// Annotation of the pods that a kubelet shows for its own static pods: they run already, and the
/// API server holds them to be what the kubelet says.
/// <https://kubernetes.io/docs/reference/labels-annotations-taints/#kubernetes-io-config-mirror>
pub const MIRROR: &str = "kubernetes.io/config.mirror";

/// Namespaces whose pods bring the cluster up: they must not depend on anything of ours.
pub const SYSTEM_NAMESPACES: [&str; 2] = ["kube-system", "kube-node-lease"];

/// The path that the API server calls for the policy of this name.
pub fn path(policy: &str) -> String {
    format!("{PATH}{policy}")
}

/// The policy that is called by this path.
pub fn policy(path: &str) -> Option<&str> {
    path.strip_prefix(PATH)
        .filter(|it| !it.is_empty() && !it.contains('/'))
}

const PATH: &str = "/mutate/";
