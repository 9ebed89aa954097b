//! Objects that the chart installs empty and the operator fills in: its lease, its Secrets and its webhook
//! configuration. The operator has no right to create them, since RBAC cannot limit `create` to a name.
//! One that is missing is reported and waited for.

use std::fmt;

use kube::Resource;
use kube::runtime::events::Event;

use super::tidings;

/// One of these objects.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Installed {
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
}

impl Installed {
    /// The object of kind `K` and this name.
    pub fn of<K: Resource<DynamicType = ()>>(name: &str) -> Self {
        Self {
            kind: K::kind(&()).into_owned(),
            name: name.to_owned(),
        }
    }

    /// The event that says that it is missing.
    pub fn missing(&self) -> Event {
        tidings::warning("NotInstalled", "Update", &self.remedy())
    }

    /// What is wrong when it is missing, and what to do.
    pub fn remedy(&self) -> String {
        format!("{self} does not exist, and the operator may not create it: run helm upgrade")
    }
}

impl fmt::Display for Installed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, name } = self;
        write!(f, "{kind} {name}")
    }
}
