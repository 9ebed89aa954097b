//! The objects that rules come from: files, as a GitOps repository has them, or a cluster.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use k8s_openapi::api::core::v1::Namespace;
use kube::{Api, Client, Resource, ResourceExt, api::ListParams};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::contents::{self, Contents};
use crate::api::{self, ImageRepository};
use crate::desired::{Objects, World};
use crate::domain::names::ClusterId;
use documents::Document;

mod documents;

/// Where `kubectl apply` puts an object that names no namespace.
const DEFAULT_NAMESPACE: &str = "default";
/// The label that Kubernetes gives every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// The world that the YAML files of a folder and the folders in it describe, or of one file. Kinds
/// that are not ours are passed over, YAML or not; a namespace that no file has is taken to bear no labels but
/// Kubernetes' own.
pub fn from_files(path: &Path) -> anyhow::Result<World> {
    Ok(nameless(objects_of_files(&[path.to_owned()])?))
}

/// The world of the cluster that KUBECONFIG, or the pod that this runs in, names.
pub async fn from_cluster() -> anyhow::Result<World> {
    let objects = objects_of_cluster().await;
    objects
        .context("read the cluster's rules (or give --rules with a folder of files)")
        .map(nameless)
}

/// The objects that files and folders describe, each as in [`from_files`]; `-` is standard input.
pub fn objects_of_files(paths: &[PathBuf]) -> anyhow::Result<Objects> {
    let mut objects = Objects::default();
    for path in paths {
        if path.as_os_str() == "-" {
            let text = io::read_to_string(io::stdin());
            let added = text
                .map_err(Into::into)
                .and_then(|it| add_all(&mut objects, &it));
            added.context("read standard input")?;
            continue;
        }
        for file in files(path)? {
            let reading = || format!("read {}", file.display());
            let text = text_of(&file).with_context(reading)?;
            add_all(&mut objects, &text).with_context(reading)?;
        }
    }
    name_namespaces(&mut objects);
    Ok(objects)
}

/// A pipe that is named itself is read: a shell gives one for the output of another program.
fn text_of(file: &Path) -> anyhow::Result<String> {
    match contents::of(fs::File::open(file)?)? {
        Contents::Bytes(bytes) => Ok(String::from_utf8(bytes)?),
        Contents::TooLarge => bail!("the file is too large"),
    }
}

fn add_all(objects: &mut Objects, text: &str) -> anyhow::Result<()> {
    for (i, document) in documents::split(text).into_iter().enumerate() {
        let within = || format!("document {} at line {}", i + 1, document.line);
        let added = read(&document).and_then(|it| add(objects, it.unwrap_or_default()));
        added.with_context(within)?;
    }
    Ok(())
}

/// The object of a document; `None`: it says nothing about rules, and need not even be YAML.
fn read(document: &Document<'_>) -> anyhow::Result<Option<Value>> {
    let is_ours = document.text.contains(&format!("{}/v", api::GROUP));
    if !is_ours && !document.text.contains("Namespace") {
        return Ok(None);
    }
    match serde_saphyr::from_str(&document.in_place()) {
        Ok(object) => Ok(Some(object)),
        Err(error) if is_ours => Err(error.into()),
        Err(_) => Ok(None),
    }
}

/// The objects of the cluster that KUBECONFIG, or the pod that this runs in, names.
pub async fn objects_of_cluster() -> anyhow::Result<Objects> {
    let client = Client::try_default().await.context("find a cluster")?;
    let mut objects = Objects {
        environments: list(&client).await?,
        repositories: list(&client).await?,
        rules: list(&client).await?,
        lifecycles: list(&client).await?,
        policies: list(&client).await?,
        namespaces: BTreeMap::new(),
    };
    for namespace in list::<Namespace>(&client).await? {
        add_namespace(&mut objects, &namespace);
    }
    Ok(objects)
}

/// Rules do not depend on what the cluster calls itself, which only owner tags tell.
pub fn nameless(objects: Objects) -> World {
    let cluster: ClusterId = "explain".parse().expect("seven letters are a cluster id");
    World::new(cluster, objects)
}

