//! The Resource Groups Tagging API, as far as it tells the tags of repositories.
//! <https://docs.aws.amazon.com/resourcegroupstagging/latest/APIReference/API_GetResources.html>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Answer, Call};
use super::protocol::{self, paging::Page};
use super::refusal::Refusal;

#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct GetResources {
    pagination_token: String,
    tag_filters: Vec<TagFilter>,
    resources_per_page: Option<usize>,
    resource_type_filters: Vec<String>,
    #[serde(rename = "ResourceARNList")]
    arns: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TagFilter {
    key: String,
    #[serde(default)]
    values: Vec<String>,
}

/// Answers an operation of the tagging API.
pub(crate) fn answer(call: &mut Call<'_>, operation: &str, input: &Value) -> Answer {
    match operation {
        "GetResources" => get_resources(call, input),
        _ => Err(protocol::unknown_operation().into()),
    }
}

fn get_resources(call: &mut Call<'_>, input: &Value) -> Answer {
    let asked: GetResources = serde_json::from_value(input.clone())
        .map_err(|it| Refusal::serialization(&it.to_string()))?;
    check(&asked)?;
    let registry = call.registry_key(None);
    let mut selects = input.clone();
    if let Some(it) = selects.as_object_mut() {
        it.remove("PaginationToken");
    }
    let token = Some(asked.pagination_token.as_str()).filter(|it| !it.is_empty());
    let page = Page::new(
        format!("{registry}{selects}"),
        asked.resources_per_page,
        50,
        token,
    )
    .map_err(|_| {
        Refusal::new(
            "PaginationTokenExpiredException",
            "The pagination token is not valid",
        )
    })?;
    let of_a_kind = |kind: &str| {
        asked.resource_type_filters.is_empty()
            || asked
                .resource_type_filters
                .iter()
                .any(|it| it == "ecr" || it == kind)
    };
    let all = call.registry(&registry).repositories.iter();
    // A resource that was never tagged is unknown to the service.
    let listed = all
        .map(|(name, it)| (registry.repository_arn(name), &it.tags))
        .filter(|(_, tags)| !tags.is_empty() && of_a_kind("ecr:repository"))
        .filter(|(arn, _)| asked.arns.is_empty() || asked.arns.contains(arn))
        .filter(|(_, tags)| asked.tag_filters.iter().all(|it| it.fits(tags)));
    let (page, token) = page.take(listed, |(arn, _)| arn.clone());
    let resources: Vec<Value> = page
        .into_iter()
        .map(|(arn, tags)| {
            let tags: Vec<Value> = tags
                .iter()
                .map(|(key, value)| json!({"Key": key, "Value": value}))
                .collect();
            json!({"ResourceARN": arn, "Tags": tags})
        })
        .collect();
    Ok(json!({
        "PaginationToken": token.unwrap_or_default(),
        "ResourceTagMappingList": resources,
    }))
}

impl TagFilter {
    fn fits(&self, tags: &BTreeMap<String, String>) -> bool {
        tags.get(&self.key)
            .is_some_and(|it| self.values.is_empty() || self.values.contains(it))
    }
}

fn check(asked: &GetResources) -> Result<(), Refusal> {
    let invalid = |message: &str| Err(Refusal::new("InvalidParameterException", message));
    if asked
        .resources_per_page
        .is_some_and(|it| !(1..=100).contains(&it))
    {
        return invalid("ResourcesPerPage must be between 1 and 100");
    }
    if asked.tag_filters.len() > 50 {
        return invalid("TagFilters cannot contain more than 50 filters");
    }
    if asked.arns.len() > 100 {
        return invalid("ResourceARNList cannot contain more than 100 ARNs");
    }
    let filtered = !asked.tag_filters.is_empty() || !asked.resource_type_filters.is_empty();
    if filtered && !asked.arns.is_empty() {
        return invalid("ResourceARNList cannot be combined with filters");
    }
    Ok(())
}
