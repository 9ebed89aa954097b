//! Reports facts that became too old, and that they are fresh again: a log of each replica, and an event
//! on the image policies that rewrite to the registry.

use std::collections::BTreeMap;

use kube::Resource as _;
use kube::runtime::events::Event;
use tokio::sync::mpsc;
use tracing::{debug, info, warn};

use super::Timing;
use super::known::{Freshness, Overdue};
use crate::controllers::{Context, tidings};
use crate::desired;
use crate::domain::Registry;

/// The action of the events.
const LISTED: &str = "ListImages";

/// An event about the facts of one registry.
pub(super) struct About {
    registry: Registry,
    event: Event,
}

/// What was reported last.
pub(super) struct Report {
    timing: Timing,
    overdue: BTreeMap<Registry, Overdue>,
    tx: mpsc::UnboundedSender<About>,
}

impl Report {
    pub(super) fn new(timing: Timing, tx: mpsc::UnboundedSender<About>) -> Self {
        Self {
            timing,
            overdue: BTreeMap::new(),
            tx,
        }
    }

    /// Reports registries whose facts have become too old since the last call, or are fresh again.
    pub(super) fn changes(&mut self, freshness: &BTreeMap<Registry, Freshness>) {
        for (registry, it) in freshness {
            match (self.overdue.get(registry), &it.overdue) {
                (None, Some(overdue)) => {
                    let note = self.note(registry, overdue);
                    warn!(%registry, repositories = overdue.count, note, "facts are too old");
                    self.tell(registry, tidings::warning("FactsNotKnown", LISTED, &note));
                }
                (Some(_), None) => {
                    info!(%registry, "facts are fresh again");
                    let note =
                        format!("the images of all repositories in {registry} are known again");
                    self.tell(registry, tidings::normal("FactsKnown", LISTED, &note));
                }
                (None, None) | (Some(_), Some(_)) => {}
            }
        }
        let overdue = freshness.iter();
        self.overdue = overdue
            .filter_map(|(registry, it)| Some((registry.clone(), it.overdue.clone()?)))
            .collect();
    }

    fn note(&self, registry: &Registry, overdue: &Overdue) -> String {
        let Overdue {
            count,
            limit,
            first,
            failure,
        } = overdue;
        let why = match failure {
            Some(why) => format!(": {why}"),
            None => String::new(),
        };
        format!(
            "the images of {count} repositories in {registry} were not confirmed for {limit:?}, those of \
             {first} among them{why}. They are NotKnown: pods keep the image that they ask for, unless \
             onUnknown says otherwise. Allow ecr:DescribeImages and ecr:DescribeRepositories, or wait until \
             ECR answers: they are listed again every {:?}",
            self.timing.period
        )
    }

    fn tell(&self, registry: &Registry, event: Event) {
        let registry = registry.clone();
        if self.tx.send(About { registry, event }).is_err() {
            debug!("nobody publishes events any more");
        }
    }
}

/// Publishes events on the policies that rewrite to the registry. A lost event is no reason to stop.
pub(super) async fn publish(cx: &Context, mut rx: mpsc::UnboundedReceiver<About>) {
    while let Some(About { registry, event }) = rx.recv().await {
        let world = cx.world.load_full();
        for policy in world.policies() {
            let is_asked = desired::admission(policy, &world).is_ok_and(|it| it == registry);
            if !is_asked {
                continue;
            }
            if let Err(error) = cx.recorder.publish(&event, &policy.object_ref(&())).await {
                debug!(%error, reason = %event.reason, "the event was not published");
            }
        }
    }
}
