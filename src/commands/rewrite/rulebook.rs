//! What becomes of a reference: the webhook's own decision, in the environment that reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use anyhow::bail;
use kube::ResourceExt as _;

use super::Arguments;
use super::environments::Environments;
use super::finding::{Outcome, Rule, Why};
use crate::api::ImageAdmissionPolicy;
use crate::api::image_admission_policy::ImageAdmissionPolicySpec;
use crate::commands::rules;
use crate::desired::{self, Objects, Subject, World};
use crate::domain::facts::{Facts, Presence};
use crate::domain::rewrite::{self, Asked, Compiled, Decision, Reason, Table};
use crate::manifest::{self, Site, Stated, Written};

/// The rules, and who reads what.
pub(super) struct Rulebook {
    /// The objects that the rules come from.
    pub(super) world: World,
    table: Table,
    /// The policy of each environment.
    policies: BTreeMap<String, String>,
    environments: Environments,
    /// The names that kustomizations override the images of.
    overridden: BTreeSet<String>,
    facts: Facts,
    namespace: String,
    service: Option<String>,
}

impl Rulebook {
    /// The rules that `objects` make. An environment that no admission policy is for has one made up
    /// for it, which excludes nothing.
    pub(super) fn new(mut objects: Objects, arguments: &Arguments) -> anyhow::Result<Self> {
        let mut policies = BTreeMap::new();
        objects.policies.sort_by_key(|it| it.name_any());
        for policy in &objects.policies {
            let environment = policy.spec.environment.clone();
            policies
                .entry(environment)
                .or_insert_with(|| policy.name_any());
        }
        for environment in &objects.environments {
            let name = environment.name_any();
            policies.entry(name.clone()).or_insert_with(|| {
                let made_up = format!("{name}.environment");
                let spec = ImageAdmissionPolicySpec {
                    environment: name,
                    ..ImageAdmissionPolicySpec::default()
                };
                let policy = ImageAdmissionPolicy::new(&made_up, spec);
                objects.policies.push(Arc::new(policy));
                made_up
            });
        }
        let environments = Environments::read(&arguments.root, &arguments.environments)?;
        for name in environments.names() {
            if !policies.contains_key(name) {
                bail!(
                    "there is no EnvironmentAccount {name}: correct the name, or add it to the rules"
                );
            }
        }
        if let Some(service) = &arguments.service
            && !objects
                .repositories
                .iter()
                .any(|it| is_called(&**it, service))
        {
            bail!("there is no ImageRepository {service} among the rules");
        }
        let world = rules::nameless(objects);
        let rules = desired::rules(&world);
        for (subject, stopped) in &rules.stopped {
            warn(subject, stopped);
        }
        Ok(Self {
            table: rules.table,
            world,
            policies,
            environments,
            overridden: BTreeSet::new(),
            facts: Facts::assuming(Presence::Active),
            namespace: arguments.namespace.clone(),
            service: arguments.service.clone(),
        })
    }

    /// With these names of images known to be overridden somewhere in the tree.
    pub(super) fn knowing_overridden(self, overridden: BTreeSet<String>) -> Self {
        Self { overridden, ..self }
    }

    /// Whether everything is told that is found, and not only one service's.
    pub(super) fn tells_all(&self) -> bool {
        self.service.is_none()
    }

    /// What becomes of a site, and in which environment; `None`: it is not asked for.
    pub(super) fn decide(&self, path: &str, site: &Site) -> Option<(Option<String>, Outcome)> {
        let (environment, outcome) = self.decide_all(path, site);
        let Some(service) = &self.service else {
            return Some((environment, outcome));
        };
        let ours = match &outcome {
            Outcome::Rewritten { rule, .. } => *rule == Rule::ImageRepository(service.clone()),
            // Which service it would be is known in each environment.
            Outcome::Left(Why::Text(manifest::Reason::NeedsEnvironment)) => self
                .anywhere(site)
                .any(|it| matches!(it, Outcome::Rewritten { rule: Rule::ImageRepository(it), .. } if it == *service)),
            Outcome::InStep | Outcome::Left(_) => false,
        };
        ours.then_some((environment, outcome))
    }

