//! What all objects together ask of AWS, by registry: each registry is read once for all of them.

use std::collections::BTreeMap;

use kube::ResourceExt;

use super::previewed::{self, Previewed};
use super::release::{self, Release};
use super::report::{Kind, Object, Refused, Row};
use super::settings::{self, Settings};
use crate::desired::{self, CacheTarget, Environment, Stopped, Target, World};
use crate::domain::Registry;
use crate::domain::names::EnvironmentName;

/// What is asked of each registry, and what is known before any is read.
pub(super) struct Asked {
    /// Every object that is about AWS, with a row for each target where nothing can be done.
    pub(super) objects: Vec<Object>,
    /// What to read.
    pub(super) places: BTreeMap<EnvironmentName, Place>,
    /// Whose environments are looked at; empty: all.
    only: Vec<EnvironmentName>,
}

/// What is asked of one environment.
pub(super) struct Place {
    /// How to reach it.
    pub(super) environment: Environment,
    /// What is asked of each of its registries.
    pub(super) registries: BTreeMap<Registry, Wanted>,
}

/// What is asked of one registry, each with the place of its object in [`Asked::objects`].
#[derive(Default)]
pub(super) struct Wanted {
    pub(super) repositories: Vec<(usize, Repository)>,
    /// Repositories to let go of.
    pub(super) released: Vec<(usize, Release)>,
    pub(super) rules: Vec<(usize, Cache)>,
    /// What it has only one of.
    pub(super) settings: Option<(usize, Settings)>,
}

impl Wanted {
    /// How many targets are in the registry.
    pub(super) fn targets(&self) -> usize {
        let Self {
            repositories,
            released,
            rules,
            settings,
        } = self;
        repositories.len() + released.len() + rules.len() + usize::from(settings.is_some())
    }
}

/// One repository.
pub(super) struct Repository {
    pub(super) target: Target,
    /// What is known of its lifecycle policy.
    pub(super) previewed: Option<Previewed>,
}

/// One cache rule.
pub(super) struct Cache {
    pub(super) target: CacheTarget,
    /// Why a lifecycle policy waits in what the cache had made already.
    pub(super) waits: Option<Refused>,
}

impl Asked {
    /// What the objects of `world` ask for in `only` these environments; empty: in all.
    pub(super) fn of(world: &World, only: &[EnvironmentName]) -> Self {
        let mut asked = Self {
            objects: Vec::new(),
            places: BTreeMap::new(),
            only: only.to_vec(),
        };
        for object in world.repositories() {
            let namespace = object.namespace().unwrap_or_default();
            let name = format!("{namespace}/{}", object.name_any());
            let at = asked.object(Kind::ImageRepository, name);
            let targets = if release::is_deleted(&**object) {
                Vec::new()
            } else {
                desired::repository(object, world)
            };
            release::ask(&mut asked, (at, object), &targets, world);
            for target in targets {
                let target = target.map(|it| (it.environment.clone(), it.registry.clone(), it));
                if let Some((wanted, target)) = asked.target(at, target, world) {
                    let previewed = previewed::of(object, &target);
                    wanted
                        .repositories
                        .push((at, Repository { target, previewed }));
                }
            }
        }
        // Caches stay when their object is deleted.
        for object in world.rules().filter(|it| !release::is_deleted(&***it)) {
            let at = asked.object(Kind::PullThroughRule, object.name_any());
            for target in desired::pull_through(object, world) {
                let target = target.map(|it| (it.environment.clone(), it.registry.clone(), it));
                if let Some((wanted, target)) = asked.target(at, target, world) {
                    let waits = previewed::waits(object, &target);
                    wanted.rules.push((at, Cache { target, waits }));
                }
            }
        }
        settings::ask(&mut asked, world);
        asked.broken(world);
        asked
    }

    /// Objects that others refer to and that are wrong by themselves.
    fn broken(&mut self, world: &World) {
        let mut stopped = |kind, name: String, result: Result<(), Stopped>| {
            if let Err(stopped) = result {
                let at = self.object(kind, name);
                self.objects[at].rows.push(Row::stopped(&stopped));
            }
        };
        for it in world.environments() {
            let read = desired::environment(it, world).map(drop);
            stopped(Kind::EnvironmentAccount, it.name_any(), read);
        }
        for it in world.lifecycles() {
            let read = desired::lifecycle(it).map(drop);
            stopped(Kind::LifecyclePolicy, it.name_any(), read);
        }
        for it in world.policies() {
            let read = desired::admission(it, world).map(drop);
            stopped(Kind::ImageAdmissionPolicy, it.name_any(), read);
        }
    }

    /// A further object, and where it stands.
    pub(super) fn object(&mut self, kind: Kind, name: String) -> usize {
        self.objects.push(Object {
            kind,
            name,
            rows: Vec::new(),
        });
        self.objects.len() - 1
    }

    /// Where a target is to be looked for; `None`: nowhere, and its object's row says why.
    pub(super) fn target<T>(
        &mut self,
        at: usize,
        target: Result<(EnvironmentName, Registry, T), Stopped>,
        world: &World,
    ) -> Option<(&mut Wanted, T)> {
        let (environment, registry, target) = match target {
            Ok(target) => target,
            Err(stopped) => {
                let environment = stopped.environment.as_deref();
                if environment.is_none_or(|it| self.looks_at(it)) {
                    self.objects[at].rows.push(Row::stopped(&stopped));
                }
                return None;
            }
        };
        if !self.looks_at(environment.as_str()) {
            return None;
        }
        let declared = world.environment(environment.as_str())?;
        let declared = desired::environment(declared, world).ok()?;
        let place = self.places.entry(environment).or_insert_with(|| Place {
            environment: declared,
            registries: BTreeMap::new(),
        });
        Some((place.registries.entry(registry).or_default(), target))
    }

    /// Whether this environment is looked at.
    pub(super) fn looks_at(&self, environment: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|it| it.as_str() == environment)
    }
}
