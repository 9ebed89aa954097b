use expect_test::expect_file;
use kube::core::{Selector, SelectorExt};
use proptest::prelude::*;

use super::*;

const OURS: &str = "ecr-operator-system";
const PROBES: &str = "ecr-operator-system-probe";

fn install() -> Install {
    Install {
        namespace: OURS.to_owned(),
        probe_namespace: PROBES.to_owned(),
        name: "ecr-operator".to_owned(),
        endpoint: Endpoint::Service {
            name: "ecr-operator".to_owned(),
            port: 443,
        },
    }
}

fn one(selectors: Selectors) -> MutatingWebhook {
    let policies = BTreeMap::from([("prod".to_owned(), selectors)]);
    desired(&install(), &policies, "CA").remove(0)
}

fn matches(selector: &Option<LabelSelector>, labels: &[(&str, &str)]) -> bool {
    let selector = Selector::try_from(selector.clone().unwrap()).unwrap();
    let labels = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    selector.matches(&labels.collect())
}

#[test]
fn one_webhook_a_policy_in_the_order_of_names() {
    let policies = BTreeMap::from([
        ("prod".to_owned(), Selectors::default()),
        ("base".to_owned(), Selectors::default()),
    ]);
    let webhooks = desired(&install(), &policies, "CA");
    let names: Vec<_> = webhooks.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "base.image-admission.ecr-operator.dev",
            "prod.image-admission.ecr-operator.dev",
            "admission-probe.ecr-operator.dev",
        ]
    );
    let yaml = serde_saphyr::to_string(&webhooks[0]).unwrap();
    expect_file!["webhook.yaml"].assert_eq(&yaml);
}

#[test]
fn probe_pods_go_the_way_of_the_others_and_say_where_it_ends() {
    let policies = BTreeMap::from([("prod".to_owned(), Selectors::default())]);
    let webhooks = desired(&install(), &policies, "CA");
    let [policy, probe] = &webhooks[..] else {
        panic!("a policy and the probe");
    };
    let path = Some("/probe".to_owned());
    let mut service = policy.client_config.service.clone().unwrap();
    assert_ne!(service.path, path);
    service.path = path;
    assert_eq!(probe.client_config.service, Some(service));
    assert_eq!(
        probe.client_config.ca_bundle,
        policy.client_config.ca_bundle
    );
    assert_eq!(probe.timeout_seconds, policy.timeout_seconds);
    // Only where nobody runs a pod may a pod be refused on our account.
    let called = |it: &MutatingWebhook, namespace| {
        matches(
            &it.namespace_selector,
            &[("kubernetes.io/metadata.name", namespace)],
        )
    };
    for (namespace, by_policy, by_probe) in [
        ("shop", true, false),
        (OURS, false, false),
        (PROBES, false, true),
    ] {
        assert_eq!(called(policy, namespace), by_policy, "{namespace}");
        assert_eq!(called(probe, namespace), by_probe, "{namespace}");
    }
    assert_eq!(policy.failure_policy.as_deref(), Some("Ignore"));
    assert_eq!(probe.failure_policy.as_deref(), Some("Fail"));
}

#[test]
fn no_policy_means_no_webhook() {
    assert_eq!(desired(&install(), &BTreeMap::new(), "CA"), []);
}

#[test]
fn outside_the_cluster_we_are_called_by_address() {
    let endpoint = Endpoint::Url("https://127.0.0.1:9443/".to_owned());
    let install = Install {
        endpoint,
        ..install()
    };
    let config = install.client_config(admission::path("prod"), "CA");
    assert_eq!(
        config.url.as_deref(),
        Some("https://127.0.0.1:9443/mutate/prod")
    );
    assert_eq!(
        install.host_names(),
        BTreeSet::from(["127.0.0.1".to_owned()])
    );
    let six = Endpoint::Url("https://[::1]:9443".to_owned());
    let six = Install {
        endpoint: six,
        ..install
    }
    .host_names();
    assert_eq!(six, BTreeSet::from(["::1".to_owned()]));
}

#[test]
fn a_label_opts_a_pod_or_a_namespace_out() {
    let webhook = one(Selectors::default());
    let namespace = ("kubernetes.io/metadata.name", "shop");
    assert!(matches(&webhook.namespace_selector, &[namespace]));
    assert!(!matches(
        &webhook.namespace_selector,
        &[namespace, ("ecr-operator.dev/rewrite", "false")]
    ));
    assert!(matches(&webhook.object_selector, &[]));
    assert!(!matches(
        &webhook.object_selector,
        &[("ecr-operator.dev/rewrite", "false")]
    ));
}

fn selector() -> impl Strategy<Value = Option<LabelSelector>> {
    let key = prop::sample::select(vec![
        "kubernetes.io/metadata.name",
        "ecr-operator.dev/rewrite",
        "app.kubernetes.io/name",
    ]);
    let value = prop::sample::select(vec![OURS, "kube-system", "ecr-operator", "false", "shop"]);
    let operator = prop::sample::select(vec!["In", "NotIn", "Exists", "DoesNotExist"]);
    let expression = (
        key.clone(),
        operator,
        prop::collection::vec(value.clone(), 1..4),
    )
        .prop_map(|(key, operator, values)| LabelSelectorRequirement {
            key: key.to_owned(),
            operator: operator.to_owned(),
            values: operator
                .ends_with("In")
                .then(|| values.into_iter().map(str::to_owned).collect()),
        });
    let labels = prop::collection::btree_map(
        key.prop_map(str::to_owned),
        value.prop_map(str::to_owned),
        0..3,
    );
    let selector =
        (labels, prop::collection::vec(expression, 0..3)).prop_map(|(labels, expressions)| {
            LabelSelector {
                match_labels: Some(labels),
                match_expressions: Some(expressions),
            }
        });
    prop::option::of(selector)
}

proptest! {
    #[test]
    fn whatever_a_policy_selects_our_own_pods_and_the_systems_are_never_matched(
        namespaces in selector(),
        pods in selector(),
        ours in prop::sample::select(vec![OURS, "kube-system", "kube-node-lease"]),
        more in prop::collection::btree_map("[a-z]{1,5}", "[a-z]{0,5}", 0..3),
    ) {
        let webhook = one(Selectors { namespaces, pods });
        // The API server itself puts this label on every namespace, and lets nobody change it.
        let mut labels = vec![("kubernetes.io/metadata.name", ours)];
        labels.extend(more.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        prop_assert!(!matches(&webhook.namespace_selector, &labels));
    }
}
