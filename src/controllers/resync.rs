//! A watch that makes good what it has lost. An API server, a proxy or a bug may lose an event, and a watch
//! alone would show the old state until the next one. So every period the versions of all objects are
//! listed, metadata only and by pages, and compared with what the watch has told. Only if a version is
//! still missing after a while is the watch begun again, which lists the objects themselves. A period
//! costs one page for 500 objects, and nothing more while no event is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::time::Duration;

use futures::future::BoxFuture;
use futures::stream::BoxStream;
use futures::{FutureExt, Stream, StreamExt, stream};
use kube::api::{ListParams, ObjectMeta};
use kube::runtime::watcher::{self, Event};
use kube::runtime::{WatchStreamExt, watcher as watch_resource};
use kube::{Api, Resource};
use prometheus_client::metrics::counter::Counter;
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

/// Objects a page: some hundred kilobytes of metadata.
const PAGE: u32 = 500;
/// An event that is on its way arrives within this.
const ON_ITS_WAY: Duration = Duration::from_secs(5);

/// How often a watch is compared with what there is.
#[derive(Clone, Debug)]
pub struct Resync {
    /// The time between two comparisons.
    pub period: Duration,
    /// Counts how often a watch had lost something.
    pub lost: Counter,
    /// Since when what the watch has told is known to be all that there is: the beginning of the last
    /// list that agreed with it. `None` before the first.
    pub confirmed: watch::Sender<Option<Instant>>,
}

impl Resync {
    /// One that nothing was counted or confirmed of yet.
    pub fn new(period: Duration, lost: Counter) -> Self {
        Self {
            period,
            lost,
            confirmed: watch::Sender::default(),
        }
    }

    /// For how long what a watch has told is believed without a list that agrees: three periods.
    pub fn max_age(&self) -> Duration {
        self.period.saturating_mul(3)
    }
}

/// What `api` has and every change of it, as [`watch_resource`] gives them with a backoff, and again
/// from the beginning whenever something was lost.
pub fn follow<K>(
    api: Api<K>,
    config: watcher::Config,
    resync: Resync,
) -> impl Stream<Item = watcher::Result<Event<K>>> + Send
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let watched = Watched {
        events: begin(&api, &config),
        check: list_after(resync.period, &api, &config),
        versions: Versions::default(),
        listing: Some(Listing::begin()),
        api,
        config,
        resync,
    };
    stream::unfold(watched, |mut watched| async move {
        let event = watched.next().await?;
        Some((event, watched))
    })
}

/// The version of each object, by `namespace/name`.
type Versions = BTreeMap<String, String>;

/// Objects that the watch shows in another version than the list.
type Suspects = BTreeSet<String>;

struct Watched<K> {
    api: Api<K>,
    config: watcher::Config,
    resync: Resync,
    events: BoxStream<'static, watcher::Result<Event<K>>>,
    /// What the watch has told.
    versions: Versions,
    /// What it tells while it begins; there is nothing to compare before that is complete.
    listing: Option<Listing>,
    check: BoxFuture<'static, Step>,
}

/// A list of versions.
struct Listing {
    began: Instant,
    versions: Versions,
}

/// What the comparison under way has come to.
enum Step {
    /// The versions that there are.
    Listed(Result<Listing, kube::Error>),
    /// These had other versions at first, and the watch had these of them; there are these now.
    ListedAgain {
        before: BTreeMap<String, Option<String>>,
        now: Result<Listing, kube::Error>,
    },
}

impl Listing {
    /// One that begins now.
    fn begin() -> Self {
        Self {
            began: Instant::now(),
            versions: Versions::default(),
        }
    }
}

fn begin<K>(api: &Api<K>, config: &watcher::Config) -> BoxStream<'static, watcher::Result<Event<K>>>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let events = watch_resource(api.clone(), config.clone());
    events.default_backoff().boxed()
}

fn list_after<K>(
    period: Duration,
    api: &Api<K>,
    config: &watcher::Config,
) -> BoxFuture<'static, Step>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    let (api, config) = (api.clone(), config.clone());
    async move {
        sleep(period).await;
        Step::Listed(list(&api, &config).await)
    }
    .boxed()
}

impl<K> Watched<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + 'static,
{
    async fn next(&mut self) -> Option<watcher::Result<Event<K>>> {
        loop {
            tokio::select! {
                event = self.events.next() => {
                    if let Some(Ok(event)) = &event {
                        self.note(event);
                    }
                    return event;
                }
                step = &mut self.check => self.check = self.after(step),
            }
        }
    }

