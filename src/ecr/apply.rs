//! Carrying out changes of repositories. One change is one AWS call, and what it answers is
//! remembered, so that the next decision sees it. Nothing here asks whether the change is right.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ecr::error::BuildError;
use aws_sdk_ecr::types::{
    EncryptionConfiguration, EncryptionType, ImageScanningConfiguration, ImageTagMutability,
    ImageTagMutabilityExclusionFilter, ImageTagMutabilityExclusionFilterType, Tag,
};
use tokio::time::Instant;

use super::documents;
use super::error::{Error, ErrorKind};
use super::limiter::Priority;
use super::operation::Operation;
use super::registry::{Registry, found};
use super::repositories::observed;
use crate::domain::RepositoryName;
use crate::domain::repository::{Change, Create, Encryption, Mutability, Observed, Reading};
use crate::domain::{lifecycle, policy};

impl Registry {
    /// Makes one change of the repository `name`: exactly one AWS call. Taking away what is already
    /// gone is success. A repository that a `CreateRepository` finds is
    /// [`ErrorKind::AlreadyExists`]: another's, or our own whose answer was lost. What AWS did not
    /// take a while ago fails as it did then, without a call, unless a person edited the object.
    pub async fn apply(&self, name: &RepositoryName, change: &Change) -> Result<(), Error> {
        let refusals = &self.memory.refusals;
        if self.priority != Priority::Edit
            && let Some(error) = refusals.of(name.as_str(), change, Instant::now())
        {
            return Err(error);
        }
        let applied = self.carry_out(name, change).await;
        if let Err(error) = &applied {
            refusals.note(name.as_str(), change, error, Instant::now());
            if error.code == "RepositoryNotFoundException" {
                self.memory.gone(name);
            }
        }
        applied
    }

    async fn carry_out(&self, name: &RepositoryName, change: &Change) -> Result<(), Error> {
        match change {
            Change::CreateRepository(create) => self.create(name, create).await,
            Change::PutImageTagMutability(mutability) => {
                self.put_mutability(name, mutability).await
            }
            Change::PutImageScanningConfiguration(scan) => self.put_scanning(name, *scan).await,
            Change::SetRepositoryPolicy(document) => self.set_policy(name, document).await,
            Change::DeleteRepositoryPolicy => self.delete_policy(name).await,
            Change::PutLifecyclePolicy(document) => self.put_lifecycle(name, document).await,
            Change::DeleteLifecyclePolicy => self.delete_lifecycle(name).await,
            Change::TagResource(tags) => self.tag(name, tags).await,
            Change::UntagResource(keys) => self.untag(name, keys).await,
            Change::BatchDeleteImage(images) => self.delete_images(name, images).await,
            Change::DeleteRepository => self.delete(name).await,
        }
    }

    /// Takes in that `change` repaired what somebody else had done to the repository `name`.
    pub fn repaired(&self, name: &RepositoryName, change: &Change) {
        let repeats = &self.memory.repeats;
        repeats.note(name.as_str(), change, Instant::now());
    }

    /// Whether this very repair of the repository `name` was made three times within the hour, so
    /// that somebody keeps undoing it. No call is made.
    pub fn is_contested(&self, name: &RepositoryName, change: &Change) -> bool {
        let repeats = &self.memory.repeats;
        repeats.exhausted(name.as_str(), change, Instant::now())
    }

    async fn create(&self, name: &RepositoryName, create: &Create) -> Result<(), Error> {
        const CALL: Operation = Operation::CreateRepository;
        let Create {
            mutability,
            scan_on_push,
            encryption,
            tags,
        } = create;
        let invalid = |error| self.invalid(CALL, &error);
        let mut send = self.session.write.create_repository();
        send = send.registry_id(self.id()).repository_name(name.as_str());
        if let Some(mutability) = mutability {
            let (mode, filters) = wire_mutability(mutability).map_err(invalid)?;
            send = send
                .image_tag_mutability(mode)
                .set_image_tag_mutability_exclusion_filters(filters);
        }
        if let Some(scan) = scan_on_push {
            send = send.image_scanning_configuration(wire_scanning(*scan));
        }
        if let Some(encryption) = encryption {
            send = send.encryption_configuration(wire_encryption(encryption).map_err(invalid)?);
        }
        let send = send.set_tags(Some(wire_tags(tags).map_err(invalid)?));
        let answer = self.call(CALL, || send.clone().send()).await?;
        if let Some(observed) = answer.repository().and_then(observed) {
            let made = Observed {
                tags: tags.clone(),
                policy: Reading::Absent, // templates apply to what ECR itself creates
                lifecycle: Reading::Absent,
                ..observed
            };
            self.memory.made(name, made);
        }
        Ok(())
    }

    async fn put_mutability(&self, name: &RepositoryName, to: &Mutability) -> Result<(), Error> {
        const CALL: Operation = Operation::PutImageTagMutability;
        let (mode, filters) = wire_mutability(to).map_err(|error| self.invalid(CALL, &error))?;
        let send = self.session.write.put_image_tag_mutability();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let send = send
            .image_tag_mutability(mode)
            .set_image_tag_mutability_exclusion_filters(filters);
        self.call(CALL, || send.clone().send()).await?;
        self.memory.wrote(name, |it| it.mutability = to.clone());
        Ok(())
    }

    async fn put_scanning(&self, name: &RepositoryName, scan: bool) -> Result<(), Error> {
        let send = self.session.write.put_image_scanning_configuration();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let send = send.image_scanning_configuration(wire_scanning(scan));
        self.call(Operation::PutImageScanningConfiguration, || {
            send.clone().send()
        })
        .await?;
        self.memory.wrote(name, |it| it.scan_on_push = scan);
        Ok(())
    }

