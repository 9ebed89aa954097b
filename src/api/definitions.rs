//! The definitions as they are installed: each kind's own, with descriptions as paragraphs, since
//! `kubectl explain` breaks lines itself.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;

use super::{
    EnvironmentAccount, ImageAdmissionPolicy, ImageRepository, LifecyclePolicy, PullThroughRule,
};

/// The definitions of all kinds, in order of their names.
pub fn definitions() -> Vec<CustomResourceDefinition> {
    let mut definitions = vec![
        EnvironmentAccount::crd(),
        ImageAdmissionPolicy::crd(),
        ImageRepository::crd(),
        LifecyclePolicy::crd(),
        PullThroughRule::crd(),
    ];
    let versions = definitions.iter_mut().flat_map(|it| &mut it.spec.versions);
    for schema in versions.filter_map(|it| it.schema.as_mut()) {
        schema.open_api_v3_schema.iter_mut().for_each(join_lines);
    }
    definitions
}

fn join_lines(schema: &mut JSONSchemaProps) {
    if let Some(description) = &mut schema.description {
        let paragraphs = description.split("\n\n").map(|it| it.replace('\n', " "));
        *description = paragraphs.collect::<Vec<_>>().join("\n\n");
    }
    let fields = schema.properties.iter_mut().flatten();
    fields.for_each(|(_, it)| join_lines(it));
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        join_lines(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        join_lines(values);
    }
}
