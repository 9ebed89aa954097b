//! What a registry has only one of: read part by part, kept as last read, and written one call at a
//! time. The configurations travel as raw JSON, since others have a part in them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_sdk_ecr::types::{ReplicationConfiguration, SigningConfiguration};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::error::{Error, ErrorKind};
use super::limiter::Priority;
use super::operation::Operation;
use super::raw::{Answered, Body};
use super::registry::{Registry, found};
use crate::domain::registry::{Change, Observed, Part, Setting, replicates};
use crate::domain::repository::Reading;
use crate::domain::{self, RepositoryName};

/// AWS's largest page of `ListPullTimeUpdateExclusions`.
const EXCLUSIONS_A_PAGE: i32 = 100;

/// The parts of one registry that were read, and when.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<BTreeMap<Part, (Found, Instant)>>);

/// One part, as read.
#[derive(Clone, Debug, PartialEq)]
enum Found {
    Replication(Value),
    Scanning(Value),
    Signing(Reading<Value>),
    Policy(Reading<String>),
    Setting(Setting, String),
    Exclusions(BTreeSet<String>),
}

impl Registry {
    /// The parts as last read; those that never were are read now, and all others are forgotten.
    pub async fn settings(&self, parts: &BTreeSet<Part>) -> Result<Observed, Error> {
        let known: BTreeSet<Part> = {
            let mut known = self.memory.settings.lock();
            known.retain(|part, _| parts.contains(part));
            known.keys().copied().collect()
        };
        let unknown: Vec<Part> = parts.difference(&known).copied().collect();
        self.read_settings(&unknown).await?;
        Ok(self.known_settings())
    }

    /// The parts as last read. No call is made.
    pub fn known_settings(&self) -> Observed {
        let mut observed = Observed::default();
        for (found, _) in self.memory.settings.lock().values() {
            match found.clone() {
                Found::Replication(it) => observed.replication = Some(it),
                Found::Scanning(it) => observed.scanning = Some(it),
                Found::Signing(it) => observed.signing = Some(it),
                Found::Policy(it) => observed.policy = Some(it),
                Found::Setting(setting, it) => drop(observed.settings.insert(setting, it)),
                Found::Exclusions(it) => observed.exclusions = Some(it),
            }
        }
        observed
    }

    /// Whether the rules that were last read replicate this repository to `destination`; `None`: they
    /// were not read. No call is made.
    pub fn replicates(
        &self,
        name: &RepositoryName,
        destination: &domain::Registry,
    ) -> Option<bool> {
        match self.memory.settings.lock().get(&Part::Replication)? {
            (Found::Replication(rules), _) => Some(replicates(rules, name, destination)),
            _ => None,
        }
    }

    /// Reads all parts again that were ever asked for, documents and settings only if they are older
    /// than `documents`; tells whether any is another than it was.
    pub async fn refresh_settings(&self, documents: Duration) -> Result<Drift, Error> {
        let now = Instant::now();
        let is_due = |part: &Part, read: Instant| match part {
            Part::Replication | Part::Scanning | Part::Signing | Part::Exclusions => true,
            Part::Policy | Part::Setting(_) => now - read >= documents,
        };
        let due: Vec<Part> = {
            let known = self.memory.settings.lock();
            let due = known.iter().filter(|(part, (_, read))| is_due(part, *read));
            due.map(|(part, _)| *part).collect()
        };
        let before = self.known_settings();
        self.read_settings(&due).await?;
        Ok(if self.known_settings() == before {
            Drift::None
        } else {
            Drift::Some
        })
    }

    /// Reads these parts anew.
    pub async fn read_settings(&self, parts: &[Part]) -> Result<(), Error> {
        let read = parts.iter().map(async |part| {
            let found = match part {
                Part::Replication => Found::Replication(self.replication().await?),
                Part::Scanning => Found::Scanning(self.scanning().await?),
                Part::Signing => Found::Signing(self.signing().await?),
                Part::Policy => Found::Policy(self.registry_policy().await?),
                Part::Setting(it) => Found::Setting(*it, self.account_setting(*it).await?),
                Part::Exclusions => Found::Exclusions(self.exclusions().await?),
            };
            Ok::<_, Error>((*part, (found, Instant::now())))
        });
        let read = try_join_all(read).await?;
        self.memory.settings.lock().extend(read);
        Ok(())
    }

