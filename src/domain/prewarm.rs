//! What a cache should fetch before a pod asks for it again: what this cluster's pods use of its
//! upstream, tag by tag, no more in an hour than the upstream's pull limit bears.
//! <https://docs.docker.com/docker-hub/usage/pulls/>

use std::collections::{BTreeMap, BTreeSet};

use super::json;
use super::names::{Registry, RepositoryName};
use super::pull_through::{Prefix, Rule};
use super::usage::{Usage, Used};

/// An hour, in seconds.
const HOUR: i64 = 3600;

/// One image to have in a cache, by the name that it has there and its tag.
pub type Image = (RepositoryName, String);

/// What pods use of one upstream.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Wanted {
    /// Images that are used by tag.
    pub images: BTreeSet<Image>,
    /// How many digests are used of repositories of which no tag is used. ECR imports by tag, so
    /// these cannot be fetched.
    pub digests: usize,
}

impl Wanted {
    /// SHA-256 of all of it, in hexadecimal: changes with what pods use.
    pub fn hash(&self) -> String {
        let Self { images, digests } = self;
        let images: Vec<String> = images.iter().map(name).collect();
        json::sha256(&format!("{}\n{digests}", images.join("\n")))
    }
}

/// What pods use of the upstream of `rule`: by the upstream's own names, and by the names in the
/// cache in any of `registries`, where manifests name it already.
pub fn wanted<'a>(
    rule: &Rule,
    registries: impl IntoIterator<Item = &'a Registry>,
    usage: &Usage,
) -> Wanted {
    let mut used: BTreeMap<RepositoryName, Used> = BTreeMap::new();
    let mut add = |name: Option<RepositoryName>, of: &Used| {
        if let Some(name) = name {
            let known = used.remove(&name).unwrap_or_default();
            used.insert(name, known.and(of));
        }
    };
    for (path, of) in usage.at(rule.source.hosts()[0]) {
        add(rule.cached(path), of);
    }
    for registry in registries {
        for (path, of) in usage.at(&registry.host()) {
            let name = path.parse().ok();
            add(name.filter(|it| is_cached(rule, it)), of);
        }
    }
    let mut wanted = Wanted::default();
    for (name, Used { tags, digests }) in used {
        if tags.is_empty() {
            wanted.digests += digests.len();
        }
        let images = tags.into_keys().map(|tag| (name.clone(), tag));
        wanted.images.extend(images);
    }
    wanted
}

/// Everything in the registry could be of a cache of all of it, so there only upstream names count.
fn is_cached(rule: &Rule, name: &RepositoryName) -> bool {
    rule.prefix != Prefix::Root && rule.prefix.covers(name)
}

/// The imports of the hour that began with the first of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Spent {
    /// When it began, in seconds since 1970.
    pub since: i64,
    /// How many there were.
    pub imports: u32,
}

impl Spent {
    /// How many more there may be at `now`.
    pub fn left(self, now: i64, an_hour: u32) -> u32 {
        an_hour.saturating_sub(self.at(now).imports)
    }

    /// What is spent with `imports` more.
    #[must_use]
    pub fn and(self, now: i64, imports: u32) -> Self {
        let Self {
            since,
            imports: before,
        } = self.at(now);
        Self {
            since,
            imports: before.saturating_add(imports),
        }
    }

    /// What counts at `now`: nothing of an hour that is over.
    fn at(self, now: i64) -> Self {
        if (0..HOUR).contains(&(now - self.since)) {
            return self;
        }
        Self {
            since: now,
            imports: 0,
        }
    }
}

/// The next `most` of `missing`, going round behind `after`: an image that the upstream does not
/// have keeps no other waiting.
pub fn next<'a>(missing: &'a BTreeSet<Image>, after: &str, most: u32) -> Vec<&'a Image> {
    let is_behind = |it: &&Image| name(it).as_str() > after;
    let (behind, before): (Vec<_>, Vec<_>) = missing.iter().partition(is_behind);
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    behind.into_iter().chain(before).take(most).collect()
}

/// `REPOSITORY:TAG`
pub fn name((repository, tag): &Image) -> String {
    format!("{repository}:{tag}")
}

#[cfg(test)]
mod tests;
