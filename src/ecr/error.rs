//! What went wrong with a call, as one of a closed list of kinds. Messages are for people and stand
//! in status: they carry no secret, no encoded authorization message and nothing that changes from
//! one attempt to the next.

use std::error::Error as StdError;

use aws_credential_types::provider::error::CredentialsError;
use aws_sdk_ecr::config::http::HttpResponse;
use aws_sdk_ecr::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;

use super::fence::TermOver;
use super::operation::{Operation, words};
use crate::domain;

/// One AWS call that did not do what it should.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{operation} in {registry}: {message}")]
pub struct Error {
    /// What kind of failure it is; what to do about it follows from this alone.
    pub kind: ErrorKind,
    /// The call that failed.
    pub operation: Operation,
    /// The registry that it was for.
    pub registry: domain::Registry,
    /// AWS's own error code, for example `RepositoryNotFoundException`; empty where there is none.
    pub code: String,
    /// What AWS said, or what happened instead, for a person to read.
    pub message: String,
}

words!(
    /// The kinds of failure.
    ErrorKind {
        /// AWS asked us to slow down, and kept asking.
        Throttled,
        /// Our role may not make this call.
        AccessDenied,
        /// AWS did not accept our credentials, or there are none.
        CredentialsRejected,
        /// STS did not let us assume the environment's role.
        AssumeRoleDenied,
        /// Our credentials are of another account than the one declared.
        WrongAccount,
        /// What the call is about does not exist.
        NotFound,
        /// What the call would make exists.
        AlreadyExists,
        /// The repository to delete holds images.
        NotEmpty,
        /// A quota of the account is used up.
        LimitExceeded,
        /// AWS does not accept what we asked for.
        InvalidParameter,
        /// AWS KMS did not let ECR use the key.
        Kms,
        /// No answer, or an answer that says that AWS is unwell.
        Unavailable,
        /// Not called: the registry does not answer at present.
        Refused,
        /// Not sent: this replica does not hold the lease, or no longer.
        NotLeading,
        /// None of the above.
        Unexpected,
    }
);

impl ErrorKind {
    /// Whether AWS has said no to who we are, as against having said nothing: somebody has to act.
    pub fn is_refusal(self) -> bool {
        match self {
            Self::AccessDenied
            | Self::AssumeRoleDenied
            | Self::CredentialsRejected
            | Self::WrongAccount => true,
            Self::Throttled
            | Self::NotFound
            | Self::AlreadyExists
            | Self::NotEmpty
            | Self::LimitExceeded
            | Self::InvalidParameter
            | Self::Kms
            | Self::Unavailable
            | Self::Refused
            | Self::NotLeading
            | Self::Unexpected => false,
        }
    }
}

impl Error {
    /// A failure that no AWS answer stands for.
    pub(super) fn new(
        kind: ErrorKind,
        operation: Operation,
        registry: &domain::Registry,
        message: impl Into<String>,
    ) -> Self {
        Self {
            kind,
            operation,
            registry: registry.clone(),
            code: String::new(),
            message: message.into(),
        }
    }

    /// What the SDK's `error` comes to.
    pub(super) fn of<E>(
        operation: Operation,
        registry: &domain::Registry,
        error: &SdkError<E, HttpResponse>,
    ) -> Self
    where
        E: ProvideErrorMetadata + StdError + 'static,
    {
        let (kind, code, message) = if let Some(over) = fenced(error) {
            (ErrorKind::NotLeading, String::new(), over.to_string())
        } else if let Some(denied) = assume_role_failure(error) {
            of_assume_role(denied)
        } else if error.as_service_error().is_none() && names_credentials(error) {
            let message = "no credentials: the default chain found none".to_owned();
            (ErrorKind::CredentialsRejected, String::new(), message)
        } else {
            of_answer(error)
        };
        Self {
            kind,
            operation,
            registry: registry.clone(),
            code,
            message,
        }
    }
}

/// Whether the service never answered, as against answering with a failure or not being called for
/// want of credentials.
pub(super) fn is_silence<E>(error: &SdkError<E, HttpResponse>) -> bool
where
    E: StdError + 'static,
{
    let silent = matches!(
        error,
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_)
    );
    silent && assume_role_failure(error).is_none() && fenced(error).is_none()
}

fn of_answer<E: ProvideErrorMetadata>(
    error: &SdkError<E, HttpResponse>,
) -> (ErrorKind, String, String) {
    match error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or_default();
            if code.is_empty() {
                return unreadable(status);
            }
            let message = answer.err().message().map(scrub).unwrap_or_default();
            (kind_of(code, status), code.to_owned(), message)
        }
        SdkError::ResponseError(answer) => unreadable(answer.raw().status().as_u16()),
        SdkError::TimeoutError(_) => silence("no answer in time"),
        SdkError::DispatchFailure(failure) if failure.is_timeout() => {
            silence("no connection in time")
        }
        SdkError::DispatchFailure(_) => silence("no connection, or it broke before an answer"),
        _ => {
            let message = "the request could not be made".to_owned();
            (ErrorKind::Unexpected, String::new(), message)
        }
    }
}

