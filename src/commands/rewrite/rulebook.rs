//! What becomes of a reference: the webhook's own decision, in the environment that reads it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use anyhow::bail;
use kube::ResourceExt as _;

use super::Arguments;
use super::environments::Environments;
use super::finding::{Outcome, Rule, Why};
use super::overrides::Overrides;
use super::selection::{self, Selection};
use crate::api::ImageAdmissionPolicy;
use crate::api::image_admission_policy::ImageAdmissionPolicySpec;
use crate::commands::rules;
use crate::desired::{self, Objects, Subject, World};
use crate::domain::facts::{Facts, Presence};
use crate::domain::names::Registry;
use crate::domain::rewrite::{
    self, Asked, Compiled, Credentials, Decision, PullPolicy, Reason, Table,
};
use crate::manifest::{self, Format, Site, Stated};

/// Where `kubectl apply` puts what names no namespace.
const DEFAULT_NAMESPACE: &str = "default";

/// The rules, and who reads what.
pub(super) struct Rulebook {
    /// The objects that the rules come from.
    pub(super) world: World,
    table: Arc<Table>,
    /// The policies of each environment, in the order in which the API server asks them.
    policies: BTreeMap<String, Vec<String>>,
    environments: Environments,
    overrides: Overrides,
    facts: Facts,
    namespace: Option<String>,
    service: Option<String>,
}

