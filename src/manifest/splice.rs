//! Changes of a few bytes of a text each.

use std::ops::Range;

/// A change of a few bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Splice {
    pub(super) at: Range<usize>,
    pub(super) text: String,
}

/// The text with all splices made; they do not overlap.
pub(super) fn apply(text: &str, splices: &[Splice]) -> String {
    let more: usize = splices.iter().map(|it| it.text.len()).sum();
    let mut result = String::with_capacity(text.len() + more);
    let mut from = 0;
    for splice in splices {
        if splice.at.start < from {
            continue;
        }
        result += &text[from..splice.at.start];
        result += &splice.text;
        from = splice.at.end;
    }
    result += &text[from..];
    result
}
