//! Accounts as a seed declares them, and the credentials that STS gave out.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::call::Caller;
use super::RegistryKey;

/// A declared account: only these roles can be assumed, only these secrets exist.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Account {
    /// Its roles, by name with path and without a leading slash; `None`: any role can be assumed.
    pub(crate) roles: Option<BTreeMap<String, Role>>,
    /// Its users, by name.
    pub(crate) users: BTreeMap<String, User>,
    /// The names of its Secrets Manager secrets; `None`: any secret exists.
    pub(crate) secrets: Option<Vec<String>>,
    /// The organization that `aws:PrincipalOrgID` tells.
    pub(crate) organization: Option<String>,
}

/// A declared role.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Role {
    /// Who may assume it, as an IAM trust policy.
    pub(crate) trust: Value,
    /// What it may do, as IAM policies; `None`: everything.
    #[serde(default)]
    pub(crate) policies: Option<Vec<Value>>,
    /// Its resource tags, which are `aws:PrincipalTag` of its sessions.
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
}

/// A declared user.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct User {
    /// The access key that is this user.
    pub(crate) access_key: String,
    /// What the user may do, as IAM policies; `None`: everything.
    pub(crate) policies: Option<Vec<Value>>,
    /// Resource tags, which are `aws:PrincipalTag`.
    pub(crate) tags: BTreeMap<String, String>,
}

/// Credentials of an assumed role.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Session {
    /// The account of the role.
    pub(crate) account: String,
    /// The role's name with its path.
    pub(crate) role: String,
    /// The role's ARN.
    pub(crate) role_arn: String,
    /// The session's name.
    pub(crate) name: String,
    /// The token that must come with the access key.
    pub(crate) token: String,
    /// When they stop working.
    pub(crate) expires: Timestamp,
    /// Session tags, over the role's own.
    pub(crate) tags: BTreeMap<String, String>,
    /// The session policy, which limits what the role may do.
    pub(crate) policy: Option<Value>,
}

/// Who may use the data plane by a password, of which registry, and for how long.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    /// Who asked for it.
    pub(crate) caller: Caller,
    /// The registry it is for.
    pub(crate) registry: RegistryKey,
    /// When it stops working.
    pub(crate) expires: Timestamp,
}
