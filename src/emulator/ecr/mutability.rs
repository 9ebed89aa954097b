//! Which tags can be moved.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html>

use serde::Deserialize;
use serde_json::json;

use super::super::call::{Answer, Call, RepositoryAt};
use super::super::refusal::Refusal;
use super::super::state::ExclusionFilter;

/// A filter has at most this many `*`.
const MOST_WILDCARDS: usize = 2;

const FILTERS: &str = "imageTagMutabilityExclusionFilters";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Put {
    image_tag_mutability: String,
    #[serde(default)]
    image_tag_mutability_exclusion_filters: Vec<ExclusionFilter>,
}

/// `PutImageTagMutability`.
pub(super) fn put(call: &mut Call<'_>, at: &RepositoryAt, input: &Put) -> Answer {
    let filters = &input.image_tag_mutability_exclusion_filters;
    check(&input.image_tag_mutability, filters)?;
    let mut answer = json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "imageTagMutability": input.image_tag_mutability,
    });
    if !filters.is_empty() {
        answer[FILTERS] = json!(filters);
    }
    let repository = call.repository(at);
    repository
        .mutability
        .clone_from(&input.image_tag_mutability);
    repository.exclusions.clone_from(filters);
    Ok(answer)
}

/// Filters belong to the two values `.._WITH_EXCLUSION`, and these need some.
pub(super) fn check(mutability: &str, filters: &[ExclusionFilter]) -> Result<(), Refusal> {
    let excludes = mutability.ends_with("_WITH_EXCLUSION");
    if excludes && filters.is_empty() {
        return Err(Refusal::invalid(
            FILTERS,
            &format!(
                "ImageTagMutabilityExclusionFilters can't be null when imageTagMutability is set as {mutability}"
            ),
        ));
    }
    if !excludes && !filters.is_empty() {
        return Err(Refusal::invalid(
            FILTERS,
            &format!(
                "ImageTagMutabilityExclusionFilters must be null when imageTagMutability is set as {mutability}"
            ),
        ));
    }
    let crowded = filters
        .iter()
        .find(|it| it.filter.matches('*').count() > MOST_WILDCARDS);
    if let Some(it) = crowded {
        return Err(Refusal::invalid(
            FILTERS,
            &format!(
                "the filter {} has more than {MOST_WILDCARDS} wildcards",
                it.filter
            ),
        ));
    }
    for (index, filter) in filters.iter().enumerate() {
        if filters[..index].contains(filter) {
            return Err(Refusal::invalid(
                FILTERS,
                &format!("the filter {} is given more than once", filter.filter),
            ));
        }
    }
    Ok(())
}
