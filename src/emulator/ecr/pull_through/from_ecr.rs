//! Upstreams that are registries of this same emulator: another region, or another account.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-private.html>

use super::super::super::call::{Call, Caller};
use super::super::super::data_plane::registry_of;
use super::super::super::iam::Document;
use super::super::super::manifest::Manifest;
use super::super::super::state::{Repository, Status};
use super::super::super::upstream::{Failure, Import, Pulled};

/// The image, where the upstream is an ECR registry and lets the rule's role have it.
pub(super) fn pull(
    call: &Call<'_>,
    import: &Import,
    role: Option<&str>,
) -> Option<Result<Pulled, Failure>> {
    let source = registry_of(&import.host)?;
    let repository = call
        .state
        .registries
        .get(&source)
        .and_then(|it| it.repositories.get(&import.repository));
    let Some(repository) = repository else {
        return Some(Err(Failure::NotFound));
    };
    let account = role
        .and_then(|it| it.split(':').nth(4))
        .unwrap_or(&call.caller.account);
    let puller = Caller {
        account: account.to_owned(),
        arn: role.unwrap_or_default().to_owned(),
        names: role.map(str::to_owned).into_iter().collect(),
        ..Caller::default()
    };
    let attached: Vec<Document> = repository
        .policy
        .as_deref()
        .and_then(Document::parse)
        .into_iter()
        .collect();
    let resource = source.repository_arn(&import.repository);
    let context = call.context();
    let denied = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
        .into_iter()
        .any(|action| {
            puller
                .permit(
                    &puller.asks(action, &resource, &context),
                    &attached,
                    &source.account,
                )
                .is_err()
        });
    if denied {
        return Some(Err(Failure::Upstream("UpstreamAccessDenied".to_owned())));
    }
    Some(take(call, repository, &import.reference))
}

fn take(call: &Call<'_>, repository: &Repository, reference: &str) -> Result<Pulled, Failure> {
    let by_digest = reference.contains(':').then_some(reference);
    let by_tag = by_digest.is_none().then_some(reference);
    let root = repository
        .resolve(by_digest, by_tag)
        .ok_or(Failure::NotFound)?;
    let read = |digest: &str| {
        let image = repository
            .images
            .get(digest)
            .filter(|it| it.status == Status::Active)?;
        Manifest::read(image.manifest.clone(), Some(&image.media_type)).ok()
    };
    let mut manifests = vec![read(root).ok_or(Failure::NotFound)?];
    let children = manifests[0].children();
    manifests.extend(children.iter().filter_map(|it| read(it)));
    let digests = manifests
        .iter()
        .flat_map(Manifest::blobs)
        .map(|it| it.digest);
    let blobs = digests
        .filter_map(|it| call.state.blobs.get(&it).cloned())
        .collect();
    Ok(Pulled { manifests, blobs })
}
