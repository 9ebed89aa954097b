//! `PullThroughRule`: ECR's cache of one upstream registry, in every region of its environments.

use std::collections::BTreeMap;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::settings::{Access, Encryption, ImageTagMutability, LifecyclePolicyRef};
use super::targets::{Target, TargetKey, find};
use super::{Toggle, rules};

mod status;

pub use status::{Imports, ObservedRecord, PullThroughRuleStatus, RetrofitRecord, RuleRecord};

/// The upstream, the prefix that its images get in ECR, and where.
#[derive(Clone, CustomResource, Debug, Deserialize, KubeSchema, PartialEq, Serialize)]
#[kube(
    group = "ecr-operator.dev",
    version = "v1alpha1",
    kind = "PullThroughRule",
    plural = "pullthroughrules",
    shortname = "ptrule",
    category = "ecr",
    status = "PullThroughRuleStatus",
    derive = "PartialEq",
    doc = "ECR's pull-through cache of one upstream registry, in every region of its environments.",
    printcolumn(
        name = "Upstream",
        type_ = "string",
        json_path = ".spec.upstreamRegistry"
    ),
    printcolumn(
        name = "Prefix",
        type_ = "string",
        json_path = ".status.ecrRepositoryPrefix"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].status"
    ),
    printcolumn(name = "Targets", type_ = "string", json_path = ".status.targetsReady"),
    printcolumn(name = "Valid", type_ = "string", json_path = ".status.targetsValid"),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type==\"Ready\")].reason"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp"
    )
)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "has(self.upstreamRegistryUrl) == (self.upstreamRegistry in ['azure-container-registry', 'ecr'])")
    .message("give upstreamRegistryUrl with azure-container-registry and ecr, whose registries \
              have addresses of their own; with the others it is known and is left out")
    .field_path(".upstreamRegistryUrl"))]
#[x_kube(validation = Rule::new(
        "!(self.upstreamRegistry in ['docker-hub', 'github-container-registry', \
         'gitlab-container-registry', 'azure-container-registry', 'chainguard']) \
         || (has(self.credentials) && self.credentials.size() > 0)")
    .message("ECR pulls from this upstream only with credentials: give a Secrets Manager secret \
              for each environment and region")
    .field_path(".credentials"))]
#[x_kube(validation = Rule::new(
        "!has(self.credentials) || self.credentials.all(it, it.environment in self.environments)")
    .message("credentials are for one of the rule's environments: add it to environments, or take \
              the entry out")
    .field_path(".credentials"))]
#[x_kube(validation = Rule::new(
        "!has(self.roles) || self.roles.all(it, it.environment in self.environments)")
    .message("a role is for one of the rule's environments: add it to environments, or take the \
              entry out")
    .field_path(".roles"))]
#[x_kube(validation = Rule::new(
        "!has(self.roles) || self.upstreamRegistry == 'ecr' || has(self.repositoryTemplate)")
    .message("a role is for upstreams of kind ecr and for repositoryTemplate: take roles out")
    .field_path(".roles"))]
#[x_kube(validation = Rule::new(
        "!has(self.repositoryTemplate) \
         || !(has(self.repositoryTemplate.tags) && self.repositoryTemplate.tags.size() > 0 \
              || has(self.repositoryTemplate.encryption) \
                 && self.repositoryTemplate.encryption.type != 'AES256') \
         || self.environments.all(it, has(self.roles) && self.roles.exists(of, of.environment == it))")
    .message("ECR makes repositories with tags or with a KMS key only by a role: give one for each \
              environment in roles, or take tags and encryption out of repositoryTemplate")
    .field_path(".roles"))]
#[x_kube(validation = Rule::new("self.retrofit != 'Enabled' || has(self.repositoryTemplate)")
    .message("retrofit brings repositories in line with repositoryTemplate: say what that is")
    .field_path(".retrofit"))]
#[x_kube(validation = Rule::new(
        "self.retrofit != 'Enabled' || !has(self.ecrRepositoryPrefix) \
         || self.ecrRepositoryPrefix != 'ROOT'")
    .message("ROOT covers every repository of the registry, not only those that the cache made: \
              retrofit needs a prefix of its own")
    .field_path(".retrofit"))]
