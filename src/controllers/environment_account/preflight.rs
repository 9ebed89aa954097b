//! What the operator's own role and those of nodes and builds may do, asked of IAM's policy simulator
//! when an environment's objects change and once a day. It stands beside reconciling and never in its
//! way: what it finds is shown, and nothing is decided by it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use futures::{FutureExt, Stream, StreamExt};
use kube::ResourceExt;
use kube::runtime::reflector::ObjectRef;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{debug, info, warn};

use crate::api::conditions::{self, Condition, ConditionStatus, ConditionType};
use crate::api::environment_account::{EnvironmentAccountStatus, PreflightStatus};
use crate::api::{EnvironmentAccount, RECONCILE_AT};
use crate::controllers::driver::{Done as Reconciled, jittered};
use crate::controllers::wakes::{Key, Kind};
use crate::controllers::{Context, tidings};
use crate::desired::{self, Environment, World};
use crate::domain::names::EnvironmentName;
use crate::domain::preflight::{self, Found, Purpose, Uses, Verdict};
use crate::ecr::{self, ErrorKind, Priority};

/// Permissions change without our seeing it.
const DAY: Duration = Duration::from_hours(24);
/// Somebody is about to add what is missing, or what did not answer does again.
const SOON: Duration = Duration::from_hours(1);
/// Who could not sign in has seen nothing. Signing in is tried by others too, and failures of it are
/// remembered, so to ask again costs little.
const NEXT: Duration = Duration::from_mins(1);
/// The world changes object by object.
const SETTLING: Duration = Duration::from_secs(1);
/// One account that does not answer delays the others no longer than this.
const PATIENCE: Duration = Duration::from_mins(1);

/// What to look at in one environment; looked at anew when it is another.
#[derive(Clone, Debug, PartialEq)]
struct Job {
    environment: Environment,
    roles: Vec<(Purpose, String)>,
    uses: Uses,
    /// The annotation by which somebody asks for it.
    asked_at: Option<String>,
}

/// A job that was done, and when it is to be done again.
struct Done {
    job: Job,
    again: Instant,
}

/// Looks as long as it is polled, when `changes` says that an environment may have changed and when
/// the time has come. Only the leader may run this, so that one asks.
pub async fn run(cx: Arc<Context>, changes: impl Stream<Item = ObjectRef<EnvironmentAccount>>) {
    let mut changes = std::pin::pin!(changes);
    let mut done: BTreeMap<EnvironmentName, Done> = BTreeMap::new();
    loop {
        let jobs = jobs(&cx.world.load());
        done.retain(|name, _| jobs.contains_key(name));
        let is_due = |name: &EnvironmentName, job: &Job| {
            done.get(name)
                .is_none_or(|it| it.job != *job || it.again <= Instant::now())
        };
        let due = jobs.into_iter().filter(|(name, job)| is_due(name, job));
        let looked = due.map(async |(name, job)| {
            let found = timeout(PATIENCE, look(&cx, &job)).await;
            (name, job, found)
        });
        for (name, job, found) in join_all(looked).await {
            let period = match found {
                Ok(Ok(found)) => {
                    let allowed = found.iter().all(|it| it.verdict == Verdict::Allowed);
                    take(&cx, &name, found);
                    if allowed { DAY } else { SOON }
                }
                Ok(Err(error)) => {
                    debug!(environment = %name, %error, "permissions are not looked at");
                    NEXT
                }
                Err(_) => {
                    warn!(environment = %name, "permissions were not looked at: no answer in time");
                    SOON
                }
            };
            let again = Instant::now() + jittered(period, name.as_str());
            done.insert(name, Done { job, again });
        }
        let next = done.values().map(|it| it.again).min();
        let next = next.unwrap_or_else(|| Instant::now() + DAY);
        tokio::select! {
            change = changes.next() => {
                if change.is_none() {
                    return;
                }
                sleep(SETTLING).await;
                while changes.next().now_or_never().flatten().is_some() {}
            }
            () = sleep_until(next) => {}
        }
    }
}

