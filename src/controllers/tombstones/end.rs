//! One repository's end, step by step. Each step is decided anew from a read of its own, so that a
//! kill between any two of them changes nothing, and whatever speaks against it lifts the quarantine.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::ResourceExt;
use kube::runtime::events::Event;
use tracing::{info, warn};

use super::now;
use crate::api::EnvironmentAccount;
use crate::controllers::wakes::{Key, Kind};
use crate::controllers::{Context, Stop, driver, live, tidings, usage};
use crate::desired::{self, Times, moment};
use crate::domain::RepositoryName;
use crate::domain::names::EnvironmentName;
use crate::domain::policy::QUARANTINE;
use crate::domain::repository::tombstone::{
    Authority, End, Findings, Pods, Question, Terms, Waiting, plan_end,
};
use crate::domain::repository::{Change, Kept};
use crate::domain::usage::Usage;
use crate::ecr::{self, ErrorKind, Seen};

/// The ends of one environment's repositories.
pub(super) struct Ending<'a> {
    pub(super) cx: &'a Context,
    /// The environment's object as the watch has it.
    pub(super) object: &'a EnvironmentAccount,
    pub(super) environment: EnvironmentName,
    pub(super) registry: ecr::Registry,
}

/// What is known while one repository is brought to its end.
#[derive(Default)]
struct Progress {
    findings: Findings,
    /// How many images ECR was asked to delete so far.
    deleted: usize,
    /// How many there were when they were last looked at.
    looked_at: usize,
    /// How many of these there were when ECR was asked to delete all of them.
    emptied: Option<usize>,
}

/// Whether there is a next step.
enum Step {
    Next,
    /// None: it is over, or has to wait.
    Last(Option<Waiting>),
}

