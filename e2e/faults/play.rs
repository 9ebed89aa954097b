//! The play: what a user does with five objects, whatever happens to the operator meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::json;

use super::case::Case;

const OBJECTS: &str = include_str!("manifests/play.yaml");

/// All that is in the play from its beginning.
pub(super) const CAST: [(&str, &str); 6] = [
    ("EnvironmentAccount", "dev"),
    ("EnvironmentAccount", "prod"),
    ("LifecyclePolicy", "keep"),
    ("PullThroughRule", "hub"),
    ("ImageRepository", "api"),
    ("ImageRepository", "job"),
];

/// What is left at its end.
pub(super) fn left() -> impl Iterator<Item = (&'static str, &'static str)> {
    CAST.into_iter().filter(|(_, name)| *name != "job")
}

/// What the user has done so far.
#[derive(Default)]
pub(super) struct Progress {
    /// Where the journal was when the user deleted something.
    pub(super) deleted: AtomicU64,
}

/// Declares everything; nobody need operate yet.
pub(super) async fn open(case: &Case) {
    case.apply(OBJECTS).await;
}

/// Waits until all is made, edits one repository and deletes it.
pub(super) async fn play(case: &Case, progress: &Progress) {
    for (kind, name) in CAST {
        case.ready(kind, name).await;
    }
    let edit = json!({"spec": {
        "scanOnPush": true,
        "access": {"pull": ["444444444444"]},
        "tags": {"team": "ship"},
    }});
    case.edit("ImageRepository", "job", edit).await;
    case.ready("ImageRepository", "job").await;
    let now = case.emulator.journal().last();
    progress.deleted.store(now, Ordering::Relaxed);
    case.delete("ImageRepository", "job").await;
    case.gone("ImageRepository", "job").await;
    for (kind, name) in left() {
        case.ready(kind, name).await;
    }
}
