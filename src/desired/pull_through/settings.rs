//! What a `PullThroughRule` wants of the repositories that its cache makes.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::super::settings::{self, Said};
use super::super::{Stopped, World, lifecycle, principals};
use super::{Place, role};
use crate::api::conditions::Reason;
use crate::api::image_repository::Document;
use crate::api::pull_through_rule::RepositoryTemplate;
use crate::api::settings::Access;
use crate::api::{PullThroughRule, Toggle};
use crate::domain::lifecycle::Safety;
use crate::domain::owner::{self, Owner};
use crate::domain::pull_through::Prefix;
use crate::domain::repository::Setting;
use crate::domain::retrofit::{self, Unread};
use crate::domain::template::{Desired, Settings};
use crate::domain::{lifecycle as document, policy};

const FIELD: &str = "spec.repositoryTemplate";

/// The template for the cache's prefix in one registry.
pub(super) fn template(
    object: &PullThroughRule,
    prefix: &Prefix,
    place: &Place<'_>,
    world: &World,
) -> Result<Desired, Stopped> {
    let recorded = place.record.and_then(|it| it.template_hash.clone());
    let settings = match &object.spec.repository_template {
        Some(said) => Setting::Present(asked(object, said, place, world)?),
        None if recorded.is_some() => Setting::Absent,
        None => Setting::Unmanaged,
    };
    Ok(Desired {
        management: place.environment.management,
        prefix: prefix.clone(),
        owner: owner(object, world),
        settings,
        recorded,
    })
}

/// What the repositories should be that the cache has made already: as the template makes them, and
/// without what an earlier template put there.
pub(super) fn retrofit(
    object: &PullThroughRule,
    template: &Desired,
    place: &Place<'_>,
    world: &World,
) -> Result<Option<retrofit::Desired>, Stopped> {
    const FIELD: &str = "spec.retrofit";
    if object.spec.retrofit == Toggle::Disabled {
        return Ok(None);
    }
    let Setting::Present(settings) = &template.settings else {
        let message =
            "retrofit brings repositories in line with repositoryTemplate: say what that is";
        return Err(Stopped::invalid(FIELD, message));
    };
    if template.prefix == Prefix::Root {
        let message = "ROOT covers every repository of the registry, not only those that the cache \
                       made: retrofit needs a prefix of its own";
        return Err(Stopped::invalid(FIELD, message));
    }
    let record = place.record.and_then(|it| it.retrofit.clone());
    let record = record.unwrap_or_default();
    let put = |it: Document| record.documents.contains(&it);
    let is_retired = |it: &String| !settings.tags.contains_key(it);
    Ok(Some(retrofit::Desired {
        prefix: template.prefix.clone(),
        owner: template.owner.clone(),
        management: template.management,
        mutability: settings.mutability.clone(),
        encryption: settings.encryption.clone(),
        policy: or_absent(settings.policy.clone(), put(Document::RepositoryPolicy)),
        lifecycle: or_absent(settings.lifecycle.clone(), put(Document::LifecyclePolicy)),
        safety: safety(object, settings.lifecycle.as_ref(), world),
        tags: settings.tags.clone(),
        retired_tags: record.tag_keys.into_iter().filter(is_retired).collect(),
        unread: if record.hash == Some(settings.hash()) {
            Unread::InStep
        } else {
            Unread::Unknown
        },
    }))
}

/// How far the lifecycle policy may go; of none there is nothing to say.
fn safety(
    object: &PullThroughRule,
    document: Option<&document::Document>,
    world: &World,
) -> Safety {
    let said = object.spec.repository_template.as_ref();
    let named = said.and_then(|it| it.lifecycle_policy_ref.as_ref());
    match (named.and_then(|it| world.lifecycle(&it.name)), document) {
        (Some(policy), Some(document)) => lifecycle::safety(policy, document, None),
        _ => Safety::default(),
    }
}

/// What was put there and nobody asks for any more is to go.
fn or_absent<T>(document: Option<T>, put: bool) -> Setting<T> {
    match document {
        Some(document) => Setting::Present(document),
        None if put => Setting::Absent,
        None => Setting::Unmanaged,
    }
}

/// The object as templates and repositories name it.
pub(super) fn owner(object: &PullThroughRule, world: &World) -> Owner {
    Owner {
        cluster: world.cluster().clone(),
        object: Owner::rule(&object.name_any()),
        uid: object.uid().unwrap_or_default(),
    }
}

fn asked(
    object: &PullThroughRule,
    said: &RepositoryTemplate,
    place: &Place<'_>,
    world: &World,
) -> Result<Settings, Stopped> {
    fn says<'a, T>(value: Option<&'a T>, field: &str) -> Option<Said<'a, T>> {
        let field = format!("{FIELD}.{field}");
        value.map(|value| Said { value, field })
    }
    let RepositoryTemplate {
        image_tag_mutability,
        encryption,
        access,
        lifecycle_policy_ref,
        tags,
    } = said;
    let mutability = says(image_tag_mutability.as_ref(), "imageTagMutability");
    let encryption = says(encryption.as_ref(), "encryption");
    let access = says(access.as_ref(), "access");
    let lifecycle = lifecycle_policy_ref.as_ref();
    settings::check_tags(tags, &format!("{FIELD}.tags"))?;
    let settings = Settings {
        mutability: mutability.as_ref().map(settings::mutability).transpose()?,
        encryption: encryption
            .map(|it| settings::encryption(&it, place.registry))
            .transpose()?,
        policy: match access {
            Some(said) => granted(&said, place, world)?,
            None => None,
        },
        lifecycle: lifecycle.map(|it| referred(&it.name, world)).transpose()?,
        tags: marked(tags, place.prefix),
        role: role(object, place.environment, place.registry)?,
    };
    if let (Some(field), None) = (settings.needs_role(), &settings.role) {
        let message = format!(
            "ECR carries this out only by a role: give one for {} in spec.roles",
            place.environment.name
        );
        return Err(Stopped::invalid(format!("{FIELD}.{field}"), message));
    }
    Ok(settings)
}

/// The tags, with the mark by which what the cache makes is known as its own. Where there are no tags
/// none is added: ECR gives tags only by a role that may, and without it every first pull would fail.
fn marked(tags: &BTreeMap<String, String>, prefix: &Prefix) -> BTreeMap<String, String> {
    let mut marked = tags.clone();
    if !tags.is_empty() {
        marked.insert(owner::CACHE.to_owned(), prefix.to_string());
    }
    marked
}

/// The policy of the repositories that the cache makes, which admits only whom the environment allows.
fn granted(
    said: &Said<'_, Access>,
    place: &Place<'_>,
    world: &World,
) -> Result<Option<policy::Document>, Stopped> {
    let Setting::Present(document) = settings::access(said, place.registry)? else {
        return Ok(None);
    };
    principals::check(&document.admits(), &said.field, place.account, world)?;
    Ok(Some(document))
}

fn referred(name: &str, world: &World) -> Result<document::Document, Stopped> {
    lifecycle::referred(name, world).unwrap_or_else(|| {
        let message = format!("there is no LifecyclePolicy {name:?}: make one, or name another");
        let field = format!("{FIELD}.lifecyclePolicyRef.name");
        Err(Stopped::new(Reason::ReferenceNotFound, field, message))
    })
}
