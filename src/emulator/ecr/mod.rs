//! Amazon ECR's operations. [`TABLE`] is the one table from a name to a function; each room
//! holds the operations of one subject.

use jiff::SignedDuration;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::call::{Answer, Call, RepositoryAt};
use super::protocol::{self, shapes};
use super::refusal::Refusal;
use super::state::RegistryKey;

mod authorization;
pub(crate) mod images;
pub(crate) mod layers;
mod lifecycle;
mod mutability;
mod policies;
mod pull_through;
mod push;
pub(crate) mod registry;
mod replication;
mod repositories;
mod scanning;
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
const TABLE: [(&str, Operation); 62] = [
    ("BatchCheckLayerAvailability", repository!(layers::check)),
    (
        "BatchDeleteImage",
        repository!(images::delete::batch_delete),
    ),
    ("BatchGetImage", registry!(images::get::batch_get)),
    (
        "BatchGetRepositoryScanningConfiguration",
        registry!(scanning::batch_get),
    ),
    ("CompleteLayerUpload", repository!(layers::complete)),
    (
        "CreatePullThroughCacheRule",
        registry!(pull_through::rules::create),
    ),
    ("CreateRepository", registry!(repositories::create)),
    (
        "CreateRepositoryCreationTemplate",
        registry!(registry::templates::create),
    ),
    ("DeleteLifecyclePolicy", repository!(lifecycle::delete)),
    (
        "DeletePullThroughCacheRule",
        registry!(pull_through::rules::delete),
    ),
    ("DeleteRegistryPolicy", registry!(registry::delete_policy)),
    ("DeleteRepository", repository!(repositories::delete)),
    (
        "DeleteRepositoryCreationTemplate",
        registry!(registry::templates::delete),
    ),
    ("DeleteRepositoryPolicy", repository!(policies::delete)),
    (
        "DeleteSigningConfiguration",
        registry!(registry::signing::delete),
    ),
    (
        "DeregisterPullTimeUpdateExclusion",
        registry!(registry::deregister_exclusion),
    ),
    (
        "DescribeImageReplicationStatus",
        repository!(replication::describe),
    ),
    ("DescribeImageScanFindings", repository!(scanning::describe)),
    (
        "DescribeImageSigningStatus",
        repository!(registry::signing::describe),
    ),
    ("DescribeImages", repository!(images::describe::describe)),
    (
        "DescribePullThroughCacheRules",
        registry!(pull_through::rules::describe),
    ),
    ("DescribeRegistry", registry!(registry::describe)),
    (
        "DescribeReplicationBackfillResults",
        registry!(replication::backfill::describe),
    ),
    ("DescribeRepositories", registry!(repositories::describe)),
    (
        "DescribeRepositoryCreationTemplates",
        registry!(registry::templates::describe),
    ),
    ("GetAccountSetting", registry!(registry::get_setting)),
    ("GetAuthorizationToken", registry!(authorization::get_token)),
    ("GetDownloadUrlForLayer", repository!(layers::download_url)),
    ("GetLifecyclePolicy", repository!(lifecycle::get)),
    (
        "GetLifecyclePolicyPreview",
        repository!(lifecycle::preview::get),
    ),
    ("GetRegistryPolicy", registry!(registry::get_policy)),
    ("GetRegistryScanningConfiguration", registry!(scanning::get)),
    ("GetRepositoryPolicy", repository!(policies::get)),
    ("GetSigningConfiguration", registry!(registry::signing::get)),
    ("InitiateLayerUpload", repository!(layers::initiate)),
    ("ListImageReferrers", repository!(images::referrers::list)),
    ("ListImages", repository!(images::describe::list)),
    (
        "ListPullTimeUpdateExclusions",
        registry!(registry::list_exclusions),
    ),
    (
        "ListReplicationBackfills",
        registry!(replication::backfill::list),
    ),
    ("ListTagsForResource", registry!(tags::list)),
    ("PutAccountSetting", registry!(registry::put_setting)),
    ("PutImage", repository!(push::put_image)),
    (
        "PutImageScanningConfiguration",
        repository!(repositories::put_scanning),
    ),
    ("PutImageTagMutability", repository!(mutability::put)),
    ("PutLifecyclePolicy", repository!(lifecycle::put)),
    ("PutRegistryPolicy", registry!(registry::put_policy)),
    ("PutRegistryScanningConfiguration", registry!(scanning::put)),
    ("PutReplicationConfiguration", registry!(replication::put)),
    ("PutSigningConfiguration", registry!(registry::signing::put)),
    (
        "RegisterPullTimeUpdateExclusion",
        registry!(registry::register_exclusion),
    ),
    ("SetRepositoryPolicy", repository!(policies::set)),
    ("StartImageScan", repository!(scanning::start)),
    (
        "StartLifecyclePolicyPreview",
        repository!(lifecycle::preview::start),
    ),
    (
        "StartReplicationBackfill",
        registry!(replication::backfill::start),
    ),
    (
        "StopReplicationBackfill",
        registry!(replication::backfill::stop),
    ),
    ("TagResource", registry!(tags::tag)),
    ("UntagResource", registry!(tags::untag)),
    (
        "UpdateImageStorageClass",
        repository!(images::storage::update),
    ),
    (
        "UpdatePullThroughCacheRule",
        registry!(pull_through::rules::update),
    ),
    (
        "UpdateRepositoryCreationTemplate",
        registry!(registry::templates::update),
    ),
    ("UploadLayerPart", repository!(layers::upload_part)),
    (
        "ValidatePullThroughCacheRule",
        registry!(pull_through::rules::validate),
    ),
];

