//! The table of the data plane's operations, and what they have in common.

use axum::body::Bytes;
use serde_json::{Value, json};

use super::super::call::{Answer, Call, RepositoryAt};
use super::super::ecr;
use super::super::refusal::Refusal;
use super::super::state::RegistryKey;
use super::{blobs, manifests, uploads};

/// One request, taken apart.
pub(super) struct Request<'a> {
    /// The registry.
    pub(super) registry: RegistryKey,
    /// What is said in path, query and headers.
    pub(super) input: &'a Value,
    /// The body.
    pub(super) body: &'a Bytes,
}

impl Request<'_> {
    /// A parameter; empty where it is missing.
    pub(super) fn text(&self, name: &str) -> &str {
        self.input[name].as_str().unwrap_or_default()
    }

    /// The repository's name.
    pub(super) fn name(&self) -> &str {
        self.text("repositoryName")
    }

    /// The repository, where the caller may do `action` to it.
    pub(super) fn find(&self, call: &mut Call<'_>, action: &str) -> Result<RepositoryAt, Refusal> {
        call.permit(action, &self.registry, Some(self.name()))?;
        call.find(&self.registry, self.name())
    }
}

/// Answers an operation: `{"status", "headers", "body"}`, or `"blob"` with the digest of the body.
pub(crate) fn answer(call: &mut Call<'_>, operation: &str, input: &Value, body: &Bytes) -> Answer {
    let registry = call.registry_key(input["registryId"].as_str());
    ecr::time_passes(call, &registry, input["repositoryName"].as_str());
    let request = &Request {
        registry,
        input,
        body,
    };
    match operation {
        "Ping" => Ok(json!({"status": 200, "body": "{}"})),
        "GetManifest" | "HeadManifest" => manifests::get(call, request),
        "PutManifest" => manifests::put(call, request),
        "ListTags" => manifests::list_tags(call, request),
        "ListReferrers" => manifests::list_referrers(call, request),
        "ListRepositories" => manifests::list_repositories(call, request),
        "HeadBlob" => blobs::head(call, request),
        "GetBlob" => blobs::get(call, request),
        "StartUpload" => uploads::start(call, request),
        "UploadPart" => uploads::part(call, request),
        "GetUpload" => uploads::get(call, request),
        "CancelUpload" => uploads::cancel(call, request),
        "CompleteUpload" => uploads::complete(call, request),
        // Images are deleted by BatchDeleteImage alone.
        _ => Err(Refusal::new("UNSUPPORTED", "The operation is unsupported.")
            .with_status(405)
            .into()),
    }
}
