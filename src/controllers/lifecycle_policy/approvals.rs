//! What may be approved of each lifecycle policy, as far as its places show that they wait, and what its
//! approval grants to each of them. Kept in memory: what was granted to a target of an `ImageRepository`
//! stands in its status, and what is not known here any more asks again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::findings::Findings;
use crate::api::ImageRepository;
use crate::desired::World;
use crate::domain::lifecycle::approval::{Asks, Offer, Offers};
use crate::domain::repository::{Desired, Setting};

/// What a policy's places ask for, by policy and by the hash of the document that they are to be given.
pub(super) type AllAsks = BTreeMap<(String, String), Asks>;

/// What an update has changed, by name of policy.
#[derive(Debug, Default)]
pub(super) struct News {
    /// Something else is to be approved.
    pub(super) offered: BTreeSet<String>,
    /// An approval has come into force that was given before its offer was known here, as after a restart:
    /// the places do not know.
    pub(super) in_force: BTreeSet<String>,
}

/// The offers of all policies, shared.
#[derive(Debug, Default)]
pub struct Approvals(Mutex<BTreeMap<String, Offers>>);

impl Approvals {
    /// Adds to `desired` of the repository with this ARN what its policy's approval grants it.
    pub fn grant(&self, arn: &str, desired: &mut Desired) {
        let (Setting::Present(document), safety) = (&desired.lifecycle, &mut desired.safety) else {
            return;
        };
        let Some(approval) = &safety.approval else {
            return;
        };
        let offers = self.offers();
        let granted = offers
            .get(&safety.policy)
            .and_then(|it| it.approved(approval, &document.hash(), arn));
        safety.approved = safety.approved.max(granted);
    }

    /// What a person has to write to approve of `policy` now, whose document has this hash.
    pub fn hash(&self, policy: &str, document: &str) -> Option<String> {
        let offers = self.offers();
        let newest = offers.get(policy)?.newest(document)?;
        Some(newest.to_owned())
    }

    /// Takes in what is asked for now.
    pub(super) fn update(&self, world: &World, mut asks: AllAsks) -> News {
        let mut offers = self.offers();
        let mut before = std::mem::take(&mut *offers);
        let mut news = News::default();
        for object in world.lifecycles() {
            let name = object.metadata.name.clone().unwrap_or_default();
            let Some(Ok(document)) = world.document(&name) else {
                continue;
            };
            let document = document.hash();
            let asks = asks.remove(&(name.clone(), document.clone()));
            let approved = &object.spec.safety.approved_hash;
            let approved = (!approved.is_empty()).then(|| approved.clone());
            let mut of_it = before.remove(&name).unwrap_or_default();
            let shown = of_it.newest(&document).map(str::to_owned);
            let offer = Offer::new(document.clone(), asks.unwrap_or_default());
            if of_it.update(offer, approved) {
                news.in_force.insert(name.clone());
            }
            if of_it.newest(&document) != shown.as_deref() {
                news.offered.insert(name.clone());
            }
            offers.insert(name, of_it);
        }
        news
    }

    fn offers(&self) -> MutexGuard<'_, BTreeMap<String, Offers>> {
        // A panic elsewhere leaves what was known, not a broken invariant.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What all places ask for: targets by their status, repositories of caches by what was found of them.
pub(super) fn asks(objects: &[Arc<ImageRepository>], findings: &Findings) -> AllAsks {
    let mut all = AllAsks::new();
    let targets = objects.iter().filter_map(|it| it.status.as_ref());
    for target in targets.flat_map(|it| &it.targets) {
        let lifecycle = target.record.as_ref().and_then(|it| it.lifecycle.as_ref());
        let (Some(found), Some(arn)) = (lifecycle, &target.arn) else {
            continue;
        };
        let most = found.to_approve.and_then(|it| usize::try_from(it).ok());
        if let Some(most) = most {
            let policy = (found.policy.clone(), found.hash.clone());
            all.entry(policy).or_default().insert(arn.clone(), most);
        }
    }
    for ask in findings.asks() {
        let policy = (ask.policy, ask.document);
        all.entry(policy).or_default().insert(ask.arn, ask.most);
    }
    all
}
