//! From what is desired of a registry, what was put there before and what is there, to the calls
//! that close the gap. Every quota is counted before the call, with what others have in it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::filters::{Merged, Shape, TooMany};
use super::{Desired, Observed, Part, Record, Rules, Setting, replication, scanning, statements};
use crate::domain::repository::{Difference, Management, Reading};

/// The most pull-time update exclusions of a registry.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_RegisterPullTimeUpdateExclusion.html>
const MOST_EXCLUSIONS: usize = 100;

/// What to do about one registry, what was refused, how it differs from what is desired, and what
/// status has to say about it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// The calls to make. Empty when in step, observing or refused.
    pub changes: Vec<Change>,
    /// What is desired and cannot or must not be done, for a person to read.
    pub refusals: Vec<Refusal>,
    /// Everything that is not as desired, whether or not a change closes it.
    pub differences: Vec<Difference>,
    /// What is ours before, between and after the calls: recorded before the first.
    pub intent: Record,
    /// What is ours when all calls are made.
    pub record: Record,
}

/// One AWS call.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Put the whole replication configuration.
    PutReplicationConfiguration(Value),
    /// Put the whole scanning configuration.
    PutRegistryScanningConfiguration(Value),
    /// Put the whole signing configuration.
    PutSigningConfiguration(Value),
    /// Take the signing configuration off: nothing is left in it.
    DeleteSigningConfiguration,
    /// Put the whole registry policy.
    PutRegistryPolicy(String),
    /// Take the registry policy off: nothing is left in it.
    DeleteRegistryPolicy,
    /// Put one account setting.
    PutAccountSetting(Setting, &'static str),
    /// Let a principal's pulls not count.
    RegisterPullTimeUpdateExclusion(String),
    /// Let them count again.
    DeregisterPullTimeUpdateExclusion(String),
}

/// Something desired that is not done, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// It would take more than ECR allows.
    #[error(
        "{field}: with those of others there would be {would_be} {what}, and ECR allows {most}: \
         ask for less, or take out what others no longer need"
    )]
    TooMany {
        /// The field of the spec.
        field: &'static str,
        /// What there is too much of.
        what: &'static str,
        /// How much there would be.
        would_be: usize,
        /// How much ECR allows.
        most: usize,
    },
    /// A rule does not go with the scan type of the registry.
    #[error(
        "registry.scanning: a rule of frequency {frequency} does not go with scan type \
         {scan_type}: change scanType, or take the rule out, whoever made it"
    )]
    ForeignFrequency {
        /// The rule's.
        frequency: &'static str,
        /// The registry's.
        scan_type: String,
    },
    /// What is there is of another form than this program knows, so it is not rewritten.
    #[error("{0}: what is there cannot be read, so that nothing is written over it")]
    Unreadable(&'static str),
}

impl Change {
    /// The call's name.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::PutReplicationConfiguration(_) => "PutReplicationConfiguration",
            Self::PutRegistryScanningConfiguration(_) => "PutRegistryScanningConfiguration",
            Self::PutSigningConfiguration(_) => "PutSigningConfiguration",
            Self::DeleteSigningConfiguration => "DeleteSigningConfiguration",
            Self::PutRegistryPolicy(_) => "PutRegistryPolicy",
            Self::DeleteRegistryPolicy => "DeleteRegistryPolicy",
            Self::PutAccountSetting(..) => "PutAccountSetting",
            Self::RegisterPullTimeUpdateExclusion(_) => "RegisterPullTimeUpdateExclusion",
            Self::DeregisterPullTimeUpdateExclusion(_) => "DeregisterPullTimeUpdateExclusion",
        }
    }

    /// The part that it changes, which is to be read again after it.
    pub fn part(&self) -> Part {
        match self {
            Self::PutReplicationConfiguration(_) => Part::Replication,
            Self::PutRegistryScanningConfiguration(_) => Part::Scanning,
            Self::PutSigningConfiguration(_) | Self::DeleteSigningConfiguration => Part::Signing,
            Self::PutRegistryPolicy(_) | Self::DeleteRegistryPolicy => Part::Policy,
            Self::PutAccountSetting(setting, _) => Part::Setting(*setting),
            Self::RegisterPullTimeUpdateExclusion(_)
            | Self::DeregisterPullTimeUpdateExclusion(_) => Part::Exclusions,
        }
    }
}

