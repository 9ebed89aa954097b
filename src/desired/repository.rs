//! What an `ImageRepository` asks of each of its environments.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;

use super::settings::{self, Said};
use super::world::{object_name, repository_name, seniority};
use super::{
    Environment, Stopped, Target, World, caches, environment, grants, principals, registry,
};
use crate::api::conditions::Reason;
use crate::api::environment_account::Defaults;
use crate::api::image_repository::{
    AdoptionPolicy, Document, ImageRepositorySpec, LifecycleRecord, Override, RepositoryRecord,
};
use crate::api::settings::LifecyclePolicyRef;
use crate::api::targets::TargetKey;
use crate::api::{EnvironmentAccount, ImageRepository, ManagementPolicy};
use crate::domain::owner::Owner;
use crate::domain::repository::{Adoption, Desired, Management, Setting};
use crate::domain::{Registry, RepositoryName, lifecycle, policy};

/// One answer per environment that the object names: the repository as it should be there, or why
/// nothing is done. It lives in the environment's home region.
pub fn repository(object: &ImageRepository, world: &World) -> Vec<Result<Target, Stopped>> {
    let named: BTreeSet<&String> = object.spec.environments.iter().collect();
    if named.is_empty() {
        let message = "name at least one EnvironmentAccount";
        return vec![Err(Stopped::invalid("spec.environments", message))];
    }
    let target = |name: &String| target(object, name, world).map_err(|it| it.in_environment(name));
    named.into_iter().map(target).collect()
}

/// The name that the object may use in `account`: valid, granted to its namespace, asked for by no
/// older object that may use it too, and not a name that an older cache gives to images.
pub(super) fn granted_name(
    object: &ImageRepository,
    account: &EnvironmentAccount,
    world: &World,
) -> Result<RepositoryName, Stopped> {
    const FIELD: &str = "spec.repositoryName";
    let name: RepositoryName = repository_name(object)
        .parse()
        .map_err(|it| Stopped::invalid(FIELD, it))?;
    let may = |it: &ImageRepository| {
        grants::repository(account, &it.namespace().unwrap_or_default(), &name, world)
    };
    let environment = account.name_any();
    if !may(object) {
        let message = format!(
            "EnvironmentAccount {environment} grants {name} to no namespace like {}: add a grant \
             to it, or choose another repositoryName",
            object.namespace().unwrap_or_default()
        );
        return Err(Stopped::new(Reason::NotGranted, FIELD, message));
    }
    let older = world.claimants(name.as_str()).iter().filter(|it| {
        seniority(&***it) < seniority(object) && it.spec.environments.contains(&environment)
    });
    match older.map(|it| &**it).find(|it| may(it)) {
        Some(first) => {
            let first = object_name(first);
            let message = format!(
                "the older ImageRepository {first} asks for {name} in {environment} too: remove \
                 one of the two, or choose another repositoryName"
            );
            Err(Stopped::new(Reason::Conflict, FIELD, message))
        }
        None => {
            caches::check_repository(object, &name, account, world)?;
            Ok(name)
        }
    }
}

/// The repository as it should be in the environment `name`.
pub(super) fn target(
    object: &ImageRepository,
    name: &str,
    world: &World,
) -> Result<Target, Stopped> {
    let (account, environment) = usable(name, world)?;
    let repository = granted_name(object, account, world)?;
    if object.spec.suspend {
        let message = "nothing is read or written until spec.suspend is false";
        return Err(Stopped::new(Reason::Suspended, "spec.suspend", message));
    }
    check_recorded(object, environment, &repository)?;
    let layers = Layers::of(object, account);
    Ok(Target {
        environment: environment.name.clone(),
        registry: environment.home().clone(),
        desired: desired(object, repository, environment, &layers, world)?,
        replicas: registry::replicas(object, environment),
    })
}

/// An environment that `spec.environments` names, if it may be called.
pub(super) fn usable<'a>(
    name: &str,
    world: &'a World,
) -> Result<(&'a EnvironmentAccount, &'a Environment), Stopped> {
    let found = world
        .environment(name)
        .zip(environment::usable(name, world));
    let (account, environment) = found.ok_or_else(|| {
        let message = format!("there is no EnvironmentAccount {name:?}: make one, or take it out");
        Stopped::new(Reason::EnvironmentNotFound, "spec.environments", message)
    })?;
    Ok((account, environment?))
}

