//! A registry that does what ECR does with each call, for laws: puts replace whole documents, and a
//! request with too much in it is refused.

use serde_json::{Value, json};

use super::*;

/// What a registry has one of, all of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct World {
    pub(super) replication: Value,
    pub(super) scanning: Value,
    pub(super) signing: Option<Value>,
    pub(super) policy: Option<String>,
    pub(super) settings: BTreeMap<Setting, String>,
    pub(super) exclusions: BTreeSet<String>,
}

impl World {
    pub(super) fn empty() -> Self {
        Self {
            replication: json!({"rules": []}),
            scanning: json!({"scanType": "BASIC", "rules": []}),
            signing: None,
            policy: None,
            settings: BTreeMap::from([
                (Setting::BasicScanTypeVersion, "AWS_NATIVE".to_owned()),
                (Setting::RegistryPolicyScope, "V2".to_owned()),
                (Setting::BlobMounting, "DISABLED".to_owned()),
            ]),
            exclusions: BTreeSet::new(),
        }
    }

    pub(super) fn observed(&self) -> Observed {
        fn reading<T>(it: Option<T>) -> Reading<T> {
            it.map_or(Reading::Absent, Reading::Present)
        }
        Observed {
            replication: Some(self.replication.clone()),
            scanning: Some(self.scanning.clone()),
            signing: Some(reading(self.signing.clone())),
            policy: Some(reading(self.policy.clone())),
            settings: self.settings.clone(),
            exclusions: Some(self.exclusions.clone()),
        }
    }

    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::PutReplicationConfiguration(it) => {
                assert!(it["rules"].as_array().unwrap().len() <= 10, "{it}");
                self.replication = it.clone();
            }
            Change::PutRegistryScanningConfiguration(it) => {
                assert!(it["rules"].as_array().unwrap().len() <= 2, "{it}");
                self.scanning = it.clone();
            }
            Change::PutSigningConfiguration(it) => self.signing = Some(it.clone()),
            Change::DeleteSigningConfiguration => self.signing = None,
            Change::PutRegistryPolicy(it) => self.policy = Some(it.clone()),
            Change::DeleteRegistryPolicy => self.policy = None,
            Change::PutAccountSetting(setting, value) => {
                self.settings.insert(*setting, (*value).to_owned());
            }
            Change::RegisterPullTimeUpdateExclusion(arn) => {
                self.exclusions.insert(arn.clone());
            }
            Change::DeregisterPullTimeUpdateExclusion(arn) => {
                self.exclusions.remove(arn);
            }
        }
    }
}

/// One who manages the registry, with what status has.
#[derive(Clone, Debug)]
pub(super) struct Manager {
    pub(super) desired: Desired,
    pub(super) record: Record,
}

impl Manager {
    /// One reconciliation: records what it will do, does it, and records what came of it.
    pub(super) fn reconcile(&mut self, world: &mut World) -> Plan {
        let plan = plan(&self.desired, &self.record, &world.observed());
        for change in &plan.changes {
            world.apply(change);
        }
        self.record = plan.record.clone();
        plan
    }
}

pub(super) const EU: &str = "333333333333/eu-west-1";
pub(super) const US: &str = "333333333333/us-west-2";

pub(super) fn destination(text: &str) -> Registry {
    let (account, region) = text.split_once('/').unwrap();
    Registry::new(account.parse().unwrap(), region.parse().unwrap())
}

pub(super) fn owner(name: &str) -> Owner {
    Owner {
        cluster: "east".parse().unwrap(),
        object: name.to_owned(),
        uid: "u1".to_owned(),
    }
}

pub(super) fn asked(names: &[&str]) -> BTreeMap<RepositoryName, Owner> {
    let asked = |it: &&str| (it.parse().unwrap(), owner(it));
    names.iter().map(asked).collect()
}

pub(super) fn statement(cluster: &str, name: &str, account: &str) -> (String, Statement) {
    use crate::domain::policy;
    let sid = sid(&cluster.parse().unwrap(), name);
    let statement = policy::Statement {
        sid: Some(sid.clone()),
        effect: policy::Effect::Allow,
        principals: BTreeSet::from([account.parse().unwrap()]),
        actions: BTreeSet::from(["ecr:ReplicateImage".parse().unwrap()]),
        conditions: Vec::new(),
    };
    let all = BTreeSet::from(["arn:aws:ecr:eu-central-1:333333333333:repository/*".to_owned()]);
    (sid, Statement::allowing(statement, &all).unwrap())
}
