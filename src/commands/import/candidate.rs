//! The objects that repositories could have, before it is looked at what they would change: each
//! under a name of its own, or the one that asks for the repository in other environments.

use std::collections::BTreeSet;

use kube::ResourceExt;

use super::found::Found;
use super::lifecycle::Lifecycles;
use super::manifest::Imported;
use super::registry;
use super::repository;
use super::review::Ask;
use crate::api::image_repository::AdoptionPolicy;
use crate::api::{ImageRepository, ImageRepositorySpec};
use crate::desired::World;
use crate::domain::RepositoryName;
use crate::domain::owner::{self, Owner, Ownership};
use crate::domain::pull_through::Prefix;
use crate::domain::repository::Observed;

/// What a repository's tags may be, with the owner's.
const MOST_TAGS: usize = 50;

/// A repository for which there is to be an object.
pub(super) struct Candidate {
    pub(super) object: ImageRepository,
    pub(super) remarks: Vec<String>,
    pub(super) name: RepositoryName,
    /// The object was there already, for other environments.
    pub(super) is_there: bool,
}

/// An object for each repository that can have one.
pub(super) fn all(
    ask: &Ask<'_>,
    world: &World,
    found: &Found,
    (lifecycles, imported): (&mut Lifecycles, &mut Imported),
) -> Vec<Candidate> {
    let home = ask.environment.home();
    let caches = found.rules[home].keys().filter(|it| **it != Prefix::Root);
    let caches: Vec<&Prefix> = caches.collect();
    let mut taken: BTreeSet<(String, String)> = world
        .repositories()
        .map(|it| (it.namespace().unwrap_or_default(), it.name_any()))
        .collect();
    let mut candidates = Vec::new();
    for (name, observed) in found.repositories.iter() {
        let what = || format!("repository {name}");
        if let Some(prefix) = caches.iter().find(|it| it.covers(name)) {
            imported.leave_out(what(), format!("the cache rule {prefix} makes it"));
            continue;
        }
        let there = match claimant(ask, world, name) {
            Ok(there) => there,
            Err(why) => {
                imported.leave_out(what(), why);
                continue;
            }
        };
        let is_there = there.is_some();
        let mut object = there.unwrap_or_else(|| object(ask, name, &mut taken));
        if let Err(why) = may_adopt(&object, ask, observed) {
            imported.leave_out(what(), why);
            continue;
        }
        let defaults = world.environment(ask.environment.name.as_str());
        let defaults = defaults.and_then(|it| it.spec.defaults.as_ref());
        let (mut settings, mut remarks) =
            repository::settings(observed, home, defaults, lifecycles);
        settings.environment = ask.environment.name.to_string();
        settings.replication = registry::replication(name, ask.environment, found);
        remarks.splice(0..0, ask.added(is_there));
        match is_there {
            true => repository::add_to(&mut object.spec, settings),
            false => repository::put_on(&mut object.spec, settings),
        }
        candidates.push(Candidate {
            object,
            remarks,
            name: name.clone(),
            is_there,
        });
    }
    candidates
}

/// The object that asks for the repository in other environments; an error if one does in this.
fn claimant(
    ask: &Ask<'_>,
    world: &World,
    name: &RepositoryName,
) -> Result<Option<ImageRepository>, String> {
    let here = ask.environment.name.to_string();
    let claimants = world.claimants(name.as_str());
    if let Some(it) = claimants
        .iter()
        .find(|it| it.spec.environments.contains(&here))
    {
        let namespace = it.namespace().unwrap_or_default();
        let object = it.name_any();
        return Err(format!(
            "ImageRepository {namespace}/{object} asks for it already"
        ));
    }
    Ok(claimants.first().map(|it| {
        let mut object = written(ImageRepository::clone(it));
        object.spec.adoption_policy = AdoptionPolicy::IfUnowned;
        object
    }))
}

/// What of an object stands in a file.
pub(super) fn written<K: kube::Resource>(mut object: K) -> K {
    let meta = std::mem::take(object.meta_mut());
    let mut annotations = meta.annotations.unwrap_or_default();
    annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    *object.meta_mut() = kube::api::ObjectMeta {
        name: meta.name,
        namespace: meta.namespace,
        labels: meta.labels,
        annotations: (!annotations.is_empty()).then_some(annotations),
        ..kube::api::ObjectMeta::default()
    };
    object
}

/// A new object for the repository, under a name that is free.
fn object(
    ask: &Ask<'_>,
    name: &RepositoryName,
    taken: &mut BTreeSet<(String, String)>,
) -> ImageRepository {
    let (first, rest) = name
        .as_str()
        .split_once('/')
        .unwrap_or(("default", name.as_str()));
    let (namespace, rest) = match ask.namespace {
        Some(namespace) => {
            let below = name.as_str().strip_prefix(&format!("{namespace}/"));
            (namespace.to_owned(), below.unwrap_or(name.as_str()))
        }
        None => (label(first), rest),
    };
    let wanted = label(rest);
    let numbered = (2..).map(|i| format!("{wanted}-{i}"));
    let free = std::iter::once(wanted.clone())
        .chain(numbered)
        .find(|it| taken.insert((namespace.clone(), it.clone())));
    let free = free.expect("numbers do not end");
    let is_default = name.as_str() == format!("{namespace}/{free}");
    let spec = ImageRepositorySpec {
        repository_name: (!is_default).then(|| name.to_string()),
        management_policy: ask.management,
        adoption_policy: AdoptionPolicy::IfUnowned,
        ..ImageRepositorySpec::default()
    };
    let mut object = ImageRepository::new(&free, spec);
    object.metadata.namespace = Some(namespace);
    object
}

/// A part of a repository's name as Kubernetes takes it: a namespace is one label, and an object's
/// name may as well be.
fn label(text: &str) -> String {
    let label: String = text
        .replace(['/', '_', '.'], "-")
        .chars()
        .take(63)
        .collect();
    label.trim_end_matches('-').to_owned()
}

/// Whether the repository is nobody's, or the object's own, and has room for its tags.
fn may_adopt(object: &ImageRepository, ask: &Ask<'_>, observed: &Observed) -> Result<(), String> {
    let owner = Owner {
        cluster: ask.cluster.clone(),
        object: format!(
            "{}/{}",
            object.namespace().unwrap_or_default(),
            object.name_any()
        ),
        uid: String::new(),
    };
    match owner.judge(&observed.tags) {
        Ownership::Foreign(owner) => Err(format!("it belongs to {owner}")),
        Ownership::Ours | Ownership::OursUnderAnotherUid | Ownership::Released => Ok(()),
        Ownership::Unowned if observed.tags.len() + owner::KEYS.len() > MOST_TAGS => Err(format!(
            "it has {} tags, which leaves no room for the owner's",
            observed.tags.len()
        )),
        Ownership::Unowned => Ok(()),
    }
}
