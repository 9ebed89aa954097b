//! Who may pull from and push to a repository, in words, and the repository policy that says so.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policy-examples.html>

use std::collections::BTreeSet;
use std::str::FromStr;

use super::names::{AccountId, InvalidName, Registry};
use super::policy::{self, Action, Condition, Effect, Principal, Statement};

/// The start of every sid that is ours; no user's statement may bear it.
pub const SID_PREFIX: &str = "EcrOperator";

/// What a client calls to pull an image.
pub(super) const PULL: [&str; 3] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:GetDownloadUrlForLayer",
];

/// What a client calls to push an image. It includes pulling, as in AWS's own examples: a push
/// looks for layers that are there already, and builders read their cache.
pub(super) const PUSH: [&str; 7] = [
    "ecr:BatchCheckLayerAvailability",
    "ecr:BatchGetImage",
    "ecr:CompleteLayerUpload",
    "ecr:GetDownloadUrlForLayer",
    "ecr:InitiateLayerUpload",
    "ecr:PutImage",
    "ecr:UploadLayerPart",
];

/// What AWS Lambda calls to fetch the image of a function.
/// <https://docs.aws.amazon.com/lambda/latest/dg/images-create.html#gettingstarted-images-permissions>
const LAMBDA: [&str; 2] = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"];

/// Who may do what with one repository, besides the principals of its own account.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Access {
    /// Who may pull.
    pub pull: BTreeSet<Grantee>,
    /// Who may push, and pull.
    pub push: BTreeSet<Grantee>,
    /// Whether Lambda functions may run its images.
    pub lambda: Lambda,
    /// Further statements, as they are.
    pub statements: Vec<Statement>,
}

/// Someone to grant access to.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Grantee {
    /// A whole account; its own IAM policies decide who in it.
    Account(AccountId),
    /// A role or a user, by ARN.
    Principal(String),
    /// All accounts of an AWS organization, by its id.
    Organization(String),
}

/// Whether Lambda functions, of the repository's account and of accounts that may pull, may run
/// images of the repository.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Lambda {
    /// They may.
    Enabled,
    /// No statement of ours lets them.
    #[default]
    Disabled,
}

/// Why an access makes no policy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Invalid {
    /// A statement's sid is one of ours.
    #[error("statements[{index}]: sids that start with {SID_PREFIX} are the operator's own")]
    ReservedSid {
        /// The statement's place in [`Access::statements`], from 0.
        index: usize,
    },
    /// The statements make no policy that ECR takes.
    #[error(transparent)]
    Policy(policy::Invalid),
}

impl Access {
    /// The policy of a repository in `registry`; `None` if nothing is granted.
    pub fn document(&self, registry: &Registry) -> Result<Option<policy::Document>, Invalid> {
        let Self {
            pull,
            push,
            lambda,
            statements,
        } = self;
        let reserved =
            |it: &Statement| it.sid.as_ref().is_some_and(|it| it.starts_with(SID_PREFIX));
        if let Some(index) = statements.iter().position(reserved) {
            return Err(Invalid::ReservedSid { index });
        }
        let mut all = grants("Pull", pull, &PULL);
        all.extend(grants("Push", push, &PUSH));
        all.extend(match lambda {
            Lambda::Enabled => Some(self.lambda(registry)),
            Lambda::Disabled => None,
        });
        // The user's own come first, so that an error names them by their place in the spec.
        let all = [statements.clone(), all].concat();
        if all.is_empty() {
            return Ok(None);
        }
        policy::Document::from_statements(&all)
            .map(Some)
            .map_err(Invalid::Policy)
    }

    /// Lambda adds a statement of its own to a policy that lacks this one, and we would take it
    /// off again. The condition keeps functions of accounts that may not pull out.
    fn lambda(&self, registry: &Registry) -> Statement {
        let accounts = self
            .pull
            .iter()
            .chain(&self.push)
            .filter_map(|it| match it {
                Grantee::Account(account) => Some(account),
                Grantee::Principal(_) | Grantee::Organization(_) => None,
            });
        let (partition, region) = (registry.partition(), &registry.region);
        let functions = accounts
            .chain([&registry.account])
            .map(|account| format!("arn:{partition}:lambda:{region}:{account}:function:*"));
        Statement {
            principals: BTreeSet::from([Principal::Service("lambda.amazonaws.com".to_owned())]),
            conditions: vec![Condition {
                operator: "StringLike".to_owned(),
                key: "aws:SourceArn".to_owned(),
                values: functions.collect(),
            }],
            ..allow("Lambda", &LAMBDA)
        }
    }
}

/// The statements that grant `actions`: organizations are no principals, so they have their own.
fn grants(what: &str, grantees: &BTreeSet<Grantee>, actions: &[&str]) -> Vec<Statement> {
    let (mut principals, mut organizations) = (BTreeSet::new(), BTreeSet::new());
    for grantee in grantees {
        match grantee {
            Grantee::Account(account) => {
                principals.insert(Principal::Account(account.clone()));
            }
            Grantee::Principal(arn) => {
                principals.insert(Principal::Arn(arn.clone()));
            }
            Grantee::Organization(id) => {
                organizations.insert(id.clone());
            }
        }
    }
    let mut statements = Vec::new();
    if !principals.is_empty() {
        statements.push(Statement {
            principals,
            ..allow(what, actions)
        });
    }
    if !organizations.is_empty() {
        statements.push(Statement {
            principals: BTreeSet::from([Principal::Anyone]),
            conditions: vec![Condition {
                operator: "StringEquals".to_owned(),
                key: "aws:PrincipalOrgID".to_owned(),
                values: organizations,
            }],
            ..allow(&format!("{what}Organizations"), actions)
        });
    }
    statements
}

fn allow(what: &str, actions: &[&str]) -> Statement {
    let action = |it: &&str| {
        it.parse::<Action>()
            .expect("our own lists name actions of ECR")
    };
    Statement {
        sid: Some(format!("{SID_PREFIX}{what}")),
        effect: Effect::Allow,
        principals: BTreeSet::new(),
        actions: actions.iter().map(action).collect(),
        conditions: Vec::new(),
    }
}

impl FromStr for Grantee {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if is_organization(text) {
            return Ok(Self::Organization(text.to_owned()));
        }
        match text.parse() {
            Ok(Principal::Account(account)) => Ok(Self::Account(account)),
            Ok(Principal::Arn(arn)) => Ok(Self::Principal(arn)),
            Ok(Principal::Anyone | Principal::Service(_)) | Err(_) => Err(InvalidName {
                text: text.to_owned(),
                kind: "grantee",
                rule: "an account id, the ARN of a role or user, or an organization id like o-a1b2c3d4e5",
            }),
        }
    }
}

/// `o-` and 10 to 32 lower-case letters and digits.
/// <https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html>
fn is_organization(text: &str) -> bool {
    text.strip_prefix("o-").is_some_and(|id| {
        (10..=32).contains(&id.len())
            && id
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests;
