//! `PullThroughRule`: the same cache rule in every region of its environments, tried against its
//! upstream, with the settings of the repositories that it makes, and the listed tags fetched before
//! a pod asks for them. Rules and templates bear no owner tags, so what is about to be made stands
//! in status first, and ours is what equals it. Both stay when the object is deleted: pods may be
//! pulling through the cache.

use std::collections::BTreeMap;

use futures::future::join_all;
use jiff::Timestamp;
use kube::{Api, Client};
use tracing::{debug, info, warn};

use super::driver::{Done, Reconcile};
use super::outcome::Retry;
use super::wakes::{Key, Kind};
use super::{Context, Stop, ledger, live};
use crate::api::PullThroughRule;
use crate::api::pull_through_rule::{ObservedRecord, PullThroughRuleStatus};
use crate::desired::{self, CacheTarget, Extent, Stopped};
use crate::domain::origin::Created;
use crate::domain::pull_through::{self, Change, Prefix};
use crate::domain::repository::{Management, Setting};
use crate::domain::template;
use crate::ecr::{self, Prewarm, Priority, Validation};

mod observed;
mod record;
mod retrofit;
mod status;

pub(super) use record::registries;
pub(super) use retrofit::why_waits;
pub(super) use status::shows;

/// One registry as it was found, and what is to be done there.
struct Look {
    target: CacheTarget,
    registry: ecr::Registry,
    /// All rules of the registry: which repositories are whose cache's.
    rules: BTreeMap<Prefix, pull_through::Observed>,
    rule: pull_through::Plan,
    template: template::Plan,
}

/// A target that was looked at, or why it was not.
type Looked = ledger::End<Result<Look, Stop>>;

/// How one target ended.
type End = ledger::End<Result<Settled, Stop>>;

/// What was found out and done, however it ended.
struct Settled {
    look: Look,
    /// Whether the changes were made.
    outcome: Outcome,
}

/// How far it came.
enum Outcome {
    /// Nothing was written, since something of it must not be.
    Refused,
    /// A call failed.
    Failed(ecr::Error),
    /// All is as desired, or is only observed.
    Settled(Box<Found>),
}

/// What was asked of a rule that is in place.
struct Found {
    /// `None`: there is no such rule to ask about.
    validation: Option<Validation>,
    /// The listed images that the cache has.
    prewarmed: Vec<String>,
    /// Why the upstream did not give one of them.
    missed: Option<String>,
    /// When ECR created the rule that is there.
    since: Option<Created>,
    /// The repositories that the cache had made already.
    retrofit: Option<retrofit::Turn>,
    /// What pods use.
    observed: Option<ObservedRecord>,
}

impl Reconcile for PullThroughRule {
    type Status = PullThroughRuleStatus;

    fn api(&self, client: &Client) -> Api<Self> {
        Api::all(client.clone())
    }

    fn status(&self) -> Option<&PullThroughRuleStatus> {
        self.status.as_ref()
    }

    async fn reconcile(&self, cx: &Context) -> Done<PullThroughRuleStatus> {
        let latest = match live::latest(cx, self).await {
            Ok(latest) => latest,
            Err(stop) => {
                debug!(%stop, "nothing is done");
                return Done::nothing(Retry::BackingOff);
            }
        };
        if latest.metadata.deletion_timestamp.is_some() {
            return Done::nothing(Retry::WhenAsked);
        }
        match settle_all(&latest, cx).await {
            Ok(done) => done,
            Err(error) => {
                warn!(%error, "what was about to be made could not be recorded, so it was not made");
                Done::nothing(Retry::BackingOff)
            }
        }
    }
}

/// Looks at every target, records what will be made there, and makes it.
async fn settle_all(
    object: &PullThroughRule,
    cx: &Context,
) -> kube::Result<Done<PullThroughRuleStatus>> {
    let world = cx.world.load_full();
    let targets = desired::pull_through(object, &world);
    let looks = join_all(targets.into_iter().map(|it| look(object, cx, it))).await;
    let mut recorded = record::before(object, cx, &looks).await?;
    let mut ends = join_all(looks.into_iter().map(|it| settle_target(cx, it))).await;
    let now = Timestamp::now();
    let imports = observed::prewarm((object, &mut recorded), cx, &mut ends, now).await?;
    if ends.iter().any(has_more_to_retrofit) {
        cx.wakes.wake(Key::of(Kind::Rule, object));
    }
    let record::Before { ledger, version } = recorded;
    let results = status::Results {
        ends,
        imports,
        stops: desired::stopped_by_rule(object, &world),
    };
    Ok(status::done(object, ledger, results, now).of(version))
}

async fn look(
    object: &PullThroughRule,
    cx: &Context,
    target: Result<CacheTarget, Stopped>,
) -> Looked {
    Looked {
        extent: Extent::of(&target),
        result: match target {
            Ok(target) => Box::pin(look_at(object, cx, target)).await,
            Err(stopped) => Err(Stop::Stopped(stopped)),
        },
    }
}

async fn look_at(
    object: &PullThroughRule,
    cx: &Context,
    target: CacheTarget,
) -> Result<Look, Stop> {
    let seen = object.status.as_ref().and_then(|it| it.observed_generation);
    let priority = if seen == object.metadata.generation {
        Priority::Repair
    } else {
        Priority::Edit
    };
    let registry = cx.registry(&target.environment, &target.registry).await?;
    let look = look_in(registry.at(priority), target).await;
    look.map_err(Stop::Failed)
}

