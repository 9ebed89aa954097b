//! The end of repositories whose objects are gone and were to take their images along. What stands
//! under a tombstone is known from each registry's list, so a round costs nothing until a delay is
//! over; then all that speaks against it is asked, the living and the repository itself last.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::ResourceExt;
use kube::runtime::events::Event;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use super::driver::Done;
use super::wakes::{Key, Kind};
use super::{Context, Stop, driver, live, tidings};
use crate::api::EnvironmentAccount;
use crate::api::environment_account::{EnvironmentAccountStatus, NextDeletion};
use crate::desired::{self, Environment};
use crate::domain::RepositoryName;
use crate::domain::names::{ClusterId, EnvironmentName};
use crate::domain::owner;
use crate::domain::repository::tombstone::{
    End, Findings, Holdings, Pods, Question, Terms, Waiting, plan_end,
};
use crate::ecr::{self, Priority, Seen};

/// What was said last of each repository of one environment that waits, so that nothing is said
/// twice, and nothing asked again before its answer can be another one.
type Told = BTreeMap<RepositoryName, Waiting>;

/// Looks at every environment once a period, each for itself, until dropped.
pub async fn run(cx: Arc<Context>, period: Duration) {
    let mut told: BTreeMap<String, Told> = BTreeMap::new();
    let mut under_way = BTreeSet::new();
    let mut rounds = JoinSet::new();
    let mut next = Instant::now() + period;
    loop {
        tokio::select! {
            () = sleep_until(next) => {
                next = Instant::now() + period;
                for object in cx.world.load_full().environments() {
                    let name = object.name_any();
                    if under_way.insert(name.clone()) {
                        let told = told.remove(&name).unwrap_or_default();
                        rounds.spawn(round(Arc::clone(&cx), Arc::clone(object), told));
                    }
                }
            }
            Some(ended) = rounds.join_next() => {
                let (name, waiting) = ended.expect("a round neither panics nor is cancelled alone");
                under_way.remove(&name);
                told.insert(name, waiting);
            }
        }
    }
}

/// One look at one environment.
async fn round(cx: Arc<Context>, object: Arc<EnvironmentAccount>, told: Told) -> (String, Told) {
    let mut waiting = Told::new();
    let name = object.name_any();
    match Round::begin(&cx, &object).await {
        Ok(None) => {}
        Ok(Some(round)) => {
            for (repository, _) in standing(&round.registry, &round.terms.cluster) {
                let earlier = told.get(&repository);
                match round.look(&repository, earlier).await {
                    Ok(None) => {}
                    Ok(Some(why)) => {
                        round.tell_waiting(&repository, &why, earlier).await;
                        waiting.insert(repository, why);
                    }
                    Err(error) => warn!(%error, %repository, "its tombstone is looked at again"),
                }
            }
        }
        Err(error) => debug!(%error, environment = name, "no tombstone is looked at"),
    }
    (name, waiting)
}

/// Shows how many repositories of an environment wait for their end, and the first of them to go.
pub async fn show(
    cx: &Context,
    environment: &Environment,
    mut done: Done<EnvironmentAccountStatus>,
) -> Done<EnvironmentAccountStatus> {
    const SHOWN: usize = 10;
    let home = cx.sign_in(environment, environment.home()).await;
    if let (Some(status), Ok(home)) = (&mut done.status, home) {
        let standing = standing(&home, cx.world.load().cluster());
        status.tombstones = i64::try_from(standing.len()).ok().filter(|it| *it > 0);
        let next = standing
            .into_iter()
            .map(|(name, delete_after)| NextDeletion {
                delete_after,
                repository_name: name.to_string(),
            });
        status.next_deletions = next.collect();
        status.next_deletions.sort_unstable();
        status.next_deletions.truncate(SHOWN);
    }
    done
}

/// The repositories of a registry that bear a tombstone of this cluster, as last seen, and what
/// stands on it. No call is made.
fn standing(registry: &ecr::Registry, cluster: &ClusterId) -> Vec<(RepositoryName, String)> {
    let snapshot = registry.snapshot().unwrap_or_default();
    let ours = snapshot.iter().filter(|(_, it)| {
        let owner = it.tags.get(owner::CLUSTER);
        owner.is_some_and(|it| it == cluster.as_str())
    });
    let standing = ours.filter_map(|(name, it)| {
        let due = it.tags.get(owner::DELETE_AFTER)?;
        Some((name.clone(), due.clone()))
    });
    standing.collect()
}

/// What is the same for all repositories of one environment.
struct Round<'a> {
    cx: &'a Context,
    object: &'a EnvironmentAccount,
    environment: EnvironmentName,
    registry: ecr::Registry,
    terms: Terms,
}

