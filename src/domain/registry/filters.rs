//! Documents that are a list of rules with filters: ours are merged into those of others. What is
//! ours is a filter in a rule of its key, and not a rule: somebody may have added filters to a rule
//! that we made, or fields that are newer than this program.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::Rules;
use crate::domain::json::Object;
use crate::domain::repository::Difference;

/// A rule has at most so many filters.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
const MOST_FILTERS: usize = 100;

/// How the rules of one kind of document are written.
pub(super) struct Shape {
    /// The field of the spec that asks for them.
    pub(super) field: &'static str,
    /// The type of their filters.
    pub(super) filter_type: &'static str,
    /// A registry has at most so many.
    pub(super) most_rules: usize,
    /// What a rule is of; `None` where it is of something that we cannot read.
    pub(super) key: fn(&Value) -> Option<String>,
    /// The fields that say so.
    pub(super) of_key: fn(&str) -> Object,
    /// Which rules may take a filter of ours in.
    pub(super) joins: Joins,
    /// What else there can be too much of in all rules together.
    pub(super) too_many: fn(&[Rule]) -> Option<TooMany>,
    /// Whether these rules do for all names of a key what a filter would.
    pub(super) satisfies: fn(&[Rule], &str, &str) -> bool,
}

/// Which rules may take a filter of ours in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Joins {
    /// One that has a filter of ours and no field that we do not know; others are not touched.
    Ours,
    /// The one of its key, whoever made it: ECR has no second one.
    TheOne,
}

/// A rule, read.
#[derive(Clone, Debug)]
pub(super) struct Rule {
    pub(super) key: Option<String>,
    /// None: it is about every repository.
    pub(super) filters: BTreeSet<String>,
    value: Value,
}

/// A document's rules with our part in them.
pub(super) struct Merged {
    /// The rules to put.
    pub(super) rules: Vec<Value>,
    /// Whether they are others than those that are there.
    pub(super) changed: bool,
    /// All that is ours before or after these rules are put.
    pub(super) intent: Rules,
    /// All that is ours after.
    pub(super) record: Rules,
    /// What is not as desired.
    pub(super) differences: Vec<Difference>,
    /// Why filters that are missing were not added.
    pub(super) refused: Option<TooMany>,
}

/// More than a document holds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct TooMany {
    pub(super) what: &'static str,
    pub(super) would_be: usize,
    pub(super) most: usize,
}

impl TooMany {
    pub(super) fn of(what: &'static str, would_be: usize, most: usize) -> Option<Self> {
        (would_be > most).then_some(Self {
            what,
            would_be,
            most,
        })
    }
}

impl Shape {
    fn read(&self, value: &Value) -> Rule {
        let filters = value["repositoryFilters"].as_array();
        let filters = filters.into_iter().flatten();
        let of_type = |it: &&Value| it["filterType"] == self.filter_type;
        Rule {
            key: (self.key)(value),
            filters: filters
                .filter(of_type)
                .filter_map(|it| it["filter"].as_str().map(str::to_owned))
                .collect(),
            value: value.clone(),
        }
    }

    /// The rules of a document; `None` where it has none that we can read.
    pub(super) fn rules(&self, document: &Value) -> Option<Vec<Rule>> {
        match document.get("rules") {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(rules) => Some(rules.as_array()?.iter().map(|it| self.read(it)).collect()),
        }
    }

    /// Merges what is `wanted` into the `observed` rules, and takes out what the record has and
    /// nobody wants; a filter that `is_kept` stays whatever it is.
    pub(super) fn merge(
        &self,
        observed: &[Rule],
        wanted: &Rules,
        record: &Rules,
        is_kept: impl Fn(&str) -> bool,
    ) -> Merged {
        let is_retired = |key: &str, filter: &str| {
            has(record, key, filter) && !has(wanted, key, filter) && !is_kept(filter)
        };
        let mut differences = Vec::new();
        let mut rules = Vec::new();
        for rule in observed {
            let (kept, retired) = rule.without(is_retired);
            differences.extend(retired.iter().map(|it| Difference {
                field: self.field,
                observed: rule.words(it),
                desired: "absent".to_owned(),
            }));
            rules.extend(kept);
        }
        let retired = !differences.is_empty();
        let missing = self.missing(&rules, wanted);
        differences.extend(pairs(&missing).map(|(key, filter)| Difference {
            field: self.field,
            observed: "absent".to_owned(),
            desired: format!("{filter} {key}"),
        }));
        let added = self.add(rules.clone(), &missing, record);
        let is_asked = !missing.is_empty(); // what others have too much of is theirs
        let refused = is_asked.then(|| self.too_many(&added)).flatten();
        let (rules, missing) = if refused.is_some() {
            (rules, Rules::new())
        } else {
            (added, missing)
        };
        let intent = union(record, &missing);
        Merged {
            changed: retired || !missing.is_empty(),
            record: present(&intent, &rules),
            intent,
            rules: rules.into_iter().map(|it| it.value).collect(),
            differences,
            refused,
        }
    }

