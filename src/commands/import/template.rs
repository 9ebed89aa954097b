//! The creation template of a cache as `spec.repositoryTemplate` of its `PullThroughRule`: exactly, or
//! not at all.

use super::found::Found;
use super::lifecycle::Lifecycles;
use super::{access, repository};
use crate::api::pull_through_rule::RepositoryTemplate;
use crate::api::settings::EncryptionType;
use crate::domain::Registry;
use crate::domain::pull_through::Prefix;
use crate::domain::repository::Reading;
use crate::domain::template::{APPLIED_FOR, Observed};

/// What the template of a cache comes to.
pub(super) struct Template {
    pub(super) said: RepositoryTemplate,
    /// The role by which ECR makes the repositories.
    pub(super) role: Option<String>,
}

/// The template under this prefix, as the first region that has one shows it; `None`: none has.
///
/// # Errors
/// When `spec.repositoryTemplate` cannot say what it says.
pub(super) fn of(
    prefix: &Prefix,
    found: &Found,
    lifecycles: &mut Lifecycles,
) -> Result<Option<Template>, String> {
    let mut templates = found.templates.iter();
    let first = templates.find_map(|(registry, it)| Some((registry, it.get(prefix)?)));
    first
        .map(|(registry, it)| said(it, registry, lifecycles))
        .transpose()
}

fn said(
    observed: &Observed,
    registry: &Registry,
    lifecycles: &mut Lifecycles,
) -> Result<Template, String> {
    let Observed {
        prefix: _,
        description: _,
        applied_for,
        mutability,
        encryption,
        policy,
        lifecycle,
        tags,
        role,
    } = observed;
    if let Some(other) = applied_for.iter().find(|it| *it != APPLIED_FOR) {
        return Err(format!("it is for {other}, too"));
    }
    let encryption = repository::encryption(encryption)?;
    Ok(Template {
        said: RepositoryTemplate {
            image_tag_mutability: Some(repository::mutability(mutability)?),
            encryption: (encryption.type_ != EncryptionType::Aes256).then_some(encryption),
            access: present(policy)?
                .map(|it| access::of(it, registry))
                .transpose()?,
            lifecycle_policy_ref: present(lifecycle)?
                .map(|it| lifecycles.refer(it))
                .transpose()?,
            tags: repository::tags(tags),
        },
        role: role.clone(),
    })
}

fn present<T>(reading: &Reading<T>) -> Result<Option<&T>, String> {
    match reading {
        Reading::Present(it) => Ok(Some(it)),
        Reading::Absent | Reading::NotRead => Ok(None),
        Reading::Foreign(_) => Err("one of its documents cannot be read".to_owned()),
    }
}
