//! What the operator may do in a cluster, from the files that the chart installs, and the objects that it may
//! update and not create: the demo and the tests run it with these and no others, without Helm.

use anyhow::Context;
use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Secret, ServiceAccount};
use k8s_openapi::api::rbac::v1::{
    ClusterRole, ClusterRoleBinding, PolicyRule, Role, RoleBinding, RoleRef, Subject,
};
use kube::Client;
use kube::api::{Api, ObjectMeta, Patch, PatchParams};
use serde::Serialize;
use serde::de::DeserializeOwned;

mod policies;

pub use policies::{POLICIES, restrict};

/// The name of the service account of what leads, of its roles, and of the lease and the webhook
/// configuration, as in the chart. A process of both roles has this account too.
pub const NAME: &str = "ecr-operator";
/// The name of the service account of what only serves, and of its roles, as in the chart.
pub const WEBHOOK: &str = "ecr-operator-webhook";

/// The Secret that keeps the certificates.
pub const SECRET: &str = "ecr-operator-webhook";

/// A service account and what it may do.
struct Account {
    name: &'static str,
    in_cluster: &'static str,
    in_namespace: &'static str,
}

const ACCOUNTS: [Account; 2] = [
    Account {
        name: NAME,
        in_cluster: include_str!("../../charts/ecr-operator/files/cluster-rules.yaml"),
        in_namespace: include_str!("../../charts/ecr-operator/files/namespace-rules.yaml"),
    },
    Account {
        name: WEBHOOK,
        in_cluster: include_str!("../../charts/ecr-operator/files/webhook-cluster-rules.yaml"),
        in_namespace: include_str!("../../charts/ecr-operator/files/webhook-namespace-rules.yaml"),
    },
];
const IN_PROBE_NAMESPACE: &str = include_str!("../../charts/ecr-operator/files/probe-rules.yaml");

/// The namespace of the probe pods of an operator that lives in `namespace`.
pub fn probe_namespace(namespace: &str) -> String {
    format!("{namespace}-probe")
}

/// Creates the webhook configuration that the chart installs, if it is not there. What the operator has
/// filled in stays.
pub async fn install_configuration(client: &Client) -> anyhow::Result<()> {
    let configuration = MutatingWebhookConfiguration {
        metadata: labelled(NAME),
        webhooks: None,
    };
    apply(&Api::all(client.clone()), &configuration).await
}

/// Creates what the chart installs beside it for an operator in an existing `namespace`: the lease, and the
/// Secret of its certificates. What the operator has filled in stays.
pub async fn install(client: &Client, namespace: &str) -> anyhow::Result<()> {
    let lease = Lease {
        metadata: labelled(NAME),
        spec: None,
    };
    let secret = Secret {
        metadata: labelled(SECRET),
        ..Secret::default()
    };
    apply(&Api::namespaced(client.clone(), namespace), &lease).await?;
    apply(&Api::namespaced(client.clone(), namespace), &secret).await
}

/// Creates, or brings up to date, the service accounts [`NAME`] and [`WEBHOOK`] in an existing
/// `namespace` with their rights. What is not in the namespace is named after it, so that operators
/// under test and an installed one leave each other alone.
pub async fn grant(client: &Client, namespace: &str) -> anyhow::Result<()> {
    for account in &ACCOUNTS {
        account.grant(client, namespace).await?;
    }
    grant_probes(client, namespace).await
}

impl Account {
    async fn grant(&self, client: &Client, namespace: &str) -> anyhow::Result<()> {
        let Self {
            name,
            in_cluster,
            in_namespace,
        } = self;
        let account = ServiceAccount {
            metadata: named(name),
            ..ServiceAccount::default()
        };
        apply(&Api::namespaced(client.clone(), namespace), &account).await?;

        let everywhere = format!("{name}.{namespace}");
        let cluster_role = ClusterRole {
            metadata: named(&everywhere),
            rules: Some(rules(in_cluster)?),
            ..ClusterRole::default()
        };
        let binding = ClusterRoleBinding {
            metadata: named(&everywhere),
            role_ref: reference("ClusterRole", &everywhere),
            subjects: Some(vec![subject(name, namespace)]),
        };
        apply(&Api::all(client.clone()), &cluster_role).await?;
        apply(&Api::all(client.clone()), &binding).await?;

        let role = Role {
            metadata: named(name),
            rules: Some(rules(in_namespace)?),
        };
        let binding = binding_of(name, namespace);
        apply(&Api::namespaced(client.clone(), namespace), &role).await?;
        apply(&Api::namespaced(client.clone(), namespace), &binding).await
    }
}

/// The namespace of the probe pods, where no other pod may run, and the right to create them for
/// [`NAME`] in `home`.
async fn grant_probes(client: &Client, home: &str) -> anyhow::Result<()> {
    let name = probe_namespace(home);
    let restricted = ("pod-security.kubernetes.io/enforce", "restricted");
    let namespace = Namespace {
        metadata: ObjectMeta {
            labels: Some([(restricted.0.to_owned(), restricted.1.to_owned())].into()),
            ..named(&name)
        },
        ..Namespace::default()
    };
    let role = Role {
        metadata: named(NAME),
        rules: Some(rules(IN_PROBE_NAMESPACE)?),
    };
    apply(&Api::all(client.clone()), &namespace).await?;
    apply(&Api::namespaced(client.clone(), &name), &role).await?;
    let binding = binding_of(NAME, home);
    apply(&Api::namespaced(client.clone(), &name), &binding).await
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta {
        name: Some(name.to_owned()),
        ..ObjectMeta::default()
    }
}

/// With a label of the chart's. Of an object that is created without any field the API server does not record
/// who changes what.
fn labelled(name: &str) -> ObjectMeta {
    let label = ("app.kubernetes.io/name".to_owned(), NAME.to_owned());
    ObjectMeta {
        labels: Some([label].into()),
        ..named(name)
    }
}

fn reference(kind: &str, name: &str) -> RoleRef {
    RoleRef {
        api_group: Some("rbac.authorization.k8s.io".to_owned()),
        kind: kind.to_owned(),
        name: name.to_owned(),
    }
}

fn subject(name: &str, namespace: &str) -> Subject {
    Subject {
        kind: "ServiceAccount".to_owned(),
        name: name.to_owned(),
        namespace: Some(namespace.to_owned()),
        ..Subject::default()
    }
}

/// Binds the role of this name to the account of this name, which is of the namespace `home`.
fn binding_of(name: &str, home: &str) -> RoleBinding {
    RoleBinding {
        metadata: named(name),
        role_ref: reference("Role", name),
        subjects: Some(vec![subject(name, home)]),
    }
}

fn rules(text: &str) -> anyhow::Result<Vec<PolicyRule>> {
    serde_saphyr::from_str(text).context("read the chart's rules")
}

async fn apply<K>(api: &Api<K>, object: &K) -> anyhow::Result<()>
where
    K: kube::Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let name = object.meta().name.as_deref().unwrap_or_default();
    let how = PatchParams::apply("ecr-operator-setup").force();
    api.patch(name, &how, &Patch::Apply(object))
        .await
        .with_context(|| format!("install {} {name}", K::kind(&())))?;
    Ok(())
}
