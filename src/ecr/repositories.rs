//! Reading repositories: all by list, one by name, and the documents that no list has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ecr::primitives::DateTime;
use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageStatusFilter,
    ImageTagMutability, ImageTagMutabilityExclusionFilter, ListImagesFilter, Repository,
};
use futures::future::{try_join, try_join3};
use tracing::debug;

use super::documents;
use super::error::{Error, ErrorKind};
use super::operation::Operation;
use super::registry::{Registry, found};
use super::snapshot::Snapshot;
use crate::domain::RepositoryName;
use crate::domain::origin::Created;
use crate::domain::repository::{Contents, Encryption, Mutability, Observed, Reading};
use crate::domain::{lifecycle, policy};

/// AWS's largest pages: of `DescribeRepositories`, and of the tagging API's `GetResources`.
const REPOSITORIES_A_PAGE: i32 = 1000;
const TAGGED_A_PAGE: i32 = 100;

type Tags = BTreeMap<String, String>;

impl Registry {
    /// Lists the registry: a call for every 1,000 repositories, and one for every 100 that have
    /// tags. Documents are not listed; those read earlier stay known. Who asks while another lists
    /// shares the list that begins next.
    pub async fn refresh(&self) -> Result<Arc<Snapshot>, Error> {
        let last = self.memory.last_list();
        let _only = self.memory.listing.lock().await;
        match self.memory.snapshot_after(last) {
            Some(snapshot) => Ok(snapshot),
            None => self.list().await,
        }
    }

    /// The registry's snapshot, listed first if it never was: once, however many ask.
    pub async fn listed(&self) -> Result<Arc<Snapshot>, Error> {
        if let Some(snapshot) = self.memory.snapshot() {
            return Ok(snapshot);
        }
        let _only = self.memory.listing.lock().await;
        match self.memory.snapshot() {
            Some(snapshot) => Ok(snapshot),
            None => self.list().await,
        }
    }

    /// Whether a repository may be read by itself though the registry was not listed yet, for somebody
    /// who waits for it. A few may; the others are better served by the list.
    pub fn may_read_ahead(&self) -> bool {
        self.memory.may_read_ahead()
    }

    async fn list(&self) -> Result<Arc<Snapshot>, Error> {
        let began = self.memory.begin_list();
        let (mut repositories, mut tags) =
            try_join(self.list_repositories(), self.list_tags()).await?;
        for (name, observed) in &mut repositories {
            Arc::make_mut(observed).tags = tags.remove(name).unwrap_or_default();
        }
        Ok(self.memory.list(began, repositories))
    }

    /// Reads one repository with its tags and documents, `None` if there is none: four calls, or
    /// one.
    pub async fn observe(&self, name: &RepositoryName) -> Result<Option<Observed>, Error> {
        let since = self.memory.now();
        let observed = self.read(name).await?;
        let remembered = observed.clone().map(|it| Observed {
            policy: documents::canonical_only(it.policy),
            ..it
        });
        self.memory.read(since, name, remembered);
        Ok(observed)
    }

    /// Reads the documents of a known repository, which no list has: two calls.
    pub async fn read_documents(&self, name: &RepositoryName) -> Result<(), Error> {
        let since = self.memory.now();
        let (policy, lifecycle) = try_join(self.policy(name), self.lifecycle(name)).await?;
        self.memory.read_part(since, name, |it| {
            it.policy = documents::canonical_only(policy);
            it.lifecycle = lifecycle;
        });
        Ok(())
    }

    /// Whether a repository holds images, archived ones too. One that does not exist is empty.
    pub async fn contents(&self, name: &RepositoryName) -> Result<Contents, Error> {
        const CALL: Operation = Operation::ListImages;
        // Without this filter archived images do not count, and to delete them is a loss too.
        let any = ListImagesFilter::builder().image_status(ImageStatusFilter::Any);
        let send = self.session.read.list_images();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let send = send.filter(any.build()).max_results(1);
        let answer = self.call(CALL, || send.clone().send()).await;
        let Some(page) = found(answer, &["RepositoryNotFoundException"])? else {
            return Ok(Contents::Empty);
        };
        // A page may be empty with another behind it.
        match (
            self.items(CALL, page.image_ids)?.as_slice(),
            page.next_token,
        ) {
            ([], None) => Ok(Contents::Empty),
            ([..], _) => Ok(Contents::Images),
        }
    }

    async fn read(&self, name: &RepositoryName) -> Result<Option<Observed>, Error> {
        let Some(observed) = self.describe(name).await? else {
            return Ok(None);
        };
        let rest = try_join3(
            self.tags(&observed.arn),
            self.policy(name),
            self.lifecycle(name),
        )
        .await;
        match found(rest, &["RepositoryNotFoundException"])? {
            Some((tags, policy, lifecycle)) => Ok(Some(Observed {
                tags,
                policy,
                lifecycle,
                ..observed
            })),
            None => Ok(None), // deleted between two of the calls
        }
    }

    async fn describe(&self, name: &RepositoryName) -> Result<Option<Observed>, Error> {
        const CALL: Operation = Operation::DescribeRepositories;
        let send = self.session.read.describe_repositories();
        let send = send.registry_id(self.id()).repository_names(name.as_str());
        let answer = self.call(CALL, || send.clone().send()).await;
        let Some(page) = found(answer, &["RepositoryNotFoundException"])? else {
            return Ok(None);
        };
        // ECR answers with what was asked for, or with an error.
        match page.repositories().first().and_then(observed) {
            Some(observed) => Ok(Some(observed)),
            None => {
                let message = format!("the answer does not describe repository {name}");
                Err(Error::new(ErrorKind::Unexpected, CALL, &self.name, message))
            }
        }
    }

