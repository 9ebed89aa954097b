//! What the registries of an environment have only one of, as `spec.registry` of its
//! `EnvironmentAccount`: what all its regions share, since that spec is the same in each of them. What
//! is there already satisfies who asks for it, so that nothing is put and nobody recorded as its owner.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::candidate::written;
use super::found::Found;
use super::manifest::Imported;
use super::review::Ask;
use crate::api::registry::{
    AccountSettings, RegistrySettings, Scanning, ScanningRule, Signing, SigningRule,
};
use crate::api::{EnvironmentAccount, Toggle};
use crate::desired::{self, Environment, World};
use crate::domain::registry::{Observed, Setting, plan, replicates, sid};
use crate::domain::repository::{self, Difference, Reading};
use crate::domain::{Registry, RepositoryName};

/// Rules as pairs: what a rule is of, and a filter of it.
type Pairs = BTreeSet<(String, String)>;

/// Takes up what the registries have and the environment does not say, if that changes nothing.
pub(super) fn add(ask: &Ask<'_>, found: &Found, world: &World, imported: &mut Imported) {
    let name = &ask.environment.name;
    let (Some(before), false) = (world.environment(name.as_str()), found.settings.is_empty())
    else {
        return;
    };
    let (shared, mut remarks) = shared(&found.settings);
    remarks.extend(statements(ask, before, &found.settings));
    remarks.extend(replicated_elsewhere(ask.environment, found));
    let mut object = EnvironmentAccount::clone(before);
    add_to(object.spec.registry.get_or_insert_default(), shared);
    match would_change(&object, before, (ask.environment, found), world) {
        Ok(None) if object.spec != before.spec => {
            let added = "there already; what its registries have is added to spec.registry";
            remarks.insert(0, added.to_owned());
            imported.environment = Some((written(object), remarks));
            return;
        }
        Ok(None) => {}
        Ok(Some(it)) => remarks.push(format!(
            "spec.registry stays as it is: it would change {}: {} -> {}",
            it.field, it.observed, it.desired
        )),
        Err(stopped) => remarks.push(format!("spec.registry stays as it is: {stopped}")),
    }
    for remark in remarks {
        imported.leave_out(format!("settings of the registries of {name}"), remark);
    }
}

/// Whether the rules that are there replicate a repository to every replica region; `None`: they do
/// not, or were not read.
pub(super) fn replication(
    name: &RepositoryName,
    environment: &Environment,
    found: &Found,
) -> Option<Toggle> {
    let rules = found
        .settings
        .get(environment.home())?
        .replication
        .as_ref()?;
    let replicas = &environment.registries[1..];
    let all = !replicas.is_empty() && replicas.iter().all(|it| replicates(rules, name, it));
    all.then_some(Toggle::Enabled)
}

/// The first thing that `object` would change in a registry, and `before` would not.
fn would_change(
    object: &EnvironmentAccount,
    before: &EnvironmentAccount,
    (environment, found): (&Environment, &Found),
    world: &World,
) -> Result<Option<Difference>, desired::Stopped> {
    let differences = |object: &EnvironmentAccount, registry: &Registry| {
        let mut desired = desired::registry(object, environment, registry, world)?;
        let seen = |it: &RepositoryName| {
            let known = found.repositories.get(it);
            known.map(|it| repository::Observed::clone(it))
        };
        desired.replication.of_ours(seen);
        let record = desired::recorded(object, registry);
        Ok(plan(&desired, &record, &found.settings[registry]).differences)
    };
    for registry in &environment.registries {
        let before = differences(before, registry)?;
        let mut after = differences(object, registry)?.into_iter();
        if let Some(it) = after.find(|it| !before.contains(it)) {
            return Ok(Some(it));
        }
    }
    Ok(None)
}

