//! The `MutatingWebhookConfiguration` that makes the API server call us: its webhooks are generated from
//! the image policies and put right when somebody edits them; without a policy there is none. They fail
//! open (`Ignore`), and no pod that the cluster or we ourselves need to come up ever matches one. The
//! object itself is the chart's: the operator neither creates nor deletes it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::{
    MutatingWebhook, RuleWithOperations, ServiceReference, WebhookClientConfig,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};

use crate::api::REWRITE;
use crate::domain::admission;

mod contest;
mod settle;

pub use contest::Repair;
pub use settle::{Error, Settled, Written, lead, settle};

/// The name of every policy's `MutatingWebhook` ends with this, after the policy's.
pub const SUFFIX: &str = ".image-admission.ecr-operator.dev";

/// The `MutatingWebhook` that only probe pods match.
pub const PROBE: &str = "admission-probe.ecr-operator.dev";

/// The label that the API server itself puts on every namespace, and lets nobody change.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Where the operator is installed, as far as its webhook goes.
#[derive(Clone, Debug)]
pub struct Install {
    /// The operator's own namespace, whose pods are never looked at.
    pub namespace: String,
    /// The namespace of the probe pods, which has no others.
    pub probe_namespace: String,
    /// The name of the configuration.
    pub name: String,
    /// How the API server reaches us.
    pub endpoint: Endpoint,
}

/// How the API server reaches the admission server.
#[derive(Clone, Debug)]
pub enum Endpoint {
    /// By a Service of the operator's namespace.
    Service {
        /// Its name.
        name: String,
        /// Its port.
        port: u16,
    },
    /// By address, for an operator that runs outside the cluster: `https://127.0.0.1:9443`.
    Url(String),
}

/// Which pods one policy is asked about; `None` selects all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Selectors {
    /// By the labels of their namespace.
    pub namespaces: Option<LabelSelector>,
    /// By their own labels.
    pub pods: Option<LabelSelector>,
}

impl Install {
    /// The host names and addresses that the API server will ask a certificate for.
    pub fn host_names(&self) -> BTreeSet<String> {
        let name = match &self.endpoint {
            Endpoint::Service { name, .. } => format!("{name}.{}.svc", self.namespace),
            Endpoint::Url(url) => {
                let authority = url.trim_start_matches("https://");
                let authority = authority.split('/').next().unwrap_or_default();
                let host = authority
                    .rsplit_once(':')
                    .map_or(authority, |(host, _)| host);
                host.trim_matches(['[', ']']).to_owned()
            }
        };
        BTreeSet::from([name])
    }

    fn client_config(&self, path: String, ca_bundle: &str) -> WebhookClientConfig {
        let ca_bundle = Some(ByteString(ca_bundle.as_bytes().to_vec()));
        match &self.endpoint {
            Endpoint::Service { name, port } => WebhookClientConfig {
                ca_bundle,
                service: Some(ServiceReference {
                    name: name.clone(),
                    namespace: self.namespace.clone(),
                    path: Some(path),
                    port: Some(i32::from(*port)),
                }),
                url: None,
            },
            Endpoint::Url(base) => WebhookClientConfig {
                ca_bundle,
                service: None,
                url: Some(format!("{}{path}", base.trim_end_matches('/'))),
            },
        }
    }
}

/// The webhooks for `policies` by name; none for none. The API server calls them in this order. Every
/// field that it would fill in is there, so that what it gives back is equal.
pub fn desired(
    install: &Install,
    policies: &BTreeMap<String, Selectors>,
    ca_bundle: &str,
) -> Vec<MutatingWebhook> {
    if policies.is_empty() {
        return Vec::new();
    }
    let webhooks = policies
        .iter()
        .map(|(policy, selectors)| webhook(install, policy, selectors, ca_bundle));
    webhooks.chain([probe(install, ca_bundle)]).collect()
}

fn webhook(
    install: &Install,
    policy: &str,
    selectors: &Selectors,
    ca_bundle: &str,
) -> MutatingWebhook {
    let Selectors { namespaces, pods } = selectors;
    let ours = [&install.namespace, &install.probe_namespace];
    let exempt = admission::SYSTEM_NAMESPACES
        .into_iter()
        .chain(ours.map(String::as_str));
    let opted_out = || none_of(REWRITE, [admission::OPTED_OUT]);
    MutatingWebhook {
        name: format!("{policy}{SUFFIX}"),
        client_config: install.client_config(admission::path(policy), ca_bundle),
        rules: Some(vec![
            rule("CREATE", "pods"),
            rule("UPDATE", "pods/ephemeralcontainers"),
        ]),
        namespace_selector: Some(and(
            namespaces,
            [none_of(NAMESPACE_NAME, exempt), opted_out()],
        )),
        object_selector: Some(and(pods, [opted_out()])),
        // An API server that gives a condition up, as for a name that takes it too long to look at,
        // passes us by without a word. And the first condition costs it more than a call to us: it
        // turns every pod into a tree for it.
        match_conditions: None,
        match_policy: Some("Equivalent".to_owned()),
        failure_policy: Some("Ignore".to_owned()),
        timeout_seconds: Some(2),
        side_effects: "None".to_owned(),
        reinvocation_policy: Some("IfNeeded".to_owned()),
        admission_review_versions: vec!["v1".to_owned()],
    }
}

/// The way to us, as every policy's webhook goes it, for the pods of the probe namespace alone. It
/// fails closed: nobody runs a pod there, and so the API server says why it could not call.
fn probe(install: &Install, ca_bundle: &str) -> MutatingWebhook {
    let labels = BTreeMap::from([(NAMESPACE_NAME.to_owned(), install.probe_namespace.clone())]);
    MutatingWebhook {
        name: PROBE.to_owned(),
        client_config: install.client_config(admission::PROBE_PATH.to_owned(), ca_bundle),
        rules: Some(vec![rule("CREATE", "pods")]),
        namespace_selector: Some(LabelSelector {
            match_labels: Some(labels),
            match_expressions: None,
        }),
        object_selector: Some(LabelSelector::default()),
        match_conditions: None,
        match_policy: Some("Equivalent".to_owned()),
        failure_policy: Some("Fail".to_owned()),
        timeout_seconds: Some(2),
        side_effects: "None".to_owned(),
        reinvocation_policy: Some("Never".to_owned()),
        admission_review_versions: vec!["v1".to_owned()],
    }
}

fn rule(operation: &str, resource: &str) -> RuleWithOperations {
    let one = |it: &str| Some(vec![it.to_owned()]);
    RuleWithOperations {
        api_groups: one(""),
        api_versions: one("v1"),
        operations: one(operation),
        resources: one(resource),
        scope: Some("Namespaced".to_owned()),
    }
}

/// What `selector` selects, without what a requirement of `also` forbids.
fn and(
    selector: &Option<LabelSelector>,
    also: impl IntoIterator<Item = LabelSelectorRequirement>,
) -> LabelSelector {
    let mut selector = selector.clone().unwrap_or_default();
    let expressions = selector.match_expressions.get_or_insert_default();
    expressions.extend(also);
    selector
}

fn none_of<'a>(key: &str, values: impl IntoIterator<Item = &'a str>) -> LabelSelectorRequirement {
    LabelSelectorRequirement {
        key: key.to_owned(),
        operator: "NotIn".to_owned(),
        values: Some(values.into_iter().map(str::to_owned).collect()),
    }
}

#[cfg(test)]
mod tests;