    fn note(&mut self, event: &Event<K>) {
        let version = |it: &K| it.meta().resource_version.clone().unwrap_or_default();
        match event {
            Event::Init => self.listing = Some(Listing::begin()),
            Event::InitApply(it) => {
                let listing = self.listing.get_or_insert_with(Listing::begin);
                listing.versions.insert(key(it.meta()), version(it));
            }
            Event::InitDone => {
                let listing = self.listing.take().unwrap_or_else(Listing::begin);
                let Listing { began, versions } = listing;
                self.versions = versions;
                self.resync.confirmed.send_replace(Some(began));
            }
            Event::Apply(it) => {
                self.versions.insert(key(it.meta()), version(it));
            }
            Event::Delete(it) => {
                self.versions.remove(&key(it.meta()));
            }
        }
    }

    /// What comes after a step of the comparison.
    fn after(&mut self, step: Step) -> BoxFuture<'static, Step> {
        match step {
            Step::Listed(Ok(_)) | Step::ListedAgain { now: Ok(_), .. }
                if self.listing.is_some() => {}
            Step::Listed(Ok(listed)) => {
                let suspects = differing(&self.versions, &listed.versions);
                if !suspects.is_empty() {
                    return self.list_again(suspects);
                }
                self.resync.confirmed.send_replace(Some(listed.began));
            }
            Step::ListedAgain {
                before,
                now: Ok(now),
            } => {
                let differ = differing(&self.versions, &now.versions);
                // What the watch has told something new about since then is only on its way.
                let is_lost = |(name, version): &(&String, &Option<String>)| {
                    differ.contains(*name) && self.versions.get(*name) == version.as_ref()
                };
                let lost = before.iter().filter(is_lost).count();
                if lost > 0 {
                    let kind = K::kind(&());
                    warn!(%kind, objects = lost, "the watch has lost events and begins again");
                    self.resync.lost.inc();
                    self.events = begin(&self.api, &self.config);
                } else {
                    self.resync.confirmed.send_replace(Some(now.began));
                }
            }
            Step::Listed(Err(error))
            | Step::ListedAgain {
                now: Err(error), ..
            } => {
                debug!(%error, kind = %K::kind(&()), "the watch could not be compared");
            }
        }
        list_after(self.resync.period, &self.api, &self.config)
    }

    /// Lists once more when what is on its way has arrived.
    fn list_again(&self, suspects: Suspects) -> BoxFuture<'static, Step> {
        let before = suspects.into_iter();
        let before = before.map(|it| (self.versions.get(&it).cloned(), it));
        let before = before.map(|(version, it)| (it, version)).collect();
        let (api, config) = (self.api.clone(), self.config.clone());
        let wait = ON_ITS_WAY.min(self.resync.period);
        async move {
            sleep(wait).await;
            let now = list(&api, &config).await;
            Step::ListedAgain { before, now }
        }
        .boxed()
    }
}

/// The names whose versions are not the same in both, or that only one has.
fn differing(versions: &Versions, listed: &Versions) -> Suspects {
    let names = versions.keys().chain(listed.keys());
    let differ = names.filter(|it| versions.get(*it) != listed.get(*it));
    differ.cloned().collect()
}

/// The versions of all objects, as they are now.
async fn list<K>(api: &Api<K>, config: &watcher::Config) -> Result<Listing, kube::Error>
where
    K: Clone + DeserializeOwned + Debug,
{
    let mut listing = Listing::begin();
    let mut page = ListParams {
        field_selector: config.field_selector.clone(),
        ..ListParams::default().limit(PAGE)
    };
    loop {
        let listed = api.list_metadata(&page).await?;
        let named = listed.items.into_iter().map(|it| {
            let name = key(&it.metadata);
            (name, it.metadata.resource_version.unwrap_or_default())
        });
        listing.versions.extend(named);
        page.continue_token = listed.metadata.continue_.filter(|it| !it.is_empty());
        if page.continue_token.is_none() {
            return Ok(listing);
        }
    }
}

fn key(meta: &ObjectMeta) -> String {
    let part = |it: &Option<String>| it.clone().unwrap_or_default();
    format!("{}/{}", part(&meta.namespace), part(&meta.name))
}
