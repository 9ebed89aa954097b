//! Kustomizations and components: their `images:`, whose `name` says what is overridden and stays,
//! and the patches and chart values that stand in them.
//! <https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/>

use granit_parser::{ScalarStyle, StructureStyle};

use super::found::{Found, scalar};
use super::left::Reason;
use super::lines::is_qualified;
use super::overlay::{self, Base, Overlay};
use super::site::{Context, NewName, Stated, Written};
use super::tree::{Cursor, Kind};
use super::{helm, kubernetes, nested};

/// The keys that patches stand under.
const PATCHES: [&str; 3] = ["patches", "patchesStrategicMerge", "patchesJson6902"];

/// Reads a kustomization.
pub(super) fn read<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    let context = Context {
        kind: at.string("kind").unwrap_or("Kustomization").to_owned(),
        namespace: at.string("namespace").map(str::to_owned),
        ..Context::default()
    };
    for key in ["images", "imageTags"] {
        if let Some(list) = at.get(key) {
            images(found, list, &context);
        }
    }
    found.overlays.push(overlay(at));
    for key in PATCHES {
        if let Some(list) = at.get(key) {
            patches(found, list);
        }
    }
    for chart in at.get("helmCharts").into_iter().flat_map(Cursor::items) {
        if let Some(values) = chart.get("valuesInline") {
            helm::read(found, values, &context);
        }
    }
}

/// What a kustomization overrides: all that it is made of, patches and values of charts among it,
/// since images are changed last.
fn overlay(at: Cursor<'_>) -> Overlay {
    let items = |key: &str| at.get(key).into_iter().flat_map(Cursor::items);
    let texts = |key: &str| items(key).filter_map(Cursor::text).map(str::to_owned);
    let patches = PATCHES.into_iter().flat_map(items);
    let patches = patches.filter_map(|it| it.string("path").or(it.text()));
    let charts = items("helmCharts").filter_map(|it| it.string("valuesFile"));
    let images = ["images", "imageTags"].map(|it| at.get(it));
    Overlay {
        names: images.into_iter().flat_map(overlay::names).collect(),
        base: Base::Folder,
        resources: ["resources", "bases"]
            .into_iter()
            .flat_map(texts)
            .chain(patches.chain(charts).map(str::to_owned))
            .filter(|it| !it.contains('\n'))
            .collect(),
        components: texts("components").collect(),
    }
}

/// Reads a list of overrides, each `{name, newName, newTag, digest}`.
pub(super) fn images<'a>(found: &mut Found<'a>, list: Cursor<'a>, context: &Context) {
    for item in list.items() {
        if let Some(name) = item.get("name").filter(|it| it.text().is_some()) {
            image(found, item, name, context);
        }
    }
}

fn image<'a>(found: &mut Found<'a>, item: Cursor<'a>, name: Cursor<'a>, context: &Context) {
    let said = |key: &str| {
        item.get(key)
            .filter(|it| it.text().is_some_and(|it| !it.is_empty()))
    };
    let new_name = said("newName");
    let suffix = match (said("newTag"), said("digest")) {
        (_, Some(digest)) => Some((digest, "@")),
        (Some(tag), None) => Some((tag, ":")),
        (None, None) => None,
    };
    let called = new_name.unwrap_or(name);
    let mut text = called.text().unwrap_or_default().to_owned();
    if let Some((version, mark)) = suffix {
        text = format!("{text}{mark}{}", version.text().unwrap_or_default());
    }
    let written = match new_name {
        Some(it) => scalar(it).map(NewName::Written),
        None => absent(item, name),
    };
    let written = match written {
        Ok(new_name) => Written::Override {
            name: name.text().unwrap_or_default().to_owned(),
            new_name,
        },
        Err(reason) => return found.leave(called, reason),
    };
    let scalars: Vec<_> = [Some(called), Some(name), suffix.map(|it| it.0)]
        .into_iter()
        .flatten()
        .collect();
    if let Some(site) = found.add(&scalars, text, written, context)
        && suffix.is_none()
        && site.reference().tag().is_none()
    {
        site.tag = Stated::Elsewhere;
    }
    if new_name.is_some() && name.text().is_some_and(is_qualified) {
        found.leave(name, Reason::OverrideName);
    }
}

/// Where a `newName` goes: after the name, written as the name's own key is.
fn absent(item: Cursor<'_>, name: Cursor<'_>) -> Result<NewName, Reason> {
    let tree = item.tree;
    let Kind::Mapping(style) = &item.node().kind else {
        return Err(Reason::NotEditable);
    };
    // A name that comes through an alias or a merge has no place of its own.
    let pair = tree.pairs(item.id).find(|(_, value)| *value == name.id);
    let (key, _) = pair.ok_or(Reason::NotEditable)?;
    let key = &tree.nodes[key];
    let quote = match &key.kind {
        Kind::Scalar {
            style: ScalarStyle::DoubleQuoted,
            ..
        } => "\"",
        Kind::Scalar {
            style: ScalarStyle::Plain,
            ..
        } => "",
        _ => return Err(Reason::NotEditable),
    };
    let name = name.node();
    if *style == StructureStyle::Flow {
        return Ok(NewName::Absent {
            at: name.at.end,
            before: format!(", {quote}newName{quote}: {quote}"),
            after: if quote.is_empty() { "" } else { "\"" },
        });
    }
    let rest = &tree.text[name.at.end..];
    let end = name.at.end + rest.find('\n').unwrap_or(rest.len());
    let crlf = tree.text[..end].ends_with('\r');
    let (at, newline) = match crlf {
        true => (end - 1, "\r\n"),
        false => (end, "\n"),
    };
    let indent = " ".repeat(key.column);
    Ok(NewName::Absent {
        at,
        before: format!("{newline}{indent}newName: "),
        after: "",
    })
}

/// Reads patches: objects in part, or JSON patches, each a text or written out.
pub(super) fn patches<'a>(found: &mut Found<'a>, list: Cursor<'a>) {
    for item in list.items() {
        let patch = item
            .get("patch")
            .or(item.get("op").and(Some(item)))
            .unwrap_or(item);
        if patch.text().is_some() {
            nested::read(found, patch, one_patch);
        } else {
            one_patch(found, patch);
        }
    }
}

fn one_patch<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    if at.is_mapping() {
        let context = kubernetes::context(at);
        kubernetes::pods_within(found, at, &context);
    } else {
        helm::patches(found, at);
    }
}

#[cfg(test)]
mod tests;
