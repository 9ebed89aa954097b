//! Which permissions the roles of an environment need for what its objects use, what IAM's policy
//! simulator says of them, and the policy that is missing. Pure. What cannot be known is said to be
//! unknown: it is never taken for allowed, nor for denied.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

use super::names::{AccountId, ClusterId, Registry, RepositoryName};
use super::repository::Management;
use super::rights::{DEPENDENT, Need, Singleton};
use super::{access, owner};

mod needs;

pub use needs::questions;

/// The most repositories that are asked about, one for each first word of their names.
pub const MOST_EXAMPLES: usize = 20;

/// What a role is for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Purpose {
    /// The operator's own.
    Operator,
    /// Nodes pull with it.
    Nodes,
    /// Builds push with it.
    Builds,
}

/// What an environment's objects use of its account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Uses {
    /// Whose tag our repositories bear.
    pub cluster: ClusterId,
    /// Whether the operator writes to the account.
    pub management: Management,
    /// Whether it may delete repositories.
    pub deletion: Deletion,
    /// All registries of the environment, the home region's first.
    pub registries: Vec<Registry>,
    /// Repositories in the home region, one for each first word of their names.
    pub repositories: Vec<RepositoryName>,
    /// Pull-through caches, in every region.
    pub caches: Vec<Cache>,
    /// What is ours, or is to be, of what each registry has one of.
    pub settings: BTreeMap<Registry, BTreeSet<Singleton>>,
    /// KMS keys that repositories are encrypted with, by ARN.
    pub keys: BTreeSet<String>,
    /// Roles of the account that are handed to ECR, by ARN: with a cache rule ([`Need::Caches`]) or
    /// with a template ([`Need::Templates`]).
    pub passed: BTreeSet<(Need, String)>,
}

/// Whether an environment lets repositories be deleted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Deletion {
    /// It does.
    Allowed,
    /// It does not.
    Withheld,
}

/// One pull-through cache.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cache {
    /// A repository that could be below its prefix.
    pub example: RepositoryName,
    /// Who brings images into it that it does not have.
    pub filled: BTreeSet<Purpose>,
    /// Whether the operator says what its repositories are made like.
    pub template: Template,
}

/// Whether a cache has a repository creation template of ours.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Template {
    /// It has, or had.
    Managed,
    /// It has none of ours.
    Unmanaged,
}

/// One call of the simulator: may a role do each of these actions to each of these resources?
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question {
    /// The actions, `ecr:BatchGetImage`.
    pub actions: Vec<&'static str>,
    /// The resources; none: the actions are about no resource, or about all.
    pub resources: Vec<Resource>,
    /// What is known of the request, by condition key.
    pub context: BTreeMap<String, Vec<String>>,
}

/// A resource to ask about, and what it stands for.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Resource {
    /// Its ARN.
    pub arn: String,
    /// The ARN with a wildcard that a policy would allow: all repositories with the same first word.
    pub stands_for: String,
}

/// What the simulator says of one action and resource.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Answer {
    /// The action.
    pub action: String,
    /// The resource, as a policy would name it; `*` for none in particular.
    pub resource: String,
    /// Whether the role may.
    pub judgement: Judgement,
}

/// Whether a role may do something.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Judgement {
    /// Its policies let it.
    Allowed,
    /// They do not.
    Denied(Denial),
    /// It hangs on something that we cannot know, which is named.
    Unknown(String),
}

/// Why a role may not do something.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Denial {
    /// No statement allows it: adding one helps.
    NoStatement,
    /// A statement denies it.
    Statement,
    /// Its permissions boundary leaves it out.
    Boundary,
    /// A service control policy of the organization leaves it out.
    Organization,
}

/// What all answers about a role come to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// Its policies allow everything that it needs.
    Allowed,
    /// It may not do something that it needs.
    Missing(Missing),
    /// Nothing is known to be missing, and not everything is known to be allowed: why.
    Unknown(String),
}

/// The first thing that a role may not do, and what to add.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Missing {
    /// The action.
    pub action: String,
    /// The resource, as a policy would name it.
    pub resource: String,
    /// Why it is denied.
    pub denial: Denial,
    /// How many other actions are missing.
    pub others: usize,
    /// A policy document that allows all that no statement allows; `None` if adding one helps nowhere.
    pub policy: Option<String>,
}