/// What all registries have, and what only some have, which is left to whoever made it.
fn shared(observed: &BTreeMap<Registry, Observed>) -> (RegistrySettings, Vec<String>) {
    let mut remarks = Vec::new();
    let mut left = |field: &str, what: &str, registry: &Registry| {
        let region = &registry.region;
        remarks.push(format!(
            "{field}: {what} in {region} is left unmanaged: other regions do not have it"
        ));
    };
    let scanning = of_all(observed, |_, it| {
        pairs(it.scanning.as_ref(), "scanFrequency")
    });
    for ((frequency, filter), registry) in &scanning.left {
        left("scanning.rules", &format!("{filter} {frequency}"), registry);
    }
    let types = of_all(observed, |_, it| {
        let is = it.scanning.as_ref().and_then(|it| it["scanType"].as_str());
        is.map(str::to_owned).into_iter().collect()
    });
    for (scan_type, registry) in &types.left {
        left("scanning.scanType", scan_type, registry);
    }
    let exclusions = of_all(observed, |_, it| it.exclusions.clone().unwrap_or_default());
    for (arn, registry) in &exclusions.left {
        left("pullTimeUpdateExclusions", arn, registry);
    }
    let settings = of_all(observed, |_, it| it.settings.clone().into_iter().collect());
    for ((setting, value), registry) in &settings.left {
        left("accountSettings", &format!("{setting} {value}"), registry);
    }
    // A profile signs in its own region, and the rules of all regions stand in one list.
    let signing = observed.iter().flat_map(|(registry, it)| {
        let of_region = move |(profile, _): &(String, String)| {
            profile.split(':').nth(3) == Some(registry.region.as_str())
        };
        let signing = match &it.signing {
            Some(Reading::Present(document)) => Some(document),
            _ => None,
        };
        pairs(signing, "signingProfileArn")
            .into_iter()
            .filter(of_region)
    });
    let scanning = Scanning {
        scan_type: types.shared.into_iter().find_map(|it| word(&it)),
        rules: rules(&scanning.shared, "scanFrequency"),
    };
    let settings = account(&settings.shared);
    let found = RegistrySettings {
        scanning: Some(scanning).filter(|it| *it != Scanning::default()),
        policy_statements: Vec::new(),
        account_settings: Some(settings).filter(|it| *it != AccountSettings::default()),
        pull_time_update_exclusions: exclusions.shared.into_iter().collect(),
        signing: signing_of(&signing.collect()),
    };
    (found, remarks)
}

/// What every registry has, and what only some have.
struct Shared<T> {
    shared: BTreeSet<T>,
    left: Vec<(T, Registry)>,
}

fn of_all<T: Clone + Ord>(
    observed: &BTreeMap<Registry, Observed>,
    of: impl Fn(&Registry, &Observed) -> BTreeSet<T>,
) -> Shared<T> {
    let sets = observed
        .iter()
        .map(|(registry, it)| (registry, of(registry, it)));
    let sets: Vec<(&Registry, BTreeSet<T>)> = sets.collect();
    let is_shared = |it: &T| sets.iter().all(|(_, set)| set.contains(it));
    let all = sets.iter().flat_map(|(registry, set)| {
        set.iter()
            .map(move |it| (it.clone(), Registry::clone(registry)))
    });
    let (shared, left): (Vec<_>, Vec<_>) = all.partition(|(it, _)| is_shared(it));
    Shared {
        shared: shared.into_iter().map(|(it, _)| it).collect(),
        left,
    }
}

/// The rules of a document. One without filters is about every repository, as `*` is.
fn pairs(document: Option<&Value>, key: &str) -> Pairs {
    let rules = document.and_then(|it| it["rules"].as_array());
    let of_rule = |rule: &Value| {
        let filters = rule["repositoryFilters"].as_array();
        let filters = filters.into_iter().flatten();
        let filters = filters.filter_map(|it| it["filter"].as_str());
        let mut filters: Vec<&str> = filters.collect();
        if filters.is_empty() {
            filters.push("*");
        }
        let key = rule[key].as_str().unwrap_or_default();
        let pair = |it: &&str| (key.to_owned(), (*it).to_owned());
        filters.iter().map(pair).collect::<Vec<_>>()
    };
    rules.into_iter().flatten().flat_map(of_rule).collect()
}

/// Rules of the spec, one for each key; those whose key the spec has no word for are left.
fn rules<T: DeserializeOwned>(pairs: &Pairs, key: &str) -> Vec<T> {
    let mut by_key: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (of, filter) in pairs {
        by_key.entry(of).or_default().push(filter);
    }
    let rules = by_key.into_iter();
    let rules = rules.map(|(of, filters)| json!({key: of, "repositoryFilters": filters}));
    rules
        .filter_map(|it| serde_json::from_value(it).ok())
        .collect()
}

/// A value as the spec has a word for it.
fn word<T: DeserializeOwned>(value: &str) -> Option<T> {
    serde_json::from_value(value.into()).ok()
}

fn account(settings: &BTreeSet<(Setting, String)>) -> AccountSettings {
    let mut said = AccountSettings::default();
    for (setting, value) in settings {
        match setting {
            Setting::BasicScanTypeVersion => said.basic_scan_type_version = word(value),
            Setting::RegistryPolicyScope => said.registry_policy_scope = word(value),
            Setting::BlobMounting => said.blob_mounting = word(value),
        }
    }
    said
}

fn signing_of(pairs: &Pairs) -> Option<Signing> {
    let rules: Vec<SigningRule> = rules(pairs, "signingProfileArn");
    (!rules.is_empty()).then_some(Signing { rules })
}

