//! Who signed a request, and for which region. The signature itself is not verified: an emulator
//! holds no secrets.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-signing-elements.html>

use axum::http::HeaderMap;
use axum::http::request::Parts;

/// What the `Authorization` header, or a presigned address, says.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Credentials {
    /// The access key.
    pub(crate) access_key: String,
    /// The region of the credential scope.
    pub(crate) region: String,
    /// The session token, where there is one.
    pub(crate) token: Option<String>,
}

impl Credentials {
    /// Reads them from a request; `None` where it is not signed.
    pub(crate) fn read(parts: &Parts) -> Option<Self> {
        let header = |name: &str| text(&parts.headers, name);
        let parameter = |name: &str| super::query::parameter(parts.uri.query()?, name);
        let scope = match header("authorization") {
            Some(it) => it
                .strip_prefix("AWS4-HMAC-SHA256")?
                .split(',')
                .find_map(credential)?,
            None => parameter("X-Amz-Credential")?,
        };
        // ACCESS_KEY/DATE/REGION/SERVICE/aws4_request
        let mut words = scope.split('/');
        let access_key = words.next().filter(|it| !it.is_empty())?.to_owned();
        let region = words.nth(1)?.to_owned();
        let token = header("x-amz-security-token").or_else(|| parameter("X-Amz-Security-Token"));
        Some(Self {
            access_key,
            region,
            token,
        })
    }
}

fn credential(part: &str) -> Option<String> {
    part.trim().strip_prefix("Credential=").map(str::to_owned)
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}
