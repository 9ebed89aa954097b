//! Reads of the API server together with its clock: what must not be decided by a clock of ours that
//! is wrong is decided by the `Date` of the very answer.

use std::time::Duration;

use hyper::StatusCode;
use jiff::Timestamp;
use jiff::fmt::rfc2822;
use kube::Client;
use kube::api::{GetParams, Request};
use kube::client::Body;
use kube::core::Status;
use serde::de::DeserializeOwned;

use crate::domain::moment::MOST_SECONDS_APART;

/// An object as the API server has it, and the time that it is there.
#[derive(Clone, Debug)]
pub struct Dated<K> {
    /// The object; `None`: there is none.
    pub object: Option<K>,
    /// The API server's clock.
    pub date: Timestamp,
}

/// Why an object was not read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request could not be made.
    #[error("make the request")]
    Request(#[source] kube::core::request::Error),
    /// There was no answer.
    #[error("no answer")]
    Unanswered(#[source] kube::Error),
    /// The answer is an error.
    #[error("the API server answers {status}: {message}")]
    Refused {
        /// Its code.
        status: StatusCode,
        /// What the API server says.
        message: String,
    },
    /// The answer has no date, or none that can be read.
    #[error("the answer has no Date header that can be read")]
    NoDate,
    /// The answer is not this object.
    #[error("read the answer")]
    Unreadable(#[source] serde_json::Error),
}

/// Reads the object `name` below `path`, the path of its kind and namespace as
/// [`kube::Resource::url_path`] has it.
///
/// # Errors
/// When there is no answer, or none that can be read. That there is no such object is no error.
pub async fn get<K: DeserializeOwned>(
    client: &Client,
    path: &str,
    name: &str,
) -> Result<Dated<K>, Error> {
    let request = Request::new(path).get(name, &GetParams::default());
    let request = request.map_err(Error::Request)?.map(Body::from);
    let response = client.send(request).await.map_err(Error::Unanswered)?;
    let date = response.headers().get(hyper::header::DATE);
    let date = date.and_then(|it| it.to_str().ok());
    let date = date.and_then(|it| rfc2822::DateTimeParser::new().parse_timestamp(it).ok());
    let date = date.ok_or(Error::NoDate)?;
    match response.status() {
        StatusCode::NOT_FOUND => Ok(Dated { object: None, date }),
        status if status.is_success() => {
            let body = response.into_body().collect_bytes().await;
            let body = body.map_err(Error::Unanswered)?;
            let object = serde_json::from_slice(&body).map_err(Error::Unreadable)?;
            let object = Some(object);
            Ok(Dated { object, date })
        }
        status => {
            let body = response.into_body().collect_bytes().await;
            let body = body.map_err(Error::Unanswered)?;
            let message = match serde_json::from_slice::<Status>(&body) {
                Ok(said) => said.message,
                // A proxy in between answers in words of its own.
                Err(_) => String::from_utf8_lossy(&body).into_owned(),
            };
            Err(Error::Refused { status, message })
        }
    }
}

/// Whether two clocks agree as far as clocks of different machines do.
pub fn agree(one: Timestamp, other: Timestamp) -> bool {
    one.duration_since(other).unsigned_abs() <= Duration::from_secs(MOST_SECONDS_APART)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    #[test]
    fn clocks_a_minute_apart_agree_and_no_further() {
        let now = Timestamp::now();
        for (seconds, expected) in [
            (0, true),
            (60, true),
            (-60, true),
            (61, false),
            (-61, false),
        ] {
            let other = now + SignedDuration::from_secs(seconds);
            assert_eq!(agree(now, other), expected, "{seconds}");
            assert_eq!(agree(other, now), expected, "{seconds}");
        }
    }
}
