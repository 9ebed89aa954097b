//! A repository and the images in it.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A repository.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Repository {
    /// When it was made.
    pub(crate) created: Timestamp,
    /// `MUTABLE`, `IMMUTABLE`, or one of them with exclusions.
    pub(crate) mutability: String,
    /// Which tags are excluded from that.
    pub(crate) exclusions: Vec<ExclusionFilter>,
    /// Whether images are scanned when they are pushed.
    pub(crate) scan_on_push: bool,
    /// At-rest encryption, for life.
    pub(crate) encryption: Encryption,
    /// Resource tags.
    pub(crate) tags: BTreeMap<String, String>,
    /// The repository policy, in ECR's own spelling.
    pub(crate) policy: Option<String>,
    /// The lifecycle policy.
    pub(crate) lifecycle: Option<Lifecycle>,
    /// Images by digest.
    pub(crate) images: BTreeMap<String, Image>,
    /// Which image a tag names.
    pub(crate) tagged: BTreeMap<String, String>,
    /// The sizes of the layers and configurations that were uploaded, by digest.
    pub(crate) layers: BTreeMap<String, u64>,
    /// Uploads that were begun, by id; they do not outlive the process.
    #[serde(skip)]
    pub(crate) uploads: BTreeMap<String, Upload>,
    /// The lifecycle policy preview.
    #[serde(default)]
    pub(crate) preview: Option<Preview>,
}

/// A layer on its way in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Upload {
    /// What arrived.
    pub(crate) content: Vec<u8>,
    /// The sizes of its parts.
    pub(crate) parts: Vec<u64>,
}

/// What a lifecycle policy would do.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Preview {
    /// The policy.
    pub(crate) text: String,
    /// When it was asked for.
    pub(crate) started: Timestamp,
}

/// What became of an image's replication to one destination.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Replica {
    /// The destination's region.
    pub(crate) region: String,
    /// The destination's account.
    pub(crate) registry_id: String,
    /// Why it failed.
    pub(crate) failure: Option<String>,
}

/// A filter of tags that the repository's mutability does not apply to.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExclusionFilter {
    /// Always `WILDCARD`.
    pub(crate) filter_type: String,
    /// The pattern, with `*`.
    pub(crate) filter: String,
}

/// At-rest encryption.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Encryption {
    /// `AES256`, `KMS` or `KMS_DSSE`.
    pub(crate) encryption_type: String,
    /// The key, for the latter two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) kms_key: Option<String>,
}

/// A lifecycle policy.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Lifecycle {
    /// The document, as it was put.
    pub(crate) text: String,
    /// When it last ran, or was put.
    pub(crate) evaluated: Timestamp,
}

/// An image, an index of images, or an artifact.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Image {
    /// The manifest, byte for byte.
    pub(crate) manifest: String,
    /// The manifest's media type.
    pub(crate) media_type: String,
    /// The media type of the configuration, or the artifact type.
    pub(crate) artifact: Option<String>,
    /// The sum of the sizes of its layers and configuration.
    pub(crate) size: u64,
    /// The manifest that this one refers to.
    pub(crate) subject: Option<String>,
    /// The manifests that this index lists.
    pub(crate) children: BTreeSet<String>,
    /// When it was pushed.
    pub(crate) pushed: Timestamp,
    /// When it was last pulled, in ECR's record of it.
    pub(crate) pulled: Option<Timestamp>,
    /// Whether it can be pulled.
    pub(crate) status: Status,
    /// When it was last archived.
    pub(crate) archived: Option<Timestamp>,
    /// When it was last restored.
    pub(crate) activated: Option<Timestamp>,
    /// When the upstream last confirmed it, for an image of a pull-through cache.
    pub(crate) validated: Option<Timestamp>,
    /// When it was last scanned.
    #[serde(default)]
    pub(crate) scanned: Option<Timestamp>,
    /// What became of its replication.
    #[serde(default)]
    pub(crate) replicas: Vec<Replica>,
    /// The signing profiles that it was signed with.
    #[serde(default)]
    pub(crate) signed: Vec<String>,
}

/// Whether an image can be pulled.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    /// It can.
    Active,
    /// It is in the archive.
    Archived,
    /// It is being restored.
    Activating,
}

impl Default for Encryption {
    /// Keys that Amazon S3 manages.
    fn default() -> Self {
        Self {
            encryption_type: "AES256".to_owned(),
            kms_key: None,
        }
    }
}

impl Status {
    /// The word of the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Archived => "ARCHIVED",
            Self::Activating => "ACTIVATING",
        }
    }
}

impl Repository {
    /// An empty repository with ECR's defaults.
    pub(crate) fn new(created: Timestamp) -> Self {
        Self {
            created,
            mutability: "MUTABLE".to_owned(),
            exclusions: Vec::new(),
            scan_on_push: false,
            encryption: Encryption::default(),
            tags: BTreeMap::new(),
            policy: None,
            lifecycle: None,
            images: BTreeMap::new(),
            tagged: BTreeMap::new(),
            layers: BTreeMap::new(),
            uploads: BTreeMap::new(),
            preview: None,
        }
    }

    /// The tags of one image, sorted.
    pub(crate) fn tags_of(&self, digest: &str) -> Vec<String> {
        let ours = self.tagged.iter().filter(|(_, it)| *it == digest);
        ours.map(|(tag, _)| tag.clone()).collect()
    }

    /// The tags of all images that have any, sorted, by digest.
    pub(crate) fn tags_by_digest(&self) -> BTreeMap<&str, Vec<&str>> {
        let mut tags: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (tag, digest) in &self.tagged {
            tags.entry(digest).or_default().push(tag);
        }
        tags
    }

    /// The digest that an identifier by digest, by tag or by both means; `None` where it means
    /// nothing, or two different images.
    pub(crate) fn resolve(&self, digest: Option<&str>, tag: Option<&str>) -> Option<&str> {
        let by_tag = tag.map(|it| self.tagged.get(it).map(String::as_str));
        let by_digest = digest.map(|it| self.images.get_key_value(it).map(|(key, _)| key.as_str()));
        match (by_digest, by_tag) {
            (Some(digest), Some(tag)) => digest.filter(|it| tag == Some(it)),
            (found, None) | (None, found) => found.flatten(),
        }
    }

    /// Takes an image away, with all its tags.
    pub(crate) fn remove(&mut self, digest: &str) -> Option<Image> {
        self.tagged.retain(|_, it| it != digest);
        self.images.remove(digest)
    }

    /// Whether a tag, once given, can be moved to another image.
    pub(crate) fn may_move(&self, tag: &str) -> bool {
        let excluded = self.exclusions.iter().any(|it| wildcard(&it.filter, tag));
        self.mutability.starts_with("MUTABLE") != excluded
    }
}

/// Whether `text` fits `pattern`, in which `*` stands for any text.
pub(crate) fn wildcard(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    for part in parts {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.len() >= last.len() && rest.ends_with(last)
}
