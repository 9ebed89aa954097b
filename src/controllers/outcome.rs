//! The one table from what went wrong to what is shown and when it is tried again. Nothing else
//! picks a requeue.

use std::time::Duration;

use crate::api::conditions::Reason;
use crate::domain::pull_through::Prefix;
use crate::domain::repository::{Because, Desired, MOST_TAGS, Refusal};
use crate::domain::{owner, pull_through, registry, template};
use crate::ecr::ErrorKind;

/// When to come back to an object that nobody asks about.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Retry {
    /// Not at all: an edit, a reference or the sweep asks again.
    WhenAsked,
    /// Rarely: it takes a person, whose act we may not see.
    Patiently,
    /// Soon, then less often.
    BackingOff,
}

impl Retry {
    /// The first delay and the longest one; `None`: wait to be asked.
    pub fn bounds(self) -> Option<(Duration, Duration)> {
        match self {
            Self::WhenAsked => None,
            Self::Patiently => Some((Duration::from_mins(10), Duration::from_mins(10))),
            Self::BackingOff => Some((Duration::from_secs(2), Duration::from_mins(1))),
        }
    }
}

/// Whether an end that is not success heals by itself.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cure {
    /// Trying again may do.
    Time,
    /// Somebody has to change something.
    Person,
}

/// What a failed call means: the word for it, who can help, and when to try again.
pub fn of_error(kind: ErrorKind) -> (Reason, Cure, Retry) {
    match kind {
        ErrorKind::Throttled => (Reason::Throttled, Cure::Time, Retry::BackingOff),
        ErrorKind::Unavailable | ErrorKind::Refused => {
            (Reason::Unreachable, Cure::Time, Retry::BackingOff)
        }
        // Rights are granted without our seeing it, so these are asked again within a minute.
        ErrorKind::AccessDenied
        | ErrorKind::AssumeRoleDenied
        | ErrorKind::CredentialsRejected
        | ErrorKind::Kms => (Reason::AccessDenied, Cure::Person, Retry::BackingOff),
        ErrorKind::WrongAccount => (Reason::IdentityMismatch, Cure::Person, Retry::BackingOff),
        ErrorKind::LimitExceeded => (Reason::LimitExceeded, Cure::Person, Retry::Patiently),
        ErrorKind::InvalidParameter => (Reason::Rejected, Cure::Person, Retry::Patiently),
        // Each of these is a state that the driver handles; left over, the world moved meanwhile.
        ErrorKind::NotFound | ErrorKind::AlreadyExists | ErrorKind::NotEmpty => {
            (Reason::Progressing, Cure::Time, Retry::BackingOff)
        }
        // Never shown: who does not lead writes no status either. The next leader goes on.
        ErrorKind::NotLeading => (Reason::Progressing, Cure::Time, Retry::BackingOff),
        ErrorKind::Unexpected => (Reason::Failed, Cure::Time, Retry::BackingOff),
    }
}

/// What a refusal means, and the sentence for it that says what to do.
pub fn of_refusal(refusal: &Refusal) -> (Reason, String) {
    match refusal {
        Refusal::NotAdopted => (
            Reason::NotAdopted,
            "a repository of this name exists and bears no owner tag: set adoptionPolicy to \
             IfUnowned to manage it, or choose another repositoryName"
                .to_owned(),
        ),
        Refusal::OwnedByAnother(owner) => (
            Reason::Conflict,
            format!(
                "the repository belongs to {owner}: remove one of the two objects, or choose \
                 another repositoryName"
            ),
        ),
        Refusal::MayBeCached { prefix, mark } => may_be_cached(prefix, mark),
        Refusal::EncryptionImmutable => (
            Reason::Immutable,
            "ECR keeps a repository's encryption for life: push to a new repository, or take \
             encryption out of the spec"
                .to_owned(),
        ),
        Refusal::PrincipalsGone(arns) => (
            Reason::DanglingPrincipal,
            format!(
                "deleted in IAM, which shows unique ids in their place: {}; take them out of \
                 access, and put back in what exists again",
                Vec::from_iter(arns.iter().map(String::as_str)).join(", ")
            ),
        ),
        Refusal::Contested(operation) => (
            Reason::Contested,
            format!(
                "{operation} was made three times within the hour and undone each time: find who \
                 else writes to this repository (CloudTrail names them), then edit the object to \
                 try at once"
            ),
        ),
        Refusal::TooManyTags { others, asked } => (
            Reason::LimitExceeded,
            format!(
                "{others} tags of others and {asked} of ours are more than the {MOST_TAGS} that ECR \
                 takes: take some out of spec.tags, or off the repository"
            ),
        ),
        Refusal::Missing => (
            Reason::Missing,
            "the repository does not exist, and this cluster only observes: the managing cluster \
             has to make it"
                .to_owned(),
        ),
        Refusal::ImageInUse(in_use) => (
            Reason::ImageInUse,
            format!(
                "the lifecycle policy in force takes an image in use within a day: {in_use}; keep \
                 more images, or take the policy off"
            ),
        ),
    }
}

