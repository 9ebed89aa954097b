//! The answer to a review: always allowed, with the JSON Patch in base64 as Kubernetes' own types
//! have it. A patch that does not apply would refuse the pod, so nothing here can fail to apply.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

/// What the API server is told.
pub(super) struct Answer<'a> {
    uid: &'a str,
    pub(super) patch: Vec<Operation>,
    pub(super) warnings: Vec<String>,
    audit_annotations: BTreeMap<&'static str, String>,
}

/// What the API server writes to its audit log with the request, each under the webhook's name.
#[derive(Clone, Copy)]
pub(super) enum AuditAnnotations {
    /// What became of each image and why, by where it stands.
    Decisions,
    /// The images that stood there before, where the pod itself cannot keep them.
    OriginalImages,
}

/// One operation of a JSON Patch. <https://www.rfc-editor.org/rfc/rfc6902>
#[derive(Serialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub(super) enum Operation {
    Add { path: String, value: Value },
    Replace { path: String, value: String },
    Remove { path: String },
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    response: Response<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Response<'a> {
    uid: &'a str,
    allowed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch_type: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patch: Option<String>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    warnings: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    audit_annotations: &'a BTreeMap<&'static str, String>,
}

impl<'a> Answer<'a> {
    /// The object stays as it is.
    pub(super) fn unchanged(uid: &'a str) -> Self {
        Self {
            uid,
            patch: Vec::new(),
            warnings: Vec::new(),
            audit_annotations: BTreeMap::new(),
        }
    }

    /// The object stays as it is, and whoever sent it is told why.
    pub(super) fn warning(uid: &'a str, warning: String) -> Self {
        Self {
            warnings: vec![warning],
            ..Self::unchanged(uid)
        }
    }

    pub(super) fn replace(&mut self, path: String, value: String) {
        self.patch.push(Operation::Replace { path, value });
    }

    pub(super) fn audit(&mut self, key: AuditAnnotations, lines: &BTreeMap<String, String>) {
        if lines.is_empty() {
            return;
        }
        let key = match key {
            AuditAnnotations::Decisions => "decisions",
            AuditAnnotations::OriginalImages => "original-images",
        };
        self.audit_annotations.insert(key, to_json(lines));
    }

    /// The answer as it is sent.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let patched = !self.patch.is_empty();
        let review = Review {
            api_version: "admission.k8s.io/v1",
            kind: "AdmissionReview",
            response: Response {
                uid: self.uid,
                allowed: true,
                patch_type: patched.then_some("JSONPatch"),
                patch: patched.then(|| STANDARD.encode(to_json(&self.patch))),
                warnings: &self.warnings,
                audit_annotations: &self.audit_annotations,
            },
        };
        to_json(&review).into_bytes()
    }
}

/// Text and maps of text, which are always JSON.
pub(super) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("text is JSON")
}