#[x_kube(validation = rules::fixed("upstreamRegistryUrl", FIXED))]
#[x_kube(validation = rules::fixed("ecrRepositoryPrefix", FIXED))]
#[x_kube(validation = rules::fixed("upstreamRepositoryPrefix", FIXED))]
pub struct PullThroughRuleSpec {
    /// The upstream: docker-hub, ecr, ecr-public, quay, k8s (registry.k8s.io),
    /// github-container-registry, gitlab-container-registry, azure-container-registry or chainguard.
    /// Pods' references to its hosts are rewritten to the cache. Immutable.
    #[x_kube(validation = rules::immutable(FIXED))]
    pub upstream_registry: UpstreamRegistry,
    /// The upstream's address, only for azure-container-registry (NAME.azurecr.io) and ecr
    /// (ACCOUNT.dkr.ecr.REGION.amazonaws.com); it follows from upstreamRegistry for the others.
    /// Immutable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    #[x_kube(validation = Rule::new("self.matches('^[a-z0-9-]+([.][a-z0-9-]+)+$')")
        .message("write a host, without https:// and path, like example.azurecr.io"))]
    pub upstream_registry_url: Option<String>,
    /// The beginning of the names that cached images get in ECR: 2 to 30 characters, or ROOT for none.
    /// No ImageRepository may lie below it in these environments: the older of the two objects stays
    /// in force, and the younger is a Conflict. ROOT covers every name and stops none; an image is
    /// not led to a repository that an ImageRepository asks for. Immutable. Default by upstream:
    /// docker-hub, ghcr, quay, k8s, ecr-public, gitlab, azure, ecr or chainguard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 30))]
    #[x_kube(validation = rules::cache_prefix())]
    pub ecr_repository_prefix: Option<String>,
    /// Which part of the upstream is cached: 2 to 30 characters that its names begin with, or ROOT for
    /// all. Immutable. Default: ROOT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 30))]
    #[x_kube(validation = rules::cache_prefix())]
    pub upstream_repository_prefix: Option<String>,
    /// The EnvironmentAccounts that get the rule, in every one of their regions. Example: [dev, prod].
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 63)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = rules::environments())]
    pub environments: Vec<String>,
    /// The upstream's credentials, one per environment and region. Required for docker-hub,
    /// github-container-registry, gitlab-container-registry, azure-container-registry and chainguard.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["environment", "region"]))]
    pub credentials: Vec<Credential>,
    /// The IAM role by which ECR pulls from an upstream of kind ecr, and makes repositories by
    /// repositoryTemplate; one per environment, of its own account. Required for an upstream of kind
    /// ecr that is not a registry of the same account, and for a repositoryTemplate with tags or KMS.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map",
        "x-kubernetes-list-map-keys" = ["environment"]))]
    pub roles: Vec<Role>,
    /// What the repositories are given that the cache makes from now on, as an ECR repository
    /// creation template under ecrRepositoryPrefix. Those that exist stay as they are. A template of
    /// somebody else under the same prefix is ours once this says the same, which changes nothing; as
    /// long as it says anything else, that is a conflict, and the template is left alone. Taking this
    /// field away takes our template away. It stays, as the rule does, when this object is deleted or an environment is
    /// taken out of environments, so that a cache which still serves pods goes on making repositories
    /// the same way. Default: none, by which ECR makes them mutable, AES256 and without policies.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_template: Option<RepositoryTemplate>,
    /// Enabled also brings the repositories in line with repositoryTemplate that the cache has made
    /// already: those below ecrRepositoryPrefix that bear the tag ecr-operator.dev/cache=PREFIX and no
    /// tag of another owner. Our template gives that tag where it has tags; to others it can be given
    /// by hand. What bears no such tag is left alone, and counted in status as unproven. They get this
    /// object's owner tags, a few at a time; what cannot be changed (encryption) is counted. A lifecycle
    /// policy goes onto them under its safety rules only. Needs repositoryTemplate and a prefix other
    /// than ROOT, which would cover every repository. Disabled again leaves them as they are, owner
    /// tags included. Default: Disabled.
    #[serde(default)]
    pub retrofit: Toggle,
    /// Images to bring into the cache before any pod asks for them. Default: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prewarm: Option<Prewarm>,
    /// Enabled also rewrites references to tags that are not in the cache yet: the nodes' roles must
    /// then be allowed to import (ecr:BatchImportUpstreamImage, ecr:CreateRepository), and a pod fails
    /// when the upstream refuses. Default: Disabled.
    #[serde(default)]
    pub trust_upstream: Toggle,
}

const FIXED: &str = "immutable, since ECR cannot change it in a rule: make another PullThroughRule";

impl PullThroughRule {
    /// What status has of the target of this key.
    pub fn target(&self, key: &TargetKey) -> Option<&Target<RuleRecord>> {
        find(&self.status.as_ref()?.targets, key)
    }
}

