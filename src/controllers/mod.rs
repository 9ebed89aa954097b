//! Watches, the driver, status and the outcome table: the only code that writes to Kubernetes.
//!
//! Every process watches ([`stores`]) and keeps one immutable [`World`](crate::desired::World) of
//! what is wanted; what has changed in it is woken ([`wakes`]). While a replica leads ([`lease`]),
//! the [`driver`] reconciles what is woken, and the [`sweep`] compares each registry with the world
//! and wakes only what differs.

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use kube::Client;
use kube::runtime::events::Recorder;

use crate::api::conditions::Reason;
use crate::desired::{self, Environment, Stopped, World};
use crate::domain::Registry;
use crate::domain::names::EnvironmentName;
use crate::ecr::{self, Identity};

pub mod certificates;
pub mod checks;
pub mod condition;
pub mod dated;
pub mod driver;
pub mod environment_account;
pub mod facts;
pub mod fenced_client;
pub mod finalizer;
pub mod image_admission_policy;
pub mod image_repository;
pub mod installed;
pub mod lease;
pub mod ledger;
pub mod lifecycle_policy;
pub mod live;
pub mod meters;
pub mod outcome;
pub mod pull_through_rule;
pub mod resync;
pub mod stores;
pub mod sweep;
pub mod tidings;
pub mod timer;
pub mod tombstones;
pub mod usage;
pub mod wakes;
pub mod webhook_configuration;
pub mod world;

/// The shared handles of a reconciliation.
pub struct Context {
    /// Kubernetes.
    pub client: Client,
    /// Events.
    pub recorder: Recorder,
    /// AWS.
    pub sessions: Arc<ecr::Sessions>,
    /// What is wanted, as of the last wake.
    pub world: Arc<ArcSwap<World>>,
    /// What this cluster's pods use; `None`: not known yet.
    pub usage: Arc<usage::Known>,
    /// What each lifecycle policy comes to in all repositories; `None`: not added up yet.
    pub tallies: Arc<ArcSwapOption<lifecycle_policy::tally::Tallies>>,
    /// What may be approved of each lifecycle policy, and what is.
    pub approvals: Arc<lifecycle_policy::approvals::Approvals>,
    /// What looks at lifecycle policies have come to beside what status shows.
    pub findings: Arc<lifecycle_policy::findings::Findings>,
    /// Who is to be reconciled next.
    pub wakes: wakes::Wakes,
    /// What the leader has found out beside the objects.
    pub checks: Arc<checks::Checks>,
    /// What we count.
    pub meters: Arc<meters::Meters>,
}

/// Why a registry was not reached, or a target not settled.
#[derive(Clone, Debug)]
pub enum Stop {
    /// Not attempted: invalid, waiting for a reference, not granted, suspended.
    Stopped(Stopped),
    /// A call failed.
    Failed(ecr::Error),
    /// The object is not, or is not known to be, what it was when all was decided.
    Unconfirmed(String),
}

impl Context {
    /// A registry of `environment`, signed in to.
    ///
    /// # Errors
    /// When AWS does not let us in, or is not the account that the environment declares.
    pub async fn sign_in(
        &self,
        environment: &Environment,
        registry: &Registry,
    ) -> Result<ecr::Registry, ecr::Error> {
        let identity = identity(environment);
        self.sessions.registry(registry, &identity).await
    }

    /// A registry of the environment of this name, signed in to.
    ///
    /// # Errors
    /// When there is no such environment, it is not usable, or AWS does not let us in.
    pub async fn registry(
        &self,
        environment: &EnvironmentName,
        registry: &Registry,
    ) -> Result<ecr::Registry, Stop> {
        let environment = named(environment, &self.world.load_full()).map_err(Stop::Stopped)?;
        self.sign_in(&environment, registry)
            .await
            .map_err(Stop::Failed)
    }
}

fn named(environment: &EnvironmentName, world: &World) -> Result<Environment, Stopped> {
    let object = world
        .environment(environment.as_str())
        .ok_or_else(|| Stopped {
            environment: Some(environment.to_string()),
            region: None,
            reason: Reason::EnvironmentNotFound,
            field: "spec.environments".to_owned(),
            message: format!("there is no EnvironmentAccount {environment}: create it"),
        })?;
    desired::environment(object, world)
}

/// What an environment's account is called as.
pub fn identity(environment: &Environment) -> Identity {
    match &environment.role {
        None => Identity::Ambient,
        Some(role) => Identity::Role {
            arn: role.arn.to_string(),
            external_id: role.external_id.clone(),
        },
    }
}

/// What an environment's images are listed as for admission.
pub fn reading_identity(environment: &Environment) -> Identity {
    match &environment.role {
        None => Identity::Ambient,
        Some(role) => Identity::Role {
            arn: role.read.as_ref().unwrap_or(&role.arn).to_string(),
            external_id: role.external_id.clone(),
        },
    }
}

impl std::fmt::Display for Stop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Stopped(stopped) => stopped.fmt(f),
            Self::Failed(error) => error.fmt(f),
            Self::Unconfirmed(why) => write!(f, "the object: {why}"),
        }
    }
}
