//! A lifecycle policy's document, and all that ECR demands of one.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/lifecycle_policy_parameters.html>

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::super::super::refusal::Refusal;

/// A policy has at most this many rules.
const MOST_RULES: usize = 50;
/// A tag pattern has at most this many `*`.
const MOST_WILDCARDS: usize = 4;
/// An archived image is kept, and paid, for at least this many days.
const LEAST_DAYS_IN_ARCHIVE: u64 = 90;

/// One rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Rule {
    /// The lowest acts first.
    pub(crate) priority: u64,
    /// Which images.
    pub(crate) selects: Selects,
    /// In which storage class.
    pub(crate) storage: Storage,
    /// How many or how old.
    pub(crate) count: Count,
    /// What becomes of them.
    pub(crate) action: Action,
}

/// Which images a rule is about.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Selects {
    /// All.
    Any,
    /// Those without tags.
    Untagged,
    /// Those of which, for every prefix, a tag begins with it.
    Prefixes(BTreeSet<String>),
    /// Those of which, for every pattern, a tag fits it.
    Patterns(BTreeSet<String>),
}

/// Where an image lies.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Storage {
    /// Where it can be pulled from.
    Standard,
    /// Where it cannot.
    Archive,
}

/// What a rule counts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Count {
    /// All but the newest so many.
    MoreThan(u64),
    /// Pushed so many days ago.
    DaysSincePushed(u64),
    /// Pulled so many days ago.
    DaysSincePulled(u64),
    /// Archived so many days ago.
    DaysSinceTransitioned(u64),
}

/// What becomes of the images.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Action {
    /// Deleted.
    Expire,
    /// Moved to the archive.
    Archive,
}

/// Reads a policy's text; the rules come sorted by priority.
pub(crate) fn parse(text: &str) -> Result<Vec<Rule>, Refusal> {
    let value: Value = serde_json::from_str(text)
        .map_err(|_| failure("Could not map policyString into LifecyclePolicy."))?;
    let policy = object(&value, &["rules"], &[]).map_err(|it| match value.is_object() {
        true => it,
        false => failure("Could not map policyString into LifecyclePolicy."),
    })?;
    let rules = policy["rules"]
        .as_array()
        .ok_or_else(|| failure("rules is not a list"))?;
    if rules.is_empty() {
        return Err(failure(
            "array is too short: must have at least 1 elements but instance has 0 elements",
        ));
    }
    if rules.len() > MOST_RULES {
        return Err(failure(&format!(
            "a policy cannot have more than {MOST_RULES} rules"
        )));
    }
    let mut rules: Vec<Rule> = rules.iter().map(rule).collect::<Result<_, _>>()?;
    rules.sort_by_key(|it| it.priority);
    together(&rules)?;
    Ok(rules)
}

/// What rules demand of each other.
fn together(rules: &[Rule]) -> Result<(), Refusal> {
    for (index, rule) in rules.iter().enumerate() {
        let before = &rules[..index];
        if before.iter().any(|it| it.priority == rule.priority) {
            return Err(failure(&format!(
                "rulePriority {} is not unique",
                rule.priority
            )));
        }
        let same_storage = || before.iter().filter(|it| it.storage == rule.storage);
        if same_storage().any(|it| it.selects == Selects::Any) {
            return Err(failure(
                "a rule with tagStatus any must have the highest value for rulePriority",
            ));
        }
        if same_storage().any(|it| it.selects == rule.selects) {
            return Err(failure(match rule.selects {
                Selects::Untagged => "there can be only one rule with tagStatus untagged",
                _ => "there can be only one rule with the same tagPrefixList or tagPatternList",
            }));
        }
    }
    Ok(())
}

