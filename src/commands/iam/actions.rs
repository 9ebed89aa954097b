//! The two tables that every policy is made from: which IAM action each AWS call needs, and what
//! else AWS asks for on the way. A call that is missing here does not compile.

use crate::ecr::Operation;

use Holder::{Hub, ServiceLinkedRole, Target};

/// A service of AWS, and its page about which resources and conditions its actions know.
struct Service {
    prefix: &'static str,
    page: &'static str,
}

const ECR: Service = Service {
    prefix: "ecr",
    page: "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html",
};
const IAM: Service = Service {
    prefix: "iam",
    page: "https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html",
};
const TAGGING: Service = Service {
    prefix: "tag",
    page: "https://docs.aws.amazon.com/service-authorization/latest/reference/list_resourcegroupstaggingapi.html",
};
/// Nobody has to be allowed to ask who they are.
const STS: Service = Service {
    prefix: "sts",
    page: "https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html",
};

/// What a role has to be allowed for one call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Right {
    /// The IAM action.
    pub action: String,
    /// The resources that it is allowed on.
    pub on: On,
    /// The statement that it stands in.
    pub part: Part,
    /// AWS's page about it.
    pub page: &'static str,
}

/// The resources of an action.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum On {
    /// Nobody has to be allowed it.
    Nothing,
    /// Everything: the action knows no resources, or it lists them.
    Anything,
    /// The repositories of the account.
    Repositories,
    /// The roles of the account.
    Roles,
}

/// A statement of the target role's policy, which is there where it is needed.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Part {
    /// Looking: always there.
    Read,
    /// Making and changing repositories: always there.
    Repositories,
    /// Deleting repositories: where the environment has `allowDelete`.
    Deletion,
    /// Pull-through caches: where a `PullThroughRule` names the environment.
    Caches,
    /// Writing settings of the registry: where the environment has some, or a repository replicates.
    Registry,
}

impl Part {
    /// The statement's `Sid`.
    pub fn sid(self) -> &'static str {
        match self {
            Self::Read => "Read",
            Self::Repositories => "Repositories",
            Self::Deletion => "Deletion",
            Self::Caches => "Caches",
            Self::Registry => "Registry",
        }
    }
}

