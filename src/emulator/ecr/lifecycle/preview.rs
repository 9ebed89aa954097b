//! Lifecycle policy previews, and the policies at work as time passes.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Answer, Call, RepositoryAt, seconds};
use super::super::super::protocol::paging::{Page, with_token};
use super::super::super::refusal::Refusal;
use super::super::super::state::{Preview, Repository};
use super::super::images::{ImageId, storage};
use super::super::replication;
use super::document::{Action, Storage, parse};
use super::evaluate::{Marked, evaluate};

/// A preview is ready after this time.
const READY_AFTER: SignedDuration = SignedDuration::from_secs(1);
/// A policy works once in this time.
const EVERY: SignedDuration = SignedDuration::from_hours(24);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Start {
    lifecycle_policy_text: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Get {
    image_ids: Option<Vec<ImageId>>,
    next_token: Option<String>,
    max_results: Option<usize>,
    #[serde(default)]
    filter: Filter,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    tag_status: Option<String>,
}

/// `StartLifecyclePolicyPreview`, of the given policy or of the one in force.
pub(in super::super) fn start(call: &mut Call<'_>, at: &RepositoryAt, input: &Start) -> Answer {
    let now = call.now;
    let repository = call.repository(at);
    let in_force = || repository.lifecycle.as_ref().map(|it| it.text.clone());
    let text = input.lifecycle_policy_text.clone().or_else(in_force);
    let text = text.ok_or_else(|| super::not_found(at))?;
    parse(&text)?;
    if repository
        .preview
        .as_ref()
        .is_some_and(|it| is_running(it, now))
    {
        return Err(Refusal::new(
            "LifecyclePolicyPreviewInProgressException",
            format!(
                "The previous lifecycle policy preview request for the repository with name '{}' in the registry with id '{}' has not completed",
                at.name, at.registry.account
            ),
        )
        .into());
    }
    repository.preview = Some(Preview {
        text: text.clone(),
        started: now,
    });
    let mut answer = super::answer(at, &text);
    answer["status"] = "IN_PROGRESS".into();
    Ok(answer)
}

/// `GetLifecyclePolicyPreview`.
pub(in super::super) fn get(call: &mut Call<'_>, at: &RepositoryAt, input: &Get) -> Answer {
    let Get {
        image_ids,
        next_token,
        max_results,
        filter,
    } = input;
    let page = Page::new(
        format!("GetLifecyclePolicyPreview {at:?} {filter:?}"),
        *max_results,
        100,
        next_token.as_deref(),
    )?;
    let now = call.now;
    let repository = call.repository(at);
    let Some(preview) = repository.preview.clone() else {
        return Err(Refusal::new(
            "LifecyclePolicyPreviewNotFoundException",
            format!(
                "Lifecycle policy preview does not exist for the repository with name '{}' in the registry with id '{}'",
                at.name, at.registry.account
            ),
        )
        .into());
    };
    let mut answer = super::answer(at, &preview.text);
    if is_running(&preview, now) {
        answer["status"] = "IN_PROGRESS".into();
        return Ok(answer);
    }
    let marked = evaluate(&parse(&preview.text)?, repository, preview.started);
    answer["status"] = "COMPLETE".into();
    answer["summary"] = summary(&marked);
    let tags = repository.tags_by_digest();
    let wanted = |digest: &str| {
        let tagged = tags.contains_key(digest);
        let status = match filter.tag_status.as_deref() {
            Some("TAGGED") => tagged,
            Some("UNTAGGED") => !tagged,
            _ => true,
        };
        let meant = |it: &ImageId| repository.resolve(it.digest(), it.tag()) == Some(digest);
        status && image_ids.as_ref().is_none_or(|it| it.iter().any(meant))
    };
    let results = marked.iter().filter(|(digest, _)| wanted(digest));
    let (listed, token) = page.take(results, |(digest, _)| (**digest).to_owned());
    let listed: Vec<Value> = listed
        .into_iter()
        .map(|(digest, it)| result(repository, digest, tags.get(digest), it))
        .collect();
    answer["previewResults"] = listed.into();
    Ok(with_token(answer, token))
}

fn is_running(preview: &Preview, now: Timestamp) -> bool {
    now.duration_since(preview.started) < READY_AFTER
}

fn summary(marked: &BTreeMap<&str, Marked>) -> Value {
    let archived = marked
        .values()
        .filter(|it| it.action == Action::Archive)
        .count();
    let transitioning = match archived {
        0 => json!([]),
        count => json!([{"targetStorageClass": "ARCHIVE", "imageTotalCount": count}]),
    };
    json!({
        "expiringImageTotalCount": marked.len() - archived,
        "transitioningImageTotalCounts": transitioning,
    })
}

fn result(
    repository: &Repository,
    digest: &str,
    tags: Option<&Vec<&str>>,
    marked: &Marked,
) -> Value {
    let action = match marked.action {
        Action::Expire => json!({"type": "EXPIRE"}),
        Action::Archive => json!({"type": "TRANSITION", "targetStorageClass": "ARCHIVE"}),
    };
    let storage = match marked.storage {
        Storage::Standard => "STANDARD",
        Storage::Archive => "ARCHIVE",
    };
    json!({
        "imageTags": tags.map_or(&[][..], |it| it),
        "imageDigest": digest,
        "imagePushedAt": seconds(repository.images[digest].pushed),
        "action": action,
        "appliedRulePriority": marked.priority,
        "storageClass": storage,
    })
}

/// Lets a repository's policy work when its day has come.
pub(in super::super) fn time_passes(call: &mut Call<'_>, at: &RepositoryAt) {
    let now = call.now;
    let policy = &call.repository(at).lifecycle;
    if policy
        .as_ref()
        .is_some_and(|it| now.duration_since(it.evaluated) >= EVERY)
    {
        work(call, at);
    }
}

fn work(call: &mut Call<'_>, at: &RepositoryAt) {
    let now = call.now;
    let repository = call.repository(at);
    let Some(policy) = &mut repository.lifecycle else {
        return;
    };
    policy.evaluated = now;
    let Ok(rules) = parse(&policy.text) else {
        return;
    };
    let marked: Vec<(String, Action)> = evaluate(&rules, repository, now)
        .into_iter()
        .map(|(digest, it)| (digest.to_owned(), it.action))
        .collect();
    for (digest, action) in marked {
        match action {
            Action::Archive => storage::archive(call.repository(at), &digest, now),
            Action::Expire => {
                let referrers: Vec<String> =
                    super::super::images::referrers::referrers(call.repository(at), &digest)
                        .map(|(digest, _)| digest.clone())
                        .collect();
                for digest in referrers.iter().chain([&digest]) {
                    let tags = call.repository(at).tags_of(digest);
                    call.repository(at).remove(digest);
                    replication::deleted(call, at, digest, &tags);
                }
            }
        }
    }
}
