//! Fields that no definition has. The API server refuses them; files that never meet one are held
//! to the same definitions here, since a misspelt field would otherwise say nothing at all.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};
use serde_json::Value;

use super::definitions;

/// The schema of each kind's `spec`, made once.
static SPECS: LazyLock<BTreeMap<String, JSONSchemaProps>> = LazyLock::new(|| {
    let spec = |it: CustomResourceDefinition| {
        let schema = it
            .spec
            .versions
            .into_iter()
            .next()?
            .schema?
            .open_api_v3_schema?;
        Some((it.spec.names.kind, schema.properties?.remove("spec")?))
    };
    definitions().into_iter().filter_map(spec).collect()
});

/// The fields of an object of ours, under `spec`, that its definition does not have. Empty for
/// objects of other kinds.
pub fn unknown_fields(object: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    if let Some(spec) = object["kind"].as_str().and_then(|kind| SPECS.get(kind)) {
        collect("spec", spec, &object["spec"], &mut unknown);
    }
    unknown
}

fn collect(path: &str, schema: &JSONSchemaProps, value: &Value, unknown: &mut Vec<String>) {
    match (value, &schema.properties, &schema.items) {
        (Value::Object(fields), Some(known), _) => {
            for (name, value) in fields {
                let path = format!("{path}.{name}");
                match known.get(name) {
                    Some(schema) => collect(&path, schema, value, unknown),
                    None => unknown.push(path),
                }
            }
        }
        (Value::Array(values), _, Some(JSONSchemaPropsOrArray::Schema(schema))) => {
            for (i, value) in values.iter().enumerate() {
                collect(&format!("{path}[{i}]"), schema, value, unknown);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests;
