//! Replication: one rule per set of destinations, with a filter for each repository. ECR's filters
//! are beginnings of names, so that one can do for several, and can catch names that nobody meant.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/replication.html>

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::filters::{Joins, Rule, Shape, TooMany};
use super::{Replication, Rules};
use crate::domain::json::Object;
use crate::domain::{Registry, RepositoryName};

/// A registry has at most so many rules, and these so many destinations.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
const MOST_RULES: usize = 10;
const MOST_DESTINATIONS: usize = 25;

pub(super) const SHAPE: Shape = Shape {
    field: "replication",
    filter_type: "PREFIX_MATCH",
    most_rules: MOST_RULES,
    key,
    of_key,
    joins: Joins::Ours,
    too_many: too_many_destinations,
    satisfies,
};

/// What a repository and those like it ask for: the fewest beginnings of names that cover them all.
pub(super) fn wanted(replication: &Replication) -> Rules {
    let Replication {
        destinations,
        wanted,
        kept: _,
    } = replication;
    let mut filters: BTreeSet<String> = BTreeSet::new();
    // In order, so that a beginning comes before what begins with it.
    for name in wanted.keys() {
        if !filters.iter().any(|it| name.as_str().starts_with(it)) {
            filters.insert(name.to_string());
        }
    }
    let destinations: Vec<String> = destinations.iter().map(ToString::to_string).collect();
    if filters.is_empty() || destinations.is_empty() {
        return Rules::new();
    }
    Rules::from([(destinations.join(","), filters)])
}

/// Whether the rules in `document` replicate a repository of this name to `destination`.
pub fn replicates(document: &Value, name: &RepositoryName, destination: &Registry) -> bool {
    let rules = SHAPE.rules(document).unwrap_or_default();
    satisfies(&rules, &destination.to_string(), name.as_str())
}

/// Which of these names are replicated though nobody asked, since they begin like one that is.
pub fn also_replicated<'a>(
    replication: &Replication,
    names: impl Iterator<Item = &'a RepositoryName>,
) -> Vec<&'a RepositoryName> {
    let filters = wanted(replication);
    let filters: BTreeSet<&String> = filters.values().flatten().collect();
    let is_caught = |name: &&RepositoryName| {
        !replication.wanted.contains_key(*name)
            && filters.iter().any(|it| name.as_str().starts_with(*it))
    };
    names.filter(is_caught).collect()
}

fn too_many_destinations(rules: &[Rule]) -> Option<TooMany> {
    let keys = rules.iter().filter_map(|it| it.key.as_deref());
    let all: BTreeSet<&str> = keys.flat_map(|it| it.split(',')).collect();
    TooMany::of("destinations", all.len(), MOST_DESTINATIONS)
}

/// The destinations in order, as `333333333333/us-west-2,333333333333/eu-west-1`.
fn key(rule: &Value) -> Option<String> {
    let destinations = rule["destinations"].as_array()?.iter().map(|it| {
        let (account, region) = (it["registryId"].as_str()?, it["region"].as_str()?);
        Some(format!("{account}/{region}"))
    });
    let destinations: BTreeSet<String> = destinations.collect::<Option<_>>()?;
    Some(destinations.into_iter().collect::<Vec<_>>().join(","))
}

fn of_key(key: &str) -> Object {
    let destinations = key.split(',').filter_map(|it| it.split_once('/'));
    let destinations: Vec<Value> = destinations
        .map(|(account, region)| json!({"region": region, "registryId": account}))
        .collect();
    [("destinations".to_owned(), Value::Array(destinations))]
        .into_iter()
        .collect()
}

/// Whether every destination of `key` gets all whose names begin with `filter`, by one rule or
/// another.
fn satisfies(rules: &[Rule], key: &str, filter: &str) -> bool {
    let is_sent = |destination: &str, rule: &Rule| {
        let mut destinations = rule.key.as_deref().unwrap_or_default().split(',');
        destinations.any(|it| it == destination) && rule.takes_in(filter)
    };
    key.split(',')
        .all(|destination| rules.iter().any(|it| is_sent(destination, it)))
}

impl Rule {
    fn takes_in(&self, name: &str) -> bool {
        self.is_about_all() || self.filters.iter().any(|it| name.starts_with(it))
    }
}
