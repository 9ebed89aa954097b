//! How an existing repository differs from what is desired, and the change that closes each
//! difference; found together, so that nothing is shown and not done, or done and not shown.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::release::{Holder, TagChanges};
use super::{
    Change, Desired, Difference, Encryption, MOST_TAGS, Observed, Plan, Reading, Refusal, Setting,
    tombstone,
};
use crate::domain::owner::{self, Ownership};
use crate::domain::{lifecycle, policy};

/// The plan for a repository that may be written. `tags` are those to hold, whosever they are.
pub(super) fn gap(desired: &Desired, observed: &Observed, tags: &BTreeMap<String, String>) -> Plan {
    let mut plan = Plan::default();
    let whose = plan.tags(desired, tags, &observed.tags);
    let policy = plan.end_is_cancelled(observed, tags);
    if let Some(encryption) = &desired.encryption
        && !encryption.is_met_by(&observed.encryption)
    {
        plan.differs("encryption", &observed.encryption, encryption);
        plan.refusals.push(Refusal::EncryptionImmutable);
    }
    if let Some(mutability) = &desired.mutability
        && *mutability != observed.mutability
    {
        plan.differs("imageTagMutability", &observed.mutability, mutability);
        plan.changes
            .push(Change::PutImageTagMutability(mutability.clone()));
    }
    if let Some(scan_on_push) = desired.scan_on_push
        && scan_on_push != observed.scan_on_push
    {
        plan.differs("scanOnPush", observed.scan_on_push, scan_on_push);
        plan.changes
            .push(Change::PutImageScanningConfiguration(scan_on_push));
    }
    match gone(&desired.policy, &policy) {
        Some(arns) => plan.principals_are_gone(arns),
        None => plan.document(&POLICY, &desired.policy, &policy),
    }
    plan.document(&LIFECYCLE, &desired.lifecycle, &observed.lifecycle);
    match whose {
        Whose::Ours => {}
        Whose::NotYetOurs => {
            plan.changes.clear();
            plan.held.clear();
        }
    }
    plan
}

/// The roles and users whose deletion is all that the policy differs by.
fn gone(
    desired: &Setting<policy::Document>,
    observed: &Reading<policy::Document>,
) -> Option<BTreeSet<String>> {
    match (desired, observed) {
        (Setting::Present(desired), Reading::Present(observed)) => observed.dangling(desired),
        _ => None,
    }
}

/// Whether the repository bears our owner tags once the plan's tags are put.
enum Whose {
    Ours,
    /// They do not fit, so nothing else may be written either.
    NotYetOurs,
}

/// A document of a repository: where it stands in the spec, and the calls that write it.
struct Kind<T> {
    field: &'static str,
    put: fn(T) -> Change,
    delete: Change,
    summary: fn(&T) -> String,
}

const POLICY: Kind<policy::Document> = Kind {
    field: "access",
    put: Change::SetRepositoryPolicy,
    delete: Change::DeleteRepositoryPolicy,
    summary: policy::Document::summary,
};

const LIFECYCLE: Kind<lifecycle::Document> = Kind {
    field: "lifecyclePolicyRef",
    put: Change::PutLifecyclePolicy,
    delete: Change::DeleteLifecyclePolicy,
    summary: lifecycle::Document::summary,
};

impl Plan {
    pub(super) fn differs(
        &mut self,
        field: &'static str,
        observed: impl fmt::Display,
        desired: impl fmt::Display,
    ) {
        self.differences.push(Difference {
            field,
            observed: observed.to_string(),
            desired: desired.to_string(),
        });
    }

