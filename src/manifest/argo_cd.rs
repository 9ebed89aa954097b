//! Argo CD's Applications and ApplicationSets: the images of their charts' parameters and values,
//! and of their Kustomize overrides.
//! <https://argo-cd.readthedocs.io/en/stable/operator-manual/application.yaml>

use std::collections::BTreeMap;

use super::found::{Found, Parts, scalar, unreadable};
use super::overlay::{self, Base, Overlay};
use super::site::{Context, Written};
use super::tree::Cursor;
use super::{helm, kubernetes, kustomize, nested};
use crate::domain::reference::Reference;

/// Reads an Application or an ApplicationSet.
pub(super) fn read<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    let application = at.find(&["spec", "template"]).unwrap_or(at);
    let Some(spec) = application.get("spec") else {
        // `.argocd-source.yaml` is a source alone:
        // <https://argo-cd.readthedocs.io/en/stable/user-guide/parameters/#store-overrides-in-git>.
        return one_source(found, at, &Context::default());
    };
    let destination = |key: &str| spec.find(&["destination", key]).and_then(Cursor::text);
    let cluster = destination("name").or(destination("server"));
    let context = Context {
        namespace: destination("namespace").map(str::to_owned),
        cluster: cluster.map(str::to_owned),
        ..kubernetes::context(at)
    };
    let many = spec.get("sources").into_iter().flat_map(Cursor::items);
    for source in spec.get("source").into_iter().chain(many) {
        one_source(found, source, &context);
    }
}

fn one_source<'a>(found: &mut Found<'a>, source: Cursor<'a>, context: &Context) {
    if let Some(chart) = source.get("helm") {
        if let Some(list) = chart.get("parameters") {
            parameters(found, list, context);
        }
        if let Some(values) = chart.get("valuesObject") {
            helm::read(found, values, context);
        }
        if let Some(values) = chart.get("values") {
            nested::read(found, values, |found, at| helm::read(found, at, context));
        }
    }
    if let Some(at) = source.get("kustomize") {
        let images = || at.get("images").into_iter().flat_map(Cursor::items);
        let names = images().filter_map(Cursor::text).map(overlay::assigned);
        found.overlays.push(Overlay {
            names: names.map(str::to_owned).collect(),
            base: match source.string("path") {
                Some(_) => Base::Root,
                None => Base::Folder,
            },
            resources: vec![source.string("path").unwrap_or(".").to_owned()],
            components: Vec::new(),
        });
        for image in images() {
            assignment(found, image, context);
        }
        if let Some(list) = at.get("patches") {
            kustomize::patches(found, list);
        }
    }
}

/// Parameters of a chart by name, put together as its values would be.
fn parameters<'a>(found: &mut Found<'a>, list: Cursor<'a>, context: &Context) {
    let mut groups: BTreeMap<&str, BTreeMap<&str, Cursor<'a>>> = BTreeMap::new();
    for item in list.items() {
        if let (Some(name), Some(value)) = (item.string("name"), item.get("value")) {
            let (group, key) = name.rsplit_once('.').unwrap_or(("", name));
            groups.entry(group).or_default().insert(key, value);
        }
    }
    let global = ["global", ""].iter().find_map(|it| {
        let registry = groups.get(it)?.get("imageRegistry").copied()?;
        registry
            .text()
            .filter(|it| !it.is_empty())
            .map(|_| registry)
    });
    for (group, keys) in &groups {
        let is_image = group.to_ascii_lowercase().ends_with("image");
        let get = |key: &str| keys.get(key).copied();
        for (key, value) in keys {
            let text = value.text().unwrap_or_default();
            if key.to_ascii_lowercase().ends_with("image") && text.contains(['/', ':']) {
                found.whole(*value, context);
            }
        }
        let beside = ["tag", "registry", "digest"]
            .iter()
            .any(|it| keys.contains_key(it));
        if is_image || beside {
            let parts = Parts {
                registry: global.or(get("registry")),
                repository: get("repository"),
                tag: get("tag"),
                digest: get("digest"),
            };
            found.parts(parts, context);
        }
    }
}

/// An override in one string, as `kustomize edit set image` takes it: `name=newName:tag`, or
/// `name:tag`.
fn assignment<'a>(found: &mut Found<'a>, at: Cursor<'a>, context: &Context) {
    let Some(text) = at.text() else {
        return;
    };
    if let Some((name, _)) = text.split_once('=') {
        return found.after(at, &format!("{name}="), context);
    }
    if Reference::parse(text).is_err() {
        return found.leave(at, unreadable(text));
    }
    let name = overlay::name_of(text).to_owned();
    match scalar(at) {
        Ok(scalar) => {
            let written = Written::Assignment { scalar, name };
            found.add(&[at], text.to_owned(), written, context);
        }
        Err(reason) => found.leave(at, reason),
    }
}

#[cfg(test)]
mod tests;
