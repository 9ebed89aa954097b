//! Letting go of a repository: the object is deleted, or an environment was taken out of its spec.
//! Only the record in status is read, so that a spec that has become invalid blocks nothing, and
//! whatever is in doubt stays: an object that is pruned must never cost an image.

use std::collections::BTreeSet;

use futures::future::join_all;
use jiff::Timestamp;
use kube::ResourceExt;
use kube::runtime::events::{Event, EventType};
use tracing::{info, warn};

use super::Release;
use super::record::Recorded;
use crate::api::ImageRepository;
use crate::api::image_repository::ImageRepositoryStatus;
use crate::api::targets::TargetKey;
use crate::controllers::driver::Done;
use crate::controllers::outcome::{self, Retry};
use crate::controllers::wakes::{Key, Kind};
use crate::controllers::{Context, Stop, finalizer, live, tombstones};
use crate::desired::{self, Stopped, Target};
use crate::domain::names::EnvironmentName;
use crate::domain::repository::{Contents, Deletion, Observed, Released, plan_deletion};
use crate::domain::{Registry, RepositoryName};
use crate::ecr::{self, ErrorKind, Priority};

/// Lets go of every recorded target, then of the object.
pub(super) async fn deleted(object: &ImageRepository, cx: &Context) -> Done<ImageRepositoryStatus> {
    if !finalizer::is_on(object) {
        return Done::nothing(Retry::WhenAsked);
    }
    let status = object.status.clone().unwrap_or_default();
    let orphaned = object.annotations().contains_key(crate::api::ORPHAN);
    let made: Vec<&Recorded> = status
        .targets
        .iter()
        .filter(|it| it.record.is_some() && !orphaned)
        .collect();
    let releases = join_all(made.iter().map(|it| target(object, cx, it))).await;
    let waiting: Vec<String> = releases.iter().filter_map(Release::waits_for).collect();
    if waiting.is_empty() {
        return match finalizer::take_off(cx, object).await {
            Ok(()) => Done {
                events: said(&releases, orphaned),
                ..Done::nothing(Retry::WhenAsked)
            },
            Err(error) => {
                warn!(%error, "the finalizer is still on");
                Done::nothing(Retry::BackingOff)
            }
        };
    }
    let retry = releases.iter().map(Release::retry).max();
    let retry = retry.unwrap_or(Retry::WhenAsked);
    super::status::deleting(object, (&waiting, retry), Timestamp::now())
}

/// A recorded target that is no longer asked for.
pub(crate) struct LeftTarget {
    key: TargetKey,
    /// What is recorded of it.
    pub(crate) row: Recorded,
    /// Whether its repository is asked for under another environment's name.
    pub(crate) is_taken_over: bool,
}

impl LeftTarget {
    /// What is left beside these targets.
    pub(crate) fn of(
        left: Vec<(TargetKey, Recorded)>,
        targets: &[Result<Target, Stopped>],
    ) -> Vec<Self> {
        let asked: BTreeSet<String> = targets.iter().flatten().map(Target::arn).collect();
        let left = left.into_iter().map(|(key, row)| Self {
            is_taken_over: row.arn.as_ref().is_some_and(|it| asked.contains(it)),
            key,
            row,
        });
        left.collect()
    }

    /// Releases it.
    pub(super) async fn release(
        self,
        object: &ImageRepository,
        cx: &Context,
    ) -> (TargetKey, Release) {
        let release = if self.is_taken_over {
            Release::Done("asked for under another environment's name".to_owned())
        } else {
            target(object, cx, &self.row).await
        };
        (self.key, release)
    }
}

/// Lets go of one target.
async fn target(object: &ImageRepository, cx: &Context, it: &Recorded) -> Release {
    let place = it.arn.as_deref().and_then(place_of_arn);
    let (Some((registry, name)), Ok(environment)) = (place, it.environment.parse()) else {
        return Release::NotYet(
            format!("status names no repository for {}", it.environment),
            Retry::Patiently,
        );
    };
    match let_go(object, cx, (&environment, &registry), &name).await {
        Ok(what) => {
            info!(%registry, repository = %name, what, "released");
            Release::Done(format!("{name} in {registry}: {what}"))
        }
        Err(Stop::Failed(error)) => {
            let (_, _, retry) = outcome::of_error(error.kind);
            Release::NotYet(error.to_string(), retry)
        }
        Err(stop @ (Stop::Stopped(_) | Stop::Unconfirmed(_))) => {
            Release::NotYet(stop.to_string(), Retry::BackingOff)
        }
    }
}

