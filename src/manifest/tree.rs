//! A YAML or JSON text as nodes that know their bytes: a flat list in the order of the text, with
//! aliases and merge keys resolved while looking, so that no text however nested costs more than
//! its length.

use std::borrow::Cow;
use std::iter;
use std::ops::Range;

use granit_parser::{Event, Marker, Options, Parser, ScalarStyle, Span, StructureStyle, options};

mod cursor;
mod spliced;

pub(super) use cursor::Cursor;

/// Where a node stands in its tree. A node's descendants follow it without a gap.
pub(super) type Id = usize;

/// How deep aliases of aliases and nodes of nodes are followed; nothing real comes near.
pub(super) const DEEPEST: usize = 64;

/// How many bytes a node is of in what people write, a key or a value, and how many nodes there is
/// room for without growing.
const BYTES_OF_NODE: usize = 12;
const MOST_EXPECTED: usize = 1 << 12;

/// All documents of one text.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Tree<'t> {
    pub(super) text: &'t str,
    pub(super) nodes: Vec<Node<'t>>,
    pub(super) documents: Vec<Document>,
}

/// One document of a text.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Document {
    /// Its outermost node, if it has one.
    Read(Option<Id>),
    /// It is no YAML: the bytes that nothing is known of.
    Broken(Range<usize>),
    /// It was not wanted.
    Unread(Range<usize>),
}

/// Whether a document is to be read at all.
pub(super) type Wanted = fn(&str) -> bool;

/// A value, and where it is written.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Node<'t> {
    /// Its bytes, quotes and block headers among them.
    pub(super) at: Range<usize>,
    /// Its line, from 1.
    pub(super) line: usize,
    /// Its column in characters, from 0.
    pub(super) column: usize,
    /// The collection that it is in; itself for a document's outermost.
    pub(super) parent: Id,
    /// The node after its last descendant.
    pub(super) end: Id,
    pub(super) kind: Kind<'t>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Kind<'t> {
    Scalar {
        value: Cow<'t, str>,
        style: ScalarStyle,
        tag: Tag,
    },
    Sequence,
    /// Its children are keys and values in turn.
    Mapping(StructureStyle),
    Alias(Id),
}

/// What is known of a scalar's tag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tag {
    /// None, or one of YAML's own.
    Plain,
    /// An application's, such as `!Sub`: the value is not what is written.
    Custom,
}

impl<'t> Tree<'t> {
    /// Reads the documents of a text that are wanted; one that is no YAML costs none of the others.
    pub(super) fn read(text: &'t str, wanted: Wanted) -> Self {
        let mut tree = Self {
            text,
            nodes: Vec::with_capacity(MOST_EXPECTED.min(text.len() / BYTES_OF_NODE)),
            documents: Vec::new(),
        };
        let mut line = 0;
        for piece in pieces(text) {
            let part = &text[piece.clone()];
            match wanted(part) {
                true => tree.read_piece(piece.start, line, part),
                false => tree.documents.push(Document::Unread(piece)),
            }
            line += part.matches('\n').count();
        }
        tree
    }

    /// Reads what stands between two markers of documents.
    fn read_piece(&mut self, start: usize, line: usize, text: &'t str) {
        let mut builder = Builder::new(self.nodes.len(), start, line);
        let documents = self.documents.len();
        for event in Parser::new_from_str_with_options(text, settings()) {
            if let Ok((event, span)) = event {
                builder.take(self, event, &span);
            } else {
                self.nodes.truncate(builder.piece);
                self.documents.truncate(documents);
                let bytes = start..start + text.len();
                return self.documents.push(Document::Broken(bytes));
            }
        }
    }

    /// A place to look from.
    pub(super) fn at(&self, id: Id) -> Cursor<'_> {
        Cursor::new(self, id)
    }

    /// What stands in a collection, in order; nothing stands in anything else.
    fn children(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let end = self.nodes[id].end;
        let within = move |it: &Id| *it < end;
        let first = Some(id + 1).filter(within);
        iter::successors(first, move |it| Some(self.nodes[*it].end).filter(within))
    }

    /// The keys and values of a mapping; none of anything else.
    pub(super) fn pairs(&self, id: Id) -> impl Iterator<Item = (Id, Id)> + '_ {
        let is_mapping = matches!(self.nodes[id].kind, Kind::Mapping(_));
        let children = is_mapping.then(|| self.children(id));
        let mut children = children.into_iter().flatten();
        iter::from_fn(move || Some((children.next()?, children.next()?)))
    }

    /// The items of a sequence; none of anything else.
    fn items(&self, id: Id) -> impl Iterator<Item = Id> + '_ {
        let is_sequence = matches!(self.nodes[id].kind, Kind::Sequence);
        let items = is_sequence.then(|| self.children(id));
        items.into_iter().flatten()
    }

    /// Whether a scalar, or what an alias stands for, is this text.
    fn says(&self, id: Id, text: &str) -> bool {
        match &self.nodes[id].kind {
            Kind::Scalar { value, .. } => value == text,
            Kind::Alias(target) => self.says(*target, text),
            Kind::Sequence | Kind::Mapping(_) => false,
        }
    }

    /// All aliases with what they stand for.
    pub(super) fn aliases(&self) -> impl Iterator<Item = (Id, Id)> + '_ {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter_map(|(id, node)| match node.kind {
            Kind::Alias(target) => Some((id, target)),
            _ => None,
        })
    }
}

