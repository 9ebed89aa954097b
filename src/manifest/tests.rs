//! What every format has in common.

use expect_test::Expect;
use similar::{ChangeTag, TextDiff};

use super::*;

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
    let new: String = new.map(|it| format!("+ {}", it.value())).collect();
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
