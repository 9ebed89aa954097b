//! Upstream registries of pull-through caches: what an operation needs from one, and the getting
//! of it over HTTP. Operations never wait for it: they say what they need and are run again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, StatusCode, header};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};

use super::manifest::{self, Manifest};
use super::state::digest;

/// Manifests and blobs of an upstream beyond this size are not imported.
const LARGEST: usize = 1 << 30;

/// What stands in for an upstream registry. Exactly one of the members is set.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Upstream {
    /// A registry at this address, for example `http://127.0.0.1:5000`; plain HTTP only. A login
    /// that it asks for stands in the address: `http://user:password@127.0.0.1:5000`.
    pub url: Option<String>,
    /// Made-up images with these names, for example `library/nginx:1.27`; `*` stands for any text.
    pub images: Vec<String>,
    /// Whatever is asked, this failure: `UpstreamAccessDenied`, `UpstreamTooManyRequests` or
    /// `UpstreamUnavailable`.
    pub fails: Option<String>,
}

/// An image that an operation needs from an upstream registry.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Import {
    /// The upstream registry's host.
    pub(crate) host: String,
    /// The repository there.
    pub(crate) repository: String,
    /// A tag or a digest.
    pub(crate) reference: String,
}

/// What came of the imports of one request.
pub(crate) type Imports = BTreeMap<Import, Result<Arc<Pulled>, Failure>>;

/// An image as it came from an upstream, with everything in it.
#[derive(Clone, Debug)]
pub(crate) struct Pulled {
    /// The manifest that was asked for, then the manifests it lists.
    pub(crate) manifests: Vec<Manifest>,
    /// Layers and configurations.
    pub(crate) blobs: Vec<Bytes>,
}

/// Why an upstream gave no image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Failure {
    /// It has none of that name.
    NotFound,
    /// It failed, in the words of ECR's `ImageFailureCode`.
    Upstream(String),
}

impl Import {
    /// No image at all, but an answer whether the registry can be used.
    pub(crate) fn probe(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            repository: String::new(),
            reference: String::new(),
        }
    }

    fn is_probe(&self) -> bool {
        self.repository.is_empty()
    }
}

type Http = Client<HttpConnector, Full<Bytes>>;

/// Gets images of upstream registries.
#[derive(Debug)]
pub(crate) struct Upstreams {
    known: BTreeMap<String, Upstream>,
    http: Http,
}

impl Upstreams {
    /// What stands in for upstream registries, by host.
    pub(crate) fn new(known: BTreeMap<String, Upstream>) -> Self {
        Self {
            known,
            http: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Gets an image.
    pub(crate) async fn pull(&self, import: &Import) -> Result<Arc<Pulled>, Failure> {
        let upstream = match self.known.get(&import.host) {
            Some(it) => it,
            // Of a registry that nothing stands in for, the best is believed.
            None if import.is_probe() => return Err(Failure::NotFound),
            None => return Err(unavailable()),
        };
        if let Some(code) = &upstream.fails {
            return Err(Failure::Upstream(code.clone()));
        }
        match &upstream.url {
            Some(url) if import.is_probe() => {
                self.get(&format!("{}/v2/", url.trim_end_matches('/')))
                    .await?;
                Err(Failure::NotFound)
            }
            Some(url) => self
                .pull_from(url.trim_end_matches('/'), import)
                .await
                .map(Arc::new),
            None => upstream.make_up(import).map(Arc::new),
        }
    }

    async fn pull_from(&self, url: &str, import: &Import) -> Result<Pulled, Failure> {
        let at = format!("{url}/v2/{}", import.repository);
        let root = self.manifest(&at, &import.reference).await?;
        let mut manifests = vec![root];
        for child in manifests[0].children() {
            match self.manifest(&at, &child).await {
                Ok(it) => manifests.push(it),
                // An index may list platforms that were never mirrored.
                Err(Failure::NotFound) => {}
                Err(failure) => return Err(failure),
            }
        }
        let wanted = manifests
            .iter()
            .flat_map(Manifest::blobs)
            .map(|it| it.digest);
        let mut blobs = Vec::new();
        for digest in wanted.collect::<BTreeSet<_>>() {
            blobs.push(self.get(&format!("{at}/blobs/{digest}")).await?.1);
        }
        Ok(Pulled { manifests, blobs })
    }

    async fn manifest(&self, at: &str, reference: &str) -> Result<Manifest, Failure> {
        let (media_type, body) = self.get(&format!("{at}/manifests/{reference}")).await?;
        let text = String::from_utf8(body.to_vec()).map_err(|_| unavailable())?;
        Manifest::read(text, media_type.as_deref()).map_err(|_| unavailable())
    }

    async fn get(&self, address: &str) -> Result<(Option<String>, Bytes), Failure> {
        let (address, login) = without_login(address);
        let mut request =
            Request::get(address).header(header::ACCEPT, manifest::MEDIA_TYPES.join(", "));
        if let Some(login) = login {
            let basic = format!("Basic {}", STANDARD.encode(login));
            request = request.header(header::AUTHORIZATION, basic);
        }
        let request = request.body(Full::default()).map_err(|_| unavailable())?;
        let response = self
            .http
            .request(request)
            .await
            .map_err(|_| unavailable())?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Err(Failure::NotFound),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                return Err(Failure::Upstream("UpstreamAccessDenied".to_owned()));
            }
            StatusCode::TOO_MANY_REQUESTS => {
                return Err(Failure::Upstream("UpstreamTooManyRequests".to_owned()));
            }
            _ => return Err(unavailable()),
        }
        let media_type = response.headers().get(header::CONTENT_TYPE);
        let media_type = media_type
            .and_then(|it| it.to_str().ok())
            .map(str::to_owned);
        let body = Limited::new(response.into_body(), LARGEST).collect().await;
        Ok((media_type, body.map_err(|_| unavailable())?.to_bytes()))
    }
}

impl Upstream {
    fn make_up(&self, import: &Import) -> Result<Pulled, Failure> {
        let Import {
            repository,
            reference,
            ..
        } = import;
        let tag = match reference.starts_with("sha256:") {
            false => Some(reference.as_str()),
            // Made-up images are found by digest by making them up from their tags.
            true => self
                .images
                .iter()
                .filter_map(|it| it.rsplit_once(':'))
                .find_map(|(name, tag)| {
                    let made_up = manifest::make_up(repository, tag).0;
                    (name == repository && digest(made_up.text.as_bytes()) == *reference)
                        .then_some(tag)
                }),
        };
        let tag = tag.ok_or(Failure::NotFound)?;
        let name = format!("{repository}:{tag}");
        if !self
            .images
            .iter()
            .any(|it| super::state::wildcard(it, &name))
        {
            return Err(Failure::NotFound);
        }
        let (manifest, blobs) = manifest::make_up(repository, tag);
        Ok(Pulled {
            manifests: vec![manifest],
            blobs,
        })
    }
}

/// The address without the login in it, and the login: `user:password`.
fn without_login(address: &str) -> (String, Option<&str>) {
    let split = address.split_once("://").and_then(|(scheme, rest)| {
        let host = rest.split('/').next()?;
        let (login, _) = host.rsplit_once('@')?;
        Some((format!("{scheme}://{}", &rest[login.len() + 1..]), login))
    });
    match split {
        Some((address, login)) => (address, Some(login)),
        None => (address.to_owned(), None),
    }
}

fn unavailable() -> Failure {
    Failure::Upstream("UpstreamUnavailable".to_owned())
}
