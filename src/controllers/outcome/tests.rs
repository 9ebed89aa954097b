use std::fmt::Write as _;

use expect_test::expect;

use super::*;

#[test]
fn every_kind_of_failure_has_a_word_a_cure_and_a_time() {
    let mut table = String::new();
    for kind in ErrorKind::ALL {
        let (reason, cure, retry) = of_error(*kind);
        writeln!(table, "{kind:?}: {reason:?}, {cure:?}, {retry:?}").unwrap();
    }
    expect![[r#"
        Throttled: Throttled, Time, BackingOff
        AccessDenied: AccessDenied, Person, BackingOff
        CredentialsRejected: AccessDenied, Person, BackingOff
        AssumeRoleDenied: AccessDenied, Person, BackingOff
        WrongAccount: IdentityMismatch, Person, BackingOff
        NotFound: Progressing, Time, BackingOff
        AlreadyExists: Progressing, Time, BackingOff
        NotEmpty: Progressing, Time, BackingOff
        LimitExceeded: LimitExceeded, Person, Patiently
        InvalidParameter: Rejected, Person, Patiently
        Kms: AccessDenied, Person, BackingOff
        Unavailable: Unreachable, Time, BackingOff
        Refused: Unreachable, Time, BackingOff
        NotLeading: Progressing, Time, BackingOff
        Unexpected: Failed, Time, BackingOff
    "#]]
    .assert_eq(&table);
}

#[test]
fn a_retry_never_waits_less_the_second_time() {
    for retry in [Retry::BackingOff, Retry::Patiently] {
        let (first, longest) = retry.bounds().unwrap();
        assert!(first <= longest, "{retry:?}");
    }
    assert_eq!(Retry::WhenAsked.bounds(), None);
}