fn jobs(world: &World) -> BTreeMap<EnvironmentName, Job> {
    let job = |object: &Arc<EnvironmentAccount>| {
        if object.metadata.deletion_timestamp.is_some() {
            return None;
        }
        let environment = desired::environment(object, world).ok()?;
        let roles = desired::preflight::roles(object).ok()?;
        let job = Job {
            uses: desired::preflight::uses(object, &environment, world),
            roles: roles
                .into_iter()
                .map(|(purpose, it)| (purpose, it.to_string()))
                .collect(),
            asked_at: object.annotations().get(RECONCILE_AT).cloned(),
            environment,
        };
        Some((job.environment.name.clone(), job))
    };
    world.environments().filter_map(job).collect()
}

/// Asks about every role. That the account cannot be reached is shown by who reconciles it.
async fn look(cx: &Context, job: &Job) -> Result<Vec<Found>, ecr::Error> {
    let registry = cx.sign_in(&job.environment, job.environment.home()).await?;
    let registry = registry.at(Priority::Sweep);
    let mut found = vec![of_operator(&registry, job).await];
    for (purpose, role) in &job.roles {
        let verdict = of_role(&registry, *purpose, role, job).await;
        found.push(Found {
            purpose: *purpose,
            role: role.clone(),
            verdict,
            note: None,
        });
    }
    Ok(found)
}

async fn of_role(registry: &ecr::Registry, purpose: Purpose, role: &str, job: &Job) -> Verdict {
    let ours = &job.environment.account;
    match preflight::account(role) {
        Some(account) if account == *ours => {}
        _ => {
            return Verdict::Unknown(format!(
                "the role is not of account {ours}, and another account's policies cannot be read"
            ));
        }
    }
    match simulated(registry, purpose, role, job).await {
        Ok(verdict) => verdict,
        Err(error) if error.kind == ErrorKind::AccessDenied => Verdict::Unknown(format!(
            "the operator may not ask: allow it iam:SimulatePrincipalPolicy on {role}"
        )),
        Err(error) => Verdict::Unknown(error.to_string()),
    }
}

/// The simulator's verdict on a role of the registry's own account.
async fn simulated(
    registry: &ecr::Registry,
    purpose: Purpose,
    role: &str,
    job: &Job,
) -> Result<Verdict, ecr::Error> {
    let mut answers = Vec::new();
    for question in preflight::questions(purpose, &job.uses) {
        match registry.simulate(role, &question).await? {
            Some(some) => answers.extend(some),
            None => {
                let message = "IAM knows no such role; write its path too, where it has one";
                return Ok(Verdict::Unknown(message.to_owned()));
            }
        }
    }
    Ok(preflight::verdict(&answers))
}

/// What the operator itself may do: by the simulator, or where it may not ask that, by what comes of
/// its own reads.
async fn of_operator(registry: &ecr::Registry, job: &Job) -> Found {
    let configured = job.environment.role.as_ref().map(|it| it.arn.to_string());
    let known = configured.or_else(|| preflight::principal(registry.identity_arn()));
    let Some(role) = known else {
        let message = "no policy binds the account's root user; use a role instead";
        return Found {
            purpose: Purpose::Operator,
            role: registry.identity_arn().to_owned(),
            verdict: Verdict::Unknown(message.to_owned()),
            note: None,
        };
    };
    let (verdict, note) = match simulated(registry, Purpose::Operator, &role, job).await {
        Ok(verdict) => (verdict, None),
        Err(error) if error.kind == ErrorKind::AccessDenied => {
            let note = format!(
                "learned from its own reads: allow it iam:SimulatePrincipalPolicy on {role} for the rest"
            );
            (tried(registry, job).await, Some(note))
        }
        Err(error) => (Verdict::Unknown(error.to_string()), None),
    };
    Found {
        purpose: Purpose::Operator,
        role,
        verdict,
        note,
    }
}

