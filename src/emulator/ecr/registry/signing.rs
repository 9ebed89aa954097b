//! Managed signing: its configuration, and what became of each image.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/managed-signing.html>

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Answer, Call, RepositoryAt};
use super::super::super::refusal::Refusal;
use super::super::super::state::{RegistryKey, SigningRule, selected};
use super::super::images::ImageId;
use super::Nothing;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Put {
    signing_configuration: Configuration,
}

#[derive(Deserialize)]
struct Configuration {
    rules: Vec<SigningRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct OfImage {
    image_id: ImageId,
}

/// `PutSigningConfiguration`.
pub(in super::super) fn put(call: &mut Call<'_>, at: &RegistryKey, input: &Put) -> Answer {
    let rules = &input.signing_configuration.rules;
    for (index, rule) in rules.iter().enumerate() {
        if rules[..index].contains(rule) {
            return Err(Refusal::validation("A signing rule is given more than once").into());
        }
    }
    call.registry(at).signing = Some(rules.clone());
    Ok(json!({"signingConfiguration": {"rules": rules}}))
}

/// `GetSigningConfiguration`.
pub(in super::super) fn get(call: &mut Call<'_>, at: &RegistryKey, _: &Nothing) -> Answer {
    let rules = call
        .registry(at)
        .signing
        .clone()
        .ok_or_else(|| not_found(at))?;
    Ok(answer(at, &rules))
}

/// `DeleteSigningConfiguration`.
pub(in super::super) fn delete(call: &mut Call<'_>, at: &RegistryKey, _: &Nothing) -> Answer {
    let rules = call
        .registry(at)
        .signing
        .take()
        .ok_or_else(|| not_found(at))?;
    Ok(answer(at, &rules))
}

/// `DescribeImageSigningStatus`.
pub(in super::super) fn describe(
    call: &mut Call<'_>,
    at: &RepositoryAt,
    input: &OfImage,
) -> Answer {
    let id = &input.image_id;
    let repository = call.repository(at);
    let digest = id.resolve(repository, at)?;
    let image = &repository.images[&digest];
    let statuses: Vec<Value> = image
        .signed
        .iter()
        .map(|it| json!({"signingProfileArn": it, "status": "COMPLETE"}))
        .collect();
    Ok(json!({
        "repositoryName": at.name,
        "imageId": ImageId {
            image_digest: Some(digest),
            image_tag: id.image_tag.clone(),
        },
        "registryId": at.registry.account,
        "signingStatuses": statuses,
    }))
}

/// Signs an image that was just pushed, where a rule says so.
pub(in super::super) fn pushed(call: &mut Call<'_>, at: &RepositoryAt, digest: &str) {
    let rules = call
        .registry(&at.registry)
        .signing
        .clone()
        .unwrap_or_default();
    let meant = rules
        .into_iter()
        .filter(|it| selected(&it.repository_filters, &at.name));
    let profiles: Vec<String> = meant.map(|it| it.signing_profile_arn).collect();
    if let Some(image) = call.repository(at).images.get_mut(digest) {
        image.signed = profiles;
    }
}

fn answer(at: &RegistryKey, rules: &[SigningRule]) -> Value {
    json!({"registryId": at.account, "signingConfiguration": {"rules": rules}})
}

fn not_found(at: &RegistryKey) -> Refusal {
    Refusal::new(
        "SigningConfigurationNotFoundException",
        format!(
            "Signing configuration does not exist in the registry with id '{}'",
            at.account
        ),
    )
}