/// A namespace that no file has is taken to bear no labels but Kubernetes' own.
pub(super) fn name_namespaces(objects: &mut Objects) {
    for repository in &objects.repositories {
        let name = repository.namespace().unwrap_or_default();
        let labels = || BTreeMap::from([(NAMESPACE_NAME.to_owned(), name.clone())]);
        objects
            .namespaces
            .entry(name.clone())
            .or_insert_with(labels);
    }
}

async fn list<K>(client: &Client) -> anyhow::Result<Vec<Arc<K>>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let listed = Api::<K>::all(client.clone())
        .list(&ListParams::default())
        .await;
    let listed = listed.with_context(|| format!("list {}", K::plural(&())))?;
    Ok(listed.into_iter().map(Arc::new).collect())
}

/// The YAML and JSON files under `path`, in order.
fn files(path: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let reading = || format!("read {}", path.display());
    if !fs::metadata(path).with_context(reading)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    let entries = fs::read_dir(path).with_context(reading)?;
    for entry in entries {
        let path = entry.with_context(reading)?.path();
        let extension = path.extension().and_then(|it| it.to_str());
        let is_read = matches!(extension, Some("yaml" | "yml" | "json")) && path.is_file();
        if path.is_dir() || is_read {
            found.append(&mut files(&path)?);
        }
    }
    found.sort();
    Ok(found)
}

fn add(objects: &mut Objects, document: Value) -> anyhow::Result<()> {
    let text = |field: &str| {
        document
            .get(field)
            .and_then(Value::as_str)
            .unwrap_or_default()
    };
    let (version, kind) = (text("apiVersion"), text("kind"));
    if let Some(items) = document.get("items").and_then(Value::as_array)
        && kind.ends_with("List")
    {
        return items.iter().try_for_each(|it| add(objects, it.clone()));
    }
    if (version, kind) == ("v1", "Namespace") {
        let namespace: Namespace = parse(document)?;
        add_namespace(objects, &namespace);
        return Ok(());
    }
    let Some((api::GROUP, version)) = version.split_once('/') else {
        return Ok(());
    };
    if version != api::VERSION {
        bail!(
            "{kind} has version {version}: this program knows {}",
            api::VERSION
        );
    }
    match kind {
        "EnvironmentAccount" => objects.environments.push(Arc::new(parse(document)?)),
        "ImageAdmissionPolicy" => objects.policies.push(Arc::new(parse(document)?)),
        "ImageRepository" => {
            let mut repository: ImageRepository = parse(document)?;
            let namespace = &mut repository.metadata.namespace;
            namespace.get_or_insert_with(|| DEFAULT_NAMESPACE.to_owned());
            objects.repositories.push(Arc::new(repository));
        }
        "LifecyclePolicy" => objects.lifecycles.push(Arc::new(parse(document)?)),
        "PullThroughRule" => objects.rules.push(Arc::new(parse(document)?)),
        other => bail!("{} has no kind {other:?}", api::GROUP),
    }
    Ok(())
}

fn add_namespace(objects: &mut Objects, namespace: &Namespace) {
    let mut labels = namespace.labels().clone();
    labels.insert(NAMESPACE_NAME.to_owned(), namespace.name_any());
    objects.namespaces.insert(namespace.name_any(), labels);
}

/// As the API server would take it: with no field that it would refuse.
fn parse<K: DeserializeOwned>(document: Value) -> anyhow::Result<K> {
    let name = |it: &Value| {
        let kind = it["kind"].as_str().unwrap_or("?");
        let name = it["metadata"]["name"].as_str().unwrap_or("?");
        format!("{kind} {name}")
    };
    let name = name(&document);
    if let Some(field) = api::unknown_fields(&document).first() {
        bail!("{name}: there is no field {field}");
    }
    serde_json::from_value(document).context(name)
}

#[cfg(test)]
mod tests;
