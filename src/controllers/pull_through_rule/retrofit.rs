//! Brings repositories in line that the cache has made already: a few at a time, behind everything
//! else that the registry is asked, each from a targeted read. A lifecycle policy goes onto them
//! through the same safety catch as onto any other; one that waits is not looked at in every turn.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::info;

use super::Look;
use crate::api::conditions::Reason;
use crate::api::image_repository::Document;
use crate::api::pull_through_rule::RetrofitRecord;
use crate::controllers::Context;
use crate::controllers::condition::Verdict;
use crate::controllers::image_repository::guard;
use crate::controllers::lifecycle_policy::findings::{Asked, Finding, Place};
use crate::controllers::outcome::{self, Cure, Retry};
use crate::desired::CacheTarget;
use crate::domain::RepositoryName;
use crate::domain::repository::{self, Because, Change, Setting};
use crate::domain::retrofit::{self, Desired, Standing};
use crate::domain::usage::{Usage, Used};
use crate::ecr::{self, Priority};

/// Repositories of one registry that are settled before the object shows how far it has come.
const A_TURN: usize = 25;

/// One turn, and how all of them stand after it.
pub(super) struct Turn {
    pub(super) record: RetrofitRecord,
    /// What the first of those means whose lifecycle policy waits.
    pub(super) waits: Option<Waits>,
}

/// A lifecycle policy that waits.
pub(super) struct Waits {
    reason: Reason,
    cure: Cure,
    retry: Retry,
    message: String,
}

impl Waits {
    /// How the target stands, and when to come back to it.
    pub(super) fn verdict(&self, place: &str) -> (Verdict, Retry) {
        let verdict = match self.cure {
            Cure::Time => Verdict::failing(place, self.reason, &self.message),
            Cure::Person => Verdict::stopped(place, self.reason, &self.message),
        };
        (verdict, self.retry)
    }
}

/// How one repository ended.
enum End {
    InStep,
    Differing,
    /// Its lifecycle policy waits.
    Held(Because),
    /// Gone, or somebody else's meanwhile.
    NoneOfOurs,
}

/// Takes one turn.
pub(super) async fn settle(
    cx: &Context,
    look: &Look,
    desired: &Desired,
) -> Result<Turn, ecr::Error> {
    let registry = look.registry.at(Priority::Sweep);
    let survey = retrofit::survey(desired, &look.rules, &*registry.listed().await?);
    let mut turn = Turn {
        record: RetrofitRecord {
            retrofitted: count(survey.in_step),
            differing: count(survey.differing),
            unproven: count(survey.unproven.len()),
            unproven_first: first(&survey.unproven),
            ..intent(desired)
        },
        waits: None,
    };
    let mut to_settle = survey.to_settle;
    for name in survey.waiting {
        match why_waits(cx, (&look.target, desired), &name) {
            Some(because) => turn.holds(&desired.repository(&name), &because),
            None => to_settle.push(name),
        }
    }
    turn.record.left = count(to_settle.len().saturating_sub(A_TURN));
    for name in to_settle.iter().take(A_TURN) {
        match settle_one(cx, &registry, (&look.target, desired), name).await? {
            End::InStep => turn.record.retrofitted += 1,
            End::Differing => turn.record.differing += 1,
            End::Held(because) => turn.holds(&desired.repository(name), &because),
            End::NoneOfOurs => {}
        }
    }
    // What waits is to be found again after a restart.
    if turn.record.left == 0 && turn.record.held == 0 {
        turn.record.hash = look.target.template_hash();
    }
    Ok(turn)
}

impl Turn {
    fn holds(&mut self, desired: &repository::Desired, because: &Because) {
        self.record.differing += 1;
        self.record.held += 1;
        let (reason, cure, retry, message) = outcome::of_held(because, desired);
        if reason == Reason::ImageInUse {
            self.record.in_use += 1;
        }
        let message = format!("{}: {message}", desired.name);
        let first = self.waits.get_or_insert(Waits {
            reason,
            cure,
            retry,
            message,
        });
        first.retry = first.retry.max(retry);
    }
}

