use proptest::prelude::*;

use super::*;

/// What `ParseNormalizedNamed` of github.com/distribution/reference v0.6.0 answers: a line with an
/// image alone is one that it refuses.
const GOLDEN: &str = include_str!("golden.jsonl");

#[derive(Debug, serde::Deserialize, PartialEq)]
struct Answer {
    image: String,
    #[serde(flatten)]
    view: Option<View>,
}

#[derive(Debug, serde::Deserialize, PartialEq)]
struct View {
    domain: String,
    repository: String,
    tag: String,
    digest: String,
}

#[test]
fn references_are_read_as_the_grammars_own_library_reads_them() {
    for line in GOLDEN.lines() {
        let golden: Answer = serde_json::from_str(line).unwrap();
        let ours = Reference::parse(&golden.image).ok().map(|it| View {
            domain: it.domain().to_owned(),
            repository: it.repository().to_string(),
            tag: it.tag().unwrap_or_default().to_owned(),
            digest: it.digest().unwrap_or_default().to_owned(),
        });
        assert_eq!(ours, golden.view, "{:?}", golden.image);
    }
}

#[test]
fn the_spelling_is_kept_and_the_meaning_is_spelt_out() {
    for (text, normalised) in [
        ("nginx", "docker.io/library/nginx"),
        ("index.docker.io/nginx:1", "docker.io/library/nginx:1"),
        ("bitnami/redis", "docker.io/bitnami/redis"),
        ("reg:5000/a/b:v1", "reg:5000/a/b:v1"),
        ("a_b.c/x", "a_b.c/x"),
    ] {
        let reference = Reference::parse(text).unwrap();
        assert_eq!(reference.to_string(), text);
        assert_eq!(reference.as_str(), text);
        assert_eq!(reference.normalised().to_string(), normalised);
    }
}

#[test]
fn an_error_says_what_is_wrong_and_where() {
    let long_tag = format!("nginx:{}", "t".repeat(129));
    let long_path = format!("quay.io/{}", "a".repeat(256));
    for (text, problem, at) in [
        ("", Problem::Empty, 0),
        (&"0123456789abcdef".repeat(4), Problem::Identifier, 0),
        ("https://quay.io/x", Problem::Scheme, 0),
        ("-a.b/x", Problem::Host, 0),
        ("a..b/x", Problem::Host, 2),
        ("reg:5a/x", Problem::Port, 3),
        ("quay.io/Foo", Problem::Uppercase, 8),
        ("nginx ", Problem::Character, 5),
        ("quay.io//x", Problem::Component, 8),
        ("quay.io/a-", Problem::Component, 10),
        (&long_path, Problem::PathTooLong, 8),
        ("nginx:", Problem::Tag, 6),
        ("nginx:a b", Problem::Tag, 7),
        (&long_tag, Problem::TagTooLong, 134),
        ("nginx:1@md5:00", Problem::Algorithm, 8),
        ("nginx:1@sha256:00", Problem::Digest, 15),
    ] {
        assert_eq!(Reference::parse(text), Err(Error { problem, at }), "{text}");
    }
    assert_eq!(
        Reference::parse("quay.io/Foo").unwrap_err().to_string(),
        "an upper-case letter in the repository name, at byte 8"
    );
}

proptest! {
    #[test]
    fn any_text_is_answered_and_what_is_taken_keeps_its_spelling(
        text in "(\\PC|[a-c0/:@._A-]){0,40}"
    ) {
        if let Ok(reference) = Reference::parse(&text) {
            prop_assert_eq!(reference.to_string(), text);
        }
    }

    #[test]
    fn the_normalised_view_means_the_same(
        text in "((a|B\\.c|localhost|docker\\.io|index\\.docker\\.io|r:50)/)?[a-c]([._/-]?[a-c0]){0,6}(:[A-z0-9.-]{1,9})?(@sha256:[0-9a-f]{64})?"
    ) {
        if let Ok(reference) = Reference::parse(&text) {
            let normalised = reference.normalised().to_string();
            let again = Reference::parse(&normalised).unwrap();
            prop_assert_eq!(again.domain(), reference.domain());
            prop_assert_eq!(again.repository().to_string(), reference.repository().to_string());
            prop_assert_eq!((again.tag(), again.digest()), (reference.tag(), reference.digest()));
            prop_assert_eq!(again.normalised().to_string(), normalised);
        }
    }
}