    /// Makes one change of the registry's settings: exactly one AWS call. What it changed is not
    /// known any more. To exclude a principal that is excluded, and to take away what is gone, is
    /// success. What AWS did not take a while ago fails as it did then, without a call, unless a
    /// person edited the object.
    pub async fn apply_setting(&self, change: &Change) -> Result<(), Error> {
        let refusals = &self.memory.refusals;
        if self.priority != Priority::Edit
            && let Some(error) = refusals.of(SUBJECT, change, Instant::now())
        {
            return Err(error);
        }
        let applied = self.put(change).await;
        self.memory.settings.lock().remove(&change.part());
        if let Err(error) = &applied {
            refusals.note(SUBJECT, change, error, Instant::now());
        }
        applied
    }

    /// Takes in that `change` repaired what somebody else had done.
    pub fn setting_repaired(&self, change: &Change) {
        self.memory.repeats.note(SUBJECT, change, Instant::now());
    }

    /// Whether this very repair was made three times within the hour, so that somebody keeps undoing
    /// it. No call is made.
    pub fn is_setting_contested(&self, change: &Change) -> bool {
        self.memory
            .repeats
            .exhausted(SUBJECT, change, Instant::now())
    }

    async fn put(&self, change: &Change) -> Result<(), Error> {
        let write = &self.session.write;
        match change {
            Change::PutReplicationConfiguration(it) => self.put_replication(it).await,
            Change::PutRegistryScanningConfiguration(document) => {
                let send = write.put_registry_scanning_configuration();
                let send = || {
                    let send = send.clone().customize();
                    send.interceptor(Body(document.clone())).send()
                };
                let put = self.call(Operation::PutRegistryScanningConfiguration, send);
                put.await.map(drop)
            }
            Change::PutSigningConfiguration(it) => self.put_signing(it).await,
            Change::DeleteSigningConfiguration => {
                let send = write.delete_signing_configuration();
                let gone = self
                    .call(Operation::DeleteSigningConfiguration, || {
                        send.clone().send()
                    })
                    .await;
                found(gone, &["SigningConfigurationNotFoundException"]).map(drop)
            }
            Change::PutRegistryPolicy(text) => {
                let send = write.put_registry_policy().policy_text(text);
                let put = self.call(Operation::PutRegistryPolicy, || send.clone().send());
                put.await.map(drop)
            }
            Change::DeleteRegistryPolicy => {
                let send = write.delete_registry_policy();
                let gone = self
                    .call(Operation::DeleteRegistryPolicy, || send.clone().send())
                    .await;
                found(gone, &["RegistryPolicyNotFoundException"]).map(drop)
            }
            Change::PutAccountSetting(setting, value) => {
                let send = write.put_account_setting().name(setting.name());
                let send = send.value(*value);
                let put = self.call(Operation::PutAccountSetting, || send.clone().send());
                put.await.map(drop)
            }
            Change::RegisterPullTimeUpdateExclusion(arn) => {
                let send = write.register_pull_time_update_exclusion();
                let send = send.principal_arn(arn);
                let put = self.call(Operation::RegisterPullTimeUpdateExclusion, || {
                    send.clone().send()
                });
                found(put.await, &["ExclusionAlreadyExistsException"]).map(drop)
            }
            Change::DeregisterPullTimeUpdateExclusion(arn) => {
                let send = write.deregister_pull_time_update_exclusion();
                let send = send.principal_arn(arn);
                let gone = self.call(Operation::DeregisterPullTimeUpdateExclusion, || {
                    send.clone().send()
                });
                found(gone.await, &["ExclusionNotFoundException"]).map(drop)
            }
        }
    }

    async fn put_replication(&self, document: &Value) -> Result<(), Error> {
        let empty = ReplicationConfiguration::builder().set_rules(Some(Vec::new()));
        let send = self.session.write.put_replication_configuration();
        let send = send.set_replication_configuration(empty.build().ok());
        let body = Body(json!({"replicationConfiguration": document}));
        let send = || {
            let send = send.clone().customize();
            send.interceptor(body.clone()).send()
        };
        let put = self.call(Operation::PutReplicationConfiguration, send);
        put.await.map(drop)
    }