fn rule(value: &Value) -> Result<Rule, Refusal> {
    let rule = object(
        value,
        &["action", "rulePriority", "selection"],
        &["description"],
    )?;
    if rule.get("description").is_some_and(|it| !it.is_string()) {
        return Err(failure("description is not a string"));
    }
    let priority = natural(&rule["rulePriority"], "rulePriority")?;
    let selection = object(
        &rule["selection"],
        &["countNumber", "countType", "tagStatus"],
        &[
            "countUnit",
            "storageClass",
            "tagPatternList",
            "tagPrefixList",
        ],
    )?;
    let selects = selects(selection)?;
    let storage = match selection.get("storageClass") {
        None => Storage::Standard,
        Some(it) => match one_of(it, &["archive", "standard"])? {
            "archive" => Storage::Archive,
            _ => Storage::Standard,
        },
    };
    let count = count(selection)?;
    let action = action(&rule["action"])?;
    let rule = Rule {
        priority,
        selects,
        storage,
        count,
        action,
    };
    possible(&rule)?;
    Ok(rule)
}

/// What a rule's parts demand of each other.
fn possible(rule: &Rule) -> Result<(), Refusal> {
    match (rule.count, rule.action, rule.storage) {
        (Count::DaysSincePulled(_), Action::Expire, _) => Err(failure(
            "countType sinceImagePulled can only be used with the transition action",
        )),
        (_, Action::Archive, Storage::Archive) => Err(failure(
            "images of storageClass archive cannot be transitioned to archive",
        )),
        (Count::DaysSinceTransitioned(_), _, Storage::Standard) => Err(failure(
            "countType sinceImageTransitioned needs storageClass archive",
        )),
        (Count::DaysSinceTransitioned(days), _, _) if days < LEAST_DAYS_IN_ARCHIVE => {
            Err(failure(&format!(
                "countNumber of sinceImageTransitioned must be at least {LEAST_DAYS_IN_ARCHIVE}"
            )))
        }
        (Count::DaysSincePushed(_) | Count::MoreThan(_), _, Storage::Archive) => Err(failure(
            "storageClass archive needs countType sinceImageTransitioned",
        )),
        _ => Ok(()),
    }
}

fn selects(selection: &Map<String, Value>) -> Result<Selects, Refusal> {
    let status = one_of(&selection["tagStatus"], &["any", "tagged", "untagged"])?;
    let lists = (
        selection.get("tagPrefixList"),
        selection.get("tagPatternList"),
    );
    match (status, lists) {
        ("tagged", (Some(_), Some(_))) => Err(failure(
            "tagPrefixList and tagPatternList cannot be used together",
        )),
        ("tagged", (Some(it), None)) => Ok(Selects::Prefixes(words(it, "tagPrefixList")?)),
        ("tagged", (None, Some(it))) => {
            let patterns = words(it, "tagPatternList")?;
            match patterns
                .iter()
                .find(|it| it.matches('*').count() > MOST_WILDCARDS)
            {
                Some(it) => Err(failure(&format!(
                    "the tag pattern {it} has more than {MOST_WILDCARDS} wildcards"
                ))),
                None => Ok(Selects::Patterns(patterns)),
            }
        }
        ("tagged", (None, None)) => Err(failure(
            "tagStatus tagged needs a tagPrefixList or a tagPatternList",
        )),
        (_, (Some(_), _) | (_, Some(_))) => Err(failure(
            "tagPrefixList and tagPatternList need tagStatus tagged",
        )),
        ("untagged", _) => Ok(Selects::Untagged),
        _ => Ok(Selects::Any),
    }
}

