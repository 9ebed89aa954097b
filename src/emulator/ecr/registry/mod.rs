//! The registry's own settings: its policy, account settings, pull-time exclusions.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Answer, Call, seconds};
use super::super::iam::{Document, canonical};
use super::super::protocol::paging::{Page, with_token};
use super::super::refusal::Refusal;
use super::super::state::RegistryKey;
use super::policies;

pub(super) mod signing;
pub(crate) mod templates;

/// At most so many principals are excluded.
const MOST_EXCLUSIONS: usize = 100;

/// The account settings: name, allowed values, the first of which is the default.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutAccountSetting.html>
const SETTINGS: [(&str, &[&str]); 3] = [
    ("BASIC_SCAN_TYPE_VERSION", &["AWS_NATIVE"]),
    ("REGISTRY_POLICY_SCOPE", &["V2", "V1"]),
    ("BLOB_MOUNTING", &["DISABLED", "ENABLED"]),
];

#[derive(Deserialize)]
pub(super) struct Nothing {}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutPolicy {
    policy_text: String,
}

#[derive(Deserialize)]
pub(super) struct PutSetting {
    name: String,
    value: String,
}

#[derive(Deserialize)]
pub(super) struct GetSetting {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Principal {
    principal_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ListExclusions {
    next_token: Option<String>,
    max_results: Option<usize>,
}

/// `DescribeRegistry`.
pub(super) fn describe(call: &mut Call<'_>, at: &RegistryKey, _: &Nothing) -> Answer {
    let rules = &call.registry(at).replication;
    Ok(json!({"registryId": at.account, "replicationConfiguration": {"rules": rules}}))
}

/// `PutRegistryPolicy`.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions.html>
pub(super) fn put_policy(call: &mut Call<'_>, at: &RegistryKey, input: &PutPolicy) -> Answer {
    let document = Document::parse(&input.policy_text)
        .filter(is_registry_policy)
        .ok_or_else(|| policies::invalid("Invalid registry policy provided"))?;
    policies::principals_exist(call.state, &document)?;
    let text = canonical(&document, at.partition());
    call.registry(at).policy = Some(text.clone());
    Ok(policy(at, &text))
}

/// `GetRegistryPolicy`.
pub(super) fn get_policy(call: &mut Call<'_>, at: &RegistryKey, _: &Nothing) -> Answer {
    let text = call
        .registry(at)
        .policy
        .clone()
        .ok_or_else(|| no_policy(at))?;
    Ok(policy(at, &text))
}

/// `DeleteRegistryPolicy`.
pub(super) fn delete_policy(call: &mut Call<'_>, at: &RegistryKey, _: &Nothing) -> Answer {
    let text = call
        .registry(at)
        .policy
        .take()
        .ok_or_else(|| no_policy(at))?;
    Ok(policy(at, &text))
}

/// A registry policy says whom it is about and about which repositories.
fn is_registry_policy(document: &Document) -> bool {
    let complete =
        |it: &super::super::iam::Statement| it.principal.is_some() && it.resource.is_some();
    !document.statements.is_empty()
        && document.statements.iter().all(complete)
        && policies::names_ecr(document)
}

fn policy(at: &RegistryKey, text: &str) -> Value {
    json!({"registryId": at.account, "policyText": text})
}

fn no_policy(at: &RegistryKey) -> Refusal {
    Refusal::new(
        "RegistryPolicyNotFoundException",
        format!(
            "Registry policy does not exist in the registry with id '{}'",
            at.account
        ),
    )
}

/// `PutAccountSetting`.
pub(super) fn put_setting(call: &mut Call<'_>, at: &RegistryKey, input: &PutSetting) -> Answer {
    let PutSetting { name, value } = input;
    let allowed = setting(name)?;
    if !allowed.contains(&value.as_str()) {
        return Err(Refusal::validation(format!(
            "Invalid value '{value}' for the account setting '{name}', valid values are [{}]",
            allowed.join(", ")
        ))
        .into());
    }
    call.registry(at)
        .settings
        .insert(name.clone(), value.clone());
    Ok(json!({"name": name, "value": value}))
}

/// `GetAccountSetting`.
pub(super) fn get_setting(call: &mut Call<'_>, at: &RegistryKey, input: &GetSetting) -> Answer {
    let default = setting(&input.name)?[0];
    let put = call.registry(at).settings.get(&input.name);
    Ok(json!({"name": input.name, "value": put.map_or(default, |it| it)}))
}

fn setting(name: &str) -> Result<&'static [&'static str], Refusal> {
    let found = SETTINGS.iter().find(|(it, _)| *it == name);
    found.map(|(_, values)| *values).ok_or_else(|| {
        let names: Vec<&str> = SETTINGS.iter().map(|(it, _)| *it).collect();
        Refusal::validation(format!(
            "Invalid account setting name '{name}', valid names are [{}]",
            names.join(", ")
        ))
    })
}

/// `RegisterPullTimeUpdateExclusion`.
pub(super) fn register_exclusion(
    call: &mut Call<'_>,
    at: &RegistryKey,
    input: &Principal,
) -> Answer {
    let now = call.now;
    let exclusions = &mut call.registry(at).exclusions;
    let arn = &input.principal_arn;
    if exclusions.contains_key(arn) {
        return Err(Refusal::new(
            "ExclusionAlreadyExistsException",
            format!("The pull time update exclusion for '{arn}' already exists in the registry with id '{}'", at.account),
        )
        .into());
    }
    if exclusions.len() >= MOST_EXCLUSIONS {
        return Err(Refusal::new(
            "LimitExceededException",
            format!("The registry already has the maximum of {MOST_EXCLUSIONS} pull time update exclusions"),
        )
        .into());
    }
    exclusions.insert(arn.clone(), now);
    Ok(json!({"principalArn": arn, "createdAt": seconds(now)}))
}

/// `DeregisterPullTimeUpdateExclusion`.
pub(super) fn deregister_exclusion(
    call: &mut Call<'_>,
    at: &RegistryKey,
    input: &Principal,
) -> Answer {
    let arn = &input.principal_arn;
    match call.registry(at).exclusions.remove(arn) {
        Some(_) => Ok(json!({"principalArn": arn})),
        None => Err(Refusal::new(
            "ExclusionNotFoundException",
            format!("The pull time update exclusion for '{arn}' does not exist in the registry with id '{}'", at.account),
        )
        .into()),
    }
}

/// `ListPullTimeUpdateExclusions`.
pub(super) fn list_exclusions(
    call: &mut Call<'_>,
    at: &RegistryKey,
    input: &ListExclusions,
) -> Answer {
    let page = Page::new(
        format!("ListPullTimeUpdateExclusions {at}"),
        input.max_results,
        100,
        input.next_token.as_deref(),
    )?;
    let (listed, token) = page.take(call.registry(at).exclusions.keys(), |it| (*it).clone());
    Ok(with_token(
        json!({"pullTimeUpdateExclusions": listed}),
        token,
    ))
}