    async fn put_signing(&self, document: &Value) -> Result<(), Error> {
        let empty = SigningConfiguration::builder().set_rules(Some(Vec::new()));
        let send = self.session.write.put_signing_configuration();
        let send = send.set_signing_configuration(empty.build().ok());
        let body = Body(json!({"signingConfiguration": document}));
        let send = || {
            let send = send.clone().customize();
            send.interceptor(body.clone()).send()
        };
        let put = self.call(Operation::PutSigningConfiguration, send);
        put.await.map(drop)
    }

    async fn replication(&self) -> Result<Value, Error> {
        const CALL: Operation = Operation::DescribeRegistry;
        let answer = Answered::default();
        let send = self.session.read.describe_registry();
        let send = || {
            let send = send.clone().customize();
            send.interceptor(answer.clone()).send()
        };
        self.call(CALL, send).await?;
        self.object(CALL, &answer, "replicationConfiguration")
    }

    async fn scanning(&self) -> Result<Value, Error> {
        const CALL: Operation = Operation::GetRegistryScanningConfiguration;
        let answer = Answered::default();
        let send = self.session.read.get_registry_scanning_configuration();
        let send = || {
            let send = send.clone().customize();
            send.interceptor(answer.clone()).send()
        };
        self.call(CALL, send).await?;
        self.object(CALL, &answer, "scanningConfiguration")
    }

    async fn signing(&self) -> Result<Reading<Value>, Error> {
        const CALL: Operation = Operation::GetSigningConfiguration;
        let answer = Answered::default();
        let send = self.session.read.get_signing_configuration();
        let send = || {
            let send = send.clone().customize();
            send.interceptor(answer.clone()).send()
        };
        let called = self.call(CALL, send).await;
        Ok(
            match found(called, &["SigningConfigurationNotFoundException"])? {
                Some(_) => Reading::Present(self.object(CALL, &answer, "signingConfiguration")?),
                None => Reading::Absent,
            },
        )
    }

    async fn registry_policy(&self) -> Result<Reading<String>, Error> {
        let send = self.session.read.get_registry_policy();
        let answer = self
            .call(Operation::GetRegistryPolicy, || send.clone().send())
            .await;
        let answer = found(answer, &["RegistryPolicyNotFoundException"])?;
        let text = answer.and_then(|it| it.policy_text);
        Ok(text.map_or(Reading::Absent, Reading::Present))
    }

    async fn account_setting(&self, setting: Setting) -> Result<String, Error> {
        let send = self.session.read.get_account_setting();
        let send = send.name(setting.name());
        let answer = self
            .call(Operation::GetAccountSetting, || send.clone().send())
            .await?;
        Ok(answer.value.unwrap_or_default())
    }

    async fn exclusions(&self) -> Result<BTreeSet<String>, Error> {
        const CALL: Operation = Operation::ListPullTimeUpdateExclusions;
        let mut all = BTreeSet::new();
        let mut next = None;
        loop {
            let send = self.session.read.list_pull_time_update_exclusions();
            let send = send.max_results(EXCLUSIONS_A_PAGE).set_next_token(next);
            let page = self.call(CALL, || send.clone().send()).await?;
            all.extend(self.items(CALL, page.pull_time_update_exclusions)?);
            next = page.next_token;
            if next.is_none() {
                return Ok(all);
            }
        }
    }

    /// The object under `name` in a raw answer. One without it is no answer: taken for an empty
    /// document, it would be written over what is there.
    fn object(&self, call: Operation, answer: &Answered, name: &str) -> Result<Value, Error> {
        let object = answer.json().map(|mut it| it[name].take());
        object.filter(Value::is_object).ok_or_else(|| {
            let message = format!("the answer has no {name} in it");
            Error::new(ErrorKind::Unexpected, call, &self.name, message)
        })
    }
}

/// What the registry's own settings are counted under, which no repository is called.
const SUBJECT: &str = "(registry)";

/// Whether something is another than it was.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Drift {
    /// All is as it was.
    None,
    /// Something has changed.
    Some,
}

impl Known {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Part, (Found, Instant)>> {
        // A panic elsewhere leaves what was known, not a broken invariant.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
