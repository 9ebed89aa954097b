//! Fetches what this cluster's pods use into the cache, within the hour's budget, which all
//! registries of the rule share and which stands in status before it is spent.

use std::collections::BTreeSet;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use tracing::info;

use super::record::{Before, Recorded, registries};
use super::{End, Found, Look, Outcome};
use crate::api::PullThroughRule;
use crate::api::pull_through_rule::{Imports, ObservedRecord, PullThroughRuleStatus};
use crate::api::targets::TargetKey;
use crate::controllers::ledger::Ledger;
use crate::controllers::{Context, condition, driver};
use crate::desired::{self, Placed};
use crate::domain::facts::Images;
use crate::domain::prewarm::{self, Image, Spent, Wanted};
use crate::domain::repository::Management;
use crate::domain::usage::Usage;
use crate::ecr::{self, Prewarm, Priority, Validation};

/// What is to be fetched into one registry, and how what pods use stands there before.
struct Turn {
    /// The target.
    key: TargetKey,
    record: ObservedRecord,
    images: Vec<Image>,
}

/// What pods use, and how much of it may be fetched.
struct Budget<'a> {
    usage: &'a Usage,
    left: u32,
}

/// Takes one turn in every registry whose rule works, and gives what of the budget is spent.
///
/// # Errors
/// When status could not be written, for instance because the object has changed: then nothing was
/// fetched, so that nothing is spent twice.
pub(super) async fn prewarm(
    (object, recorded): (&PullThroughRule, &mut Before),
    cx: &Context,
    ends: &mut [End],
    now: Timestamp,
) -> kube::Result<Option<Imports>> {
    let Some(most) = desired::imports_per_hour(object) else {
        return Ok(None);
    };
    let before = object.status.as_ref().and_then(|it| it.imports.clone());
    let Some(usage) = cx.usage.load_full() else {
        keep(&recorded.ledger, ends); // the sweep asks again
        return Ok(before);
    };
    let spent = before.as_ref().map_or_else(Spent::default, |it| Spent {
        since: it.since.0.as_second(),
        imports: it.count,
    });
    let left = spent.left(now.as_second(), most);
    let budget = Budget {
        usage: &usage,
        left,
    };
    let turns = turns(ends, &recorded.ledger, budget).await;
    let imports: usize = turns.iter().map(|it| it.images.len()).sum();
    let mut after = before;
    if imports > 0 {
        let spent = spent.and(now.as_second(), count(imports));
        after = Some(Imports {
            since: Time(Timestamp::from_second(spent.since).unwrap_or(now)),
            count: spent.imports,
        });
        let status = PullThroughRuleStatus {
            imports: after.clone(),
            targets: recorded.ledger.rows().cloned().collect(),
            ..object.status.clone().unwrap_or_default()
        };
        let version = recorded.version.take();
        recorded.version = driver::show(cx, object, &status, version).await?;
    }
    for Turn {
        key,
        record,
        images,
    } in turns
    {
        let mut working = ends.iter_mut().filter_map(works);
        if let Some((look, found)) = working.find(|(look, _)| look.target.key() == key) {
            found.observed = Some(fetch(look, record, images).await);
        }
    }
    Ok(after)
}

/// What is to be fetched next, `left` images at most over all registries. A registry that cannot be
/// read has failed.
async fn turns(ends: &mut [End], recorded: &Ledger<Recorded>, budget: Budget<'_>) -> Vec<Turn> {
    let Budget { usage, mut left } = budget;
    let registries = registries(recorded.rows());
    let mut turns = Vec::new();
    for end in ends {
        let Some((look, _)) = works(end) else {
            continue;
        };
        let key = look.target.key();
        let last = observed(recorded, &key).and_then(|it| it.last.clone());
        let wanted = prewarm::wanted(&look.target.desired.rule, &registries, usage);
        match missing(&look.registry.at(Priority::Sweep), &wanted).await {
            Ok(missing) => {
                let next = prewarm::next(&missing, last.as_deref().unwrap_or_default(), left);
                left -= count(next.len());
                turns.push(Turn {
                    key,
                    images: next.into_iter().cloned().collect(),
                    record: ObservedRecord {
                        hash: wanted.hash(),
                        used: count(wanted.images.len()),
                        cached: count(wanted.images.len() - missing.len()),
                        digests: count(wanted.digests),
                        last,
                        missed: None,
                    },
                });
            }
            Err(error) => fails(end, error),
        }
    }
    turns
}

/// What is known of a rule that works and is ours to use.
fn works(end: &mut End) -> Option<(&Look, &mut Found)> {
    let settled = end.result.as_mut().ok()?;
    let Outcome::Settled(found) = &mut settled.outcome else {
        return None;
    };
    let works = found.validation == Some(Validation::Valid)
        && settled.look.target.desired.management == Management::Manage;
    works.then_some((&settled.look, found))
}

fn fails(end: &mut End, error: ecr::Error) {
    if let Ok(settled) = &mut end.result {
        settled.outcome = Outcome::Failed(error);
    }
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// The wanted images that the cache does not have: one list a repository.
async fn missing(registry: &ecr::Registry, wanted: &Wanted) -> Result<BTreeSet<Image>, ecr::Error> {
    let names: BTreeSet<_> = wanted.images.iter().map(|(name, _)| name).collect();
    let mut present = registry.listed().await?;
    // ECR makes repositories as it imports, ours of the last turn among them.
    if names.iter().any(|it| !present.contains_key(*it)) {
        present = registry.refresh().await?;
    }
    let mut missing = BTreeSet::new();
    for name in names {
        // A repository that is not there has no images; to ask would be an error each time.
        let images = if present.contains_key(name) {
            registry.images(name).await?
        } else {
            Images::default()
        };
        let of_it = wanted.images.iter().filter(|(it, _)| it == name);
        missing.extend(
            of_it
                .filter(|(_, tag)| !images.tags.contains_key(tag))
                .cloned(),
        );
    }
    Ok(missing)
}

/// Fetches images, up to the first that the upstream refuses us.
async fn fetch(look: &Look, mut record: ObservedRecord, images: Vec<Image>) -> ObservedRecord {
    let registry = look.registry.at(Priority::Sweep);
    for image in images {
        let name = prewarm::name(&image);
        let (repository, tag) = &image;
        record.last = Some(name.clone());
        let missed = match registry.prewarm(repository, tag).await {
            Ok(Prewarm::Imported { digest }) => {
                info!(registry = %registry.name(), image = name, digest, "prewarmed");
                record.cached += 1;
                continue;
            }
            Ok(Prewarm::NotFound) => {
                record.missed = Some(format!("{name}: the upstream has no such image"));
                continue;
            }
            Ok(
                Prewarm::UpstreamAccessDenied(why)
                | Prewarm::UpstreamTooManyRequests(why)
                | Prewarm::UpstreamUnavailable(why),
            ) => why,
            Err(error) => error.to_string(),
        };
        record.missed = Some(condition::shortened(&format!("{name}: {missed}")));
        break;
    }
    record
}

/// What status records of what pods use.
fn observed<'a>(recorded: &'a Ledger<Recorded>, key: &TargetKey) -> Option<&'a ObservedRecord> {
    let record = recorded.find(key)?.record.as_ref()?;
    record.observed.as_ref()
}

/// Keeps what stands in status of what pods use.
fn keep(recorded: &Ledger<Recorded>, ends: &mut [End]) {
    for end in ends {
        if let Ok(settled) = &mut end.result
            && let Outcome::Settled(found) = &mut settled.outcome
        {
            let key = settled.look.target.key();
            found.observed = observed(recorded, &key).cloned();
        }
    }
}
