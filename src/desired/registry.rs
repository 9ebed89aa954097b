//! What everybody asks of a registry as a whole: its environment, and the repositories that are to
//! be replicated.

use std::collections::{BTreeMap, BTreeSet};

use super::settings::{self, Said};
use super::world::repository_name;
use super::{Environment, Stopped, World, principals, repository};
use crate::api::conditions::Reason;
use crate::api::registry::{
    AccountSettings, BasicScanTypeVersion, BlobMounting, FilterRecord, RegistryPolicyScope,
    RegistryRecord, RegistrySettings, RegistryStatement, ScanFrequency, ScanType, Scanning,
    Signing,
};
use crate::api::{EnvironmentAccount, ImageRepository, Toggle};
use crate::domain::Registry;
use crate::domain::registry::{Desired, Record, Replication, Rules, Setting, Statement, sid};
use crate::domain::repository::Management;

/// Our part of what `registry`, one of the environment's, has only one of. Replication is of the home
/// region, where repositories are made; all else is the same in every region.
pub fn registry(
    object: &EnvironmentAccount,
    environment: &Environment,
    registry: &Registry,
    world: &World,
) -> Result<Desired, Stopped> {
    let mut desired = Desired::nothing(environment.management);
    if registry == environment.home() {
        desired.replication = replication(environment, world);
    }
    if let Some(asked) = &object.spec.registry {
        let of_place = |it: Stopped| it.in_region(&registry.region);
        let place = Place {
            account: object,
            environment,
            registry,
        };
        add(&mut desired, asked, &place, world).map_err(of_place)?;
    }
    Ok(desired)
}

/// A registry that is no longer the environment's, and has something that it put there.
pub enum LeftRegistry {
    /// No environment has it now.
    Nobodys(Registry),
    /// Another has it, which alone may write to it.
    Anothers(Registry, Stopped),
}

/// Registries that are no longer the environment's, and have something that it put there.
pub fn left(
    object: &EnvironmentAccount,
    environment: &Environment,
    world: &World,
) -> impl Iterator<Item = LeftRegistry> {
    let recorded = object.status.iter().flat_map(|it| &it.registries);
    let recorded = recorded.filter(|it| it.record.is_some());
    recorded
        .filter_map(|it| it.region.parse().ok())
        .map(|region| Registry::new(environment.account.clone(), region))
        .filter(|it| !environment.registries.contains(it))
        .map(|registry| match world.registries().get(&registry) {
            None => LeftRegistry::Nobodys(registry),
            Some(other) => {
                let message = format!(
                    "{registry} is EnvironmentAccount {other}'s now, which alone writes to it: \
                     what this one put there stays, until it is in no EnvironmentAccount or in \
                     this one again"
                );
                let field = "spec.replicaRegions";
                let stopped = Stopped::new(Reason::Conflict, field, message);
                LeftRegistry::Anothers(registry, stopped)
            }
        })
}

/// What status says is ours in `registry`.
pub fn recorded(object: &EnvironmentAccount, registry: &Registry) -> Record {
    let mut registries = object.status.iter().flat_map(|it| &it.registries);
    let shown = registries.find(|it| it.region == registry.region.as_str());
    let Some(record) = shown.and_then(|it| it.record.as_ref()) else {
        return Record::default();
    };
    let RegistryRecord {
        replication,
        scanning,
        signing,
        policy_sids,
        pull_time_update_exclusions,
    } = record;
    Record {
        replication: filters_of(replication),
        scanning: filters_of(scanning),
        signing: filters_of(signing),
        sids: policy_sids.iter().cloned().collect(),
        exclusions: pull_time_update_exclusions.iter().cloned().collect(),
    }
}

fn filters_of(recorded: &[FilterRecord]) -> Rules {
    let rules = recorded.iter();
    rules
        .map(|it| (it.of.clone(), it.filters.iter().cloned().collect()))
        .collect()
}

/// One registry of an environment, and the object that declares it.
struct Place<'a> {
    account: &'a EnvironmentAccount,
    environment: &'a Environment,
    registry: &'a Registry,
}

/// Where the images of `object` are to go from the home region of `environment`; `None` where it does
/// not ask.
pub(super) fn replicas(
    object: &ImageRepository,
    environment: &Environment,
) -> Option<BTreeSet<Registry>> {
    asks(object, environment.name.as_str())
        .then(|| environment.registries[1..].iter().cloned().collect())
}

fn asks(object: &ImageRepository, environment: &str) -> bool {
    let spec = &object.spec;
    let over = spec
        .overrides
        .iter()
        .find(|it| it.environment == environment);
    let said = over.and_then(|it| it.replication).or(spec.replication);
    said == Some(Toggle::Enabled)
}

fn replication(environment: &Environment, world: &World) -> Replication {
    let name = environment.name.as_str();
    let mut all = Replication {
        destinations: environment.registries[1..].iter().cloned().collect(),
        ..Replication::default()
    };
    let asking = world
        .repositories_in(name)
        .filter(|it| it.metadata.deletion_timestamp.is_none() && asks(it, name));
    for object in asking {
        match repository::target(object, name, world) {
            Ok(target) if target.desired.management == Management::Manage => {
                let desired = target.desired;
                all.wanted.insert(desired.name, desired.owner);
            }
            // Suspended, waiting, wrong or only looking: nobody said that it is to end.
            Ok(_) | Err(_) => all.kept.extend(repository_name(object).parse()),
        }
    }
    all
}

