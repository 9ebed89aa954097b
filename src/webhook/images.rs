//! Every place of a pod that names an image, in one iterator: who walks a pod by hand forgets one.

use std::fmt;

use super::wire::{Container, Pod, Spec, Volume};

/// One image of a pod, and where it stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Image<'p> {
    /// Where it stands.
    pub(super) field: Field<'p>,
    /// The reference, as it is written.
    pub(super) reference: &'p str,
    /// The pull policy as it is written; `None` where the API server has filled in none.
    pub(super) pull_policy: Option<&'p str>,
}

/// The lists of a pod whose items name images.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum List {
    Containers,
    InitContainers,
    EphemeralContainers,
    Volumes,
}

impl List {
    fn name(self) -> &'static str {
        match self {
            Self::Containers => "containers",
            Self::InitContainers => "initContainers",
            Self::EphemeralContainers => "ephemeralContainers",
            Self::Volumes => "volumes",
        }
    }
}

/// Where an image stands. Displays as `containers[app]`: by name, which stays the same when
/// another webhook puts a sidecar in front.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Field<'p> {
    pub(super) list: List,
    index: usize,
    pub(super) name: &'p str,
}

impl Field<'_> {
    /// The JSON pointer of the image. Nothing in it has to be escaped.
    pub(super) fn pointer(&self) -> String {
        let Self { list, index, .. } = self;
        let image = match list {
            List::Containers | List::InitContainers | List::EphemeralContainers => "image",
            List::Volumes => "image/reference",
        };
        format!("/spec/{}/{index}/{image}", list.name())
    }
}

impl fmt::Display for Field<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.list.name(), self.name)
    }
}

impl<'a> Pod<'a> {
    /// The images that the pod names, in the order of the kubelet: what runs first is first.
    pub(super) fn images(&self) -> impl Iterator<Item = Image<'_>> {
        self.spec.iter().flat_map(|spec| {
            let Spec {
                containers,
                init_containers,
                ephemeral_containers,
                volumes,
                image_pull_secrets: _,
            } = spec;
            let volumes = volumes.iter().flatten().enumerate();
            volumes
                .filter_map(|(index, it)| of_volume(index, it))
                .chain(of_containers(List::InitContainers, init_containers))
                .chain(of_containers(List::Containers, containers))
                .chain(of_containers(
                    List::EphemeralContainers,
                    ephemeral_containers,
                ))
        })
    }
}

fn of_containers<'p>(
    list: List,
    containers: &'p Option<Vec<Container<'_>>>,
) -> impl Iterator<Item = Image<'p>> {
    let containers = containers.iter().flatten().enumerate();
    containers.filter_map(move |(index, container)| {
        let Container {
            name,
            image,
            image_pull_policy,
        } = container;
        Some(Image {
            field: Field {
                list,
                index,
                name: name.as_deref().unwrap_or_default(),
            },
            reference: image.as_deref()?,
            pull_policy: image_pull_policy.as_deref(),
        })
    })
}

fn of_volume<'p>(index: usize, volume: &'p Volume<'_>) -> Option<Image<'p>> {
    let image = volume.image.as_ref()?;
    Some(Image {
        field: Field {
            list: List::Volumes,
            index,
            name: volume.name.as_deref().unwrap_or_default(),
        },
        reference: image.reference.as_deref()?,
        pull_policy: image.pull_policy.as_deref(),
    })
}

#[cfg(test)]
mod tests;
