//! Worlds of tests, written as people write objects: YAML.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Objects, Stopped, World};

/// Two environments, a namespace that may use them, and a lifecycle policy.
pub(super) const BASE: &str = r#"
kind: EnvironmentAccount
metadata: {name: dev, uid: e1, creationTimestamp: "2026-01-01T00:00:00Z"}
spec:
  accountId: "111111111111"
  region: eu-central-1
  allowedPrincipals: {accounts: ["444444444444"]}
  grants:
  - namespaceSelector: {}
    repositoryPrefixes: ["{namespace}/"]
---
kind: EnvironmentAccount
metadata: {name: prod, uid: e2, creationTimestamp: "2026-01-02T00:00:00Z"}
spec:
  accountId: "333333333333"
  region: us-east-1
  replicaRegions: [us-west-2]
  allowedPrincipals: {accounts: ["444444444444"]}
  grants:
  - namespaceSelector: {matchLabels: {team: payments}}
    repositoryPrefixes: ["{namespace}/", shared]
    sourcePrefixes: ["registry.old.example/{namespace}/"]
---
kind: LifecyclePolicy
metadata: {name: keep-30}
spec:
  rules:
  - priority: 1
    selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 30}
    action: {type: expire}
---
kind: Namespace
metadata: {name: payments, labels: {team: payments}}
---
kind: Namespace
metadata: {name: web}
"#;

/// An older object of another namespace that asks for the name `payments/api`.
pub(super) const SQUATTER: &str = r#"
kind: ImageRepository
metadata: {name: theirs, namespace: web, uid: r0, creationTimestamp: "2026-02-01T00:00:00Z"}
spec: {environments: [dev, prod], repositoryName: payments/api}
"#;

/// Settings for repositories that say nothing themselves, in `prod`.
pub(super) const DEFAULTS: &str = r#"
kind: EnvironmentAccount
metadata: {name: prod}
spec:
  accountId: "333333333333"
  region: us-east-1
  allowedPrincipals: {accounts: ["444444444444"]}
  grants: [{namespaceSelector: {}, repositoryPrefixes: ["{namespace}/"]}]
  defaults:
    imageTagMutability: {mode: IMMUTABLE}
    encryption: {type: KMS}
    lifecyclePolicyRef: {name: keep-30}
    access: {pull: ["444444444444"]}
    tags: {from: environment, team: platform}
"#;

/// The world of these documents, of which a later one replaces an earlier one of the same name.
pub(super) fn world(texts: &[&str]) -> World {
    let mut objects = Objects::default();
    let documents = |text| serde_saphyr::from_multiple::<Value>(text).unwrap();
    let mut named = BTreeMap::new();
    for document in texts.iter().flat_map(|it| documents(it)) {
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let metadata = &document["metadata"];
        let name = (text(&metadata["namespace"]), text(&metadata["name"]));
        named.insert((text(&document["kind"]), name), document);
    }
    for ((kind, (_, name)), document) in named {
        match kind.as_str() {
            "EnvironmentAccount" => objects.environments.push(object(document)),
            "ImageRepository" => objects.repositories.push(object(document)),
            "PullThroughRule" => objects.rules.push(object(document)),
            "LifecyclePolicy" => objects.lifecycles.push(object(document)),
            "ImageAdmissionPolicy" => objects.policies.push(object(document)),
            "Namespace" => {
                let labels = serde_json::from_value(document["metadata"]["labels"].clone());
                objects.namespaces.insert(name, labels.unwrap_or_default());
            }
            other => panic!("{other} is no kind of ours"),
        }
    }
    World::new("blue".parse().unwrap(), objects)
}

fn object<K: DeserializeOwned>(mut document: Value) -> Arc<K> {
    document["apiVersion"] = "ecr-operator.dev/v1alpha1".into();
    Arc::new(serde_json::from_value(document).unwrap())
}

/// A stop as tests show it.
pub(super) fn told(stopped: &Stopped) -> String {
    let Stopped {
        environment,
        region,
        reason,
        ..
    } = stopped;
    let environment = environment.as_deref().unwrap_or_default();
    let region = region.as_ref().map_or(String::new(), |it| format!("/{it}"));
    format!("{environment}{region} {reason:?} {stopped}")
}
