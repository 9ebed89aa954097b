//! How repositories are let go of: what an object asks for when it is deleted, and on what terms its
//! environment lets images go.

use jiff::{SignedDuration, Timestamp};

use super::World;
use super::repository::owner;
use crate::api::environment_account::DeletionTerms;
use crate::api::image_repository::DeletionPolicy;
use crate::api::{EnvironmentAccount, ImageRepository, ManagementPolicy};
use crate::domain::Moment;
use crate::domain::names::EnvironmentName;
use crate::domain::repository::tombstone::{Authority, Clocks, Terms};
use crate::domain::repository::{self as domain, Deletion, Management};

const DELAY_HOURS: i64 = 24;
const UNUSED_DAYS: i64 = 30;

/// How the object lets go of its repository in one environment. It is not deleted where the
/// environment does not allow it, or is gone; and where either is only observed, or the object is
/// suspended, nothing is written.
pub fn deletion(
    object: &ImageRepository,
    environment: &EnvironmentName,
    world: &World,
    now: Timestamp,
) -> Deletion {
    let account = world.environment(environment.as_str());
    let observes = [
        Some(object.spec.management_policy),
        account.map(|it| it.spec.management_policy),
    ]
    .contains(&Some(ManagementPolicy::Observe));
    Deletion {
        owner: owner(object, world),
        policy: match object.spec.deletion_policy {
            DeletionPolicy::Retain => domain::DeletionPolicy::Retain,
            DeletionPolicy::DeleteIfEmpty => domain::DeletionPolicy::DeleteIfEmpty,
            DeletionPolicy::Delete => domain::DeletionPolicy::Delete,
        },
        management: if observes || object.spec.suspend {
            Management::Observe
        } else {
            Management::Manage
        },
        allow_delete: account.is_some_and(|it| it.spec.allow_delete),
        due: moment(now + delay(account.map(|it| &**it))),
    }
}

/// The clocks at one time.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Times {
    /// AWS's, by which images and tombstones are dated.
    pub aws: Timestamp,
    /// The API server's.
    pub kubernetes: Timestamp,
    /// Our own.
    pub ours: Timestamp,
}

/// On what terms repositories of an environment, whose objects are gone, are deleted. A moment is one
/// of AWS's.
pub fn terms(account: &EnvironmentAccount, world: &World, times: Times) -> Terms {
    let now = times.aws;
    let delay = delay(Some(account));
    let made = account.metadata.creation_timestamp.as_ref();
    let made = made.map_or(now, |it| it.0);
    let days = said(account, |it| it.unused_days, UNUSED_DAYS).clamp(0, 3650);
    let is_leaving = account.metadata.deletion_timestamp.is_some();
    Terms {
        cluster: world.cluster().clone(),
        authority: match account.spec.management_policy {
            _ if is_leaving => Authority::Leaving,
            _ if account.spec.suspend => Authority::Suspended,
            ManagementPolicy::Observe => Authority::Observes,
            ManagementPolicy::Manage => Authority::Manages,
        },
        allow_delete: account.spec.allow_delete,
        clocks: clocks(times),
        due: moment(now + delay),
        condemned_before: moment(now - delay),
        settled: moment(made + delay),
        unused_since: moment(now - SignedDuration::from_hours(days * 24)),
    }
}

fn clocks(times: Times) -> Clocks {
    let Times {
        aws,
        kubernetes,
        ours,
    } = times;
    let (first, last) = (aws.min(kubernetes).min(ours), aws.max(kubernetes).max(ours));
    Clocks {
        aws: moment(aws),
        kubernetes: moment(kubernetes),
        ours: moment(ours),
        seconds_apart: last.duration_since(first).as_secs().unsigned_abs(),
    }
}

/// A moment of the clock as tags tell it; a fraction of a second is left out.
pub fn moment(at: Timestamp) -> Moment {
    let text = at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    text.parse()
        .expect("the calendar's years of four digits fit the form")
}

fn delay(account: Option<&EnvironmentAccount>) -> SignedDuration {
    let hours = account.map_or(DELAY_HOURS, |it| said(it, |it| it.delay_hours, DELAY_HOURS));
    SignedDuration::from_hours(hours.clamp(0, 8760))
}

fn said(
    account: &EnvironmentAccount,
    field: impl Fn(&DeletionTerms) -> Option<i64>,
    default: i64,
) -> i64 {
    let terms = account.spec.deletion.as_ref();
    terms.and_then(field).unwrap_or(default)
}

#[cfg(test)]
mod tests;
