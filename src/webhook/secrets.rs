//! Whether a pod brings its own credentials for an image. The admission path reads no Secret, so
//! which hosts a pull secret is for has to be known beforehand.
//!
//! | of the pod's `imagePullSecrets` | an image that a cache would serve |
//! |---|---|
//! | there are none, or all are known and none is for its host | is decided as any other |
//! | one is known to be for its host | stays: what the pod may see is not the cache's to hand out |
//! | one is not known | is rewritten if it was seen in ECR, where nodes pull it without any secret; what would be rewritten on trust alone (`onUnknown`, `trustUpstream`) stays, since only the secret may open it |
//!
//! The last row is what most clusters have: a Docker Hub secret against rate limits in every
//! namespace must not keep images out of ECR, and a private image must not break. An image that an
//! own repository took over is rewritten whatever the secrets: it has moved, and they have not.

use std::collections::{BTreeMap, BTreeSet};

use super::wire::Pod;
use crate::domain::reference::Reference;
use crate::domain::rewrite::{Credentials, registry_host};

/// The hosts that each known pull secret is for, by namespace and name, as [`registry_host`] spells
/// them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct PullSecrets(pub BTreeMap<(String, String), BTreeSet<String>>);

/// What is known of one pod's pull secrets.
pub(super) struct PodSecrets<'r> {
    hosts: Vec<&'r BTreeSet<String>>,
    unknown: bool,
}

impl PullSecrets {
    /// Those of a pod of `namespace`.
    pub(super) fn of(&self, namespace: &str, pod: &Pod<'_>) -> PodSecrets<'_> {
        let named = pod
            .spec
            .iter()
            .flat_map(|it| it.image_pull_secrets.iter().flatten());
        let mut secrets = PodSecrets {
            hosts: Vec::new(),
            unknown: false,
        };
        for name in named.filter_map(|it| it.name.as_deref()) {
            match self.0.get(&(namespace.to_owned(), name.to_owned())) {
                Some(hosts) => secrets.hosts.push(hosts),
                None => secrets.unknown = true,
            }
        }
        secrets
    }
}

impl PodSecrets<'_> {
    /// What they are to `image`.
    pub(super) fn credentials(&self, image: &str) -> Credentials {
        let covered = |image: &Reference<'_>| {
            let host = registry_host(image);
            self.hosts.iter().any(|it| it.contains(&*host))
        };
        match Reference::parse(image) {
            Ok(image) if covered(&image) => Credentials::Covered,
            _ if self.unknown => Credentials::Unknown,
            _ => Credentials::NotCovered,
        }
    }
}
