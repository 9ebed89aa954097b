//! Parts of the words of a Dockerfile: values of flags, fields of lists, what quotes surround.

use std::ops::Range;

use super::instruction::Word;
use crate::manifest::left::Reason;
use crate::manifest::site::{Scalar, Style};

/// The values of a flag of an instruction, each as its word and its bytes in that.
pub(super) fn flags<'a>(
    words: &'a [Word<'a>],
    flag: &'static str,
) -> impl Iterator<Item = (&'a Word<'a>, Range<usize>)> {
    let all = words.iter().take_while(|it| it.text.starts_with("--"));
    let these = all.filter(move |it| it.text.starts_with(flag));
    these.map(move |it| (it, flag.len()..it.text.len()))
}

/// The values of a key in a list of `key=value`.
pub(super) fn fields(text: &str, list: Range<usize>, key: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut start = list.start;
    for field in text[list].split(',') {
        let end = start + field.len();
        if let Some((name, value)) = field.split_once('=')
            && name.trim().eq_ignore_ascii_case(key)
        {
            found.push(end - value.len()..end);
        }
        start = end + 1;
    }
    found
}

/// A part of a word, without the quotes around it.
pub(super) fn scalar(word: &Word<'_>, part: Range<usize>) -> Result<Scalar, Reason> {
    if !word.is_whole() {
        return Err(Reason::NotEditable);
    }
    let text = &word.text[part.clone()];
    let quoted = |quote: char| text.strip_prefix(quote)?.strip_suffix(quote);
    let (inner, style) = match (quoted('\''), quoted('"')) {
        (Some(it), _) => (it, Style::SingleQuoted),
        (_, Some(it)) => (it, Style::DoubleQuoted),
        (None, None) => (text, Style::Plain),
    };
    if inner.contains(['"', '\'', '\\', '`']) {
        return Err(Reason::NotEditable);
    }
    let quote = usize::from(style != Style::Plain);
    let start = word.span.start + part.start + quote;
    Ok(Scalar {
        span: start..start + inner.len(),
        text: inner.to_owned(),
        style,
    })
}
