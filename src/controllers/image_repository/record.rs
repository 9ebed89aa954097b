//! What stands in `status.targets` about what we made, written before we make it. A deletion, and
//! the removal of a field or of an environment, read it; nothing else remembers.

use std::collections::{BTreeMap, BTreeSet};

use kube::ResourceExt;
use sha2::{Digest, Sha256};

use crate::api::ImageRepository;
use crate::api::image_repository::{Document, ImageRepositoryStatus, RepositoryRecord};
use crate::api::targets::{Target as Shown, TargetState};
use crate::controllers::{Context, driver, finalizer};
use crate::desired::{Stopped, Target};
use crate::domain::repository::{Desired, Management, Setting};

/// One target as status shows it.
pub(super) type Recorded = Shown<RepositoryRecord>;

/// What is recorded, and the version of the object that has it.
pub(super) struct Before {
    pub(super) targets: Vec<Recorded>,
    pub(super) version: Option<String>,
}

/// Makes sure that each target that will be written to stands in status, with all that it is about
/// to be given, and that our finalizer is on the object.
///
/// # Errors
/// When the object is not what it was when it was read: what it records now is not known.
pub(super) async fn before(
    object: &ImageRepository,
    cx: &Context,
    targets: &[Result<Target, Stopped>],
) -> kube::Result<Before> {
    let present = object.status.clone().unwrap_or_default();
    let recorded = with_intent(&present.targets, targets);
    let mut version = object.resource_version();
    if recorded.iter().any(|it| it.record.is_some()) {
        version = finalizer::put(cx, object).await?;
    }
    if recorded != present.targets {
        let status = ImageRepositoryStatus {
            targets: recorded.clone(),
            ..present
        };
        version = driver::show(cx, object, &status, version).await?;
    }
    Ok(Before {
        targets: recorded,
        version,
    })
}

/// The targets in status, and those that are not there yet, each with the union of what it was
/// given before and what it will be given now.
fn with_intent(present: &[Recorded], targets: &[Result<Target, Stopped>]) -> Vec<Recorded> {
    let mut recorded: BTreeMap<(String, String), Recorded> =
        present.iter().map(|it| (key(it), it.clone())).collect();
    for target in targets.iter().filter_map(|it| it.as_ref().ok()) {
        if target.desired.management == Management::Observe {
            continue;
        }
        let at = (
            target.environment.to_string(),
            target.registry.region.to_string(),
        );
        let shown = recorded.entry(at).or_insert_with(|| pending(target));
        let intent = of(&target.desired);
        let record = shown.record.take().unwrap_or_default();
        shown.record = Some(RepositoryRecord {
            documents: union(record.documents, intent.documents),
            documents_hash: record.documents_hash,
            tag_keys: union(record.tag_keys, intent.tag_keys),
            lifecycle: record.lifecycle,
        });
        shown.arn = Some(target.registry.repository_arn(&target.desired.name));
    }
    recorded.into_values().collect()
}

/// What a target is given when all of `desired` is done.
pub(super) fn of(desired: &Desired) -> RepositoryRecord {
    let mut documents = Vec::new();
    if matches!(desired.lifecycle, Setting::Present(_)) {
        documents.push(Document::LifecyclePolicy);
    }
    if matches!(desired.policy, Setting::Present(_)) {
        documents.push(Document::RepositoryPolicy);
    }
    documents.sort_unstable();
    RepositoryRecord {
        documents,
        documents_hash: Some(hash(desired)),
        tag_keys: desired.tags.keys().cloned().collect(),
        lifecycle: None,
    }
}

/// What the documents of `desired` come to, as one text that changes with them.
fn hash(desired: &Desired) -> String {
    let policy = match &desired.policy {
        Setting::Present(document) => document.as_str(),
        Setting::Absent | Setting::Unmanaged => "",
    };
    let lifecycle = match &desired.lifecycle {
        Setting::Present(document) => document.as_str(),
        Setting::Absent | Setting::Unmanaged => "",
    };
    let digest = Sha256::new()
        .chain_update(policy)
        .chain_update("\n")
        .chain_update(lifecycle);
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Whether status says that these very documents were put on this target, so that nobody has to
/// read them before the sweep does.
pub(super) fn was_put(object: &ImageRepository, target: &Target) -> bool {
    let put = shown(object, target).and_then(|it| it.record.as_ref()?.documents_hash.as_deref());
    was_ready(object, target) && put == Some(hash(&target.desired).as_str())
}

/// Whether status says that this target was as the spec asks.
pub(super) fn was_ready(object: &ImageRepository, target: &Target) -> bool {
    shown(object, target).is_some_and(|it| it.state == TargetState::Ready)
}

/// What status has of this target.
pub(super) fn shown<'a>(object: &'a ImageRepository, target: &Target) -> Option<&'a Recorded> {
    let at = (
        target.environment.to_string(),
        target.registry.region.to_string(),
    );
    object
        .status
        .as_ref()?
        .targets
        .iter()
        .find(|it| key(it) == at)
}

/// Where a target is.
pub(super) fn key(target: &Recorded) -> (String, String) {
    (target.environment.clone(), target.region.clone())
}

fn pending(target: &Target) -> Recorded {
    Recorded {
        environment: target.environment.to_string(),
        region: target.registry.region.to_string(),
        state: TargetState::Pending,
        reason: None,
        message: None,
        arn: None,
        uri: None,
        differences: Vec::new(),
        record: None,
    }
}

fn union<T: Ord>(a: Vec<T>, b: Vec<T>) -> Vec<T> {
    a.into_iter()
        .chain(b)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}
