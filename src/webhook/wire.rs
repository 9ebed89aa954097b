//! `AdmissionReview` of `admission.k8s.io/v1`, as far as we read it, borrowed from the request's
//! body. Whatever is not named here is skipped without building it, however deep it goes; a pod is
//! never sent back, so no field that is newer than us can be lost.
//! <https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/>

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::api::ORIGINAL_IMAGES;
use crate::domain::admission;

/// The request of a review.
pub(super) fn read(body: &[u8]) -> Result<Request<'_>, serde_json::Error> {
    serde_json::from_slice(body).map(|Review { request }| request)
}

/// The uid of a review that does not read, found as text: the answer must bear it, whatever else
/// is wrong. It stands first in what API servers write.
pub(super) fn uid(body: &[u8]) -> Option<String> {
    let body = String::from_utf8_lossy(body);
    let (_, request) = body.split_once("\"request\"")?;
    let (_, uid) = request.split_once("\"uid\"")?;
    let uid = uid.trim_start().strip_prefix(':')?;
    let mut values = serde_json::Deserializer::from_str(uid).into_iter::<String>();
    values.next()?.ok()
}

#[derive(Deserialize)]
struct Review<'a> {
    #[serde(borrow)]
    request: Request<'a>,
}

/// What the API server is about to do.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    pub(super) uid: Text<'a>,
    #[serde(borrow)]
    pub(super) operation: Text<'a>,
    #[serde(borrow)]
    pub(super) resource: Resource<'a>,
    #[serde(borrow)]
    pub(super) sub_resource: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) namespace: Option<Text<'a>>,
    pub(super) dry_run: Option<bool>,
    #[serde(borrow)]
    pub(super) object: Option<Pod<'a>>,
    #[serde(borrow)]
    pub(super) old_object: Option<Pod<'a>>,
}

/// What kind of object it is about; the version does not matter, pods have one.
#[derive(Deserialize)]
pub(super) struct Resource<'a> {
    #[serde(borrow)]
    pub(super) group: Text<'a>,
    #[serde(borrow)]
    pub(super) resource: Text<'a>,
}

/// A pod.
#[derive(Deserialize)]
pub(super) struct Pod<'a> {
    #[serde(borrow)]
    pub(super) metadata: Option<Metadata<'a>>,
    #[serde(borrow)]
    pub(super) spec: Option<Spec<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Metadata<'a> {
    #[serde(borrow)]
    pub(super) annotations: Option<Annotations<'a>>,
    #[serde(borrow)]
    pub(super) labels: Option<Labels<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Labels<'a> {
    /// [`crate::api::REWRITE`].
    #[serde(borrow, rename = "ecr-operator.dev/rewrite")]
    pub(super) rewrite: Option<Text<'a>>,
}

/// Of a pod's annotations, those that matter here, and how long they all are together.
#[derive(Default)]
pub(super) struct Annotations<'a> {
    pub(super) mirror: bool,
    pub(super) original_images: Option<Text<'a>>,
    /// Bytes of keys and values, which the API server limits in sum.
    pub(super) size: usize,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Spec<'a> {
    #[serde(borrow)]
    pub(super) containers: Option<Vec<Container<'a>>>,
    #[serde(borrow)]
    pub(super) init_containers: Option<Vec<Container<'a>>>,
    #[serde(borrow)]
    pub(super) ephemeral_containers: Option<Vec<Container<'a>>>,
    #[serde(borrow)]
    pub(super) volumes: Option<Vec<Volume<'a>>>,
    #[serde(borrow)]
    pub(super) image_pull_secrets: Option<Vec<SecretReference<'a>>>,
}

/// A container of any of the three lists.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Container<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) image: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) image_pull_policy: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Volume<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) image: Option<ImageVolume<'a>>,
}

/// A volume that is the content of an image.
/// <https://kubernetes.io/docs/concepts/storage/volumes/#image>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ImageVolume<'a> {
    #[serde(borrow)]
    pub(super) reference: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) pull_policy: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub(super) struct SecretReference<'a> {
    #[serde(borrow)]
    pub(super) name: Option<Text<'a>>,
}

/// A string of the body: borrowed, unless it is written with escapes.
#[derive(Clone, Debug, Default, Deserialize, Eq, Ord, PartialEq, PartialOrd)]
#[serde(transparent)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Annotations<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Annotations<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("annotations")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Annotations::default();
                while let Some((key, value)) = map.next_entry::<Text<'de>, Text<'de>>()? {
                    all.size += key.len() + value.len();
                    match &*key {
                        admission::MIRROR => all.mirror = true,
                        ORIGINAL_IMAGES => all.original_images = Some(value),
                        _ => {}
                    }
                }
                Ok(all)
            }
        }

        deserializer.deserialize_map(All)
    }
}
