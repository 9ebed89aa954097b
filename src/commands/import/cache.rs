//! A pull-through cache rule as a `PullThroughRule`, which is the same in every region of its
//! environment, with the creation template under its prefix.

use std::collections::BTreeSet;

use kube::ResourceExt;
use serde_json::json;

use super::candidate::written;
use super::found::Found;
use super::lifecycle::{Lifecycles, free};
use super::manifest::Imported;
use super::review::Ask;
use super::template;
use crate::api::pull_through_rule::{Credential, Role};
use crate::api::{PullThroughRule, PullThroughRuleSpec};
use crate::desired::{self, Environment, World};
use crate::domain::pull_through::{self, Observed, Prefix, Source, Upstream};
use crate::domain::template as domain;

/// A cache rule for which there is to be an object.
pub(super) struct Rule {
    pub(super) object: PullThroughRule,
    pub(super) remarks: Vec<String>,
    /// Its spec without the template; `None`: it has none.
    plain: Option<PullThroughRuleSpec>,
}

/// An object for each cache rule that has none.
pub(super) fn rules(
    ask: &Ask<'_>,
    world: &World,
    found: &Found,
    (lifecycles, imported): (&mut Lifecycles, &mut Imported),
) -> Vec<Rule> {
    let prefixes: BTreeSet<&Prefix> = found.rules.values().flat_map(|it| it.keys()).collect();
    let mut taken: Vec<String> = world.rules().map(|it| it.name_any()).collect();
    let mut rules = Vec::new();
    for prefix in prefixes {
        let what = || format!("the cache rule {prefix}");
        let spec = match spec(prefix, ask.environment, found) {
            Ok(spec) => spec,
            Err(why) => {
                imported.leave_out(what(), why);
                continue;
            }
        };
        let same = world
            .rules()
            .find(|it| prefix_of(&it.spec).as_ref() == Some(prefix));
        let Some(rule) = same else {
            let name = prefix.as_str().to_lowercase().replace(['/', '_'], "-");
            let name = free(&name, &taken);
            taken.push(name.clone());
            let made = template::of(prefix, found, lifecycles);
            rules.push(Rule::new(&name, spec, (ask, made)));
            continue;
        };
        let name = rule.name_any();
        if rule
            .spec
            .environments
            .contains(&ask.environment.name.to_string())
        {
            imported.leave_out(what(), format!("PullThroughRule {name} has it already"));
        } else if let Some(spec) = added(rule, spec) {
            let mut rule = PullThroughRule::clone(rule);
            rule.spec = spec;
            rules.push(Rule {
                object: written(rule),
                remarks: Vec::from_iter(ask.added(true)),
                plain: None,
            });
        } else {
            let why = format!("PullThroughRule {name} has that prefix for another upstream");
            imported.leave_out(what(), why);
        }
    }
    rules
}

