//! Objects of files laid over those of a cluster, as if they were applied to it: a spec is the
//! file's, and uid, age and status are the cluster's, where what was put in AWS is recorded.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::{Resource, ResourceExt};

use crate::api::{
    EnvironmentAccount, ImageAdmissionPolicy, ImageRepository, LifecyclePolicy, PullThroughRule,
};
use crate::desired::Objects;

/// The objects of both, those `above` in place of their namesakes `below`.
pub(super) fn lay(above: Objects, below: Objects) -> Objects {
    let Objects {
        environments,
        repositories,
        rules,
        lifecycles,
        policies,
        namespaces,
    } = above;
    let mut labels = below.namespaces;
    labels.extend(namespaces);
    Objects {
        environments: over(environments, below.environments),
        repositories: over(repositories, below.repositories),
        rules: over(rules, below.rules),
        lifecycles: over(lifecycles, below.lifecycles),
        policies: over(policies, below.policies),
        namespaces: labels,
    }
}

/// An object whose status the API server keeps over an apply.
trait Keeps: Resource<DynamicType = ()> + Clone {
    fn keep_status(&mut self, of: &Self);
}

macro_rules! keeps {
    ($($kind:ty),+) => {
        $(impl Keeps for $kind {
            fn keep_status(&mut self, of: &Self) {
                self.status.clone_from(&of.status);
            }
        })+
    };
}

keeps!(
    EnvironmentAccount,
    ImageAdmissionPolicy,
    ImageRepository,
    LifecyclePolicy,
    PullThroughRule
);

fn over<K: Keeps>(above: Vec<Arc<K>>, below: Vec<Arc<K>>) -> Vec<Arc<K>> {
    let key = |it: &K| (it.namespace(), it.name_any());
    let mut all: BTreeMap<_, _> = below.into_iter().map(|it| (key(&it), it)).collect();
    for object in above {
        let object = match all.get(&key(&object)) {
            Some(present) => Arc::new(applied(&*object, present)),
            None => object,
        };
        all.insert(key(&object), object);
    }
    all.into_values().collect()
}

fn applied<K: Keeps>(object: &K, to: &K) -> K {
    let mut applied = object.clone();
    applied.keep_status(to);
    let (meta, present) = (applied.meta_mut(), to.meta());
    meta.uid.clone_from(&present.uid);
    meta.creation_timestamp
        .clone_from(&present.creation_timestamp);
    meta.deletion_timestamp
        .clone_from(&present.deletion_timestamp);
    applied
}

#[cfg(test)]
mod tests;
