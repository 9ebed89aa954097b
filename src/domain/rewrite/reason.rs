//! Why an image becomes what it becomes, in the words of annotations, metrics and `explain`.

use std::fmt;

/// Why an image was rewritten or kept. Closed, so that it can be a metric's label.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Reason {
    /// Rewritten: an own repository took over its name.
    OwnRepository,
    /// Rewritten: a cache has it.
    PullThrough,
    /// Kept: it is in ECR.
    AlreadyEcr,
    /// Kept: the policy excludes it.
    Excluded,
    /// Kept: nothing leads from it to ECR.
    NoRule,
    /// Kept: two objects claim its name, and neither is known to be older.
    ContestedClaim,
    /// Kept: the own repository does not have it.
    NotPushed,
    /// Kept: the cache does not have it.
    NotCached,
    /// Kept: the cache does not have this digest.
    DigestNotCached,
    /// Kept: the repository that the cache would use is somebody's own.
    RepositoryTaken,
    /// Kept: what is in its repository is not known, or is no longer.
    NotKnown,
    /// Kept: no repository can have the name that it would get.
    NameNotAllowed,
    /// Kept: the pod has credentials of its own for it.
    PullSecret,
    /// Kept: it is not pulled.
    PullPolicyNever,
    /// Kept: it cannot be read.
    NotAReference,
}

impl Reason {
    /// All of them, in the order of the enum.
    pub const ALL: [Self; 15] = [
        Self::OwnRepository,
        Self::PullThrough,
        Self::AlreadyEcr,
        Self::Excluded,
        Self::NoRule,
        Self::ContestedClaim,
        Self::NotPushed,
        Self::NotCached,
        Self::DigestNotCached,
        Self::RepositoryTaken,
        Self::NotKnown,
        Self::NameNotAllowed,
        Self::PullSecret,
        Self::PullPolicyNever,
        Self::NotAReference,
    ];

    /// The word, as it stands in annotations, metrics and output.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OwnRepository => "OwnRepository",
            Self::PullThrough => "PullThrough",
            Self::AlreadyEcr => "AlreadyEcr",
            Self::Excluded => "Excluded",
            Self::NoRule => "NoRule",
            Self::ContestedClaim => "ContestedClaim",
            Self::NotPushed => "NotPushed",
            Self::NotCached => "NotCached",
            Self::DigestNotCached => "DigestNotCached",
            Self::RepositoryTaken => "RepositoryTaken",
            Self::NotKnown => "NotKnown",
            Self::NameNotAllowed => "NameNotAllowed",
            Self::PullSecret => "PullSecret",
            Self::PullPolicyNever => "PullPolicyNever",
            Self::NotAReference => "NotAReference",
        }
    }

    /// One sentence for the person who asks why.
    pub fn explanation(self) -> &'static str {
        match self {
            Self::OwnRepository => "an ImageRepository has taken over this name and has the image",
            Self::PullThrough => "a pull-through cache has the image",
            Self::AlreadyEcr => "the image is in an ECR registry already, which is left alone",
            Self::Excluded => "spec.exclude of the policy names the image",
            Self::NoRule => {
                "no PullThroughRule caches its registry and no ImageRepository migrates from its name"
            }
            Self::ContestedClaim => {
                "more than one ImageRepository of these files migrates from this name, and none is in a cluster yet: the older keeps it there"
            }
            Self::NotPushed => {
                "the ImageRepository does not have the image, so this pull would fail"
            }
            Self::NotCached => {
                "the tag is not cached yet, and trustUpstream of the PullThroughRule is Disabled"
            }
            Self::DigestNotCached => {
                "ECR does not import on a first pull by digest, so this pull would fail"
            }
            Self::RepositoryTaken => {
                "the repository of that name is not the cache's: an ImageRepository asks for it, it \
                 bears an owner's tags, or it is older than the cache"
            }
            Self::NotKnown => {
                "what the repository in ECR holds is not known yet, or was not confirmed for too long"
            }
            Self::NameNotAllowed => {
                "ECR allows no repository of the name that the cache would give it"
            }
            Self::PullSecret => "an imagePullSecret of the pod covers the image's registry",
            Self::PullPolicyNever => {
                "imagePullPolicy is Never: the image is on the node under exactly this name"
            }
            Self::NotAReference => "this is no image reference, so no runtime could pull it",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