async fn let_go(
    object: &ImageRepository,
    cx: &Context,
    (environment, registry): (&EnvironmentName, &Registry),
    name: &RepositoryName,
) -> Result<String, Stop> {
    let world = cx.world.load_full();
    // Who has the account now reaches it, whatever its environment was called.
    let environment = world.registries().get(registry).unwrap_or(environment);
    let registry = cx.registry(environment, registry).await?.at(Priority::Edit);
    let _turn = registry.turn(name).await;
    live::confirm(cx, object).await?;
    let observed = registry.observe(name).await.map_err(Stop::Failed)?;
    let now = tombstones::now(&registry)?;
    let deletion = desired::deletion(object, environment, &world, now);
    let what = carry_out(&registry, &deletion, (name, observed.as_ref())).await;
    // It counts the repositories that bear a tombstone.
    cx.wakes.wake(Key {
        kind: Kind::Environment,
        namespace: None,
        name: environment.to_string(),
    });
    what.map_err(Stop::Failed)
}

async fn carry_out(
    registry: &ecr::Registry,
    deletion: &Deletion,
    (name, observed): (&RepositoryName, Option<&Observed>),
) -> Result<String, ecr::Error> {
    let mut contents = None;
    loop {
        match plan_deletion(deletion, observed, contents) {
            Released::LeftAlone(why) => return Ok(format!("left alone: {why}")),
            Released::AskContents => contents = Some(registry.contents(name).await?),
            Released::Kept(changes, why) => {
                for change in &changes {
                    registry.apply(name, change).await?;
                }
                return Ok(format!("kept, without our owner tags: {why}"));
            }
            Released::Condemned(change, due) => {
                if let Some(change) = change {
                    registry.apply(name, &change).await?;
                }
                return Ok(format!(
                    "holds images, so it stays until {due} and as long as it is in use; make the \
                     object again to keep it"
                ));
            }
            Released::Deleted(change) => match registry.apply(name, &change).await {
                // An image came between the look and the call: the next plan knows of it.
                Err(error) if error.kind == ErrorKind::NotEmpty => {
                    contents = Some(Contents::Images);
                }
                result => return result.map(|()| "deleted, it was empty".to_owned()),
            },
        }
    }
}

impl Release {
    fn waits_for(&self) -> Option<String> {
        match self {
            Self::Done(_) => None,
            Self::NotYet(why, _) => Some(why.clone()),
        }
    }

    fn retry(&self) -> Retry {
        match self {
            Self::Done(_) => Retry::WhenAsked,
            Self::NotYet(_, retry) => *retry,
        }
    }
}

fn said(releases: &[Release], orphaned: bool) -> Vec<Event> {
    let note = if orphaned {
        format!("{} is set: nothing was touched in AWS", crate::api::ORPHAN)
    } else {
        let parts: Vec<&str> = releases
            .iter()
            .filter_map(|it| match it {
                Release::Done(what) => Some(what.as_str()),
                Release::NotYet(..) => None,
            })
            .collect();
        parts.join("; ")
    };
    vec![Event {
        type_: EventType::Normal,
        reason: "Released".to_owned(),
        note: Some(note),
        action: "Release".to_owned(),
        secondary: None,
    }]
}

/// Where a repository is: `arn:aws:ecr:REGION:ACCOUNT:repository/NAME`
pub(crate) fn place_of_arn(arn: &str) -> Option<(Registry, RepositoryName)> {
    let mut parts = arn.splitn(6, ':').skip(3);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let name = resource.strip_prefix("repository/")?.parse().ok()?;
    Some((
        Registry::new(account.parse().ok()?, region.parse().ok()?),
        name,
    ))
}
