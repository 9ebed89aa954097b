//! What every format has in common.

use expect_test::Expect;
use similar::{ChangeTag, TextDiff};

use super::*;
use crate::domain::rewrite;

mod corpus;
mod laws;

/// The references of a text, as they are reported: line, what it is, image.
pub(super) fn told(path: &str, text: &str) -> String {
    let document = read(path, text.as_bytes());
    let sites = document.sites.iter().map(|it| {
        let mut words = vec![format!("{}: {}", it.line, it.image)];
        if it.registry == Stated::Elsewhere {
            words.push("(registry elsewhere)".to_owned());
        }
        if it.tag == Stated::Elsewhere {
            words.push("(tag elsewhere)".to_owned());
        }
        (it.line, words.join(" "))
    });
    let left = document.left.iter();
    let left = left.map(|it| (it.line, format!("{}: {} [{}]", it.line, it.text, it.reason)));
    let mut lines: Vec<_> = sites.chain(left).collect();
    lines.sort_by_key(|it| it.0);
    let lines = lines.into_iter().map(|(_, it)| it + "\n");
    lines.collect()
}

/// The text with every image in `moved.example`, its path kept.
pub(super) fn moved(path: &str, text: &str) -> String {
    let document = read(path, text.as_bytes());
    let targets: Vec<String> = document.sites.iter().map(|it| target(&it.image)).collect();
    let targets: Vec<_> = targets.iter().map(|it| Some(it.as_str())).collect();
    let edited = edit(path, text, &document, &targets).unwrap();
    assert_eq!(edited.refused, Vec::new());
    edited.text
}

/// Where the rule of these tests leads an image.
pub(super) fn target(image: &str) -> String {
    let image = crate::domain::reference::Reference::parse(image).unwrap();
    if image.domain() == "moved.example" {
        return image.as_str().to_owned();
    }
    let tag = image.tag().map(|it| format!(":{it}")).unwrap_or_default();
    let digest = image
        .digest()
        .map(|it| format!("@{it}"))
        .unwrap_or_default();
    format!("moved.example/{}{tag}{digest}", image.repository())
}

/// A text, and what is told of it: every reference, and every line that an edit makes new.
#[track_caller]
pub(super) fn check(path: &str, text: &str, expected: &Expect) {
    let after = moved(path, text);
    let changes = TextDiff::from_lines(text, &after);
    let new = changes.iter_all_changes();
    let new = new.filter(|it| it.tag() == ChangeTag::Insert);
    let new: String = new
        .map(|it| format!("+ {}", it.value().replace('\r', "\\r")))
        .collect();
    expected.assert_eq(&(told(path, text) + &new));
    assert_eq!(moved(path, &after), after, "twice is once");
    outside_of_spans_nothing_changes(path, text, &after);
}

/// What is left of both texts without what their sites name is the same, but for new names.
#[track_caller]
fn outside_of_spans_nothing_changes(path: &str, before: &str, after: &str) {
    let rest = |text: &str| {
        let sites = read(path, text.as_bytes()).sites;
        let mut spans: Vec<_> = sites
            .iter()
            .flat_map(|site| site.spans().map(move |it| (it, &site.written)))
            .collect();
        spans.sort_by_key(|(it, _)| (it.start, it.end));
        spans.dedup_by(|a, b| a.0 == b.0);
        let mut rest = String::new();
        let mut from = 0;
        for (span, written) in spans {
            rest += &text[from..span.start];
            if let Written::Assignment { name, .. } = written {
                rest += &format!("{name}=");
            }
            from = span.end;
        }
        rest + &text[from..]
    };
    let new_name = |text: String| {
        let lines = text.lines().filter(|it| it.trim() != "newName:");
        let lines: Vec<&str> = lines.map(str::trim_end).collect();
        lines
            .join("\n")
            .replace(", newName: ", "")
            .replace(", \"newName\": \"\"", "")
    };
    assert_eq!(new_name(rest(before)), new_name(rest(after)));
}

#[test]
fn what_is_no_text_is_passed_over_with_a_word() {
    let reason = |path, text: &[u8]| read(path, text).left.first().map(|it| it.reason);
    assert_eq!(reason("a.yaml", b"image: \xff"), Some(Reason::NotUtf8));
    assert_eq!(reason("a.yaml", b"image: a\0"), Some(Reason::Binary));
    assert_eq!(
        reason("a.yaml", &vec![b' '; LARGEST + 1]),
        Some(Reason::TooLarge)
    );
    assert_eq!(reason("a.png", b"\xff\0"), None);
}

#[test]
fn templates_are_told_and_never_edited() {
    let template = "{{- if .Values.x }}\nimage: {{ .Values.image }}\n{{- end }}\n";
    let at = ["a/templates/a.yaml", "a.yaml", "a.tpl"].map(|it| told(it, template));
    for told in at {
        assert_eq!(told, "2: {{ .Values.image }} [HelmTemplate]\n");
    }
}

#[test]
fn a_document_that_does_not_read_is_told_and_the_next_is_edited() {
    let text =
        "image: [a/b:1\n---\napiVersion: v1\nkind: Pod\nspec: {containers: [{image: c:1}]}\n";
    assert_eq!(told("a.yaml", text), "1: a/b:1 [NotYaml]\n5: c:1\n");
    assert_eq!(
        moved("a.yaml", text),
        text.replace("c:1", "moved.example/library/c:1")
    );
}

#[test]
fn reasons_are_words_of_their_own_beside_those_of_rules() {
    let words: BTreeSet<&str> = Reason::ALL.iter().map(|it| it.as_str()).collect();
    assert_eq!(words.len(), Reason::ALL.len());
    let rules = rewrite::Reason::ALL.map(rewrite::Reason::as_str);
    let both: Vec<_> = rules.iter().filter(|it| words.contains(*it)).collect();
    assert_eq!(both, [&"NotAReference"]);
}

#[test]
fn a_comment_at_the_end_of_a_line_is_told() {
    check(
        "values.yaml",
        "image: ghcr.io/a/b:2 # was ghcr.io/a/b:1\nother:\n  repository: #quay.io/c/d\ntext: 'no # comment'\n",
        &expect_test::expect![[r#"
            1: ghcr.io/a/b:2
            1: ghcr.io/a/b:1 [Comment]
            3: quay.io/c/d [Comment]
            + image: moved.example/a/b:2 # was ghcr.io/a/b:1
        "#]],
    );
}
