//! Facts about images: which tags and digests a registry was seen to hold, ACTIVE and so pullable.
//! Built from lists, read at admission; what was never listed is unknown, not absent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::names::{Registry, RepositoryName};
use super::origin::Origin;

/// What is known of every registry's images. A clone shares all that is not changed after it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Facts {
    registries: BTreeMap<Registry, Arc<BTreeMap<RepositoryName, Arc<Images>>>>,
    /// Who made the repositories of each registry, where something says so.
    origins: BTreeMap<Registry, BTreeMap<RepositoryName, Origin>>,
    unlisted: Presence,
}

/// The ACTIVE images of one repository; no others, since an archived one cannot be pulled.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Images {
    /// Each tag and the digest that it names.
    pub tags: BTreeMap<String, String>,
    /// Every digest, of indexes and of their children.
    pub digests: BTreeSet<String>,
}

/// What is known of one image.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Presence {
    /// It was listed.
    Active,
    /// Its repository was listed, or is not there, and it was not in it.
    Absent,
    /// Its repository has not been listed, not yet, or not for too long.
    #[default]
    Unknown,
}

/// What a node asks a registry for. With a tag and a digest it asks for the digest alone.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Wanted<'a> {
    /// Whatever the tag names.
    Tag(&'a str),
    /// Exactly this image.
    Digest(&'a str),
}

impl Facts {
    /// Facts for the command line, where nothing is listed: every image is as `presence` says.
    pub fn assuming(presence: Presence) -> Self {
        Self {
            unlisted: presence,
            ..Self::default()
        }
    }

    /// Takes note of one repository as listed in full. One that does not exist has no images.
    pub fn record(&mut self, registry: &Registry, name: RepositoryName, images: Arc<Images>) {
        let repositories = self.registries.entry(registry.clone()).or_default();
        Arc::make_mut(repositories).insert(name, images);
    }

    /// Takes note of who made a repository. It does not depend on whether its images are known.
    pub fn made_by(&mut self, registry: &Registry, name: RepositoryName, origin: Origin) {
        let origins = self.origins.entry(registry.clone()).or_default();
        origins.insert(name, origin);
    }

    /// Takes over what `known` says of a whole registry, which could not be listed this time.
    pub fn keep(&mut self, known: &Self, registry: &Registry) {
        if let Some(repositories) = known.registries.get(registry) {
            self.registries
                .insert(registry.clone(), Arc::clone(repositories));
        }
    }

    /// The images of a repository, if it was listed.
    pub fn images(&self, registry: &Registry, repository: &str) -> Option<&Arc<Images>> {
        self.registries.get(registry)?.get(repository)
    }

    /// Who made a repository below a cache's prefix.
    pub fn origin(&self, registry: &Registry, repository: &str) -> Origin {
        let origins = self.origins.get(registry);
        let origin = origins.and_then(|it| it.get(repository));
        origin.copied().unwrap_or_default()
    }

    /// Whether `repository` is known to hold what is wanted.
    pub fn presence(&self, registry: &Registry, repository: &str, wanted: Wanted<'_>) -> Presence {
        let Some(images) = self.images(registry, repository) else {
            return self.unlisted;
        };
        let there = match wanted {
            Wanted::Tag(tag) => images.tags.contains_key(tag),
            Wanted::Digest(digest) => images.digests.contains(digest),
        };
        if there {
            Presence::Active
        } else {
            Presence::Absent
        }
    }
}

#[cfg(test)]
mod tests;
