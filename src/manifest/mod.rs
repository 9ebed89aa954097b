//! Image references in the texts of a GitOps repository: where they are, what they name, and how to
//! change them with every other byte kept. Text in, sites and edits out: nothing here opens a file,
//! knows a rule or decides what an image becomes.
//!
//! ```
//! use ecr_operator::manifest;
//!
//! let text = "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - image: 'nginx:1.27' # web\n";
//! let document = manifest::read("pod.yaml", text.as_bytes());
//! assert_eq!(document.sites[0].image, "nginx:1.27");
//!
//! let target = "333333333333.dkr.ecr.us-east-1.amazonaws.com/docker-hub/library/nginx:1.27";
//! let edited = manifest::edit("pod.yaml", text, &document, &[Some(target)]).unwrap();
//! assert_eq!(edited.text, text.replace("nginx:1.27", target));
//! ```

mod argo_cd;
mod compose;
mod dockerfile;
mod ecs;
mod edit;
mod flux;
mod format;
mod found;
mod github;
mod gitlab;
mod helm;
mod kubernetes;
mod kustomize;
mod left;
mod lines;
mod nested;
mod overlay;
mod proof;
mod site;
mod splice;
mod sweep;
mod tekton;
mod tree;

pub use edit::{Edited, Refused, edit};
pub use format::Format;
pub use left::{Left, Reason};
pub use overlay::{Base, Overlay, read_overlays};
pub use site::{Context, NewName, Scalar, Site, Stated, Style, Written};

use std::collections::BTreeSet;

use found::Found;
use tree::{Cursor, Tree};

/// Larger than any file that people edit; custom resource definitions in one file come to 10 MiB.
pub const LARGEST: usize = 32 << 20;

/// What a text says about images.
#[derive(Debug)]
pub struct Document<'t> {
    /// What it is.
    pub format: Format,
    /// The references that can be edited, in the order of the text.
    pub sites: Vec<Site>,
    /// What else names an image or may, in the order of the text.
    pub left: Vec<Left>,
    /// What it overrides in other files.
    pub overlays: Vec<Overlay>,
    /// Its values, if it is YAML, so that an edit need not read them again.
    tree: Option<Tree<'t>>,
    /// Whether each site is where it is whatever it says.
    is_steady: bool,
}

/// Whether the file of this path can name images; what it says is no matter.
pub fn may_read(path: &str) -> bool {
    Format::of_path(path) != Format::Other
}

/// Whether it can be told without reading it that a text names no image and overrides none.
pub fn is_silent(path: &str, text: &[u8]) -> bool {
    let always = matches!(
        Format::of_path(path),
        Format::Kustomize | Format::Dockerfile | Format::ArgoCd
    );
    let silent = |it: &str| !it.contains('\0') && !may_name_images(it);
    !always && text.len() <= LARGEST && str::from_utf8(text).is_ok_and(silent)
}

/// Reads a text. Of its path, relative to the repository, no more than the format is taken.
pub fn read<'t>(path: &str, text: &'t [u8]) -> Document<'t> {
    let mut document = Document::new(Format::of_path(path));
    if document.format == Format::Other {
        return document;
    }
    let read = (text.len() <= LARGEST).then(|| str::from_utf8(text));
    let reason = match read {
        None => return too_large(path),
        Some(Ok(text)) if !text.contains('\0') => {
            read_text(&mut document, path, text);
            return document;
        }
        Some(Err(_)) if !text.contains(&0) => Reason::NotUtf8,
        Some(_) => Reason::Binary,
    };
    document.leave(reason);
    document
}

/// What a text of more than [`LARGEST`] bytes says: nothing, since it is not read.
pub fn too_large(path: &str) -> Document<'static> {
    let mut document = Document::new(Format::of_path(path));
    document.leave(Reason::TooLarge);
    document
}

impl Document<'_> {
    /// Whether nothing in it names an image.
    pub fn is_empty(&self) -> bool {
        self.sites.is_empty() && self.left.is_empty()
    }

    /// Leaves the whole text as it is.
    fn leave(&mut self, reason: Reason) {
        self.left.push(Left {
            line: 1,
            text: String::new(),
            reason,
        });
    }

    /// One in which nothing is found yet.
    fn new(format: Format) -> Self {
        Self {
            format,
            sites: Vec::new(),
            left: Vec::new(),
            overlays: Vec::new(),
            tree: None,
            is_steady: false,
        }
    }
}

