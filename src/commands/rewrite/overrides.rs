//! Which images kustomizations override, and in which files. A base keeps the name that its override
//! looks for; the override says what it is called instead. Only what an overlay is made of is meant:
//! the same name in another folder moves.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::manifest::{Base, Overlay, Site, Written};

/// The names that an overlay overrides.
type Names = Arc<BTreeSet<String>>;

/// The names that are overridden, by the file in which they are.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    /// By overlays of the file.
    of_others: HashMap<String, Vec<Names>>,
    /// By the file itself, in its patches and values.
    of_itself: HashMap<String, Vec<Names>>,
}

/// The overlays of a tree, and the files that they may be made of.
struct Overlays<'a> {
    /// All files, in order.
    files: &'a [&'a str],
    /// The same, to look one up.
    known: HashSet<&'a str>,
    /// Kustomizations and components, by their folders.
    folders: HashMap<&'a str, (&'a str, &'a Overlay)>,
    overrides: Overrides,
}

impl Overrides {
    /// What the overlays, each with the path of its file, override in `files`, which are in order.
    pub(super) fn new(overlays: &[(String, Overlay)], files: &[&str]) -> Self {
        let kustomizations = overlays.iter().filter(|(path, _)| is_kustomization(path));
        let folders = kustomizations.map(|(path, it)| (parent(path), (path.as_str(), it)));
        let mut all = Overlays {
            files,
            known: files.iter().copied().collect(),
            folders: folders.collect(),
            overrides: Self::default(),
        };
        for (path, overlay) in overlays {
            all.overlay(path, overlay);
        }
        all.overrides
    }

    /// Whether an override is to be changed instead of this site of the file at `path`.
    pub(super) fn hold_for(&self, path: &str, site: &Site) -> bool {
        let has = |it: &HashMap<String, Vec<Names>>| {
            it.get(path).is_some_and(|names| {
                let name = site.name();
                names.iter().any(|it| it.contains(name))
            })
        };
        // What a file overrides is what it makes of its resources, so its own are not changed again.
        let is_override = matches!(
            site.written,
            Written::Override { .. } | Written::Assignment { .. }
        );
        has(&self.of_others) || (!is_override && has(&self.of_itself))
    }

    fn mark(&mut self, file: &str, names: &Names) {
        let marked = match self.of_others.get_mut(file) {
            Some(marked) => marked,
            None => self.of_others.entry(file.to_owned()).or_default(),
        };
        marked.push(Arc::clone(names));
    }
}

impl<'a> Overlays<'a> {
    fn overlay(&mut self, path: &'a str, overlay: &'a Overlay) {
        let folder = match overlay.base {
            Base::Folder => parent(path),
            Base::Root => "",
        };
        let own: BTreeSet<String> = overlay.names.iter().cloned().collect();
        let components = overlay.components.iter().filter_map(|it| {
            let (_, component) = self.folders.get(joined(folder, it)?.as_str())?;
            Some(component.names.iter().cloned())
        });
        // A component changes what the overlay is made of, and the overlay what comes of that.
        let all: BTreeSet<String> = components.flatten().chain(own.iter().cloned()).collect();
        let (own, all) = (Arc::new(own), Arc::new(all));
        if !own.is_empty() {
            let itself = self.overrides.of_itself.entry(path.to_owned()).or_default();
            itself.push(Arc::clone(&own));
        }
        for (resources, names) in [(&overlay.resources, &all), (&overlay.components, &own)] {
            if !names.is_empty() {
                let mut seen = BTreeSet::from([path]);
                self.made_of(folder, resources, names, &mut seen);
            }
        }
    }

    /// Marks what an overlay is made of, and what that is made of in turn.
    fn made_of(
        &mut self,
        folder: &str,
        resources: &[String],
        names: &Names,
        seen: &mut BTreeSet<&'a str>,
    ) {
        for path in resources.iter().filter_map(|it| joined(folder, it)) {
            if let Some((file, inner)) = self.folders.get(path.as_str()).copied() {
                if seen.insert(file) {
                    self.overrides.mark(file, names);
                    self.made_of(&path, &inner.resources, names, seen);
                    self.made_of(&path, &inner.components, names, seen);
                }
            } else if self.known.contains(path.as_str()) {
                self.overrides.mark(&path, names);
            } else {
                // Flux makes a kustomization of all that is in a folder without one.
                let below = if path.is_empty() { path } else { path + "/" };
                let first = self.files.partition_point(|it| **it < *below);
                let files = self.files[first..].iter();
                let files = files.take_while(|it| it.starts_with(&below));
                files.for_each(|it| self.overrides.mark(it, names));
            }
        }
    }
}

/// Whether a file is what Kustomize looks for in a folder.
/// <https://kubectl.docs.kubernetes.io/references/kustomize/glossary/#kustomization>
fn is_kustomization(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    matches!(
        name,
        "kustomization.yaml" | "kustomization.yml" | "Kustomization"
    )
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |it| it.0)
}

/// The path that a relative one means, seen from a folder; `None`: it leads out of the tree, or is a
/// URL.
fn joined(folder: &str, path: &str) -> Option<String> {
    if path.contains("://") || path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = folder.split('/').filter(|it| !it.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            _ => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests;
