//! How an existing repository differs from what is desired, and the change that closes each
//! difference; found together, so that nothing is shown and not done, or done and not shown.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::{Change, Desired, Difference, Encryption, Observed, Plan, Reading, Refusal, Setting};
use crate::domain::{lifecycle, owner, policy};

/// The plan for a repository that may be written. `tags` are those to hold, whosever they are.
pub(super) fn gap(desired: &Desired, observed: &Observed, tags: &BTreeMap<String, String>) -> Plan {
    let mut plan = Plan::default();
    // The owner tags go first: a crash after any later call leaves a repository that is ours.
    plan.tags(tags, &observed.tags);
    plan.retired_tags(desired, &observed.tags);
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
    match gone(&desired.policy, &observed.policy) {
        Some(arns) => plan.principals_are_gone(arns),
        None => plan.document(&POLICY, &desired.policy, &observed.policy),
    }
    plan.document(&LIFECYCLE, &desired.lifecycle, &observed.lifecycle);
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

    fn tags(&mut self, wanted: &BTreeMap<String, String>, found: &BTreeMap<String, String>) {
        let put: BTreeMap<_, _> = wanted
            .iter()
            .filter(|(key, value)| found.get(*key) != Some(value))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        let is_owner_tag = |key: &String| owner::KEYS.contains(&key.as_str());
        if put.keys().any(is_owner_tag) {
            self.differs("owner", owner_in(found), owner_in(wanted));
        }
        for (key, value) in put.iter().filter(|(key, _)| !is_owner_tag(key)) {
            let observed = found
                .get(key)
                .map_or_else(|| format!("{key} absent"), |it| format!("{key}={it}"));
            self.differs("tags", observed, format_args!("{key}={value}"));
        }
        if !put.is_empty() {
            self.changes.push(Change::TagResource(put));
        }
    }

    fn retired_tags(&mut self, desired: &Desired, found: &BTreeMap<String, String>) {
        let retired: BTreeSet<_> = desired
            .retired_tags
            .iter()
            .filter(|key| !desired.tags.contains_key(*key) && !key.starts_with(owner::PREFIX))
            .filter_map(|key| found.get_key_value(key))
            .collect();
        for (key, value) in &retired {
            self.differs(
                "tags",
                format_args!("{key}={value}"),
                format_args!("{key} absent"),
            );
        }
        if !retired.is_empty() {
            let keys = retired.into_iter().map(|(key, _)| key.clone());
            self.changes.push(Change::UntagResource(keys.collect()));
        }
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

/// Whom the owner tags among `tags` name, for people.
fn owner_in(tags: &BTreeMap<String, String>) -> String {
    let words: Vec<_> = owner::KEYS
        .iter()
        .filter_map(|key| Some((key.strip_prefix(owner::PREFIX)?, tags.get(*key)?)))
        .map(|(what, value)| format!("{what} {value}"))
        .collect();
    if words.is_empty() {
        "nobody".to_owned()
    } else {
        words.join(", ")
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
