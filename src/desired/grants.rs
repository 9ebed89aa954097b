//! What an environment lets a namespace do: which repository names it may use, and which old image
//! names it may claim for the whole cluster.

use std::collections::BTreeMap;

use super::{Stopped, World};
use crate::api::EnvironmentAccount;
use crate::api::environment_account::Grant;
use crate::api::selectors::{Operator, Requirement, Selector};
use crate::domain::RepositoryName;
use crate::domain::rewrite::Source;

/// Stands in a prefix for the object's own namespace.
const NAMESPACE: &str = "{namespace}";

/// Whether `namespace` may use the repository `name` in `account`.
pub(super) fn repository(
    account: &EnvironmentAccount,
    namespace: &str,
    name: &RepositoryName,
    world: &World,
) -> bool {
    granted(account, namespace, world).any(|grant| {
        let prefixes = grant.repository_prefixes.iter();
        prefixes
            .map(|it| it.replace(NAMESPACE, namespace))
            .any(|it| begins(name.as_str(), &it))
    })
}

/// Whether `namespace` may claim the old name `source` in `account` for every pod of the cluster.
pub(super) fn source(
    account: &EnvironmentAccount,
    namespace: &str,
    source: &Source,
    world: &World,
) -> bool {
    granted(account, namespace, world).any(|grant| {
        let prefixes = grant
            .source_prefixes
            .iter()
            .map(|it| it.replace(NAMESPACE, namespace));
        let prefixes = prefixes.filter_map(|it| place(&it).ok());
        prefixes
            .into_iter()
            .any(|(host, path)| host == source.host() && begins(source.path(), &path))
    })
}

/// Checks what the API server cannot: that a source prefix is the beginning of an image name.
pub(super) fn check(account: &EnvironmentAccount) -> Result<(), Stopped> {
    for (i, grant) in account.spec.grants.iter().enumerate() {
        for (j, prefix) in grant.source_prefixes.iter().enumerate() {
            place(&prefix.replace(NAMESPACE, "namespace")).map_err(|message| {
                Stopped::invalid(format!("spec.grants[{i}].sourcePrefixes[{j}]"), message)
            })?;
        }
    }
    Ok(())
}

fn granted<'a>(
    account: &'a EnvironmentAccount,
    namespace: &str,
    world: &'a World,
) -> impl Iterator<Item = &'a Grant> {
    let labels = world.labels(namespace);
    let grants = account.spec.grants.iter();
    grants.filter(move |it| labels.is_some_and(|labels| selects(&it.namespace_selector, labels)))
}

/// Host and path that a prefix means, read as an image name is: two components are added, so that
/// no `library/` is implied, and taken off again.
fn place(prefix: &str) -> Result<(String, String), String> {
    const BELOW: &str = "x/x";
    let slash = if prefix.ends_with('/') { "" } else { "/" };
    let source: Source = format!("{prefix}{slash}{BELOW}").parse().map_err(|_| {
        format!(
            "{prefix:?} begins no image name: write a host and a path, like quay.io/{NAMESPACE}/"
        )
    })?;
    let path = source.path().strip_suffix(BELOW).unwrap_or(source.path());
    let path = if slash.is_empty() {
        path
    } else {
        path.trim_end_matches('/')
    };
    Ok((source.host().to_owned(), path.to_owned()))
}

/// Whether `name` is below `prefix`, or is it: only whole components match, and a prefix that ends
/// in a slash means what is below it.
fn begins(name: &str, prefix: &str) -> bool {
    let Some(rest) = name.strip_prefix(prefix) else {
        return false;
    };
    prefix.is_empty()
        || (prefix.ends_with('/') && !rest.is_empty())
        || rest.is_empty()
        || rest.starts_with('/')
}

/// Whether a selector selects an object with these labels.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#resources-that-support-set-based-requirements>
pub fn selects(selector: &Selector, labels: &BTreeMap<String, String>) -> bool {
    let Selector {
        match_labels,
        match_expressions,
    } = selector;
    match_labels
        .iter()
        .all(|(key, value)| labels.get(key) == Some(value))
        && match_expressions.iter().all(|it| holds(it, labels))
}

fn holds(requirement: &Requirement, labels: &BTreeMap<String, String>) -> bool {
    let Requirement {
        key,
        operator,
        values,
    } = requirement;
    let label = labels.get(key);
    let is_one = label.is_some_and(|it| values.contains(it));
    match operator {
        Operator::In => is_one,
        Operator::NotIn => !is_one,
        Operator::Exists => label.is_some(),
        Operator::DoesNotExist => label.is_none(),
    }
}

#[cfg(test)]
mod tests;
