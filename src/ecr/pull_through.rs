//! Pull-through cache rules, and fetching an image into a cache before a pod asks for it.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::{
    Image, ImageFailure, ImageFailureCode, ImageIdentifier, PullThroughCacheRule, UpstreamRegistry,
};

use super::error::{Error, ErrorKind};
use super::operation::Operation;
use super::registry::{Registry, found};
use super::repositories::created;
use crate::domain::RepositoryName;
use crate::domain::pull_through::{Change, Observed, Prefix, Rule};

/// AWS's largest page of `DescribePullThroughCacheRules`; a registry has 50 rules at most.
const RULES_A_PAGE: i32 = 1000;

/// Every kind of manifest that a container runtime may ask for. An index is asked for first: with
/// it ECR imports the images of all platforms.
const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];

/// What ECR says of a rule when asked to try it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Validation {
    /// It reached the upstream and could sign in.
    Valid,
    /// It could not, for this reason.
    Failed(String),
}

/// What became of an image that was to be fetched into a cache.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Prewarm {
    /// The cache has it, under this digest.
    Imported {
        /// The digest of the manifest or index under the tag.
        digest: String,
    },
    /// Neither cache nor upstream has it, or no rule caches that repository.
    NotFound,
    /// The upstream did not accept the rule's credentials, or wants some. Docker Hub says so of
    /// names that do not exist, too.
    UpstreamAccessDenied(String),
    /// The upstream's pull limit is used up.
    UpstreamTooManyRequests(String),
    /// The upstream did not answer, or not with the image.
    UpstreamUnavailable(String),
}

impl Registry {
    /// All pull-through cache rules of the registry, by prefix.
    pub async fn rules(&self) -> Result<BTreeMap<Prefix, Observed>, Error> {
        const CALL: Operation = Operation::DescribePullThroughCacheRules;
        let mut rules = BTreeMap::new();
        let mut next = None;
        loop {
            let send = self.session.read.describe_pull_through_cache_rules();
            let send = send.registry_id(self.id()).max_results(RULES_A_PAGE);
            let send = send.set_next_token(next);
            let page = self.call(CALL, || send.clone().send()).await?;
            let listed = self.items(CALL, page.pull_through_cache_rules)?;
            rules.extend(listed.iter().map(|it| {
                let observed = observed(it);
                (observed.prefix.clone(), observed)
            }));
            next = page.next_token;
            if next.is_none() {
                return Ok(rules);
            }
        }
    }

    /// Makes one change of a pull-through cache rule: exactly one AWS call.
    pub async fn apply_rule(&self, change: &Change) -> Result<(), Error> {
        match change {
            Change::CreatePullThroughCacheRule(rule) => self.create_rule(rule).await,
            Change::UpdatePullThroughCacheRule {
                prefix,
                credential,
                role,
            } => {
                let send = self.session.write.update_pull_through_cache_rule();
                let send = send
                    .registry_id(self.id())
                    .ecr_repository_prefix(prefix.as_str())
                    .set_credential_arn(credential.as_ref().map(ToString::to_string))
                    .set_custom_role_arn(role.as_ref().map(ToString::to_string));
                let update = self.call(Operation::UpdatePullThroughCacheRule, || {
                    send.clone().send()
                });
                update.await.map(|_| ())
            }
        }
    }

    async fn create_rule(&self, rule: &Rule) -> Result<(), Error> {
        let Rule {
            prefix,
            source,
            upstream_prefix,
            credential,
            role,
        } = rule;
        let send = self.session.write.create_pull_through_cache_rule();
        let send = send
            .registry_id(self.id())
            .ecr_repository_prefix(prefix.as_str())
            .upstream_registry(UpstreamRegistry::from(source.upstream().name()))
            .upstream_registry_url(source.url())
            .upstream_repository_prefix(upstream_prefix.as_str())
            .set_credential_arn(credential.as_ref().map(ToString::to_string))
            .set_custom_role_arn(role.as_ref().map(ToString::to_string));
        let create = self.call(Operation::CreatePullThroughCacheRule, || {
            send.clone().send()
        });
        create.await.map(|_| ())
    }

