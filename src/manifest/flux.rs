//! Flux's HelmReleases and Kustomizations: values, overrides of images, patches.
//! <https://fluxcd.io/flux/components/helm/helmreleases/>,
//! <https://fluxcd.io/flux/components/kustomize/kustomizations/>

use super::found::Found;
use super::site::Context;
use super::tree::Cursor;
use super::{helm, kubernetes, kustomize};

/// Reads a HelmRelease or a Kustomization.
pub(super) fn read<'a>(found: &mut Found<'a>, at: Cursor<'a>) {
    let Some(spec) = at.get("spec") else {
        return;
    };
    let of_object = kubernetes::context(at);
    let target = spec.string("targetNamespace").map(str::to_owned);
    let context = Context {
        namespace: target.or(of_object.namespace.clone()),
        ..of_object
    };
    if let Some(values) = spec.get("values") {
        helm::read(found, values, &context);
    }
    overlay(found, spec, &context);
    for renderer in spec
        .get("postRenderers")
        .into_iter()
        .flat_map(Cursor::items)
    {
        if let Some(it) = renderer.get("kustomize") {
            overlay(found, it, &context);
        }
    }
}

fn overlay<'a>(found: &mut Found<'a>, at: Cursor<'a>, context: &Context) {
    if let Some(list) = at.get("images") {
        kustomize::images(found, list, context);
    }
    for key in ["patches", "patchesStrategicMerge", "patchesJson6902"] {
        if let Some(list) = at.get(key) {
            kustomize::patches(found, list);
        }
    }
}

#[cfg(test)]
mod tests;