    async fn tags(&self, arn: &str) -> Result<Tags, Error> {
        const CALL: Operation = Operation::ListTagsForResource;
        let send = self.session.read.list_tags_for_resource();
        let send = send.resource_arn(arn);
        let answer = self.call(CALL, || send.clone().send()).await?;
        // Without its tags a repository of ours would be taken for nobody's, and left for good.
        let tags = self.items(CALL, answer.tags)?;
        Ok(tags.into_iter().map(|it| (it.key, it.value)).collect())
    }

    async fn policy(&self, name: &RepositoryName) -> Result<Reading<policy::Document>, Error> {
        let send = self.session.read.get_repository_policy();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let answer = self
            .call(Operation::GetRepositoryPolicy, || send.clone().send())
            .await;
        let answer = found(answer, &["RepositoryPolicyNotFoundException"])?;
        Ok(documents::policy(answer.and_then(|it| it.policy_text)))
    }

    async fn lifecycle(
        &self,
        name: &RepositoryName,
    ) -> Result<Reading<lifecycle::Document>, Error> {
        let send = self.session.read.get_lifecycle_policy();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let answer = self
            .call(Operation::GetLifecyclePolicy, || send.clone().send())
            .await;
        let answer = found(answer, &["LifecyclePolicyNotFoundException"])?;
        Ok(documents::lifecycle(
            answer.and_then(|it| it.lifecycle_policy_text),
        ))
    }

    async fn list_repositories(&self) -> Result<Snapshot, Error> {
        const CALL: Operation = Operation::DescribeRepositories;
        let mut listed = Snapshot::new();
        let mut next = None;
        loop {
            let send = self.session.read.describe_repositories();
            let send = send.registry_id(self.id()).max_results(REPOSITORIES_A_PAGE);
            let send = send.set_next_token(next);
            let page = self.call(CALL, || send.clone().send()).await?;
            for repository in &self.items(CALL, page.repositories)? {
                match (repository_name(repository), observed(repository)) {
                    (Some(name), Some(observed)) => {
                        listed.insert(name, Arc::new(observed));
                    }
                    _ => debug!(
                        ?repository,
                        "left out a repository that we do not understand"
                    ),
                }
            }
            next = page.next_token;
            if next.is_none() {
                return Ok(listed);
            }
        }
    }

    async fn list_tags(&self) -> Result<BTreeMap<RepositoryName, Tags>, Error> {
        const CALL: Operation = Operation::GetResources;
        let mut listed = BTreeMap::new();
        let mut next = None;
        loop {
            let send = self.session.tagging.get_resources();
            let send = send.resource_type_filters("ecr:repository");
            let send = send.resources_per_page(TAGGED_A_PAGE);
            let send = send.set_pagination_token(next);
            let page = self.call(CALL, || send.clone().send()).await?;
            for resource in self.items(CALL, page.resource_tag_mapping_list)? {
                let arn = resource.resource_arn.unwrap_or_default();
                let name = arn.split_once(":repository/").map(|(_, it)| it);
                let Some(Ok(name)) = name.map(str::parse::<RepositoryName>) else {
                    debug!(arn, "left out a tagged resource that is no repository");
                    continue;
                };
                let tags = resource.tags.unwrap_or_default();
                listed.insert(
                    name,
                    tags.into_iter().map(|it| (it.key, it.value)).collect(),
                );
            }
            // The tagging API ends its pages with an empty token.
            next = page.pagination_token.filter(|it| !it.is_empty());
            if next.is_none() {
                return Ok(listed);
            }
        }
    }
}

fn repository_name(repository: &Repository) -> Option<RepositoryName> {
    repository.repository_name()?.parse().ok()
}

/// What ECR's description of a repository tells of it. Settings that this program does not know are
/// kept by name.
pub(super) fn observed(repository: &Repository) -> Option<Observed> {
    Some(Observed {
        arn: repository.repository_arn()?.to_owned(),
        mutability: mutability(
            repository.image_tag_mutability(),
            repository.image_tag_mutability_exclusion_filters(),
        ),
        scan_on_push: repository
            .image_scanning_configuration()
            .is_some_and(ImageScanningConfiguration::scan_on_push),
        encryption: encryption(repository.encryption_configuration()),
        tags: Tags::new(),
        created: repository.created_at().map(created),
        policy: Reading::NotRead,
        lifecycle: Reading::NotRead,
    })
}

/// When something was created, by ECR's clock.
pub(super) fn created(at: &DateTime) -> Created {
    Created(at.secs())
}

pub(super) fn mutability(
    mode: Option<&ImageTagMutability>,
    filters: &[ImageTagMutabilityExclusionFilter],
) -> Mutability {
    let filters = || -> BTreeSet<String> { filters.iter().map(|it| it.filter.clone()).collect() };
    match mode {
        None | Some(ImageTagMutability::Mutable) => Mutability::Mutable,
        Some(ImageTagMutability::Immutable) => Mutability::Immutable,
        Some(ImageTagMutability::MutableWithExclusion) => Mutability::MutableExcept(filters()),
        Some(ImageTagMutability::ImmutableWithExclusion) => Mutability::ImmutableExcept(filters()),
        Some(other) => Mutability::Other(other.as_str().to_owned()),
    }
}

fn encryption(configuration: Option<&EncryptionConfiguration>) -> Encryption {
    let Some(configuration) = configuration else {
        return Encryption::Aes256;
    };
    let key = configuration.kms_key.clone();
    match &configuration.encryption_type {
        EncryptionType::Aes256 => Encryption::Aes256,
        EncryptionType::Kms => Encryption::Kms(key),
        EncryptionType::KmsDsse => Encryption::KmsDsse(key),
        other => Encryption::Other(other.as_str().to_owned()),
    }
}