impl Ending<'_> {
    /// The terms as the environment's object is now, by the clocks of the servers that were just read.
    pub(super) async fn terms(&self) -> Result<Terms, Stop> {
        let live = live::environment(self.cx, &self.object.name_any()).await?;
        let times = Times {
            aws: now(&self.registry)?,
            kubernetes: live.date,
            ours: Timestamp::now(),
        };
        let world = self.cx.world.load();
        Ok(match live.object {
            Some(object) if object.uid() == self.object.uid() => {
                desired::terms(&object, &world, times)
            }
            Some(_) | None => Terms {
                authority: Authority::Leaving,
                ..desired::terms(self.object, &world, times)
            },
        })
    }

    /// Decides on one repository from what is known without a call, and if it may go, carries it out;
    /// `Some`: why it still stands.
    pub(super) async fn look(
        &self,
        name: &RepositoryName,
        terms: &Terms,
        earlier: Option<&Waiting>,
    ) -> Option<Waiting> {
        let Seen::Present(known) = self.registry.seen(name) else {
            return None;
        };
        let mut findings = Findings::default();
        loop {
            match plan_end(terms, Some(&known), &findings) {
                End::NotOurs => return None,
                End::Waits(why) => return Some(why),
                End::Ask(Question::Pods) => findings.pods = Some(self.watched(name)),
                End::Ask(Question::Images) => match earlier {
                    // An image is never used earlier than it was.
                    Some(Waiting::UsedLately(used)) if *used >= terms.unused_since => {
                        return earlier.cloned();
                    }
                    _ => break,
                },
                End::Ask(Question::Claimant | Question::Policy)
                | End::Condemned(_)
                | End::Announced(_)
                | End::Quarantined(_)
                | End::Emptied(_)
                | End::Lifted(..)
                | End::Kept(..)
                | End::Deleted(_) => break,
            }
        }
        match self.carry_out(name).await {
            Ok(waiting) => waiting,
            Err(error) => {
                warn!(%error, repository = %name, "its tombstone is looked at again");
                Some(Waiting::Failed(error.to_string()))
            }
        }
    }

    /// Takes one step after the other, each from a read of the repository and its environment.
    pub(super) async fn carry_out(&self, name: &RepositoryName) -> Result<Option<Waiting>, Stop> {
        let _turn = self.registry.turn(name).await;
        let mut progress = Progress::default();
        loop {
            let observed = self.registry.observe(name).await.map_err(Stop::Failed)?;
            let terms = self.terms().await?;
            let end = plan_end(&terms, observed.as_ref(), &progress.findings);
            match self.step(name, end, &mut progress).await? {
                Step::Next => {}
                Step::Last(waiting) => return Ok(waiting),
            }
        }
    }

    async fn step(
        &self,
        name: &RepositoryName,
        end: End,
        progress: &mut Progress,
    ) -> Result<Step, Stop> {
        match end {
            End::NotOurs => return Ok(Step::Last(None)),
            End::Waits(why) => return Ok(Step::Last(Some(why))),
            End::Ask(_) => self.find_out(name, progress).await?,
            End::Condemned(change) => {
                self.apply(name, &change).await?;
                self.shown_anew();
            }
            End::Announced(change) => {
                let first = progress.findings.look.clone();
                progress.findings.first_look = progress.findings.first_look.take().or(first);
                self.apply(name, &change).await?;
            }
            End::Quarantined(change) => {
                self.apply(name, &change).await?;
                let how =
                    format!("nobody pushes or pulls while its images are deleted ({QUARANTINE})");
                self.ends(name, ("Quarantined", &change), &how).await;
                self.look_again(name, progress).await?;
            }
            End::Emptied(batch) => {
                let change = Change::BatchDeleteImage(batch);
                self.apply(name, &change).await?;
                progress.named(&change);
                self.find_out(name, progress).await?;
            }
            End::Lifted(changes, why) => {
                self.apply_all(name, &changes).await?;
                self.lifted(name, &why, progress.deleted).await;
                return Ok(Step::Last(Some(why)));
            }
            End::Kept(changes, why) => {
                self.apply_all(name, &changes).await?;
                self.kept(name, why, progress.deleted).await;
                return Ok(Step::Last(None));
            }
            End::Deleted(change) => return self.delete(name, &change, progress).await,
        }
        Ok(Step::Next)
    }

    /// Without `force`: where ECR finds an image, all is looked at again.
    async fn delete(
        &self,
        name: &RepositoryName,
        change: &Change,
        progress: &mut Progress,
    ) -> Result<Step, Stop> {
        match self.registry.apply(name, change).await {
            Err(error) if error.kind == ErrorKind::NotEmpty => {
                let first = progress.findings.look.clone();
                progress.findings.first_look = progress.findings.first_look.take().or(first);
                self.look_again(name, progress).await?;
                let look = progress.findings.look.as_ref();
                match look.is_some_and(|it| it.images.is_empty()) {
                    true => Err(Stop::Failed(error)), // which image it means is not listed yet
                    false => Ok(Step::Next),
                }
            }
            Err(error) => Err(Stop::Failed(error)),
            Ok(()) => {
                let how = "deleted: its object is gone, and nobody has used it since";
                self.ends(name, ("RepositoryDeleted", change), how).await;
                self.shown_anew();
                Ok(Step::Last(None))
            }
        }
    }

    async fn apply_all(&self, name: &RepositoryName, changes: &[Change]) -> Result<(), Stop> {
        for change in changes {
            self.apply(name, change).await?;
        }
        self.shown_anew();
        Ok(())
    }

    async fn apply(&self, name: &RepositoryName, change: &Change) -> Result<(), Stop> {
        let applied = self.registry.apply(name, change).await;
        applied.map_err(Stop::Failed)?;
        let (registry, change) = (self.registry.name(), change.operation());
        info!(%registry, repository = %name, change, "a tombstone's next step");
        Ok(())
    }

    /// What was found before the quarantine is not what is found behind it.
    async fn look_again(&self, name: &RepositoryName, progress: &mut Progress) -> Result<(), Stop> {
        progress.findings = Findings {
            first_look: progress.findings.first_look.take(),
            ..Findings::default()
        };
        self.find_out(name, progress).await
    }

    /// Finds out what is not known, the living last.
    async fn find_out(&self, name: &RepositoryName, progress: &mut Progress) -> Result<(), Stop> {
        let findings = &mut progress.findings;
        if findings.look.is_none() {
            let at = moment(now(&self.registry)?);
            let look = self.registry.look(name, at).await.map_err(Stop::Failed)?;
            let count = look.images.len();
            let before = progress.emptied.take();
            if count > 0 && before.is_some_and(|before| count >= before) {
                let why = format!("ECR deletes none of the {count} images that are left");
                return Err(Stop::Unconfirmed(why));
            }
            progress.looked_at = count;
            findings.look = Some(look);
        }
        if findings.claimant.is_none() {
            let claimant = live::claimant(self.cx, &self.environment, name).await;
            let claimant = claimant.map_err(|it| Stop::Unconfirmed(it.to_string()));
            findings.claimant = Some(claimant?);
        }
        if findings.pods.is_none() {
            let usage = usage::read(self.cx.client.clone()).await;
            let usage = usage.map_err(|it| Stop::Unconfirmed(it.to_string()))?;
            findings.pods = Some(self.pods(&usage, name));
        }
        Ok(())
    }

    /// The pods that the watch knows of.
    fn watched(&self, name: &RepositoryName) -> Pods {
        match self.cx.usage.load_full() {
            Some(usage) => self.pods(&usage, name),
            None => Pods::NotLoaded,
        }
    }

    fn pods(&self, usage: &Usage, name: &RepositoryName) -> Pods {
        let used = usage.of(self.registry.name(), name);
        if used.is_empty() {
            return Pods::None;
        }
        Pods::Some(used.pods().into_iter().map(str::to_owned).collect())
    }

    fn shown_anew(&self) {
        let environment = Key::of(Kind::Environment, self.object);
        self.cx.wakes.wake(environment);
    }

    async fn lifted(&self, name: &RepositoryName, why: &Waiting, deleted: usize) {
        let how = format!("its quarantine is lifted: {why}{}", loss(deleted));
        let event = self.note(name, &how);
        let event = tidings::warning("QuarantineLifted", "SetRepositoryPolicy", &event);
        self.tell(name, event).await;
    }

    async fn kept(&self, name: &RepositoryName, why: Kept, deleted: usize) {
        let how = format!("kept, without our owner tags: {why}{}", loss(deleted));
        let event = self.note(name, &how);
        self.tell(
            name,
            tidings::normal("RepositoryKept", "UntagResource", &event),
        )
        .await;
    }

    async fn ends(&self, name: &RepositoryName, (reason, by): (&str, &Change), how: &str) {
        let note = self.note(name, how);
        self.tell(name, tidings::normal(reason, by.operation(), &note))
            .await;
    }

    fn note(&self, name: &RepositoryName, how: &str) -> String {
        format!("{name} in {}: {how}", self.registry.name())
    }

    /// Says once why a repository is not deleted though its delay is over.
    pub(super) async fn tell_waiting(
        &self,
        name: &RepositoryName,
        why: &Waiting,
        earlier: Option<&Waiting>,
    ) {
        use tidings::{normal, warning};
        type Tell = fn(&str, &str, &str) -> Event;
        let (tell, reason): (Tell, _) = match why {
            Waiting::NoAuthority(_)
            | Waiting::TombstoneGone
            | Waiting::Delay(_)
            | Waiting::PodsNotLoaded => return,
            Waiting::Unreadable(_) => (normal, "TombstoneUnreadable"),
            Waiting::ClocksDiffer(_) => (warning, "ClocksDiffer"),
            Waiting::InUse(_) => (normal, "InUse"),
            Waiting::Claimed(_) => (normal, "Claimed"),
            Waiting::UsedLately(_) => (normal, "UsedLately"),
            Waiting::NoQuarantine(_) => (warning, "NoQuarantine"),
            Waiting::Failed(_) => (warning, "DeletionFailed"),
        };
        if earlier.is_some_and(|it| why.repeats(it)) {
            return;
        }
        let note = self.note(name, &format!("not deleted yet: {why}"));
        self.tell(name, tell(reason, "DeleteRepository", &note))
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

impl Progress {
    /// Takes in that ECR was asked to delete these images. The last ones are looked for again.
    fn named(&mut self, change: &Change) {
        let Change::BatchDeleteImage(batch) = change else {
            return;
        };
        let digests: BTreeSet<&String> = batch.iter().map(|it| &it.digest).collect();
        self.deleted += digests.len();
        self.findings.pods = None;
        self.findings.claimant = None;
        if let Some(mut look) = self.findings.look.take() {
            look.without(batch);
            if look.images.is_empty() {
                self.emptied = Some(self.looked_at);
            } else {
                self.findings.look = Some(look);
            }
        }
    }
}

/// What cannot be taken back once images were deleted.
fn loss(deleted: usize) -> String {
    match deleted {
        0 => String::new(),
        some => format!(
            "; {some} images that nobody used were deleted before that, and a pod that asks for \
             one of them cannot pull it"
        ),
    }
}
