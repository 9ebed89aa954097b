use expect_test::{Expect, expect};

use super::*;

fn check(stream: &str, expected: &Expect) {
    let shown = split(stream)
        .into_iter()
        .map(|it| format!("{} {:?}\n", it.line, it.text));
    expected.assert_eq(&shown.collect::<String>());
}

#[test]
fn a_stream_is_cut_at_its_markers_and_nowhere_else() {
    check(
        "a: 1",
        &expect![[r#"
        1 "a: 1"
    "#]],
    );
    check(
        "---\na: 1\n---\nb: 2\n",
        &expect![[r#"
        1 "---\na: 1\n"
        3 "---\nb: 2\n"
    "#]],
    );
    check(
        "a: 1\r\n--- # next\r\nb: 2",
        &expect![[r#"
        1 "a: 1\r\n"
        2 "--- # next\r\nb: 2"
    "#]],
    );
    check(
        "a: |\n  ---\n  b\nc: ----\n----\n",
        &expect![[r#"
        1 "a: |\n  ---\n  b\nc: ----\n----\n"
    "#]],
    );
    check(
        "a: 1\n---",
        &expect![[r#"
        1 "a: 1\n"
        2 "---"
    "#]],
    );
    check(
        "",
        &expect![[r#"
        1 ""
    "#]],
    );
}

#[test]
fn a_document_in_place_keeps_its_lines() {
    let second = split("a: 1\n---\nb: [")[1];
    assert_eq!(second.in_place(), "\n---\nb: [");
}
