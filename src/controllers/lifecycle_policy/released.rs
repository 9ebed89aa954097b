//! Repositories whose lifecycle policy waits for pods: when what pods use of one has changed, it is
//! looked at again at once.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::runtime::reflector::Store;

use crate::api::ImageRepository;
use crate::controllers::Context;
use crate::controllers::image_repository::guard;
use crate::controllers::wakes::{Key, Kind};
use crate::desired::{self, World};
use crate::domain::usage::{Usage, Used};

/// Wakes the objects in `repositories` that wait for pods. Never returns.
pub async fn follow(cx: Arc<Context>, repositories: Store<ImageRepository>) {
    let mut told = cx.usage.subscribe();
    let mut before = BTreeMap::new();
    while told.changed().await.is_ok() {
        let Some(usage) = told.borrow_and_update().clone() else {
            continue;
        };
        let now = waiting(&repositories.state(), &cx.world.load_full(), &usage);
        for (key, used) in &now {
            if before.get(key) != Some(used) {
                cx.wakes.wake(key.clone());
            }
        }
        before = now;
    }
}

/// What is used of those that wait, target by target.
fn waiting(
    objects: &[Arc<ImageRepository>],
    world: &World,
    usage: &Usage,
) -> BTreeMap<Key, Vec<Used>> {
    let waits = |object: &&Arc<ImageRepository>| {
        let targets = object.status.iter().flat_map(|it| &it.targets);
        let mut records = targets.filter_map(|it| it.record.as_ref()?.lifecycle.as_ref());
        records.any(|it| it.in_use.is_some())
    };
    let used = |object: &Arc<ImageRepository>| {
        let targets = desired::repository(object, world).into_iter().flatten();
        let used = targets.map(|it| guard::used(usage, object, &it));
        (Key::of(Kind::Repository, &**object), used.collect())
    };
    objects.iter().filter(waits).map(used).collect()
}
