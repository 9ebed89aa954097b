//! `ListImageReferrers`: the artifacts that refer to an image.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ListImageReferrers.html>

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Answer, Call, RepositoryAt};
use super::super::super::manifest::Manifest;
use super::super::super::protocol::paging::{Page, with_token};
use super::super::super::state::{Image, Repository};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct List {
    subject_id: Subject,
    #[serde(default)]
    filter: Filter,
    next_token: Option<String>,
    max_results: Option<usize>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    image_digest: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Filter {
    #[serde(default)]
    artifact_types: Vec<String>,
    artifact_status: Option<String>,
}

/// `ListImageReferrers`. Those that can be pulled, where nothing is said.
pub(in super::super) fn list(call: &mut Call<'_>, at: &RepositoryAt, input: &List) -> Answer {
    let List {
        subject_id,
        filter,
        next_token,
        max_results,
    } = input;
    let page = Page::new(
        format!(
            "ListImageReferrers {at:?} {} {filter:?}",
            subject_id.image_digest
        ),
        *max_results,
        50,
        next_token.as_deref(),
    )?;
    let status = filter.artifact_status.as_deref().unwrap_or("ACTIVE");
    let repository = call.repository(at);
    let all = referrers(repository, &subject_id.image_digest);
    let wanted = all.filter(|(_, it)| {
        let types = &filter.artifact_types;
        (status == "ANY" || status == it.status.as_str())
            && (types.is_empty() || it.artifact.as_ref().is_some_and(|it| types.contains(it)))
    });
    let (listed, token) = page.take(wanted, |(digest, _)| (*digest).clone());
    let listed: Vec<Value> = listed
        .into_iter()
        .map(|(digest, image)| {
            let mut view = descriptor(digest, image);
            view["artifactStatus"] = image.status.as_str().into();
            view
        })
        .collect();
    Ok(with_token(json!({"referrers": listed}), token))
}

/// The images that refer to a subject.
pub(crate) fn referrers<'a>(
    repository: &'a Repository,
    subject: &'a str,
) -> impl Iterator<Item = (&'a String, &'a Image)> + 'a {
    repository
        .images
        .iter()
        .filter(move |(_, it)| it.subject.as_deref() == Some(subject))
}

/// What is told of a referrer, here and by the data plane.
pub(crate) fn descriptor(digest: &str, image: &Image) -> Value {
    let mut view = json!({
        "digest": digest,
        "mediaType": image.media_type,
        "size": image.manifest.len(),
    });
    if let Some(it) = &image.artifact {
        view["artifactType"] = it.as_str().into();
    }
    let manifest = Manifest::read(image.manifest.clone(), Some(&image.media_type));
    if let Some(it) = manifest.as_ref().ok().and_then(Manifest::annotations) {
        view["annotations"] = it.clone();
    }
    view
}