    fn decide_all(&self, path: &str, site: &Site) -> (Option<String>, Outcome) {
        let mut only = self.policies.keys();
        let only = only.next().filter(|_| self.policies.len() == 1);
        let environment = self.environments.of(path, &site.context);
        if let Some(name) = environment.or(only.map(String::as_str)) {
            return (Some(name.to_owned()), self.decide_in(name, site));
        }
        let mut outcomes: Vec<Outcome> = self.anywhere(site).collect();
        let moves = |it: &Outcome| matches!(it, Outcome::Rewritten { .. });
        let outcome = match outcomes.pop() {
            Some(last) if !moves(&last) && !outcomes.iter().any(moves) => last,
            None => Outcome::Left(Why::Rules(Reason::NoRule)),
            Some(_) => Outcome::Left(Why::Text(manifest::Reason::NeedsEnvironment)),
        };
        (None, outcome)
    }

    fn anywhere(&self, site: &Site) -> impl Iterator<Item = Outcome> {
        self.policies.keys().map(|it| self.decide_in(it, site))
    }

    fn decide_in(&self, environment: &str, site: &Site) -> Outcome {
        let policy = self.policies.get(environment);
        let Some(policy) = policy.and_then(|it| self.table.policy(it)) else {
            // It is told on standard error why the policy is not in force.
            return Outcome::Left(Why::Rules(Reason::NoRule));
        };
        let asked = Asked {
            image: &site.image,
            namespace: site.context.namespace.as_deref().unwrap_or(&self.namespace),
            pull_policy: site.context.pull_policy,
            credentials: site.context.credentials,
        };
        match rewrite::decide(policy, &self.facts, &asked) {
            Decision::Rewrite { .. } if site.registry == Stated::Elsewhere => {
                Outcome::Left(Why::Text(manifest::Reason::RegistryElsewhere))
            }
            Decision::Rewrite { .. } if self.is_overridden(site) => {
                Outcome::Left(Why::Text(manifest::Reason::Overridden))
            }
            // No list says that the cache has a digest, and ECR does not import by one.
            Decision::Rewrite {
                rule: rewrite::Rule::PullThroughRule(_),
                ..
            } if site.reference().digest().is_some() => {
                Outcome::Left(Why::Rules(Reason::DigestNotCached))
            }
            Decision::Rewrite {
                target,
                rule,
                reason,
            } => Outcome::Rewritten {
                target,
                rule: match rule {
                    rewrite::Rule::ImageRepository(it) => Rule::ImageRepository(it.to_owned()),
                    rewrite::Rule::PullThroughRule(it) => Rule::PullThroughRule(it.to_owned()),
                },
                reason,
            },
            Decision::Keep {
                reason: Reason::AlreadyEcr,
                ..
            } => Outcome::InStep,
            Decision::Keep { reason, .. } => Outcome::Left(Why::Rules(reason)),
        }
    }

    /// Whether a kustomization is to be changed instead, which looks for an image by its name as it
    /// is written.
    fn is_overridden(&self, site: &Site) -> bool {
        let image = site.image.split_once('@').map_or(&*site.image, |it| it.0);
        let slash = image.rfind('/').unwrap_or_default();
        let name = image[slash..]
            .find(':')
            .map_or(image, |colon| &image[..slash + colon]);
        !matches!(
            site.written,
            Written::Override { .. } | Written::Assignment { .. }
        ) && self.overridden.contains(name)
    }

    /// The environments that an `ImageRepository` is in, of those that there are rules for.
    pub(super) fn environments_of(&self, repository: &str) -> BTreeSet<String> {
        let object = self
            .world
            .repositories()
            .find(|it| is_called(&***it, repository));
        let named = object
            .into_iter()
            .flat_map(|it| it.spec.environments.clone());
        named.filter(|it| self.policies.contains_key(it)).collect()
    }

    /// The policy by which an environment's references are rewritten.
    pub(super) fn policy(&self, environment: &str) -> Option<&Compiled> {
        self.table.policy(self.policies.get(environment)?)
    }
}

fn is_called(object: &impl kube::ResourceExt, name: &str) -> bool {
    let namespace = object.namespace().unwrap_or_default();
    name.split_once('/') == Some((&namespace, &object.name_any()))
}

fn warn(subject: &Subject, stopped: &desired::Stopped) {
    let (kind, name) = match subject {
        Subject::Policy(name) => ("ImageAdmissionPolicy", name),
        Subject::Repository(name) => ("ImageRepository", name),
        Subject::Rule(name) => ("PullThroughRule", name),
    };
    eprintln!("warning: {kind} {name}: {stopped}");
}
