//! Who owns a repository: the tags that say so, written in the same call that creates it, and the
//! judgement of what they say. Nothing is written to or deleted without [`Ownership::Ours`].

use std::collections::BTreeMap;
use std::fmt;

use sha2::{Digest, Sha256};

use super::names::ClusterId;

/// Tag key of the cluster that owns a repository.
pub const CLUSTER: &str = "ecr-operator.dev/cluster";
/// Tag key of the object (`namespace/name`) that owns a repository.
pub const OBJECT: &str = "ecr-operator.dev/object";
/// Tag key of that object's `metadata.uid`.
pub const UID: &str = "ecr-operator.dev/uid";
/// The owner tags' keys, in order.
pub const KEYS: [&str; 3] = [CLUSTER, OBJECT, UID];
/// Tag key of the moment from which a repository, whose object is gone, may be deleted with its
/// images. It stands beside the owner tags, so that whoever owns the repository again sees it.
pub const DELETE_AFTER: &str = "ecr-operator.dev/delete-after";
/// The start of every tag key that is ours to write; no user may claim a key under it.
pub const PREFIX: &str = "ecr-operator.dev/";

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

    /// What a repository's `tags` say about who owns it, seen from this owner.
    pub fn judge(&self, tags: &BTreeMap<String, String>) -> Ownership {
        let [cluster, object, uid] = KEYS.map(|key| tags.get(key));
        if cluster.is_none() && object.is_none() && uid.is_none() {
            return Ownership::Unowned;
        }
        let same = |tag: Option<&String>, ours: &str| tag.is_some_and(|it| it == ours);
        if !same(cluster, self.cluster.as_str()) || !same(object, &tag_value(&self.object)) {
            let text = |tag: Option<&String>| tag.map_or("?", String::as_str).to_owned();
            return Ownership::Foreign(Foreign {
                cluster: text(cluster),
                object: text(object),
            });
        }
        if same(uid, &self.uid) {
            Ownership::Ours
        } else {
            Ownership::OursUnderAnotherUid
        }
    }
}

/// What the tags of a repository say, seen from one owner.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Ownership {
    /// No owner tag: made by hand or by another tool.
    Unowned,
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

fn tag_value(text: &str) -> String {
    if text.len() <= LONGEST_VALUE {
        return text.to_owned();
    }
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
