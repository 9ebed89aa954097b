//! Lifecycle policies: put, read, deleted.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/LifecyclePolicies.html>

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Answer, Call, RepositoryAt, seconds};
use super::super::refusal::Refusal;
use super::super::state::Lifecycle;

pub(super) mod document;
mod evaluate;
pub(super) mod preview;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Put {
    lifecycle_policy_text: String,
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `PutLifecyclePolicy`.
pub(super) fn put(call: &mut Call<'_>, at: &RepositoryAt, input: &Put) -> Answer {
    let text = &input.lifecycle_policy_text;
    document::parse(text)?;
    let lifecycle = Lifecycle {
        text: text.clone(),
        evaluated: call.now,
    };
    call.repository(at).lifecycle = Some(lifecycle);
    Ok(answer(at, text))
}

/// `GetLifecyclePolicy`.
pub(super) fn get(call: &mut Call<'_>, at: &RepositoryAt, _: &Nothing) -> Answer {
    let policy = call
        .repository(at)
        .lifecycle
        .clone()
        .ok_or_else(|| not_found(at))?;
    Ok(evaluated(at, &policy))
}

/// `DeleteLifecyclePolicy`.
pub(super) fn delete(call: &mut Call<'_>, at: &RepositoryAt, _: &Nothing) -> Answer {
    let policy = call
        .repository(at)
        .lifecycle
        .take()
        .ok_or_else(|| not_found(at))?;
    Ok(evaluated(at, &policy))
}

fn answer(at: &RepositoryAt, text: &str) -> Value {
    json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "lifecyclePolicyText": text,
    })
}

fn evaluated(at: &RepositoryAt, policy: &Lifecycle) -> Value {
    let mut answer = answer(at, &policy.text);
    answer["lastEvaluatedAt"] = seconds(policy.evaluated);
    answer
}

fn not_found(at: &RepositoryAt) -> Refusal {
    Refusal::new(
        "LifecyclePolicyNotFoundException",
        format!(
            "Lifecycle policy does not exist for the repository with name '{}' in the registry with id '{}'",
            at.name, at.registry.account
        ),
    )
}
