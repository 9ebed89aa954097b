//! Amazon ECR's operations. [`operation`] is the one table from a name to a function; each room
//! holds the operations of one subject.

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::{Answer, Call, RepositoryAt};
use super::protocol::{self, shapes};
use super::refusal::Refusal;
use super::state::RegistryKey;

mod authorization;
mod images;
mod lifecycle;
mod mutability;
mod policies;
mod pull_through;
mod push;
mod registry;
mod repositories;
mod tags;

/// What an operation works on, and its function.
#[derive(Clone, Copy)]
enum Operation {
    /// The registry; what it names need not exist.
    Registry(fn(&mut Call<'_>, &RegistryKey, &Value) -> Answer),
    /// A repository, which must exist.
    Repository(fn(&mut Call<'_>, &RepositoryAt, &Value) -> Answer),
}

macro_rules! registry {
    ($($function:tt)*) => {
        Operation::Registry(|call, at, input| $($function)*(call, at, &read(input)?))
    };
}

macro_rules! repository {
    ($($function:tt)*) => {
        Operation::Repository(|call, at, input| $($function)*(call, at, &read(input)?))
    };
}

/// The table.
fn operation(name: &str) -> Option<Operation> {
    Some(match name {
        "BatchDeleteImage" => repository!(images::delete::batch_delete),
        "BatchGetImage" => registry!(images::get::batch_get),
        "CreatePullThroughCacheRule" => registry!(pull_through::rules::create),
        "CreateRepository" => registry!(repositories::create),
        "DeleteLifecyclePolicy" => repository!(lifecycle::delete),
        "DeletePullThroughCacheRule" => registry!(pull_through::rules::delete),
        "DeleteRepository" => repository!(repositories::delete),
        "DeleteRepositoryPolicy" => repository!(policies::delete),
        "DescribeImages" => repository!(images::describe::describe),
        "DescribePullThroughCacheRules" => registry!(pull_through::rules::describe),
        "DescribeRegistry" => registry!(registry::describe),
        "DescribeRepositories" => registry!(repositories::describe),
        "GetAuthorizationToken" => registry!(authorization::get_token),
        "GetLifecyclePolicy" => repository!(lifecycle::get),
        "GetRepositoryPolicy" => repository!(policies::get),
        "ListImages" => repository!(images::describe::list),
        "ListTagsForResource" => registry!(tags::list),
        "PutImage" => repository!(push::put_image),
        "PutImageScanningConfiguration" => repository!(repositories::put_scanning),
        "PutImageTagMutability" => repository!(mutability::put),
        "PutLifecyclePolicy" => repository!(lifecycle::put),
        "SetRepositoryPolicy" => repository!(policies::set),
        "TagResource" => registry!(tags::tag),
        "UntagResource" => registry!(tags::untag),
        "UpdatePullThroughCacheRule" => registry!(pull_through::rules::update),
        "ValidatePullThroughCacheRule" => registry!(pull_through::rules::validate),
        _ => return None,
    })
}

/// Answers an operation: checks its shape, whether the caller may, and runs it.
pub(crate) fn answer(call: &mut Call<'_>, name: &str, input: &Value) -> Answer {
    let Some(operation) = operation(name) else {
        return Err(protocol::unknown_operation().into());
    };
    if let Some(checked) = shapes::check(name, input) {
        checked?;
    }
    let registry = call.registry_key(input["registryId"].as_str());
    permit(call, name, &registry, input)?;
    match operation {
        Operation::Registry(run) => run(call, &registry, input),
        Operation::Repository(run) => {
            let name = input["repositoryName"].as_str().unwrap_or_default();
            let at = call.find(&registry, name)?;
            run(call, &at, input)
        }
    }
}

/// Refuses unless the caller may do this to all that the request names.
fn permit(
    call: &mut Call<'_>,
    operation: &str,
    registry: &RegistryKey,
    input: &Value,
) -> Result<(), Refusal> {
    let action = match operation {
        // https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html
        "ListImageReferrers" => "ecr:BatchGetImage".to_owned(),
        other => format!("ecr:{other}"),
    };
    if let Some(name) = input["repositoryName"].as_str() {
        return call.permit(&action, registry, Some(name));
    }
    if let Some((registry, name)) = input["resourceArn"].as_str().and_then(tags::parse) {
        return call.permit(&action, &registry, Some(&name));
    }
    match input["repositoryNames"].as_array() {
        Some(names) => names
            .iter()
            .filter_map(Value::as_str)
            .try_for_each(|it| call.permit(&action, registry, Some(it))),
        None => call.permit(&action, registry, None),
    }
}

/// The input as its type; the shape was checked before.
fn read<T: DeserializeOwned>(input: &Value) -> Result<T, Refusal> {
    T::deserialize(input).map_err(|it| Refusal::serialization(&it.to_string()))
}
