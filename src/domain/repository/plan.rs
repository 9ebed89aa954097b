//! From desired and observed to the calls that close the gap. One [`Change`] is one AWS call, named
//! as AWS names it; what may not be done is a [`Refusal`], and what is not equal a [`Difference`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{
    Adoption, Desired, Encryption, Management, Mutability, Observed, Reading, Setting, lifecycle,
    policy,
};
use crate::domain::owner::{Foreign, KEYS, Ownership};

/// What to do about one repository, what was refused, and how it differs from what is desired.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// The calls to make, in order. Empty when in step, observing or refused.
    pub changes: Vec<Change>,
    /// What is desired and cannot or must not be done, for a person to read.
    pub refusals: Vec<Refusal>,
    /// Every managed field that is not as desired, whether or not a change closes it.
    pub differences: Vec<Difference>,
}

/// One AWS call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Make the repository, with all that the call takes.
    CreateRepository(Create),
    /// Set mutability and its exclusion filters together.
    PutImageTagMutability(Mutability),
    /// Set scan on push.
    PutImageScanningConfiguration(bool),
    /// Put the repository policy.
    SetRepositoryPolicy(policy::Document),
    /// Take the repository policy off.
    DeleteRepositoryPolicy,
    /// Put the lifecycle policy.
    PutLifecyclePolicy(lifecycle::Document),
    /// Take the lifecycle policy off.
    DeleteLifecyclePolicy,
    /// Add tags, or change their values.
    TagResource(BTreeMap<String, String>),
    /// Remove tags by key.
    UntagResource(BTreeSet<String>),
    /// Delete the repository if ECR finds it empty; never with `force`.
    DeleteRepository,
}

/// What `CreateRepository` takes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Create {
    /// Tag mutability; `None` leaves ECR's default, mutable.
    pub mutability: Option<Mutability>,
    /// Scan on push; `None` leaves ECR's default, off.
    pub scan_on_push: Option<bool>,
    /// Encryption; `None` leaves ECR's default, AES256.
    pub encryption: Option<Encryption>,
    /// Resource tags, the owner tags among them: tags at creation are atomic with it.
    pub tags: BTreeMap<String, String>,
}

/// Something desired that is not done, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Refusal {
    /// The repository exists, bears no owner tag, and adoption was not asked for.
    NotAdopted,
    /// The repository bears somebody else's owner tag.
    OwnedByAnother(Foreign),
    /// ECR keeps a repository's encryption for life.
    EncryptionImmutable,
    /// Observe mode, and there is no such repository.
    Missing,
}

/// One managed field that is not as desired.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Difference {
    /// The field, as the resource's spec names it.
    pub field: &'static str,
    /// What was observed.
    pub observed: String,
    /// What is desired.
    pub desired: String,
}

/// What to do about a repository, given what was observed of it (`None`: it does not exist).
pub fn plan(desired: &Desired, observed: Option<&Observed>) -> Plan {
    let Some(observed) = observed else {
        return create(desired);
    };
    let differing = Differing::between(desired, observed);
    let refusals = refusals(desired, observed, &differing);
    let held = desired.management == Management::Observe
        || refusals.iter().any(|it| match it {
            Refusal::NotAdopted | Refusal::OwnedByAnother(_) | Refusal::Missing => true,
            Refusal::EncryptionImmutable => false, // the rest of the fields can still be kept
        });
    let changes = if held {
        Vec::new()
    } else {
        differing.changes(desired)
    };
    Plan {
        changes,
        refusals,
        differences: differing.differences,
    }
}

fn create(desired: &Desired) -> Plan {
    let absent = Difference {
        field: "repositoryName",
        observed: "absent".to_owned(),
        desired: desired.name.to_string(),
    };
    if desired.management == Management::Observe {
        let refusals = vec![Refusal::Missing];
        return Plan {
            changes: Vec::new(),
            refusals,
            differences: vec![absent],
        };
    }
    let mut changes = vec![Change::CreateRepository(Create {
        mutability: desired.mutability.clone(),
        scan_on_push: desired.scan_on_push,
        encryption: desired.encryption.clone(),
        tags: desired.all_tags(),
    })];
    changes.extend(match &desired.policy {
        Setting::Present(document) => Some(Change::SetRepositoryPolicy(document.clone())),
        Setting::Absent | Setting::Unmanaged => None,
    });
    changes.extend(match &desired.lifecycle {
        Setting::Present(document) => Some(Change::PutLifecyclePolicy(document.clone())),
        Setting::Absent | Setting::Unmanaged => None,
    });
    Plan {
        changes,
        refusals: Vec::new(),
        differences: vec![absent],
    }
}

