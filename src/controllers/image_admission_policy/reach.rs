//! What a probe of admission says about one policy: whether the API server reaches us, and what to do
//! where it does not. Pure. Webhooks fail open, so that without it nobody would notice.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::core::Status;

use crate::api::ADMISSION_PROBE;
use crate::api::conditions::{ConditionStatus, Reason};
use crate::controllers::installed::Installed;
use crate::controllers::webhook_configuration::PROBE;

/// Where a packet was lost on the way. The URL of a webhook has the word timeout in it too.
const SILENCE: [&str; 4] = [
    "deadline exceeded",
    "i/o timeout",
    "no route to host",
    "network is unreachable",
];

/// The longest that is repeated of what another admission controller said.
const LONGEST_WORDS: usize = 300;

/// What the last probe proved.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Reach {
    /// The namespace that it was sent to.
    pub namespace: String,
    /// What became of it.
    pub probed: Probed,
}

/// What became of a probe pod.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Probed {
    /// A replica has marked it.
    Reached {
        /// The policies that this replica has rules for.
        policies: BTreeSet<String>,
    },
    /// The API server called, and got no answer that it could use.
    NotReached(Cause),
    /// The API server admitted it without calling.
    NotCalled,
    /// The same, and the cause is known: an object of the chart is not there.
    NotInstalled(Installed),
    /// Somebody else does not let it in, so that nothing is known.
    Refused {
        /// The API server's words.
        message: String,
    },
    /// We may not make pods in the probe namespace.
    Forbidden,
    /// There is no probe namespace.
    NoNamespace,
}

/// Why the API server did not reach us.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cause {
    /// It waited, or found no way: a firewall, a security group, an overlay network.
    NoAnswer,
    /// The host answered that nobody listens.
    NobodyListens,
    /// The Service has no pod that is Ready.
    NoEndpoints,
    /// A managed control plane that calls no addresses of an overlay network.
    AddressNotAllowed,
    /// It does not trust the certificate that it was shown.
    Certificate,
    /// A replica answered that it has no rules yet.
    NotLoaded,
    /// Anything else, in the last of the API server's words, which are the root of the matter.
    Other(String),
}

impl Probed {
    /// What the API server's answer to a dry-run create tells; `None` where it could not be asked.
    pub fn of(answer: Result<&Pod, &Status>) -> Option<Self> {
        let status = match answer {
            Ok(pod) => {
                let mark = pod.annotations().get(ADMISSION_PROBE);
                let policies = mark.and_then(|it| serde_json::from_str(it).ok());
                return Some(
                    policies.map_or(Self::NotCalled, |policies| Self::Reached { policies }),
                );
            }
            Err(status) => status,
        };
        let message = status.message.as_str();
        if let Some((_, why)) = message.split_once(&format!("failed calling webhook \"{PROBE}\"")) {
            return Some(Self::NotReached(Cause::of(why)));
        }
        if status.is_not_found() {
            return Some(Self::NoNamespace);
        }
        if status.is_forbidden() && message.contains("cannot create resource") {
            return Some(Self::Forbidden);
        }
        let is_refusal = (400..500).contains(&status.code) || message.contains("calling webhook");
        let message = message.chars().take(LONGEST_WORDS).collect();
        is_refusal.then_some(Self::Refused { message })
    }

    /// The same with the cause, where the API server does not call and an object of the chart is `missing`.
    pub fn explained(self, missing: Option<&Installed>) -> Self {
        match (self, missing) {
            (Self::NotCalled, Some(missing)) => Self::NotInstalled(missing.clone()),
            (probed, _) => probed,
        }
    }

    /// Whether admission was reached; `None`: not known.
    pub fn reached(&self) -> Option<bool> {
        match self {
            Self::Reached { .. } => Some(true),
            Self::NotReached(_) | Self::NotCalled | Self::NotInstalled(_) => Some(false),
            Self::Refused { .. } | Self::Forbidden | Self::NoNamespace => None,
        }
    }

