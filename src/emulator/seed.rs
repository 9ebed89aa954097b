//! What an emulator begins with, as YAML: accounts with their roles, repositories, images. A seed
//! is planted by the operations themselves, so it can say nothing that ECR would refuse.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::call::{Call, Caller, Stop};
use super::state::{Account, Role, State, User};
use super::upstream::{Imports, Upstream};
use super::{BareManifests, FirstPullByDigest};
use super::{ecr, manifest};

/// What there is at the start and after a reset. `docs/emulator.md` shows all of it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Seed {
    accounts: BTreeMap<String, AccountSeed>,
    upstreams: BTreeMap<String, Upstream>,
}

/// Why a seed cannot be.
#[derive(Debug, thiserror::Error)]
pub enum InvalidSeed {
    /// It is no YAML of the right shape.
    #[error("read the seed: {0}")]
    Shape(String),
    /// ECR would refuse this.
    #[error("plant {what}: {reason}")]
    Refused {
        /// Account, region and operation.
        what: String,
        /// ECR's words.
        reason: String,
    },
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct AccountSeed {
    roles: Option<BTreeMap<String, Role>>,
    users: BTreeMap<String, User>,
    secrets: Option<Vec<String>>,
    organization: Option<String>,
    registries: BTreeMap<String, RegistrySeed>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct RegistrySeed {
    repositories: BTreeMap<String, RepositorySeed>,
    /// Any other operations, in this order.
    calls: Vec<CallSeed>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CallSeed {
    operation: String,
    #[serde(default)]
    input: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct RepositorySeed {
    tags: BTreeMap<String, String>,
    mutability: Option<String>,
    scan_on_push: bool,
    policy: Option<Value>,
    lifecycle: Option<Value>,
    images: Vec<ImageSeed>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
struct ImageSeed {
    tags: Vec<String>,
    pushed: Option<Timestamp>,
}

impl Seed {
    /// Reads a seed.
    pub fn parse(yaml: &str) -> Result<Self, InvalidSeed> {
        serde_saphyr::from_str(yaml).map_err(|it| InvalidSeed::Shape(it.to_string()))
    }

    /// What stands in for upstream registries, by host.
    pub(crate) fn upstreams(&self) -> &BTreeMap<String, Upstream> {
        &self.upstreams
    }

    /// Adds what the seed says to `state`.
    pub(crate) fn plant(
        &self,
        state: &mut State,
        now: Timestamp,
        endpoint: &str,
    ) -> Result<(), InvalidSeed> {
        for (account, seed) in &self.accounts {
            let AccountSeed {
                roles,
                users,
                secrets,
                organization,
                registries,
            } = seed;
            let declared = Account {
                roles: roles.clone(),
                users: users.clone(),
                secrets: secrets.clone(),
                organization: organization.clone(),
            };
            state.accounts.insert(account.clone(), declared);
            let caller = Caller {
                account: account.clone(),
                ..Caller::default()
            };
            for (region, registry) in registries {
                let mut planter = Planter {
                    state,
                    now,
                    caller: &caller,
                    region,
                    endpoint,
                };
                planter.registry(registry)?;
            }
        }
        Ok(())
    }
}

struct Planter<'a> {
    state: &'a mut State,
    now: Timestamp,
    caller: &'a Caller,
    region: &'a str,
    endpoint: &'a str,
}

impl Planter<'_> {
    fn registry(&mut self, seed: &RegistrySeed) -> Result<(), InvalidSeed> {
        for (name, repository) in &seed.repositories {
            self.repository(name, repository)?;
        }
        seed.calls.iter().try_for_each(|it| {
            let input = if it.input.is_null() {
                json!({})
            } else {
                it.input.clone()
            };
            self.call(&it.operation, &input)
        })
    }

    fn repository(&mut self, name: &str, seed: &RepositorySeed) -> Result<(), InvalidSeed> {
        let RepositorySeed {
            tags,
            mutability,
            scan_on_push,
            policy,
            lifecycle,
            images,
        } = seed;
        let tags: Vec<Value> = tags
            .iter()
            .map(|(key, value)| json!({"Key": key, "Value": value}))
            .collect();
        let mut create = json!({
            "repositoryName": name,
            "tags": tags,
            "imageScanningConfiguration": {"scanOnPush": scan_on_push},
        });
        if let Some(it) = mutability {
            create["imageTagMutability"] = it.as_str().into();
        }
        self.call("CreateRepository", &create)?;
        if let Some(it) = policy {
            let input = json!({"repositoryName": name, "policyText": it.to_string()});
            self.call("SetRepositoryPolicy", &input)?;
        }
        if let Some(it) = lifecycle {
            let input = json!({"repositoryName": name, "lifecyclePolicyText": it.to_string()});
            self.call("PutLifecyclePolicy", &input)?;
        }
        images
            .iter()
            .enumerate()
            .try_for_each(|(index, it)| self.image(name, index, it))
    }

    fn image(&mut self, name: &str, index: usize, seed: &ImageSeed) -> Result<(), InvalidSeed> {
        let about = seed
            .tags
            .first()
            .cloned()
            .unwrap_or_else(|| format!("untagged-{index}"));
        let (manifest, blobs) = manifest::make_up(name, &about);
        let now = self.now;
        self.now = seed.pushed.unwrap_or(now);
        let at = super::state::RegistryKey::new(&self.caller.account, self.region);
        for blob in blobs {
            let (size, digest) = (blob.len() as u64, self.state.blobs.put(blob));
            if let Some(it) = self.state.registry(&at).repositories.get_mut(name) {
                it.layers.insert(digest, size);
            }
        }
        let mut put = json!({"repositoryName": name, "imageManifest": manifest.text});
        if seed.tags.is_empty() {
            self.call("PutImage", &put)?;
        }
        for tag in &seed.tags {
            put["imageTag"] = tag.as_str().into();
            self.call("PutImage", &put)?;
        }
        self.now = now;
        Ok(())
    }

    fn call(&mut self, operation: &str, input: &Value) -> Result<(), InvalidSeed> {
        let mut call = Call {
            state: self.state,
            now: self.now,
            caller: self.caller,
            region: self.region,
            endpoint: self.endpoint,
            imports: &Imports::new(),
            first_pull_by_digest: FirstPullByDigest::default(),
            bare_manifests: BareManifests::default(),
        };
        let refused = |reason: String| InvalidSeed::Refused {
            what: format!("{}/{} {operation}", self.caller.account, self.region),
            reason,
        };
        match ecr::answer(&mut call, operation, input) {
            Ok(_) => Ok(()),
            Err(Stop::Refused(it)) => Err(refused(format!("{}: {}", it.code, it.message))),
            Err(Stop::Needs(_)) => Err(refused("a seed cannot pull from upstream".to_owned())),
        }
    }
}
