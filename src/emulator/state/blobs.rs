//! The contents of layers and configurations, kept once however many repositories hold them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};

/// Contents by digest.
#[derive(Clone, Debug, Default)]
pub(crate) struct Blobs(BTreeMap<String, Bytes>);

impl Blobs {
    /// Keeps `content` and returns its digest.
    pub(crate) fn put(&mut self, content: Bytes) -> String {
        let digest = digest(&content);
        self.0.entry(digest.clone()).or_insert(content);
        digest
    }

    /// The content with this digest.
    pub(crate) fn get(&self, digest: &str) -> Option<&Bytes> {
        self.0.get(digest)
    }
}

/// The digest of `content` as registries write it: `sha256:` and 64 hexadecimal digits.
pub(crate) fn digest(content: &[u8]) -> String {
    format!("sha256:{}", super::hex(&Sha256::digest(content)))
}

impl Serialize for Blobs {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(
            self.0
                .iter()
                .map(|(digest, it)| (digest, STANDARD.encode(it))),
        )
    }
}

impl<'de> Deserialize<'de> for Blobs {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let encoded = BTreeMap::<String, String>::deserialize(deserializer)?;
        let decoded = encoded.into_iter().map(|(digest, it)| {
            Ok((
                digest,
                Bytes::from(STANDARD.decode(it).map_err(de::Error::custom)?),
            ))
        });
        decoded.collect::<Result<_, _>>().map(Self)
    }
}
