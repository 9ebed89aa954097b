//! The AWS calls that this program makes. The list is closed, so that a metric's labels are bounded
//! and an IAM policy can be checked against it.

/// An enum whose variants are words that people read: in messages, metrics and tables.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$word_doc:meta])* $word:ident,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        pub enum $name {
            $($(#[$word_doc])* $word,)+
        }

        impl $name {
            /// All of them, in order.
            pub const ALL: &[Self] = &[$(Self::$word,)+];

            /// The word itself.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$word => stringify!($word),)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use words;

words!(
    /// One AWS API operation, named as AWS names it.
    Operation {
        /// STS: who are we.
        GetCallerIdentity,
        /// IAM: what a role's policies allow.
        SimulatePrincipalPolicy,
        /// Tagging: the tags of 100 repositories.
        GetResources,
        /// ECR: repositories, by page or by name.
        DescribeRepositories,
        /// ECR: the tags of one repository.
        ListTagsForResource,
        /// ECR: its repository policy.
        GetRepositoryPolicy,
        /// ECR: its lifecycle policy.
        GetLifecyclePolicy,
        /// ECR: compute what a lifecycle policy would take; it takes nothing.
        StartLifecyclePolicyPreview,
        /// ECR: what it would take, by page.
        GetLifecyclePolicyPreview,
        /// ECR: whether it holds images.
        ListImages,
        /// ECR: its images.
        DescribeImages,
        /// ECR: an image's manifest; on a cache repository this imports it.
        BatchGetImage,
        /// ECR: delete images.
        BatchDeleteImage,
        /// ECR: make a repository.
        CreateRepository,
        /// ECR: delete a repository.
        DeleteRepository,
        /// ECR: set tag mutability.
        PutImageTagMutability,
        /// ECR: set scan on push.
        PutImageScanningConfiguration,
        /// ECR: put the repository policy.
        SetRepositoryPolicy,
        /// ECR: take the repository policy off.
        DeleteRepositoryPolicy,
        /// ECR: put the lifecycle policy.
        PutLifecyclePolicy,
        /// ECR: take the lifecycle policy off.
        DeleteLifecyclePolicy,
        /// ECR: add or change tags.
        TagResource,
        /// ECR: remove tags.
        UntagResource,
        /// ECR: pull-through cache rules, by page.
        DescribePullThroughCacheRules,
        /// ECR: make a pull-through cache rule.
        CreatePullThroughCacheRule,
        /// ECR: change a rule's credentials or role.
        UpdatePullThroughCacheRule,
        /// ECR: whether a rule reaches its upstream.
        ValidatePullThroughCacheRule,
        /// ECR: repository creation templates, by page.
        DescribeRepositoryCreationTemplates,
        /// ECR: make a repository creation template.
        CreateRepositoryCreationTemplate,
        /// ECR: change a repository creation template.
        UpdateRepositoryCreationTemplate,
        /// ECR: delete a repository creation template.
        DeleteRepositoryCreationTemplate,
        /// ECR: the replication configuration.
        DescribeRegistry,
        /// ECR: put the replication configuration. The first one of an account makes a service-linked role.
        PutReplicationConfiguration,
        /// ECR: the scanning configuration.
        GetRegistryScanningConfiguration,
        /// ECR: put the scanning configuration.
        PutRegistryScanningConfiguration,
        /// ECR: the signing configuration.
        GetSigningConfiguration,
        /// ECR: put the signing configuration.
        PutSigningConfiguration,
        /// ECR: take the signing configuration off.
        DeleteSigningConfiguration,
        /// ECR: the registry policy.
        GetRegistryPolicy,
        /// ECR: put the registry policy.
        PutRegistryPolicy,
        /// ECR: take the registry policy off.
        DeleteRegistryPolicy,
        /// ECR: one account setting.
        GetAccountSetting,
        /// ECR: put one account setting.
        PutAccountSetting,
        /// ECR: principals whose pulls do not count, by page.
        ListPullTimeUpdateExclusions,
        /// ECR: let a principal's pulls not count.
        RegisterPullTimeUpdateExclusion,
        /// ECR: let them count again.
        DeregisterPullTimeUpdateExclusion,
    }
);

impl Operation {
    /// Whether it changes what is in AWS. Fetching an image through a cache does not count: the cache
    /// does the same for any node that pulls it.
    pub(super) fn changes(self) -> bool {
        match self {
            Self::CreateRepository
            | Self::DeleteRepository
            | Self::BatchDeleteImage
            | Self::PutImageTagMutability
            | Self::PutImageScanningConfiguration
            | Self::SetRepositoryPolicy
            | Self::DeleteRepositoryPolicy
            | Self::PutLifecyclePolicy
            | Self::DeleteLifecyclePolicy
            | Self::TagResource
            | Self::UntagResource
            | Self::CreatePullThroughCacheRule
            | Self::UpdatePullThroughCacheRule
            | Self::CreateRepositoryCreationTemplate
            | Self::UpdateRepositoryCreationTemplate
            | Self::DeleteRepositoryCreationTemplate
            | Self::PutReplicationConfiguration
            | Self::PutRegistryScanningConfiguration
            | Self::PutSigningConfiguration
            | Self::DeleteSigningConfiguration
            | Self::PutRegistryPolicy
            | Self::DeleteRegistryPolicy
            | Self::PutAccountSetting
            | Self::RegisterPullTimeUpdateExclusion
            | Self::DeregisterPullTimeUpdateExclusion => true,
            Self::GetCallerIdentity
            | Self::SimulatePrincipalPolicy
            | Self::GetResources
            | Self::DescribeRepositories
            | Self::ListTagsForResource
            | Self::GetRepositoryPolicy
            | Self::GetLifecyclePolicy
            | Self::StartLifecyclePolicyPreview
            | Self::GetLifecyclePolicyPreview
            | Self::ListImages
            | Self::DescribeImages
            | Self::BatchGetImage
            | Self::DescribePullThroughCacheRules
            | Self::ValidatePullThroughCacheRule
            | Self::DescribeRepositoryCreationTemplates
            | Self::DescribeRegistry
            | Self::GetRegistryScanningConfiguration
            | Self::GetSigningConfiguration
            | Self::GetRegistryPolicy
            | Self::GetAccountSetting
            | Self::ListPullTimeUpdateExclusions => false,
        }
    }

    /// The operation of this AWS name, if it is one that we make.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.as_str() == name)
    }
}
