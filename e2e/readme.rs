//! The README, held to the truth: its objects are accepted by a real API server, its commands are
//! those of the program, its targets are those of the Makefile.

use clap::CommandFactory;
use ecr_operator::commands::Program;
use kube::Client;
use kube::api::{Api, DynamicObject, GroupVersionKind, Patch, PatchParams, ValidationDirective};
use kube::core::TypeMeta;
use kube::discovery::{Scope, pinned_kind};

use crate::{crds, plane};

const README: &str = include_str!("../README.md");
const MAKEFILE: &str = include_str!("../Makefile");

#[tokio::test]
async fn every_object_in_it_is_accepted() {
    let client = crds::installed().await;
    let namespace = plane::namespace(plane::shared().await, "readme").await;
    let mut count = 0;
    for block in blocks("yaml") {
        for object in serde_saphyr::from_multiple::<DynamicObject>(&block).unwrap() {
            dry_run(&client, object, &namespace).await;
            count += 1;
        }
    }
    assert!(count >= 4, "this reads the README wrongly: {count} objects");
}

async fn dry_run(client: &Client, mut object: DynamicObject, namespace: &str) {
    let TypeMeta { api_version, kind } = object.types.clone().unwrap();
    let (group, version) = api_version.split_once('/').unwrap();
    let (resource, capabilities) =
        pinned_kind(client, &GroupVersionKind::gvk(group, version, &kind))
            .await
            .unwrap();
    let api: Api<DynamicObject> = match capabilities.scope {
        Scope::Namespaced => {
            object.metadata.namespace = Some(namespace.to_owned());
            Api::namespaced_with(client.clone(), namespace, &resource)
        }
        Scope::Cluster => Api::all_with(client.clone(), &resource),
    };
    let judge = PatchParams {
        dry_run: true,
        field_validation: Some(ValidationDirective::Strict),
        ..PatchParams::apply("readme").force()
    };
    let name = object.metadata.name.clone().unwrap();
    let judged = api.patch(&name, &judge, &Patch::Apply(&object)).await;
    judged.unwrap_or_else(|error| panic!("the README's {kind} {name}: {error}"));
}

#[test]
fn every_command_of_the_program_is_in_it() {
    for command in Program::command().get_subcommands() {
        let name = format!("`ecr-operator {}", command.get_name());
        assert!(README.contains(&name), "{name}` is not in the README");
    }
}

#[test]
fn every_target_it_names_is_in_the_makefile() {
    let words = README.split(|c: char| !(c.is_ascii_lowercase() || c == ' '));
    let named = words.filter_map(|it| it.strip_prefix("make ")?.split(' ').next());
    let named: Vec<&str> = named.filter(|it| !it.is_empty()).collect();
    assert!(
        named.contains(&"demo") && named.contains(&"test"),
        "{named:?}"
    );
    for target in named {
        assert!(
            MAKEFILE.contains(&format!("\n{target}: ##")),
            "make {target}"
        );
    }
}

/// The fenced blocks of a language.
fn blocks(language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    let opened = README.split(&fence).skip(1);
    opened
        .filter_map(|it| Some(it.split_once("```")?.0.to_owned()))
        .collect()
}
