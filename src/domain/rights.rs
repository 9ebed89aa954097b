//! What the operator has to be allowed in AWS, as two tables: the action of each call that it makes,
//! and what AWS checks beside the calls. `ecr-operator iam` prints policies from them and the preflight
//! asks about them; nothing else says what a role needs.

use super::registry;

use Holder::{Hub, ServiceLinkedRole, Target};
use Singleton::{AccountSettings, Exclusions, Policy, Replication, Scanning, Signing};

/// An action that the operator calls.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Right {
    /// As IAM spells it, `ecr:CreateRepository`.
    pub action: &'static str,
    /// The resources that it is about.
    pub on: On,
    /// What it is called for.
    pub need: Need,
}

/// The resources of an action.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum On {
    /// The action knows no resources.
    Anything,
    /// Repositories of the account.
    Repositories,
    /// Roles of the account.
    Roles,
}

/// What something is called for, in the order in which its lack is felt.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Need {
    /// To know which repositories there are.
    List,
    /// To know which pull-through caches there are.
    ListCaches,
    /// To know which repository creation templates there are.
    ListTemplates,
    /// To know what a registry has one of.
    See(Singleton),
    /// To read a repository.
    Read,
    /// To ask what roles may do.
    Ask,
    /// To make, change and let go of repositories.
    Write,
    /// To delete repositories and their images.
    Delete,
    /// To make pull-through caches.
    Caches,
    /// To say what the repositories of caches are made like.
    Templates,
    /// To put our part into what a registry has one of, and to take it out again.
    Put(Singleton),
    /// To have a cache fetch an image.
    Prewarm,
    /// To make repositories that are encrypted with a key.
    Encrypt,
}

/// What a registry has one of; its account settings are one here.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Singleton {
    /// The replication configuration.
    Replication,
    /// The scanning configuration.
    Scanning,
    /// The signing configuration.
    Signing,
    /// The registry policy.
    Policy,
    /// The account settings.
    AccountSettings,
    /// The pull-time update exclusions.
    Exclusions,
}

impl From<registry::Part> for Singleton {
    fn from(part: registry::Part) -> Self {
        match part {
            registry::Part::Replication => Replication,
            registry::Part::Scanning => Scanning,
            registry::Part::Signing => Signing,
            registry::Part::Policy => Policy,
            registry::Part::Setting(_) => AccountSettings,
            registry::Part::Exclusions => Exclusions,
        }
    }
}

const fn right(action: &'static str, on: On, need: Need) -> Right {
    Right { action, on, need }
}

/// All calls, but `sts:GetCallerIdentity`, which nobody has to be allowed:
/// <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>
#[rustfmt::skip] // a table
pub const RIGHTS: &[Right] = &[
    right("ecr:DescribeRepositories", On::Repositories, Need::List),
    right("tag:GetResources", On::Anything, Need::List),
    right("ecr:DescribePullThroughCacheRules", On::Anything, Need::ListCaches),
    right("ecr:DescribeRepositoryCreationTemplates", On::Anything, Need::ListTemplates),
    right("ecr:DescribeRegistry", On::Anything, Need::See(Replication)),
    right("ecr:GetRegistryScanningConfiguration", On::Anything, Need::See(Scanning)),
    right("ecr:GetSigningConfiguration", On::Anything, Need::See(Signing)),
    right("ecr:GetRegistryPolicy", On::Anything, Need::See(Policy)),
    right("ecr:GetAccountSetting", On::Anything, Need::See(AccountSettings)),
    right("ecr:ListPullTimeUpdateExclusions", On::Anything, Need::See(Exclusions)),
    right("ecr:ListTagsForResource", On::Repositories, Need::Read),
    right("ecr:GetRepositoryPolicy", On::Repositories, Need::Read),
    right("ecr:GetLifecyclePolicy", On::Repositories, Need::Read),
    right("ecr:ListImages", On::Repositories, Need::Read),
    right("ecr:DescribeImages", On::Repositories, Need::Read),
    right("ecr:BatchGetImage", On::Repositories, Need::Read),
    right("ecr:StartLifecyclePolicyPreview", On::Repositories, Need::Read),
    right("ecr:GetLifecyclePolicyPreview", On::Repositories, Need::Read),
    right("iam:SimulatePrincipalPolicy", On::Roles, Need::Ask),
    right("ecr:CreateRepository", On::Repositories, Need::Write),
    right("ecr:TagResource", On::Repositories, Need::Write),
    right("ecr:UntagResource", On::Repositories, Need::Write),
    right("ecr:PutImageTagMutability", On::Repositories, Need::Write),
    right("ecr:PutImageScanningConfiguration", On::Repositories, Need::Write),
    right("ecr:SetRepositoryPolicy", On::Repositories, Need::Write),
    right("ecr:DeleteRepositoryPolicy", On::Repositories, Need::Write),
    right("ecr:PutLifecyclePolicy", On::Repositories, Need::Write),
    right("ecr:DeleteLifecyclePolicy", On::Repositories, Need::Write),
    right("ecr:BatchDeleteImage", On::Repositories, Need::Delete),
    right("ecr:DeleteRepository", On::Repositories, Need::Delete),
    right("ecr:CreatePullThroughCacheRule", On::Anything, Need::Caches),
    right("ecr:UpdatePullThroughCacheRule", On::Anything, Need::Caches),
    right("ecr:ValidatePullThroughCacheRule", On::Anything, Need::Caches),
    right("ecr:CreateRepositoryCreationTemplate", On::Anything, Need::Templates),
    right("ecr:UpdateRepositoryCreationTemplate", On::Anything, Need::Templates),
    right("ecr:DeleteRepositoryCreationTemplate", On::Anything, Need::Templates),
    right("ecr:PutReplicationConfiguration", On::Anything, Need::Put(Replication)),
    right("ecr:PutRegistryScanningConfiguration", On::Anything, Need::Put(Scanning)),
    right("ecr:PutSigningConfiguration", On::Anything, Need::Put(Signing)),
    right("ecr:DeleteSigningConfiguration", On::Anything, Need::Put(Signing)),
    right("ecr:PutRegistryPolicy", On::Anything, Need::Put(Policy)),
    right("ecr:DeleteRegistryPolicy", On::Anything, Need::Put(Policy)),
    right("ecr:PutAccountSetting", On::Anything, Need::Put(AccountSettings)),
    right("ecr:RegisterPullTimeUpdateExclusion", On::Anything, Need::Put(Exclusions)),
    right("ecr:DeregisterPullTimeUpdateExclusion", On::Anything, Need::Put(Exclusions)),
];