fn desired(
    object: &ImageRepository,
    name: RepositoryName,
    environment: &Environment,
    layers: &Layers<'_>,
    world: &World,
) -> Result<Desired, Stopped> {
    let registry = environment.home();
    let record = record(object, environment, &registry.repository_arn(&name));
    let put = |it: Document| record.documents.contains(&it);
    let mutability = layers.said(
        "imageTagMutability",
        |it| it.image_tag_mutability.as_ref(),
        |it| it.image_tag_mutability.as_ref(),
        |it| it.image_tag_mutability.as_ref(),
    );
    let encryption = layers.said(
        "encryption",
        |it| it.encryption.as_ref(),
        |it| it.encryption.as_ref(),
        |it| it.encryption.as_ref(),
    );
    let scan = layers.said(
        "scanOnPush",
        |it| it.scan_on_push.as_ref(),
        |it| it.scan_on_push.as_ref(),
        |_| None,
    );
    let lifecycle = or_absent(layers.lifecycle(world)?, put(Document::LifecyclePolicy));
    let tags = layers.tags()?;
    let retired = record
        .tag_keys
        .into_iter()
        .filter(|it| !tags.contains_key(it));
    Ok(Desired {
        name,
        owner: owner(object, world),
        management: management(object, environment),
        adoption: match object.spec.adoption_policy {
            AdoptionPolicy::Never => Adoption::Never,
            AdoptionPolicy::IfUnowned => Adoption::IfUnowned,
        },
        mutability: mutability.as_ref().map(settings::mutability).transpose()?,
        scan_on_push: scan.map(|it| *it.value),
        encryption: encryption
            .map(|it| settings::encryption(&it, registry))
            .transpose()?,
        policy: or_absent(
            layers.policy(registry, world)?,
            put(Document::RepositoryPolicy),
        ),
        safety: layers.safety(&lifecycle, record.lifecycle, world),
        lifecycle,
        retired_tags: retired.collect(),
        tags,
    })
}

fn management(object: &ImageRepository, environment: &Environment) -> Management {
    match (object.spec.management_policy, environment.management) {
        (ManagementPolicy::Manage, Management::Manage) => Management::Manage,
        (ManagementPolicy::Observe, _) | (_, Management::Observe) => Management::Observe,
    }
}

pub(super) fn owner(object: &ImageRepository, world: &World) -> Owner {
    Owner {
        cluster: world.cluster().clone(),
        object: object_name(object),
        uid: object.uid().unwrap_or_default(),
    }
}

/// Sees that what is recorded under the environment's name is not another account's: it would be
/// forgotten.
fn check_recorded(
    object: &ImageRepository,
    environment: &Environment,
    name: &RepositoryName,
) -> Result<(), Stopped> {
    let home = environment.home();
    let row = object.target(&TargetKey::new(&environment.name, &home.region));
    let recorded = row.filter(|it| it.record.is_some());
    let recorded = recorded.and_then(|it| it.arn.as_deref());
    match recorded.filter(|it| *it != home.repository_arn(name)) {
        None => Ok(()),
        Some(other) => {
            let environment = &environment.name;
            let message = format!(
                "status records {other}, of the account that EnvironmentAccount {environment} was \
                 for before: take {environment} out until that is released, and keep an \
                 EnvironmentAccount for its account till then"
            );
            Err(Stopped::new(Reason::Conflict, "spec.environments", message))
        }
    }
}

/// What status says that we put on the repository of this ARN, if need be through an environment that
/// had another name.
fn record(object: &ImageRepository, environment: &Environment, arn: &str) -> RepositoryRecord {
    let key = TargetKey::new(&environment.name, &environment.home().region);
    let here = object.target(&key).and_then(|it| it.record.as_ref());
    let elsewhere = || {
        let mut rows = object.status.iter().flat_map(|it| &it.targets);
        rows.find(|it| it.arn.as_deref() == Some(arn))?
            .record
            .as_ref()
    };
    here.or_else(elsewhere).cloned().unwrap_or_default()
}

/// The places that can say a setting of a repository in one environment, the strongest first.
struct Layers<'a> {
    environment: String,
    over: Option<(usize, &'a Override)>,
    spec: &'a ImageRepositorySpec,
    account: &'a EnvironmentAccount,
    defaults: Option<&'a Defaults>,
}

