//! `DescribeImages` and `ListImages`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Answer, Call, RepositoryAt, seconds};
use super::super::super::protocol::paging::{Page, with_token};
use super::super::super::refusal::Refusal;
use super::super::super::state::{Image, Status};
use super::ImageId;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Describe {
    image_ids: Option<Vec<ImageId>>,
    next_token: Option<String>,
    max_results: Option<usize>,
    #[serde(default)]
    filter: Filter,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct List {
    next_token: Option<String>,
    max_results: Option<usize>,
    #[serde(default)]
    filter: Filter,
}

/// Which images are listed; those that can be pulled, where nothing is said.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    tag_status: Option<String>,
    image_status: Option<String>,
}

impl Filter {
    fn selects(&self, tagged: bool, status: Status) -> bool {
        let tag = match self.tag_status.as_deref() {
            Some("TAGGED") => tagged,
            Some("UNTAGGED") => !tagged,
            _ => true,
        };
        let wanted = self.image_status.as_deref().unwrap_or("ACTIVE");
        tag && (wanted == "ANY" || wanted == status.as_str())
    }
}

/// `DescribeImages`.
pub(in super::super) fn describe(
    call: &mut Call<'_>,
    at: &RepositoryAt,
    input: &Describe,
) -> Answer {
    let Describe {
        image_ids,
        next_token,
        max_results,
        filter,
    } = input;
    if let Some(ids) = image_ids {
        if next_token.is_some() || max_results.is_some() {
            return Err(Refusal::invalid(
                "imageIds",
                "nextToken and maxResults cannot be used with imageIds",
            )
            .into());
        }
        return described(call, at, ids);
    }
    let page = Page::new(
        format!("DescribeImages {at:?} {filter:?}"),
        *max_results,
        100,
        next_token.as_deref(),
    )?;
    let repository = call.repository(at);
    let tags = repository.tags_by_digest();
    let images = repository.images.iter();
    let listed =
        images.filter(|(digest, it)| filter.selects(tags.contains_key(digest.as_str()), it.status));
    let (listed, token) = page.take(listed, |(digest, _)| (*digest).clone());
    let details: Vec<Value> = listed
        .into_iter()
        .map(|(digest, it)| {
            detail(
                at,
                digest,
                it,
                tags.get(digest.as_str()).map_or(&[], |it| it),
            )
        })
        .collect();
    Ok(with_token(json!({"imageDetails": details}), token))
}

fn described(call: &mut Call<'_>, at: &RepositoryAt, ids: &[ImageId]) -> Answer {
    let repository = call.repository(at);
    let tags = repository.tags_by_digest();
    let mut details = Vec::new();
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        let digest = id.resolve(repository, at)?;
        if seen.insert(digest.clone()) {
            let tags = tags.get(digest.as_str()).map_or(&[][..], |it| it);
            details.push(detail(at, &digest, &repository.images[&digest], tags));
        }
    }
    Ok(json!({"imageDetails": details}))
}

/// `ListImages`: one identifier a tag, and one for each image without tags.
pub(in super::super) fn list(call: &mut Call<'_>, at: &RepositoryAt, input: &List) -> Answer {
    let List {
        next_token,
        max_results,
        filter,
    } = input;
    let page = Page::new(
        format!("ListImages {at:?} {filter:?}"),
        *max_results,
        100,
        next_token.as_deref(),
    )?;
    let repository = call.repository(at);
    let tags = repository.tags_by_digest();
    let identifiers = repository.images.iter().flat_map(|(digest, image)| {
        let tags = tags.get(digest.as_str()).map_or(&[][..], |it| it);
        let shown = filter.selects(!tags.is_empty(), image.status);
        let tagged = tags.iter().map(move |tag| (digest.as_str(), Some(*tag)));
        let untagged = tags.is_empty().then_some((digest.as_str(), None));
        tagged.chain(untagged).filter(move |_| shown)
    });
    let (listed, token) = page.take(identifiers, |(digest, tag)| {
        format!("{digest} {}", tag.unwrap_or_default())
    });
    let ids: Vec<ImageId> = listed
        .into_iter()
        .map(|(digest, tag)| ImageId {
            image_digest: Some(digest.to_owned()),
            image_tag: tag.map(str::to_owned),
        })
        .collect();
    Ok(with_token(json!({"imageIds": ids}), token))
}

fn detail(at: &RepositoryAt, digest: &str, image: &Image, tags: &[&str]) -> Value {
    let mut detail = json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "imageDigest": digest,
        "imageSizeInBytes": image.size,
        "imagePushedAt": seconds(image.pushed),
        "imageManifestMediaType": image.media_type,
        "imageStatus": image.status.as_str(),
    });
    if !tags.is_empty() {
        detail["imageTags"] = json!(tags);
    }
    let optional = [
        (
            "artifactMediaType",
            image.artifact.as_deref().map(Value::from),
        ),
        (
            "subjectManifestDigest",
            image.subject.as_deref().map(Value::from),
        ),
        ("lastRecordedPullTime", image.pulled.map(seconds)),
        ("lastArchivedAt", image.archived.map(seconds)),
        ("lastActivatedAt", image.activated.map(seconds)),
    ];
    for (name, value) in optional {
        if let Some(value) = value {
            detail[name] = value;
        }
    }
    detail
}