/// ECR's upstreams, in ECR's words.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum UpstreamRegistry {
    /// Another account's or region's ECR.
    Ecr,
    /// public.ecr.aws.
    EcrPublic,
    /// quay.io.
    Quay,
    /// registry.k8s.io.
    K8s,
    /// docker.io.
    DockerHub,
    /// ghcr.io.
    GithubContainerRegistry,
    /// NAME.azurecr.io.
    AzureContainerRegistry,
    /// registry.gitlab.com.
    GitlabContainerRegistry,
    /// cgr.dev.
    Chainguard,
}

/// An upstream's credentials in one registry.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "self.secretArn.contains(':secretsmanager:' + self.region + ':')")
    .message("ECR reads secrets of its own region only: give one of the region in region")
    .field_path(".secretArn"))]
pub struct Credential {
    /// The environment, one of spec.environments. Example: prod.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = rules::environment())]
    pub environment: String,
    /// The region. Example: eu-central-1.
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = rules::region())]
    pub region: String,
    /// The ARN of a Secrets Manager secret of the same account and region, whose name begins with
    /// ecr-pullthroughcache/ and which holds username and accessToken. Can be changed at any time.
    #[schemars(length(min = 50, max = 612))]
    #[x_kube(validation = Rule::new(
            "self.matches(r'^arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:ecr-pullthroughcache/[A-Za-z0-9/_+=.@-]+$')")
        .message("write the full ARN of a secret whose name begins with ecr-pullthroughcache/"))]
    pub secret_arn: String,
}

/// The role by which ECR pulls and makes repositories, in one environment.
#[derive(Clone, Debug, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Role {
    /// The environment, one of spec.environments. Example: prod.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = rules::environment())]
    pub environment: String,
    /// The role's ARN, of the environment's account. It trusts pullthroughcache.ecr.amazonaws.com to
    /// pull from an upstream of kind ecr, and ecr.amazonaws.com to make repositories. Can be changed at
    /// any time.
    #[schemars(length(max = 2048))]
    #[x_kube(validation = rules::role_arn())]
    pub role_arn: String,
}

/// What ECR gives the repositories that the cache makes. What an environment's defaults say does not
/// count here.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "has(self.imageTagMutability) || has(self.encryption) || has(self.access) \
         || has(self.lifecyclePolicyRef) || (has(self.tags) && self.tags.size() > 0)")
    .message("say at least one setting, or take repositoryTemplate out"))]
pub struct RepositoryTemplate {
    /// Which tags can be moved. ECR brings a cached tag up to date by moving it, so a tag that cannot
    /// be moved stays for good as it was first pulled; the status says so. Default: all (MUTABLE).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_tag_mutability: Option<ImageTagMutability>,
    /// Encryption at rest, which ECR keeps for a repository's life. KMS needs a role in roles. A KMS
    /// key is of one region, so with several regions leave kmsKey out. Default: AES256.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Who else may use the repositories: those whom the environment's allowedPrincipals has. Default:
    /// nobody by a repository policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
    /// The LifecyclePolicy of the repositories. Default: none, by which they grow without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle_policy_ref: Option<LifecyclePolicyRef>,
    /// Resource tags, which need a role in roles. Example: {team: platform}. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "rules::tags")]
    #[x_kube(validation = rules::tag_keys())]
    pub tags: BTreeMap<String, String>,
}

/// Images to bring into the cache.
#[derive(Clone, Debug, Default, Deserialize, Eq, KubeSchema, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new(
        "self.observed == 'Enabled' || (has(self.images) && self.images.size() > 0)")
    .message("say which images, or set observed to Enabled"))]
pub struct Prewarm {
    /// Enabled brings in what this cluster's pods use of the upstream, tag by tag, in every registry of
    /// the rule. What is used by digest alone cannot be imported and is counted. Default: Disabled.
    #[serde(default)]
    pub observed: Toggle,
    /// The most images that observed imports in an hour, over all registries together: 1 to 1000.
    /// Each counts against the upstream's pull limit, which at Docker Hub is some tens in six hours
    /// without a paid plan; the images of an index may each count. Default: 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub imports_per_hour: Option<i32>,
    /// The images, by their names in the upstream and with a tag; official images of Docker Hub begin
    /// with library/. They are imported at once. Example: ["library/nginx:1.27"].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 128), inner(length(min = 1, max = 384)),
        extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new(
            "self.all(it, it.matches('^[a-z0-9]([a-z0-9._/-]*[a-z0-9])?:[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$'))")
        .message("write names in the upstream with a tag and without host, like library/nginx:1.27"))]
    pub images: Vec<String>,
}
