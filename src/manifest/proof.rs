//! The proof of an edit: the text before and the text after are read and compared value by value,
//! and differ only where a splice says so.

use super::edit::Unproven;
use super::nested::Block;
use super::splice::Splice;
use super::tree::{Document, Id, Kind, Node, Tree};

/// Whether it is evident what a splice does: it puts a word in the place of a scalar of one line
/// whose bytes are its value. Letters that end no scalar and begin nothing else leave every other
/// token as it is:
/// <https://yaml.org/spec/1.2.2/#733-plain-style>.
pub(super) fn is_evident(tree: &Tree<'_>, splice: &Splice) -> bool {
    let letter = |it: u8| it.is_ascii_alphanumeric();
    let harmless = |it: u8| letter(it) || matches!(it, b'.' | b'_' | b'/' | b':' | b'@' | b'-');
    let text = splice.text.as_bytes();
    let is_word = text.iter().copied().all(harmless)
        && text.first().copied().is_some_and(letter)
        && text.last().copied().is_some_and(letter);
    let after = tree
        .nodes
        .partition_point(|it| it.at.start <= splice.at.start);
    let last = tree.nodes[..after].last();
    is_word && last.is_some_and(|it| is_all_of(tree, it, splice))
}

fn is_all_of(tree: &Tree<'_>, node: &Node<'_>, splice: &Splice) -> bool {
    use granit_parser::ScalarStyle::{DoubleQuoted, Plain, SingleQuoted};
    let Kind::Scalar { value, style, .. } = &node.kind else {
        return false;
    };
    let quote = match style {
        Plain => 0,
        SingleQuoted | DoubleQuoted => 1,
        _ => return false,
    };
    let inner = node.at.start + quote..node.at.end - quote;
    let is_something = quote > 0 || !value.is_empty();
    is_something && inner == splice.at && tree.text[inner] == **value
}

/// Fails unless both trees say the same but for the splices.
pub(super) fn same_but_for(
    (before, after): (&Tree<'_>, &Tree<'_>),
    splices: &[Splice],
) -> Result<(), Unproven> {
    let mut pairs: Vec<Id> = Vec::with_capacity(before.nodes.len());
    let (between, within): (Vec<&Splice>, Vec<&Splice>) =
        splices.iter().partition(|it| is_between(before, it));
    let mut inserted = between.into_iter().peekable();
    let mut next = 0;
    for node in &before.nodes {
        while let Some(splice) = inserted.next_if(|it| it.at.start <= node.at.start) {
            next = skip(after, next, splice)?;
        }
        let Some(other) = after.nodes.get(next) else {
            return Err(Unproven { line: node.line });
        };
        pairs.push(next);
        let first = within.partition_point(|it| it.at.start < node.at.start);
        let inside = within[first..].iter().copied();
        let inside = inside.take_while(|it| is_scalar(node) && it.at.end <= node.at.end);
        let splices: Vec<&Splice> = inside.collect();
        if other.parent != pairs[node.parent] || !same(before, (node, other), &splices, &pairs) {
            return Err(Unproven { line: node.line });
        }
        next += 1;
    }
    for splice in inserted {
        next = skip(after, next, splice)?;
    }
    let roots = |tree: &Tree<'_>, at: &Document| match at {
        Document::Read(root) => Ok(*root),
        Document::Broken(bytes) | Document::Unread(bytes) => {
            Err(tree.text[bytes.clone()].to_owned())
        }
    };
    let first = before.documents.iter().map(|it| roots(before, it));
    let first = first.map(|it| it.map(|it| it.map(|it| pairs[it])));
    let second = after.documents.iter().map(|it| roots(after, it));
    if next == after.nodes.len() && first.eq(second) {
        Ok(())
    } else {
        Err(Unproven { line: 1 })
    }
}

fn is_scalar(node: &Node<'_>) -> bool {
    matches!(node.kind, Kind::Scalar { .. })
}

/// Whether a splice puts a key and a value between what was there.
fn is_between(tree: &Tree<'_>, splice: &Splice) -> bool {
    splice.at.is_empty() && {
        let next = tree
            .nodes
            .partition_point(|it| it.at.start < splice.at.start);
        let last = tree.nodes[..next].iter().rev().find(|it| is_scalar(it));
        last.is_none_or(|it| it.at.end <= splice.at.start && !is_block(it))
    }
}

fn is_block(node: &Node<'_>) -> bool {
    use granit_parser::ScalarStyle::{Folded, Literal};
    matches!(&node.kind, Kind::Scalar { style, .. } if matches!(style, Literal | Folded))
}

/// Passes over the key and the value that a splice has put in.
fn skip(after: &Tree<'_>, next: Id, splice: &Splice) -> Result<Id, Unproven> {
    let text = |id: Id| match after.nodes.get(id).map(|it| &it.kind) {
        Some(Kind::Scalar { value, .. }) => value,
        _ => "",
    };
    let value = text(next + 1);
    if text(next) == "newName" && !value.is_empty() && splice.text.contains(value) {
        Ok(next + 2)
    } else {
        Err(Unproven {
            line: after.nodes.get(next).map_or(1, |it| it.line),
        })
    }
}

fn same(
    before: &Tree<'_>,
    (node, other): (&Node<'_>, &Node<'_>),
    splices: &[&Splice],
    pairs: &[Id],
) -> bool {
    match (&node.kind, &other.kind) {
        (
            Kind::Scalar { value, style, tag },
            Kind::Scalar {
                value: new,
                style: new_style,
                tag: new_tag,
            },
        ) => {
            let expected = match splices {
                [] => Some(value.clone().into_owned()),
                _ => expected(before, node, splices),
            };
            style == new_style && tag == new_tag && expected.as_deref() == Some(&**new)
        }
        (Kind::Sequence, Kind::Sequence) => true,
        (Kind::Mapping(style), Kind::Mapping(new)) => style == new,
        (Kind::Alias(target), Kind::Alias(new)) => pairs[*target] == *new,
        (Kind::Scalar { .. } | Kind::Sequence | Kind::Mapping(_) | Kind::Alias(_), _) => false,
    }
}

/// What a scalar says after its splices.
fn expected(before: &Tree<'_>, node: &Node<'_>, splices: &[&Splice]) -> Option<String> {
    let Kind::Scalar { value, .. } = &node.kind else {
        return None;
    };
    let block = Block::of(before.text, node);
    let source = &before.text[node.at.clone()];
    let mut result = value.clone().into_owned();
    for splice in splices.iter().rev() {
        let start = match &block {
            Some(block) => block.inner(splice.at.start),
            None => match source.find(&**value) {
                Some(first) => splice.at.start - node.at.start - first,
                // Folded, or escaped: all of the text is replaced.
                None => {
                    let old = value.trim_end_matches('\n').len();
                    result.replace_range(..old, &splice.text);
                    continue;
                }
            },
        };
        let length = splice.at.len();
        result.get(start..start + length)?;
        result.replace_range(start..start + length, &splice.text);
    }
    Some(result)
}
