//! What an account has: the repositories of its home region with their documents, the cache rules of
//! every region with their creation templates, and where it is asked for, what each registry has only
//! one of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::Context;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::desired::Environment;
use crate::domain::pull_through::{self, Prefix};
use crate::domain::registry::{self, Part, Setting};
use crate::domain::{Registry, template};
use crate::ecr::{self, ErrorKind, Identity, Priority, Sessions, Snapshot};

/// Reads by name at the same time; the registry's limiter spaces them.
const READERS: usize = 16;

/// All that a registry has one of.
const PARTS: [Part; 8] = [
    Part::Replication,
    Part::Scanning,
    Part::Signing,
    Part::Policy,
    Part::Setting(Setting::BasicScanTypeVersion),
    Part::Setting(Setting::RegistryPolicyScope),
    Part::Setting(Setting::BlobMounting),
    Part::Exclusions,
];

/// Whether to read what a registry has only one of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Singletons {
    Read,
    LeftOut,
}

/// What an account has.
pub(super) struct Found {
    /// The repositories of the home region, with their documents.
    pub(super) repositories: Arc<Snapshot>,
    /// The cache rules of each region, by prefix.
    pub(super) rules: BTreeMap<Registry, BTreeMap<Prefix, pull_through::Observed>>,
    /// The repository creation templates of each region, by prefix.
    pub(super) templates: BTreeMap<Registry, BTreeMap<Prefix, template::Observed>>,
    /// What each registry has only one of; empty where it was not asked for.
    pub(super) settings: BTreeMap<Registry, registry::Observed>,
}

impl Found {
    /// Reads the account of `environment`.
    pub(super) async fn read(
        sessions: &Sessions,
        environment: &Environment,
        identity: &Identity,
        singletons: Singletons,
    ) -> anyhow::Result<Self> {
        let (mut rules, mut templates) = (BTreeMap::new(), BTreeMap::new());
        let mut settings = BTreeMap::new();
        for registry in &environment.registries {
            let handle = sessions.registry(registry, identity).await;
            let handle = handle.context("sign in")?;
            let listed = handle.rules().await.context("list the cache rules")?;
            rules.insert(registry.clone(), listed);
            let listed = handle.templates().await.context("list the templates")?;
            templates.insert(registry.clone(), listed);
            if singletons == Singletons::Read {
                let read = handle.settings(&BTreeSet::from(PARTS)).await;
                let read = read.context("read the registry's settings")?;
                settings.insert(registry.clone(), read);
            }
        }
        let home = sessions.registry(environment.home(), identity).await;
        let home = home.context("sign in")?.at(Priority::Edit);
        let listed = home.refresh().await.context("list the repositories")?;
        let reads = stream::iter(listed.keys().map(|name| read_documents(&home, name)));
        reads
            .buffer_unordered(READERS)
            .try_collect::<()>()
            .await
            .context("read the policies")?;
        let repositories = home.snapshot().unwrap_or(listed);
        Ok(Self {
            repositories,
            rules,
            templates,
            settings,
        })
    }
}

/// A repository that was deleted since the list is no error.
async fn read_documents(
    home: &ecr::Registry,
    name: &crate::domain::RepositoryName,
) -> Result<(), ecr::Error> {
    match home.read_documents(name).await {
        Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}
