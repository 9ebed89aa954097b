//! Pull-through caches: which rule a repository belongs to, and importing from upstream.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html>

use std::sync::Arc;

use jiff::SignedDuration;

use super::super::call::{Call, RepositoryAt, Stop};
use super::super::refusal::Refusal;
use super::super::state::{PullThroughRule, RegistryKey, Repository};
use super::super::upstream::{Failure, Import, Pulled};
use super::push;
use super::registry::templates;

mod from_ecr;
pub(super) mod rules;

/// What stands for no prefix.
pub(super) const ROOT: &str = "ROOT";

/// An image is asked for upstream again when the last answer is older than this.
const FRESH_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Whether the cache could do what it is there for; `Ok` also where it need not.
pub(super) type Cached = Result<(), Failure>;

/// Sees to it that the tag of a repository of a cache is as the upstream has it, as far as ECR
/// does: on the first pull, and on one more than a day after the last. An upstream that fails is
/// no failure where there is something in the cache.
pub(super) fn refresh(
    call: &mut Call<'_>,
    registry: &RegistryKey,
    name: &str,
    tag: &str,
) -> Result<Cached, Stop> {
    let Some((import, role)) = import_of(call, registry, name, tag) else {
        return Ok(Ok(()));
    };
    let cached = cached(call, registry, name, tag);
    if cached == Some(Freshness::Fresh) {
        return Ok(Ok(()));
    }
    call.permit("ecr:BatchImportUpstreamImage", registry, Some(name))?;
    let from_ecr = from_ecr::pull(call, &import, role.as_deref()).map(|it| it.map(Arc::new));
    let pulled = match from_ecr.as_ref().or_else(|| call.imports.get(&import)) {
        None => return Err(Stop::Needs(import)),
        Some(Err(_)) if cached == Some(Freshness::Stale) => return Ok(Ok(())),
        Some(Err(failure)) => return Ok(Err(failure.clone())),
        Some(Ok(pulled)) => Arc::clone(pulled),
    };
    let at = repository_for(call, registry, name)?;
    store(call, &at, tag, &pulled);
    Ok(Ok(()))
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Freshness {
    Fresh,
    Stale,
}

fn cached(call: &Call<'_>, registry: &RegistryKey, name: &str, tag: &str) -> Option<Freshness> {
    let repository = call
        .state
        .registries
        .get(registry)?
        .repositories
        .get(name)?;
    // An image is not validated by digest: it cannot change.
    if tag.contains(':') {
        return repository
            .images
            .contains_key(tag)
            .then_some(Freshness::Fresh);
    }
    let image = repository.images.get(repository.tagged.get(tag)?)?;
    // An image that was pushed here, and never came from the upstream, is never asked for there.
    let Some(validated) = image.validated else {
        return Some(Freshness::Fresh);
    };
    let fresh = call.now.duration_since(validated) <= FRESH_FOR || !repository.may_move(tag);
    Some(if fresh {
        Freshness::Fresh
    } else {
        Freshness::Stale
    })
}

/// What a repository's name means upstream, and the rule's role; `None` where no rule applies.
fn import_of(
    call: &Call<'_>,
    registry: &RegistryKey,
    name: &str,
    tag: &str,
) -> Option<(Import, Option<String>)> {
    let rules = call.state.registries.get(registry)?.rules.values();
    let (rule, rest) = rules
        .filter_map(|it| Some((it, rest(it, name)?)))
        .max_by_key(|(it, _)| {
            if it.prefix == ROOT {
                0
            } else {
                it.prefix.len()
            }
        })?;
    let repository = match rule.upstream_prefix.as_str() {
        ROOT => rest.to_owned(),
        prefix => format!("{}/{rest}", prefix.trim_end_matches('/')),
    };
    let import = Import {
        host: rule.url.clone(),
        repository,
        reference: tag.to_owned(),
    };
    Some((import, rule.role.clone()))
}

fn rest<'a>(rule: &PullThroughRule, name: &'a str) -> Option<&'a str> {
    match rule.prefix.as_str() {
        ROOT => Some(name),
        prefix => name
            .strip_prefix(prefix.trim_end_matches('/'))?
            .strip_prefix('/'),
    }
}

/// The cache's repository, made on the first pull.
fn repository_for(
    call: &mut Call<'_>,
    registry: &RegistryKey,
    name: &str,
) -> Result<RepositoryAt, Refusal> {
    if let Ok(at) = call.find(registry, name) {
        return Ok(at);
    }
    call.permit("ecr:CreateRepository", registry, Some(name))?;
    let made = templates::made_by_template(call, registry, name, "PULL_THROUGH_CACHE")
        .map_err(|it| Refusal::new("UnableToGetUpstreamImageException", it.message))?;
    let repository = made.unwrap_or_else(|| Repository::new(call.now));
    call.registry(registry)
        .repositories
        .insert(name.to_owned(), repository);
    call.find(registry, name)
}

fn store(call: &mut Call<'_>, at: &RepositoryAt, tag: &str, pulled: &Pulled) {
    let now = call.now;
    for blob in &pulled.blobs {
        let digest = call.state.blobs.put(blob.clone());
        call.repository(at).layers.insert(digest, blob.len() as u64);
    }
    let repository = call.repository(at);
    for (index, manifest) in pulled.manifests.iter().enumerate().rev() {
        // The first is the one that was asked for; the others are listed in it.
        push::keep(
            repository,
            manifest,
            Some(tag).filter(|it| index == 0 && !it.contains(':')),
            now,
        );
        if let Some(image) = repository.images.get_mut(&manifest.digest()) {
            image.validated = Some(now);
        }
    }
}
