use super::*;

#[test]
fn text_compares_as_time_does_and_no_other_form_is_taken() {
    let moment = |text: &str| text.parse::<Moment>();
    assert!(moment("2026-10-18T12:00:00Z").unwrap() < moment("2027-01-01T00:00:00Z").unwrap());
    for other in [
        "",
        "tomorrow",
        "2026-10-18",
        "2026-10-18T12:00:00+02:00",
        "2026-10-18T12:00:00.5Z",
        "2026-10-18t12:00:00z",
        "+026-10-18T12:00:00Z",
    ] {
        assert!(moment(other).is_err(), "{other}");
    }
}
