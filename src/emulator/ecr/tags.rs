//! Resource tags. <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Answer, Call, RepositoryAt};
use super::super::refusal::Refusal;
use super::super::state::RegistryKey;

/// A repository has at most this many.
const MOST: usize = 50;

/// A resource tag.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Resource {
    resource_arn: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TagResource {
    resource_arn: String,
    tags: Vec<Tag>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct UntagResource {
    resource_arn: String,
    tag_keys: Vec<String>,
}

/// `ListTagsForResource`.
pub(super) fn list(call: &mut Call<'_>, _: &RegistryKey, input: &Resource) -> Answer {
    let at = find(call, &input.resource_arn)?;
    let tags = call.repository(&at).tags.iter();
    let tags: Vec<Value> = tags
        .map(|(key, value)| json!({"Key": key, "Value": value}))
        .collect();
    Ok(json!({"tags": tags}))
}

/// `TagResource`.
pub(super) fn tag(call: &mut Call<'_>, _: &RegistryKey, input: &TagResource) -> Answer {
    let at = find(call, &input.resource_arn)?;
    let added = checked(&input.tags)?;
    let tags = &mut call.repository(&at).tags;
    let mut wanted = tags.clone();
    wanted.extend(added);
    if wanted.len() > MOST {
        return Err(too_many().into());
    }
    *tags = wanted;
    Ok(json!({}))
}

/// `UntagResource`.
pub(super) fn untag(call: &mut Call<'_>, _: &RegistryKey, input: &UntagResource) -> Answer {
    let at = find(call, &input.resource_arn)?;
    if let Some(key) = input.tag_keys.iter().find(|it| is_reserved(it)) {
        return Err(reserved(key).into());
    }
    let tags = &mut call.repository(&at).tags;
    tags.retain(|key, _| !input.tag_keys.contains(key));
    Ok(json!({}))
}

/// The tags that come with a new repository.
pub(super) fn for_creation(tags: &[Tag]) -> Result<BTreeMap<String, String>, Refusal> {
    let tags = checked(tags)?;
    if tags.len() > MOST {
        Err(too_many())
    } else {
        Ok(tags)
    }
}

fn checked(tags: &[Tag]) -> Result<BTreeMap<String, String>, Refusal> {
    let mut checked = BTreeMap::new();
    for Tag { key, value } in tags {
        if is_reserved(key) {
            return Err(reserved(key));
        }
        if !(1..=128).contains(&key.chars().count()) || !key.chars().all(is_allowed) {
            return Err(invalid("the tag key", key));
        }
        if value.chars().count() > 256 || !value.chars().all(is_allowed) {
            return Err(invalid("the tag value", value));
        }
        if checked.insert(key.clone(), value.clone()).is_some() {
            return Err(Refusal::new(
                "InvalidTagParameterException",
                format!("Duplicate tag key found: '{key}'"),
            ));
        }
    }
    Ok(checked)
}

/// Letters, digits, spaces and `_.:/=+-@`, in any script.
fn is_allowed(it: char) -> bool {
    it.is_alphanumeric() || it == ' ' || "_.:/=+-@".contains(it)
}

fn is_reserved(key: &str) -> bool {
    key.get(..4)
        .is_some_and(|it| it.eq_ignore_ascii_case("aws:"))
}

fn reserved(key: &str) -> Refusal {
    Refusal::new(
        "InvalidTagParameterException",
        format!(
            "The tag key '{key}' is reserved: aws: prefixed tag key names are not allowed for external use"
        ),
    )
}

fn invalid(what: &str, text: &str) -> Refusal {
    Refusal::new(
        "InvalidTagParameterException",
        format!(
            "{what} '{text}' is invalid: it is too long or has characters that tags do not allow"
        ),
    )
}

fn too_many() -> Refusal {
    Refusal::new(
        "TooManyTagsException",
        format!("The list of tags on the repository is over the limit of {MOST}"),
    )
}

/// The registry and the repository that an ARN means.
pub(super) fn parse(arn: &str) -> Option<(RegistryKey, String)> {
    let mut parts = arn.splitn(6, ':');
    let (scheme, _partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let name = resource.strip_prefix("repository/")?;
    let fits = scheme == "arn" && service == "ecr" && super::super::iam::is_account(account);
    fits.then(|| (RegistryKey::new(account, region), name.to_owned()))
}

fn find(call: &Call<'_>, arn: &str) -> Result<RepositoryAt, Refusal> {
    let invalid = || Refusal::invalid("resourceArn", &format!("Invalid ARN: {arn}"));
    let (registry, name) = parse(arn).ok_or_else(invalid)?;
    if registry.region != call.region {
        return Err(invalid());
    }
    call.find(&registry, &name)
}
