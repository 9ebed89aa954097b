//! Who owns a repository: the tags that say so, written in the same call that creates it, and the
//! judgement of what they say. Nothing is written to or deleted without [`Ownership::Ours`].
//!
//! A repository that outlives its object bears the tag [`RELEASED_BY`] in place of the owner tags, so
//! that the same object made again, or another of its namespace, takes it back. Tags prove nothing to
//! somebody who may write them: who has `ecr:TagResource` in the account can give any repository to
//! any object of ours, by this tag as by the owner tags.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sha2::{Digest, Sha256};

use super::names::ClusterId;

/// Tag key of the cluster that owns a repository.
pub const CLUSTER: &str = "ecr-operator.dev/cluster";
/// Tag key of the object (`namespace/name`) that owns a repository.
pub const OBJECT: &str = "ecr-operator.dev/object";
/// Tag key of that object's `metadata.uid`.
pub const UID: &str = "ecr-operator.dev/uid";
/// Tag key of what a pull-through cache has made, with the cache's prefix as its value: our own
/// creation template gives it, and nobody can ask for it in a spec.
pub const CACHE: &str = "ecr-operator.dev/cache";
/// The owner tags' keys, in order.
pub const KEYS: [&str; 3] = [CLUSTER, OBJECT, UID];
/// Tag key of the moment from which a repository, whose object is gone, may be deleted with its
/// images. It stands beside the owner tags, so that whoever owns the repository again sees it.
pub const DELETE_AFTER: &str = "ecr-operator.dev/delete-after";
/// Tag key of the object that released a repository, as `cluster/namespace/name`.
pub const RELEASED_BY: &str = "ecr-operator.dev/released-by";
/// Tag key of the moment from which the delay of a tombstone counts: when it was first looked at
/// while all clocks agreed.
pub const CONDEMNED_AT: &str = "ecr-operator.dev/condemned-at";
/// Tag key of the moment at which the images of a repository under quarantine were looked at.
pub const QUARANTINED_AT: &str = "ecr-operator.dev/quarantined-at";
/// The keys that mark the end of a repository, in the order in which they are put.
pub const MARKS: [&str; 3] = [DELETE_AFTER, CONDEMNED_AT, QUARANTINED_AT];
/// The start of every tag key that is ours to write; no user may claim a key under it.
pub const PREFIX: &str = "ecr-operator.dev/";

/// How the object's name begins where it is a `PullThroughRule`. No `ImageRepository` can be called
/// that: a namespace has no upper-case letters.
const RULE: &str = "PullThroughRule/";

/// The longest tag value: <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html>.
const LONGEST_VALUE: usize = 256;

/// The object that owns, or wants to own, a repository.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Owner {
    /// The cluster that the object lives in.
    pub cluster: ClusterId,
    /// The object, as `namespace/name`.
    pub object: String,
    /// Its `metadata.uid`: another one means that the object was restored or made again.
    pub uid: String,
}

impl Owner {
    /// The tags that say so. An object name longer than a tag may be is given by its hash.
    pub fn tags(&self) -> BTreeMap<String, String> {
        BTreeMap::from([
            (CLUSTER.to_owned(), self.cluster.to_string()),
            (OBJECT.to_owned(), tag_value(&self.object)),
            (UID.to_owned(), self.uid.clone()),
        ])
    }

    /// What [`RELEASED_BY`] says once this owner has released a repository.
    pub fn mark_of_release(&self) -> String {
        released(self.cluster.as_str(), &tag_value(&self.object))
    }

    /// The object of the `PullThroughRule` of this name, as owner tags have it.
    pub fn rule(name: &str) -> String {
        format!("{RULE}{name}")
    }

    /// Whether an owner tag's object is a `PullThroughRule`.
    pub fn is_of_rule(object: &str) -> bool {
        object.starts_with(RULE)
    }

    /// What a repository's `tags` say about who owns it, seen from this owner.
    pub fn judge(&self, tags: &BTreeMap<String, String>) -> Ownership {
        let [cluster, object, uid] = KEYS.map(|key| values(tags, key));
        if cluster.is_empty() && object.is_empty() && uid.is_empty() {
            return match values(tags, CACHE).first() {
                Some(prefix) if !Self::is_of_rule(&self.object) => Ownership::Foreign(Foreign {
                    cluster: "?".to_owned(),
                    object: format!("the pull-through cache {prefix}"),
                }),
                Some(_) | None if self.has_released(tags) => Ownership::Released,
                Some(_) | None => Ownership::Unowned,
            };
        }
        let object_tag = tag_value(&self.object);
        if !is_only(&cluster, self.cluster.as_str()) || !is_only(&object, &object_tag) {
            let text = |values: &BTreeSet<&str>| match values.iter().copied().collect::<Vec<_>>() {
                none if none.is_empty() => "?".to_owned(),
                some => some.join(" and "),
            };
            return Ownership::Foreign(Foreign {
                cluster: text(&cluster),
                object: text(&object),
            });
        }
        if is_only(&uid, &self.uid) {
            Ownership::Ours
        } else {
            Ownership::OursUnderAnotherUid
        }
    }

