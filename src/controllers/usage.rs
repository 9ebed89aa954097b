//! What this cluster's pods use, kept by every replica: one watch of all pods that have not
//! ended, each cut down on arrival to its images. Until the first list is in, nothing is known, which
//! is not the same as nothing being used.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, warn};

use super::meters::NoLabels;
use super::resync::{self, Resync};
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

    /// Tells of every change from now on, and what is known.
    pub fn subscribe(&self) -> watch::Receiver<Option<Arc<Usage>>> {
        self.usage.subscribe()
    }
}

/// Keeps `known` equal to what the cluster's pods use, and `None` until that is known. Never returns.
pub async fn follow(client: Client, known: &Known, resync: Resync) {
    let config = watcher::Config::default().fields(NOT_ENDED).page_size(PAGE);
    let pods: Api<wire::Pod> = Api::all(client);
    let mut events = pin!(resync::watch(pods, config, resync));
    let mut pods = Pods::default();
    loop {
        let due = pods.due;
        let publish = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(event)) => pods.take(event),
                Some(Err(error)) => warn!(%error, kind = "Pod", "the watch will be tried again"),
                None => return, // a watch does not end
            },
            () = publish => {
                pods.due = None;
                pods.told = Some(Instant::now());
                debug!(pods = pods.known.len(), "what pods use has changed");
                let usage = Usage::of_pods(pods.known.values());
                known.usage.send_replace(Some(Arc::new(usage)));
                let count = i64::try_from(pods.known.len()).unwrap_or(i64::MAX);
                known.pods.get_or_create(&NoLabels {}).set(count);
            }
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