    /// One word, for metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Reached { .. } => "Reached",
            Self::NotReached(_) => "NotReached",
            Self::NotCalled => "NotCalled",
            Self::NotInstalled(_) => "NotInstalled",
            Self::Refused { .. } => "Refused",
            Self::Forbidden => "Forbidden",
            Self::NoNamespace => "NoNamespace",
        }
    }
}

impl Reach {
    /// What AdmissionReachable says on the policy of this name.
    pub fn says(&self, policy: &str) -> (ConditionStatus, Reason, String) {
        use ConditionStatus::{False, True, Unknown};
        let Self { namespace, probed } = self;
        match probed {
            Probed::Reached { policies } if policies.contains(policy) => {
                let message = "the API server asks the operator about new pods";
                (True, Reason::Succeeded, message.to_owned())
            }
            Probed::Reached { .. } => {
                let message = "the replica that answered last has no rules for this policy yet";
                (Unknown, Reason::Progressing, message.to_owned())
            }
            Probed::NotReached(cause) => (
                False,
                Reason::Unreachable,
                format!("new pods are admitted as they are: {}", cause.remedy()),
            ),
            Probed::NotCalled => {
                let message = "new pods are admitted as they are: the API server does not call the \
                     operator; see whether something else changes its \
                     MutatingWebhookConfiguration, or the labels of namespace ";
                (False, Reason::NotCalled, format!("{message}{namespace}"))
            }
            Probed::NotInstalled(missing) => (
                False,
                Reason::NotCalled,
                format!("new pods are admitted as they are: {}", missing.remedy()),
            ),
            Probed::Refused { message } => (
                Unknown,
                Reason::Rejected,
                format!("the probe pod is not let in: exempt namespace {namespace} ({message})"),
            ),
            Probed::Forbidden => (
                Unknown,
                Reason::AccessDenied,
                format!("the operator may not create pods in namespace {namespace}: let it"),
            ),
            Probed::NoNamespace => (
                Unknown,
                Reason::ReferenceNotFound,
                format!(
                    "there is no namespace {namespace} for probe pods: make it, or name another \
                     with --probe-namespace"
                ),
            ),
        }
    }
}

impl Cause {
    /// The cause in the chain of errors that the API server tells, which ends with the root.
    fn of(chain: &str) -> Self {
        let root = chain.rsplit(": ").next().unwrap_or(chain).trim();
        let says = |texts: &[&str]| texts.iter().any(|it| chain.contains(it));
        if says(&["x509:", "tls:", "remote error:"]) {
            Self::Certificate
        } else if says(&["no endpoints available", "not found"]) {
            Self::NoEndpoints
        } else if says(&["Address is not allowed"]) {
            Self::AddressNotAllowed
        } else if says(&["connection refused"]) {
            Self::NobodyListens
        } else if says(&["currently unable to handle the request"]) {
            Self::NotLoaded
        } else if says(&SILENCE) {
            Self::NoAnswer
        } else {
            // Only the root: what stands before it names ports that are others each time.
            Self::Other(root.chars().take(LONGEST_WORDS).collect())
        }
    }

    fn remedy(&self) -> String {
        let remedy = match self {
            Self::NoAnswer => {
                "the operator does not answer the API server; let the control plane in to port 9443 \
                 of its pods (on EKS: from the cluster's security group to that of the nodes), or \
                 set hostNetwork where pods are in an overlay network"
            }
            Self::NobodyListens => {
                "nobody listens where the API server calls; see whether the operator's pods run"
            }
            Self::NoEndpoints => {
                "no pod of the operator is Ready behind its Service; see what /readyz waits for"
            }
            Self::AddressNotAllowed => {
                "the control plane does not call pods of an overlay network; set hostNetwork"
            }
            Self::Certificate => {
                "the API server does not trust the operator's certificate; see whether something \
                 else writes caBundle, or stands between the two"
            }
            Self::NotLoaded => "the replica that answered has not loaded its rules yet",
            Self::Other(root) => return format!("the API server says: {root}"),
        };
        remedy.to_owned()
    }
}

#[cfg(test)]
mod tests;
