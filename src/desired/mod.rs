//! From objects to domain values: specs and what they refer to become what is desired in each
//! registry, or the reason why nothing is. Pure, and every validation error is made here: the API
//! server refuses most of them first, but an object may be older than its rule.
//!
//! A [`World`] is all objects at one moment. Each function takes an object and the world, and
//! answers one value per target, so that one wrong environment stops no other.

use std::collections::BTreeSet;
use std::fmt;

use crate::api::conditions::Reason;
use crate::domain::names::EnvironmentName;
use crate::domain::{self, Region, Registry};

mod admission;
mod caches;
mod deletion;
mod environment;
mod extent;
#[cfg(test)]
mod fixture;
mod grants;
mod lifecycle;
pub mod preflight;
mod principals;
mod pull_through;
mod registry;
mod repository;
mod rules;
mod settings;
mod world;

pub use admission::admission;
pub use caches::{stopped_by_repository, stopped_by_rule};
pub use deletion::{Times, deletion, moment, terms};
pub use environment::{AssumedRole, Environment, environment, reachable};
pub use extent::{Extent, Placed};
pub use grants::selects;
pub use lifecycle::lifecycle;
pub use pull_through::{CacheTarget, cache_prefix, imports_per_hour, pull_through};
pub use registry::{LeftRegistry, left, recorded, registry};
pub use repository::repository;
pub use rules::{Destinations, Rules, Subject, rules};
pub use world::{Objects, World, repository_name};

/// One repository in one registry, as it should be.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Target {
    /// The environment that names the registry, and how to reach it.
    pub environment: EnvironmentName,
    /// Where.
    pub registry: Registry,
    /// What.
    pub desired: domain::repository::Desired,
    /// Where its images are to be replicated to; `None`: nowhere.
    pub replicas: Option<BTreeSet<Registry>>,
}

/// Why nothing is done: a state, that ends when an object changes, and not an error of a call.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Stopped {
    /// The environment as the spec names it; `None` where it is about the object as a whole.
    pub environment: Option<String>,
    /// The region; `None` where it is about the whole environment.
    pub region: Option<Region>,
    /// The one word for it.
    pub reason: Reason,
    /// The field that is to blame, for example `spec.access.pull[1]`, with the object before it
    /// where that is another one.
    pub field: String,
    /// What is wrong with it, and what to do.
    pub message: String,
}

impl Stopped {
    fn new(reason: Reason, field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self {
            environment: None,
            region: None,
            reason,
            field: field.into(),
            message: message.to_string(),
        }
    }

    fn invalid(field: impl Into<String>, message: impl fmt::Display) -> Self {
        Self::new(Reason::InvalidSpec, field, message)
    }

    fn in_environment(self, environment: &str) -> Self {
        Self {
            environment: Some(environment.to_owned()),
            ..self
        }
    }

    fn in_region(self, region: &Region) -> Self {
        Self {
            region: Some(region.clone()),
            ..self
        }
    }
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}
