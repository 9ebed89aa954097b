//! Overrides of images that stand in other files: who says them, and what they hold for. A base
//! that is given another name is no longer found by its override, which may set the tag as well.

use super::Document;
use super::format::Format;
use super::tree::Cursor;
use crate::domain::reference::Reference;

/// What overrides images: a kustomization or a component, a source of an Argo CD application, a
/// Kustomization of Flux.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Overlay {
    /// The names that it overrides, as manifests have them: no tag, no digest.
    pub names: Vec<String>,
    /// Where its paths begin.
    pub base: Base,
    /// What it is made of: paths of files and folders, and URLs.
    pub resources: Vec<String>,
    /// The components that change what it is made of.
    pub components: Vec<String>,
}

/// Where the paths of an overlay begin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Base {
    /// At the folder that its file is in, as `kustomization.yaml` has them.
    Folder,
    /// At the repository's root, as Argo CD and Flux have them.
    Root,
}

/// Reads a text if it may override images in other files.
pub fn read_overlays<'t>(path: &str, text: &'t [u8]) -> Option<Document<'t>> {
    let is_always = matches!(Format::of_path(path), Format::Kustomize | Format::ArgoCd);
    let says_it = || str::from_utf8(text).is_ok_and(|it| it.contains("kustomize"));
    (is_always || says_it()).then(|| super::read(path, text))
}

/// The names of a list of overrides, each `{name, newName, newTag, digest}`.
pub(super) fn names(list: Option<Cursor<'_>>) -> impl Iterator<Item = String> {
    let items = list.into_iter().flat_map(Cursor::items);
    items.filter_map(|it| it.string("name").map(str::to_owned))
}

/// The name that an override in one string is for: `name=newName:tag`, or `name:tag`.
pub(super) fn assigned(text: &str) -> &str {
    match text.split_once('=') {
        Some((name, _)) => name,
        None => name_of(text),
    }
}

/// A reference without its tag and its digest, as it is written.
pub(super) fn name_of(text: &str) -> &str {
    Reference::parse(text).map_or(text, |it| {
        let length = |it: Option<&str>| it.map_or(0, |it| it.len() + 1);
        &text[..text.len() - length(it.tag()) - length(it.digest())]
    })
}
