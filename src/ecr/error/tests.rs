use super::*;

#[test]
fn codes_are_sorted_into_kinds() {
    for (code, status, kind) in [
        ("ThrottlingException", 400, ErrorKind::Throttled),
        ("TooManyRequestsException", 429, ErrorKind::Throttled),
        ("LimitExceededException", 400, ErrorKind::LimitExceeded),
        ("AccessDeniedException", 400, ErrorKind::AccessDenied),
        ("ExpiredTokenException", 400, ErrorKind::CredentialsRejected),
        ("InvalidClientTokenId", 403, ErrorKind::CredentialsRejected),
        ("RepositoryNotFoundException", 400, ErrorKind::NotFound),
        ("SecretNotFoundException", 400, ErrorKind::InvalidParameter),
        (
            "RepositoryAlreadyExistsException",
            400,
            ErrorKind::AlreadyExists,
        ),
        ("ServerException", 500, ErrorKind::Unavailable),
        ("SomethingNew", 400, ErrorKind::Unexpected),
        ("SomethingNew", 503, ErrorKind::Unavailable),
    ] {
        assert_eq!(kind_of(code, status), kind, "{code:?} {status}");
    }
}

#[test]
fn a_message_keeps_what_a_person_needs_and_nothing_else() {
    for (message, kept) in [
        (
            "User: arn:aws:sts::1:x is not authorized to perform: ecr:CreateRepository. \
             Encoded authorization failure message: AbCd123",
            "User: arn:aws:sts::1:x is not authorized to perform: ecr:CreateRepository.",
        ),
        (
            "The key is disabled. (Service: AWSKMS; Status Code: 400; Request ID: 1-2; Proxy: null)",
            "The key is disabled.",
        ),
        (
            "Internal failure, request id: 42 was not done",
            "Internal failure, was not done",
        ),
        ("Plain.", "Plain."),
    ] {
        assert_eq!(scrub(message), kept);
    }
}
