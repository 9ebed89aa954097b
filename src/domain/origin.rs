//! Who made a repository below a cache's prefix. Everybody who may create repositories can give one
//! such a name, so a name proves nothing: what counts is what ECR reports of the repository itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::owner;
use super::pull_through::{self, Prefix};
use super::repository;
use super::{RepositoryName, owner::Owner};

/// When something was created, in seconds since 1970, by ECR's own clock. Moments of one registry
/// compare; no clock of ours is involved. Parts of a second do not count: what a cache makes in the
/// second of its own creation is not older than it, however exactly each of the two is reported.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Created(pub i64);

/// Who made a repository below a cache's prefix.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Origin {
    /// The cache: the repository bears the tag that our creation template gives, or the owner tags
    /// of the cache's object.
    Cache,
    /// Nothing says who: no mark, and not older than the cache.
    #[default]
    Unmarked,
    /// Somebody else: it bears a mark of another owner or of AWS, or it is older than the cache.
    Somebody,
}

/// What made the repositories below one prefix of one registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Maker {
    /// The cache's prefix.
    pub prefix: Prefix,
    /// When the cache's rule was created first; `None`: ECR does not say.
    pub since: Option<Created>,
}

impl Maker {
    /// The cache whose repository `name` would be: that with the longest prefix. `since` has what is
    /// known of rules that were deleted, and perhaps created again: what such a cache made before is
    /// still its own.
    pub fn of(
        name: &RepositoryName,
        rules: &BTreeMap<Prefix, pull_through::Observed>,
        since: &BTreeMap<Prefix, Option<Created>>,
    ) -> Option<Self> {
        let prefixes = rules.keys().chain(since.keys());
        let covering = prefixes.filter(|it| it.covers(name));
        let prefix = covering.max_by_key(|it| match it {
            Prefix::Root => 0,
            Prefix::Path(path) => path.len(),
        })?;
        let now = rules.get(prefix).and_then(|it| it.created);
        let known = since.get(prefix).copied().flatten();
        Some(Self {
            prefix: prefix.clone(),
            since: now.into_iter().chain(known).min(),
        })
    }

    /// Whether nothing rules out that this cache has made a repository under its name.
    pub fn may_have_made(&self, observed: &repository::Observed) -> bool {
        match self.judge(observed) {
            Origin::Cache | Origin::Unmarked => true,
            Origin::Somebody => false,
        }
    }

    /// Who made a repository without a mark in another region than its home, where this may be its
    /// source: ECR replicates images, and no tags. Ages of two registries do not compare.
    pub fn judge_replica(&self, source: Option<&Arc<repository::Observed>>) -> Origin {
        let by_marks = Self {
            since: None,
            ..self.clone()
        };
        match source.map(|it| by_marks.judge(it)) {
            Some(Origin::Somebody) => Origin::Somebody,
            Some(Origin::Cache | Origin::Unmarked) | None => Origin::Unmarked,
        }
    }

    /// Who made a repository that this cache would have made under its name.
    pub fn judge(&self, observed: &repository::Observed) -> Origin {
        let tags = &observed.tags;
        let owners = owner::objects(tags);
        if !owners.is_empty() {
            return match owners.into_iter().all(Owner::is_of_rule) {
                true => Origin::Cache,
                false => Origin::Somebody,
            };
        }
        if tags.get(owner::CACHE).map(String::as_str) == Some(self.prefix.as_str()) {
            return Origin::Cache;
        }
        let is_marked = tags.keys().any(|it| owner::is_reserved(it));
        let is_older = match (observed.created, self.since) {
            (Some(repository), Some(rule)) => repository < rule,
            (None, _) | (_, None) => false,
        };
        if is_marked || is_older {
            Origin::Somebody
        } else {
            Origin::Unmarked
        }
    }
}

#[cfg(test)]
mod tests;