async fn look_in(registry: ecr::Registry, target: CacheTarget) -> Result<Look, ecr::Error> {
    let rules = registry.rules().await?;
    let rule = pull_through::plan(&target.desired, &rules);
    let templates = match target.template.settings {
        Setting::Unmanaged => BTreeMap::new(),
        Setting::Absent | Setting::Present(_) => registry.templates().await?,
    };
    let template = template::plan(&target.template, &templates);
    Ok(Look {
        target,
        registry,
        rules,
        rule,
        template,
    })
}

async fn settle_target(cx: &Context, looked: Looked) -> End {
    let Looked { extent, result } = looked;
    let result = match result {
        Ok(look) => Ok(settle(cx, look).await),
        Err(stop) => Err(stop),
    };
    End { extent, result }
}

async fn settle(cx: &Context, look: Look) -> Settled {
    let outcome = if look.is_refused() {
        Outcome::Refused
    } else {
        match carry_out(cx, &look).await {
            Ok(found) => Outcome::Settled(Box::new(found)),
            Err(error) => Outcome::Failed(error),
        }
    };
    Settled { look, outcome }
}

/// Makes the changes. The template goes first: what the cache makes without it keeps ECR's own
/// encryption for life.
async fn carry_out(cx: &Context, look: &Look) -> Result<Found, ecr::Error> {
    let Look {
        target,
        registry,
        rules: _,
        rule,
        template,
    } = look;
    let prefix = &target.desired.rule.prefix;
    for change in &template.changes {
        registry.apply_template(change).await?;
        info!(registry = %target.registry, %prefix, change = change.operation(), "applied");
    }
    for change in &rule.changes {
        registry.apply_rule(change).await?;
        info!(registry = %target.registry, %prefix, change = change.operation(), "applied");
    }
    let mut found = Found {
        validation: registry.validate(prefix).await?,
        prewarmed: Vec::new(),
        missed: None,
        since: since(look).await?,
        retrofit: None,
        observed: None,
    };
    if let Some(desired) = &target.retrofit {
        found.retrofit = Some(retrofit::settle(cx, look, desired).await?);
    }
    if found.validation == Some(Validation::Valid)
        && target.desired.management == Management::Manage
    {
        found.missed = prewarm(registry, target, &mut found.prewarmed).await?;
    }
    Ok(found)
}

/// When ECR created the rule: what is older below its prefix was not made by the cache.
async fn since(look: &Look) -> Result<Option<Created>, ecr::Error> {
    let prefix = &look.target.desired.rule.prefix;
    let created = |rules: &BTreeMap<Prefix, _>| {
        let rule: Option<&pull_through::Observed> = rules.get(prefix);
        rule.and_then(|it| it.created)
    };
    if look.makes_the_rule() {
        return Ok(created(&look.registry.rules().await?));
    }
    Ok(created(&look.rules))
}

/// Fetches each listed tag that the cache does not have, up to the first that the upstream does not
/// give. Those it has cost one list and nothing of the upstream's quota.
async fn prewarm(
    registry: &ecr::Registry,
    target: &CacheTarget,
    prewarmed: &mut Vec<String>,
) -> Result<Option<String>, ecr::Error> {
    for (repository, tag) in &target.prewarm {
        let name = format!("{repository}:{tag}");
        if registry.images(repository).await?.tags.contains_key(tag) {
            prewarmed.push(name);
            continue;
        }
        let failed = match registry.prewarm(repository, tag).await? {
            Prewarm::Imported { digest } => {
                info!(registry = %target.registry, image = name, digest, "prewarmed");
                prewarmed.push(name);
                continue;
            }
            Prewarm::NotFound => "the upstream has no such image".to_owned(),
            Prewarm::UpstreamAccessDenied(why)
            | Prewarm::UpstreamTooManyRequests(why)
            | Prewarm::UpstreamUnavailable(why) => why,
        };
        return Ok(Some(format!("prewarm of {name}: {failed}")));
    }
    Ok(None)
}

fn has_more_to_retrofit(end: &End) -> bool {
    let found = end.result.as_ref().ok().map(|it| &it.outcome);
    let Some(Outcome::Settled(found)) = found else {
        return false;
    };
    found.retrofit.as_ref().is_some_and(|it| it.record.left > 0)
}

impl Look {
    /// Nothing is written where something of it must not be: a rule without its template would make
    /// repositories that can never be as desired.
    fn is_refused(&self) -> bool {
        !self.rule.refusals.is_empty() || !self.template.refusals.is_empty()
    }

    /// Whether there is something to write, or may be.
    fn is_to_write(&self) -> bool {
        let changes = !self.rule.changes.is_empty() || !self.template.changes.is_empty();
        let retrofits = self.target.retrofit.as_ref();
        let retrofits = retrofits.is_some_and(|it| it.management == Management::Manage);
        (changes || retrofits) && !self.is_refused()
    }

    /// Whether the rule was not there before.
    fn makes_the_rule(&self) -> bool {
        let makes = |it: &Change| matches!(it, Change::CreatePullThroughCacheRule(_));
        self.rule.changes.iter().any(makes)
    }
}
