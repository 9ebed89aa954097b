//! Replication backfills: images that were there before the rule.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication-backfill.html>

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Answer, Call, RepositoryAt, seconds};
use super::super::super::protocol::paging::{Page, with_token};
use super::super::super::refusal::Refusal;
use super::super::super::state::{
    Backfill, BackfillResult, Destination, RegistryKey, selected, uuid,
};
use super::super::images::storage;

/// A registry has at most this many backfills in progress.
const MOST: usize = 10;
/// A backfill prepares for this long, and then copies at once.
const PREPARES_FOR: SignedDuration = SignedDuration::from_secs(1);
/// Backfills are forgotten this long after they ended.
const KEPT_FOR: SignedDuration = SignedDuration::from_hours(90 * 24);
/// From this many images on, a backfill of which half failed has failed.
const JUDGED_FROM: usize = 100;

#[derive(Deserialize)]
pub(in super::super) struct Start {
    destination: Destination,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Named {
    replication_backfill_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct List {
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Describe {
    replication_backfill_id: String,
    result_status_filter: Option<String>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

/// `StartReplicationBackfill`.
pub(in super::super) fn start(call: &mut Call<'_>, at: &RegistryKey, input: &Start) -> Answer {
    let destination = &input.destination;
    let now = call.now;
    let registry = call.registry(at);
    if !registry
        .replication
        .iter()
        .any(|it| it.destinations.contains(destination))
    {
        return Err(Refusal::validation(
            "The destination is not configured in the registry's replication configuration",
        )
        .into());
    }
    let running = || registry.backfills.values().filter(|it| is_running(it));
    if running().any(|it| it.destination.region == destination.region) {
        return Err(Refusal::new(
            "ReplicationBackfillInProgressException",
            format!(
                "A replication backfill is already in progress for the destination Region '{}'",
                destination.region
            ),
        )
        .into());
    }
    if running().count() >= MOST {
        return Err(Refusal::new(
            "LimitExceededException",
            format!(
                "The registry already has the maximum of {MOST} replication backfills in progress"
            ),
        )
        .into());
    }
    let id = uuid(&call.state.make_up("backfill"));
    let backfill = Backfill {
        destination: destination.clone(),
        status: "PREPARING".to_owned(),
        started: now,
        ended: None,
        results: Vec::new(),
    };
    let answer = begun(at, &id, &backfill);
    call.registry(at).backfills.insert(id, backfill);
    Ok(answer)
}

/// `StopReplicationBackfill`.
pub(in super::super) fn stop(call: &mut Call<'_>, at: &RegistryKey, input: &Named) -> Answer {
    let now = call.now;
    let id = &input.replication_backfill_id;
    let backfill = call
        .registry(at)
        .backfills
        .get_mut(id)
        .ok_or_else(|| not_found(at, id))?;
    if !is_running(backfill) {
        return Err(Refusal::new(
            "ReplicationBackfillInvalidStatusException",
            format!(
                "The replication backfill '{id}' has the status {} and cannot be stopped",
                backfill.status
            ),
        )
        .into());
    }
    "STOPPED".clone_into(&mut backfill.status);
    backfill.ended = Some(now);
    let mut answer = begun(at, id, backfill);
    answer["status"] = "STOPPING".into();
    Ok(answer)
}

/// `ListReplicationBackfills`, the latest first.
pub(in super::super) fn list(call: &mut Call<'_>, at: &RegistryKey, input: &List) -> Answer {
    let page = Page::new(
        format!("ListReplicationBackfills {at}"),
        input.max_results,
        50,
        input.next_token.as_deref(),
    )?;
    let mut all: Vec<(&String, &Backfill)> = call.registry(at).backfills.iter().collect();
    all.sort_by_key(|(id, it)| (std::cmp::Reverse(it.started), *id));
    let (listed, token) = page.take(all.into_iter().enumerate(), |(index, _)| {
        format!("{index:08}")
    });
    let listed: Vec<Value> = listed
        .into_iter()
        .map(|(_, (id, it))| {
            let mut view = json!({
                "replicationBackfillId": id,
                "destination": it.destination,
                "status": it.status,
                "startedAt": seconds(it.started),
                "progress": progress(it),
            });
            if let Some(ended) = it.ended {
                view["endedAt"] = seconds(ended);
            }
            view
        })
        .collect();
    Ok(with_token(
        json!({"registryId": at.account, "backfills": listed}),
        token,
    ))
}

/// `DescribeReplicationBackfillResults`; results are told once it has ended.
pub(in super::super) fn describe(
    call: &mut Call<'_>,
    at: &RegistryKey,
    input: &Describe,
) -> Answer {
    let Describe {
        replication_backfill_id: id,
        result_status_filter,
        next_token,
        max_results,
    } = input;
    let page = Page::new(
        format!("DescribeReplicationBackfillResults {at} {id} {result_status_filter:?}"),
        *max_results,
        100,
        next_token.as_deref(),
    )?;
    let backfill = call
        .registry(at)
        .backfills
        .get(id)
        .ok_or_else(|| not_found(at, id))?;
    let wanted = |it: &&BackfillResult| {
        result_status_filter
            .as_deref()
            .is_none_or(|wanted| wanted == status(it))
    };
    let results = backfill.results.iter().filter(wanted);
    let (listed, token) = page.take(results, |it| format!("{} {}", it.repository, it.digest));
    let listed: Vec<Value> = listed.into_iter().map(result).collect();
    let mut answer = begun(at, id, backfill);
    answer["progress"] = progress(backfill);
    answer["results"] = listed.into();
    if let Some(ended) = backfill.ended {
        answer["endedAt"] = seconds(ended);
    }
    if backfill.status == "FAILED" {
        answer["failureCode"] = "TooManyFailures".into();
    }
    Ok(with_token(answer, token))
}

/// Does the work of the backfills that have prepared long enough, and forgets the old ones.
pub(in super::super) fn time_passes(call: &mut Call<'_>, at: &RegistryKey) {
    let now = call.now;
    let backfills = &mut call.registry(at).backfills;
    backfills.retain(|_, it| it.ended.is_none_or(|it| now.duration_since(it) < KEPT_FOR));
    let ready = |it: &Backfill| is_running(it) && now.duration_since(it.started) >= PREPARES_FOR;
    let ready: Vec<String> = backfills
        .iter()
        .filter(|(_, it)| ready(it))
        .map(|(id, _)| id.clone())
        .collect();
    for id in ready {
        work(call, at, &id);
    }
}

fn work(call: &mut Call<'_>, at: &RegistryKey, id: &str) {
    let now = call.now;
    let registry = call.registry(at);
    for repository in registry.repositories.values_mut() {
        storage::time_passes(repository, now);
    }
    let Some(destination) = registry.backfills.get(id).map(|it| it.destination.clone()) else {
        return;
    };
    let rules = registry
        .replication
        .iter()
        .filter(|it| it.destinations.contains(&destination));
    let filters: Vec<_> = rules.map(|it| it.repository_filters.clone()).collect();
    let meant: Vec<(String, String, Vec<String>)> = registry
        .repositories
        .iter()
        .filter(|(name, _)| filters.iter().any(|it| selected(it, name)))
        .flat_map(|(name, repository)| {
            let digests = repository.images.keys();
            digests.map(move |it| (name.clone(), it.clone(), repository.tags_of(it)))
        })
        .collect();
    let mut results = Vec::new();
    for (name, digest, tags) in meant {
        let here = RepositoryAt {
            registry: at.clone(),
            name,
        };
        let tagged = tags.iter().map(|it| Some(it.as_str()));
        let untagged = tags.is_empty().then_some(None);
        let failure = tagged
            .chain(untagged)
            .find_map(|tag| super::copy(call, &here, &digest, tag, &destination).err());
        results.push(BackfillResult {
            repository: here.name,
            digest,
            tag: tags.into_iter().next(),
            failure,
        });
    }
    let failed = results.iter().filter(|it| it.failure.is_some()).count();
    let Some(backfill) = call.registry(at).backfills.get_mut(id) else {
        return;
    };
    let has_failed = results.len() >= JUDGED_FROM && failed * 2 >= results.len();
    (if has_failed { "FAILED" } else { "COMPLETE" }).clone_into(&mut backfill.status);
    backfill.ended = Some(now);
    backfill.results = results;
}

fn is_running(backfill: &Backfill) -> bool {
    backfill.ended.is_none()
}

fn status(result: &BackfillResult) -> &'static str {
    if result.failure.is_some() {
        "FAILED"
    } else {
        "COMPLETE"
    }
}

fn result(it: &BackfillResult) -> Value {
    let mut id = json!({"imageDigest": it.digest});
    if let Some(tag) = &it.tag {
        id["imageTag"] = tag.as_str().into();
    }
    let mut view = json!({"repositoryName": it.repository, "imageId": id, "status": status(it)});
    if let Some(failure) = &it.failure {
        view["failureCode"] = failure.as_str().into();
    }
    view
}

fn progress(backfill: &Backfill) -> Value {
    let failures: std::collections::BTreeSet<&String> = backfill
        .results
        .iter()
        .filter_map(|it| it.failure.as_ref())
        .collect();
    let failed = backfill
        .results
        .iter()
        .filter(|it| it.failure.is_some())
        .count();
    json!({
        "totalReplicationCount": backfill.results.len(),
        "completedReplicationCount": backfill.results.len() - failed,
        "failedReplicationCount": failed,
        "failureCodes": failures,
    })
}

fn begun(at: &RegistryKey, id: &str, backfill: &Backfill) -> Value {
    json!({
        "replicationBackfillId": id,
        "registryId": at.account,
        "destination": backfill.destination,
        "status": backfill.status,
        "startedAt": seconds(backfill.started),
    })
}

fn not_found(at: &RegistryKey, id: &str) -> Refusal {
    Refusal::new(
        "ReplicationBackfillNotFoundException",
        format!(
            "The replication backfill '{id}' does not exist in the registry with id '{}'",
            at.account
        ),
    )
}
