//! What the rooms of the formats have found in a text so far: sites to edit, and what is left.

use std::collections::BTreeSet;
use std::ops::Range;

use granit_parser::ScalarStyle;

use super::left::{Left, Reason};
use super::lines;
use super::overlay::Overlay;
use super::site::{Context, Scalar, Site, Stated, Style, Written};
use super::tree::{Cursor, Id, Kind, Tag, Tree};
use crate::domain::reference::Reference;

/// How many values the rooms look at in one text. No text has as many; a text whose aliases stand
/// for aliases may pretend to.
const MOST_VALUES: usize = 2_000_000;

/// Sites and what is left, as they are found.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) tree: &'a Tree<'a>,
    pub(super) sites: Vec<Site>,
    pub(super) left: Vec<Left>,
    pub(super) overlays: Vec<Overlay>,
    /// Whether the rooms have looked at keys alone to know where images are.
    pub(super) is_steady: bool,
    /// Scalars of which all is said.
    done: BTreeSet<Id>,
    /// The scalars of each site, and the alias on the way to it.
    used: Vec<(Id, Option<Id>)>,
    values: usize,
}

/// The parts that a name is put together from, as far as they are there.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts<'a> {
    pub(super) registry: Option<Cursor<'a>>,
    pub(super) repository: Option<Cursor<'a>>,
    pub(super) tag: Option<Cursor<'a>>,
    pub(super) digest: Option<Cursor<'a>>,
}

impl<'a> Found<'a> {
    pub(super) fn new(tree: &'a Tree<'a>) -> Self {
        Self {
            tree,
            sites: Vec::new(),
            left: Vec::new(),
            overlays: Vec::new(),
            is_steady: true,
            done: BTreeSet::new(),
            used: Vec::new(),
            values: 0,
        }
    }

    /// Whether another value may be looked at: what aliases multiply ends here.
    pub(super) fn may_look(&mut self) -> bool {
        self.values += 1;
        self.values <= MOST_VALUES
    }

    pub(super) fn is_done(&self, id: Id) -> bool {
        self.done.contains(&id)
    }

    /// Takes a scalar for done: of it nothing is to be said.
    pub(super) fn pass_over(&mut self, at: Cursor<'a>) {
        self.done.insert(at.id);
    }

    /// A reference in one scalar. What is empty, or no scalar, is no reference.
    pub(super) fn whole(&mut self, at: Cursor<'a>, context: &Context) {
        self.after(at, "", context);
    }

    /// A reference in one scalar, after a prefix that is not its.
    pub(super) fn after(&mut self, at: Cursor<'a>, prefix: &str, context: &Context) {
        let Some(text) = at.text().filter(|it| !it.trim().is_empty()) else {
            return self.template(at);
        };
        if !text.starts_with(prefix) {
            return;
        }
        let scalar = match scalar(at) {
            Ok(scalar) => scalar,
            Err(reason) => return self.leave(at, reason),
        };
        if !prefix.is_empty() && self.tree.text[scalar.span.clone()] != scalar.text {
            return self.leave(at, Reason::NotEditable);
        }
        let scalar = Scalar {
            span: scalar.span.start + prefix.len()..scalar.span.end,
            text: scalar.text[prefix.len()..].to_owned(),
            style: scalar.style,
        };
        let image = scalar.text.clone();
        self.add(&[at], image, Written::Whole(scalar), context);
    }

    /// A reference of parts. Without a repository there is none.
    pub(super) fn parts(&mut self, parts: Parts<'a>, context: &Context) {
        self.is_steady = false;
        let said =
            |it: Option<Cursor<'a>>| it.filter(|it| it.text().is_some_and(|it| !it.is_empty()));
        let Some(repository) = said(parts.repository) else {
            return;
        };
        // A registry that is there and empty is where the registry goes, unless it stands in the
        // repository.
        let named = repository.text().is_some_and(names_registry);
        let registry = parts.registry;
        let registry = registry.filter(|it| it.text().is_some_and(|it| !(named && it.is_empty())));
        let (tag, digest) = (said(parts.tag), said(parts.digest));
        let text = |it: Cursor<'a>| it.text().unwrap_or_default().trim();
        let mut image = String::new();
        if let Some(registry) = registry.map(text).filter(|it| !it.is_empty()) {
            image += registry;
            image.push('/');
        }
        image += text(repository);
        if let Some(tag) = tag.map(text) {
            let (tag, digest) = tag
                .split_once("@")
                .map_or((tag, None), |it| (it.0, Some(it.1)));
            if !tag.is_empty() {
                image = format!("{image}:{tag}");
            }
            if let Some(digest) = digest {
                image = format!("{image}@{digest}");
            }
        }
        if let Some(digest) = digest.map(text) {
            let algorithm = if digest.contains(':') { "" } else { "sha256:" };
            image = format!("{image}@{algorithm}{digest}");
        }
        let scalars = scalar(repository).and_then(|it| Ok((it, registry.map(scalar).transpose()?)));
        let (written, registry_part) = match scalars {
            Ok((repository, registry)) => (repository, registry),
            Err(reason) => return self.leave(repository, reason),
        };
        let owned: Vec<_> = [Some(repository), registry, tag, digest]
            .into_iter()
            .flatten()
            .collect();
        let written = Written::Parts {
            registry: registry_part,
            repository: written,
        };
        let registry_said = registry.is_some_and(|it| !text(it).is_empty());
        let hosted = registry_said || names_registry(text(repository));
        let versioned = tag.is_some() || digest.is_some();
        if let Some(site) = self.add(&owned, image, written, context) {
            let stated = |here| {
                if here {
                    Stated::Here
                } else {
                    Stated::Elsewhere
                }
            };
            site.registry = stated(hosted);
            site.tag = stated(versioned || site.reference().tag().is_some());
        }
    }

