//! What a registry has only one of for everybody: replication, scanning and signing configuration,
//! registry policy, account settings, pull-time exclusions. A plan adds our part to what is there and
//! takes out what is recorded as ours and no longer wanted. Entries of others, and fields that this
//! program does not know, stay as they are: the documents are JSON here, as ECR sent them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::owner::{Owner, Ownership};
use super::repository::{self, Management, Reading};
use super::{Registry, RepositoryName};

mod filters;
mod plan;
mod replication;
mod scanning;
mod statements;

pub use plan::{Change, Plan, Refusal, plan};
pub use replication::{also_replicated, replicates};
pub use statements::{Statement, sid};

/// Filters of rules, by what the rules are of: for replication the destinations, for scanning the
/// frequency, for signing the profile.
pub type Rules = BTreeMap<String, BTreeSet<String>>;

/// Our part of everything that one registry has only one of. What is empty or `None` is not managed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Desired {
    /// Whether anything may be written at all.
    pub management: Management,
    /// Which repositories are replicated, and where to.
    pub replication: Replication,
    /// `BASIC` or `ENHANCED`.
    pub scan_type: Option<&'static str>,
    /// Filters by scan frequency.
    pub scanning: Rules,
    /// Statements of the registry policy, by the sid that they have there.
    pub statements: BTreeMap<String, Statement>,
    /// The values of account settings.
    pub settings: BTreeMap<Setting, &'static str>,
    /// Principals whose pulls do not count.
    pub exclusions: BTreeSet<String>,
    /// Filters by signing profile.
    pub signing: Rules,
}

/// Which repositories of a registry are replicated, and where to. The destinations are registries of
/// the same account, so no registry policy has to let them in: that is asked for between accounts
/// only. <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions-create-replication.html>
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Replication {
    /// Where to.
    pub destinations: BTreeSet<Registry>,
    /// The repositories, with who asks for each.
    pub wanted: BTreeMap<RepositoryName, Owner>,
    /// Repositories that stay as they are, replicated or not: their objects cannot be read, or are
    /// suspended.
    pub kept: BTreeSet<RepositoryName>,
}

/// A setting of the account in one region, as ECR names it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Setting {
    /// Who scans with scan type `BASIC`.
    BasicScanTypeVersion,
    /// What the registry policy is asked about.
    RegistryPolicyScope,
    /// Whether layers are taken over from other repositories.
    BlobMounting,
}

/// What a registry has one of, and what has to be read to plan it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// The replication configuration.
    Replication,
    /// The scanning configuration.
    Scanning,
    /// The signing configuration.
    Signing,
    /// The registry policy.
    Policy,
    /// One account setting.
    Setting(Setting),
    /// The pull-time update exclusions.
    Exclusions,
}

/// The parts that were read. `None`, and what is not in `settings`, was not.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Observed {
    /// The replication configuration: an object with `rules`.
    pub replication: Option<Value>,
    /// The scanning configuration: an object with `scanType` and `rules`.
    pub scanning: Option<Value>,
    /// The signing configuration: an object with `rules`; never [`Reading::Foreign`].
    pub signing: Option<Reading<Value>>,
    /// The text of the registry policy; never [`Reading::Foreign`].
    pub policy: Option<Reading<String>>,
    /// Account settings.
    pub settings: BTreeMap<Setting, String>,
    /// Principals whose pulls do not count.
    pub exclusions: Option<BTreeSet<String>>,
}

/// What we put, as status says: nothing else is ever taken out.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Record {
    /// Filters of replication rules.
    pub replication: Rules,
    /// Filters of scanning rules.
    pub scanning: Rules,
    /// Filters of signing rules.
    pub signing: Rules,
    /// Sids of the registry policy.
    pub sids: BTreeSet<String>,
    /// Exclusions.
    pub exclusions: BTreeSet<String>,
}

impl Desired {
    /// No part of ours in anything: what is left when a registry is nobody's any more.
    pub fn nothing(management: Management) -> Self {
        Self {
            management,
            replication: Replication::default(),
            scan_type: None,
            scanning: Rules::new(),
            statements: BTreeMap::new(),
            settings: BTreeMap::new(),
            exclusions: BTreeSet::new(),
            signing: Rules::new(),
        }
    }

    /// What has to be read: what we want a part in, and what we are recorded to have a part in.
    pub fn parts(&self, record: &Record) -> BTreeSet<Part> {
        let Self {
            management: _,
            replication,
            scan_type,
            scanning,
            statements,
            settings,
            exclusions,
            signing,
        } = self;
        let concerned = [
            (
                Part::Replication,
                !replication.wanted.is_empty() || !record.replication.is_empty(),
            ),
            (
                Part::Scanning,
                scan_type.is_some() || !scanning.is_empty() || !record.scanning.is_empty(),
            ),
            (
                Part::Signing,
                !signing.is_empty() || !record.signing.is_empty(),
            ),
            (
                Part::Policy,
                !statements.is_empty() || !record.sids.is_empty(),
            ),
            (
                Part::Exclusions,
                !exclusions.is_empty() || !record.exclusions.is_empty(),
            ),
        ];
        let concerned = concerned.into_iter().filter(|(_, concerned)| *concerned);
        concerned
            .map(|(part, _)| part)
            .chain(settings.keys().copied().map(Part::Setting))
            .collect()
    }
}

impl Replication {
    /// Leaves alone what `seen` says belongs to somebody else: to replicate a repository is to write
    /// to it. One that is not there yet is about to be made by who asks.
    pub fn of_ours(&mut self, seen: impl Fn(&RepositoryName) -> Option<repository::Observed>) {
        let is_ours = |name: &RepositoryName, owner: &Owner| {
            seen(name).is_none_or(|it| match owner.judge(&it.tags) {
                Ownership::Ours | Ownership::OursUnderAnotherUid => true,
                Ownership::Unowned | Ownership::Released | Ownership::Foreign(_) => false,
            })
        };
        self.wanted.retain(|name, owner| {
            let ours = is_ours(name, owner);
            if !ours {
                self.kept.insert(name.clone());
            }
            ours
        });
    }
}

impl Record {
    /// Whether we put anything.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether all that `other` says was put is here, too.
    pub fn covers(&self, other: &Self) -> bool {
        let covers = |ours: &Rules, theirs: &Rules| {
            theirs
                .iter()
                .all(|(key, it)| ours.get(key).is_some_and(|ours| it.is_subset(ours)))
        };
        covers(&self.replication, &other.replication)
            && covers(&self.scanning, &other.scanning)
            && covers(&self.signing, &other.signing)
            && other.sids.is_subset(&self.sids)
            && other.exclusions.is_subset(&self.exclusions)
    }
}

impl Setting {
    /// ECR's name for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BasicScanTypeVersion => "BASIC_SCAN_TYPE_VERSION",
            Self::RegistryPolicyScope => "REGISTRY_POLICY_SCOPE",
            Self::BlobMounting => "BLOB_MOUNTING",
        }
    }

    /// The field of the spec.
    fn field(self) -> &'static str {
        match self {
            Self::BasicScanTypeVersion => "registry.accountSettings.basicScanTypeVersion",
            Self::RegistryPolicyScope => "registry.accountSettings.registryPolicyScope",
            Self::BlobMounting => "registry.accountSettings.blobMounting",
        }
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
