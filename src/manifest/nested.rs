//! YAML within YAML: a document in a literal block, whose lines are the file's own but for the
//! indentation, so that its sites can be edited as exactly as any.

use std::ops::Range;

use granit_parser::ScalarStyle;

use super::found::Found;
use super::left::Reason;
use super::site::{NewName, Scalar, Site, Written};
use super::sweep;
use super::tree::{Cursor, Document, Kind, Node, Tree};

/// Where the lines of a literal block are in the text around it.
#[derive(Debug)]
pub(super) struct Block {
    /// For each line of the value, where it begins there and in the text around.
    lines: Vec<(usize, usize)>,
    /// The number of the first line in the text around.
    first_line: usize,
    indent: String,
}

impl Block {
    /// The lines of a literal block; `None` of any other scalar, or if a line is not found as it is.
    pub(super) fn of(text: &str, node: &Node<'_>) -> Option<Self> {
        let Kind::Scalar { value, style, .. } = &node.kind else {
            return None;
        };
        // Its bytes begin with the first letter; where blank lines come before, that says too little.
        if *style != ScalarStyle::Literal || value.starts_with('\n') {
            return None;
        }
        let mut lines = Vec::new();
        let mut indent: Option<usize> = None;
        let mut around = text[..node.at.start].rfind('\n')? + 1;
        let mut inner = 0;
        for line in value.split_inclusive('\n') {
            let rest = &text[around..];
            let length = rest.find('\n').map_or(rest.len(), |it| it + 1);
            let content = line.trim_end_matches('\n');
            let outer = rest[..length].trim_end_matches('\n').trim_end_matches('\r');
            if content.is_empty() {
                lines.push((inner, around + outer.len()));
            } else {
                let found = outer.len().checked_sub(content.len())?;
                let indent = *indent.get_or_insert(found);
                if found != indent || &outer[found..] != content {
                    return None;
                }
                lines.push((inner, around + found));
            }
            inner += line.len();
            around += length;
        }
        Some(Self {
            lines,
            first_line: node.line,
            indent: " ".repeat(indent.unwrap_or(0)),
        })
    }

    /// Where a byte of the value is in the text around.
    fn outer(&self, at: usize) -> usize {
        let next = self.lines.partition_point(|(inner, _)| *inner <= at);
        match self.lines.get(next.saturating_sub(1)) {
            Some((inner, outer)) => outer + (at - inner),
            None => 0,
        }
    }

    /// Where a byte of the text around is in the value.
    pub(super) fn inner(&self, at: usize) -> usize {
        let next = self.lines.partition_point(|(_, outer)| *outer <= at);
        match self.lines.get(next.saturating_sub(1)) {
            Some((inner, outer)) => inner + (at - outer),
            None => 0,
        }
    }

    fn range(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.outer(span.start);
        start..start + span.len()
    }
}

/// Reads the documents in a scalar with the room of their format.
pub(super) fn read<'a>(
    found: &mut Found<'a>,
    at: Cursor<'a>,
    room: impl for<'n> Fn(&mut Found<'n>, Cursor<'n>),
) {
    let Some(text) = at.text() else {
        return;
    };
    let Some(block) = Block::of(found.tree.text, at.node()) else {
        // What is quoted or folded is told by whoever sweeps the document.
        return;
    };
    let tree = Tree::read(text, |_| true);
    let mut inner = Found::new(&tree);
    for document in &tree.documents {
        match document {
            Document::Read(Some(root)) => {
                room(&mut inner, tree.at(*root));
                sweep::sweep(&mut inner, *root, Reason::UnknownField);
            }
            Document::Read(None) | Document::Unread(_) => {}
            // Told as the text that it is.
            Document::Broken(_) => return,
        }
    }
    inner.settle();
    let newline = if found.tree.text[at.node().at.clone()].contains("\r\n") {
        "\r\n"
    } else {
        "\n"
    };
    let (sites, mut left) = (inner.sites, inner.left);
    left.extend(sweep::comments(text));
    found.left.extend(left.into_iter().map(|mut it| {
        it.line += block.first_line - 1;
        it
    }));
    for mut site in sites {
        site.line += block.first_line - 1;
        move_out(&mut site, &block, newline);
        found.adopt(at, site);
    }
    found.pass_over(at);
}

fn move_out(site: &mut Site, block: &Block, newline: &str) {
    let scalar = |it: &mut Scalar| it.span = block.range(&it.span);
    match &mut site.written {
        Written::Whole(it)
        | Written::Beginning { scalar: it, .. }
        | Written::Assignment { scalar: it, .. } => scalar(it),
        Written::Parts {
            registry,
            repository,
        } => {
            registry.iter_mut().for_each(scalar);
            scalar(repository);
        }
        Written::Override { new_name, .. } => match new_name {
            NewName::Written(it) => scalar(it),
            NewName::Absent { at, before, .. } => {
                *at = block.outer(*at);
                *before = before.replace('\n', &format!("{newline}{}", block.indent));
            }
        },
    }
}