async fn settle_one(
    cx: &Context,
    registry: &ecr::Registry,
    (target, desired): (&CacheTarget, &Desired),
    name: &RepositoryName,
) -> Result<End, ecr::Error> {
    let Some(observed) = registry.observe(name).await? else {
        return Ok(End::NoneOfOurs);
    };
    match desired.standing(&observed) {
        Standing::OfTheCache => {}
        Standing::Unproven | Standing::Foreign => return Ok(End::NoneOfOurs),
    }
    let repository = approved(cx, (target, desired), name);
    let plan = repository::plan(&repository, Some(&observed));
    apply(registry, name, &plan.changes).await?;
    let done = plan.changes.len();
    let asked = asked(cx, (target, desired), name);
    let used = asked.as_ref().and_then(|it| it.used.as_ref());
    let (plan, counts) = guard::judged(registry, &repository, used, plan).await?;
    apply(registry, name, &plan.changes[done..]).await?;
    if let (Some(held), Some(asked)) = (plan.held.first(), asked) {
        let (_, _, retry, _) = outcome::of_held(&held.because, &repository);
        let found = Finding {
            because: held.because.clone(),
            ask: counts.and_then(|it| repository.safety.ask(it)),
            patience: retry.bounds().map_or(Duration::MAX, |(_, longest)| longest),
        };
        cx.findings.waits(place(target, name), asked, found);
        return Ok(End::Held(held.because.clone()));
    }
    Ok(if plan.refusals.is_empty() {
        End::InStep
    } else {
        End::Differing
    })
}

async fn apply(
    registry: &ecr::Registry,
    name: &RepositoryName,
    changes: &[Change],
) -> Result<(), ecr::Error> {
    for change in changes {
        registry.apply(name, change).await?;
        info!(registry = %registry.name(), repository = %name, change = change.operation(), "applied");
    }
    Ok(())
}

/// Why the lifecycle policy of a repository waits, if nothing has changed since that was found.
pub(in crate::controllers) fn why_waits(
    cx: &Context,
    (target, desired): (&CacheTarget, &Desired),
    name: &RepositoryName,
) -> Option<Because> {
    let asked = asked(cx, (target, desired), name)?;
    cx.findings.why(&place(target, name), &asked)
}

fn asked(
    cx: &Context,
    (target, desired): (&CacheTarget, &Desired),
    name: &RepositoryName,
) -> Option<Asked> {
    let Setting::Present(document) = &desired.lifecycle else {
        return None;
    };
    let usage = cx.usage.load_full();
    Some(Asked {
        document: document.clone(),
        safety: approved(cx, (target, desired), name).safety,
        used: usage.as_deref().map(|it| used(it, target, name)),
    })
}

/// What a cache's repository should be, with what the approval of its lifecycle policy grants it.
fn approved(
    cx: &Context,
    (target, desired): (&CacheTarget, &Desired),
    name: &RepositoryName,
) -> repository::Desired {
    let mut repository = desired.repository(name);
    let arn = target.registry.repository_arn(name);
    cx.approvals.grant(&arn, &mut repository);
    repository
}

/// What pods use of a cache's repository: by its name there, and by the upstream's, which they keep
/// as their original where they were rewritten.
fn used(usage: &Usage, target: &CacheTarget, name: &RepositoryName) -> Used {
    let CacheTarget {
        registry, desired, ..
    } = target;
    let used = usage.of(registry, name).clone();
    match desired.rule.upstream_of(name) {
        Some(path) => used.and(usage.named(desired.rule.source.hosts()[0], &path)),
        None => used,
    }
}

fn place(target: &CacheTarget, name: &RepositoryName) -> Place {
    (target.registry.clone(), name.clone())
}

/// What is about to be put on repositories: it stands in status first, so that it can be taken off.
pub(super) fn intent(desired: &Desired) -> RetrofitRecord {
    let policy = matches!(desired.policy, Setting::Present(_));
    let lifecycle = matches!(desired.lifecycle, Setting::Present(_));
    // In the order of a set, as they stand there when something is added.
    let documents = [
        policy.then_some(Document::RepositoryPolicy),
        lifecycle.then_some(Document::LifecyclePolicy),
    ];
    RetrofitRecord {
        documents: documents.into_iter().flatten().collect(),
        tag_keys: desired.tags.keys().cloned().collect(),
        ..RetrofitRecord::default()
    }
}

/// What stands in status, and what is about to be put besides.
pub(super) fn with_intent(before: Option<RetrofitRecord>, desired: &Desired) -> RetrofitRecord {
    fn union<T: Ord>(a: Vec<T>, b: Vec<T>) -> Vec<T> {
        let all: BTreeSet<T> = a.into_iter().chain(b).collect();
        all.into_iter().collect()
    }
    let before = before.unwrap_or_default();
    let intent = intent(desired);
    RetrofitRecord {
        documents: union(before.documents, intent.documents),
        tag_keys: union(before.tag_keys, intent.tag_keys),
        ..before
    }
}

/// The first of these, as status has room for.
fn first(names: &[RepositoryName]) -> Vec<String> {
    const SHOWN: usize = 5;
    names.iter().take(SHOWN).map(ToString::to_string).collect()
}

fn count(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}
