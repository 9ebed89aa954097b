//! The custom resource definitions: checked in as they are generated, documented, small enough for
//! a plain `kubectl apply`.

use std::path::Path;

use ecr_operator::api;
use ecr_operator::commands::crds;
use expect_test::expect_file;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::runtime::wait::{await_condition, conditions};
use serde_json::json;
use tokio::sync::OnceCell;

use crate::plane;

mod columns;
mod refusals;
mod session;

/// `kubectl apply` keeps the whole object in an annotation, of which there may be 256 KiB.
const LARGEST: usize = 200 * 1024;

/// Short names that other operators on the same cluster have.
const TAKEN: &[&str] = &[
    "imgrepo", "imgpol", "iua", "ks", "hr", "hc", "gitrepo", "ocirepo", "helmrepo", // Flux
    "is", "istag", "isimage", "bc", "dc", // OpenShift
    "cert", "iss", "es", "ss", "cpol", "pol", "app", "appset", "ec2nc",
];

/// A client of the shared cluster, where the definitions are served.
pub(crate) async fn installed() -> kube::Client {
    static INSTALLED: OnceCell<()> = OnceCell::const_new();
    let cluster = plane::shared().await;
    let install = async || {
        let client = cluster.client().await.unwrap();
        let api: Api<CustomResourceDefinition> = Api::all(client);
        let params = PatchParams::apply("e2e").force();
        for definition in api::definitions() {
            let name = definition.metadata.name.as_deref().unwrap();
            api.patch(name, &params, &Patch::Apply(&definition))
                .await
                .unwrap();
            let served = conditions::is_crd_established();
            await_condition(api.clone(), name, served).await.unwrap();
        }
        cluster.create_namespace("crds", &[]).await.unwrap();
    };
    INSTALLED.get_or_init(install).await;
    cluster.client().await.unwrap()
}

#[test]
fn definitions_are_checked_in_as_they_are_generated() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("crds");
    let files = crds::files().unwrap();
    for (name, text) in &files {
        expect_file![folder.join(name)].assert_eq(text);
        assert!(text.len() < LARGEST, "{name} has {} bytes", text.len());
    }
    let checked_in = folder.read_dir().unwrap().count();
    assert_eq!(checked_in, files.len(), "a file in crds/ is of no kind");
}

#[test]
fn every_field_is_described_and_bounded() {
    let mut wrong = Vec::new();
    for definition in api::definitions() {
        let kind = definition.spec.names.kind.clone();
        let schema = schema(&definition);
        let fields = schema.properties.as_ref().unwrap();
        for field in ["spec", "status"] {
            inspect(&format!("{kind}.{field}"), &fields[field], &mut wrong);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn names_are_in_the_category_and_clash_with_no_other_operator() {
    for definition in api::definitions() {
        let names = &definition.spec.names;
        assert_eq!(names.categories.as_deref(), Some(&["ecr".to_owned()][..]));
        for short in names.short_names.iter().flatten() {
            assert!(!TAKEN.contains(&short.as_str()), "{short} is taken");
        }
        let columns = definition.spec.versions[0]
            .additional_printer_columns
            .iter()
            .flatten();
        let shown: Vec<_> = columns.map(|it| it.name.as_str()).collect();
        for column in ["Ready", "Reason", "Age"] {
            assert!(shown.contains(&column), "{} shows no {column}", names.kind);
        }
    }
}

#[tokio::test]
async fn kinds_of_flux_and_ours_live_side_by_side() {
    let api: Api<CustomResourceDefinition> = Api::all(installed().await);
    let flux: CustomResourceDefinition = serde_json::from_value(json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "imagerepositories.image.toolkit.fluxcd.io"},
        "spec": {
            "group": "image.toolkit.fluxcd.io",
            "scope": "Namespaced",
            "names": {
                "kind": "ImageRepository",
                "plural": "imagerepositories",
                "shortNames": ["imgrepo"],
                "categories": ["all", "fluxcd"],
            },
            "versions": [{
                "name": "v1",
                "served": true,
                "storage": true,
                "schema": {"openAPIV3Schema": {"type": "object"}},
            }],
        },
    }))
    .unwrap();
    let params = PatchParams::apply("e2e").force();
    let name = "imagerepositories.image.toolkit.fluxcd.io";
    api.patch(name, &params, &Patch::Apply(&flux))
        .await
        .unwrap();
    await_condition(api.clone(), name, conditions::is_crd_established())
        .await
        .unwrap();
    for definition in api.list(&ListParams::default()).await.unwrap() {
        let conditions = definition
            .status
            .iter()
            .flat_map(|it| it.conditions.iter().flatten());
        let mut refused =
            conditions.filter(|it| it.type_ == "NamesAccepted" && it.status != "True");
        assert!(refused.next().is_none(), "{:?}", definition.metadata.name);
    }
}

fn schema(definition: &CustomResourceDefinition) -> &JSONSchemaProps {
    let version = &definition.spec.versions[0];
    version
        .schema
        .as_ref()
        .unwrap()
        .open_api_v3_schema
        .as_ref()
        .unwrap()
}

/// Collects what `schema` and everything below it lacks.
fn inspect(path: &str, schema: &JSONSchemaProps, wrong: &mut Vec<String>) {
    let is_bounded = match schema.type_.as_deref() {
        Some("string") => {
            schema.max_length.is_some() || schema.enum_.is_some() || schema.format.is_some()
        }
        Some("array") => schema.max_items.is_some(),
        Some("object") => schema.properties.is_some() || schema.max_properties.is_some(),
        _ => true,
    };
    if !is_bounded {
        wrong.push(format!("{path} is not bounded"));
    }
    // The API server warns of any other.
    let formats = ["int32", "int64", "double", "date-time"];
    if let Some(format) = schema.format.as_deref().filter(|it| !formats.contains(it)) {
        wrong.push(format!("{path} is of format {format}"));
    }
    for (name, field) in schema.properties.iter().flatten() {
        let path = format!("{path}.{name}");
        if field.description.as_ref().is_none_or(|it| it.len() < 12) {
            wrong.push(format!("{path} has no description"));
        }
        inspect(&path, field, wrong);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        if items.default.is_some() || has_defaults(items) {
            wrong.push(format!("{path} has a default inside its items"));
        }
        inspect(&format!("{path}[]"), items, wrong);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        inspect(&format!("{path}{{}}"), values, wrong);
    }
}

fn has_defaults(schema: &JSONSchemaProps) -> bool {
    let mut fields = schema.properties.iter().flatten();
    fields.any(|(_, it)| it.default.is_some() || has_defaults(it))
}
