//! Whether an admission policy is asked about the pods that pull an image: what a repository says and
//! what admission would do must never differ.

use std::collections::BTreeMap;

use crate::api::{ImageAdmissionPolicy, REWRITE};
use crate::desired::{World, selects};
use crate::domain::admission::{OPTED_OUT, SYSTEM_NAMESPACES};
use crate::manifest::{Context, Format};

/// The label that the API server itself puts on every namespace.
const NAMESPACE_NAME: &str = "kubernetes.io/metadata.name";

/// Whether a policy is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Selection {
    /// It is, or no pod is made of this.
    Selected,
    /// It is not.
    NotSelected,
    /// Its selectors look at what the file does not say.
    Unknown,
}

/// Whether `policy` is asked about what pulls an image of a file like this. A namespace that the
/// rules do not have is taken to bear no labels but Kubernetes' own.
pub(super) fn selection(
    policy: &ImageAdmissionPolicy,
    world: &World,
    (format, context): (Format, &Context),
    namespace: Option<&str>,
) -> Selection {
    if !makes_pods(format, context) {
        return Selection::Selected;
    }
    let opted_out =
        |it: &BTreeMap<String, String>| it.get(REWRITE).is_some_and(|it| it == OPTED_OUT);
    let of_namespace = namespace.map(|name| {
        let own = || BTreeMap::from([(NAMESPACE_NAME.to_owned(), name.to_owned())]);
        world.labels(name).cloned().unwrap_or_else(own)
    });
    let exempt = namespace.is_some_and(|it| SYSTEM_NAMESPACES.contains(&it));
    let labels = [of_namespace.as_ref(), context.labels.as_deref()];
    if exempt || labels.into_iter().flatten().any(opted_out) {
        return Selection::NotSelected;
    }
    let selectors = [
        &policy.spec.namespace_selector,
        &policy.spec.object_selector,
    ];
    let asked = selectors.into_iter().zip(labels);
    let said = asked.filter_map(|(selector, labels)| {
        let selector = selector.as_ref()?;
        Some(labels.map(|it| selects(selector, it)))
    });
    said.fold(Selection::Selected, |so_far, it| match (so_far, it) {
        (Selection::NotSelected, _) | (_, Some(false)) => Selection::NotSelected,
        (Selection::Unknown, _) | (_, None) => Selection::Unknown,
        (Selection::Selected, Some(true)) => Selection::Selected,
    })
}

/// Whether a cluster makes pods of it, and asks admission about them.
fn makes_pods(format: Format, context: &Context) -> bool {
    match format {
        Format::Kubernetes
        | Format::HelmValues
        | Format::HelmTemplate
        | Format::Kustomize
        | Format::ArgoCd
        | Format::Flux
        | Format::Yaml => context.kind != "TaskDefinition",
        Format::Compose
        | Format::GitHubWorkflow
        | Format::GitLabCi
        | Format::EcsTask
        | Format::Dockerfile
        | Format::Terraform
        | Format::Shell
        | Format::Other => false,
    }
}

#[cfg(test)]
mod tests;
