//! What somebody does to an account by hand, with the AWS CLI or in the console: past the operator,
//! and none of its business. Spoken to the emulator in ECR's own protocol.

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use crate::emulator::Emulator;

/// OCI's empty configuration. <https://github.com/opencontainers/image-spec/blob/main/manifest.md>
const CONFIGURATION: &str = "{}";
const CONFIGURATION_DIGEST: &str =
    "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// A registry, as somebody signed in to its account sees it.
#[derive(Clone, Copy, Debug)]
pub struct Hand<'a> {
    /// AWS.
    pub emulator: &'a Emulator,
    /// The account signed in to.
    pub account: &'a str,
    /// The region chosen.
    pub region: &'a str,
}

impl Hand<'_> {
    /// `aws ecr OPERATION --cli-input-json PARAMETERS`
    ///
    /// # Errors
    /// What ECR answers.
    pub async fn ecr(&self, operation: &str, parameters: &Value) -> anyhow::Result<Value> {
        let Self {
            emulator,
            account,
            region,
        } = self;
        let credential = format!("Credential={account}/20260101/{region}/ecr/aws4_request");
        let request = Request::post(emulator.url())
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
            .header(
                "x-amz-target",
                format!("AmazonEC2ContainerRegistry_V20150921.{operation}"),
            )
            .header(
                header::AUTHORIZATION,
                format!("AWS4-HMAC-SHA256 {credential}, SignedHeaders=host, Signature=0"),
            )
            .body(Full::new(Bytes::from(parameters.to_string())))?;
        let (status, body) = send(request).await?;
        if !status.is_success() {
            bail!(
                "{operation} in {account}/{region}: {}",
                String::from_utf8_lossy(&body)
            );
        }
        Ok(serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    /// Pushes an image as a build does: its configuration, and a manifest under one tag.
    ///
    /// # Errors
    /// What ECR answers.
    pub async fn push(&self, repository: &str, tag: &str) -> anyhow::Result<()> {
        self.push_configuration(repository).await?;
        let media_type = "application/vnd.oci.image.manifest.v1+json";
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": {
                "mediaType": "application/vnd.oci.empty.v1+json",
                "digest": CONFIGURATION_DIGEST,
                "size": CONFIGURATION.len(),
            },
            "layers": [],
            // Told apart by their names, so that each tag is an image of its own.
            "annotations": {"org.opencontainers.image.ref.name": format!("{repository}:{tag}")},
        });
        let parameters = json!({
            "repositoryName": repository,
            "imageTag": tag,
            "imageManifest": manifest.to_string(),
            "imageManifestMediaType": media_type,
        });
        self.ecr("PutImage", &parameters).await.map(drop)
    }

    async fn push_configuration(&self, repository: &str) -> anyhow::Result<()> {
        let named = json!({"repositoryName": repository});
        let upload = self.ecr("InitiateLayerUpload", &named).await?["uploadId"].clone();
        let part = json!({
            "repositoryName": repository,
            "uploadId": upload,
            "partFirstByte": 0,
            "partLastByte": CONFIGURATION.len() - 1,
            "layerPartBlob": STANDARD.encode(CONFIGURATION),
        });
        self.ecr("UploadLayerPart", &part).await?;
        let complete = json!({
            "repositoryName": repository,
            "uploadId": upload,
            "layerDigests": [CONFIGURATION_DIGEST],
        });
        match self.ecr("CompleteLayerUpload", &complete).await {
            Err(error) if error.to_string().contains("LayerAlreadyExistsException") => Ok(()),
            result => result.map(drop),
        }
    }
}

/// What `http://ADDRESS/PATH` answers.
///
/// # Errors
/// When it does not answer, or with anything but success: what it says.
pub async fn get(address: &str, path: &str) -> anyhow::Result<String> {
    let request = Request::get(format!("http://{address}{path}")).body(Full::default())?;
    let (status, body) = send(request).await?;
    let text = String::from_utf8_lossy(&body).trim().to_owned();
    ensure!(status.is_success(), "{status}: {text}");
    Ok(text)
}

async fn send(request: Request<Full<Bytes>>) -> anyhow::Result<(StatusCode, Bytes)> {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let place = request.uri().to_string();
    let response = client
        .request(request)
        .await
        .with_context(|| format!("ask {place}"))?;
    let status = response.status();
    let body = response
        .into_body()
        .collect()
        .await
        .with_context(|| format!("read {place}"))?;
    Ok((status, body.to_bytes()))
}