    fn missing(&self, rules: &[Rule], wanted: &Rules) -> Rules {
        let mut missing = Rules::new();
        for (key, filter) in pairs(wanted) {
            if !(self.satisfies)(rules, key, filter) {
                missing
                    .entry(key.to_owned())
                    .or_default()
                    .insert(filter.to_owned());
            }
        }
        missing
    }

    fn add(&self, mut rules: Vec<Rule>, missing: &Rules, record: &Rules) -> Vec<Rule> {
        for (key, filters) in missing {
            let mut filters = filters.iter();
            for rule in rules.iter_mut().filter(|it| self.takes(it, key, record)) {
                let room = match self.joins {
                    Joins::Ours => MOST_FILTERS.saturating_sub(rule.filters.len()),
                    Joins::TheOne => usize::MAX,
                };
                rule.add(filters.by_ref().take(room), self.filter_type);
            }
            let rest: Vec<&String> = filters.collect();
            let size = match self.joins {
                Joins::Ours => MOST_FILTERS,
                Joins::TheOne => usize::MAX,
            };
            for filters in rest.chunks(size) {
                let mut rule = self.read(&Value::Object((self.of_key)(key)));
                rule.add(filters.iter().copied(), self.filter_type);
                rules.push(rule);
            }
        }
        rules
    }

    fn takes(&self, rule: &Rule, key: &str, record: &Rules) -> bool {
        rule.key.as_deref() == Some(key)
            && match self.joins {
                Joins::TheOne => true,
                Joins::Ours => {
                    let known = (self.of_key)(key);
                    let fields = rule.value.as_object().into_iter().flat_map(Object::keys);
                    rule.filters.iter().any(|it| has(record, key, it))
                        && fields
                            .into_iter()
                            .all(|it| it == "repositoryFilters" || known.contains_key(it))
                }
            }
    }

    fn too_many(&self, rules: &[Rule]) -> Option<TooMany> {
        let filters = rules.iter().map(|it| it.filters.len()).max().unwrap_or(0);
        TooMany::of("rules", rules.len(), self.most_rules)
            .or_else(|| TooMany::of("filters in one rule", filters, MOST_FILTERS))
            .or_else(|| (self.too_many)(rules))
    }
}

impl Rule {
    /// Whether it is about every repository: it has no filter of any type.
    pub(super) fn is_about_all(&self) -> bool {
        let filters = self.value["repositoryFilters"].as_array();
        filters.is_none_or(Vec::is_empty)
    }

    /// The rule without the filters that are retired, and these; no rule where nothing is left, since
    /// without filters it would be about every repository.
    fn without(&self, is_retired: impl Fn(&str, &str) -> bool) -> (Option<Self>, Vec<String>) {
        let Some(key) = &self.key else {
            return (Some(self.clone()), Vec::new());
        };
        let (retired, kept): (BTreeSet<String>, BTreeSet<String>) = self
            .filters
            .iter()
            .cloned()
            .partition(|it| is_retired(key, it));
        if retired.is_empty() {
            return (Some(self.clone()), Vec::new());
        }
        let mut value = self.value.clone();
        if let Some(filters) = value["repositoryFilters"].as_array_mut() {
            filters.retain(|it| !it["filter"].as_str().is_some_and(|it| retired.contains(it)));
        }
        let is_left = value["repositoryFilters"]
            .as_array()
            .is_some_and(|it| !it.is_empty());
        let rule = Self {
            key: self.key.clone(),
            filters: kept,
            value,
        };
        (is_left.then_some(rule), retired.into_iter().collect())
    }

    fn add<'a>(&mut self, filters: impl Iterator<Item = &'a String>, filter_type: &str) {
        for filter in filters {
            self.filters.insert(filter.clone());
            let filter = json!({"filter": filter, "filterType": filter_type});
            match &mut self.value["repositoryFilters"] {
                Value::Array(list) => list.push(filter),
                none => *none = json!([filter]),
            }
        }
    }

    fn words(&self, filter: &str) -> String {
        format!("{filter} {}", self.key.as_deref().unwrap_or_default())
    }
}

fn has(rules: &Rules, key: &str, filter: &str) -> bool {
    rules.get(key).is_some_and(|it| it.contains(filter))
}

fn pairs(rules: &Rules) -> impl Iterator<Item = (&str, &str)> {
    rules
        .iter()
        .flat_map(|(key, filters)| filters.iter().map(move |it| (key.as_str(), it.as_str())))
}

fn union(a: &Rules, b: &Rules) -> Rules {
    let mut all: BTreeMap<String, BTreeSet<String>> = a.clone();
    for (key, filters) in b {
        all.entry(key.clone()).or_default().extend(filters.clone());
    }
    all
}

/// What of `ours` is in the rules.
fn present(ours: &Rules, rules: &[Rule]) -> Rules {
    let mut present = Rules::new();
    for (key, filter) in pairs(ours) {
        let is_there = |it: &Rule| it.key.as_deref() == Some(key) && it.filters.contains(filter);
        if rules.iter().any(is_there) {
            present
                .entry(key.to_owned())
                .or_default()
                .insert(filter.to_owned());
        }
    }
    present
}
