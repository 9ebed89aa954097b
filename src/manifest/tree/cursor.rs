//! Looking around in a tree: by key, by item, past aliases and merge keys.

use granit_parser::ScalarStyle;

use super::{DEEPEST, Id, Kind, Node, Tree};

/// A place in a tree, past all aliases.
#[derive(Clone, Copy, Debug)]
pub(in crate::manifest) struct Cursor<'a> {
    pub(in crate::manifest) tree: &'a Tree<'a>,
    pub(in crate::manifest) id: Id,
    /// The last alias on the way here.
    pub(in crate::manifest) through: Option<Id>,
    depth: usize,
}

impl<'a> Cursor<'a> {
    /// At a node, or at what it stands for.
    pub(super) fn new(tree: &'a Tree<'a>, id: Id) -> Self {
        Self {
            tree,
            id,
            through: None,
            depth: 0,
        }
        .resolved()
    }

    pub(in crate::manifest) fn node(self) -> &'a Node<'a> {
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
    pub(in crate::manifest) fn text(self) -> Option<&'a str> {
        match &self.node().kind {
            Kind::Scalar { value, style, .. } => {
                let plain = *style == ScalarStyle::Plain;
                let null = plain && matches!(&**value, "" | "~" | "null" | "Null" | "NULL");
                (!null).then_some(&**value)
            }
            Kind::Sequence | Kind::Mapping(_) | Kind::Alias(_) => None,
        }
    }

    /// The value of a key, the mapping's own before a merged one.
    pub(in crate::manifest) fn get(self, key: &str) -> Option<Self> {
        if self.depth > DEEPEST {
            return None;
        }
        let (mut own, mut merged) = (None, None);
        // The last of two equal keys is what most readers take.
        for (name, value) in self.tree.pairs(self.id) {
            if self.tree.says(name, key) {
                own = Some(value);
            } else if self.tree.says(name, "<<") {
                merged = Some(value);
            }
        }
        if let Some(value) = own {
            return Some(self.to(value));
        }
        let merged = self.to(merged?);
        match &merged.node().kind {
            Kind::Mapping(_) => merged.get(key),
            _ => merged.items().find_map(|it| it.get(key)),
        }
    }

    /// The value at the end of a path of keys.
    pub(in crate::manifest) fn find(self, path: &[&str]) -> Option<Self> {
        path.iter().try_fold(self, |at, key| at.get(key))
    }

    /// The string at a key; empty and null are none.
    pub(in crate::manifest) fn string(self, key: &str) -> Option<&'a str> {
        let text = self.get(key)?.text()?;
        (!text.is_empty()).then_some(text)
    }

    /// A sequence's items; none of anything else.
    pub(in crate::manifest) fn items(self) -> impl Iterator<Item = Self> {
        let items = (self.depth <= DEEPEST).then(|| self.tree.items(self.id));
        let items = items.into_iter().flatten();
        items.map(move |it| self.to(it))
    }

    /// A mapping's own keys and values, `<<` among them; none of anything else.
    pub(in crate::manifest) fn pairs(self) -> impl Iterator<Item = (&'a str, Self)> {
        let key = move |id: Id| self.tree.at(id).text().unwrap_or_default();
        let pairs = (self.depth <= DEEPEST).then(|| self.tree.pairs(self.id));
        let pairs = pairs.into_iter().flatten();
        pairs.map(move |(name, value)| (key(name), self.to(value)))
    }

    /// The values of a mapping, the items of a sequence.
    pub(in crate::manifest) fn children(self) -> impl Iterator<Item = Self> {
        self.pairs().map(|(_, it)| it).chain(self.items())
    }

    pub(in crate::manifest) fn is_mapping(self) -> bool {
        matches!(self.node().kind, Kind::Mapping(_))
    }
}
