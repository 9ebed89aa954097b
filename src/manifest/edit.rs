//! Edits by bytes: what a site says is replaced where it stands, quotes and all else kept. Before
//! anybody may have the result, it is read again, unless nothing else can have changed.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::found::names_registry;
use super::left::Reason;
use super::site::{NewName, Scalar, Site, Written};
use super::splice::{self, Splice};
use super::tree::Tree;
use super::{Document, dockerfile, proof, read, read_again};
use crate::domain::reference::Reference;

/// A text with its images changed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Edited {
    /// The text.
    pub text: String,
    /// The sites that were to change and did not, in order.
    pub refused: Vec<Refused>,
}

/// A site that was to change and did not.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Refused {
    /// Its place among the document's sites.
    pub site: usize,
    /// Why.
    pub reason: Reason,
}

/// The edited text does not read as it should, so it is not handed out. Never seen: it would be a
/// mistake of this module, and is told as one.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the edited text would change more than its images, at line {line}")]
pub struct Unproven {
    /// The line of the first difference.
    pub line: usize,
}

/// Makes each site of a text what its target says; a site without one stays. A part that several
/// sites share changes only if all of them agree, or else none of them moves.
///
/// Nothing but registry and repository of a site in several parts can change.
pub fn edit(
    path: &str,
    text: &str,
    document: &Document<'_>,
    targets: &[Option<&str>],
) -> Result<Edited, Unproven> {
    let mut refused = BTreeMap::new();
    let wanted: Vec<Vec<Wish>> = document
        .sites
        .iter()
        .enumerate()
        .map(|(i, site)| {
            let target = targets.get(i).copied().flatten();
            wishes(site, target.unwrap_or(&site.image)).unwrap_or_else(|reason| {
                if target.is_some() {
                    refused.insert(i, reason);
                }
                wishes_to_stay(site)
            })
        })
        .collect();
    let moves = |i: usize| targets.get(i).is_some_and(Option::is_some);
    agree(&wanted, &moves, &mut refused);
    let mut splices = BTreeMap::new();
    for (i, wishes) in wanted.iter().enumerate() {
        if moves(i) && !refused.contains_key(&i) {
            let changes = wishes.iter().filter_map(Wish::splice);
            splices.extend(changes.map(|it| (it.at.start, it)));
        }
    }
    let splices: Vec<Splice> = splices.into_values().collect();
    let edited = Edited {
        text: splice::apply(text, &splices),
        refused: refused
            .iter()
            .map(|(site, reason)| Refused {
                site: *site,
                reason: *reason,
            })
            .collect(),
    };
    let words = tree_of_words(document, &splices);
    // Where images are does not depend on what they say, so words for words change nothing else; tests
    // look at these, too.
    let is_evident = words.is_some() && document.is_steady;
    if cfg!(debug_assertions) || !is_evident {
        let expected = document.sites.iter().enumerate().map(|(i, site)| {
            let target = targets.get(i).copied().flatten();
            let target = target.filter(|_| !refused.contains_key(&i));
            target.unwrap_or(&site.image)
        });
        let again = match words {
            Some(tree) => read_again(path, tree.spliced(&edited.text, &splices)),
            None => proven((path, text, document), &edited.text, &splices)?,
        };
        debug_assert!(words.is_none() || is_read_so(path, &edited.text, &again));
        if !again.sites.iter().map(|it| &*it.image).eq(expected) {
            debug_assert!(!is_evident, "{:?}", again.sites);
            return Err(Unproven { line: 1 });
        }
    }
    Ok(edited)
}

/// The tree of a text in which each splice is a word for a word, so that all else stays as it is.
fn tree_of_words<'d, 't>(document: &'d Document<'t>, splices: &[Splice]) -> Option<&'d Tree<'t>> {
    let tree = document.tree.as_ref()?;
    let are_words = splices.iter().all(|it| proof::is_evident(tree, it));
    are_words.then_some(tree)
}

/// Reads the text again, which says the same but for the splices.
fn proven<'t>(
    (path, text, document): (&str, &str, &Document<'_>),
    after: &'t str,
    splices: &[Splice],
) -> Result<Document<'t>, Unproven> {
    let again = read(path, after.as_bytes());
    match (&document.tree, &again.tree) {
        (Some(before), Some(after)) => proof::same_but_for((before, after), splices)?,
        (None, None) => dockerfile::same_but_for((text, after), splices)?,
        (Some(_), None) | (None, Some(_)) => return Err(Unproven { line: 1 }),
    }
    Ok(again)
}