/// Answers an operation: checks its shape, whether the caller may, and runs it.
pub(crate) fn answer(call: &mut Call<'_>, name: &str, input: &Value) -> Answer {
    let found = TABLE.iter().find(|(it, _)| *it == name);
    let (_, operation) = found.ok_or_else(protocol::unknown_operation)?;
    if let Some(checked) = shapes::check(name, input) {
        checked?;
    }
    let registry = call.registry_key(input["registryId"].as_str());
    permit(call, name, &registry, input)?;
    time_passes(call, &registry, input["repositoryName"].as_str());
    match operation {
        Operation::Registry(run) => run(call, &registry, input),
        Operation::Repository(run) => {
            let name = input["repositoryName"].as_str().unwrap_or_default();
            let at = call.find(&registry, name)?;
            run(call, &at, input)
        }
    }
}

/// How often a whole registry is looked through; a repository that is asked for always is.
const LOOKED_THROUGH_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// Does what ECR would have done by itself since the last call: in the repository that is asked
/// for, and now and then in all of the registry.
pub(crate) fn time_passes(call: &mut Call<'_>, registry: &RegistryKey, name: Option<&str>) {
    let now = call.now;
    let Some(held) = call.state.registries.get_mut(registry) else {
        return;
    };
    let since = held.looked_through.map(|it| now.duration_since(it));
    let names: Vec<String> = if since.is_none_or(|it| it >= LOOKED_THROUGH_EVERY) {
        held.looked_through = Some(now);
        held.repositories.keys().cloned().collect()
    } else {
        let named = name.filter(|it| held.repositories.contains_key(*it));
        named.map(str::to_owned).into_iter().collect()
    };
    replication::backfill::time_passes(call, registry);
    for name in names {
        let at = RepositoryAt {
            registry: registry.clone(),
            name,
        };
        images::storage::time_passes(call.repository(&at), now);
        lifecycle::preview::time_passes(call, &at);
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
        // Who lists all repositories asks for each of them.
        None if operation == "DescribeRepositories" => call.permit(&action, registry, Some("*")),
        None => call.permit(&action, registry, None),
    }
}

/// The input as its type; the shape was checked before.
fn read<T: DeserializeOwned>(input: &Value) -> Result<T, Refusal> {
    T::deserialize(input).map_err(|it| Refusal::serialization(&it.to_string()))
}
