//! What looks like an image and no room of a format has spoken of: told with a reason, so that
//! whoever searches the text for images finds nothing that a report does not have.

use granit_parser::ScalarStyle;

use super::found::{Found, unreadable};
use super::left::{Left, Reason};
use super::lines;
use super::tree::{Cursor, Id, Kind};
use crate::domain::reference::Reference;

/// Keys that name an image in some way, in lower case.
const KEYS: [&str; 5] = [
    "image",
    "imagename",
    "image_name",
    "imagerepository",
    "containerimage",
];

/// Tells what is left of the nodes of one document.
pub(super) fn sweep(found: &mut Found<'_>, document: Id, reason: Reason) {
    let tree = found.tree;
    for id in document..tree.nodes[document].end {
        match &tree.nodes[id].kind {
            Kind::Mapping(_) => {
                for (key, value) in tree.pairs(id) {
                    let name = tree.at(key).text().unwrap_or_default();
                    let is_image =
                        names_an_image(name) || (name == "repository" && is_of_parts(tree.at(id)));
                    if is_image || name == "images" {
                        several(found, tree.at(value), reason);
                    }
                    if is_image && !found.is_done(value) {
                        named(found, tree.at(value), value, name, reason);
                    }
                }
            }
            Kind::Scalar { value, style, .. } => {
                let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                let source = &tree.text[tree.nodes[id].at.clone()];
                let of_lines = block || value.contains('\n') || source.contains('\n');
                if !(of_lines || lines::may_name(value)) || found.is_done(id) {
                    continue;
                }
                if of_lines {
                    text(found, id, block);
                } else {
                    for image in values_in(value) {
                        found.leave_text(tree.at(id), image, reason);
                    }
                }
            }
            Kind::Sequence | Kind::Alias(_) => {}
        }
    }
}

/// The images in a value of one line: all of it, or words of it as arguments have them.
fn values_in(value: &str) -> Vec<&str> {
    if lines::is_qualified(value) {
        return vec![value];
    }
    let mut named = lines::named_in(value);
    named.retain(|it| it.contains(['/', ':']));
    named
}

/// Whether a mapping puts an image together from parts.
fn is_of_parts(at: Cursor<'_>) -> bool {
    let beside = ["tag", "digest", "pullPolicy", "imagePullPolicy"];
    at.string("repository").is_some() && beside.iter().any(|it| at.get(it).is_some())
}

/// The images of a list, or of a mapping from names to them.
fn several<'a>(found: &mut Found<'a>, at: Cursor<'a>, reason: Reason) {
    for it in at.children() {
        let text = it.text().unwrap_or_default();
        let shaped = text.contains([':', '/']) && !text.contains(' ');
        if shaped && !found.is_done(it.id) && Reference::parse(text).is_ok() {
            found.leave(it, reason);
        }
    }
}

fn names_an_image(key: &str) -> bool {
    let ends = |word: &str| {
        let start = key.len().checked_sub(word.len());
        start.is_some_and(|it| key.as_bytes()[it..].eq_ignore_ascii_case(word.as_bytes()))
    };
    KEYS.iter().any(|it| ends(it))
}

/// The value of a key that names an image. A bare word is one only where the key is `image`.
fn named<'a>(found: &mut Found<'a>, at: Cursor<'a>, id: Id, key: &str, reason: Reason) {
    let is_alias = at.id != id;
    let Some(value) = at.text().map(str::trim).filter(|_| !is_alias) else {
        return found.template(at);
    };
    let image = Reference::parse(value).is_ok();
    let shaped = value.contains(['/', ':']) || matches!(key, "image" | "repository");
    let node = at.node();
    let typed = matches!(
        &node.kind,
        Kind::Scalar {
            style: ScalarStyle::Plain,
            ..
        }
    ) && matches!(value, "true" | "false");
    if image && shaped && !typed && value.parse::<f64>().is_err() {
        found.leave(at, reason);
    } else if !image && !value.contains(['\n', ' ']) && unreadable(value) == Reason::Variable {
        found.leave(at, Reason::Variable);
    }
}

/// A text of several lines: a script, a configuration, a document.
fn text(found: &mut Found<'_>, id: Id, block: bool) {
    let node = &found.tree.nodes[id];
    let source = &found.tree.text[node.at.clone()];
    // A quoted text's lines are not the file's, but they are near.
    let lines = lines::scan(source, node.line, Reason::Embedded);
    if block || !lines.is_empty() {
        found.left.extend(lines);
    } else if let Kind::Scalar { value, .. } = &node.kind {
        let first = lines::scan(value, node.line, Reason::Embedded);
        found.left.extend(first.into_iter().map(|it| Left {
            line: node.line,
            ..it
        }));
    }
}

/// Tells the comments of a text that name images: lines of their own, and ends of lines.
pub(super) fn comments(text: &str) -> Vec<Left> {
    let mut left = Vec::new();
    if !text.contains('#') {
        return left;
    }
    let lines = text.lines().enumerate();
    for (i, line) in lines.filter(|(_, it)| it.contains('#')) {
        let comment = match line.trim_start().strip_prefix('#') {
            Some(comment) => Some(comment),
            None => line.find(" #").map(|at| &line[at + 2..]),
        };
        if let Some(comment) = comment {
            left.extend(lines::scan(comment, i + 1, Reason::Comment));
        }
    }
    left
}
