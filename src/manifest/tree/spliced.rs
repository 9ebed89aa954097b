//! A tree as an edit leaves it. Where an edit puts words in the place of words, every value stands
//! where it stood but for the lengths of those words, so that the text need not be read again.

use std::borrow::Cow;
use std::ops::Range;

use super::super::splice::Splice;
use super::{Document, Kind, Node, Tree};

/// How far bytes and columns move in a text by its splices, which are in order.
struct Moves<'a> {
    splices: &'a [Splice],
    /// How much longer the text is after each splice, and its line.
    longer: Vec<(isize, isize)>,
    /// Where the line of each splice ends.
    line_ends: Vec<usize>,
}

impl<'a> Tree<'a> {
    /// The tree of `after`, which is this one's text with the splices made; each puts a word in the
    /// place of a scalar's bytes ([`is_evident`](super::super::proof::is_evident)).
    pub(in crate::manifest) fn spliced<'t>(&self, after: &'t str, splices: &[Splice]) -> Tree<'t>
    where
        'a: 't,
    {
        let moves = Moves::new(self.text, splices);
        let mut next = 0;
        let nodes = self.nodes.iter().map(|node| {
            let splice = splices.get(next).filter(|it| it.at.end <= node.at.end);
            let kind = match (splice, &node.kind) {
                (Some(splice), Kind::Scalar { style, tag, .. }) => {
                    let start = moves.after(next, splice.at.start);
                    next += 1;
                    Kind::Scalar {
                        value: Cow::Borrowed(&after[start..start + splice.text.len()]),
                        style: *style,
                        tag: *tag,
                    }
                }
                (_, kind) => kind.clone(),
            };
            Node {
                at: moves.range(&node.at),
                column: moves.column(node),
                kind,
                ..*node
            }
        });
        let nodes = nodes.collect();
        let documents = self.documents.iter().map(|it| match it {
            Document::Read(root) => Document::Read(*root),
            Document::Broken(bytes) => Document::Broken(moves.range(bytes)),
            Document::Unread(bytes) => Document::Unread(moves.range(bytes)),
        });
        Tree {
            text: after,
            nodes,
            documents: documents.collect(),
        }
    }
}

impl<'a> Moves<'a> {
    fn new(text: &str, splices: &'a [Splice]) -> Self {
        let mut longer: Vec<(isize, isize)> = Vec::with_capacity(splices.len());
        for (i, splice) in splices.iter().enumerate() {
            // A word is of ASCII, and what stood in its place need not be.
            let old = &text[splice.at.clone()];
            let more = |old: usize| splice.text.len().cast_signed() - old.cast_signed();
            let (all, line) = match longer.last() {
                None => (0, 0),
                Some((all, line)) => match line_end(text, splices[i - 1].at.end..splice.at.start) {
                    None => (*all, *line),
                    Some(_) => (*all, 0),
                },
            };
            longer.push((all + more(old.len()), line + more(old.chars().count())));
        }
        let mut line_ends = vec![text.len(); splices.len()];
        for (i, splice) in splices.iter().enumerate().rev() {
            let next = splices.get(i + 1).map_or(text.len(), |it| it.at.start);
            let end = line_end(text, splice.at.end..next);
            line_ends[i] = end.or(line_ends.get(i + 1).copied()).unwrap_or(text.len());
        }
        Self {
            splices,
            longer,
            line_ends,
        }
    }

    /// How many splices end before a byte.
    fn before(&self, at: usize) -> usize {
        self.splices.partition_point(|it| it.at.end <= at)
    }

    /// Where a byte is that so many splices stand before.
    fn after(&self, splices: usize, at: usize) -> usize {
        let last = splices.checked_sub(1);
        at.saturating_add_signed(last.map_or(0, |it| self.longer[it].0))
    }

    fn byte(&self, at: usize) -> usize {
        self.after(self.before(at), at)
    }

    fn range(&self, bytes: &Range<usize>) -> Range<usize> {
        self.byte(bytes.start)..self.byte(bytes.end)
    }

    fn column(&self, node: &Node<'_>) -> usize {
        let last = self.before(node.at.start).checked_sub(1);
        let last = last.filter(|it| node.at.start <= self.line_ends[*it]);
        node.column
            .saturating_add_signed(last.map_or(0, |it| self.longer[it].1))
    }
}

/// Where a line ends within these bytes, if one does.
fn line_end(text: &str, bytes: Range<usize>) -> Option<usize> {
    let end = text[bytes.clone()].find(['\n', '\r'])?;
    Some(bytes.start + end)
}
