//! The control plane that the other tests stand on: Pods are created through it, several run side by
//! side, and a service account may do what RBAC grants it and nothing else.

use std::path::Path;

use ecr_operator::plane::{Choice, Cluster, Options, Progress, start};
use k8s_openapi::api::core::v1::{ConfigMap, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::Client;
use kube::api::{Api, ListParams, PostParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// The one cluster that the tests share, each in namespaces of its own: a plane, or the cluster that
/// `ECR_OPERATOR_CLUSTER` names. Its logs are in `target/tmp/plane`.
pub(crate) async fn shared() -> &'static Cluster {
    static SHARED: OnceCell<Result<Cluster, String>> = OnceCell::const_new();
    let obtain = async || {
        let options = Options {
            logs: Some(Path::new(env!("CARGO_TARGET_TMPDIR")).join("plane")),
            ..Options::default()
        };
        let choice = Choice::from_environment();
        let cluster = Cluster::obtain(choice, &options, &Progress::stderr()).await;
        cluster.map_err(|error| format!("{:#}", anyhow::Error::new(error)))
    };
    match SHARED.get_or_init(obtain).await {
        Ok(cluster) => cluster,
        Err(error) => panic!("{error}"),
    }
}

/// Makes a namespace in the shared cluster and gives its name: no other run's on a cluster that
/// lives on, where `kubectl delete namespace -l ecr-operator-e2e` cleans up.
pub(crate) async fn namespace(cluster: &Cluster, purpose: &str) -> String {
    let name = format!("{purpose}-{}", std::process::id());
    cluster
        .create_namespace(&name, &[("ecr-operator-e2e", "")])
        .await
        .unwrap();
    name
}

/// Creates the object that the JSON says.
pub(crate) async fn create<K>(api: &Api<K>, object: Value) -> kube::Result<K>
where
    K: Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    api.create(
        &PostParams::default(),
        &serde_json::from_value(object).unwrap(),
    )
    .await
}

#[tokio::test]
async fn a_pod_is_created_with_what_admission_adds() {
    let cluster = shared().await;
    let namespace = namespace(cluster, "plane-pod").await;
    let pods: Api<Pod> = Api::namespaced(cluster.client().await.unwrap(), &namespace);
    let pod = json!({
        "metadata": {"name": "web"},
        "spec": {"containers": [{"name": "web", "image": "nginx:1.27"}]},
    });
    let created = create(&pods, pod).await.unwrap().spec.unwrap();
    assert_eq!(created.containers[0].image.as_deref(), Some("nginx:1.27"));
    assert_eq!(created.service_account_name.as_deref(), Some("default"));
    let token = |it: &k8s_openapi::api::core::v1::Volume| it.projected.is_some();
    assert!(
        created.volumes.unwrap().iter().any(token),
        "the service account's token is mounted"
    );
}

#[tokio::test]
async fn two_planes_run_side_by_side_and_share_nothing() {
    if Choice::from_environment() != Choice::Own {
        return; // Whoever names a cluster need not be able to start one.
    }
    let (options, progress) = (Options::default(), Progress::silent());
    let (one, two) = tokio::join!(start(&options, &progress), start(&options, &progress));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!((&one.url, &one.logs), (&two.url, &two.logs));
}

#[tokio::test]
async fn a_service_account_is_refused_what_rbac_does_not_grant() {
    let cluster = shared().await;
    let namespace = &namespace(cluster, "plane-rbac").await;
    let admin = cluster.client().await.unwrap();
    grant_reading_config_maps(&admin, namespace).await;

    let reader = cluster.client_of(namespace, "reader").await.unwrap();
    let maps: Api<ConfigMap> = Api::namespaced(reader.clone(), namespace);
    maps.list(&ListParams::default()).await.unwrap();
    let elsewhere: Api<ConfigMap> = Api::namespaced(reader.clone(), "default");
    let writing = create(&maps, json!({"metadata": {"name": "x"}})).await;
    let user = format!("system:serviceaccount:{namespace}:reader");
    for refused in [
        writing.map(drop),
        elsewhere.list(&ListParams::default()).await.map(drop),
    ] {
        let Err(kube::Error::Api(status)) = refused else {
            panic!("{refused:?}")
        };
        assert!(status.is_forbidden(), "{status:?}");
        assert!(status.message.contains(&user), "{status:?}");
    }
}

async fn grant_reading_config_maps(admin: &Client, namespace: &str) {
    let accounts: Api<ServiceAccount> = Api::namespaced(admin.clone(), namespace);
    create(&accounts, json!({"metadata": {"name": "reader"}}))
        .await
        .unwrap();
    let roles: Api<Role> = Api::namespaced(admin.clone(), namespace);
    let rule = json!({"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"]});
    create(
        &roles,
        json!({"metadata": {"name": "reader"}, "rules": [rule]}),
    )
    .await
    .unwrap();
    let bindings: Api<RoleBinding> = Api::namespaced(admin.clone(), namespace);
    let binding = json!({
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "reader", "namespace": namespace}],
    });
    create(&bindings, binding).await.unwrap();
}
