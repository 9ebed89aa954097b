//! A Pod of Kubernetes as far as it names images. Whatever is not named here is skipped without
//! building it, and so costs no memory however large it is.

use std::borrow::Cow;
use std::collections::BTreeMap;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::ObjectMeta;
use serde::Deserialize;

use crate::domain::usage::{self, Image};

/// A pod, and what the watch needs of its metadata.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Whole")]
pub(super) struct Pod {
    meta: ObjectMeta,
    /// What it uses.
    pub(super) pod: usage::Pod,
}

#[derive(Deserialize)]
struct Whole {
    #[serde(default)]
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    #[serde(default)]
    annotations: Annotations,
}

#[derive(Default, Deserialize)]
struct Annotations {
    /// `api::ORIGINAL_IMAGES`
    #[serde(rename = "ecr-operator.dev/original-images")]
    originals: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    containers: Vec<Container>,
    init_containers: Vec<Container>,
    ephemeral_containers: Vec<Container>,
    volumes: Vec<Volume>,
}

#[derive(Deserialize)]
struct Container {
    name: String,
    image: Option<String>,
}

#[derive(Deserialize)]
struct Volume {
    name: String,
    image: Option<VolumeImage>,
}

#[derive(Deserialize)]
struct VolumeImage {
    reference: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    container_statuses: Vec<ContainerStatus>,
    init_container_statuses: Vec<ContainerStatus>,
    ephemeral_container_statuses: Vec<ContainerStatus>,
}

#[derive(Deserialize)]
struct ContainerStatus {
    name: String,
    #[serde(rename = "imageID")]
    image_id: Option<String>,
}

impl From<Whole> for Pod {
    fn from(whole: Whole) -> Self {
        let Whole {
            metadata,
            spec,
            status,
        } = whole;
        let originals = metadata.annotations.originals.unwrap_or_default();
        let namespace = metadata.namespace.as_deref().unwrap_or_default();
        let name = metadata.name.as_deref().unwrap_or_default();
        Self {
            pod: usage::Pod {
                name: format!("{namespace}/{name}"),
                images: images(spec, status, &originals),
            },
            meta: ObjectMeta {
                name: metadata.name,
                namespace: metadata.namespace,
                uid: metadata.uid,
                resource_version: metadata.resource_version,
                ..ObjectMeta::default()
            },
        }
    }
}

fn images(spec: Spec, status: Status, originals: &str) -> Vec<Image> {
    let mut originals: BTreeMap<String, String> =
        serde_json::from_str(originals).unwrap_or_default();
    let mut images = Vec::new();
    let volumes = spec.volumes.into_iter().filter_map(|it| {
        let image = it.image?.reference;
        Some(Container {
            name: it.name,
            image,
        })
    });
    let lists = [
        ("volumes", volumes.collect(), Vec::new()),
        (
            "initContainers",
            spec.init_containers,
            status.init_container_statuses,
        ),
        ("containers", spec.containers, status.container_statuses),
        (
            "ephemeralContainers",
            spec.ephemeral_containers,
            status.ephemeral_container_statuses,
        ),
    ];
    for (list, containers, statuses) in lists {
        for Container { name, image } in containers {
            let original = originals.remove(&format!("{list}[{name}]"));
            let status = statuses.iter().find(|it| it.name == name);
            let id = status.and_then(|it| it.image_id.clone());
            images.push(Image {
                references: image.into_iter().chain(original).collect(),
                id: id.filter(|it| !it.is_empty()),
            });
        }
    }
    images
}

impl Resource for Pod {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Pod".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "pods".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.meta
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.meta
    }
}