/// What was found out about one role.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// What it is for.
    pub purpose: Purpose,
    /// Its ARN.
    pub role: String,
    /// What its policies come to.
    pub verdict: Verdict,
    /// How it was found out, where it was not by the simulator.
    pub note: Option<String>,
}

/// What `answers`, in the order in which they matter, come to.
pub fn verdict(answers: &[Answer]) -> Verdict {
    let mut denied = answers.iter().filter_map(|it| match it.judgement {
        Judgement::Denied(denial) => Some((it, denial)),
        Judgement::Allowed | Judgement::Unknown(_) => None,
    });
    if let Some((first, denial)) = denied.next() {
        let others: BTreeSet<_> = denied.map(|(it, _)| &it.action).collect();
        return Verdict::Missing(Missing {
            action: first.action.clone(),
            resource: first.resource.clone(),
            denial,
            others: others.into_iter().filter(|it| **it != first.action).count(),
            policy: policy(answers),
        });
    }
    let unknown = answers.iter().find_map(|it| match &it.judgement {
        Judgement::Unknown(why) => Some(format!("{} on {}: {why}", it.action, it.resource)),
        Judgement::Allowed | Judgement::Denied(_) => None,
    });
    unknown.map_or(Verdict::Allowed, Verdict::Unknown)
}

/// The policy that allows what no statement allows: one statement for each set of resources.
fn policy(answers: &[Answer]) -> Option<String> {
    let mut resources: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for Answer {
        action,
        resource,
        judgement,
    } in answers
    {
        if *judgement == Judgement::Denied(Denial::NoStatement) {
            resources.entry(action).or_default().insert(resource);
        }
    }
    let mut actions: BTreeMap<(BTreeSet<&str>, Option<String>), Vec<&str>> = BTreeMap::new();
    for (action, resources) in resources {
        let only = condition(action).map(|it| it.to_string());
        actions.entry((resources, only)).or_default().push(action);
    }
    let statements = actions.into_iter().map(|((resources, only), actions)| {
        let mut statement = json!({"Effect": "Allow", "Action": actions, "Resource": resources});
        if let Some(only) = only.and_then(|it| it.parse::<Value>().ok()) {
            statement["Condition"] = only;
        }
        statement
    });
    let statements: Vec<_> = statements.collect();
    let policy = json!({"Version": "2012-10-17", "Statement": statements});
    (!statements.is_empty()).then(|| policy.to_string())
}

/// The condition under which a dependent action is to be allowed: a role is handed to ECR and to nobody
/// else, and a key is used through it.
fn condition(action: &str) -> Option<Value> {
    let dependent = DEPENDENT.iter();
    let only = dependent.filter(|it| it.action == action && it.need().is_some());
    let only = only.filter_map(|it| it.only);
    let mut condition: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    for (operator, key, value) in only {
        let keys = condition.entry(operator).or_default();
        keys.entry(key).or_default().insert(value);
    }
    (!condition.is_empty()).then(|| json!(condition))
}

/// The role or user behind an ARN that STS gives: `assumed-role/NAME/SESSION` is role NAME, whose path
/// STS does not tell. `None` for the root user, whom no policy binds, and for what IAM does not know.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>
pub fn principal(arn: &str) -> Option<String> {
    let [head, partition, service, _, account, resource] = parts(arn)?;
    let (kind, name) = resource.split_once('/')?;
    match (service, kind) {
        ("sts", "assumed-role") => {
            let (name, _) = name.split_once('/')?;
            Some(format!("{head}:{partition}:iam::{account}:role/{name}"))
        }
        ("iam", "role" | "user") => Some(arn.to_owned()),
        _ => None,
    }
}

/// The account of a role.
pub fn account(arn: &str) -> Option<AccountId> {
    parts(arn).and_then(|[.., account, _]| account.parse().ok())
}

fn parts(arn: &str) -> Option<[&str; 6]> {
    arn.splitn(6, ':').collect::<Vec<_>>().try_into().ok()
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            action,
            resource,
            denial,
            others,
            policy: _,
        } = self;
        write!(f, "{action} on {resource}")?;
        if *others > 0 {
            write!(f, " and {others} more")?;
        }
        f.write_str(match denial {
            Denial::NoStatement => ": no policy of the role allows it",
            Denial::Statement => ": a policy of the role denies it",
            Denial::Boundary => ": the role's permissions boundary leaves it out",
            Denial::Organization => ": a service control policy of the organization leaves it out",
        })
    }
}

#[cfg(test)]
mod tests;