fn count(selection: &Map<String, Value>) -> Result<Count, Refusal> {
    const TYPES: [&str; 4] = [
        "imageCountMoreThan",
        "sinceImagePulled",
        "sinceImagePushed",
        "sinceImageTransitioned",
    ];
    let kind = one_of(&selection["countType"], &TYPES)?;
    let number = natural(&selection["countNumber"], "countNumber")?;
    let unit = selection
        .get("countUnit")
        .map(|it| one_of(it, &["days"]))
        .transpose()?;
    match (kind, unit) {
        ("imageCountMoreThan", None) => Ok(Count::MoreThan(number)),
        ("imageCountMoreThan", Some(_)) => Err(failure(
            "countUnit cannot be used with countType imageCountMoreThan",
        )),
        (_, None) => Err(failure(&format!("countType {kind} needs countUnit days"))),
        ("sinceImagePulled", _) => Ok(Count::DaysSincePulled(number)),
        ("sinceImagePushed", _) => Ok(Count::DaysSincePushed(number)),
        (_, _) => Ok(Count::DaysSinceTransitioned(number)),
    }
}

fn action(value: &Value) -> Result<Action, Refusal> {
    let action = object(value, &["type"], &["targetStorageClass"])?;
    let target = action
        .get("targetStorageClass")
        .map(|it| one_of(it, &["archive"]))
        .transpose()?;
    match (one_of(&action["type"], &["expire", "transition"])?, target) {
        ("expire", None) => Ok(Action::Expire),
        ("expire", Some(_)) => Err(failure(
            "targetStorageClass cannot be used with the expire action",
        )),
        (_, Some(_)) => Ok(Action::Archive),
        (_, None) => Err(failure("the transition action needs a targetStorageClass")),
    }
}

/// The object, where it has all of `required` and nothing beyond `optional`.
fn object<'a>(
    value: &'a Value,
    required: &[&str],
    optional: &[&str],
) -> Result<&'a Map<String, Value>, Refusal> {
    let object = value.as_object().ok_or_else(|| {
        failure("instance type does not match any allowed primitive type (allowed: [\"object\"])")
    })?;
    let missing: Vec<&&str> = required
        .iter()
        .filter(|it| !object.contains_key(**it))
        .collect();
    if !missing.is_empty() {
        return Err(failure(&format!(
            "object has missing required properties ({})",
            quoted(&missing)
        )));
    }
    let known = |it: &String| required.contains(&it.as_str()) || optional.contains(&it.as_str());
    let foreign: Vec<&String> = object.keys().filter(|it| !known(it)).collect();
    if !foreign.is_empty() {
        return Err(failure(&format!(
            "object instance has properties which are not allowed by the schema: ({})",
            quoted(&foreign)
        )));
    }
    Ok(object)
}

fn quoted<T: serde::Serialize>(names: &[T]) -> String {
    serde_json::to_string(names).unwrap_or_default()
}

fn one_of<'a>(value: &'a Value, allowed: &[&str]) -> Result<&'a str, Refusal> {
    value
        .as_str()
        .filter(|it| allowed.contains(it))
        .ok_or_else(|| {
            let given = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            let allowed = quoted(allowed);
            failure(&format!(
                "instance value (\"{given}\") not found in enum (possible values: {allowed})"
            ))
        })
}

fn natural(value: &Value, name: &str) -> Result<u64, Refusal> {
    match value.as_i64() {
        Some(it) if it >= 1 => Ok(it.unsigned_abs()),
        Some(it) => Err(failure(&format!(
            "numeric instance is lower than the required minimum (minimum: 1, found: {it})"
        ))),
        None => Err(failure(&format!("{name} is not an integer"))),
    }
}

fn words(value: &Value, name: &str) -> Result<BTreeSet<String>, Refusal> {
    let words: Option<BTreeSet<String>> = value
        .as_array()
        .filter(|it| !it.is_empty())
        .and_then(|it| it.iter().map(|it| it.as_str().map(str::to_owned)).collect());
    words
        .filter(|it| it.iter().all(|it| !it.is_empty()))
        .ok_or_else(|| failure(&format!("{name} is not a list of at least one text")))
}

fn failure(why: &str) -> Refusal {
    Refusal::invalid(
        "LifecyclePolicyText",
        &format!("Lifecycle policy validation failure: {why}"),
    )
}

#[cfg(test)]
mod tests;
