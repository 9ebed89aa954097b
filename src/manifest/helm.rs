//! Values of a Helm chart: an image in one string, or its registry, repository, tag and digest in
//! keys beside each other, with the registry of all of them above. A chart may put anything
//! together, so only the layouts that charts share are read.

use super::found::{Found, Parts, names_registry};
use super::kubernetes;
use super::left::Reason;
use super::site::Context;
use super::tree::{Cursor, DEEPEST};
use crate::domain::reference::Reference;

/// Registries for all images of a chart.
const GLOBALS: [&[&str]; 9] = [
    &["global", "imageRegistry"],
    &["global", "image", "registry"],
    &["global", "registry"],
    &["global", "dockerRegistry"],
    &["global", "hub"],
    &["global", "systemDefaultRegistry"],
    &["global", "cattle", "systemDefaultRegistry"],
    &["systemDefaultRegistry"],
    &["imageRegistry"],
];
/// The first of these is put before every image that has parts, whatever its own registry says:
/// <https://github.com/bitnami/charts/tree/main/bitnami/common>.
const OVERRIDING: usize = 1;
/// What stands beside a repository and makes it an image's, and no chart's or source's.
const BESIDE: [&str; 8] = [
    "tag",
    "digest",
    "sha",
    "registry",
    "pullPolicy",
    "imagePullPolicy",
    "defaultRegistry",
    "imageTag",
];

struct Values<'f, 'a> {
    found: &'f mut Found<'a>,
    context: &'f Context,
    /// The registry that comes before every other.
    global: Option<Cursor<'a>>,
    /// Whether another is said for all images, in words that charts do not share.
    other: Option<Cursor<'a>>,
}

/// Reads the values of a chart.
pub(super) fn read<'a>(found: &mut Found<'a>, at: Cursor<'a>, context: &Context) {
    let said = |path: &&[&str]| {
        let at = at.find(path)?;
        at.text().filter(|it| !it.is_empty()).map(|_| at)
    };
    // What a value is depends on what it says: a word, a name with a path, a template.
    found.is_steady = false;
    let (first, others) = GLOBALS.split_at(OVERRIDING);
    let mut values = Values {
        global: first.iter().find_map(said),
        other: others.iter().find_map(said),
        found,
        context,
    };
    values.walk("", at, 0);
    for it in GLOBALS.iter().filter_map(said) {
        if !values.found.is_done(it.id) {
            values.found.leave(it, Reason::GlobalRegistry);
        }
    }
}

/// Reads values in a file that does not say that it holds any: only what can be nothing else.
pub(super) fn read_unnamed<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    if at.items().next().is_some() {
        return patches(found, at);
    }
    let shaped = |at: Cursor<'_>| shape(at, "image").is_some_and(|it| it.repository.is_some());
    if holds(at, "", &shaped, 0) {
        read(found, at, &Context::default());
    }
}

/// Whether a value has an `image` of parts somewhere.
fn holds(at: Cursor<'_>, key: &str, shaped: &impl Fn(Cursor<'_>) -> bool, depth: usize) -> bool {
    if depth > 8 || at.through.is_some() {
        return false;
    }
    if is_image(key) && at.string("repository").is_some() && shaped(at) {
        return true;
    }
    at.pairs()
        .any(|(key, it)| holds(it, key, shaped, depth + 1))
}

/// JSON patches, as Kustomize reads them: <https://datatracker.ietf.org/doc/html/rfc6902>.
pub(super) fn patches<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    for operation in at.items() {
        let adds = matches!(operation.string("op"), Some("add" | "replace"));
        let Some(value) = operation.get("value").filter(|_| adds) else {
            continue;
        };
        let path = operation.string("path").unwrap_or_default();
        if path.contains("ontainers/") && path.ends_with("/image") {
            found.whole(value, &Context::default());
        } else {
            let list = path.ends_with("ontainers");
            let containers = value.items().filter(|_| list);
            let one = Some(value).filter(|_| path.contains("ontainers/"));
            for it in containers.chain(one) {
                kubernetes::container(found, it, &Context::default());
            }
            kubernetes::pods_within(found, value, &Context::default());
        }
    }
}

fn is_image(key: &str) -> bool {
    let start = key.len().checked_sub(5);
    start.is_some_and(|it| key.as_bytes()[it..].eq_ignore_ascii_case(b"image"))
}

