//! What this cluster's pods use, kept by every process: one watch of all pods that have not
//! ended, each cut down on arrival to its images. Until the first list is in, nothing is known, which
//! is not the same as nothing being used.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::api::ListParams;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{debug, warn};

use super::meters::NoLabels;
use super::resync::{self, Resync};
use super::timer::at;
use crate::domain::usage::{Pod, Usage};

mod wire;

/// Pods come and go many at a time: what is used is put together anew at most this often.
const SETTLING: Duration = Duration::from_secs(1);
/// Pods a page of the list; each is some kilobytes until it is cut down.
const PAGE: u32 = 250;
/// What has ended needs its image no more, so the API server does not send it.
const NOT_ENDED: &str = "status.phase!=Succeeded,status.phase!=Failed";

/// What is known of use, shared: read now, or awaited.
#[derive(Debug, Default)]
pub struct Known {
    usage: watch::Sender<Option<Arc<Usage>>>,
    /// How many pods that is from.
    pods: Family<NoLabels, Gauge>,
}

impl Known {
    /// Counts the pods in this.
    pub fn counting(pods: Family<NoLabels, Gauge>) -> Self {
        Self {
            pods,
            ..Self::default()
        }
    }

    /// What pods use now; `None`: not known yet.
    pub fn load_full(&self) -> Option<Arc<Usage>> {
        self.usage.borrow().clone()
    }

    fn is_known(&self) -> bool {
        self.usage.borrow().is_some()
    }

    fn set(&self, pods: &Pods) {
        debug!(pods = pods.known.len(), "what pods use has changed");
        let usage = Usage::of_pods(pods.known.values());
        self.usage.send_replace(Some(Arc::new(usage)));
        let count = i64::try_from(pods.known.len()).unwrap_or(i64::MAX);
        self.pods.get_or_create(&NoLabels {}).set(count);
    }

    fn forget(&self) {
        warn!("pods could not be listed for too long: what they use is not known");
        self.usage.send_replace(None);
        self.pods.clear();
    }

    /// Tells of every change from now on, and what is known.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Usage>>> {
        self.usage.subscribe()
    }
}

/// Keeps `known` equal to what the cluster's pods use. It is `None` until the first list, and again when
/// no list has agreed with the watch for too long: no image may be deleted because an old list does not
/// have its pod. Never returns.
pub async fn follow(client: Client, known: &Known, resync: Resync) {
    let config = watcher::Config::default().fields(NOT_ENDED).page_size(PAGE);
    let pods: Api<wire::Pod> = Api::all(client);
    let (max_age, mut confirmed) = (resync.max_age(), resync.confirmed.subscribe());
    let mut events = pin!(resync::follow(pods, config, resync));
    let mut pods = Pods::default();
    loop {
        let until = confirmed
            .borrow_and_update()
            .and_then(|it| it.checked_add(max_age));
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => pods.take(event),
                Some(Err(error)) => warn!(%error, kind = "Pod", "the watch will be tried again"),
                None => return, // a watch does not end
            },
            () = at(pods.due) => {
                pods.due = None;
                pods.told = Some(Instant::now());
                if until.is_some_and(|it| it > Instant::now()) {
                    known.set(&pods);
                }
            }
            () = at(until.filter(|_| known.is_known())) => known.forget(),
            Ok(()) = confirmed.changed() => if !known.is_known() {
                pods.due = Some(Instant::now());
            },
        }
    }
}

/// What the cluster's pods use, read from the API server now: a watch may lag behind a pod that was
/// just created.
///
/// # Errors
/// When the API server does not answer.
pub async fn read(client: Client) -> kube::Result<Usage> {
    let pods: Api<wire::Pod> = Api::all(client);
    let mut found: Vec<Pod> = Vec::new();
    let mut page = ListParams::default().fields(NOT_ENDED).limit(PAGE);
    loop {
        let list = pods.list(&page).await?;
        found.extend(list.items.into_iter().map(|it| it.pod));
        match list.metadata.continue_.filter(|it| !it.is_empty()) {
            Some(token) => page = page.continue_token(&token),
            None => return Ok(Usage::of_pods(&found)),
        }
    }
}

/// The pods that are known, by name.
#[derive(Default)]
struct Pods {
    known: BTreeMap<String, Pod>,
    /// The pods of a list that is still coming in.
    listing: BTreeMap<String, Pod>,
    /// When to tell what they use; `None` while nothing has changed.
    due: Option<Instant>,
    /// When it was told last.
    told: Option<Instant>,
}

impl Pods {
    /// At once after a rest: whoever is about to put a lifecycle policy should know of this pod.
    fn soon(&self) -> Instant {
        let now = Instant::now();
        self.told.map_or(now, |told| now.max(told + SETTLING))
    }

    fn take(&mut self, event: Event<wire::Pod>) {
        let before = self.due;
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(wire::Pod { pod, .. }) => {
                self.listing.insert(pod.name.clone(), pod);
            }
            Event::InitDone => {
                self.known = std::mem::take(&mut self.listing);
                self.due = Some(Instant::now());
            }
            Event::Apply(wire::Pod { pod, .. }) => {
                let same = self.known.get(&pod.name) == Some(&pod);
                if !same {
                    self.known.insert(pod.name.clone(), pod);
                    self.due = before.or_else(|| Some(self.soon()));
                }
            }
            Event::Delete(wire::Pod { pod, .. }) => {
                if self.known.remove(&pod.name).is_some() {
                    self.due = before.or_else(|| Some(self.soon()));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
