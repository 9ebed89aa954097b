//! What a `PullThroughRule` wants of the repositories that its cache makes.

use kube::ResourceExt;

use super::super::settings::{self, Said};
use super::super::{Stopped, World, lifecycle};
use super::{Place, role};
use crate::api::PullThroughRule;
use crate::api::conditions::Reason;
use crate::api::pull_through_rule::RepositoryTemplate;
use crate::domain::owner::Owner;
use crate::domain::pull_through::Prefix;
use crate::domain::repository::Setting;
use crate::domain::template::{Desired, Settings};

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

/// The object as templates and repositories name it. No `ImageRepository` can be called that: a
/// namespace has no upper-case letters.
pub(super) fn owner(object: &PullThroughRule, world: &World) -> Owner {
    Owner {
        cluster: world.cluster().clone(),
        object: format!("PullThroughRule/{}", object.name_any()),
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
    let access = says(access.as_ref(), "access").map(|it| settings::access(&it, place.registry));
    let lifecycle = lifecycle_policy_ref.as_ref();
    settings::check_tags(tags, &format!("{FIELD}.tags"))?;
    let settings = Settings {
        mutability: mutability.as_ref().map(settings::mutability).transpose()?,
        encryption: encryption
            .map(|it| settings::encryption(&it, place.registry))
            .transpose()?,
        policy: match access.transpose()? {
            Some(Setting::Present(document)) => Some(document),
            Some(Setting::Absent | Setting::Unmanaged) | None => None,
        },
        lifecycle: lifecycle.map(|it| referred(&it.name, world)).transpose()?,
        tags: tags.clone(),
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

fn referred(name: &str, world: &World) -> Result<crate::domain::lifecycle::Document, Stopped> {
    lifecycle::referred(name, world).unwrap_or_else(|| {
        let message = format!("there is no LifecyclePolicy {name:?}: make one, or name another");
        let field = format!("{FIELD}.lifecyclePolicyRef.name");
        Err(Stopped::new(Reason::ReferenceNotFound, field, message))
    })
}