/// Whether a text is read as a tree says that was made without reading it.
fn is_read_so(path: &str, text: &str, made: &Document<'_>) -> bool {
    read(path, text.as_bytes()).tree == made.tree
}

/// What a site wants of some bytes.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Wish {
    at: Range<usize>,
    old: String,
    new: String,
}

impl Wish {
    fn of(scalar: &Scalar, new: String) -> Self {
        Self {
            at: scalar.span.clone(),
            old: scalar.text.clone(),
            new,
        }
    }

    fn splice(&self) -> Option<Splice> {
        (self.old != self.new).then(|| Splice {
            at: self.at.clone(),
            text: self.new.clone(),
        })
    }
}

/// What a site wants of its bytes so that it names `target`.
fn wishes(site: &Site, target: &str) -> Result<Vec<Wish>, Reason> {
    let image = site.reference();
    let new = Reference::parse(target).map_err(|_| Reason::NotAReference)?;
    let kept = (new.tag(), new.digest()) == (image.tag(), image.digest());
    let (name, _) = target.split_at(target.len() - suffix(&new).len());
    if target == site.image {
        return Ok(wishes_to_stay(site));
    }
    match &site.written {
        Written::Whole(scalar) => Ok(vec![Wish::of(scalar, target.to_owned())]),
        Written::Assignment { scalar, name } => {
            Ok(vec![Wish::of(scalar, format!("{name}={target}"))])
        }
        Written::Parts { .. } | Written::Beginning { .. } | Written::Override { .. } if !kept => {
            Err(Reason::NotEditable)
        }
        Written::Beginning { scalar, rest, .. } => {
            let beginning = target.strip_suffix(rest.as_str());
            // The rest names a path that is another where the image goes.
            let beginning = beginning.ok_or(Reason::Variable)?;
            Ok(vec![Wish::of(scalar, beginning.to_owned())])
        }
        Written::Parts {
            registry,
            repository,
        } => {
            let tail = Reference::parse(&repository.text).map_or("", |it| suffix(&it));
            match registry {
                None => Ok(vec![Wish::of(repository, format!("{name}{tail}"))]),
                Some(registry) => {
                    let (host, path) = name
                        .split_once('/')
                        .filter(|_| names_registry(name))
                        .ok_or(Reason::NotEditable)?;
                    Ok(vec![
                        Wish::of(registry, host.to_owned()),
                        Wish::of(repository, format!("{path}{tail}")),
                    ])
                }
            }
        }
        Written::Override { new_name, .. } => Ok(vec![match new_name {
            NewName::Written(scalar) => Wish::of(scalar, name.to_owned()),
            NewName::Absent { at, before, after } => Wish {
                at: *at..*at,
                old: String::new(),
                new: format!("{before}{name}{after}"),
            },
        }]),
    }
}

fn wishes_to_stay(site: &Site) -> Vec<Wish> {
    let stay = |it: &Scalar| Wish::of(it, it.text.clone());
    match &site.written {
        Written::Whole(scalar)
        | Written::Beginning { scalar, .. }
        | Written::Assignment { scalar, .. } => vec![stay(scalar)],
        Written::Parts {
            registry,
            repository,
        } => registry.iter().chain([repository]).map(stay).collect(),
        Written::Override { new_name, .. } => match new_name {
            NewName::Written(scalar) => vec![stay(scalar)],
            NewName::Absent { .. } => Vec::new(),
        },
    }
}

/// The tag and the digest of a reference with their marks.
fn suffix<'a>(image: &Reference<'a>) -> &'a str {
    let text = image.as_str();
    let length = |it: Option<&str>| it.map_or(0, |it| it.len() + 1);
    &text[text.len() - length(image.tag()) - length(image.digest())..]
}

/// Refuses the sites that want the same bytes to say different things, until none are left.
fn agree(
    wanted: &[Vec<Wish>],
    moves: &impl Fn(usize) -> bool,
    refused: &mut BTreeMap<usize, Reason>,
) {
    loop {
        let mut said: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
        for (i, wishes) in wanted.iter().enumerate() {
            let stays = refused.contains_key(&i) || !moves(i);
            for wish in wishes {
                let text = if stays { &wish.old } else { &wish.new };
                said.entry(wish.at.start).or_default().insert(text);
            }
        }
        let disputed = |it: &Wish| said.get(&it.at.start).is_some_and(|it| it.len() > 1);
        let before = refused.len();
        for (i, wishes) in wanted.iter().enumerate() {
            if moves(i) && !refused.contains_key(&i) && wishes.iter().any(disputed) {
                refused.insert(i, Reason::PartShared);
            }
        }
        if refused.len() == before {
            return;
        }
    }
}

#[cfg(test)]
mod tests;
