//! A YAML or JSON text as nodes that know their bytes: a flat list in the order of the text, with
//! aliases and merge keys resolved while looking, so that no text however nested costs more than
//! its length.

use std::borrow::Cow;
use std::ops::Range;

use granit_parser::{Event, Marker, Options, Parser, ScalarStyle, Span, StructureStyle, options};

/// Where a node stands in its tree. A node's descendants follow it without a gap.
pub(super) type Id = usize;

/// How deep aliases of aliases and nodes of nodes are followed; nothing real comes near.
pub(super) const DEEPEST: usize = 64;

/// All documents of one text.
#[derive(Debug)]
pub(super) struct Tree<'t> {
    pub(super) text: &'t str,
    pub(super) nodes: Vec<Node<'t>>,
    pub(super) documents: Vec<Document>,
}

/// One document of a text.
#[derive(Debug)]
pub(super) enum Document {
    /// Its outermost node, if it has one.
    Read(Option<Id>),
    /// It is no YAML: the bytes that nothing is known of.
    Broken(Range<usize>),
}

/// A value, and where it is written.
#[derive(Debug)]
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

#[derive(Debug)]
pub(super) enum Kind<'t> {
    Scalar {
        value: Cow<'t, str>,
        style: ScalarStyle,
        tag: Tag,
    },
    Sequence(Vec<Id>),
    /// Keys and values in turn.
    Mapping(Vec<(Id, Id)>, StructureStyle),
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
    /// Reads all documents of a text; one that is no YAML costs none of the others.
    pub(super) fn read(text: &'t str) -> Self {
        let mut tree = Self {
            text,
            nodes: Vec::with_capacity(text.len() / 24),
            documents: Vec::new(),
        };
        let mut parser = Parser::new_from_str_with_options(text, settings());
        let mut builder = Builder::default();
        let mut began = 0;
        loop {
            match parser.next_event() {
                None | Some(Ok((Event::StreamEnd, _))) => return tree,
                Some(Ok((event, span))) => {
                    match event {
                        Event::DocumentStart(..) => began = bytes(&span).start,
                        Event::DocumentEnd => began = bytes(&span).end,
                        _ => {}
                    }
                    builder.take(&mut tree, event, &span);
                }
                Some(Err(_)) => {
                    tree.nodes.truncate(builder.first);
                    let more = parser.proceed_next_document().unwrap_or(false);
                    let next = match parser.peek() {
                        Some(Ok((_, span))) if more => bytes(span).start,
                        Some(_) | None => text.len(),
                    };
                    let broken = began..next.max(began);
                    tree.documents.push(Document::Broken(broken));
                    began = next;
                    builder = Builder::at(tree.nodes.len());
                    if !more {
                        return tree;
                    }
                }
            }
        }
    }

    /// A place to look from.
    pub(super) fn at(&self, id: Id) -> Cursor<'_> {
        Cursor {
            tree: self,
            id,
            through: None,
            depth: 0,
        }
        .resolved()
    }

    /// All aliases with what they stand for.
    pub(super) fn aliases(&self) -> impl Iterator<Item = (Id, Id)> + '_ {
        let nodes = self.nodes.iter().enumerate();
        nodes.filter_map(|(id, node)| match node.kind {
            Kind::Alias(target) => Some((id, target)),
            _ => None,
        })
    }

    /// The keys that lead to a node from its document: `spec.containers[0].image`.
    pub(super) fn path(&self, id: Id) -> String {
        let mut steps = Vec::new();
        let mut at = id;
        while self.nodes[at].parent != at {
            let parent = self.nodes[at].parent;
            match &self.nodes[parent].kind {
                Kind::Mapping(pairs, _) => {
                    let key = pairs.iter().find(|(_, value)| *value == at);
                    let key = key.map_or("?", |(key, _)| self.at(*key).text().unwrap_or("?"));
                    steps.push(if key.contains('.') {
                        format!("[{key:?}]")
                    } else {
                        format!(".{key}")
                    });
                }
                Kind::Sequence(items) => {
                    let place = items.iter().position(|it| *it == at).unwrap_or(0);
                    steps.push(format!("[{place}]"));
                }
                Kind::Scalar { .. } | Kind::Alias(_) => {}
            }
            at = parent;
        }
        steps.reverse();
        steps.concat().trim_start_matches('.').to_owned()
    }
}

fn settings() -> Options {
    // Comments are looked at line by line: the parser would give up on a long block of them.
    options! { emit_comments: false, simple_key_max_lookahead: 1 << 20 }
}

fn bytes(span: &Span) -> Range<usize> {
    let byte = |mark: &Marker| mark.byte_offset();
    match (byte(&span.start), byte(&span.end)) {
        (Some(start), Some(end)) => start..end.max(start),
        // The parser promises offsets for a text that is all in memory.
        _ => 0..0,
    }
}

/// Puts the parser's events together.
#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    anchors: Vec<(usize, Id)>,
    /// The first node of the document.
    first: Id,
    outermost: Option<Id>,
}

struct Open {
    id: Id,
    key: Option<Id>,
}

