//! What an account has: the repositories of its home region with their documents, and the cache
//! rules of every region.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Context;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::desired::Environment;
use crate::domain::Registry;
use crate::domain::pull_through::{self, Prefix};
use crate::ecr::{self, ErrorKind, Identity, Priority, Sessions, Snapshot};

/// Reads by name at the same time; the registry's limiter spaces them.
const READERS: usize = 16;

/// What an account has.
pub(super) struct Found {
    /// The repositories of the home region, with their documents.
    pub(super) repositories: Arc<Snapshot>,
    /// The cache rules of each region, by prefix.
    pub(super) rules: BTreeMap<Registry, BTreeMap<Prefix, pull_through::Observed>>,
}

impl Found {
    /// Reads the account of `environment`.
    pub(super) async fn read(
        sessions: &Sessions,
        environment: &Environment,
        identity: &Identity,
    ) -> anyhow::Result<Self> {
        let mut rules = BTreeMap::new();
        for registry in &environment.registries {
            let handle = sessions.registry(registry, identity).await;
            let listed = handle.context("sign in")?.rules().await;
            rules.insert(registry.clone(), listed.context("list the cache rules")?);
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
