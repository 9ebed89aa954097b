//! Image manifests, indexes and artifacts: what they refer to, and made-up ones.
//! <https://github.com/opencontainers/image-spec/blob/main/manifest.md>

use bytes::Bytes;
use serde_json::{Value, json};

use super::state::digest;

/// Docker's image manifest, second version.
pub(crate) const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
const DOCKER_SIGNED: &str = "application/vnd.docker.distribution.manifest.v1+prettyjws";
/// OCI's image manifest.
pub(crate) const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
/// OCI's index.
pub(crate) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The manifests that ECR takes, newest kind first.
pub(crate) const MEDIA_TYPES: [&str; 4] = [OCI_INDEX, OCI_IMAGE, DOCKER_INDEX, DOCKER_IMAGE];

/// A manifest that was understood.
#[derive(Clone, Debug)]
pub(crate) struct Manifest {
    /// Its text, byte for byte.
    pub(crate) text: String,
    /// Its media type.
    pub(crate) media_type: String,
    parsed: Value,
}

/// What a manifest says of something it refers to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Descriptor {
    /// The digest.
    pub(crate) digest: String,
    /// The size in bytes.
    pub(crate) size: u64,
    /// The media type, where it is told.
    pub(crate) media_type: Option<String>,
}

impl Manifest {
    /// Reads a manifest. The media type is the one inside, else the one given with it.
    pub(crate) fn read(text: String, given: Option<&str>) -> Result<Self, String> {
        let parsed: Value =
            serde_json::from_str(&text).map_err(|_| "Invalid JSON syntax".to_owned())?;
        if !parsed.is_object() {
            return Err("Invalid JSON syntax".to_owned());
        }
        if !matches!(parsed["schemaVersion"].as_u64(), Some(1 | 2)) {
            return Err("Invalid or missing schemaVersion".to_owned());
        }
        let inside = parsed["mediaType"].as_str();
        if let (Some(inside), Some(given)) = (inside, given)
            && inside != given
        {
            return Err(format!(
                "The manifest's mediaType '{inside}' does not match the media type '{given}'"
            ));
        }
        let guessed = match (&parsed["schemaVersion"], parsed.get("manifests")) {
            (it, _) if *it == json!(1) => DOCKER_SIGNED,
            (_, Some(_)) => OCI_INDEX,
            (_, None)
                if parsed["config"]["mediaType"]
                    .as_str()
                    .is_some_and(|it| it.contains("docker")) =>
            {
                DOCKER_IMAGE
            }
            (_, None) => OCI_IMAGE,
        };
        let media_type = inside.or(given).unwrap_or(guessed).to_owned();
        if !MEDIA_TYPES.contains(&media_type.as_str()) && media_type != DOCKER_SIGNED {
            return Err(format!("Unsupported manifest media type '{media_type}'"));
        }
        Ok(Self {
            text,
            media_type,
            parsed,
        })
    }

    /// Its digest.
    pub(crate) fn digest(&self) -> String {
        digest(self.text.as_bytes())
    }

    /// The digests of the manifests that an index lists.
    pub(crate) fn children(&self) -> Vec<String> {
        let listed = self.parsed["manifests"].as_array().into_iter().flatten();
        listed.filter_map(descriptor).map(|it| it.digest).collect()
    }

    /// Configuration and layers, in this order.
    pub(crate) fn blobs(&self) -> Vec<Descriptor> {
        let layers = self.parsed["layers"].as_array().into_iter().flatten();
        // Layers with addresses of their own are never pushed.
        let pushed = layers.filter(|it| it.get("urls").is_none());
        std::iter::once(&self.parsed["config"])
            .chain(pushed)
            .filter_map(descriptor)
            .collect()
    }

    /// The digest of the manifest that this one refers to.
    pub(crate) fn subject(&self) -> Option<String> {
        descriptor(&self.parsed["subject"]).map(|it| it.digest)
    }

    /// The artifact type, or the media type of the configuration.
    pub(crate) fn artifact(&self) -> Option<String> {
        let declared = self.parsed["artifactType"]
            .as_str()
            .filter(|it| !it.is_empty());
        declared
            .or_else(|| self.parsed["config"]["mediaType"].as_str())
            .map(str::to_owned)
    }

    /// The annotations.
    pub(crate) fn annotations(&self) -> Option<&Value> {
        self.parsed.get("annotations").filter(|it| it.is_object())
    }

    /// The sum of the sizes of everything it refers to.
    pub(crate) fn size(&self) -> u64 {
        self.blobs().iter().map(|it| it.size).sum()
    }
}

fn descriptor(value: &Value) -> Option<Descriptor> {
    Some(Descriptor {
        digest: value["digest"].as_str()?.to_owned(),
        size: value["size"].as_u64().unwrap_or_default(),
        media_type: value["mediaType"].as_str().map(str::to_owned),
    })
}

/// Makes an image up: for the same name and tag always the same one, with an empty layer.
pub(crate) fn make_up(repository: &str, tag: &str) -> (Manifest, Vec<Bytes>) {
    // Two empty blocks are the end of an archive, here of one that holds nothing.
    let layer = Bytes::from_static(&[0; 1024]);
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": {"Labels": {"org.opencontainers.image.ref.name": format!("{repository}:{tag}")}},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]},
    });
    let config = Bytes::from(config.to_string());
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest(&config),
            "size": config.len(),
        },
        "layers": [{
            "mediaType": "application/vnd.oci.image.layer.v1.tar",
            "digest": digest(&layer),
            "size": layer.len(),
        }],
    });
    let manifest = Manifest::read(manifest.to_string(), None);
    (
        manifest.expect("a manifest made here is one"),
        vec![config, layer],
    )
}