fn refusals(desired: &Desired, observed: &Observed, differing: &Differing) -> Vec<Refusal> {
    let mut refusals = Vec::new();
    if desired.management == Management::Manage {
        match (desired.owner.judge(&observed.tags), desired.adoption) {
            (Ownership::Ours | Ownership::OursUnderAnotherUid, _)
            | (Ownership::Unowned, Adoption::IfUnowned) => {}
            (Ownership::Unowned, Adoption::Never) => refusals.push(Refusal::NotAdopted),
            (Ownership::Foreign(owner), _) => refusals.push(Refusal::OwnedByAnother(owner)),
        }
    }
    if differing.encryption {
        refusals.push(Refusal::EncryptionImmutable);
    }
    refusals
}

/// Which managed fields differ, decided once for the differences and for the changes.
#[derive(Default)]
struct Differing {
    differences: Vec<Difference>,
    mutability: bool,
    scan_on_push: bool,
    encryption: bool,
    policy: bool,
    lifecycle: bool,
    tags: BTreeMap<String, String>,
    untag: BTreeSet<String>,
}

impl Differing {
    fn between(desired: &Desired, observed: &Observed) -> Self {
        let mut it = Self::default();
        if let Some(mutability) = desired.mutability.as_ref() {
            it.mutability = it.differs(
                "imageTagMutability",
                observed.mutability.to_string(),
                mutability,
            );
        }
        if let Some(scan_on_push) = desired.scan_on_push {
            it.scan_on_push = it.differs(
                "scanOnPush",
                observed.scan_on_push.to_string(),
                &scan_on_push,
            );
        }
        if let Some(encryption) = desired.encryption.as_ref()
            && !encryption.is_met_by(&observed.encryption)
        {
            it.encryption = it.differs("encryption", observed.encryption.to_string(), encryption);
        }
        it.policy = it.document("access", &desired.policy, &observed.policy);
        it.lifecycle = it.document(
            "lifecyclePolicyRef",
            &desired.lifecycle,
            &observed.lifecycle,
        );
        it.tags(desired, observed);
        it
    }

    fn differs(
        &mut self,
        field: &'static str,
        observed: String,
        desired: &impl fmt::Display,
    ) -> bool {
        let desired = desired.to_string();
        let differs = observed != desired;
        if differs {
            self.differences.push(Difference {
                field,
                observed,
                desired,
            });
        }
        differs
    }

    fn document<T: Eq + fmt::Display>(
        &mut self,
        field: &'static str,
        desired: &Setting<T>,
        observed: &Reading<T>,
    ) -> bool {
        let is_as_desired = match (desired, observed) {
            (Setting::Unmanaged, _)
            | (Setting::Absent | Setting::Present(_), Reading::NotRead)
            | (Setting::Absent, Reading::Absent) => true,
            (Setting::Present(desired), Reading::Present(observed)) => desired == observed,
            (Setting::Absent, Reading::Present(_) | Reading::Foreign(_))
            | (Setting::Present(_), Reading::Absent | Reading::Foreign(_)) => false,
        };
        if !is_as_desired {
            let (observed, desired) = (observed.to_string(), desired.to_string());
            self.differences.push(Difference {
                field,
                observed,
                desired,
            });
        }
        !is_as_desired
    }

    fn tags(&mut self, desired: &Desired, observed: &Observed) {
        let wanted = match desired.management {
            Management::Manage => desired.all_tags(),
            Management::Observe => desired.tags.clone(), // the owner tags are another cluster's
        };
        for (key, value) in wanted {
            if observed.tags.get(&key) == Some(&value) {
                continue;
            }
            let found = observed.tags.get(&key).map_or("absent", String::as_str);
            self.differences.push(Difference {
                field: "tags",
                observed: format!("{key}={found}"),
                desired: format!("{key}={value}"),
            });
            self.tags.insert(key, value);
        }
        for key in desired
            .retired_tags
            .iter()
            .filter(|it| observed.tags.contains_key(*it))
        {
            if desired.tags.contains_key(key) || KEYS.contains(&key.as_str()) {
                continue;
            }
            self.differences.push(Difference {
                field: "tags",
                observed: key.clone(),
                desired: format!("{key}=absent"),
            });
            self.untag.insert(key.clone());
        }
    }