impl Rulebook {
    /// The rules that `objects` make. An environment that no admission policy is for has one made up
    /// for it, which excludes nothing.
    pub(super) fn new(
        mut objects: Objects,
        root: &Path,
        arguments: &Arguments,
    ) -> anyhow::Result<Self> {
        let mut policies: BTreeMap<String, Vec<String>> = BTreeMap::new();
        objects.policies.sort_by_key(|it| it.name_any());
        for policy in &objects.policies {
            let environment = policy.spec.environment.clone();
            policies
                .entry(environment)
                .or_default()
                .push(policy.name_any());
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
                vec![made_up]
            });
        }
        let environments = Environments::read(root, &arguments.environments)?;
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
            overrides: Overrides::default(),
            facts: Facts::assuming(Presence::Active),
            namespace: arguments.namespace.clone(),
            service: arguments.service.clone(),
        })
    }

    /// With what kustomizations override in the tree known.
    pub(super) fn knowing(self, overrides: Overrides) -> Self {
        Self { overrides, ..self }
    }

    /// Whether everything is told that is found, and not only one service's.
    pub(super) fn tells_all(&self) -> bool {
        self.service.is_none()
    }

    /// What becomes of a site, and in which environment; `None`: it is not asked for.
    pub(super) fn decide(
        &self,
        at: (&str, Format),
        site: &Site,
    ) -> Option<(Option<String>, Outcome)> {
        let (environment, outcome) = self.decide_all(at, site);
        let Some(service) = &self.service else {
            return Some((environment, outcome));
        };
        let ours = match &outcome {
            Outcome::Rewritten { rule, .. } => *rule == Rule::ImageRepository(service.clone()),
            // Which service it would be is known in each environment.
            Outcome::Left(Why::Text(manifest::Reason::NeedsEnvironment)) => self
                .anywhere(at, site)
                .any(|it| matches!(it, Outcome::Rewritten { rule: Rule::ImageRepository(it), .. } if it == *service)),
            Outcome::InStep | Outcome::Left(_) => false,
        };
        ours.then_some((environment, outcome))
    }

    fn decide_all(&self, at: (&str, Format), site: &Site) -> (Option<String>, Outcome) {
        let mut only = self.policies.keys();
        let only = only.next().filter(|_| self.policies.len() == 1);
        let environment = self.environments.of(at.0, &site.context);
        if let Some(name) = environment.or(only.map(String::as_str)) {
            return (Some(name.to_owned()), self.decide_in(name, at, site));
        }
        let mut outcomes: Vec<Outcome> = self.anywhere(at, site).collect();
        let moves = |it: &Outcome| matches!(it, Outcome::Rewritten { .. });
        let outcome = match outcomes.pop() {
            Some(last) if !moves(&last) && !outcomes.iter().any(moves) => last,
            None => Outcome::Left(Why::Rules(Reason::NoRule)),
            Some(_) => Outcome::Left(Why::Text(manifest::Reason::NeedsEnvironment)),
        };
        (None, outcome)
    }

    fn anywhere(&self, at: (&str, Format), site: &Site) -> impl Iterator<Item = Outcome> {
        let environments = self.policies.keys();
        environments.map(move |it| self.decide_in(it, at, site))
    }

    /// What the policies of an environment make of a site, one after the other.
    fn decide_in(&self, environment: &str, at: (&str, Format), site: &Site) -> Outcome {
        const NOT_SELECTED: Outcome = Outcome::Left(Why::Text(manifest::Reason::NotSelected));
        let policies = self.policies.get(environment).into_iter().flatten();
        let mut left = None;
        for policy in policies {
            match self.decide_by(policy, at, site) {
                NOT_SELECTED => drop(left.get_or_insert(NOT_SELECTED)),
                Outcome::Left(why @ Why::Rules(_)) => left = Some(Outcome::Left(why)),
                decided => return decided,
            }
        }
        // It is told on standard error why a policy is not in force.
        left.unwrap_or(Outcome::Left(Why::Rules(Reason::NoRule)))
    }

    fn decide_by(&self, name: &str, (path, format): (&str, Format), site: &Site) -> Outcome {
        let left = |reason| Outcome::Left(Why::Text(reason));
        let Some(policy) = self.table.policy(name) else {
            return Outcome::Left(Why::Rules(Reason::NoRule));
        };
        let said = site.context.namespace.as_deref();
        let namespace = said.or(self.namespace.as_deref());
        let asked = Asked {
            image: &site.image,
            namespace: namespace.unwrap_or(DEFAULT_NAMESPACE),
            pull_policy: site.context.pull_policy,
            credentials: site.context.credentials,
        };
        let (target, rule, reason) = match rewrite::decide(policy, &self.facts, &asked) {
            Decision::Rewrite {
                target,
                rule,
                reason,
            } => (target, rule, reason),
            Decision::Keep {
                reason: Reason::AlreadyEcr,
                ..
            } => return Outcome::InStep,
            Decision::Keep { reason, .. } => return Outcome::Left(Why::Rules(reason)),
        };
        let object = self.world.policies().find(|it| it.name_any() == name);
        let selection = object
            .map(|it| selection::selection(it, &self.world, (format, &site.context), namespace));
        match selection {
            Some(Selection::NotSelected) => return left(manifest::Reason::NotSelected),
            Some(Selection::Unknown) => return left(manifest::Reason::SelectionUnknown),
            Some(Selection::Selected) | None => {}
        }
        if site.registry == Stated::Elsewhere {
            return left(manifest::Reason::RegistryElsewhere);
        }
        if self.overrides.hold_for(path, site) {
            return left(manifest::Reason::Overridden);
        }
        let rule = match rule {
            // No list says that the cache has a digest, and ECR does not import by one.
            rewrite::Rule::PullThroughRule(_) if site.reference().digest().is_some() => {
                return Outcome::Left(Why::Rules(Reason::DigestNotCached));
            }
            // Another build names another repository, and this object has only one.
            rewrite::Rule::ImageRepository(_) if site.varies() => {
                return left(manifest::Reason::Variable);
            }
            rewrite::Rule::ImageRepository(it) => Rule::ImageRepository(it.to_owned()),
            rewrite::Rule::PullThroughRule(it) => Rule::PullThroughRule(it.to_owned()),
        };
        Outcome::Rewritten {
            target,
            registry: policy.registry().clone(),
            rule,
            reason,
        }
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

    /// Where an image of a namespace is pulled from in an environment: the registry of the policy that
    /// rewrites it there, or else of the environment's first.
    pub(super) fn registry(
        &self,
        environment: &str,
        (image, namespace): (&str, &str),
    ) -> Option<&Registry> {
        let policies = || {
            let names = self.policies.get(environment).into_iter().flatten();
            names.filter_map(|it| self.table.policy(it))
        };
        let asked = Asked {
            image,
            namespace,
            pull_policy: PullPolicy::Pulls,
            credentials: Credentials::NotCovered,
        };
        let rewrites = |it: &&Compiled| {
            matches!(
                rewrite::decide(it, &self.facts, &asked),
                Decision::Rewrite { .. }
            )
        };
        let found = policies().find(rewrites).or_else(|| policies().next());
        found.map(Compiled::registry)
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
