//! A client that applies objects of ours as people do, and the example objects.

use ecr_operator::api;
use kube::api::{Api, DynamicObject, Patch, PatchParams, ValidationDirective};
use kube::core::response::StatusCause;
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::Value;

use super::installed;

/// The least that each kind can say.
pub(super) const MINIMAL: &str = include_str!("minimal.yaml");
/// All that each kind can say.
pub(super) const FULL: &str = include_str!("full.yaml");

/// The API server's own remark beside what the schema alone refuses.
const UNCHECKED: &str = "some validation rules were not checked";

/// Whether an accepted object is stored, or only judged.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Keep {
    /// Stored.
    Stored,
    /// Only judged.
    Nothing,
}

/// A client of the shared cluster, for one test.
pub(super) struct Session(pub(super) kube::Client);

impl Session {
    pub(super) async fn open() -> Self {
        Self(installed().await)
    }

    /// Applies as `kubectl apply --server-side` does: a field that is unknown is an error.
    pub(super) async fn apply(&self, object: &Value, keep: Keep) -> Result<DynamicObject, String> {
        let params = PatchParams {
            dry_run: keep == Keep::Nothing,
            field_validation: Some(ValidationDirective::Strict),
            ..PatchParams::apply("e2e").force()
        };
        let answer = self
            .api(object)
            .patch(name(object), &params, &Patch::Apply(object))
            .await;
        answer.map_err(|error| match error {
            kube::Error::Api(status) => match status.details.map(|it| it.causes) {
                Some(causes) if !causes.is_empty() => {
                    let is_ours = |it: &&StatusCause| !it.message.contains(UNCHECKED);
                    let lines = causes.iter().filter(is_ours);
                    let lines = lines.map(|it| format!("{}: {}", it.field, it.message));
                    lines.collect::<Vec<_>>().join("\n")
                }
                _ => status.message,
            },
            other => panic!("{other}"),
        })
    }

    pub(super) async fn delete(&self, object: &Value) {
        let answer = self
            .api(object)
            .delete(name(object), &Default::default())
            .await;
        answer.unwrap();
    }

    pub(super) fn api(&self, object: &Value) -> Api<DynamicObject> {
        let kind = object["kind"].as_str().unwrap();
        let mut definitions = api::definitions().into_iter();
        let definition = definitions.find(|it| it.spec.names.kind == kind).unwrap();
        let kind = GroupVersionKind::gvk(api::GROUP, api::VERSION, kind);
        let resource = ApiResource::from_gvk_with_plural(&kind, &definition.spec.names.plural);
        match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(self.0.clone(), namespace, &resource),
            None => Api::all_with(self.0.clone(), &resource),
        }
    }
}

pub(super) fn name(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap()
}

pub(super) fn documents(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).unwrap()
}

pub(super) fn example(text: &str, kind: &str) -> Value {
    documents(text)
        .into_iter()
        .find(|it| it["kind"] == kind)
        .unwrap()
}