fn settings() -> Options {
    // Comments are looked at line by line: the parser would give up on a long block of them.
    options! { emit_comments: false, simple_key_max_lookahead: 1 << 20 }
}

/// The documents of a text, each with the marker before it. A line that begins with `---` begins a
/// document, whatever stands before it: <https://yaml.org/spec/1.2.2/#912-document-markers>.
fn pieces(text: &str) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut start = 0;
    // Directives stand before the marker of their document.
    let directives = text.starts_with('%') || text.contains("\n%");
    for (at, _) in text.match_indices("\n---") {
        let after = text[at + 4..].bytes().next();
        if !directives && after.is_none_or(|it| it.is_ascii_whitespace()) {
            pieces.push(start..at + 1);
            start = at + 1;
        }
    }
    pieces.push(start..text.len());
    pieces
}

/// Puts the parser's events together.
struct Builder {
    /// The collections that have not ended.
    open: Vec<Id>,
    anchors: Vec<(usize, Id)>,
    outermost: Option<Id>,
    /// The first node of the piece.
    piece: Id,
    /// Where the piece is in the text, in bytes and in lines.
    start: usize,
    line: usize,
}

impl Builder {
    fn new(piece: Id, start: usize, line: usize) -> Self {
        Self {
            open: Vec::new(),
            anchors: Vec::new(),
            outermost: None,
            piece,
            start,
            line,
        }
    }

    fn bytes(&self, span: &Span) -> Range<usize> {
        let byte = |mark: &Marker| mark.byte_offset();
        match (byte(&span.start), byte(&span.end)) {
            (Some(start), Some(end)) => self.start + start..self.start + end.max(start),
            // The parser promises offsets for a text that is all in memory.
            _ => 0..0,
        }
    }

    fn take<'t>(&mut self, tree: &mut Tree<'t>, event: Event<'t>, span: &Span) {
        match event {
            Event::DocumentEnd => tree.documents.push(Document::Read(self.outermost.take())),
            Event::Scalar(value, style, anchor, tag) => {
                let own = |it: &granit_parser::Tag| it.is_yaml_core_schema();
                let tag = match tag.as_deref() {
                    Some(it) if !own(it) => Tag::Custom,
                    Some(_) | None => Tag::Plain,
                };
                self.add(tree, Kind::Scalar { value, style, tag }, anchor, span);
            }
            Event::SequenceStart(_, anchor, _) => {
                let id = self.add(tree, Kind::Sequence, anchor, span);
                self.open.push(id);
            }
            Event::MappingStart(style, anchor, _) => {
                let id = self.add(tree, Kind::Mapping(style), anchor, span);
                self.open.push(id);
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(id) = self.open.pop() {
                    let end = self.bytes(span).end;
                    let after = tree.nodes.len();
                    let node = &mut tree.nodes[id];
                    node.at.end = end.max(node.at.start);
                    node.end = after;
                }
            }
            Event::Alias(anchor) => {
                let found = self.anchors.iter().rev().find(|(it, _)| *it == anchor);
                if let Some((_, target)) = found {
                    self.add(tree, Kind::Alias(*target), 0, span);
                }
            }
            _ => {}
        }
    }

    fn add<'t>(&mut self, tree: &mut Tree<'t>, kind: Kind<'t>, anchor: usize, span: &Span) -> Id {
        let id = tree.nodes.len();
        if anchor != 0 {
            self.anchors.push((anchor, id));
        }
        let parent = self.open.last().copied();
        tree.nodes.push(Node {
            at: self.bytes(span),
            line: self.line + span.start.line(),
            column: span.start.col(),
            parent: parent.unwrap_or(id),
            end: id + 1,
            kind,
        });
        if parent.is_none() {
            self.outermost = Some(id);
        }
        id
    }
}

#[cfg(test)]
mod tests;