fn read_text<'t>(document: &mut Document<'t>, path: &str, text: &'t str) {
    let format = document.format;
    let always = matches!(format, Format::Kustomize | Format::Dockerfile);
    if !always && !may_name_images(text) {
        return;
    }
    match format {
        Format::HelmTemplate => read_template(document, text),
        Format::Dockerfile => (document.sites, document.left) = dockerfile::read(text),
        Format::Terraform | Format::Shell => {
            document.left = lines::scan(text, 1, Reason::SourceText);
        }
        Format::Other => {}
        _ if format::is_template(path) && text.contains("{{") => read_template(document, text),
        _ => read_yaml(document, text),
    }
}

/// Reads a text whose tree is known.
fn read_again<'t>(path: &str, tree: Tree<'t>) -> Document<'t> {
    let mut document = Document::new(Format::of_path(path));
    read_tree(&mut document, tree);
    document
}

fn read_template(document: &mut Document<'_>, text: &str) {
    document.format = Format::HelmTemplate;
    document.left = lines::scan(text, 1, Reason::HelmTemplate);
}

/// Whether it is worth a closer look: no image is named without one of these.
fn may_name_images(text: &str) -> bool {
    const SIGNS: [&str; 17] = [
        "ontainer",
        "ervices",
        "mage",
        "MAGE",
        "FROM",
        "docker",
        "podman",
        "nerdctl",
        "cr.io",
        "uay.io",
        "egistry",
        "epository",
        "pkg.dev",
        "cr.dev",
        "mcr.",
        ".ecr",
        "l5d.io",
    ];
    SIGNS.iter().any(|it| text.contains(it))
}

/// Whether a text that is no YAML is a template: an action stands where YAML has none.
fn has_actions(text: &str) -> bool {
    let action = |line: &str| line.trim_start().starts_with("{{");
    text.contains("{{") && text.lines().any(action)
}

fn read_yaml<'t>(document: &mut Document<'t>, text: &'t str) {
    let tree = Tree::read(text, document.format.wanted());
    let broken = |it: &tree::Document| matches!(it, tree::Document::Broken(_));
    if tree.documents.iter().any(broken) && has_actions(text) {
        return read_template(document, text);
    }
    read_tree(document, tree);
}

fn read_tree<'t>(document: &mut Document<'t>, tree: Tree<'t>) {
    let text = tree.text;
    let mut found = Found::new(&tree);
    let mut formats = Vec::new();
    for part in &tree.documents {
        match part {
            tree::Document::Read(None) => {}
            tree::Document::Unread(bytes) => {
                let line = 1 + text[..bytes.start].matches('\n').count();
                let left = lines::scan(&text[bytes.clone()], line, Reason::UnknownField);
                found.left.extend(left);
            }
            tree::Document::Read(Some(root)) => {
                let at = tree.at(*root);
                let format = document.format.of_document(at);
                formats.push(format);
                read_document(&mut found, format, at);
                if sweeps(at) {
                    sweep::sweep(&mut found, *root, Reason::UnknownField);
                }
            }
            tree::Document::Broken(bytes) => {
                let line = 1 + text[..bytes.start].matches('\n').count();
                let left = lines::scan(&text[bytes.clone()], line, Reason::NotYaml);
                found.left.extend(left);
            }
        }
    }
    found.settle();
    if let Some(first) = formats.into_iter().find(|it| *it != Format::Yaml) {
        document.format = first;
    }
    document.is_steady = document.format == Format::Kubernetes && found.is_steady;
    document.overlays = found.overlays;
    document.sites = found.sites;
    document.sites.sort_by_key(Site::start);
    document.sites.dedup();
    document.left = found.left;
    let told: BTreeSet<usize> = document.left.iter().map(|it| it.line).collect();
    let comments = sweep::comments(text);
    let new = comments.into_iter().filter(|it| !told.contains(&it.line));
    document.left.extend(new);
    document.left.sort();
    document.left.dedup();
    document.tree = Some(tree);
}

fn read_document<'a>(found: &mut Found<'a>, format: Format, at: Cursor<'a>) {
    match format {
        Format::Kubernetes => kubernetes::read(found, at),
        Format::HelmValues => helm::read(found, at, &Context::default()),
        Format::Kustomize => kustomize::read(found, at),
        Format::ArgoCd => argo_cd::read(found, at),
        Format::Flux => flux::read(found, at),
        Format::Compose => compose::read(found, at),
        Format::GitHubWorkflow => github::read(found, at),
        Format::GitLabCi => gitlab::read(found, at),
        Format::EcsTask => ecs::read(found, at),
        Format::Yaml => helm::read_unnamed(found, at),
        Format::HelmTemplate
        | Format::Dockerfile
        | Format::Terraform
        | Format::Shell
        | Format::Other => {}
    }
}

/// Our own objects name images to say what becomes of them.
fn sweeps(document: Cursor<'_>) -> bool {
    let version = document.string("apiVersion").unwrap_or_default();
    !version.starts_with("ecr-operator.dev/")
}

#[cfg(test)]
mod tests;
