//! Variables in a word of a Dockerfile.
//! <https://docs.docker.com/reference/dockerfile/#environment-replacement>

use std::ops::Range;

/// A part of a word.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Piece<'a> {
    /// What it says itself.
    Text(&'a str),
    /// `$name`, `${name}`, or `${name:-default}` with the bytes of the default in the word.
    Variable {
        name: &'a str,
        default: Option<Range<usize>>,
    },
}

/// The parts of a word and where each begins; `None` if there is something else in it.
pub(super) fn pieces(text: &str) -> Option<Vec<(usize, Piece<'_>)>> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let Some(after) = rest.strip_prefix('$') else {
            let end = rest.find('$').unwrap_or(rest.len());
            pieces.push((at, Piece::Text(&rest[..end])));
            at += end;
            continue;
        };
        let (piece, length) = match after.strip_prefix('{') {
            Some(braced) => {
                let end = braced.find('}')?;
                (in_braces(&braced[..end], at + 2)?, end + 3)
            }
            None => {
                let end = after.find(|it| !is_of_name(it)).unwrap_or(after.len());
                let name = &after[..end];
                let default = None;
                (Piece::Variable { name, default }, end + 1)
            }
        };
        if matches!(piece, Piece::Variable { name: "", .. }) {
            return None;
        }
        pieces.push((at, piece));
        at += length;
    }
    Some(pieces)
}

fn in_braces(text: &str, start: usize) -> Option<Piece<'_>> {
    let end = text.find(|it| !is_of_name(it)).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    let default = match rest {
        "" => None,
        // Without the colon, it is for what is not set at all.
        _ => {
            let default = rest.strip_prefix(":-").or_else(|| rest.strip_prefix('-'))?;
            Some(start + text.len() - default.len()..start + text.len())
        }
    };
    Some(Piece::Variable { name, default })
}

/// Where the version of a name begins, if it says one itself.
pub(super) fn version_of(text: &str) -> Option<usize> {
    let pieces = pieces(text)?;
    let texts = || {
        pieces.iter().filter_map(|(at, piece)| match piece {
            Piece::Text(text) => Some((*at, *text)),
            Piece::Variable { .. } => None,
        })
    };
    let mut paths = texts().filter_map(|(at, it)| Some(at + it.rfind('/')? + 1));
    let path = paths.next_back().unwrap_or(0);
    let mut marks = texts().filter_map(|(at, it)| {
        let from = path.saturating_sub(at);
        Some(at + from + it.get(from..)?.find([':', '@'])?)
    });
    marks.next()
}

/// The names of the variables in a word.
pub(super) fn variables(text: &str) -> impl Iterator<Item = &str> {
    text.split('$').skip(1).filter_map(|it| {
        let it = it.strip_prefix('{').unwrap_or(it);
        let end = it.find(|it| !is_of_name(it)).unwrap_or(it.len());
        (end > 0).then_some(&it[..end])
    })
}

/// What a word says once its variables have their values; `None` if one of them has none.
pub(super) fn expand(text: &str, value: &impl Fn(&str) -> Option<String>) -> Option<String> {
    let mut said = String::new();
    for (_, piece) in pieces(text)? {
        match piece {
            Piece::Text(text) => said += text,
            Piece::Variable { name, default } => {
                let default = default.map(|it| text[it].to_owned());
                let value = value(name).filter(|it| !it.is_empty()).or(default)?;
                if value.contains('$') {
                    return None;
                }
                said += &value;
            }
        }
    }
    Some(said)
}

fn is_of_name(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || letter == '_'
}