/// What is asked for already stays; what was found comes beside it.
fn add_to(asked: &mut RegistrySettings, found: RegistrySettings) {
    let RegistrySettings {
        scanning,
        policy_statements: _, // which are never found
        account_settings,
        pull_time_update_exclusions,
        signing,
    } = found;
    if let Some(Scanning { scan_type, rules }) = scanning {
        let scanning = asked.scanning.get_or_insert_default();
        scanning.scan_type = scanning.scan_type.or(scan_type);
        for rule in rules {
            add_rule(&mut scanning.rules, rule, |it: &mut ScanningRule| {
                (it.scan_frequency, &mut it.repository_filters)
            });
        }
    }
    if let Some(found) = account_settings {
        let settings = asked.account_settings.get_or_insert_default();
        let (version, scope) = (
            &mut settings.basic_scan_type_version,
            &mut settings.registry_policy_scope,
        );
        *version = version.or(found.basic_scan_type_version);
        *scope = scope.or(found.registry_policy_scope);
        settings.blob_mounting = settings.blob_mounting.or(found.blob_mounting);
    }
    let exclusions = &mut asked.pull_time_update_exclusions;
    let new = pull_time_update_exclusions.into_iter();
    let new: Vec<String> = new.filter(|it| !exclusions.contains(it)).collect();
    exclusions.extend(new);
    for rule in signing.into_iter().flat_map(|it| it.rules) {
        let rules = &mut asked.signing.get_or_insert_default().rules;
        add_rule(rules, rule, |it: &mut SigningRule| {
            (it.signing_profile_arn.clone(), &mut it.repository_filters)
        });
    }
}

/// Adds the filters of a rule to those of its key.
fn add_rule<T, K: PartialEq>(
    rules: &mut Vec<T>,
    mut rule: T,
    parts: impl Fn(&mut T) -> (K, &mut Vec<String>),
) {
    let (key, filters) = parts(&mut rule);
    let same = rules.iter_mut().find_map(|it| {
        let (of, filters) = parts(it);
        (of == key).then_some(filters)
    });
    match same {
        Some(there) => {
            let new = filters.drain(..).filter(|it| !there.contains(it));
            let new: Vec<String> = new.collect();
            there.extend(new);
        }
        None => rules.push(rule),
    }
}

/// The statements of registry policies that the environment does not ask for.
fn statements(
    ask: &Ask<'_>,
    object: &EnvironmentAccount,
    observed: &BTreeMap<Registry, Observed>,
) -> Vec<String> {
    let asked = object.spec.registry.iter();
    let asked = asked.flat_map(|it| &it.policy_statements);
    let asked: BTreeSet<String> = asked.map(|it| sid(ask.cluster, &it.sid)).collect();
    let of_registry = |(registry, it): (&Registry, &Observed)| {
        let Some(Reading::Present(text)) = &it.policy else {
            return None;
        };
        let document: Value = serde_json::from_str(text).unwrap_or_default();
        let statements = match &document["Statement"] {
            Value::Array(statements) => statements.iter().collect(),
            one => vec![one],
        };
        let sids = statements.iter().map(|it| it["Sid"].as_str());
        let theirs = sids.filter(|it| it.is_none_or(|it| !asked.contains(it)));
        let theirs: Vec<&str> = theirs.map(|it| it.unwrap_or("one without Sid")).collect();
        let (region, theirs_told) = (&registry.region, theirs.join(", "));
        (!theirs.is_empty()).then(|| {
            format!(
                "policyStatements: {theirs_told} in {region} is left unmanaged: a statement of the \
                 operator bears the mark of its cluster"
            )
        })
    };
    observed.iter().filter_map(of_registry).collect()
}

/// Where the home region replicates to that is no replica region of the environment.
fn replicated_elsewhere(environment: &Environment, found: &Found) -> Vec<String> {
    let home = found.settings.get(environment.home());
    let rules = home.and_then(|it| it.replication.as_ref()?["rules"].as_array());
    let destinations = rules.into_iter().flatten();
    let destinations = destinations.flat_map(|it| it["destinations"].as_array());
    let destinations = destinations.flatten().filter_map(|it| {
        let account = it["registryId"].as_str()?.parse().ok()?;
        Some(Registry::new(account, it["region"].as_str()?.parse().ok()?))
    });
    let destinations: BTreeSet<Registry> = destinations.collect();
    let told = destinations
        .iter()
        .filter(|it| !environment.registries.contains(it))
        .map(|it| {
            format!(
                "replication to {it} is left unmanaged: it is none of the environment's replicaRegions"
            )
        });
    told.collect()
}
