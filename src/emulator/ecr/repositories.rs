//! Repositories themselves: made, described, deleted.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Answer, Call, RepositoryAt, seconds};
use super::super::protocol::paging::{Page, with_token};
use super::super::refusal::Refusal;
use super::super::state::{Encryption, ExclusionFilter, RegistryKey, Repository};
use super::{mutability, tags};

/// A registry holds at most this many.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
const MOST: usize = 100_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Create {
    repository_name: String,
    #[serde(default)]
    tags: Vec<tags::Tag>,
    image_tag_mutability: Option<String>,
    #[serde(default)]
    image_tag_mutability_exclusion_filters: Vec<ExclusionFilter>,
    image_scanning_configuration: Option<ScanningConfiguration>,
    encryption_configuration: Option<Encryption>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ScanningConfiguration {
    #[serde(default)]
    scan_on_push: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Describe {
    repository_names: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Deserialize)]
pub(super) struct Delete {
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PutScanning {
    image_scanning_configuration: ScanningConfiguration,
}

/// `CreateRepository`.
pub(super) fn create(call: &mut Call<'_>, at: &RegistryKey, input: &Create) -> Answer {
    let tags = tags::for_creation(&input.tags)?;
    let mutability = input
        .image_tag_mutability
        .clone()
        .unwrap_or_else(|| "MUTABLE".to_owned());
    let exclusions = input.image_tag_mutability_exclusion_filters.clone();
    mutability::check(&mutability, &exclusions)?;
    let encryption = encryption(at, input.encryption_configuration.clone())?;
    let name = input.repository_name.clone();
    let now = call.now;
    let repositories = &mut call.registry(at).repositories;
    if repositories.contains_key(&name) {
        return Err(Refusal::new(
            "RepositoryAlreadyExistsException",
            format!(
                "The repository with name '{name}' already exists in the registry with id '{}'",
                at.account
            ),
        )
        .into());
    }
    if repositories.len() >= MOST {
        return Err(Refusal::new(
            "LimitExceededException",
            format!(
                "The registry with id '{}' already has the maximum number of repositories",
                at.account
            ),
        )
        .into());
    }
    let repository = Repository {
        mutability,
        exclusions,
        scan_on_push: input
            .image_scanning_configuration
            .as_ref()
            .is_some_and(|it| it.scan_on_push),
        encryption,
        tags,
        ..Repository::new(now)
    };
    let answer = json!({"repository": view(at, &name, &repository)});
    repositories.insert(name, repository);
    Ok(answer)
}

/// `DescribeRepositories`.
pub(super) fn describe(call: &mut Call<'_>, at: &RegistryKey, input: &Describe) -> Answer {
    if let Some(names) = &input.repository_names {
        if input.next_token.is_some() || input.max_results.is_some() {
            return Err(Refusal::invalid(
                "repositoryNames",
                "nextToken and maxResults cannot be used with repositoryNames",
            )
            .into());
        }
        let found = names.iter().map(|name| {
            let found = call.find(at, name)?;
            Ok(view(at, name, call.repository(&found)))
        });
        let found: Vec<Value> = found.collect::<Result<_, Refusal>>()?;
        return Ok(json!({"repositories": found}));
    }
    let page = Page::new(
        format!("DescribeRepositories {at}"),
        input.max_results,
        100,
        input.next_token.as_deref(),
    )?;
    let repositories = &call.registry(at).repositories;
    let (listed, token) = page.take(repositories, |(name, _)| (*name).clone());
    let listed: Vec<Value> = listed
        .into_iter()
        .map(|(name, it)| view(at, name, it))
        .collect();
    Ok(with_token(json!({"repositories": listed}), token))
}

/// `DeleteRepository`.
pub(super) fn delete(call: &mut Call<'_>, at: &RepositoryAt, input: &Delete) -> Answer {
    let RepositoryAt { registry, name } = at;
    if !input.force && !call.repository(at).images.is_empty() {
        return Err(Refusal::new(
            "RepositoryNotEmptyException",
            format!(
                "The repository with name '{name}' in registry with id '{}' cannot be deleted \
                 because it still contains images",
                registry.account
            ),
        )
        .into());
    }
    let deleted = view(registry, name, call.repository(at));
    call.registry(registry).repositories.remove(name);
    Ok(json!({"repository": deleted}))
}

/// `PutImageScanningConfiguration`.
pub(super) fn put_scanning(call: &mut Call<'_>, at: &RepositoryAt, input: &PutScanning) -> Answer {
    let scan_on_push = input.image_scanning_configuration.scan_on_push;
    call.repository(at).scan_on_push = scan_on_push;
    Ok(json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "imageScanningConfiguration": {"scanOnPush": scan_on_push},
    }))
}

/// Encryption as ECR fills it in: a key belongs to KMS, and KMS without a key is the account's
/// `aws/ecr` key. <https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html>
pub(super) fn encryption(
    at: &RegistryKey,
    asked: Option<Encryption>,
) -> Result<Encryption, Refusal> {
    let Some(asked) = asked else {
        return Ok(Encryption::default());
    };
    let Encryption {
        encryption_type,
        kms_key,
    } = asked;
    if encryption_type == "AES256" {
        if kms_key.is_some() {
            return Err(Refusal::invalid(
                "encryptionConfiguration",
                "kmsKey can only be specified when encryptionType is KMS or KMS_DSSE",
            ));
        }
        return Ok(Encryption {
            encryption_type,
            kms_key,
        });
    }
    let arn = format!("arn:{}:kms:{}:{}", at.partition(), at.region, at.account);
    let key = match kms_key {
        // The same key for every repository of the registry, as the account's own key is.
        None => format!("{arn}:key/{}", default_key(at)),
        Some(it) if it.starts_with("arn:") => it,
        Some(it) if it.starts_with("alias/") => format!("{arn}:{it}"),
        Some(it) => format!("{arn}:key/{it}"),
    };
    Ok(Encryption {
        encryption_type,
        kms_key: Some(key),
    })
}

fn default_key(at: &RegistryKey) -> String {
    use sha2::Digest as _;
    let it = super::super::state::hex(&sha2::Sha256::digest(format!("aws/ecr {at}")));
    format!(
        "{}-{}-{}-{}-{}",
        &it[..8],
        &it[8..12],
        &it[12..16],
        &it[16..20],
        &it[20..32]
    )
}

/// A repository as the API shows it.
pub(super) fn view(at: &RegistryKey, name: &str, repository: &Repository) -> Value {
    let mut view = json!({
        "repositoryArn": at.repository_arn(name),
        "registryId": at.account,
        "repositoryName": name,
        "repositoryUri": format!("{}/{name}", at.host()),
        "createdAt": seconds(repository.created),
        "imageTagMutability": repository.mutability,
        "imageScanningConfiguration": {"scanOnPush": repository.scan_on_push},
        "encryptionConfiguration": repository.encryption,
    });
    if !repository.exclusions.is_empty() {
        view["imageTagMutabilityExclusionFilters"] = json!(repository.exclusions);
    }
    view
}