    fn changes(&self, desired: &Desired) -> Vec<Change> {
        let mut changes = Vec::new();
        // The owner tags go first: a crash after any later call leaves a repository that is ours.
        if !self.tags.is_empty() {
            changes.push(Change::TagResource(self.tags.clone()));
        }
        if !self.untag.is_empty() {
            changes.push(Change::UntagResource(self.untag.clone()));
        }
        if let Some(mutability) = desired.mutability.as_ref().filter(|_| self.mutability) {
            changes.push(Change::PutImageTagMutability(mutability.clone()));
        }
        if let Some(scan_on_push) = desired.scan_on_push.filter(|_| self.scan_on_push) {
            changes.push(Change::PutImageScanningConfiguration(scan_on_push));
        }
        changes.extend(match &desired.policy {
            Setting::Present(document) if self.policy => {
                Some(Change::SetRepositoryPolicy(document.clone()))
            }
            Setting::Absent if self.policy => Some(Change::DeleteRepositoryPolicy),
            Setting::Present(_) | Setting::Absent | Setting::Unmanaged => None,
        });
        changes.extend(match &desired.lifecycle {
            Setting::Present(document) if self.lifecycle => {
                Some(Change::PutLifecyclePolicy(document.clone()))
            }
            Setting::Absent if self.lifecycle => Some(Change::DeleteLifecyclePolicy),
            Setting::Present(_) | Setting::Absent | Setting::Unmanaged => None,
        });
        changes
    }
}

impl Desired {
    /// The tags to hold: the user's, and the owner tags over them.
    pub fn all_tags(&self) -> BTreeMap<String, String> {
        let mut tags = self.tags.clone();
        tags.extend(self.owner.tags());
        tags
    }
}

impl Encryption {
    /// Whether an observed encryption is what was asked for. A KMS request that names no key is
    /// met by any key, since ECR answers with the ARN of the account's default key.
    fn is_met_by(&self, observed: &Self) -> bool {
        match (self, observed) {
            (Self::Kms(None), Self::Kms(_)) | (Self::KmsDsse(None), Self::KmsDsse(_)) => true,
            (desired, observed) => desired == observed,
        }
    }
}

impl fmt::Display for Mutability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let join = |it: &BTreeSet<String>| it.iter().cloned().collect::<Vec<_>>().join(", ");
        match self {
            Self::Mutable => f.write_str("MUTABLE"),
            Self::Immutable => f.write_str("IMMUTABLE"),
            Self::MutableExcept(filters) => {
                write!(f, "MUTABLE_WITH_EXCLUSION ({})", join(filters))
            }
            Self::ImmutableExcept(filters) => {
                write!(f, "IMMUTABLE_WITH_EXCLUSION ({})", join(filters))
            }
            Self::Other(mode) => f.write_str(mode),
        }
    }
}

impl fmt::Display for Encryption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, key) = match self {
            Self::Aes256 => ("AES256", &None),
            Self::Kms(key) => ("KMS", key),
            Self::KmsDsse(key) => ("KMS_DSSE", key),
            Self::Other(kind) => (kind.as_str(), &None),
        };
        f.write_str(name)?;
        key.as_ref().map_or(Ok(()), |key| write!(f, " ({key})"))
    }
}

impl<T: fmt::Display> fmt::Display for Setting<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unmanaged => f.write_str("unmanaged"),
            Self::Absent => f.write_str("absent"),
            Self::Present(document) => document.fmt(f),
        }
    }
}

impl<T: fmt::Display> fmt::Display for Reading<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotRead => f.write_str("not read"),
            Self::Absent => f.write_str("absent"),
            Self::Present(document) => document.fmt(f),
            Self::Foreign(text) => f.write_str(text),
        }
    }
}