impl Right {
    /// AWS's page about the resources and conditions that the action knows.
    pub fn page(&self) -> &'static str {
        match self.action.split_once(':') {
            Some(("iam", _)) => {
                "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsidentityandaccessmanagementiam.html"
            }
            Some(("tag", _)) => {
                "https://docs.aws.amazon.com/service-authorization/latest/reference/list_resourcegroupstaggingapi.html"
            }
            _ => {
                "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html"
            }
        }
    }
}

/// The calls of a need.
pub fn of(need: Need) -> impl Iterator<Item = Right> {
    RIGHTS.iter().copied().filter(move |it| it.need == need)
}

/// What is called to list images for admission, and who made their repositories. A process that only serves
/// makes no other call.
pub const SERVING: [&str; 4] = [
    "ecr:DescribeImages",
    "ecr:DescribePullThroughCacheRules",
    "ecr:DescribeRepositories",
    "tag:GetResources",
];

/// The calls of a process that only serves.
pub fn serving() -> impl Iterator<Item = &'static Right> {
    RIGHTS.iter().filter(|it| SERVING.contains(&it.action))
}

/// Something that AWS checks beside the call itself, and that no journal of calls shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Dependent {
    /// The call.
    pub of: &'static str,
    /// The IAM action.
    pub action: &'static str,
    /// The resource's ARN, in which `PARTITION` and `ACCOUNT` stand for the registry's.
    pub on: &'static str,
    /// The condition that it is allowed under: operator, key and value.
    pub only: Option<(&'static str, &'static str, &'static str)>,
    /// Who has to be allowed it.
    pub holder: Holder,
    /// When AWS asks for it.
    pub when: &'static str,
    /// AWS's page about it.
    pub page: &'static str,
}

/// Who makes a dependent call.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Holder {
    /// The operator's own role.
    Hub,
    /// The target role, where it is used for this.
    Target(Need),
    /// A role that AWS keeps and gives the right itself: nothing is to be allowed.
    ServiceLinkedRole,
}

const REPOSITORY: &str = "arn:PARTITION:ecr:*:ACCOUNT:repository/*";
const ROLE: &str = "arn:PARTITION:iam::ACCOUNT:role/*";
const KEY: &str = "arn:PARTITION:kms:*:ACCOUNT:key/*";
const SECRET: &str = "arn:PARTITION:secretsmanager:*:ACCOUNT:secret:ecr-pullthroughcache/*";
const PASSED: &str = "iam:PassedToService";
const SERVICE: &str = "iam:AWSServiceName";
const ENCRYPTION: &str =
    "https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html";
const CACHE_IAM: &str =
    "https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html";
const ENHANCED: &str =
    "https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-enhanced-iam.html";
const TEMPLATES: &str = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-create.html";

