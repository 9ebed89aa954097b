//! The wire: which service and operation a request means, in which of AWS's protocols, and how
//! an answer is written in it. Nothing here knows what an operation does.

use axum::body::Bytes;
use axum::http::request::Parts;
use serde_json::{Map, Value};

use super::refusal::Refusal;

mod authorization;
pub(crate) mod paging;
mod query;
pub(crate) mod shapes;

pub(crate) use authorization::Credentials;
pub(crate) use query::parameter;

/// What a request asks.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The service that is asked.
    pub(crate) service: Service,
    /// The operation, as the request names it.
    pub(crate) operation: String,
    /// What is said about it.
    pub(crate) input: Value,
    /// The body, for the data plane.
    pub(crate) body: Bytes,
}

/// The services that are emulated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Service {
    /// Amazon ECR, over AWS JSON 1.1.
    Ecr,
    /// The Resource Groups Tagging API, over AWS JSON 1.1.
    Tagging,
    /// AWS STS, over the query protocol.
    Sts,
    /// AWS IAM, over the query protocol.
    Iam,
    /// The data plane, which is no AWS protocol.
    Registry,
}

/// An answer before it is bytes of HTTP.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// The HTTP status.
    pub(crate) status: u16,
    /// Of the body.
    pub(crate) content_type: &'static str,
    /// The body.
    pub(crate) body: String,
}

const ECR: &str = "AmazonEC2ContainerRegistry_V20150921";
const TAGGING: &str = "ResourceGroupsTaggingAPI_20170126";
const JSON: &str = "application/x-amz-json-1.1";

impl Service {
    /// The service's name in signatures and in the journal.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ecr => "ecr",
            Self::Tagging => "tagging",
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::Registry => "registry",
        }
    }

    /// Writes an answer in the service's protocol.
    pub(crate) fn reply(
        self,
        operation: &str,
        answer: Result<&Value, &Refusal>,
        id: &str,
    ) -> Reply {
        match (self, answer) {
            (Self::Ecr | Self::Tagging | Self::Registry, Ok(output)) => Reply {
                status: 200,
                content_type: JSON,
                body: output.to_string(),
            },
            (Self::Ecr | Self::Tagging | Self::Registry, Err(refusal)) => json_refusal(refusal),
            (Self::Sts | Self::Iam, answer) => query::reply(self, operation, answer, id),
        }
    }
}

/// Reads what a request asks.
pub(crate) fn read(parts: &Parts, body: &Bytes) -> Result<Asked, Refusal> {
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|it| it.to_str().ok());
    let Some(target) = target else {
        return query::read(parts, body);
    };
    let (service, operation) = match target.split_once('.') {
        Some((ECR, operation)) => (Service::Ecr, operation),
        Some((TAGGING, operation)) => (Service::Tagging, operation),
        _ => return Err(unknown_operation()),
    };
    let input = match body.is_empty() {
        true => Value::Object(Map::new()),
        false => serde_json::from_slice(body)
            .map_err(|it| Refusal::serialization(&format!("the body is no JSON: {it}")))?,
    };
    Ok(Asked {
        service,
        operation: operation.to_owned(),
        input,
        body: Bytes::new(),
    })
}

/// What a JSON service answers to an operation that it does not have.
pub(crate) fn unknown_operation() -> Refusal {
    Refusal::new("UnknownOperationException", "")
}

/// What a query service answers to an operation that it does not have.
pub(crate) fn invalid_action(operation: &str) -> Refusal {
    Refusal::new(
        "InvalidAction",
        format!("Could not find operation {operation}"),
    )
}

fn json_refusal(refusal: &Refusal) -> Reply {
    let mut body = refusal.members.clone();
    body.insert("__type".to_owned(), refusal.code.clone().into());
    body.insert("message".to_owned(), refusal.message.clone().into());
    Reply {
        status: refusal.status,
        content_type: JSON,
        body: Value::Object(body).to_string(),
    }
}

/// The answer to a request of which not even the service is known.
pub(crate) fn reply_to_nonsense(refusal: &Refusal) -> Reply {
    json_refusal(refusal)
}