/// An answer that is none of ECR's: cut short, or a proxy's.
fn unreadable(status: u16) -> (ErrorKind, String, String) {
    let kind = match status {
        429 => ErrorKind::Throttled,
        400..500 => ErrorKind::Unexpected,
        _ => ErrorKind::Unavailable,
    };
    let message = format!("the answer, HTTP status {status}, could not be read");
    (kind, format!("HTTP {status}"), message)
}

fn silence(message: &str) -> (ErrorKind, String, String) {
    (ErrorKind::Unavailable, String::new(), message.to_owned())
}

fn of_assume_role(error: &SdkError<AssumeRoleError, HttpResponse>) -> (ErrorKind, String, String) {
    let (kind, code, message) = of_answer(error);
    match kind {
        ErrorKind::AccessDenied => (ErrorKind::AssumeRoleDenied, code, message),
        ErrorKind::InvalidParameter => (
            ErrorKind::AssumeRoleDenied,
            code,
            format!("the role cannot be assumed: {message}"),
        ),
        ErrorKind::Throttled
        | ErrorKind::CredentialsRejected
        | ErrorKind::AssumeRoleDenied
        | ErrorKind::WrongAccount
        | ErrorKind::NotFound
        | ErrorKind::AlreadyExists
        | ErrorKind::NotEmpty
        | ErrorKind::LimitExceeded
        | ErrorKind::Kms
        | ErrorKind::Unavailable
        | ErrorKind::Refused
        | ErrorKind::NotLeading
        | ErrorKind::Unexpected => (kind, code, message),
    }
}

/// ECR models its own errors only: <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/CommonErrors.html>
/// has the rest, and STS has other spellings for the same.
fn kind_of(code: &str, status: u16) -> ErrorKind {
    match code {
        _ if is_throttling(code) => ErrorKind::Throttled,
        "AccessDenied" | "AccessDeniedException" | "BlockedByOrganizationPolicyException" => {
            ErrorKind::AccessDenied
        }
        "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "RequestExpired"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => ErrorKind::CredentialsRejected,
        "ExclusionNotFoundException"
        | "ImageNotFoundException"
        | "LifecyclePolicyNotFoundException"
        | "PullThroughCacheRuleNotFoundException"
        | "RegistryPolicyNotFoundException"
        | "RepositoryNotFoundException"
        | "RepositoryPolicyNotFoundException"
        | "SigningConfigurationNotFoundException"
        | "TemplateNotFoundException" => ErrorKind::NotFound,
        "ExclusionAlreadyExistsException"
        | "PullThroughCacheRuleAlreadyExistsException"
        | "RepositoryAlreadyExistsException"
        | "TemplateAlreadyExistsException" => ErrorKind::AlreadyExists,
        "RepositoryNotEmptyException" => ErrorKind::NotEmpty,
        "LimitExceededException" | "TooManyTagsException" => ErrorKind::LimitExceeded,
        "InvalidParameterException"
        | "InvalidTagParameterException"
        | "SecretNotFoundException"
        | "UnableToAccessSecretException"
        | "UnableToDecryptSecretValueException"
        | "UnsupportedUpstreamRegistryException"
        | "ValidationError"
        | "ValidationException" => ErrorKind::InvalidParameter,
        "KmsException" => ErrorKind::Kms,
        "ServerException" | "UnableToGetUpstreamImageException" => ErrorKind::Unavailable,
        _ if status >= 500 => ErrorKind::Unavailable,
        _ => ErrorKind::Unexpected,
    }
}

/// The codes with which AWS asks for fewer calls. ECR's `LimitExceededException` is not one: there
/// it is a quota, for example of repositories.
pub(super) fn is_throttling(code: &str) -> bool {
    matches!(
        code,
        "RequestLimitExceeded"
            | "RequestThrottled"
            | "RequestThrottledException"
            | "ThrottledException"
            | "Throttling"
            | "ThrottlingException"
            | "TooManyRequestsException"
    )
}

/// The failure to assume a role that lies under a failed call, since credentials are fetched then.
fn assume_role_failure<'a>(
    error: &'a (dyn StdError + 'static),
) -> Option<&'a SdkError<AssumeRoleError, HttpResponse>> {
    chain(error).find_map(|it| it.downcast_ref())
}

/// What stopped the call on this side: the end of the leader's term.
fn fenced<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a TermOver> {
    chain(error).find_map(|it| it.downcast_ref())
}

fn names_credentials(error: &(dyn StdError + 'static)) -> bool {
    chain(error).any(<dyn StdError>::is::<CredentialsError>)
}

fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    std::iter::successors(Some(error), |&it| it.source())
}

/// Takes out of a message of AWS what must not stand in a log or a status: encoded authorization
/// messages (they describe our policies), and request ids (they change with every attempt).
fn scrub(message: &str) -> String {
    let mut text = message;
    for start in [
        "Encoded authorization",
        "encoded authorization",
        "(Service:",
    ] {
        text = text.split(start).next().unwrap_or_default();
    }
    let words = text.split(' ').collect::<Vec<_>>();
    let mut kept: Vec<&str> = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let is_id = matches!(words[at..], [request, id, _, ..]
            if request.eq_ignore_ascii_case("request") && id.eq_ignore_ascii_case("id:"));
        if is_id {
            at += 3;
        } else {
            kept.push(words[at]);
            at += 1;
        }
    }
    kept.join(" ").trim_end().to_owned()
}

#[cfg(test)]
mod tests;