    /// Whether this object released a repository with these tags, or another of its namespace: one
    /// that has another name now.
    fn has_released(&self, tags: &BTreeMap<String, String>) -> bool {
        let released_by = values(tags, RELEASED_BY);
        if is_only(&released_by, &self.mark_of_release()) {
            return true;
        }
        let Some((namespace, _)) = self.object.split_once('/') else {
            return false;
        };
        let ours = format!("{}/{namespace}/", self.cluster);
        !released_by.is_empty() && released_by.iter().all(|it| it.starts_with(&ours))
    }
}

/// Whether only AWS, or only we, may write this tag key. IAM's `aws:ResourceTag/ecr-operator.dev/cluster`
/// finds `Ecr-Operator.dev/cluster` too, so that case does not count.
pub fn is_reserved(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    key.starts_with("aws:") || key.starts_with(PREFIX)
}

/// What [`RELEASED_BY`] says once the owner that these tags name has released their repository;
/// `None`: they name none.
pub fn mark_of_release(tags: &BTreeMap<String, String>) -> Option<String> {
    Some(released(tags.get(CLUSTER)?, tags.get(OBJECT)?))
}

/// The keys of these tags that say who released the repository, in whichever spelling.
pub fn keys_of_release(tags: &BTreeMap<String, String>) -> BTreeSet<String> {
    let keys = tags
        .keys()
        .filter(|it| it.eq_ignore_ascii_case(RELEASED_BY));
    keys.cloned().collect()
}

/// The mark of a cluster's object, which its own tag may give by its hash. The namespace stays legible
/// as long as it can.
fn released(cluster: &str, object: &str) -> String {
    let whole = format!("{cluster}/{object}");
    match object.split_once('/') {
        Some((namespace, name)) if whole.len() > LONGEST_VALUE => {
            format!("{cluster}/{namespace}/{}", hashed(name))
        }
        Some(_) | None => whole,
    }
}

/// What tags of this key say. IAM compares keys without regard to case, and ECR does not.
fn values<'a>(tags: &'a BTreeMap<String, String>, key: &str) -> BTreeSet<&'a str> {
    let values = tags.iter().filter(|(it, _)| it.eq_ignore_ascii_case(key));
    values.map(|(_, value)| value.as_str()).collect()
}

fn is_only(values: &BTreeSet<&str>, value: &str) -> bool {
    values.len() == 1 && values.contains(value)
}

/// The objects that a repository's `tags` name as its owner: more than one where the key stands there
/// in more than one spelling.
pub(super) fn objects(tags: &BTreeMap<String, String>) -> BTreeSet<&str> {
    values(tags, OBJECT)
}

/// What the tags of a repository say, seen from one owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ownership {
    /// No owner tag: made by hand, by another tool or by a cache, or released by somebody else.
    Unowned,
    /// No owner tag, and the mark of our own object, or of another of its cluster and namespace, that
    /// released it.
    Released,
    /// Our own tag.
    Ours,
    /// Our cluster and object under a uid that no longer lives: the object was restored, or pruned
    /// and made again. One `namespace/name` has one live uid, so the older one is dead.
    OursUnderAnotherUid,
    /// Another cluster's, or another object's.
    Foreign(Foreign),
}

/// Another owner, as its tags name it; `?` where a tag is missing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Foreign {
    /// The cluster that it says it belongs to.
    pub cluster: String,
    /// The object that it says it belongs to.
    pub object: String,
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cluster {}, object {}", self.cluster, self.object)
    }
}

/// An object as a tag has it. One that is a rule stays legible as that.
fn tag_value(object: &str) -> String {
    if object.len() <= LONGEST_VALUE {
        return object.to_owned();
    }
    match object.strip_prefix(RULE) {
        Some(name) => Owner::rule(&hashed(name)),
        None => hashed(object),
    }
}

fn hashed(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    format!(
        "sha256:{}",
        hash.iter()
            .map(|byte| format!("{byte:02x}"))
            .collect::<String>()
    )
}

#[cfg(test)]
mod tests;