fn may_be_cached(prefix: &Prefix, mark: &str) -> (Reason, String) {
    let key = owner::RELEASED_BY;
    let message = format!(
        "nobody owns the repository, and the pull-through cache with prefix {prefix} may have made it, \
         so pods may pull an upstream's images from it: choose another repositoryName, or, if it is \
         not the cache's, tag it with {key}={mark}"
    );
    (Reason::Conflict, message)
}

/// When to ask again about a refusal that nobody may tell us the end of.
pub fn retry_of_refusal(refusal: &Refusal) -> Retry {
    match refusal {
        Refusal::ImageInUse(_) => Retry::Patiently, // pods come and go
        Refusal::NotAdopted
        | Refusal::OwnedByAnother(_)
        | Refusal::MayBeCached { .. }
        | Refusal::EncryptionImmutable
        | Refusal::Missing
        | Refusal::PrincipalsGone(_)
        | Refusal::TooManyTags { .. }
        | Refusal::Contested(_) => Retry::WhenAsked,
    }
}

/// What a held change means, who can help, when to try again, and the sentence that says what to do.
pub fn of_held(because: &Because, desired: &Desired) -> (Reason, Cure, Retry, String) {
    let policy = format!("LifecyclePolicy {}", desired.safety.policy);
    match because {
        Because::NotPreviewed => {
            let message = format!("ECR's preview of {policy} is under way");
            (Reason::Progressing, Cure::Time, Retry::BackingOff, message)
        }
        Because::UsageNotKnown => {
            let message = format!("{policy} waits until it is known which images pods use");
            (Reason::Progressing, Cure::Time, Retry::BackingOff, message)
        }
        Because::OverBudget {
            counts,
            budget,
            ask,
        } => {
            let message = format!(
                "{policy} is not put: it {counts}, and may expire {budget} at most; to approve up to \
                 {ask} here, copy its status.hash into its spec.safety.approvedHash"
            );
            let reason = Reason::LifecycleOverBudget;
            (reason, Cure::Person, Retry::Patiently, message)
        }
        Because::InUse(in_use) => {
            let message = format!(
                "{policy} is not put while pods use what it would take: {in_use}; keep more images"
            );
            (Reason::ImageInUse, Cure::Person, Retry::Patiently, message)
        }
        Because::Suspending(in_use) => {
            let message = format!("{policy} is taken off: {in_use}");
            (Reason::ImageInUse, Cure::Person, Retry::BackingOff, message)
        }
        Because::Suspended(in_use) => {
            let found = in_use
                .as_ref()
                .map_or(String::new(), |it| format!(": {it}"));
            let message = format!(
                "{policy} was taken off, since it was about to take an image in use{found}; it \
                 stays off until its spec is edited"
            );
            (Reason::ImageInUse, Cure::Person, Retry::WhenAsked, message)
        }
    }
}

/// What a refusal of a cache rule means; its own sentence says the rest.
pub fn of_rule_refusal(refusal: &pull_through::Refusal) -> Reason {
    match refusal {
        pull_through::Refusal::Immutable { .. } => Reason::Immutable,
        pull_through::Refusal::Overlap { .. } | pull_through::Refusal::Foreign { .. } => {
            Reason::Conflict
        }
        pull_through::Refusal::TooManyRules => Reason::LimitExceeded,
        pull_through::Refusal::Missing(_) => Reason::Missing,
    }
}

/// What a refusal of a repository creation template means; its own sentence says the rest.
pub fn of_template_refusal(refusal: &template::Refusal) -> Reason {
    match refusal {
        template::Refusal::Foreign { .. } | template::Refusal::Managed { .. } => Reason::Conflict,
        template::Refusal::Missing(_) => Reason::Missing,
    }
}

/// What a refusal about what a registry has one of means.
pub fn of_setting_refusal(refusal: &registry::Refusal) -> Reason {
    match refusal {
        registry::Refusal::TooMany { .. } => Reason::LimitExceeded,
        registry::Refusal::ForeignFrequency { .. } => Reason::Conflict,
        registry::Refusal::Unreadable(_) => Reason::Failed,
    }
}

#[cfg(test)]
mod tests;
