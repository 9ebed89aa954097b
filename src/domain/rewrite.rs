//! What an image reference becomes: the one pure decision that the webhook, `explain` and the demo
//! share. A rewrite leads only to what is known to be pullable, changes nothing but registry and
//! repository, and of its own result says that nothing is left to do. No I/O, no regular
//! expression, no allocation but for the new reference.

use std::fmt;

use super::facts::{Facts, Presence, Wanted};
use super::names::{Registry, RepositoryName};
use super::origin::Origin;
use super::pull_through::Prefix;
use super::reference::Reference;

mod host;
mod name;
mod pattern;
mod reason;
mod source;
mod table;

pub use pattern::{InvalidPattern, Pattern};
pub use reason::Reason;
pub use source::{InvalidSource, Source, registry_host};
pub use table::{Compiled, Contested, Table};

pub(super) use host::ecr_registry;
pub(super) use source::place;

use table::{Candidate, NameOf, Nowhere};

/// The tag that a reference without tag and digest is pulled by. Never written into one.
const DEFAULT_TAG: &str = "latest";

/// What one `ImageAdmissionPolicy` says.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Policy {
    /// Its name.
    pub name: String,
    /// The registry that this cluster's nodes pull from.
    pub registry: Registry,
    /// Whether decisions are carried out; they are the same either way.
    pub mode: Mode,
    /// Images that stay as they are.
    pub exclude: Vec<Pattern>,
    /// What becomes of an image of which nothing is known.
    pub on_unknown: OnUnknown,
}

/// Whether the decisions of a policy are carried out.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mode {
    /// They are only told.
    Audit,
    /// They are.
    Rewrite,
}

/// What becomes of an image whose repository has not been listed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum OnUnknown {
    /// It stays as it is.
    Keep,
    /// It is rewritten, at the risk of a pull that fails.
    Rewrite,
}

/// An old name that an `ImageRepository` takes over (`spec.migratesFrom`).
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Claim {
    /// The object, as `namespace/name`.
    pub object: String,
    /// Its namespace.
    pub namespace: String,
    /// Whose pods it holds for.
    pub scope: Scope,
    /// The old name.
    pub source: Source,
    /// The repository in the policy's registry.
    pub target: RepositoryName,
}

/// Whose pods a claim holds for.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Scope {
    /// Everybody's: the environment grants the old name to the claim's namespace.
    Cluster,
    /// Those of the claim's own namespace.
    Namespace,
}

/// A pull-through cache in the policy's registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cache {
    /// The `PullThroughRule`'s name.
    pub rule: String,
    /// The hosts that references to the upstream name, with their ports if any.
    pub hosts: Vec<String>,
    /// What the cache's repositories begin with.
    pub prefix: Prefix,
    /// What is cached of the upstream; stripped from its names.
    pub upstream_prefix: Prefix,
    /// What becomes of tags that are not cached yet.
    pub trust: Trust,
}

/// Whether an upstream is trusted to deliver what is not cached yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Trust {
    /// Only what is cached is rewritten.
    CachedOnly,
    /// Every tag is: ECR imports it at the first pull, if the node's role may.
    Upstream,
}

/// An image of a pod, and what of the pod decides about it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The reference as it is written.
    pub image: &'a str,
    /// The pod's namespace.
    pub namespace: &'a str,
    /// The container's pull policy.
    pub pull_policy: PullPolicy,
    /// Whether the pod brings its own credentials for the image's host.
    pub credentials: Credentials,
}

/// A container's `imagePullPolicy`, as far as it matters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PullPolicy {
    /// `Never`: the image is on the node under exactly this name.
    Never,
    /// Any other.
    Pulls,
}

/// Whether a pod's pull secrets cover the host that its image is pulled from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Credentials {
    /// They do: the upstream may show this pod what it would not show the cache.
    Covered,
    /// They do not, or there are none.
    NotCovered,
    /// There are some, and for which hosts they are is not known.
    Unknown,
}

/// What becomes of an image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Decision<'t> {
    /// It is pulled from the policy's registry.
    Rewrite {
        /// The new reference; tag and digest are as they were written.
        target: String,
        /// The rule that leads there.
        rule: Rule<'t>,
        /// Why.
        reason: Reason,
    },
    /// It stays as it is.
    Keep {
        /// Why.
        reason: Reason,
        /// The rule that would have led elsewhere, if there is one.
        rule: Option<Rule<'t>>,
    },
}

impl<'t> Decision<'t> {
    /// Why.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Rewrite { reason, .. } | Self::Keep { reason, .. } => *reason,
        }
    }

    /// The rule that it comes from, if there is one.
    pub fn rule(&self) -> Option<Rule<'t>> {
        match self {
            Self::Rewrite { rule, .. } => Some(*rule),
            Self::Keep { rule, .. } => *rule,
        }
    }

    /// The new reference, if there is one.
    pub fn target(&self) -> Option<&str> {
        match self {
            Self::Rewrite { target, .. } => Some(target),
            Self::Keep { .. } => None,
        }
    }
}

