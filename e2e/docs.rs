//! `docs/rewrite.md`, held to the truth: its reasons are those of the program, in the program's words.

use std::collections::BTreeMap;

use ecr_operator::domain::rewrite;
use ecr_operator::manifest;

const REWRITE: &str = include_str!("../docs/rewrite.md");

#[test]
fn every_reason_is_told_in_its_own_words_and_no_other() {
    let text = manifest::Reason::ALL.map(|it| (it.as_str(), it.explanation()));
    assert_eq!(table("Of the text:"), BTreeMap::from(text));
    let rules = rewrite::Reason::ALL.into_iter();
    let rules = rules.map(|it| (it.as_str(), it.explanation()));
    // What is no reference is found in the text, before any rule is asked.
    let rules = rules.filter(|it| it.0 != manifest::Reason::NotAReference.as_str());
    assert_eq!(table("Of the rules"), rules.collect());
}

/// The rows of the table after a line that begins so, each `| `word` | sentence |`.
fn table(before: &str) -> BTreeMap<&'static str, &'static str> {
    let mut lines = REWRITE.lines().skip_while(|it| !it.starts_with(before));
    let heading = lines.find(|it| it.starts_with("|---"));
    assert!(heading.is_some(), "there is no table after {before:?}");
    let rows = lines.take_while(|it| it.starts_with('|'));
    let row = |it: &'static str| {
        let cells = it.strip_prefix("| `")?.strip_suffix(" |")?;
        cells.split_once("` | ")
    };
    rows.map(|it| row(it).expect(it)).collect()
}
