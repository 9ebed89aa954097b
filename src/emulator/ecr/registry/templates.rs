//! Repository creation templates, and the repositories that ECR makes by them.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-creation-templates.html>

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Answer, Call, seconds};
use super::super::super::iam::{Document, canonical};
use super::super::super::protocol::paging::{Page, with_token};
use super::super::super::refusal::Refusal;
use super::super::super::state::{
    Encryption, ExclusionFilter, Lifecycle, RegistryKey, Repository, Template,
};
use super::super::{lifecycle, mutability, policies, repositories, tags};

/// A registry has at most this many templates.
const MOST: usize = 50;
const ROOT: &str = "ROOT";

/// What is asked of a new or changed template; what is missing stays.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Asked {
    prefix: String,
    description: Option<String>,
    encryption_configuration: Option<Encryption>,
    resource_tags: Option<Vec<tags::Tag>>,
    image_tag_mutability: Option<String>,
    image_tag_mutability_exclusion_filters: Option<Vec<ExclusionFilter>>,
    repository_policy: Option<String>,
    lifecycle_policy: Option<String>,
    applied_for: Option<Vec<String>>,
    custom_role_arn: Option<String>,
}

#[derive(Deserialize)]
pub(in super::super) struct Named {
    prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Describe {
    prefixes: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

/// `CreateRepositoryCreationTemplate`.
pub(in super::super) fn create(call: &mut Call<'_>, at: &RegistryKey, input: &Asked) -> Answer {
    let templates = &call.registry(at).templates;
    if templates.contains_key(&input.prefix) {
        return Err(Refusal::new(
            "TemplateAlreadyExistsException",
            format!("The repository creation template with prefix '{}' already exists in the registry with id '{}'", input.prefix, at.account),
        )
        .into());
    }
    if templates.len() >= MOST {
        return Err(Refusal::new(
            "LimitExceededException",
            format!("The registry already has the maximum of {MOST} repository creation templates"),
        )
        .into());
    }
    let new = Template {
        prefix: input.prefix.clone(),
        description: None,
        encryption_configuration: Encryption::default(),
        tags: BTreeMap::new(),
        image_tag_mutability: "MUTABLE".to_owned(),
        image_tag_mutability_exclusion_filters: Vec::new(),
        repository_policy: None,
        lifecycle_policy: None,
        applied_for: Vec::new(),
        custom_role_arn: None,
        created: call.now,
        updated: call.now,
    };
    keep(call, at, new, input)
}

/// `UpdateRepositoryCreationTemplate`.
pub(in super::super) fn update(call: &mut Call<'_>, at: &RegistryKey, input: &Asked) -> Answer {
    let held = call.registry(at).templates.get(&input.prefix);
    let held = held.cloned().ok_or_else(|| not_found(at, &input.prefix))?;
    keep(call, at, held, input)
}

/// `DescribeRepositoryCreationTemplates`.
pub(in super::super) fn describe(
    call: &mut Call<'_>,
    at: &RegistryKey,
    input: &Describe,
) -> Answer {
    let page = Page::new(
        format!(
            "DescribeRepositoryCreationTemplates {at} {:?}",
            input.prefixes
        ),
        input.max_results,
        100,
        input.next_token.as_deref(),
    )?;
    let wanted = |it: &&Template| {
        input
            .prefixes
            .as_ref()
            .is_none_or(|wanted| wanted.contains(&it.prefix))
    };
    let templates = call.registry(at).templates.values().filter(wanted);
    let (listed, token) = page.take(templates, |it| it.prefix.clone());
    let listed: Vec<Value> = listed.into_iter().map(view).collect();
    Ok(with_token(
        json!({"registryId": at.account, "repositoryCreationTemplates": listed}),
        token,
    ))
}

/// `DeleteRepositoryCreationTemplate`.
pub(in super::super) fn delete(call: &mut Call<'_>, at: &RegistryKey, input: &Named) -> Answer {
    let gone = call.registry(at).templates.remove(&input.prefix);
    let gone = gone.ok_or_else(|| not_found(at, &input.prefix))?;
    Ok(json!({"registryId": at.account, "repositoryCreationTemplate": view(&gone)}))
}

/// A new repository of this name as ECR makes it by itself, for one of `PULL_THROUGH_CACHE`,
/// `REPLICATION` and `CREATE_ON_PUSH`: by the most specific template, `None` where there is none.
/// Refuses where the template says what takes a role, and names none.
pub(crate) fn made_by_template(
    call: &mut Call<'_>,
    at: &RegistryKey,
    name: &str,
    applied_for: &str,
) -> Result<Option<Repository>, Refusal> {
    let now = call.now;
    let templates = call.registry(at).templates.values();
    let found = templates
        .filter(|it| it.applied_for.iter().any(|it| it == applied_for) && begins(&it.prefix, name))
        .max_by_key(|it| {
            if it.prefix == ROOT {
                0
            } else {
                it.prefix.len()
            }
        });
    let Some(template) = found else {
        return Ok(None);
    };
    let needs_role =
        !template.tags.is_empty() || template.encryption_configuration.encryption_type != "AES256";
    if needs_role && template.custom_role_arn.is_none() {
        return Err(Refusal::validation(format!(
            "The repository creation template with prefix '{}' needs a customRoleArn for its tags or its key",
            template.prefix
        )));
    }
    let lifecycle = template.lifecycle_policy.clone();
    Ok(Some(Repository {
        mutability: template.image_tag_mutability.clone(),
        exclusions: template.image_tag_mutability_exclusion_filters.clone(),
        encryption: repositories::encryption(at, Some(template.encryption_configuration.clone()))?,
        tags: template.tags.clone(),
        policy: template.repository_policy.clone(),
        lifecycle: lifecycle.map(|text| Lifecycle {
            text,
            evaluated: now,
        }),
        ..Repository::new(now)
    }))
}

/// A prefix ends where a part of the name ends.
fn begins(prefix: &str, name: &str) -> bool {
    let rest = || name.strip_prefix(prefix.trim_end_matches('/'));
    prefix == ROOT || rest().is_some_and(|it| it.is_empty() || it.starts_with('/'))
}

fn keep(call: &mut Call<'_>, at: &RegistryKey, mut template: Template, input: &Asked) -> Answer {
    if let Some(it) = &input.description {
        template.description = Some(it.clone()).filter(|it| !it.is_empty());
    }
    if let Some(it) = &input.encryption_configuration {
        let key = it.kms_key.clone().filter(|it| !it.is_empty());
        if it.encryption_type == "AES256" && key.is_some() {
            return Err(Refusal::invalid(
                "encryptionConfiguration",
                "kmsKey needs encryptionType KMS or KMS_DSSE",
            )
            .into());
        }
        template.encryption_configuration = Encryption {
            kms_key: key,
            ..it.clone()
        };
    }
    if let Some(it) = &input.resource_tags {
        template.tags = tags::for_creation(it)?;
    }
    if let Some(it) = &input.image_tag_mutability {
        template.image_tag_mutability.clone_from(it);
        template.image_tag_mutability_exclusion_filters = input
            .image_tag_mutability_exclusion_filters
            .clone()
            .unwrap_or_default();
    } else if let Some(it) = &input.image_tag_mutability_exclusion_filters {
        template
            .image_tag_mutability_exclusion_filters
            .clone_from(it);
    }
    mutability::check(
        &template.image_tag_mutability,
        &template.image_tag_mutability_exclusion_filters,
    )?;
    documents(at, &mut template, input)?;
    purposes(&mut template, input)?;
    template.updated = call.now;
    let answer = json!({"registryId": at.account, "repositoryCreationTemplate": view(&template)});
    call.registry(at)
        .templates
        .insert(template.prefix.clone(), template);
    Ok(answer)
}

fn documents(at: &RegistryKey, template: &mut Template, input: &Asked) -> Result<(), Refusal> {
    if let Some(it) = &input.repository_policy {
        template.repository_policy = policy(at, it)?;
    }
    if let Some(text) = &input.lifecycle_policy {
        if !text.is_empty() {
            lifecycle::document::parse(text)?;
        }
        template.lifecycle_policy = Some(text.clone()).filter(|it| !it.is_empty());
    }
    Ok(())
}

fn purposes(template: &mut Template, input: &Asked) -> Result<(), Refusal> {
    if let Some(it) = &input.applied_for {
        if it.is_empty() {
            let constraint = "Member must have length greater than or equal to 1";
            return Err(Refusal::invalid("appliedFor", constraint));
        }
        template.applied_for.clear();
        for one in it.iter().filter(|it| !it.is_empty()) {
            if !template.applied_for.contains(one) {
                template.applied_for.push(one.clone());
            }
        }
    }
    if let Some(it) = &input.custom_role_arn {
        template.custom_role_arn = Some(it.clone()).filter(|it| !it.is_empty());
    }
    Ok(())
}

fn policy(at: &RegistryKey, text: &str) -> Result<Option<String>, Refusal> {
    if text.is_empty() {
        return Ok(None);
    }
    Document::parse(text)
        .filter(policies::is_repository_policy)
        .map(|it| Some(canonical(&it, at.partition())))
        .ok_or_else(|| Refusal::invalid("repositoryPolicy", "Invalid repository policy provided"))
}

fn view(template: &Template) -> Value {
    let mut view = json!(template);
    if let Some(it) = view.as_object_mut() {
        it.remove("tags");
        it.insert("createdAt".to_owned(), seconds(template.created));
        it.insert("updatedAt".to_owned(), seconds(template.updated));
        it.remove("created");
        it.remove("updated");
    }
    if !template.tags.is_empty() {
        view["resourceTags"] = template
            .tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
    }
    view
}

fn not_found(at: &RegistryKey, prefix: &str) -> Refusal {
    Refusal::new(
        "TemplateNotFoundException",
        format!(
            "The repository creation template with prefix '{prefix}' does not exist in the registry with id '{}'",
            at.account
        ),
    )
}