impl Rule {
    /// A new object; with its template, where it has one that can be said.
    fn new(
        name: &str,
        plain: PullThroughRuleSpec,
        (ask, made): (&Ask<'_>, Result<Option<template::Template>, String>),
    ) -> Self {
        let mut spec = plain.clone();
        let with = made.and_then(|made| {
            let Some(template::Template { said, role }) = made else {
                return Ok(false);
            };
            let role = role.map(|role_arn| Role {
                environment: ask.environment.name.to_string(),
                role_arn,
            });
            match role {
                Some(role) if spec.roles.is_empty() => spec.roles.push(role),
                role if role.is_none() || spec.roles.first() == role.as_ref() => {}
                _ => return Err("its role is another than the rule's".to_owned()),
            }
            spec.repository_template = Some(said);
            Ok(true)
        });
        Self {
            object: PullThroughRule::new(name, spec),
            plain: (with == Ok(true)).then_some(plain),
            remarks: with.err().map(|why| unsaid(&why)).into_iter().collect(),
        }
    }

    /// The object that changes nothing in any region: without its template, if it is that which would.
    ///
    /// # Errors
    /// When it would change something in either case.
    pub(super) fn settle(
        mut self,
        ask: &Ask<'_>,
        found: &Found,
        world: &World,
    ) -> Result<(PullThroughRule, Vec<String>), String> {
        if let Err(why) = check(&self.object, ask, found, world) {
            self.object.spec = self.plain.take().ok_or_else(|| why.clone())?;
            check(&self.object, ask, found, world)?;
            self.remarks.push(unsaid(&why));
        }
        Ok((self.object, self.remarks))
    }
}

fn unsaid(why: &str) -> String {
    format!("repositoryTemplate is left unmanaged: {why}")
}

/// Says which templates are under the prefix of no cache.
pub(super) fn leave_templates_out(found: &Found, imported: &mut Imported) {
    let caches: BTreeSet<&Prefix> = found.rules.values().flat_map(|it| it.keys()).collect();
    let templates = found.templates.values().flat_map(|it| it.keys());
    let templates: BTreeSet<&Prefix> = templates.filter(|it| !caches.contains(it)).collect();
    for prefix in templates {
        let why = "no cache rule has its prefix".to_owned();
        imported.leave_out(format!("the creation template {prefix}"), why);
    }
}

/// Whether rule and template are as it says in every region.
fn check(
    rule: &PullThroughRule,
    ask: &Ask<'_>,
    found: &Found,
    world: &World,
) -> Result<(), String> {
    for target in desired::pull_through(rule, world) {
        let target = match target {
            Ok(it) if it.environment == ask.environment.name => it,
            Err(it) if it.concerns(ask.environment.name.as_str()) => {
                return Err(it.to_string());
            }
            Ok(_) | Err(_) => continue,
        };
        let rule = pull_through::plan(&target.desired, &found.rules[&target.registry]);
        let template = domain::plan(&target.template, &found.templates[&target.registry]);
        if let Some(it) = template
            .refusals
            .first()
            .filter(|_| template.differences.is_empty())
        {
            return Err(it.to_string());
        }
        if let Some(it) = rule.differences.first().or(template.differences.first()) {
            let (field, observed, desired) = (it.field, &it.observed, &it.desired);
            let region = &target.registry.region;
            return Err(format!(
                "a PullThroughRule is the same in every region, and in {region} this would change \
                 {field}: {observed} -> {desired}"
            ));
        }
    }
    Ok(())
}

/// The spec of the rule of this prefix, as the regions that have it show it.
///
/// # Errors
/// When no `PullThroughRule` can say what it says.
fn spec(
    prefix: &Prefix,
    environment: &Environment,
    found: &Found,
) -> Result<PullThroughRuleSpec, String> {
    let in_regions = found
        .rules
        .iter()
        .filter_map(|(registry, rules)| Some((registry, rules.get(prefix)?)));
    let in_regions: Vec<_> = in_regions.collect();
    let Some((_, observed)) = in_regions.first() else {
        return Err("there is no such rule".to_owned());
    };
    let upstream = upstream(observed)?;
    let mut spec = json!({
        "upstreamRegistry": upstream.name(),
        "environments": [environment.name],
    });
    if matches!(upstream, Upstream::Ecr | Upstream::AzureContainerRegistry) {
        spec["upstreamRegistryUrl"] = observed.url.as_str().into();
    }
    if prefix.as_str() != upstream.default_prefix() {
        spec["ecrRepositoryPrefix"] = prefix.as_str().into();
    }
    if observed.upstream_prefix != Prefix::Root {
        spec["upstreamRepositoryPrefix"] = observed.upstream_prefix.as_str().into();
    }
    let mut spec: PullThroughRuleSpec =
        serde_json::from_value(spec).map_err(|it| it.to_string())?;
    spec.credentials = in_regions
        .iter()
        .filter_map(|(registry, rule)| {
            Some(Credential {
                environment: environment.name.to_string(),
                region: registry.region.to_string(),
                secret_arn: rule.credential.clone()?,
            })
        })
        .collect();
    spec.roles = observed
        .role
        .iter()
        .map(|role| Role {
            environment: environment.name.to_string(),
            role_arn: role.clone(),
        })
        .collect();
    Ok(spec)
}

/// `rule` for one environment more, as `spec` says it for that alone; `None`: they are not the same
/// rule.
fn added(rule: &PullThroughRule, mut spec: PullThroughRuleSpec) -> Option<PullThroughRuleSpec> {
    let mut merged = rule.spec.clone();
    // What the template says is the same in every environment, as all but these is.
    let same = merged.upstream_registry == spec.upstream_registry
        && merged.upstream_registry_url == spec.upstream_registry_url
        && merged.upstream_repository_prefix == spec.upstream_repository_prefix;
    merged.environments.append(&mut spec.environments);
    merged.credentials.append(&mut spec.credentials);
    merged.roles.append(&mut spec.roles);
    same.then_some(merged)
}

/// The prefix that a `PullThroughRule` has in ECR.
fn prefix_of(spec: &PullThroughRuleSpec) -> Option<Prefix> {
    let value = serde_json::to_value(spec.upstream_registry).ok()?;
    let upstream: Upstream = value.as_str()?.parse().ok()?;
    let prefix = spec.ecr_repository_prefix.as_deref();
    prefix.unwrap_or(upstream.default_prefix()).parse().ok()
}

/// Older rules have a URL and no name of their upstream.
fn upstream(rule: &Observed) -> Result<Upstream, String> {
    let of_url = || {
        let has_url = |it: &Upstream| {
            let url = Some(rule.url.as_str());
            Source::new(*it, url).is_ok()
        };
        Upstream::ALL.into_iter().find(has_url)
    };
    let named = rule.upstream.as_deref();
    let upstream = named.map_or_else(of_url, |it| it.parse().ok());
    upstream.ok_or_else(|| {
        let name = named.unwrap_or(&rule.url);
        format!("upstream {name} is not known to this program")
    })
}