/// The object that a rewrite comes from. Displays as its kind and name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Rule<'t> {
    /// A claim of the `ImageRepository` of this `namespace/name`.
    ImageRepository(&'t str),
    /// The cache of the `PullThroughRule` of this name.
    PullThroughRule(&'t str),
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ImageRepository(name) => write!(f, "ImageRepository {name}"),
            Self::PullThroughRule(name) => write!(f, "PullThroughRule {name}"),
        }
    }
}

/// What `policy` makes of one image, given what is known of its registry's.
pub fn decide<'t>(policy: &'t Compiled, facts: &Facts, asked: &Asked<'_>) -> Decision<'t> {
    let Ok(image) = Reference::parse(asked.image) else {
        return keep(Reason::NotAReference);
    };
    if host::is_ecr(image.domain()) {
        return keep(Reason::AlreadyEcr);
    }
    if asked.pull_policy == PullPolicy::Never {
        return keep(Reason::PullPolicyNever);
    }
    let candidate = match policy.find(&image, asked.namespace) {
        Ok(candidate) => candidate,
        Err(Nowhere { reason, rule }) => return Decision::Keep { reason, rule },
    };
    let rule = candidate.rule;
    if let Some(reason) = obstacle(policy, facts, &candidate, &image, asked.credentials) {
        let rule = Some(rule);
        return Decision::Keep { reason, rule };
    }
    Decision::Rewrite {
        target: target(policy.host(), candidate.repository.as_str(), &image),
        rule,
        reason: match rule {
            Rule::ImageRepository(_) => Reason::OwnRepository,
            Rule::PullThroughRule(_) => Reason::PullThrough,
        },
    }
}

fn keep<'t>(reason: Reason) -> Decision<'t> {
    Decision::Keep { reason, rule: None }
}

/// A runtime that is given both pulls by the digest and never looks at the tag.
fn wanted<'a>(image: &Reference<'a>) -> Wanted<'a> {
    match image.digest() {
        Some(digest) => Wanted::Digest(digest),
        None => Wanted::Tag(image.tag().unwrap_or(DEFAULT_TAG)),
    }
}

/// Why an image is not pulled from where its rule leads, if it is not.
fn obstacle(
    policy: &Compiled,
    facts: &Facts,
    candidate: &Candidate<'_>,
    image: &Reference<'_>,
    credentials: Credentials,
) -> Option<Reason> {
    let wanted = wanted(image);
    let name = candidate.repository.as_str();
    let presence = facts.presence(policy.registry(), name, wanted);
    let origin = facts.origin(policy.registry(), name);
    match (candidate.rule, presence, wanted) {
        // What a pod may pull with its own credentials is not the cache's to hand out. A claim says
        // itself that the image has moved, and old registries are private more often than not.
        (Rule::PullThroughRule(_), ..) if credentials == Credentials::Covered => {
            Some(Reason::PullSecret)
        }
        // Whoever owns it decides what is in it: its images are not the upstream's.
        (Rule::PullThroughRule(_), ..) if is_taken(candidate.name, origin) => {
            Some(Reason::RepositoryTaken)
        }
        (_, Presence::Active, _) => None,
        (Rule::ImageRepository(_), Presence::Absent, _) => Some(Reason::NotPushed),
        // ECR imports by tag: https://github.com/aws/containers-roadmap/issues/2837.
        (Rule::PullThroughRule(_), _, Wanted::Digest(_)) => Some(Reason::DigestNotCached),
        (Rule::PullThroughRule(_), ..) if candidate.trust == Trust::Upstream => {
            on_trust(candidate.rule, credentials)
        }
        (Rule::PullThroughRule(_), Presence::Absent, _) => Some(Reason::NotCached),
        (_, Presence::Unknown, _) => match policy.on_unknown() {
            OnUnknown::Keep => Some(Reason::NotKnown),
            OnUnknown::Rewrite => on_trust(candidate.rule, credentials),
        },
    }
}

/// Whether the repository of a cached image is somebody's own.
fn is_taken(name: NameOf, origin: Origin) -> bool {
    match (origin, name) {
        (Origin::Somebody, _) | (Origin::Unmarked, NameOf::AnObject) => true,
        // Who asks for the name of what a cache has made does not get it.
        (Origin::Cache, _) | (Origin::Unmarked, NameOf::Nobody) => false,
    }
}

/// Why an image that nobody saw in ECR is not rewritten after all: what may open its upstream is
/// perhaps the pod's own secret alone, and then the cache could not import it.
fn on_trust(rule: Rule<'_>, credentials: Credentials) -> Option<Reason> {
    match (rule, credentials) {
        (Rule::PullThroughRule(_), Credentials::Unknown) => Some(Reason::PullSecret),
        _ => None,
    }
}

fn target(host: &str, repository: &str, image: &Reference<'_>) -> String {
    let tag = image.tag().map_or(["", ""], |it| [":", it]);
    let digest = image.digest().map_or(["", ""], |it| ["@", it]);
    [host, "/", repository, tag[0], tag[1], digest[0], digest[1]].concat()
}

#[cfg(test)]
mod tests;
