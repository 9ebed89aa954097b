//! The plays: what a user does with a few objects, whatever happens to the operator meanwhile.

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::case::Case;
use super::{DEV, PROD, taking_out};

const OBJECTS: &str = include_str!("manifests/play.yaml");

/// All that is in the play of a life from its beginning.
pub(super) const CAST: [(&str, &str); 6] = [
    ("EnvironmentAccount", "dev"),
    ("EnvironmentAccount", "prod"),
    ("LifecyclePolicy", "keep"),
    ("PullThroughRule", "hub"),
    ("ImageRepository", "api"),
    ("ImageRepository", "job"),
];

/// What is played.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Play {
    /// Five objects are made, one of them is edited and deleted.
    Life,
    /// What registries have only one of is taken out again.
    TakingOut,
}

/// What the user has done so far.
#[derive(Default)]
pub(super) struct Progress {
    /// Where the journal was when the play began.
    pub(super) began: AtomicU64,
    /// Where the journal was when the user deleted something.
    pub(super) deleted: AtomicU64,
}

impl Play {
    /// Sets it up: everything is declared, and with [`Play::TakingOut`] put in place.
    pub(super) async fn open(self, progress: &Progress) -> Case {
        let case = match self {
            Self::Life => {
                let case = Case::set("crash").await;
                case.apply(OBJECTS).await;
                case
            }
            Self::TakingOut => taking_out::open().await,
        };
        let now = case.emulator.journal().last();
        progress.began.store(now, Ordering::Relaxed);
        case
    }

    /// Does what the user does, and waits until it has come about.
    pub(super) async fn play(self, case: &Case, progress: &Progress) {
        match self {
            Self::Life => live(case, progress).await,
            Self::TakingOut => taking_out::play(case).await,
        }
    }

    /// Waits for what comes about after it by itself.
    pub(super) async fn ended(self, case: &Case) {
        match self {
            Self::Life => {
                let retrofitted = |it: Option<&Value>| {
                    it.is_some_and(|it| {
                        it["status"]["targets"][0]["record"]["retrofit"]["retrofitted"] == 1
                    })
                };
                let rule = ("PullThroughRule", "hub");
                case.until(rule, "what it made in line", retrofitted).await;
            }
            Self::TakingOut => taking_out::theirs_alone_are_left(case).await,
        }
    }

    /// The objects that are left at its end.
    pub(super) fn left(self) -> Vec<(&'static str, &'static str)> {
        let left = |(_, name): &(&str, &str)| *name != "job";
        match self {
            Self::Life => CAST.into_iter().filter(left).collect(),
            Self::TakingOut => taking_out::LEFT.to_vec(),
        }
    }

    /// The accounts that are looked at to its end.
    pub(super) fn accounts(self) -> &'static [&'static str] {
        match self {
            Self::Life => &[DEV, PROD],
            Self::TakingOut => &[DEV],
        }
    }
}

/// Waits until all is made, edits one repository and deletes it.
async fn live(case: &Case, progress: &Progress) {
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
    for (kind, name) in Play::Life.left() {
        case.ready(kind, name).await;
    }
}

/// Waits until the environment's roles were looked through for permissions.
pub(super) async fn allowed(case: &Case, environment: &str) {
    let allowed = |it: Option<&Value>| {
        it.is_some_and(|it| it["status"]["preflight"][0]["state"] == "Allowed")
    };
    let environment = ("EnvironmentAccount", environment);
    case.until(environment, "looked through for permissions", allowed)
        .await;
}
