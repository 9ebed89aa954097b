//! What stands in `status.targets` about what we made, written before we make it. A deletion, and
//! the removal of a field or of an environment, read it; nothing else remembers.

use std::collections::BTreeSet;

use kube::ResourceExt;
use sha2::{Digest, Sha256};

use crate::api::ImageRepository;
use crate::api::image_repository::{Document, ImageRepositoryStatus, RepositoryRecord};
use crate::api::targets::{Target as Row, TargetState};
use crate::controllers::ledger::Ledger;
use crate::controllers::{Context, driver, finalizer};
use crate::desired::{Extent, Placed, Stopped, Target};
use crate::domain::repository::{Desired, Management, Setting};

/// One target as status shows it.
pub(super) type Recorded = Row<RepositoryRecord>;

/// What is recorded, and the version of the object that has it.
pub(super) struct Before {
    pub(super) ledger: Ledger<Recorded>,
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
    let recorded = Ledger::of_targets(&present.targets);
    let ledger = with_intent(recorded.clone(), targets);
    let mut version = object.resource_version();
    if ledger.rows().any(|it| it.record.is_some()) {
        version = finalizer::put(cx, object).await?;
    }
    if ledger != recorded {
        let status = ImageRepositoryStatus {
            targets: ledger.rows().cloned().collect(),
            ..present
        };
        version = driver::show(cx, object, &status, version).await?;
    }
    Ok(Before { ledger, version })
}

/// The targets in status, and those that are not there yet, each with the union of what it was
/// given before and what it will be given now.
fn with_intent(
    mut ledger: Ledger<Recorded>,
    targets: &[Result<Target, Stopped>],
) -> Ledger<Recorded> {
    let asked: Vec<Extent> = targets.iter().map(Extent::of).collect();
    let left = ledger.left(&asked);
    for target in targets.iter().filter_map(|it| it.as_ref().ok()) {
        if target.desired.management == Management::Observe {
            continue;
        }
        let mut intent = of(&target.desired);
        // Its environment has another name now.
        let arn = Some(target.arn());
        let earlier = left.iter().filter(|(_, row)| row.arn == arn);
        for record in earlier.filter_map(|(_, row)| row.record.clone()) {
            intent.documents = union(record.documents, intent.documents);
            intent.tag_keys = union(record.tag_keys, intent.tag_keys);
        }
        let row = ledger.record(&target.key(), |before| RepositoryRecord {
            documents: union(before.documents, intent.documents),
            documents_hash: before.documents_hash,
            tag_keys: union(before.tag_keys, intent.tag_keys),
            lifecycle: before.lifecycle,
        });
        row.arn = arn;
    }
    ledger
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
    let row = object.target(&target.key());
    let put = row.and_then(|it| it.record.as_ref()?.documents_hash.as_deref());
    was_ready(object, target) && put == Some(hash(&target.desired).as_str())
}

/// Whether status says that this target was as the spec asks.
pub(super) fn was_ready(object: &ImageRepository, target: &Target) -> bool {
    let row = object.target(&target.key());
    row.is_some_and(|it| it.state == TargetState::Ready)
}

fn union<T: Ord>(a: Vec<T>, b: Vec<T>) -> Vec<T> {
    a.into_iter()
        .chain(b)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}
