//! Pods created through a real API server that calls us.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use ecr_operator::api::ORIGINAL_IMAGES;
use ecr_operator::commands::rights;
use ecr_operator::controllers::certificates::Lifetimes;
use ecr_operator::controllers::webhook_configuration::{Endpoint, Selectors};
use ecr_operator::domain::rewrite::Mode;
use expect_test::expect;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement};
use kube::ResourceExt;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::called::{Called, eventually, pods_of, short};
use super::fixture::{ECR, rules};
use crate::plane::{create, shared};

const ARGO_CD: &str = include_str!("../../src/commands/demo/gitops/argo-cd.yaml");

#[tokio::test]
async fn a_pod_comes_out_rewritten_and_later_its_ephemeral_container() {
    let Some(called) = Called::start("admission-pod", Mode::Rewrite).await else {
        return;
    };
    let pods = called.pods();
    let pod = json!({
        "metadata": {"name": "web", "annotations": {"team": "shop"}},
        "spec": {
            "initContainers": [{"name": "wait", "image": "busybox:1.36"}],
            "containers": [
                {"name": "web", "image": "nginx:1.27"},
                {"name": "local", "image": "nginx:1.27", "imagePullPolicy": "Never"},
            ],
            "volumes": [{"name": "data", "image": {"reference": "redis:8"}}],
        },
    });
    let pod = create(&pods, pod).await.unwrap();
    let original = &pod.annotations()[ORIGINAL_IMAGES];
    expect![[r#"{"containers[web]":"nginx:1.27","initContainers[wait]":"busybox:1.36","volumes[data]":"redis:8"}"#]].assert_eq(original);
    assert_eq!(pod.annotations()["team"], "shop");
    expect![[r#"
        web ECR/docker-hub/library/busybox:1.36 ECR/docker-hub/library/nginx:1.27 nginx:1.27 ECR/docker-hub/library/redis:8
    "#]].assert_eq(&images(&pod));

    let debug =
        json!({"spec": {"ephemeralContainers": [{"name": "debug", "image": "busybox:1.36"}]}});
    let parameters = PatchParams::default();
    let patch = Patch::Strategic(debug);
    let pod = pods
        .patch_ephemeral_containers("web", &parameters, &patch)
        .await
        .unwrap();
    expect![[r#"
        web ECR/docker-hub/library/busybox:1.36 ECR/docker-hub/library/nginx:1.27 nginx:1.27 ECR/docker-hub/library/busybox:1.36 ECR/docker-hub/library/redis:8
    "#]].assert_eq(&images(&pod));
    assert_eq!(&pod.annotations()[ORIGINAL_IMAGES], original);
    called.end().await;
}

#[tokio::test]
async fn argo_cds_pods_run_from_ecr() {
    let Some(called) = Called::start("admission-argo-cd", Mode::Rewrite).await else {
        return;
    };
    apply::<ServiceAccount>(&called, "ServiceAccount").await;
    apply::<Deployment>(&called, "Deployment").await;
    apply::<StatefulSet>(&called, "StatefulSet").await;
    let pods = called.pods();
    eventually("each workload has its pod", async || {
        pods.list(&ListParams::default()).await.unwrap().items.len() == 7
    })
    .await;
    let mut pods = pods.list(&ListParams::default()).await.unwrap().items;
    pods.sort_by_key(|it| it.labels()["app.kubernetes.io/name"].clone());
    expect![[r#"
        argocd-application-controller ECR/quay/argoproj/argocd:latest
        argocd-applicationset-controller ECR/quay/argoproj/argocd:latest
        argocd-dex-server ECR/quay/argoproj/argocd:latest ECR/ghcr/dexidp/dex:v2.45.1
        argocd-notifications-controller ECR/quay/argoproj/argocd:latest
        argocd-redis ECR/quay/argoproj/argocd:latest ECR/ecr-public/docker/library/redis:8.10.1-alpine
        argocd-repo-server ECR/quay/argoproj/argocd:latest ECR/quay/argoproj/argocd:latest
        argocd-server ECR/quay/argoproj/argocd:latest
    "#]].assert_eq(&pods.iter().map(images).collect::<String>());
    expect![[r#"{"containers[argocd-application-controller]":"quay.io/argoproj/argocd:latest"}"#]]
        .assert_eq(&pods[0].annotations()[ORIGINAL_IMAGES]);
    called.end().await;
}

#[tokio::test]
async fn a_policy_that_audits_changes_no_pod() {
    let Some(called) = Called::prepare("admission-audit", Mode::Audit, Lifetimes::default()).await
    else {
        return;
    };
    let pods = called.pods();
    let mut made = 0;
    eventually("a review was counted", async || {
        made += 1;
        let spec = json!({"containers": [{"name": "web", "image": "nginx:1.27"}]});
        let pod = json!({"metadata": {"name": format!("web-{made}")}, "spec": spec});
        let pod = create(&pods, pod).await.unwrap();
        assert_eq!(images(&pod), format!("web-{made} nginx:1.27\n"));
        assert!(!pod.annotations().contains_key(ORIGINAL_IMAGES));
        called
            .server
            .counted()
            .contains(r#"images_total{mode="Audit",decision="Rewrite",reason="PullThrough"} 1"#)
    })
    .await;
    called.end().await;
}

#[tokio::test]
async fn a_pod_is_admitted_as_it_is_while_nobody_answers() {
    let Some(mut called) = Called::start("admission-down", Mode::Rewrite).await else {
        return;
    };
    called.server.shutdown.cancel();
    (&mut called.server.ended).await.unwrap();
    let spec = json!({"containers": [{"name": "web", "image": "nginx:1.27"}]});
    let pod = json!({"metadata": {"name": "web"}, "spec": spec});
    let pod = create(&called.pods(), pod).await.unwrap();
    assert_eq!(images(&pod), "web nginx:1.27\n");
}

#[tokio::test]
async fn images_of_every_list_are_rewritten_and_exempt_pods_are_not() {
    let Some(called) = Called::start("admission-lists", Mode::Rewrite).await else {
        return;
    };
    let ours = json!({"name": "ours", "image": format!("{ECR}/shop/checkout:1")});
    let image = json!({"name": "it", "image": "nginx:1.27"});
    let volume = json!({"name": "it", "image": {"reference": "nginx:1.27"}});
    for (spec, path) in [
        (json!({"containers": [ours, image]}), "/containers/1/image"),
        (
            json!({"containers": [ours], "initContainers": [image]}),
            "/initContainers/0/image",
        ),
        (
            json!({"containers": [ours], "volumes": [volume]}),
            "/volumes/0/image/reference",
        ),
    ] {
        let spec = called.admitted("web", spec).await;
        assert_eq!(
            short(spec.pointer(path).unwrap()),
            "ECR/docker-hub/library/nginx:1.27"
        );
    }

    let reviews = called.server.counted();
    let pods = called.pods();
    for (name, metadata, image) in [
        ("ecr", json!({}), &ours["image"]),
        (
            "out",
            json!({"labels": {"ecr-operator.dev/rewrite": "false"}}),
            &image["image"],
        ),
        (
            "mirror",
            json!({"annotations": {"kubernetes.io/config.mirror": "x"}}),
            &image["image"],
        ),
    ] {
        let mut pod = json!({"metadata": metadata});
        pod["metadata"]["name"] = json!(name);
        pod["spec"] = json!({"nodeName": "a", "containers": [{"name": "web", "image": image}]});
        let pod = create(&pods, pod).await.unwrap();
        assert_eq!(images(&pod), format!("{name} {}\n", short(image)));
    }
    let outcome =
        |it: &str| format!("ecr_operator_admission_reviews_total{{outcome=\"{it}\"}} 1\n");
    let counted = called.server.counted();
    assert!(!reviews.contains(&outcome("Exempt")), "{reviews}");
    // The pod that opted out was not sent at all.
    assert!(counted.contains(&outcome("Exempt")), "{counted}");

    let debug = json!({"spec": {"ephemeralContainers": [image]}});
    let (parameters, patch) = (PatchParams::default(), Patch::Strategic(debug));
    let pod = pods
        .patch_ephemeral_containers("ecr", &parameters, &patch)
        .await
        .unwrap();
    expect![[r#"
        ecr ECR/shop/checkout:1 ECR/docker-hub/library/nginx:1.27
    "#]]
    .assert_eq(&images(&pod));
    called.end().await;
}

#[tokio::test]
async fn a_policy_for_all_namespaces_is_never_called_for_the_systems_or_our_own() {
    let Some(mut called) = Called::start("admission-system", Mode::Rewrite).await else {
        return;
    };
    let names = ["kube-system", "ecr-operator-system", &called.namespace];
    let these = LabelSelectorRequirement {
        key: "kubernetes.io/metadata.name".to_owned(),
        operator: "In".to_owned(),
        values: Some(names.map(str::to_owned).into()),
    };
    let namespaces = LabelSelector {
        match_labels: None,
        match_expressions: Some(vec![these]),
    };
    let selectors = Selectors {
        namespaces: Some(namespaces),
        pods: None,
    };
    called.set_policies(BTreeMap::from([("everywhere".to_owned(), selectors)]));
    let configurations = called.configurations();
    eventually("the configuration says so", async || {
        let configuration = configurations.get(&called.install.name).await.unwrap();
        configuration.webhooks.unwrap()[0]
            .name
            .starts_with("everywhere")
    })
    .await;
    let rules = rules([("everywhere", Mode::Rewrite)]);
    called.server.admission.rules.store(Some(Arc::new(rules)));
    called.in_force().await;

    let cluster = shared().await;
    cluster
        .create_namespace("ecr-operator-system", &[])
        .await
        .unwrap();
    let own = mem::replace(&mut called.namespace, "kube-system".to_owned());
    for namespace in ["kube-system", "ecr-operator-system"] {
        called.namespace = namespace.to_owned();
        let spec = json!({"containers": [{"name": "web", "image": "nginx:1.27"}]});
        let spec = called.admitted("web", spec).await;
        assert_eq!(spec["containers"][0]["image"], "nginx:1.27", "{namespace}");
    }
    called.namespace = own;
    called.end().await;
}

#[tokio::test]
async fn edit_by_hand_is_put_right_and_a_new_secret_filled() {
    let Some(called) = Called::start("admission-heal", Mode::Rewrite).await else {
        return;
    };
    let (configurations, name) = (called.configurations(), &called.install.name);
    let before = configurations.get(name).await.unwrap().webhooks;
    let edit = json!([{"op": "replace", "path": "/webhooks/0/failurePolicy", "value": "Fail"}]);
    let edit: json_patch::Patch = serde_json::from_value(edit).unwrap();
    let edited = configurations
        .patch(name, &PatchParams::default(), &Patch::<()>::Json(edit))
        .await
        .unwrap();
    eventually("the edit is put right", async || {
        let now = configurations.get(name).await.unwrap();
        now.webhooks == before && now.resource_version() != edited.resource_version()
    })
    .await;

    let (secrets, secret) = called.secret();
    secrets.delete(secret, &Default::default()).await.unwrap();
    rights::install(&called.client, &called.namespace)
        .await
        .unwrap();
    eventually("there is another authority", async || {
        configurations.get(name).await.unwrap().webhooks != before
    })
    .await;
    called.in_force().await;
    called.end().await;
}

#[tokio::test]
async fn the_api_server_calls_a_service_by_the_name_that_its_certificate_bears() {
    let cluster = shared().await;
    let Some(mut called) = Called::idle("admission-service", Lifetimes::default()).await else {
        return;
    };
    if cluster.plane().is_none() {
        return; // The Service below leads to this machine only from an API server on it.
    }
    let system = &called.install.namespace;
    cluster.create_namespace(system, &[]).await.unwrap();
    let services: Api<Service> = Api::namespaced(called.client.clone(), system);
    let name = called.namespace.clone();
    let spec = json!({"type": "ExternalName", "externalName": "localhost"});
    let service = json!({"metadata": {"name": name}, "spec": spec});
    create(&services, service).await.unwrap();
    let port = called.server.address.port();
    called.install.endpoint = Endpoint::Service { name, port };
    called.keeper.names = called.install.host_names();
    called.lead();
    called.in_force().await;
    called.end().await;
}

#[tokio::test]
async fn a_policy_that_the_api_server_refuses_keeps_no_other_out_of_force() {
    let Some(called) = Called::start("admission-refused", Mode::Rewrite).await else {
        return;
    };
    let sometimes = LabelSelectorRequirement {
        key: "team".to_owned(),
        operator: "Sometimes".to_owned(),
        values: None,
    };
    let broken = Selectors {
        namespaces: None,
        pods: Some(LabelSelector {
            match_labels: None,
            match_expressions: Some(vec![sometimes]),
        }),
    };
    let good = pods_of(&called.namespace);
    called.set_policies(BTreeMap::from([
        ("broken".to_owned(), broken),
        ("other".to_owned(), good.clone()),
        ("prod".to_owned(), good),
    ]));
    eventually("the policy is refused", async || {
        !called.refused.lock().unwrap().is_empty()
    })
    .await;
    let refused = called.refused.lock().unwrap().clone();
    assert_eq!(refused.keys().collect::<Vec<_>>(), ["broken"]);
    assert!(refused["broken"].contains("Sometimes"), "{refused:?}");
    let configuration = called
        .configurations()
        .get(&called.install.name)
        .await
        .unwrap();
    assert_eq!(configuration.webhooks.unwrap().len(), 3); // and the probe's
    called.in_force().await;
    called.end().await;
}

/// Applies the objects of this kind in Argo CD's manifest.
async fn apply<K>(called: &Called, kind: &str)
where
    K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + Serialize
        + DeserializeOwned,
{
    let api: Api<K> = Api::namespaced(called.client.clone(), &called.namespace);
    let objects: Vec<Value> = serde_saphyr::from_multiple(ARGO_CD).unwrap();
    for object in objects.into_iter().filter(|it| it["kind"] == kind) {
        create(&api, object).await.unwrap();
    }
}

/// A line with the pod's name, without what the controller appended, and its images.
fn images(pod: &Pod) -> String {
    let spec = serde_json::to_value(pod.spec.as_ref().unwrap()).unwrap();
    let name = pod
        .labels()
        .get("app.kubernetes.io/name")
        .cloned()
        .unwrap_or(pod.name_any());
    let lists = [
        "initContainers",
        "containers",
        "ephemeralContainers",
        "volumes",
    ];
    let items = lists
        .iter()
        .flat_map(|it| spec[it].as_array().into_iter().flatten());
    let images = items.filter_map(|it| match &it["image"] {
        Value::Null => None,
        Value::Object(volume) => Some(short(&volume["reference"])),
        image => Some(short(image)),
    });
    format!("{name} {}\n", images.collect::<Vec<_>>().join(" "))
}