/// What to do about one registry. A part that was not read is left alone.
pub fn plan(desired: &Desired, record: &Record, observed: &Observed) -> Plan {
    let mut plan = Plan {
        intent: record.clone(),
        record: record.clone(),
        ..Plan::default()
    };
    plan.replication(desired, record, observed);
    plan.scanning(desired, record, observed);
    plan.signing(desired, record, observed);
    plan.policy(desired, record, observed);
    plan.settings(desired, observed);
    plan.exclusions(desired, record, observed);
    if desired.management == Management::Observe {
        plan.changes.clear();
        plan.refusals.clear();
        (plan.intent, plan.record) = (record.clone(), record.clone());
    }
    plan
}

impl Plan {
    fn replication(&mut self, desired: &Desired, record: &Record, observed: &Observed) {
        let Some(document) = &observed.replication else {
            return;
        };
        let wanted = replication::wanted(&desired.replication);
        let is_kept = |filter: &str| desired.replication.kept.contains(filter);
        let (shape, ours) = (&replication::SHAPE, &record.replication);
        let Some(merged) = self.merged(shape, document, (&wanted, ours), is_kept) else {
            return;
        };
        if merged.changed {
            let document = with_rules(document, &merged.rules);
            self.changes
                .push(Change::PutReplicationConfiguration(document));
        }
        self.intent.replication = merged.intent;
        self.record.replication = merged.record;
    }

    fn scanning(&mut self, desired: &Desired, record: &Record, observed: &Observed) {
        let Some(document) = &observed.scanning else {
            return;
        };
        let wanted = (&desired.scanning, &record.scanning);
        let Some(merged) = self.merged(&scanning::SCANNING, document, wanted, |_| false) else {
            return;
        };
        let is = document["scanType"].as_str().unwrap_or("BASIC");
        let scan_type = desired.scan_type.unwrap_or(is);
        if scan_type != is {
            let field = "registry.scanning.scanType";
            self.differs(field, is, scan_type);
        }
        let foreign = scanning::foreign_frequency(scan_type);
        let rule_of = |it: &str| merged.rules.iter().any(|rule| rule["scanFrequency"] == it);
        if let Some(frequency) = foreign.filter(|it| rule_of(it)) {
            let scan_type = scan_type.to_owned();
            self.refusals.push(Refusal::ForeignFrequency {
                frequency,
                scan_type,
            });
            return;
        }
        if merged.changed || scan_type != is {
            let mut document = with_rules(document, &merged.rules);
            document["scanType"] = json!(scan_type);
            self.changes
                .push(Change::PutRegistryScanningConfiguration(document));
        }
        self.intent.scanning = merged.intent;
        self.record.scanning = merged.record;
    }

    fn signing(&mut self, desired: &Desired, record: &Record, observed: &Observed) {
        let document = match &observed.signing {
            None | Some(Reading::NotRead) => return,
            Some(Reading::Present(document)) => document.clone(),
            Some(Reading::Absent | Reading::Foreign(_)) => json!({}),
        };
        let wanted = (&desired.signing, &record.signing);
        let Some(merged) = self.merged(&scanning::SIGNING, &document, wanted, |_| false) else {
            return;
        };
        if merged.changed {
            self.changes.push(if merged.rules.is_empty() {
                Change::DeleteSigningConfiguration
            } else {
                Change::PutSigningConfiguration(with_rules(&document, &merged.rules))
            });
        }
        self.intent.signing = merged.intent;
        self.record.signing = merged.record;
    }

