//! `PullThroughRule`: the same cache rule in every region of its environments, tried against its
//! upstream, with the listed tags fetched before a pod asks for them. A rule bears no owner tag; it
//! is known by its prefix and ours if it is as desired. It stays when its object is deleted: pods
//! may be pulling through it.

use futures::future::join_all;
use jiff::Timestamp;
use kube::runtime::events::Event;
use kube::{Api, Client};
use tracing::info;

use super::condition::{self, Summary, Verdict};
use super::driver::{Done, Reconcile};
use super::outcome::Retry;
use super::{Context, Stop, outcome, tidings};
use crate::api::PullThroughRule;
use crate::api::conditions::Reason;
use crate::api::pull_through_rule::{PullThroughRuleStatus, RuleRecord};
use crate::api::targets::{Target as Shown, TargetState};
use crate::desired::{self, CacheTarget, Stopped};
use crate::domain::pull_through;
use crate::ecr::{self, Prewarm, Priority, Validation};

/// How one target ended.
struct End {
    environment: String,
    region: String,
    verdict: Verdict,
    retry: Retry,
    made: Made,
}

/// What was found out and done on the way, however it ended.
#[derive(Default)]
struct Made {
    /// The rule was not there before.
    created: bool,
    /// What stands in status about the rule; `None` where it is not ours to make.
    record: Option<RuleRecord>,
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
        let world = cx.world.load_full();
        let targets = desired::pull_through(self, &world);
        let ends = join_all(targets.into_iter().map(|it| settle_target(cx, it))).await;
        shown(self, ends, Timestamp::now())
    }
}

async fn settle_target(cx: &Context, target: Result<CacheTarget, Stopped>) -> End {
    let target = match target {
        Ok(target) => target,
        Err(stopped) => {
            let environment = stopped.environment.clone();
            let region = stopped
                .region
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default();
            let verdict = Verdict::of_stopped(&environment, &stopped);
            return End {
                environment,
                region,
                verdict,
                retry: Retry::WhenAsked,
                made: Made::default(),
            };
        }
    };
    let place = target.registry.to_string();
    let mut made = Made::default();
    let (verdict, retry) = match settle(cx, &target, &mut made).await {
        Ok(verdict) if verdict.state == TargetState::Failing => (verdict, Retry::BackingOff),
        Ok(verdict) => (verdict, Retry::WhenAsked),
        Err(stop) => Verdict::of_stop(&place, &stop),
    };
    let environment = target.environment.to_string();
    End {
        environment,
        region: target.registry.region.to_string(),
        verdict,
        retry,
        made,
    }
}

async fn settle(cx: &Context, target: &CacheTarget, made: &mut Made) -> Result<Verdict, Stop> {
    let registry = cx
        .registry(&target.environment, &target.registry)
        .await?
        .at(Priority::Create);
    settle_in(&registry, target, made)
        .await
        .map_err(Stop::Failed)
}

async fn settle_in(
    registry: &ecr::Registry,
    target: &CacheTarget,
    made: &mut Made,
) -> Result<Verdict, ecr::Error> {
    let place = target.registry.to_string();
    let plan = pull_through::plan(&target.desired, &registry.rules().await?);
    if let Some(refusal) = plan.refusals.first() {
        let reason = outcome::of_rule_refusal(refusal);
        return Ok(Verdict::stopped(&place, reason, &refusal.to_string()));
    }
    for change in &plan.changes {
        registry.apply_rule(change).await?;
        made.created |= matches!(change, pull_through::Change::CreatePullThroughCacheRule(_));
        info!(registry = %target.registry, prefix = %target.desired.rule.prefix, "applied");
    }
    let rule = &target.desired.rule;
    let validation = registry.validate(&rule.prefix).await?;
    let record = made.record.insert(RuleRecord {
        account_id: target.registry.account.to_string(),
        ecr_repository_prefix: rule.prefix.to_string(),
        upstream_registry_url: rule.source.url().to_owned(),
        upstream_repository_prefix: rule.upstream_prefix.to_string(),
        valid: validation.as_ref().map(|it| *it == Validation::Valid),
        prewarmed: Vec::new(),
    });
    if let Some(Validation::Failed(why)) = validation {
        let message = format!("ECR cannot use the upstream: {why}");
        return Ok(Verdict::failing(&place, Reason::UpstreamRefused, &message));
    }
    prewarm(registry, target, &mut record.prewarmed).await
}

/// Fetches each listed tag that the cache does not have. Those it has cost one list and nothing of
/// the upstream's quota.
async fn prewarm(
    registry: &ecr::Registry,
    target: &CacheTarget,
    prewarmed: &mut Vec<String>,
) -> Result<Verdict, ecr::Error> {
    let place = target.registry.to_string();
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
        let message = format!("prewarm of {name}: {failed}");
        return Ok(Verdict::failing(&place, Reason::UpstreamRefused, &message));
    }
    Ok(Verdict::ready(&place, Reason::Succeeded))
}

fn shown(object: &PullThroughRule, ends: Vec<End>, now: Timestamp) -> Done<PullThroughRuleStatus> {
    let before = object.status.clone().unwrap_or_default();
    let verdicts: Vec<Verdict> = ends.iter().map(|it| it.verdict.clone()).collect();
    let retry = ends
        .iter()
        .map(|it| it.retry)
        .max()
        .unwrap_or(Retry::WhenAsked);
    let summary = Summary::of(&verdicts);
    let mut conditions = before.conditions.clone();
    condition::summarise(&mut conditions, &summary, object.metadata.generation, now);
    let mut events: Vec<Event> = Vec::new();
    for end in ends.iter().filter(|it| it.made.created) {
        let note = format!("in {}", end.verdict.place);
        events.push(tidings::normal(
            "RuleCreated",
            "CreatePullThroughCacheRule",
            &note,
        ));
    }
    events.extend(tidings::of_transition(&before.conditions, &conditions));
    let records = ends.iter().filter_map(|it| it.made.record.as_ref());
    let valid = records.clone().filter(|it| it.valid == Some(true)).count();
    let prefix = records.map(|it| it.ecr_repository_prefix.clone()).next();
    let status = PullThroughRuleStatus {
        observed_generation: object.metadata.generation,
        conditions,
        ecr_repository_prefix: prefix.or(before.ecr_repository_prefix),
        targets_ready: Some(summary.fraction()),
        targets_valid: Some(format!("{valid}/{}", ends.len())),
        targets: ends.into_iter().map(target).collect(),
    };
    Done {
        status: Some(status),
        events,
        retry,
    }
}

fn target(end: End) -> Shown<RuleRecord> {
    let End {
        environment,
        region,
        verdict,
        made,
        ..
    } = end;
    Shown {
        environment,
        region,
        state: verdict.state,
        reason: Some(verdict.reason),
        message: (verdict.state != TargetState::Ready).then_some(verdict.message),
        arn: None,
        uri: None,
        differences: Vec::new(),
        record: made.record,
    }
}
