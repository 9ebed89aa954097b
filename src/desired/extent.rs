//! What an answer of a translation is about: one target, or more than one where the region is not
//! known, or not even the environment.

use std::fmt;

use super::{CacheTarget, Stopped, Target};
use crate::api::targets::TargetKey;

/// The targets of an object that one answer is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Extent {
    /// All, in whichever environment.
    Object,
    /// Those of one environment, in whichever region.
    Environment(String),
    /// One.
    Target(TargetKey),
}

impl Extent {
    /// What an answer is about, whether it is a target or why there is none.
    pub fn of<T: Placed>(answer: &Result<T, Stopped>) -> Self {
        match answer {
            Ok(target) => Self::Target(target.key()),
            Err(stopped) => stopped.extent(),
        }
    }

    /// Whether the target of this key is among them.
    pub fn covers(&self, key: &TargetKey) -> bool {
        match self {
            Self::Object => true,
            Self::Environment(environment) => key.environment == *environment,
            Self::Target(target) => target == key,
        }
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object => f.write_str("spec"),
            Self::Environment(environment) => f.write_str(environment),
            Self::Target(key) => key.fmt(f),
        }
    }
}

/// What has a row of its own in status.
pub trait Placed {
    /// The key of the row.
    fn key(&self) -> TargetKey;
}

impl Target {
    /// The ARN of the repository.
    pub fn arn(&self) -> String {
        self.registry.repository_arn(&self.desired.name)
    }
}

impl Placed for Target {
    fn key(&self) -> TargetKey {
        TargetKey::new(&self.environment, &self.registry.region)
    }
}

impl Placed for CacheTarget {
    fn key(&self) -> TargetKey {
        TargetKey::new(&self.environment, &self.registry.region)
    }
}

impl Stopped {
    /// Whether it stops anything in this environment.
    pub fn concerns(&self, environment: &str) -> bool {
        self.environment
            .as_deref()
            .is_none_or(|it| it == environment)
    }

    /// Which targets it stops.
    pub fn extent(&self) -> Extent {
        match (&self.environment, &self.region) {
            (None, _) => Extent::Object,
            (Some(environment), None) => Extent::Environment(environment.clone()),
            (Some(environment), Some(region)) => {
                Extent::Target(TargetKey::new(environment, region))
            }
        }
    }
}
