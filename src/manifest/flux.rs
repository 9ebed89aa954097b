//! Flux's HelmReleases and Kustomizations: values, overrides of images, patches.
//! <https://fluxcd.io/flux/components/helm/helmreleases/>,
//! <https://fluxcd.io/flux/components/kustomize/kustomizations/>

use super::found::Found;
use super::overlay::{self, Base, Overlay};
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
    overrides(found, spec, &context);
    found.overlays.push(Overlay {
        names: overlay::names(spec.get("images")).collect(),
        base: Base::Root,
        resources: spec.string("path").map(str::to_owned).into_iter().collect(),
        components: Vec::new(),
    });
    for renderer in spec
        .get("postRenderers")
        .into_iter()
        .flat_map(Cursor::items)
    {
        if let Some(it) = renderer.get("kustomize") {
            overrides(found, it, &context);
            found.overlays.push(Overlay {
                names: overlay::names(it.get("images")).collect(),
                base: Base::Folder,
                resources: Vec::new(),
                components: Vec::new(),
            });
        }
    }
}

fn overrides<'a>(found: &mut Found<'a>, at: Cursor<'a>, context: &Context) {
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
