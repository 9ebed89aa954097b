//! What this cluster's pods use: by registry and repository the tags and digests, and a few of the
//! pods. Read before anything that takes images away. It is best effort and errs on the side of use:
//! other clusters, other services and what is scaled to zero are not seen.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{Registry, RepositoryName};
use super::reference::Reference;
use super::rewrite::{Source, ecr_registry, place};

/// Pods that are named; the others are counted.
const NAMED: usize = 3;
/// What the kubelet runs where neither tag nor digest is written.
const DEFAULT_TAG: &str = "latest";

/// One pod, as far as images go.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Pod {
    /// `namespace/name`.
    pub name: String,
    /// What its containers and image volumes run.
    pub images: Vec<Image>,
}

/// What one container runs.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Image {
    /// The references that stand for it: what the spec says, and what it said before it was
    /// rewritten. A pod's author can make up the latter, and thereby only keep more.
    pub references: Vec<String>,
    /// What the node pulled (`imageID`), for example `quay.io/org/app@sha256:…`.
    pub id: Option<String>,
}

/// What pods use. Where it is not loaded yet there is no value of this type.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    hosts: BTreeMap<String, BTreeMap<String, Used>>,
}

/// What is used of one repository.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Used {
    /// By tag, who names it. A reference with tag and digest names both.
    pub tags: BTreeMap<String, Users>,
    /// By digest, who names it or runs it; of an index or of one of its children.
    pub digests: BTreeMap<String, Users>,
}

/// The pods that use one thing. Displays as `payments/api-0, payments/api-1 and 3 more`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Users {
    /// The first few, as `namespace/name`, in order.
    pub some: BTreeSet<String>,
    /// How many there are.
    pub count: usize,
}

impl Usage {
    /// What `pods` use. What is no image reference uses nothing.
    pub fn of_pods<'a>(pods: impl IntoIterator<Item = &'a Pod>) -> Self {
        let mut usage = Self::default();
        for pod in pods {
            let uses: BTreeSet<Use<'_>> = pod.images.iter().flat_map(Image::uses).collect();
            for it in uses {
                usage.note(it, &pod.name);
            }
        }
        usage
    }

    /// What is used of a repository of ECR, by any of its registry's host names.
    pub fn of(&self, registry: &Registry, repository: &RepositoryName) -> &Used {
        self.named(&registry.host(), repository.as_str())
    }

    /// What is used by a name from before a migration.
    pub fn of_source(&self, source: &Source) -> &Used {
        self.named(source.host(), source.path())
    }

    /// Every repository that is used of a registry, by its one host name (`docker.io`), in order.
    pub fn at(&self, host: &str) -> impl Iterator<Item = (&str, &Used)> {
        let repositories = self.hosts.get(host).into_iter().flatten();
        repositories.map(|(name, used)| (name.as_str(), used))
    }

    /// What is used of a repository of a registry, by its one host name (`docker.io`).
    pub fn named(&self, host: &str, repository: &str) -> &Used {
        static NOTHING: Used = Used {
            tags: BTreeMap::new(),
            digests: BTreeMap::new(),
        };
        let repositories = self.hosts.get(host);
        repositories
            .and_then(|it| it.get(repository))
            .unwrap_or(&NOTHING)
    }

    fn note(&mut self, of: Use<'_>, pod: &str) {
        let repositories = self.hosts.entry(of.host).or_default();
        let used = repositories.entry(of.repository).or_default();
        let users = match of.what {
            What::Tag(tag) => used.tags.entry(tag.to_owned()).or_default(),
            What::Digest(digest) => used.digests.entry(digest.to_owned()).or_default(),
        };
        users.add(pod);
    }
}

impl Used {
    /// Whether no pod uses anything of it.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.digests.is_empty()
    }

    /// A few of the pods that use anything of it, in order.
    pub fn pods(&self) -> BTreeSet<&str> {
        let users = self.tags.values().chain(self.digests.values());
        let pods = users.flat_map(|it| &it.some).map(String::as_str);
        let pods: BTreeSet<&str> = pods.collect();
        pods.into_iter().take(NAMED).collect()
    }

    /// This and `other`, which is used by another name of the same repository.
    #[must_use]
    pub fn and(mut self, other: &Self) -> Self {
        let Self { tags, digests } = other;
        for (tag, users) in tags {
            self.tags.entry(tag.clone()).or_default().join(users);
        }
        for (digest, users) in digests {
            self.digests.entry(digest.clone()).or_default().join(users);
        }
        self
    }
}

impl Users {
    fn add(&mut self, pod: &str) {
        self.count += 1;
        self.some.insert(pod.to_owned());
        self.cut();
    }

    /// A pod that both name is one; one that is counted in both alone is counted twice.
    pub(super) fn join(&mut self, other: &Self) {
        let both = self.some.intersection(&other.some).count();
        self.count += other.count - both;
        self.some.extend(other.some.iter().cloned());
        self.cut();
    }

    fn cut(&mut self) {
        while self.some.len() > NAMED {
            self.some.pop_last();
        }
    }
}

impl std::fmt::Display for Users {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let some: Vec<&str> = self.some.iter().map(String::as_str).collect();
        f.write_str(&some.join(", "))?;
        match self.count.saturating_sub(some.len()) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// One thing that a pod uses.
#[derive(Eq, Ord, PartialEq, PartialOrd)]
struct Use<'p> {
    host: String,
    repository: String,
    what: What<'p>,
}

#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum What<'p> {
    Tag(&'p str),
    Digest(&'p str),
}

impl Image {
    fn uses(&self) -> impl Iterator<Item = Use<'_>> {
        // Docker's shim writes `docker-pullable://…`; an id of no registry has no digest in a name.
        let id = self.id.as_deref().map(|it| match it.split_once("://") {
            Some((_, id)) => id,
            None => it,
        });
        let pulled = id.and_then(|it| Reference::parse(it).ok());
        let digest = pulled.and_then(|it| it.digest());
        let references = self.references.iter();
        let written = references.filter_map(|it| Reference::parse(it).ok());
        // A node that has an image by two names tells one of them, so what it runs counts for each.
        let run = pulled.into_iter().chain(written.clone());
        let run = run.filter_map(move |it| Some(Use::of(&it, What::Digest(digest?))));
        written.flat_map(|it| uses_of(&it)).chain(run)
    }
}

fn uses_of<'p>(image: &Reference<'p>) -> impl Iterator<Item = Use<'p>> + use<'p> {
    let digest = image.digest().map(What::Digest);
    let tag = match (image.tag(), digest) {
        (None, Some(_)) => None,
        (tag, _) => Some(What::Tag(tag.unwrap_or(DEFAULT_TAG))),
    };
    let image = *image;
    let all = tag.into_iter().chain(digest);
    all.map(move |what| Use::of(&image, what))
}

impl<'p> Use<'p> {
    fn of(image: &Reference<'_>, what: What<'p>) -> Self {
        let (host, path) = place(image);
        let registry = ecr_registry(&host);
        Self {
            host: registry.map_or_else(|| host.into_owned(), |it| it.host()),
            repository: path.concat(),
            what,
        }
    }
}

#[cfg(test)]
mod tests;