impl Builder {
    fn at(first: Id) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    fn take<'t>(&mut self, tree: &mut Tree<'t>, event: Event<'t>, span: &Span) {
        match event {
            Event::DocumentStart(..) => *self = Self::at(tree.nodes.len()),
            Event::DocumentEnd => {
                tree.documents.push(Document::Read(self.outermost));
                *self = Self::at(tree.nodes.len());
            }
            Event::Scalar(value, style, anchor, tag) => {
                let own = |it: &granit_parser::Tag| it.is_yaml_core_schema();
                let tag = match tag.as_deref() {
                    Some(it) if !own(it) => Tag::Custom,
                    Some(_) | None => Tag::Plain,
                };
                self.add(tree, Kind::Scalar { value, style, tag }, anchor, span);
            }
            Event::SequenceStart(_, anchor, _) => {
                let id = self.add(tree, Kind::Sequence(Vec::new()), anchor, span);
                self.open.push(Open { id, key: None });
            }
            Event::MappingStart(style, anchor, _) => {
                let id = self.add(tree, Kind::Mapping(Vec::new(), style), anchor, span);
                self.open.push(Open { id, key: None });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(Open { id, .. }) = self.open.pop() {
                    let end = bytes(span).end;
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
        let parent = self.open.last().map_or(id, |it| it.id);
        tree.nodes.push(Node {
            at: bytes(span),
            line: span.start.line(),
            column: span.start.col(),
            parent,
            end: id + 1,
            kind,
        });
        match self.open.last_mut() {
            None => self.outermost = Some(id),
            Some(open) => match &mut tree.nodes[open.id].kind {
                Kind::Sequence(items) => items.push(id),
                Kind::Mapping(pairs, _) => match open.key.take() {
                    None => open.key = Some(id),
                    Some(key) => pairs.push((key, id)),
                },
                Kind::Scalar { .. } | Kind::Alias(_) => {}
            },
        }
        id
    }
}

/// A place in a tree, past all aliases.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub(super) tree: &'a Tree<'a>,
    pub(super) id: Id,
    /// The last alias on the way here.
    pub(super) through: Option<Id>,
    depth: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn node(self) -> &'a Node<'a> {
        &self.tree.nodes[self.id]
    }

    fn to(self, id: Id) -> Self {
        let depth = self.depth + 1;
        Self { id, depth, ..self }.resolved()
    }

    fn resolved(mut self) -> Self {
        // An alias names what stands before it, so this ends.
        while let Kind::Alias(target) = self.node().kind {
            self.through = Some(self.id);
            self.id = target;
        }
        self
    }

    /// A scalar's value, whatever its type; null is none.
    pub(super) fn text(self) -> Option<&'a str> {
        match &self.node().kind {
            Kind::Scalar { value, style, .. } => {
                let plain = *style == ScalarStyle::Plain;
                let null = plain && matches!(&**value, "" | "~" | "null" | "Null" | "NULL");
                (!null).then_some(&**value)
            }
            Kind::Sequence(_) | Kind::Mapping(..) | Kind::Alias(_) => None,
        }
    }

    /// The value of a key, the mapping's own before a merged one.
    pub(super) fn get(self, key: &str) -> Option<Self> {
        let Kind::Mapping(pairs, _) = &self.node().kind else {
            return None;
        };
        if self.depth > DEEPEST {
            return None;
        }
        let named = |name: &str| {
            // The last of two equal keys is what most readers take.
            let pair = pairs.iter().rev();
            pair.copied()
                .find(|(it, _)| self.tree.at(*it).text() == Some(name))
        };
        if let Some((_, value)) = named(key) {
            return Some(self.to(value));
        }
        let (_, merged) = named("<<")?;
        let merged = self.to(merged);
        match &merged.node().kind {
            Kind::Mapping(..) => merged.get(key),
            _ => merged.items().find_map(|it| it.get(key)),
        }
    }

    /// The value at the end of a path of keys.
    pub(super) fn find(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |at, key| at.get(key))
    }

    /// The string at a key; empty and null are none.
    pub(super) fn string(self, key: &str) -> Option<&'a str> {
        let text = self.get(key)?.text()?;
        (!text.is_empty()).then_some(text)
    }

    /// A sequence's items; none of anything else.
    pub(super) fn items(self) -> impl Iterator<Item = Self> {
        let items: &'a [Id] = match &self.node().kind {
            Kind::Sequence(items) if self.depth <= DEEPEST => items,
            _ => &[],
        };
        items.iter().map(move |it| self.to(*it))
    }

    /// A mapping's own keys and values, `<<` among them; none of anything else.
    pub(super) fn pairs(self) -> impl Iterator<Item = (&'a str, Self)> {
        let pairs: &'a [(Id, Id)] = match &self.node().kind {
            Kind::Mapping(pairs, _) if self.depth <= DEEPEST => pairs,
            _ => &[],
        };
        let key = move |id: Id| self.tree.at(id).text().unwrap_or_default();
        pairs
            .iter()
            .map(move |(name, value)| (key(*name), self.to(*value)))
    }

    /// The values of a mapping, the items of a sequence.
    pub(super) fn children(self) -> impl Iterator<Item = Self> {
        self.pairs().map(|(_, it)| it).chain(self.items())
    }

    pub(super) fn is_mapping(self) -> bool {
        matches!(self.node().kind, Kind::Mapping(..))
    }

    /// The path of keys that leads here, as far as the last alias.
    pub(super) fn path(self) -> String {
        self.tree.path(match self.through {
            Some(alias) if matches!(self.node().kind, Kind::Scalar { .. }) => {
                // The alias stands for the scalar or for what the scalar is in.
                match self.tree.nodes[alias].kind {
                    Kind::Alias(target) if target == self.id => alias,
                    _ => self.id,
                }
            }
            _ => self.id,
        })
    }
}

#[cfg(test)]
mod tests;