async fn tried(registry: &ecr::Registry, job: &Job) -> Verdict {
    match registry.denied_reads(job.uses.repositories.first()).await {
        Ok(denied) if denied.is_empty() => {
            Verdict::Unknown("reads are allowed, and nothing is known of writes".to_owned())
        }
        Ok(denied) => preflight::verdict(&denied),
        Err(error) => Verdict::Unknown(error.to_string()),
    }
}

/// Remembers what was found, and has it shown where it differs.
fn take(cx: &Context, environment: &EnvironmentName, found: Vec<Found>) {
    let before = cx.checks.permissions.load();
    if before.get(environment).is_some_and(|it| **it == *found) {
        return;
    }
    for Found { role, verdict, .. } in &found {
        match verdict {
            Verdict::Missing(missing) => warn!(%environment, role, %missing, "permission missing"),
            Verdict::Unknown(why) => info!(%environment, role, why, "permissions unknown"),
            Verdict::Allowed => debug!(%environment, role, "permissions are there"),
        }
    }
    let found: Arc<[Found]> = found.into();
    cx.checks.permissions.rcu(|it| {
        let mut all = BTreeMap::clone(it);
        all.insert(environment.clone(), Arc::clone(&found));
        all
    });
    cx.wakes.wake(Key {
        kind: Kind::Environment,
        namespace: None,
        name: environment.to_string(),
    });
}

/// Puts what was found into what the object shows. A permission that somebody's role lacks is told and
/// does not make the environment less ready: what its spec asks for is in place.
pub(super) fn show(
    cx: &Context,
    object: &EnvironmentAccount,
    mut done: Reconciled<EnvironmentAccountStatus>,
) -> Reconciled<EnvironmentAccountStatus> {
    let Some(status) = &mut done.status else {
        return done;
    };
    let before = object.status.iter().flat_map(|it| &it.preflight);
    let before = lacks(before);
    let permissions = cx.checks.permissions.load();
    let found = permissions
        .iter()
        .find(|(name, _)| name.as_str() == object.name_any());
    if let Some((_, found)) = found {
        status.preflight = found.iter().map(shown).collect();
    }
    let Some(lacks) = lacks(&status.preflight) else {
        return done;
    };
    let conditions = &mut status.conditions;
    let is_ready =
        |it: &&Condition| it.type_ == ConditionType::Ready && it.status == ConditionStatus::True;
    if let Some(ready) = conditions.iter().find(is_ready).cloned() {
        let message = format!("{}; {lacks}", ready.message);
        conditions::set(conditions, Condition { message, ..ready });
    }
    if before.as_ref() != Some(&lacks) {
        let event = tidings::warning("PermissionMissing", "Preflight", &lacks);
        done.events.push(event);
    }
    done
}

fn shown(found: &Found) -> PreflightStatus {
    let Found {
        purpose,
        role,
        verdict,
        note,
    } = found;
    let (state, missing, message) = match verdict {
        Verdict::Allowed => ("Allowed", None, None),
        Verdict::Missing(missing) => ("Missing", Some(missing), Some(missing.to_string())),
        Verdict::Unknown(why) => ("Unknown", None, Some(why.clone())),
    };
    let message: Vec<String> = message.into_iter().chain(note.clone()).collect();
    PreflightStatus {
        purpose: format!("{purpose:?}"),
        role: role.clone(),
        state: state.to_owned(),
        missing_action: missing.map(|it| it.action.clone()),
        missing_resource: missing.map(|it| it.resource.clone()),
        policy: missing.and_then(|it| it.policy.clone()),
        message: (!message.is_empty()).then(|| message.join("; ")),
    }
}

/// The first thing that any role lacks, in a sentence.
fn lacks<'a>(roles: impl IntoIterator<Item = &'a PreflightStatus>) -> Option<String> {
    let first = roles.into_iter().find(|it| it.missing_action.is_some())?;
    let message = first.message.as_deref().unwrap_or_default();
    Some(format!("role {} lacks {message}", first.role))
}