    /// The document's rules with ours in them; `None` where they cannot be read. Says what differs
    /// and what is refused.
    fn merged(
        &mut self,
        shape: &Shape,
        document: &Value,
        (wanted, record): (&Rules, &Rules),
        is_kept: impl Fn(&str) -> bool,
    ) -> Option<Merged> {
        let Some(rules) = shape.rules(document) else {
            self.refusals.push(Refusal::Unreadable(shape.field));
            return None;
        };
        let mut merged = shape.merge(&rules, wanted, record, is_kept);
        self.differences.append(&mut merged.differences);
        if let Some(TooMany {
            what,
            would_be,
            most,
        }) = merged.refused
        {
            self.refusals.push(Refusal::TooMany {
                field: shape.field,
                what,
                would_be,
                most,
            });
        }
        Some(merged)
    }

    fn policy(&mut self, desired: &Desired, record: &Record, observed: &Observed) {
        let Some(text) = &observed.policy else {
            return;
        };
        let Some(merged) = statements::merge(text, &desired.statements, &record.sids) else {
            self.refusals.push(Refusal::Unreadable(statements::FIELD));
            return;
        };
        self.differences.extend(merged.differences);
        let length = merged.text.as_ref().map_or(0, |it| it.chars().count());
        if length > statements::LONGEST {
            self.refusals.push(Refusal::TooMany {
                field: statements::FIELD,
                what: "characters",
                would_be: length,
                most: statements::LONGEST,
            });
            return;
        }
        if merged.changed {
            self.changes.push(match merged.text {
                Some(text) => Change::PutRegistryPolicy(text),
                None => Change::DeleteRegistryPolicy,
            });
        }
        self.intent.sids = record.sids.union(&merged.sids).cloned().collect();
        self.record.sids = merged.sids;
    }

    fn settings(&mut self, desired: &Desired, observed: &Observed) {
        for (setting, value) in &desired.settings {
            match observed.settings.get(setting) {
                Some(is) if is != value => {
                    self.differs(setting.field(), is, value);
                    let change = Change::PutAccountSetting(*setting, value);
                    self.changes.push(change);
                }
                Some(_) | None => {}
            }
        }
    }

    fn exclusions(&mut self, desired: &Desired, record: &Record, observed: &Observed) {
        const FIELD: &str = "registry.pullTimeUpdateExclusions";
        let Some(is) = &observed.exclusions else {
            return;
        };
        let (wanted, ours) = (&desired.exclusions, &record.exclusions);
        let added: BTreeSet<String> = wanted.difference(is).cloned().collect();
        let retired = ours.difference(wanted).filter(|it| is.contains(*it));
        let retired: BTreeSet<String> = retired.cloned().collect();
        for arn in &retired {
            self.differs(FIELD, arn, "absent");
            let change = Change::DeregisterPullTimeUpdateExclusion(arn.clone());
            self.changes.push(change);
        }
        for arn in &added {
            self.differs(FIELD, "absent", arn);
        }
        let would_be = is.len() + added.len() - retired.len();
        let mut record: BTreeSet<String> = ours
            .iter()
            .filter(|it| wanted.contains(*it) && is.contains(*it))
            .cloned()
            .collect();
        if would_be > MOST_EXCLUSIONS && !added.is_empty() {
            self.refusals.push(Refusal::TooMany {
                field: FIELD,
                what: "exclusions",
                would_be,
                most: MOST_EXCLUSIONS,
            });
        } else {
            let register = added.iter().cloned();
            self.changes
                .extend(register.map(Change::RegisterPullTimeUpdateExclusion));
            record.extend(added);
        }
        self.intent.exclusions = ours.union(&record).cloned().collect();
        self.record.exclusions = record;
    }

    fn differs(&mut self, field: &'static str, observed: &str, desired: &str) {
        self.differences.push(Difference {
            field,
            observed: observed.to_owned(),
            desired: desired.to_owned(),
        });
    }
}

/// The document with other rules in it, and every other field as it was.
fn with_rules(document: &Value, rules: &[Value]) -> Value {
    let mut document = document.clone();
    document["rules"] = json!(rules);
    document
}