fn add(
    desired: &mut Desired,
    asked: &RegistrySettings,
    place: &Place<'_>,
    world: &World,
) -> Result<(), Stopped> {
    let RegistrySettings {
        scanning,
        policy_statements,
        account_settings,
        pull_time_update_exclusions,
        signing,
    } = asked;
    if let Some(asked) = scanning {
        add_scanning(desired, asked)?;
    }
    for (i, statement) in policy_statements.iter().enumerate() {
        let field = format!("spec.registry.policyStatements[{i}]");
        let said = Said {
            value: statement,
            field,
        };
        let sid = sid(world.cluster(), &statement.sid);
        let statement = allowing(&said, &sid, place.registry)?;
        let who = format!("{}.principals", said.field);
        principals::check(&statement.admits(), &who, place.account, world)?;
        if desired.statements.insert(sid, statement).is_some() {
            let message = "there is one of this name already: choose another";
            return Err(Stopped::invalid(format!("{}.sid", said.field), message));
        }
    }
    if let Some(asked) = account_settings {
        desired.settings = account(asked);
    }
    desired.exclusions = pull_time_update_exclusions.iter().cloned().collect();
    if let Some(asked) = signing {
        desired.signing = signed(asked, place)?;
    }
    Ok(())
}

fn add_scanning(desired: &mut Desired, asked: &Scanning) -> Result<(), Stopped> {
    let Scanning { scan_type, rules } = asked;
    desired.scan_type = scan_type.map(|it| match it {
        ScanType::Basic => "BASIC",
        ScanType::Enhanced => "ENHANCED",
    });
    for (i, rule) in rules.iter().enumerate() {
        let field = format!("spec.registry.scanning.rules[{i}].scanFrequency");
        let mismatch = match (scan_type, rule.scan_frequency) {
            (Some(ScanType::Basic), ScanFrequency::ContinuousScan) => Some("ENHANCED"),
            (Some(ScanType::Enhanced), ScanFrequency::Manual) => Some("BASIC"),
            _ => None,
        };
        if let Some(other) = mismatch {
            let message = format!("this goes with scanType {other}: change one of the two");
            return Err(Stopped::invalid(field, message));
        }
        let frequency = match rule.scan_frequency {
            ScanFrequency::ScanOnPush => "SCAN_ON_PUSH",
            ScanFrequency::ContinuousScan => "CONTINUOUS_SCAN",
            ScanFrequency::Manual => "MANUAL",
        };
        let filters = desired.scanning.entry(frequency.to_owned()).or_default();
        filters.extend(rule.repository_filters.iter().cloned());
    }
    Ok(())
}

fn allowing(
    said: &Said<'_, RegistryStatement>,
    sid: &str,
    registry: &Registry,
) -> Result<Statement, Stopped> {
    let Said { value, field } = said;
    let resources: BTreeSet<String> = if value.repositories.is_empty() {
        BTreeSet::from([registry.repositories_arn("*")])
    } else {
        let arn = |it: &String| registry.repositories_arn(it);
        value.repositories.iter().map(arn).collect()
    };
    let statement = settings::registry_statement(said, sid)?;
    Statement::allowing(statement, &resources).map_err(|it| Stopped::invalid(field, it))
}

fn account(asked: &AccountSettings) -> BTreeMap<Setting, &'static str> {
    let AccountSettings {
        basic_scan_type_version,
        registry_policy_scope,
        blob_mounting,
    } = asked;
    let version = basic_scan_type_version.map(|it| match it {
        BasicScanTypeVersion::AwsNative => (Setting::BasicScanTypeVersion, "AWS_NATIVE"),
    });
    let scope = registry_policy_scope.map(|it| match it {
        RegistryPolicyScope::V2 => (Setting::RegistryPolicyScope, "V2"),
    });
    let mounting = blob_mounting.map(|it| match it {
        BlobMounting::Enabled => (Setting::BlobMounting, "ENABLED"),
        BlobMounting::Disabled => (Setting::BlobMounting, "DISABLED"),
    });
    [version, scope, mounting].into_iter().flatten().collect()
}

/// A profile signs in its own region: the others' rules are those of other registries.
fn signed(asked: &Signing, place: &Place<'_>) -> Result<Rules, Stopped> {
    let mut rules = Rules::new();
    for (i, rule) in asked.rules.iter().enumerate() {
        let arn = &rule.signing_profile_arn;
        let region = arn.split(':').nth(3).unwrap_or_default();
        let mut registries = place.environment.registries.iter();
        if !registries.any(|it| it.region.as_str() == region) {
            let field = format!("spec.registry.signing.rules[{i}].signingProfileArn");
            let message = format!(
                "the profile is in {region}, which is no region of the environment: name one in \
                 region or replicaRegions"
            );
            return Err(Stopped::invalid(field, message));
        }
        if region == place.registry.region.as_str() {
            let filters = rules.entry(arn.clone()).or_default();
            filters.extend(rule.repository_filters.iter().cloned());
        }
    }
    Ok(rules)
}

#[cfg(test)]
mod tests;