    async fn set_policy(
        &self,
        name: &RepositoryName,
        document: &policy::Document,
    ) -> Result<(), Error> {
        // Without `force` ECR refuses a policy that would lock its author out.
        let send = self.session.write.set_repository_policy();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let send = send.policy_text(document.written());
        let answer = self
            .call(Operation::SetRepositoryPolicy, || send.clone().send())
            .await?;
        let now = documents::canonical_only(documents::policy(answer.policy_text));
        self.memory.wrote(name, |it| it.policy = now);
        Ok(())
    }

    async fn delete_policy(&self, name: &RepositoryName) -> Result<(), Error> {
        let send = self.session.write.delete_repository_policy();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let answer = self.call(Operation::DeleteRepositoryPolicy, || send.clone().send());
        found(answer.await, &["RepositoryPolicyNotFoundException"])?;
        self.memory.wrote(name, |it| it.policy = Reading::Absent);
        Ok(())
    }

    async fn put_lifecycle(
        &self,
        name: &RepositoryName,
        document: &lifecycle::Document,
    ) -> Result<(), Error> {
        let send = self.session.write.put_lifecycle_policy();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let send = send.lifecycle_policy_text(document.as_str());
        let answer = self
            .call(Operation::PutLifecyclePolicy, || send.clone().send())
            .await?;
        let now = documents::lifecycle(answer.lifecycle_policy_text);
        self.memory.wrote(name, |it| it.lifecycle = now);
        Ok(())
    }

    async fn delete_lifecycle(&self, name: &RepositoryName) -> Result<(), Error> {
        let send = self.session.write.delete_lifecycle_policy();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let answer = self.call(Operation::DeleteLifecyclePolicy, || send.clone().send());
        found(answer.await, &["LifecyclePolicyNotFoundException"])?;
        self.memory.wrote(name, |it| it.lifecycle = Reading::Absent);
        Ok(())
    }

    async fn tag(
        &self,
        name: &RepositoryName,
        tags: &BTreeMap<String, String>,
    ) -> Result<(), Error> {
        const CALL: Operation = Operation::TagResource;
        let wire = wire_tags(tags).map_err(|error| self.invalid(CALL, &error))?;
        let send = self.session.write.tag_resource();
        let send = send.resource_arn(self.name.repository_arn(name));
        let send = send.set_tags(Some(wire));
        self.call(CALL, || send.clone().send()).await?;
        self.memory.wrote(name, |it| it.tags.extend(tags.clone()));
        Ok(())
    }

    async fn untag(&self, name: &RepositoryName, keys: &BTreeSet<String>) -> Result<(), Error> {
        let send = self.session.write.untag_resource();
        let send = send.resource_arn(self.name.repository_arn(name));
        let send = send.set_tag_keys(Some(keys.iter().cloned().collect()));
        self.call(Operation::UntagResource, || send.clone().send())
            .await?;
        let keep = |it: &mut Observed| it.tags.retain(|key, _| !keys.contains(key));
        self.memory.wrote(name, keep);
        Ok(())
    }

    /// Without `force`: an image that arrives meanwhile makes ECR refuse.
    async fn delete(&self, name: &RepositoryName) -> Result<(), Error> {
        let send = self.session.write.delete_repository();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let answer = self
            .call(Operation::DeleteRepository, || send.clone().send())
            .await;
        found(answer, &["RepositoryNotFoundException"])?;
        self.memory.gone(name);
        Ok(())
    }

    fn invalid(&self, operation: Operation, error: &BuildError) -> Error {
        let kind = ErrorKind::InvalidParameter;
        Error::new(kind, operation, &self.name, error.to_string())
    }
}

pub(super) type WireMutability = (
    ImageTagMutability,
    Option<Vec<ImageTagMutabilityExclusionFilter>>,
);

pub(super) fn wire_mutability(mutability: &Mutability) -> Result<WireMutability, BuildError> {
    let wire = |filters: &BTreeSet<String>| {
        let wildcard = |it: &String| {
            ImageTagMutabilityExclusionFilter::builder()
                .filter_type(ImageTagMutabilityExclusionFilterType::Wildcard)
                .filter(it)
                .build()
        };
        filters.iter().map(wildcard).collect::<Result<Vec<_>, _>>()
    };
    Ok(match mutability {
        Mutability::Mutable => (ImageTagMutability::Mutable, None),
        Mutability::Immutable => (ImageTagMutability::Immutable, None),
        Mutability::MutableExcept(filters) => (
            ImageTagMutability::MutableWithExclusion,
            Some(wire(filters)?),
        ),
        Mutability::ImmutableExcept(filters) => (
            ImageTagMutability::ImmutableWithExclusion,
            Some(wire(filters)?),
        ),
        Mutability::Other(mode) => (ImageTagMutability::from(mode.as_str()), None),
    })
}

fn wire_scanning(scan_on_push: bool) -> ImageScanningConfiguration {
    ImageScanningConfiguration::builder()
        .scan_on_push(scan_on_push)
        .build()
}

fn wire_encryption(encryption: &Encryption) -> Result<EncryptionConfiguration, BuildError> {
    let (kind, key) = match encryption {
        Encryption::Aes256 => (EncryptionType::Aes256, &None),
        Encryption::Kms(key) => (EncryptionType::Kms, key),
        Encryption::KmsDsse(key) => (EncryptionType::KmsDsse, key),
        Encryption::Other(kind) => (EncryptionType::from(kind.as_str()), &None),
    };
    EncryptionConfiguration::builder()
        .encryption_type(kind)
        .set_kms_key(key.clone())
        .build()
}

pub(super) fn wire_tags(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, BuildError> {
    let wire = |(key, value): (&String, &String)| Tag::builder().key(key).value(value).build();
    tags.iter().map(wire).collect()
}