impl<'a> Round<'a> {
    /// `None` where nothing may be deleted at all.
    async fn begin(cx: &'a Context, object: &'a EnvironmentAccount) -> Result<Option<Self>, Stop> {
        let world = cx.world.load_full();
        let Some(terms) = desired::terms(object, &world, Timestamp::now()) else {
            return Ok(None);
        };
        let environment = desired::environment(object, &world).map_err(Stop::Stopped)?;
        let registry = cx.sign_in(&environment, environment.home()).await;
        Ok(Some(Self {
            cx,
            object,
            environment: environment.name,
            registry: registry.map_err(Stop::Failed)?.at(Priority::Sweep),
            terms,
        }))
    }

    /// Decides on one repository and carries it out; `Some`: why it still stands.
    async fn look(
        &self,
        name: &RepositoryName,
        earlier: Option<&Waiting>,
    ) -> Result<Option<Waiting>, Stop> {
        let known = match self.registry.seen(name) {
            Seen::Present(observed) => Some(observed),
            Seen::Unknown | Seen::Absent => None,
        };
        let mut findings = Findings::default();
        loop {
            match plan_end(&self.terms, known.as_deref(), &findings) {
                End::NotOurs => return Ok(None),
                End::Waits(why) => return Ok(Some(why)),
                End::Ask(Question::Pods) => findings.pods = Some(self.pods(name)),
                End::Ask(Question::Holdings) => match earlier {
                    // An image is never used earlier than it was.
                    Some(Waiting::UsedLately(used)) if *used > self.terms.unused_since => {
                        return Ok(earlier.cloned());
                    }
                    _ => findings.holdings = Some(self.holdings(name).await?),
                },
                End::Ask(Question::Claimant) => {
                    let claimant = live::claimant(self.cx, &self.environment, name).await;
                    let claimant = claimant.map_err(|it| Stop::Unconfirmed(it.to_string()));
                    findings.claimant = Some(claimant?);
                }
                End::Kept(..) | End::Deleted(_) => break,
            }
        }
        self.carry_out(name, &findings).await
    }

    /// The last look: whether the environment still says so, and the repository still is what it
    /// was.
    async fn carry_out(
        &self,
        name: &RepositoryName,
        findings: &Findings,
    ) -> Result<Option<Waiting>, Stop> {
        live::confirm(self.cx, self.object).await?;
        let observed = self.registry.observe(name).await.map_err(Stop::Failed)?;
        let (changes, reason, how) = match plan_end(&self.terms, observed.as_ref(), findings) {
            End::NotOurs | End::Ask(_) => return Ok(None),
            End::Waits(why) => return Ok(Some(why)),
            End::Kept(changes, why) => {
                let how = format!("kept, without our owner tags: {why}");
                (changes, "RepositoryKept", how)
            }
            End::Deleted(change) => {
                let how = "deleted: its object is gone, and nobody has used it since".to_owned();
                (vec![change], "RepositoryDeleted", how)
            }
        };
        let registry = self.registry.name();
        let mut last = "";
        for change in &changes {
            let applied = self.registry.apply(name, change).await;
            applied.map_err(Stop::Failed)?;
            last = change.operation();
            info!(%registry, repository = %name, change = last, how, "a tombstone ends");
        }
        let note = format!("{name} in {registry}: {how}");
        self.tell(name, tidings::normal(reason, last, &note)).await;
        self.cx.wakes.wake(Key::of(Kind::Environment, self.object));
        Ok(None)
    }

    fn pods(&self, name: &RepositoryName) -> Pods {
        let Some(usage) = self.cx.usage.load_full() else {
            return Pods::NotLoaded;
        };
        let used = usage.of(self.registry.name(), name);
        if used.is_empty() {
            return Pods::None;
        }
        Pods::Some(used.pods().into_iter().map(str::to_owned).collect())
    }

    async fn holdings(&self, name: &RepositoryName) -> Result<Holdings, Stop> {
        self.registry.holdings(name).await.map_err(Stop::Failed)
    }

    /// Says once why a repository is not deleted though its delay is over.
    async fn tell_waiting(&self, name: &RepositoryName, why: &Waiting, earlier: Option<&Waiting>) {
        let reason = match why {
            Waiting::Observed | Waiting::Delay(_) | Waiting::PodsNotLoaded => return,
            Waiting::Unreadable => "TombstoneUnreadable",
            Waiting::InUse(_) => "InUse",
            Waiting::Claimed(_) => "Claimed",
            Waiting::UsedLately(_) => "UsedLately",
        };
        if earlier == Some(why) {
            return;
        }
        let note = format!(
            "{name} in {} is not deleted yet: {why}",
            self.registry.name()
        );
        self.tell(name, tidings::normal(reason, "DeleteRepository", &note))
            .await;
    }

    /// Publishes an event that is about one repository: events without this are told apart by their
    /// reason alone, and those of several repositories would be one.
    async fn tell(&self, name: &RepositoryName, event: Event) {
        let repository = ObjectReference {
            kind: Some("Repository".to_owned()),
            name: Some(name.to_string()),
            ..ObjectReference::default()
        };
        let event = Event {
            secondary: Some(repository),
            ..event
        };
        driver::tell(self.cx, self.object, &event).await;
    }
}