    /// A site of these scalars, the first its name's, if its image is one; what it is, otherwise.
    pub(super) fn add(
        &mut self,
        scalars: &[Cursor<'a>],
        image: String,
        written: Written,
        context: &Context,
    ) -> Option<&mut Site> {
        self.done.extend(scalars.iter().map(|it| it.id));
        let at = *scalars.first()?;
        if Reference::parse(&image).is_err() {
            self.leave_text(at, &image, unreadable(&image));
            return None;
        }
        self.used
            .extend(scalars.iter().map(|it| (it.id, it.through)));
        self.sites.push(Site {
            // What an alias stands for is named where the alias is.
            line: match at.through {
                Some(alias) => self.tree.nodes[alias].line,
                None => line_of(at),
            },
            image,
            registry: Stated::Here,
            tag: Stated::Here,
            context: context.clone(),
            written,
        });
        self.sites.last_mut()
    }

    /// A site that was found in the text of a scalar.
    pub(super) fn adopt(&mut self, at: Cursor<'a>, site: Site) {
        self.is_steady = false;
        self.used.push((at.id, at.through));
        self.sites.push(site);
    }

    /// A scalar that stays as it is.
    pub(super) fn leave(&mut self, at: Cursor<'a>, reason: Reason) {
        if let Some(text) = at.text() {
            self.leave_text(at, text, reason);
        }
    }

    pub(super) fn leave_text(&mut self, at: Cursor<'a>, text: &str, reason: Reason) {
        self.done.insert(at.id);
        self.left.push(Left {
            line: line_of(at),
            text: lines::shortened(text.trim()),
            reason,
        });
    }

    /// `{{ .Values.image }}` without quotes reads as a mapping whose key is one.
    pub(super) fn template(&mut self, at: Cursor<'a>) {
        let source = &self.tree.text[at.node().at.clone()];
        if at.is_mapping() && source.starts_with("{{") {
            self.leave_text(at, source, Reason::Variable);
        }
    }

    /// Takes back the sites whose anchor something else than an image refers to.
    pub(super) fn settle(&mut self) {
        let mut shared: Vec<Range<Id>> = Vec::new();
        for (alias, target) in self.tree.aliases() {
            let within = target..self.tree.nodes[target].end;
            let used = self.used.iter().any(|(_, through)| *through == Some(alias));
            if !used && self.used.iter().any(|(id, _)| within.contains(id)) {
                shared.push(within);
            }
        }
        if shared.is_empty() {
            return;
        }
        let bytes: Vec<Range<usize>> = shared
            .iter()
            .map(|it| self.tree.nodes[it.start].at.clone())
            .collect();
        let (keep, leave): (Vec<Site>, Vec<Site>) = self.sites.drain(..).partition(|site| {
            !bytes
                .iter()
                .any(|it| site.spans().any(|span| it.contains(&span.start)))
        });
        self.sites = keep;
        self.left.extend(leave.into_iter().map(|site| Left {
            line: site.line,
            text: site.image,
            reason: Reason::AnchorShared,
        }));
    }
}

/// Whether a reference says the registry that it means.
pub(super) fn names_registry(text: &str) -> bool {
    let begins = |it: Reference<'_>| text[it.domain().len().min(text.len())..].starts_with('/');
    Reference::parse(text).is_ok_and(|it| text.starts_with(it.domain()) && begins(it))
}

/// Why a text that stands where an image should is none.
pub(super) fn unreadable(text: &str) -> Reason {
    if text.contains("{{") || text.contains('$') {
        Reason::Variable
    } else {
        Reason::NotAReference
    }
}

/// The line that a scalar's text is on: a block's is below its header.
pub(super) fn line_of(at: Cursor<'_>) -> usize {
    let node = at.node();
    match scalar(at) {
        Ok(it) if it.span.start > node.at.start => {
            let before = &at.tree.text[node.at.start..it.span.start];
            node.line + before.matches('\n').count()
        }
        _ => node.line,
    }
}

/// The bytes that say what a scalar says.
pub(super) fn scalar(at: Cursor<'_>) -> Result<Scalar, Reason> {
    let node = at.node();
    let Kind::Scalar { value, style, tag } = &node.kind else {
        return Err(Reason::NotEditable);
    };
    if *tag == Tag::Custom {
        return Err(Reason::Variable);
    }
    let source = &at.tree.text[node.at.clone()];
    let (start, text, style) = match style {
        ScalarStyle::Plain if source.starts_with(&**value) => (Some(0), &**value, Style::Plain),
        ScalarStyle::Plain => (source.find(&**value), &**value, Style::Plain),
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
            let style = match style {
                ScalarStyle::SingleQuoted => Style::SingleQuoted,
                _ => Style::DoubleQuoted,
            };
            if source.len() < 2 {
                return Err(Reason::NotEditable);
            }
            // What is escaped is replaced with all that is between the quotes.
            return Ok(Scalar {
                span: node.at.start + 1..node.at.end - 1,
                text: value.clone().into_owned(),
                style,
            });
        }
        ScalarStyle::Literal => (source.find(value.trim()), value.trim(), Style::Literal),
        ScalarStyle::Folded => (source.find(value.trim()), value.trim(), Style::Folded),
    };
    let start = node.at.start + start.ok_or(Reason::NotEditable)?;
    Ok(Scalar {
        span: start..start + text.len(),
        text: text.to_owned(),
        style,
    })
}
