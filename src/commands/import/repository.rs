//! One repository as the settings of an `ImageRepository`. What they cannot say stays unmanaged, and
//! it is said why.

use std::collections::BTreeMap;

use super::access;
use super::lifecycle::Lifecycles;
use crate::api::ImageRepositorySpec;
use crate::api::environment_account::Defaults;
use crate::api::image_repository::Override;
use crate::api::settings::{
    Access, Encryption, EncryptionType, ImageTagMutability, MutabilityMode,
};
use crate::domain::repository::{self as domain, Mutability, Observed, Reading};
use crate::domain::{Registry, owner};

/// The settings of a repository in `registry`, and what they do not say. Where there is a default
/// in `defaults`, a setting is said even if it is ECR's own default.
pub(super) fn settings(
    observed: &Observed,
    registry: &Registry,
    defaults: Option<&Defaults>,
    lifecycles: &mut Lifecycles,
) -> (Override, Vec<String>) {
    let mut remarks = Vec::new();
    let mut unmanaged = |field: &str, why: &str| {
        remarks.push(format!("{field} is left unmanaged: {why}"));
    };
    let said = |it: &Encryption| {
        it.type_ != EncryptionType::Aes256 || defaults.is_some_and(|it| it.encryption.is_some())
    };
    let access = match &observed.policy {
        Reading::Present(document) => access::of(document, registry).map(Some),
        Reading::Absent | Reading::NotRead => {
            let default = defaults.and_then(|it| it.access.as_ref());
            Ok(default.map(|_| Access::default()))
        }
        Reading::Foreign(_) => Err("it cannot be read".to_owned()),
    };
    let lifecycle = match &observed.lifecycle {
        Reading::Present(document) => lifecycles.refer(document).map(Some),
        Reading::Absent | Reading::NotRead => Ok(None),
        Reading::Foreign(_) => Err("it cannot be read".to_owned()),
    };
    let over = Override {
        environment: String::new(),
        image_tag_mutability: mutability(&observed.mutability)
            .map_err(|it| unmanaged("imageTagMutability", &it))
            .ok(),
        encryption: encryption(&observed.encryption)
            .map_err(|it| unmanaged("encryption", &it))
            .ok()
            .filter(said),
        scan_on_push: Some(observed.scan_on_push),
        lifecycle_policy_ref: lifecycle
            .map_err(|it| unmanaged("lifecyclePolicyRef", &it))
            .unwrap_or_default(),
        access: access
            .map_err(|it| unmanaged("access", &it))
            .unwrap_or_default(),
        replication: None, // which the registry says
        tags: tags(&observed.tags),
    };
    (over, remarks)
}

/// The settings as an object's own.
pub(super) fn put_on(spec: &mut ImageRepositorySpec, settings: Override) {
    let Override {
        environment,
        image_tag_mutability,
        encryption,
        scan_on_push,
        lifecycle_policy_ref,
        access,
        replication,
        tags,
    } = settings;
    spec.environments = vec![environment];
    spec.image_tag_mutability = image_tag_mutability;
    spec.encryption = encryption;
    spec.scan_on_push = scan_on_push;
    spec.lifecycle_policy_ref = lifecycle_policy_ref;
    spec.access = access;
    spec.replication = replication;
    spec.tags = tags;
}

/// The settings as those of one environment more: what is the same is not said again.
pub(super) fn add_to(spec: &mut ImageRepositorySpec, settings: Override) {
    let Override {
        environment,
        image_tag_mutability,
        encryption,
        scan_on_push,
        lifecycle_policy_ref,
        mut access,
        replication,
        tags,
    } = settings;
    if spec.access.is_some() && access.is_none() {
        access = Some(Access::default()); // which asks for none
    }
    let over = Override {
        environment: environment.clone(),
        image_tag_mutability: other(image_tag_mutability, &spec.image_tag_mutability),
        encryption: other(encryption, &spec.encryption),
        scan_on_push: other(scan_on_push, &spec.scan_on_push),
        lifecycle_policy_ref: other(lifecycle_policy_ref, &spec.lifecycle_policy_ref),
        access: other(access, &spec.access),
        replication: other(replication, &spec.replication),
        tags: if tags == spec.tags {
            BTreeMap::new()
        } else {
            tags
        },
    };
    let nothing = Override {
        environment: environment.clone(),
        ..Override::default()
    };
    spec.environments.push(environment);
    if over != nothing {
        spec.overrides.push(over);
    }
}

fn other<T: PartialEq>(setting: Option<T>, same: &Option<T>) -> Option<T> {
    setting.filter(|it| Some(it) != same.as_ref())
}

pub(super) fn mutability(observed: &Mutability) -> Result<ImageTagMutability, String> {
    let (mode, filters) = match observed {
        Mutability::Mutable => (MutabilityMode::Mutable, None),
        Mutability::Immutable => (MutabilityMode::Immutable, None),
        Mutability::MutableExcept(filters) => (MutabilityMode::MutableWithExclusion, Some(filters)),
        Mutability::ImmutableExcept(filters) => {
            (MutabilityMode::ImmutableWithExclusion, Some(filters))
        }
        Mutability::Other(mode) => return Err(format!("{mode} is not known to this program")),
    };
    Ok(ImageTagMutability {
        mode,
        exclusion_filters: filters.into_iter().flatten().cloned().collect(),
    })
}

pub(super) fn encryption(observed: &domain::Encryption) -> Result<Encryption, String> {
    let (type_, key) = match observed {
        domain::Encryption::Aes256 => (EncryptionType::Aes256, None),
        domain::Encryption::Kms(key) => (EncryptionType::Kms, key.clone()),
        domain::Encryption::KmsDsse(key) => (EncryptionType::KmsDsse, key.clone()),
        domain::Encryption::Other(kind) => {
            return Err(format!("{kind} is not known to this program"));
        }
    };
    Ok(Encryption {
        type_,
        kms_key: key,
    })
}

/// All but those that AWS writes, and ours.
pub(super) fn tags(observed: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let tags = observed.iter().filter(|(key, _)| !owner::is_reserved(key));
    tags.map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests;