    /// Asks ECR to try the rule of `prefix` against its upstream; `None` if there is no such rule.
    pub async fn validate(&self, prefix: &Prefix) -> Result<Option<Validation>, Error> {
        let send = self.session.read.validate_pull_through_cache_rule();
        let send = send
            .registry_id(self.id())
            .ecr_repository_prefix(prefix.as_str());
        let answer = self
            .call(Operation::ValidatePullThroughCacheRule, || {
                send.clone().send()
            })
            .await;
        let answer = found(answer, &["PullThroughCacheRuleNotFoundException"])?;
        Ok(answer.map(|it| {
            if it.is_valid {
                Validation::Valid
            } else {
                Validation::Failed(it.failure.unwrap_or_else(|| "no reason given".to_owned()))
            }
        }))
    }

    /// Fetches `tag` of a cache repository from its upstream. This spends the upstream's quota, and
    /// counts as a pull unless our role is excluded from pull-time updates.
    pub async fn prewarm(&self, name: &RepositoryName, tag: &str) -> Result<Prewarm, Error> {
        let send = self.session.read.batch_get_image();
        let send = send.registry_id(self.id()).repository_name(name.as_str());
        let send = send.image_ids(ImageIdentifier::builder().image_tag(tag).build());
        let accepted = MANIFESTS.map(str::to_owned).to_vec();
        let send = send.set_accepted_media_types(Some(accepted));
        match self
            .call(Operation::BatchGetImage, || send.clone().send())
            .await
        {
            Ok(answer) => match (answer.images().first(), answer.failures().first()) {
                (Some(image), _) => Ok(imported(image)),
                (None, Some(failure)) => self.failed(failure),
                (None, None) => Ok(Prewarm::NotFound),
            },
            Err(error) if error.code == "UnableToGetUpstreamImageException" => {
                Ok(Prewarm::UpstreamUnavailable(error.message))
            }
            Err(error) if error.kind == ErrorKind::NotFound => Ok(Prewarm::NotFound),
            Err(error) => Err(error),
        }
    }

    fn failed(&self, failure: &ImageFailure) -> Result<Prewarm, Error> {
        let reason = failure.failure_reason().unwrap_or_default().to_owned();
        match failure.failure_code() {
            Some(ImageFailureCode::ImageNotFound) => Ok(Prewarm::NotFound),
            Some(ImageFailureCode::UpstreamAccessDenied) => {
                Ok(Prewarm::UpstreamAccessDenied(reason))
            }
            Some(ImageFailureCode::UpstreamTooManyRequests) => {
                Ok(Prewarm::UpstreamTooManyRequests(reason))
            }
            Some(ImageFailureCode::UpstreamUnavailable) => Ok(Prewarm::UpstreamUnavailable(reason)),
            code => {
                let code = code.map_or("no code", ImageFailureCode::as_str);
                let kind = match code {
                    "KmsError" => ErrorKind::Kms,
                    "InvalidImageTag" => ErrorKind::InvalidParameter,
                    _ => ErrorKind::Unexpected,
                };
                let message = format!("{code}: {reason}");
                Err(Error::new(
                    kind,
                    Operation::BatchGetImage,
                    &self.name,
                    message,
                ))
            }
        }
    }
}

fn imported(image: &Image) -> Prewarm {
    let digest = image.image_id().and_then(|it| it.image_digest());
    let digest = digest.unwrap_or_default().to_owned();
    Prewarm::Imported { digest }
}

fn observed(rule: &PullThroughCacheRule) -> Observed {
    let prefix = |text: Option<&str>| Prefix::observed(text.unwrap_or("ROOT"));
    Observed {
        prefix: prefix(rule.ecr_repository_prefix()),
        upstream: rule.upstream_registry().map(|it| it.as_str().to_owned()),
        url: rule.upstream_registry_url().unwrap_or_default().to_owned(),
        upstream_prefix: prefix(rule.upstream_repository_prefix()),
        credential: rule.credential_arn().map(str::to_owned),
        role: rule.custom_role_arn().map(str::to_owned),
        created: rule.created_at().map(created),
    }
}
