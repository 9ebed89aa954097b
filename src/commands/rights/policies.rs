//! What RBAC cannot say of the operator's service accounts: the chart's ValidatingAdmissionPolicies, for the
//! demo and the tests.

use std::collections::BTreeMap;

use anyhow::Context as _;
use k8s_openapi::api::admissionregistration::v1::{
    ValidatingAdmissionPolicy, ValidatingAdmissionPolicyBinding,
    ValidatingAdmissionPolicyBindingSpec, ValidatingAdmissionPolicySpec,
};
use kube::{Api, Client};

use super::{NAME, apply, named, probe_namespace};

/// The file that the chart makes its policies from.
pub const POLICIES: &str = include_str!("../../../charts/ecr-operator/files/policies.yaml");

/// Holds the service accounts of an operator in `namespace`, and nobody else, to the chart's policies. What
/// webhooks may call beside its Service begins with `webhook_url`. The API server takes a moment to notice.
///
/// # Errors
/// When the API server refuses.
pub async fn restrict(
    client: &Client,
    namespace: &str,
    webhook_url: Option<&str>,
) -> anyhow::Result<()> {
    let text = POLICIES
        .replace("RELEASE_NAMESPACE", namespace)
        .replace("PROBE_NAMESPACE", &probe_namespace(namespace))
        .replace("WEBHOOK_URL", webhook_url.unwrap_or_default());
    let policies: BTreeMap<String, ValidatingAdmissionPolicySpec> =
        serde_saphyr::from_str(&text).context("read the chart's policies")?;
    for (policy, spec) in policies {
        let name = format!("{NAME}-{policy}.{namespace}");
        let binding = ValidatingAdmissionPolicyBindingSpec {
            policy_name: name.clone(),
            validation_actions: vec!["Deny".to_owned(), "Audit".to_owned()],
            ..ValidatingAdmissionPolicyBindingSpec::default()
        };
        let policy = ValidatingAdmissionPolicy {
            metadata: named(&name),
            spec: Some(spec),
            status: None,
        };
        let binding = ValidatingAdmissionPolicyBinding {
            metadata: named(&name),
            spec: binding,
        };
        apply(&Api::all(client.clone()), &policy).await?;
        apply(&Api::all(client.clone()), &binding).await?;
    }
    Ok(())
}
