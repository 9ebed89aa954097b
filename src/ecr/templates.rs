//! Repository creation templates: listed, made, changed, taken away. These calls name no account,
//! so they reach the one that the session has been proven to be of, and no other.

use std::collections::BTreeMap;

use aws_sdk_ecr::error::BuildError;
use aws_sdk_ecr::types::{
    EncryptionConfigurationForRepositoryCreationTemplate as WireEncryption, EncryptionType,
    RctAppliedFor, RepositoryCreationTemplate, Tag,
};

use super::apply::{WireMutability, wire_mutability, wire_tags};
use super::documents;
use super::error::{Error, ErrorKind};
use super::operation::Operation;
use super::registry::{Registry, found};
use super::repositories::mutability;
use crate::domain::pull_through::{Prefix, RoleArn};
use crate::domain::repository::{Encryption, Mutability};
use crate::domain::template::{APPLIED_FOR, Change, Observed, Settings, Template};
use crate::domain::{lifecycle, policy};

/// AWS's largest page of `DescribeRepositoryCreationTemplates`.
const TEMPLATES_A_PAGE: i32 = 1000;

impl Registry {
    /// All repository creation templates of the registry, by prefix.
    pub async fn templates(&self) -> Result<BTreeMap<Prefix, Observed>, Error> {
        const CALL: Operation = Operation::DescribeRepositoryCreationTemplates;
        let mut templates = BTreeMap::new();
        let mut next = None;
        loop {
            let send = self.session.read.describe_repository_creation_templates();
            let send = send.max_results(TEMPLATES_A_PAGE).set_next_token(next);
            let page = self.call(CALL, || send.clone().send()).await?;
            let listed = self.items(CALL, page.repository_creation_templates)?;
            templates.extend(listed.iter().map(|it| {
                let observed = observed(it);
                (observed.prefix.clone(), observed)
            }));
            next = page.next_token;
            if next.is_none() {
                return Ok(templates);
            }
        }
    }

    /// Makes one change of a repository creation template: exactly one AWS call. Taking away what is
    /// already gone is success.
    pub async fn apply_template(&self, change: &Change) -> Result<(), Error> {
        match change {
            Change::CreateRepositoryCreationTemplate(template) => {
                self.create_template(template).await
            }
            Change::UpdateRepositoryCreationTemplate(template) => {
                self.update_template(template).await
            }
            Change::DeleteRepositoryCreationTemplate(prefix) => {
                let send = self.session.write.delete_repository_creation_template();
                let send = send.prefix(prefix.as_str());
                let answer = self.call(Operation::DeleteRepositoryCreationTemplate, || {
                    send.clone().send()
                });
                found(answer.await, &["TemplateNotFoundException"]).map(|_| ())
            }
        }
    }

    async fn create_template(&self, template: &Template) -> Result<(), Error> {
        const CALL: Operation = Operation::CreateRepositoryCreationTemplate;
        let Wire {
            encryption,
            tags,
            mutability: (mode, filters),
        } = self.wire(CALL, &template.settings)?;
        let Settings {
            policy,
            lifecycle,
            role,
            mutability: _,
            encryption: _,
            tags: _,
        } = &template.settings;
        let send = self.session.write.create_repository_creation_template();
        let send = send
            .prefix(template.prefix.as_str())
            .description(&template.description)
            .applied_for(RctAppliedFor::from(APPLIED_FOR))
            .encryption_configuration(encryption)
            .set_resource_tags(Some(tags))
            .image_tag_mutability(mode)
            .set_image_tag_mutability_exclusion_filters(filters)
            .set_repository_policy(policy.as_ref().map(|it| it.as_str().to_owned()))
            .set_lifecycle_policy(lifecycle.as_ref().map(|it| it.as_str().to_owned()))
            .set_custom_role_arn(role.as_ref().map(ToString::to_string));
        self.call(CALL, || send.clone().send()).await.map(|_| ())
    }

