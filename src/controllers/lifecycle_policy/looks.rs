//! Lifecycle policies in force, looked at once a day: pods may have come to use what a policy is about
//! to take. Each repository has its own time of the day, so that looks are spread over it and a
//! restart neither repeats nor forgets them. What is found is acted on by the repository's reconcile.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use jiff::Timestamp;
use kube::runtime::reflector::Store;
use tokio::time::sleep;
use tracing::debug;

use crate::api::ImageRepository;
use crate::controllers::image_repository::guard;
use crate::controllers::wakes::{Key, Kind};
use crate::controllers::{Context, Stop};
use crate::desired::{self, Target};
use crate::domain::Registry;
use crate::domain::repository::{Management, Setting};
use crate::domain::usage::Used;
use crate::ecr::{Priority, Seen};

/// How many times in a period it is seen whose time has come.
const SLICES: u32 = 96;
/// But not more often than this.
const SHORTEST_SLICE: Duration = Duration::from_secs(1);

/// A repository whose policy is looked at, with what pods use of it.
type Candidate = (Arc<ImageRepository>, Target, Used);

/// Looks at every lifecycle policy in force where pods use anything, once in each `period`. Never
/// returns.
pub async fn run(cx: Arc<Context>, repositories: Store<ImageRepository>, period: Duration) {
    let slice = (period / SLICES).max(SHORTEST_SLICE);
    let mut from = now();
    loop {
        sleep(slice).await;
        let to = now();
        let due = candidates(&cx, &repositories.state(), |place| {
            is_due(slot(place), (from, to), period)
        });
        from = to;
        // One silent registry delays no other; in one of them, one preview at a time.
        join_all(due.values().map(async |due| {
            for candidate in due {
                if let Err(error) = look(&cx, candidate).await {
                    debug!(%error, "a lifecycle policy is looked at another day");
                }
            }
        }))
        .await;
    }
}

/// Whose time has come, by registry. Where no pod uses anything no call is made.
fn candidates(
    cx: &Context,
    objects: &[Arc<ImageRepository>],
    due: impl Fn(&(&Registry, &str)) -> bool,
) -> BTreeMap<Registry, Vec<Candidate>> {
    let mut candidates: BTreeMap<Registry, Vec<Candidate>> = BTreeMap::new();
    let Some(usage) = cx.usage.load_full() else {
        return candidates;
    };
    let world = cx.world.load_full();
    for object in objects {
        for target in desired::repository(object, &world).into_iter().flatten() {
            let managed = target.desired.management == Management::Manage
                && matches!(target.desired.lifecycle, Setting::Present(_));
            // Where an image in use was found the object itself asks again and again.
            let known = target.desired.safety.found.is_some();
            if !managed || known || !due(&(&target.registry, target.desired.name.as_str())) {
                continue;
            }
            let used = guard::used(&usage, object, &target);
            if !used.is_empty() {
                let registry = candidates.entry(target.registry.clone()).or_default();
                registry.push((Arc::clone(object), target, used));
            }
        }
    }
    candidates
}

async fn look(cx: &Context, (object, target, used): &Candidate) -> Result<(), Stop> {
    let registry = cx.registry(&target.environment, &target.registry).await?;
    let registry = registry.at(Priority::Sweep);
    let Seen::Present(observed) = registry.seen(&target.desired.name) else {
        return Ok(());
    };
    let Some(document) = guard::in_force(target, Some(&observed)) else {
        return Ok(());
    };
    let look = guard::look(&registry, &target.desired, document, used).await;
    if look.map_err(Stop::Failed)?.is_some_and(|it| it.finds_use()) {
        let place = (target.registry.clone(), target.desired.name.clone());
        cx.findings.suspect(place);
        cx.wakes.wake(Key::of(Kind::Repository, &**object));
    }
    Ok(())
}

/// The repository's own time of the day, as a number that has nothing to do with its name.
fn slot(place: &(&Registry, &str)) -> u64 {
    let mut hasher = DefaultHasher::new();
    place.hash(&mut hasher);
    hasher.finish()
}

/// Whether a slot lies behind `from` and not behind `to` in a period that goes round and round.
fn is_due(slot: u64, (from, to): (u64, u64), period: Duration) -> bool {
    let period = u64::try_from(period.as_millis()).unwrap_or(u64::MAX).max(1);
    let passed = to.saturating_sub(from);
    let ahead = (slot % period + period - from % period) % period;
    passed >= period || (0 < ahead && ahead <= passed)
}

/// Milliseconds since 1970.
fn now() -> u64 {
    u64::try_from(Timestamp::now().as_millisecond()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
