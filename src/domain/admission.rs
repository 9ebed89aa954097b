//! What the admission server and its configuration agree on: which pods are never looked at, and by
//! which path the server is called for a policy or for a probe.

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

/// The path that the API server calls for a pod which is there only to see whether it calls at all.
pub const PROBE_PATH: &str = "/probe";

/// What the API server asks by a path.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Asked<'a> {
    /// What the policy of this name makes of a pod.
    Policy(&'a str),
    /// Whether it reaches us.
    Probe,
}

/// What is asked by this path, if anything is.
pub fn asked(path: &str) -> Option<Asked<'_>> {
    if path == PROBE_PATH {
        return Some(Asked::Probe);
    }
    path.strip_prefix(PATH)
        .filter(|it| !it.is_empty() && !it.contains('/'))
        .map(Asked::Policy)
}

const PATH: &str = "/mutate/";