    /// What is left out of an update stays as it is; so what is not wanted is sent empty.
    async fn update_template(&self, template: &Template) -> Result<(), Error> {
        const CALL: Operation = Operation::UpdateRepositoryCreationTemplate;
        let Wire {
            encryption,
            tags,
            mutability: (mode, filters),
        } = self.wire(CALL, &template.settings)?;
        let Settings {
            policy,
            lifecycle,
            role,
            mutability: _,
            encryption: _,
            tags: _,
        } = &template.settings;
        let send = self.session.write.update_repository_creation_template();
        let send = send
            .prefix(template.prefix.as_str())
            .description(&template.description)
            .applied_for(RctAppliedFor::from(APPLIED_FOR))
            .encryption_configuration(encryption)
            .set_resource_tags(Some(tags))
            .image_tag_mutability(mode)
            .set_image_tag_mutability_exclusion_filters(filters)
            .repository_policy(policy.as_ref().map_or("", policy::Document::as_str))
            .lifecycle_policy(lifecycle.as_ref().map_or("", lifecycle::Document::as_str))
            .custom_role_arn(role.as_ref().map_or("", RoleArn::as_str));
        self.call(CALL, || send.clone().send()).await.map(|_| ())
    }

    fn wire(&self, operation: Operation, settings: &Settings) -> Result<Wire, Error> {
        wire(settings).map_err(|error| {
            let kind = ErrorKind::InvalidParameter;
            Error::new(kind, operation, &self.name, error.to_string())
        })
    }
}

/// Settings that take the SDK's own types.
struct Wire {
    encryption: WireEncryption,
    tags: Vec<Tag>,
    mutability: WireMutability,
}

fn wire(settings: &Settings) -> Result<Wire, BuildError> {
    let (kind, key) = match settings.encryption.as_ref().unwrap_or(&Encryption::Aes256) {
        Encryption::Aes256 => (EncryptionType::Aes256, &None),
        Encryption::Kms(key) => (EncryptionType::Kms, key),
        Encryption::KmsDsse(key) => (EncryptionType::KmsDsse, key),
        Encryption::Other(kind) => (EncryptionType::from(kind.as_str()), &None),
    };
    let encryption = WireEncryption::builder().encryption_type(kind);
    Ok(Wire {
        encryption: encryption.set_kms_key(key.clone()).build()?,
        tags: wire_tags(&settings.tags)?,
        mutability: wire_mutability(settings.mutability.as_ref().unwrap_or(&Mutability::Mutable))?,
    })
}

fn observed(template: &RepositoryCreationTemplate) -> Observed {
    let encryption = template.encryption_configuration();
    let key = encryption.and_then(|it| it.kms_key.clone());
    let encryption = encryption.map(|it| &it.encryption_type);
    let written = |text: Option<&str>| text.filter(|it| !it.is_empty()).map(str::to_owned);
    let tags = template.resource_tags().iter();
    let applied_for = template.applied_for().iter();
    Observed {
        prefix: Prefix::observed(template.prefix().unwrap_or_default()),
        description: template.description().unwrap_or_default().to_owned(),
        applied_for: applied_for.map(|it| it.as_str().to_owned()).collect(),
        mutability: mutability(
            template.image_tag_mutability(),
            template.image_tag_mutability_exclusion_filters(),
        ),
        encryption: match encryption {
            None | Some(EncryptionType::Aes256) => Encryption::Aes256,
            Some(EncryptionType::Kms) => Encryption::Kms(key),
            Some(EncryptionType::KmsDsse) => Encryption::KmsDsse(key),
            Some(other) => Encryption::Other(other.as_str().to_owned()),
        },
        policy: documents::policy(written(template.repository_policy())),
        lifecycle: documents::lifecycle(written(template.lifecycle_policy())),
        tags: tags.map(|it| (it.key.clone(), it.value.clone())).collect(),
        role: written(template.custom_role_arn()),
    }
}
