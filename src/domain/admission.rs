//! What the admission server and its configuration agree on: which pods are never looked at, and by
//! which path a policy is called.

/// The value of the label `ecr-operator.dev/rewrite` that opts a pod or a namespace out.
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
