//! Replication between regions and accounts.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication.html>

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Answer, Call, RepositoryAt};
use super::super::iam::{Document, Question, Verdict, judge};
use super::super::manifest::Manifest;
use super::super::refusal::Refusal;
use super::super::state::{
    Destination, RegistryKey, Replica, ReplicationRule, Repository, Status, is_region, partition,
    selected,
};
use super::images::ImageId;
use super::push;
use super::registry::templates;

pub(super) mod backfill;

/// A registry replicates to at most this many destinations.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
const MOST_DESTINATIONS: usize = 25;
/// And its configuration has at most so many rules, fewer than the model's shape would let through.
const MOST_RULES: usize = 10;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Put {
    replication_configuration: Configuration,
}

#[derive(Deserialize)]
struct Configuration {
    rules: Vec<ReplicationRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OfImage {
    image_id: ImageId,
}

/// `PutReplicationConfiguration`.
pub(super) fn put(call: &mut Call<'_>, at: &RegistryKey, input: &Put) -> Answer {
    let rules = &input.replication_configuration.rules;
    let invalid = |why: &str| Refusal::invalid("replicationConfiguration", why);
    let destinations: BTreeSet<&Destination> =
        rules.iter().flat_map(|it| &it.destinations).collect();
    if destinations
        .iter()
        .any(|it| it.region == at.region && it.registry_id == at.account)
    {
        return Err(
            invalid("Replication destination cannot be the same as the source registry").into(),
        );
    }
    let elsewhere = destinations
        .iter()
        .find(|it| !is_region(&it.region) || partition(&it.region) != at.partition());
    if let Some(it) = elsewhere {
        return Err(invalid(&format!(
            "Invalid replication destination region '{}'",
            it.region
        ))
        .into());
    }
    if destinations.len() > MOST_DESTINATIONS {
        return Err(invalid(&format!(
            "Replication is limited to {MOST_DESTINATIONS} unique destinations"
        ))
        .into());
    }
    if rules.len() > MOST_RULES {
        return Err(invalid(&format!("Replication is limited to {MOST_RULES} rules")).into());
    }
    if rules.iter().any(|it| it.destinations.is_empty()) {
        return Err(invalid("A replication rule needs at least one destination").into());
    }
    for rule in rules {
        let unique: BTreeSet<&Destination> = rule.destinations.iter().collect();
        if unique.len() < rule.destinations.len() {
            return Err(invalid("A replication rule names a destination more than once").into());
        }
    }
    call.registry(at).replication.clone_from(rules);
    Ok(json!({"replicationConfiguration": {"rules": rules}}))
}

/// `DescribeImageReplicationStatus`.
pub(super) fn describe(call: &mut Call<'_>, at: &RepositoryAt, input: &OfImage) -> Answer {
    let repository = call.repository(at);
    let digest = input.image_id.resolve(repository, at)?;
    let replicas = repository.images[&digest].replicas.iter();
    let statuses: Vec<Value> = replicas
        .map(|it| {
            let mut view = json!({
                "region": it.region,
                "registryId": it.registry_id,
                "status": if it.failure.is_some() { "FAILED" } else { "COMPLETE" },
            });
            if let Some(failure) = &it.failure {
                view["failureCode"] = failure.as_str().into();
            }
            view
        })
        .collect();
    Ok(json!({
        "repositoryName": at.name,
        "imageId": ImageId {
            image_digest: Some(digest),
            image_tag: input.image_id.image_tag.clone(),
        },
        "replicationStatuses": statuses,
    }))
}

/// Replicates an image that was just pushed, where a rule says so.
pub(super) fn pushed(call: &mut Call<'_>, at: &RepositoryAt, digest: &str, tag: Option<&str>) {
    for destination in destinations(call, at, |_| true) {
        let failure = copy(call, at, digest, tag, &destination).err();
        let Destination {
            region,
            registry_id,
        } = destination;
        let Some(image) = call.repository(at).images.get_mut(digest) else {
            return;
        };
        image
            .replicas
            .retain(|it| (&it.region, &it.registry_id) != (&region, &registry_id));
        image.replicas.push(Replica {
            region,
            registry_id,
            failure,
        });
    }
}

/// Replicates the deletion of an image or of some of its tags, where a rule says so.
pub(super) fn deleted(call: &mut Call<'_>, at: &RepositoryAt, digest: &str, tags: &[String]) {
    let wanted = |it: &ReplicationRule| it.delete_replication.is_some_and(|it| it.enabled);
    for Destination {
        region,
        registry_id,
    } in destinations(call, at, wanted)
    {
        let registry = RegistryKey {
            account: registry_id,
            region,
        };
        let Ok(there) = call.find(&registry, &at.name) else {
            continue;
        };
        if allowed(call, at, &registry, "ecr:ReplicateImage").is_err() {
            continue;
        }
        let gone_here = !call.repository(at).images.contains_key(digest);
        let repository = call.repository(&there);
        repository
            .tagged
            .retain(|tag, it| it != digest || !tags.contains(tag));
        if gone_here {
            repository.remove(digest);
        }
    }
}

/// Where images of a repository go by the rules that are `wanted`.
fn destinations(
    call: &mut Call<'_>,
    at: &RepositoryAt,
    wanted: impl Fn(&ReplicationRule) -> bool,
) -> BTreeSet<Destination> {
    let rules = call.registry(&at.registry).replication.iter();
    let meant = rules.filter(|it| wanted(it) && selected(&it.repository_filters, &at.name));
    meant.flat_map(|it| it.destinations.clone()).collect()
}

/// Copies an image with all that it refers to; the error is ECR's word for why not.
fn copy(
    call: &mut Call<'_>,
    at: &RepositoryAt,
    digest: &str,
    tag: Option<&str>,
    destination: &Destination,
) -> Result<(), String> {
    let registry = RegistryKey::new(&destination.registry_id, &destination.region);
    allowed(call, at, &registry, "ecr:ReplicateImage")?;
    let there = match call.find(&registry, &at.name) {
        Ok(it) => it,
        Err(_) => {
            allowed(call, at, &registry, "ecr:CreateRepository")?;
            let made = templates::made_by_template(call, &registry, &at.name, "REPLICATION")
                .map_err(|_| "TemplateError".to_owned())?;
            let made = made.unwrap_or_else(|| Repository::new(call.now));
            call.registry(&registry)
                .repositories
                .insert(at.name.clone(), made);
            RepositoryAt {
                registry,
                name: at.name.clone(),
            }
        }
    };
    carry(call, at, &there, digest, tag)
}

fn carry(
    call: &mut Call<'_>,
    at: &RepositoryAt,
    there: &RepositoryAt,
    digest: &str,
    tag: Option<&str>,
) -> Result<(), String> {
    let now = call.now;
    let repository = call.repository(at);
    let image = repository
        .images
        .get(digest)
        .filter(|it| it.status == Status::Active);
    let image = image.ok_or("ImageArchived")?.clone();
    let manifest =
        Manifest::read(image.manifest, Some(&image.media_type)).map_err(|_| "Unknown")?;
    let wanted = manifest.blobs().into_iter().map(|it| it.digest);
    let layers: Vec<(String, u64)> = wanted
        .filter_map(|it| Some((it.clone(), *repository.layers.get(&it)?)))
        .collect();
    for child in image.children {
        carry(call, at, there, &child, None)?;
    }
    let repository = call.repository(there);
    repository.layers.extend(layers);
    // A tag that cannot be moved stays where it is, and the image arrives without it.
    let tag = tag.filter(|it| !repository.tagged.contains_key(*it) || repository.may_move(it));
    push::keep(repository, &manifest, tag, now);
    Ok(())
}

/// Whether the destination lets the source registry's account do this. One account trusts itself.
fn allowed(
    call: &Call<'_>,
    at: &RepositoryAt,
    registry: &RegistryKey,
    action: &str,
) -> Result<(), String> {
    let source = &at.registry.account;
    let policy = call
        .state
        .registries
        .get(registry)
        .and_then(|it| it.policy.as_deref());
    let documents: Vec<Document> = policy.and_then(Document::parse).into_iter().collect();
    let root = format!("arn:{}:iam::{source}:root", registry.partition());
    let question = Question {
        account: source,
        names: &[root],
        action,
        resource: &registry.repository_arn(&at.name),
        context: &call.context(),
    };
    match judge(&documents, &question) {
        Verdict::Allowed => Ok(()),
        Verdict::Silent if *source == registry.account => Ok(()),
        Verdict::Silent | Verdict::Denied => Err("AccessDenied".to_owned()),
    }
}