impl<'a> Layers<'a> {
    fn of(object: &'a ImageRepository, account: &'a EnvironmentAccount) -> Self {
        let environment = account.name_any();
        let mut overrides = object.spec.overrides.iter().enumerate();
        Self {
            over: overrides.find(|(_, it)| it.environment == environment),
            spec: &object.spec,
            account,
            defaults: account.spec.defaults.as_ref(),
            environment,
        }
    }

    /// The strongest that says anything about `field`.
    fn said<T>(
        &self,
        field: &str,
        of_override: impl Fn(&'a Override) -> Option<&'a T>,
        of_spec: impl Fn(&'a ImageRepositorySpec) -> Option<&'a T>,
        of_defaults: impl Fn(&'a Defaults) -> Option<&'a T>,
    ) -> Option<Said<'a, T>> {
        let said = |value, field| Said { value, field };
        let over = self.over.and_then(|(i, it)| {
            Some(said(
                of_override(it)?,
                format!("spec.overrides[{i}].{field}"),
            ))
        });
        let spec = || Some(said(of_spec(self.spec)?, format!("spec.{field}")));
        let defaults = || {
            let field = format!(
                "EnvironmentAccount {} spec.defaults.{field}",
                self.environment
            );
            Some(said(of_defaults(self.defaults?)?, field))
        };
        over.or_else(spec).or_else(defaults)
    }

    fn policy(
        &self,
        registry: &Registry,
        world: &World,
    ) -> Result<Setting<policy::Document>, Stopped> {
        let said = self.said(
            "access",
            |it| it.access.as_ref(),
            |it| it.access.as_ref(),
            |it| it.access.as_ref(),
        );
        let Some(said) = said else {
            return Ok(Setting::Unmanaged);
        };
        let policy = settings::access(&said, registry)?;
        if let Setting::Present(document) = &policy {
            principals::check(&document.admits(), &said.field, self.account, world)?;
        }
        Ok(policy)
    }

    fn lifecycle_ref(&self) -> Option<Said<'_, LifecyclePolicyRef>> {
        self.said(
            "lifecyclePolicyRef",
            |it| it.lifecycle_policy_ref.as_ref(),
            |it| it.lifecycle_policy_ref.as_ref(),
            |it| it.lifecycle_policy_ref.as_ref(),
        )
    }

    /// How far the lifecycle policy may go; of none there is nothing to say.
    fn safety(
        &self,
        lifecycle: &Setting<lifecycle::Document>,
        record: Option<LifecycleRecord>,
        world: &World,
    ) -> lifecycle::Safety {
        let policy = self.lifecycle_ref();
        let policy = policy.and_then(|it| world.lifecycle(&it.value.name));
        match (policy, lifecycle) {
            (Some(policy), Setting::Present(document)) => {
                super::lifecycle::safety(policy, document, record)
            }
            (_, Setting::Present(_) | Setting::Absent | Setting::Unmanaged) => {
                lifecycle::Safety::default()
            }
        }
    }

    fn lifecycle(&self, world: &World) -> Result<Setting<lifecycle::Document>, Stopped> {
        let Some(Said { value, field }) = self.lifecycle_ref() else {
            return Ok(Setting::Unmanaged);
        };
        let name = &value.name;
        let document = super::lifecycle::referred(name, world).ok_or_else(|| {
            let message =
                format!("there is no LifecyclePolicy {name:?}: make one, or name another");
            Stopped::new(Reason::ReferenceNotFound, format!("{field}.name"), message)
        })?;
        document.map(Setting::Present)
    }

    /// The environment's tags, and over them the override's, or without any the object's.
    fn tags(&self) -> Result<BTreeMap<String, String>, Stopped> {
        let over = self.over.filter(|(_, it)| !it.tags.is_empty());
        let (own, field) = match over {
            Some((i, it)) => (&it.tags, format!("spec.overrides[{i}].tags")),
            None => (&self.spec.tags, "spec.tags".to_owned()),
        };
        let mut tags = self.defaults.map(|it| it.tags.clone()).unwrap_or_default();
        tags.extend(own.clone());
        settings::check_tags(&tags, &field)?;
        Ok(tags)
    }
}

/// What we put there and nobody asks for any more is to go.
fn or_absent<T>(setting: Setting<T>, put: bool) -> Setting<T> {
    match setting {
        Setting::Unmanaged if put => Setting::Absent,
        Setting::Unmanaged | Setting::Absent | Setting::Present(_) => setting,
    }
}

#[cfg(test)]
mod tests;
