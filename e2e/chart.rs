//! The chart, as far as it can be held without Helm: what it grants the operator, asked of a real
//! API server.

use ecr_operator::commands::rights;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview};
use k8s_openapi::api::rbac::v1::PolicyRule;
use kube::Client;
use kube::api::{Api, PostParams};

use crate::plane::{namespace, shared};

/// One thing that may be asked for: verb, API group, resource (with subresource), namespace, name.
type Ask = (
    &'static str,
    &'static str,
    &'static str,
    &'static str,
    &'static str,
);

const OURS: &str = "ecr-operator.dev";
/// Stands for the operator's own namespace.
const HERE: &str = "HERE";
/// Stands for that of its probe pods.
const PROBES: &str = "PROBES";

const GRANTED: &[Ask] = &[
    ("watch", OURS, "imagerepositories", "", ""),
    ("patch", OURS, "imagerepositories", "team", "api"),
    ("patch", OURS, "environmentaccounts/status", "", "prod"),
    ("create", "events.k8s.io", "events", "team", ""),
    ("watch", "", "namespaces", "", ""),
    ("watch", "", "pods", "", ""),
    (
        "update",
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "",
        "ecr-operator",
    ),
    (
        "update",
        "coordination.k8s.io",
        "leases",
        HERE,
        "ecr-operator",
    ),
    ("watch", "", "secrets", HERE, "ecr-operator-webhook"),
    (
        "watch",
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "",
        "ecr-operator",
    ),
    ("create", "", "pods", PROBES, ""),
];

const WITHHELD: &[Ask] = &[
    ("create", "", "secrets", HERE, ""),
    ("create", "coordination.k8s.io", "leases", HERE, ""),
    (
        "create",
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "",
        "",
    ),
    (
        "delete",
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "",
        "ecr-operator",
    ),
    ("create", OURS, "imagerepositories", "team", ""),
    ("delete", OURS, "imagerepositories", "team", "api"),
    ("update", OURS, "imagerepositories", "team", "api"),
    ("get", "", "secrets", "team", "ecr-operator-webhook"),
    (
        "watch",
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "",
        "",
    ),
    ("get", "", "secrets", HERE, "another"),
    ("list", "", "secrets", HERE, ""),
    (
        "update",
        "coordination.k8s.io",
        "leases",
        "team",
        "ecr-operator",
    ),
    (
        "patch",
        "admissionregistration.k8s.io",
        "mutatingwebhookconfigurations",
        "",
        "another",
    ),
    ("delete", "", "pods", "team", "api"),
    ("create", "", "pods", "team", ""),
    ("create", "", "pods", HERE, ""),
    ("delete", "", "pods", PROBES, ""),
    ("create", "", "pods/exec", "team", "api"),
    ("patch", "", "namespaces", "", "team"),
    (
        "escalate",
        "rbac.authorization.k8s.io",
        "clusterroles",
        "",
        "ecr-operator",
    ),
];

#[tokio::test]
async fn the_operator_may_do_what_it_needs_and_nothing_else() {
    let cluster = shared().await;
    let home = namespace(cluster, "chart-rights").await;
    rights::grant(&cluster.client().await.unwrap(), &home)
        .await
        .unwrap();
    let operator = cluster.client_of(&home, rights::NAME).await.unwrap();
    for ask in GRANTED {
        assert!(
            may(&operator, &home, ask).await,
            "should be granted: {ask:?}"
        );
    }
    for ask in WITHHELD {
        assert!(
            !may(&operator, &home, ask).await,
            "should be withheld: {ask:?}"
        );
    }
}

async fn may(client: &Client, home: &str, ask: &Ask) -> bool {
    let (verb, group, resource, namespace, name) = *ask;
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let probes = rights::probe_namespace(home);
    let namespace = match namespace {
        HERE => home,
        PROBES => &probes,
        named => named,
    };
    let text = |it: &str| Some(it.to_owned());
    let mut review = SelfSubjectAccessReview::default();
    review.spec.resource_attributes = Some(ResourceAttributes {
        verb: text(verb),
        group: text(group),
        resource: text(resource),
        subresource: text(subresource),
        namespace: text(namespace),
        name: text(name),
        ..ResourceAttributes::default()
    });
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = reviews
        .create(&PostParams::default(), &review)
        .await
        .unwrap();
    answer.status.unwrap().allowed
}

/// What may be updated by name and not created is in the chart, or nobody makes it.
#[test]
fn what_may_only_be_updated_is_installed() {
    let installed = include_str!("../charts/ecr-operator/templates/installed.yaml");
    let objects: Vec<&str> = installed.split("---\n").collect();
    let rules = [
        include_str!("../charts/ecr-operator/files/cluster-rules.yaml"),
        include_str!("../charts/ecr-operator/files/namespace-rules.yaml"),
    ];
    let rules = rules.map(|it| serde_saphyr::from_str::<Vec<PolicyRule>>(it).unwrap());
    let mut names = 0;
    for rule in rules.iter().flatten() {
        assert!(rule.resource_names.is_none() || !rule.verbs.contains(&"create".to_owned()));
        for name in rule.resource_names.iter().flatten() {
            let name = format!("\n  name: {name}\n");
            let kind = rule
                .resources
                .iter()
                .flatten()
                .next()
                .unwrap()
                .trim_end_matches('s');
            let is_it = |it: &&str| {
                let is_kind = it
                    .lines()
                    .any(|it| it.to_lowercase() == format!("kind: {kind}"));
                is_kind && it.contains(&name)
            };
            assert!(objects.iter().any(is_it), "{kind} {name}");
            names += 1;
        }
    }
    assert_eq!(names, 3);
}