    fn tags(
        &mut self,
        desired: &Desired,
        wanted: &BTreeMap<String, String>,
        found: &BTreeMap<String, String>,
    ) -> Whose {
        let put: BTreeMap<_, _> = wanted
            .iter()
            .filter(|(key, value)| found.get(*key) != Some(value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let is_owner_tag = |key: &String| owner::KEYS.contains(&key.as_str());
        let changes_owner = put.keys().any(is_owner_tag);
        if changes_owner {
            self.differs("owner", owner_in(found), owner_in(wanted));
        }
        for (key, value) in put.iter().filter(|(key, _)| !is_owner_tag(key)) {
            let observed = found
                .get(key)
                .map_or_else(|| format!("{key} absent"), |it| format!("{key}={it}"));
            self.differs("tags", observed, format_args!("{key}={value}"));
        }
        let mut taken = self.taken_tags(desired, found);
        if wanted.contains_key(owner::UID) {
            taken.extend(self.mark_of_release(found, changes_owner));
            if !tombstone::is_announced(found) {
                taken.extend(marks(found));
            }
        }
        let holder = match desired.owner.judge(found) {
            Ownership::Ours | Ownership::OursUnderAnotherUid => Holder::Ours,
            Ownership::Released => Holder::Released,
            Ownership::Unowned | Ownership::Foreign(_) => Holder::Unowned,
        };
        let tags = TagChanges { put, taken };
        let most = tags.most(found, holder);
        if most > MOST_TAGS && !tags.put.is_empty() {
            let (others, asked) = (most - wanted.len(), wanted.len());
            self.refusals.push(Refusal::TooManyTags { others, asked });
            return if changes_owner {
                Whose::NotYetOurs
            } else {
                Whose::Ours
            };
        }
        self.changes.extend(tags.calls(found, holder));
        Whose::Ours
    }

    /// The keys of a mark that the repository was released, which goes since it has an owner.
    fn mark_of_release(
        &mut self,
        found: &BTreeMap<String, String>,
        changes_owner: bool,
    ) -> BTreeSet<String> {
        let keys = owner::keys_of_release(found);
        if !keys.is_empty() && !changes_owner {
            self.differs("owner", owner_in(found), "no mark of a release");
        }
        keys
    }

    /// Since the object lives, a quarantine is lifted, and only then the marks of the end go: while it
    /// stands, the list shows them. Gives the policy as it is then.
    fn end_is_cancelled<'a>(
        &mut self,
        observed: &'a Observed,
        wanted: &BTreeMap<String, String>,
    ) -> Cow<'a, Reading<policy::Document>> {
        if !wanted.contains_key(owner::UID) {
            return Cow::Borrowed(&observed.policy); // nothing is written to it
        }
        if let Some(due) = observed.tags.get(owner::DELETE_AFTER) {
            self.differs(
                "owner",
                format_args!("none, deleted after {due}"),
                "an object",
            );
        }
        let policy = match observed.lifted() {
            policy::Lifted::AsItWas => Cow::Borrowed(&observed.policy),
            policy::Lifted::Nothing => Cow::Owned(Reading::Absent),
            policy::Lifted::Document(left) => Cow::Owned(Reading::Present(left)),
        };
        if let Some(lifting) = observed.lifting() {
            self.differs("owner", "none, under quarantine", "an object");
            self.changes.push(lifting);
        }
        if tombstone::is_announced(&observed.tags) {
            let marks = Change::UntagResource(marks(&observed.tags));
            self.changes.push(marks);
        }
        policy
    }

    /// The keys to take off: what this object once set.
    fn taken_tags(
        &mut self,
        desired: &Desired,
        found: &BTreeMap<String, String>,
    ) -> BTreeSet<String> {
        let retired: BTreeMap<_, _> = desired
            .retired_tags
            .iter()
            .filter(|key| !desired.tags.contains_key(*key) && !owner::is_reserved(key))
            .filter_map(|key| found.get_key_value(key))
            .collect();
        for (key, value) in &retired {
            self.differs(
                "tags",
                format_args!("{key}={value}"),
                format_args!("{key} absent"),
            );
        }
        retired.into_keys().cloned().collect()
    }

    fn principals_are_gone(&mut self, arns: BTreeSet<String>) {
        let named = arns
            .iter()
            .map(String::as_str)
            .collect::<Vec<_>>()
            .join(", ");
        self.differs("access", "unique ids of deleted principals", &named);
        self.refusals.push(Refusal::PrincipalsGone(arns));
    }

    fn document<T: Clone + Eq>(
        &mut self,
        kind: &Kind<T>,
        desired: &Setting<T>,
        observed: &Reading<T>,
    ) {
        let change = match (desired, observed) {
            (Setting::Unmanaged, _)
            | (Setting::Absent | Setting::Present(_), Reading::NotRead)
            | (Setting::Absent, Reading::Absent) => return,
            (Setting::Present(desired), Reading::Present(observed)) if desired == observed => {
                return;
            }
            (Setting::Present(desired), _) => (kind.put)(desired.clone()),
            (Setting::Absent, Reading::Present(_) | Reading::Foreign(_)) => kind.delete.clone(),
        };
        let observed = match observed {
            Reading::NotRead | Reading::Absent => "absent".to_owned(),
            Reading::Present(document) => (kind.summary)(document),
            Reading::Foreign(text) => format!("{} characters, not understood", text.len()),
        };
        let desired = match desired {
            Setting::Unmanaged | Setting::Absent => "absent".to_owned(),
            Setting::Present(document) => (kind.summary)(document),
        };
        self.differs(kind.field, observed, desired);
        self.changes.push(change);
    }
}

/// The keys of the marks of an end among `tags`.
fn marks(tags: &BTreeMap<String, String>) -> BTreeSet<String> {
    let marks = owner::MARKS.into_iter();
    let marks = marks.filter(|it| tags.contains_key(*it));
    marks.map(str::to_owned).collect()
}

/// Whom the owner tags among `tags` name, for people.
fn owner_in(tags: &BTreeMap<String, String>) -> String {
    let words: Vec<_> = owner::KEYS
        .iter()
        .filter_map(|key| Some((key.strip_prefix(owner::PREFIX)?, tags.get(*key)?)))
        .map(|(what, value)| format!("{what} {value}"))
        .collect();
    let owner = if words.is_empty() {
        "nobody".to_owned()
    } else {
        words.join(", ")
    };
    match tags.get(owner::RELEASED_BY) {
        Some(by) => format!("{owner}, released by {by}"),
        None => owner,
    }
}

impl Encryption {
    /// Whether an observed encryption is what was asked for. A request that names no key got the
    /// account's default one, of which ECR tells the ARN.
    pub(in crate::domain) fn is_met_by(&self, observed: &Self) -> bool {
        match (self, observed) {
            (Self::Kms(None), Self::Kms(_)) | (Self::KmsDsse(None), Self::KmsDsse(_)) => true,
            (desired, observed) => desired == observed,
        }
    }
}