/// What has to be allowed for a call: the action of the same name, on these resources.
pub fn right(operation: Operation) -> Right {
    use Operation as Call;
    let (service, on, part) = match operation {
        Call::GetCallerIdentity => (&STS, On::Nothing, Part::Read),
        Call::SimulatePrincipalPolicy => (&IAM, On::Roles, Part::Read),
        Call::GetResources => (&TAGGING, On::Anything, Part::Read),
        Call::DescribeRepositories
        | Call::ListTagsForResource
        | Call::GetRepositoryPolicy
        | Call::GetLifecyclePolicy
        | Call::ListImages
        | Call::DescribeImages
        | Call::DescribePullThroughCacheRules
        | Call::DescribeRepositoryCreationTemplates
        | Call::DescribeRegistry
        | Call::GetRegistryScanningConfiguration
        | Call::GetSigningConfiguration
        | Call::GetRegistryPolicy
        | Call::GetAccountSetting
        | Call::ListPullTimeUpdateExclusions => (&ECR, On::Anything, Part::Read),
        Call::CreateRepository
        | Call::PutImageTagMutability
        | Call::PutImageScanningConfiguration
        | Call::SetRepositoryPolicy
        | Call::DeleteRepositoryPolicy
        | Call::PutLifecyclePolicy
        | Call::DeleteLifecyclePolicy
        | Call::TagResource
        | Call::UntagResource => (&ECR, On::Repositories, Part::Repositories),
        Call::DeleteRepository => (&ECR, On::Repositories, Part::Deletion),
        Call::BatchGetImage => (&ECR, On::Repositories, Part::Caches),
        // Actions on what a registry has, and not a repository, know no resources.
        Call::CreatePullThroughCacheRule
        | Call::UpdatePullThroughCacheRule
        | Call::ValidatePullThroughCacheRule
        | Call::CreateRepositoryCreationTemplate
        | Call::UpdateRepositoryCreationTemplate
        | Call::DeleteRepositoryCreationTemplate => (&ECR, On::Anything, Part::Caches),
        Call::PutReplicationConfiguration
        | Call::PutRegistryScanningConfiguration
        | Call::PutSigningConfiguration
        | Call::DeleteSigningConfiguration
        | Call::PutRegistryPolicy
        | Call::DeleteRegistryPolicy
        | Call::PutAccountSetting
        | Call::RegisterPullTimeUpdateExclusion
        | Call::DeregisterPullTimeUpdateExclusion => (&ECR, On::Anything, Part::Registry),
    };
    Right {
        action: format!("{}:{operation}", service.prefix),
        on,
        part,
        page: service.page,
    }
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
    Target(Part),
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
const TEMPLATES: &str = "https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates-create.html";

/// All of them.
#[rustfmt::skip] // a table
pub const DEPENDENT: &[Dependent] = &[
    Dependent { of: "AssumeRole", action: "sts:TagSession", on: ROLE, only: None, holder: Hub,
        when: "always: the session bears the cluster as a tag",
        page: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html" },
    Dependent { of: "CreateRepository", action: "kms:DescribeKey", on: KEY, only: VIA_ECR, holder: Target(Part::Repositories),
        when: "a repository is encrypted with a key of your own", page: ENCRYPTION },
    Dependent { of: "CreateRepository", action: "kms:CreateGrant", on: KEY, only: VIA_ECR, holder: Target(Part::Repositories),
        when: "a repository is encrypted with a key of your own", page: ENCRYPTION },
    Dependent { of: "CreateRepository", action: "kms:RetireGrant", on: KEY, only: VIA_ECR, holder: Target(Part::Repositories),
        when: "a repository is encrypted with a key of your own", page: ENCRYPTION },
    Dependent { of: "BatchGetImage", action: "ecr:BatchImportUpstreamImage", on: REPOSITORY, only: None, holder: Target(Part::Caches),
        when: "an image that the cache does not have is prewarmed", page: CACHE_IAM },
    Dependent { of: "CreatePullThroughCacheRule", action: "iam:CreateServiceLinkedRole",
        on: "arn:PARTITION:iam::ACCOUNT:role/aws-service-role/pullthroughcache.ecr.amazonaws.com/AWSServiceRoleForECRPullThroughCache",
        only: Some(("StringEquals", SERVICE, "pullthroughcache.ecr.amazonaws.com")), holder: Target(Part::Caches),
        when: "it is the first rule of the account",
        page: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/slr-pullthroughcache.html" },
    Dependent { of: "CreatePullThroughCacheRule", action: "secretsmanager:GetSecretValue", on: SECRET, only: None, holder: ServiceLinkedRole,
        when: "the upstream wants credentials; the operator reads no secret",
        page: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/slr-pullthroughcache.html" },
    Dependent { of: "CreatePullThroughCacheRule", action: "iam:PassRole", on: ROLE,
        only: Some(("StringEquals", PASSED, "pullthroughcache.ecr.amazonaws.com")), holder: Target(Part::Caches),
        when: "the upstream is the ECR of another account, and the rule names a role",
        page: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-private.html" },
    Dependent { of: "CreateRepositoryCreationTemplate", action: "iam:CreateServiceLinkedRole",
        on: "arn:PARTITION:iam::ACCOUNT:role/aws-service-role/ecr.amazonaws.com/AWSServiceRoleForECRTemplate",
        only: Some(("StringEquals", SERVICE, "ecr.amazonaws.com")), holder: Target(Part::Caches),
        when: "it is the first template of the account",
        page: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/slr-rct.html" },
    Dependent { of: "CreateRepositoryCreationTemplate", action: "iam:PassRole", on: ROLE,
        only: Some(("StringEquals", PASSED, "ecr.amazonaws.com")), holder: Target(Part::Caches),
        when: "the template has tags or a key, and so names a role", page: TEMPLATES },
    Dependent { of: "PutReplicationConfiguration", action: "iam:CreateServiceLinkedRole",
        on: "arn:PARTITION:iam::ACCOUNT:role/aws-service-role/replication.ecr.amazonaws.com/AWSServiceRoleForECRReplication",
        only: Some(("StringEquals", SERVICE, "replication.ecr.amazonaws.com")), holder: Target(Part::Registry),
        when: "it is the first replication of the account",
        page: "https://docs.aws.amazon.com/AmazonECR/latest/userguide/slr-replication.html" },
];

/// Keys are used through ECR only.
const VIA_ECR: Option<(&str, &str, &str)> =
    Some(("StringLike", "kms:ViaService", "ecr.*.amazonaws.com*"));
