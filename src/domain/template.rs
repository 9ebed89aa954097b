//! Repository creation templates: what ECR gives the repositories that a cache makes. A template
//! bears no tags, so ours is known by its description, or by being what status says that we put.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html>

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

use super::owner::{self, Owner};
use super::pull_through::{Prefix, RoleArn};
use super::repository::{Encryption, Management, Mutability, Reading, Setting};
use super::{json, lifecycle, policy};

mod plan;

pub use plan::{Change, Plan, Refusal, plan};

/// What a template of ours is for, in ECR's word, and for nothing else.
pub const APPLIED_FOR: &str = "PULL_THROUGH_CACHE";

/// How the description of a template begins that an object manages, of whatever cluster.
const SIGNED: &str = "managed by ecr-operator.dev: ";

/// The longest description that ECR takes.
const LONGEST_DESCRIPTION: usize = 256;

/// What should be under one prefix of one registry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Desired {
    /// Whether anything may be written at all.
    pub management: Management,
    /// The cache's own prefix: a template applies to all below it.
    pub prefix: Prefix,
    /// The object on whose behalf it is managed.
    pub owner: Owner,
    /// The settings; [`Setting::Absent`] where we put some once that nobody asks for any more.
    pub settings: Setting<Settings>,
    /// The hash of the [`Settings`] that status says we put there; `None`: none.
    pub recorded: Option<String>,
}

/// What repositories are made with. What is `None` is left to ECR: mutable, AES256, no documents.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settings {
    /// Which tags may be moved.
    pub mutability: Option<Mutability>,
    /// At-rest encryption.
    pub encryption: Option<Encryption>,
    /// The repository policy.
    pub policy: Option<policy::Document>,
    /// The lifecycle policy.
    pub lifecycle: Option<lifecycle::Document>,
    /// Resource tags.
    pub tags: BTreeMap<String, String>,
    /// The role by which ECR makes the repositories.
    pub role: Option<RoleArn>,
}

/// A template as it is sent: the settings, under our name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Template {
    /// Where it applies.
    pub prefix: Prefix,
    /// Whose it is.
    pub description: String,
    /// What repositories are made with.
    pub settings: Settings,
}

/// A template as ECR lists it; anybody's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Observed {
    /// Where it applies.
    pub prefix: Prefix,
    /// What its author says of it.
    pub description: String,
    /// What makes ECR use it, in ECR's words.
    pub applied_for: BTreeSet<String>,
    /// Which tags may be moved.
    pub mutability: Mutability,
    /// At-rest encryption.
    pub encryption: Encryption,
    /// The repository policy; a list has it, so it is never unread.
    pub policy: Reading<policy::Document>,
    /// The lifecycle policy; a list has it, so it is never unread.
    pub lifecycle: Reading<lifecycle::Document>,
    /// Resource tags.
    pub tags: BTreeMap<String, String>,
    /// The ARN of the role by which ECR makes the repositories.
    pub role: Option<String>,
}

impl Settings {
    /// The first setting that ECR carries out only with a role of the account: without one every
    /// first pull would fail.
    pub fn needs_role(&self) -> Option<&'static str> {
        match &self.encryption {
            Some(Encryption::Kms(_) | Encryption::KmsDsse(_)) => Some("encryption"),
            Some(Encryption::Aes256 | Encryption::Other(_)) | None => {
                (!self.tags.is_empty()).then_some("tags")
            }
        }
    }

    /// Whether some tags stay as they were first cached: ECR refreshes a tag by moving it.
    pub fn stops_refreshes(&self) -> bool {
        match &self.mutability {
            None | Some(Mutability::Mutable | Mutability::Other(_)) => false,
            Some(
                Mutability::Immutable
                | Mutability::MutableExcept(_)
                | Mutability::ImmutableExcept(_),
            ) => true,
        }
    }

    /// SHA-256 of all that a user says, in hexadecimal: stands in status for the document, which may
    /// be longer than a status can be.
    pub fn hash(&self) -> String {
        let Self {
            mutability,
            encryption,
            policy,
            lifecycle,
            tags,
            role,
        } = self;
        let tags = of_users(tags);
        let text = format!(
            "{}\n{}\n{}\n{}\n{tags:?}\n{}",
            mutability.as_ref().unwrap_or(&Mutability::Mutable),
            encryption.as_ref().unwrap_or(&Encryption::Aes256),
            policy.as_ref().map_or("", policy::Document::as_str),
            lifecycle.as_ref().map_or("", lifecycle::Document::as_str),
            role.as_ref().map_or("", RoleArn::as_str),
        );
        json::sha256(&text)
    }
}

impl Observed {
    /// What repositories are made with, where this program understands all of it.
    fn settings(&self) -> Option<Settings> {
        fn understood<T: Clone>(reading: &Reading<T>) -> Option<Option<T>> {
            match reading {
                Reading::Present(document) => Some(Some(document.clone())),
                Reading::Absent => Some(None),
                Reading::NotRead | Reading::Foreign(_) => None,
            }
        }
        Some(Settings {
            mutability: Some(self.mutability.clone()),
            encryption: Some(self.encryption.clone()),
            policy: understood(&self.policy)?,
            lifecycle: understood(&self.lifecycle)?,
            tags: self.tags.clone(),
            role: self.role.as_deref().map(str::parse).transpose().ok()?,
        })
    }
}

/// The tags that a user asked for: a template may bear the mark of its cache beside them.
fn of_users(tags: &BTreeMap<String, String>) -> BTreeMap<&String, &String> {
    let tags = tags.iter();
    tags.filter(|(key, _)| !owner::is_reserved(key)).collect()
}

/// The description that says whose a template is. An object's name that would make it longer than
/// ECR takes is given by its hash.
pub fn description(owner: &Owner) -> String {
    format!("{}{}", signature(owner), owner.uid)
}

/// All of the description but the uid, under which the object was made or restored.
fn signature(owner: &Owner) -> String {
    let Owner {
        cluster,
        object,
        uid,
    } = owner;
    let of = |object: &str| format!("{SIGNED}cluster {cluster}, object {object}, uid ");
    let plain = of(object);
    if plain.len() + uid.len() <= LONGEST_DESCRIPTION {
        return plain;
    }
    let hash = Sha256::digest(object.as_bytes());
    let start: String = hash[..16].iter().map(|it| format!("{it:02x}")).collect();
    of(&format!("sha256:{start}"))
}

#[cfg(test)]
mod tests;