/// All of them. `secretsmanager:GetSecretValue` is in the policy of AWS's own service-linked role, so no
/// role of yours needs it.
#[rustfmt::skip] // a table
pub const DEPENDENT: &[Dependent] = &[
    Dependent { of: "AssumeRole", action: "sts:TagSession", on: ROLE, only: None, holder: Hub,
        when: "always: the session bears the cluster as a tag",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html" },
    Dependent { of: "CreateRepository", action: "kms:DescribeKey", on: KEY, only: VIA_ECR, holder: Target(Need::Encrypt),
        when: "a repository is encrypted with a key of your own", page: ENCRYPTION },
    Dependent { of: "CreateRepository", action: "kms:CreateGrant", on: KEY, only: VIA_ECR, holder: Target(Need::Encrypt),
        when: "a repository is encrypted with a key of your own", page: ENCRYPTION },
    Dependent { of: "CreateRepository", action: "kms:RetireGrant", on: KEY, only: VIA_ECR, holder: Target(Need::Encrypt),
        when: "a repository is encrypted with a key of your own", page: ENCRYPTION },
    Dependent { of: "CreateRepository", action: "ecr:TagResource", on: REPOSITORY, only: None, holder: Target(Need::Write),
        when: "always: owner tags are put by the same call",
        page: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-supported-iam-actions-tagging.html" },
    Dependent { of: "BatchGetImage", action: "ecr:BatchImportUpstreamImage", on: REPOSITORY, only: None, holder: Target(Need::Prewarm),
        when: "an image that the cache does not have is prewarmed", page: CACHE_IAM },
    Dependent { of: "BatchGetImage", action: "ecr:CreateRepository", on: REPOSITORY, only: None, holder: Target(Need::Prewarm),
        when: "the cache does not have its repository either", page: CACHE_IAM },
    Dependent { of: "CreatePullThroughCacheRule", action: "iam:CreateServiceLinkedRole",
        on: "arn:PARTITION:iam::ACCOUNT:role/aws-service-role/pullthroughcache.ecr.amazonaws.com/AWSServiceRoleForECRPullThroughCache",
        only: Some(("StringEquals", SERVICE, "pullthroughcache.ecr.amazonaws.com")), holder: Target(Need::Caches),
        when: "it is the first rule of the account",
        page: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/slr-pullthroughcache.html" },
    Dependent { of: "CreatePullThroughCacheRule", action: "secretsmanager:GetSecretValue", on: SECRET, only: None, holder: ServiceLinkedRole,
        when: "the upstream wants credentials; the operator reads no secret",
        page: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/slr-pullthroughcache.html" },
    Dependent { of: "CreatePullThroughCacheRule", action: "iam:PassRole", on: ROLE,
        only: Some(("StringEquals", PASSED, "pullthroughcache.ecr.amazonaws.com")), holder: Target(Need::Caches),
        when: "the upstream is the ECR of another account, and the rule names a role",
        page: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-private.html" },
    Dependent { of: "CreateRepositoryCreationTemplate", action: "iam:CreateServiceLinkedRole",
        on: "arn:PARTITION:iam::ACCOUNT:role/aws-service-role/ecr.amazonaws.com/AWSServiceRoleForECRTemplate",
        only: Some(("StringEquals", SERVICE, "ecr.amazonaws.com")), holder: Target(Need::Templates),
        when: "it is the first template of the account",
        page: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/slr-rct.html" },
    Dependent { of: "CreateRepositoryCreationTemplate", action: "iam:PassRole", on: ROLE,
        only: Some(("StringEquals", PASSED, "ecr.amazonaws.com")), holder: Target(Need::Templates),
        when: "the template has tags or a key, and so names a role", page: TEMPLATES },
    Dependent { of: "PutReplicationConfiguration", action: "iam:CreateServiceLinkedRole",
        on: "arn:PARTITION:iam::ACCOUNT:role/aws-service-role/replication.ecr.amazonaws.com/AWSServiceRoleForECRReplication",
        only: Some(("StringEquals", SERVICE, "replication.ecr.amazonaws.com")), holder: Target(Need::Put(Replication)),
        when: "it is the first replication of the account",
        page: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/slr-replication.html" },
    Dependent { of: "PutRegistryScanningConfiguration", action: "inspector2:Enable", on: "*", only: None, holder: Target(Need::Put(Scanning)),
        when: "scanType becomes ENHANCED", page: ENHANCED },
    Dependent { of: "PutRegistryScanningConfiguration", action: "inspector2:Disable", on: "*", only: None, holder: Target(Need::Put(Scanning)),
        when: "scanType becomes BASIC again", page: ENHANCED },
    Dependent { of: "PutRegistryScanningConfiguration", action: "iam:CreateServiceLinkedRole",
        on: "arn:PARTITION:iam::ACCOUNT:role/aws-service-role/inspector2.amazonaws.com/AWSServiceRoleForAmazonInspector2",
        only: Some(("StringEquals", SERVICE, "inspector2.amazonaws.com")), holder: Target(Need::Put(Scanning)),
        when: "the account uses Amazon Inspector for the first time", page: ENHANCED },
];

/// Keys are used through ECR only.
const VIA_ECR: Option<(&str, &str, &str)> =
    Some(("StringLike", "kms:ViaService", "ecr.*.amazonaws.com*"));

impl Dependent {
    /// The need that the target role is to be allowed it for; `None`: it is another's.
    pub fn need(&self) -> Option<Need> {
        match self.holder {
            Target(need) => Some(need),
            Hub | ServiceLinkedRole => None,
        }
    }
}