impl<'a> Values<'_, 'a> {
    fn walk(&mut self, key: &str, at: Cursor<'a>, depth: usize) {
        if depth > DEEPEST || !self.found.may_look() {
            return;
        }
        if !at.is_mapping() {
            return at.items().for_each(|it| self.walk(key, it, depth + 1));
        }
        if let Some(parts) = shape(at, key) {
            self.parts(parts);
        }
        for (name, value) in at.pairs() {
            match value.text() {
                Some(_) if is_image(name) && !self.found.is_done(value.id) => {
                    self.string(at, name, value);
                }
                Some(_) => {}
                None => self.walk(name, value, depth + 1),
            }
        }
    }

    /// An image in one string of the mapping `of`, or with its tag in a key of its own.
    fn string(&mut self, of: Cursor<'a>, key: &str, at: Cursor<'a>) {
        let text = at.text().unwrap_or_default();
        if !text.contains(['/', ':', '{', '$']) {
            return self.word(of, key, at);
        }
        let names = ["Tag", "Version"].map(|it| format!("{key}{it}"));
        let mut beside = names.iter().map(String::as_str).collect::<Vec<_>>();
        if key == "image" {
            beside.push("tag");
        }
        let last = text.rsplit('/').next().unwrap_or(text);
        let tag = beside.into_iter().find_map(|it| of.get(it));
        match tag.filter(|_| !last.contains([':', '@'])) {
            None => self.found.whole(at, self.context),
            tag => self.parts(Parts {
                repository: Some(at),
                tag,
                ..Parts::default()
            }),
        }
    }

    /// A bare word is a container's image as well as any, but elsewhere it is what charts put
    /// behind a registry of their own.
    fn word(&mut self, of: Cursor<'a>, key: &str, at: Cursor<'a>) {
        let text = at.text().unwrap_or_default();
        let beside = ["tag", "imageTag", "registry"];
        if key != "image" || matches!(text, "true" | "false") {
            return;
        }
        if of.string("name").is_some() && beside.iter().all(|it| of.get(it).is_none()) {
            self.found.whole(at, self.context);
        } else if Reference::parse(text).is_ok() {
            self.found.leave(at, Reason::RegistryElsewhere);
        }
    }

    fn parts(&mut self, parts: Parts<'a>) {
        let text = |it: Option<Cursor<'a>>| it.and_then(Cursor::text).unwrap_or_default();
        let hosted = names_registry(text(parts.repository));
        let bare = text(parts.registry).is_empty() && !hosted;
        let parts = match self.global {
            Some(global) if !hosted => Parts {
                registry: Some(global),
                ..parts
            },
            Some(_) | None => parts,
        };
        if self.global.is_none() && self.other.is_some() && bare {
            if let Some(repository) = parts.repository {
                self.found.leave(repository, Reason::GlobalRegistry);
            }
            return;
        }
        self.found.parts(parts, self.context);
    }
}

/// The parts of an image in a mapping of this key, if that is what the mapping is.
fn shape<'a>(at: Cursor<'a>, key: &str) -> Option<Parts<'a>> {
    let scalar = |key: &str| at.get(key).filter(|it| it.text().is_some());
    let any = |keys: &[&str]| keys.iter().find_map(|it| scalar(it));
    let digest = any(&["digest", "sha"]).filter(|_| at.string("useDigest") != Some("false"));
    let registry = any(&["registry", "defaultRegistry"]);
    let named = is_image(key);
    let parts = |repository, tag| Parts {
        registry,
        repository,
        tag,
        digest,
    };
    let nonempty = |key: &str| scalar(key).filter(|it| it.text() != Some(""));
    if let Some(repository) = any(&["repository", "repo"]) {
        let text = repository.text().unwrap_or_default();
        let is_url = text.contains("://") || text.starts_with("git@") || text.ends_with(".git");
        let beside = BESIDE.iter().any(|it| at.get(it).is_some());
        if is_url || !(named || beside) {
            return None;
        }
        if text.is_empty() || nonempty("name").is_some_and(|_| named) {
            return None;
        }
        return Some(parts(
            Some(repository),
            any(&["tag", "imageTag", "version"]),
        ));
    }
    let tag = any(&["tag", "version"]);
    // ingress-nginx: the repository's key is `image`, beside `registry`.
    if let Some(image) = nonempty("image").filter(|_| registry.is_some()) {
        return Some(parts(Some(image), tag));
    }
    // Linkerd: `name` and `version`.
    let name = nonempty("name").filter(|_| named && (tag.is_some() || registry.is_some()))?;
    let text = name.text().unwrap_or_default();
    let complete = registry.is_some_and(|it| it.text() != Some(""));
    (complete || names_registry(text)).then(|| parts(Some(name), tag))
}

#[cfg(test)]
mod tests;
