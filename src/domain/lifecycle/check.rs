//! What ECR would refuse, told before it is asked, by rule and field.

use std::collections::BTreeSet;
use std::fmt;

use super::{Action, ActionType, CountType, Rule, Selection, StorageClass, TagStatus};

/// The most rules of a policy.
const MOST_RULES: usize = 50;
/// The length of a document, in characters.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutLifecyclePolicy.html>
const LENGTH: std::ops::RangeInclusive<usize> = 100..=30_720;
/// The most `*` of a tag pattern.
const MOST_WILDCARDS: usize = 4;
/// What an archived image is paid for at least, so ECR deletes none sooner.
const FEWEST_DAYS_ARCHIVED: u32 = 90;

/// Everything that is wrong with a list of rules.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}", violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct Invalid {
    /// Each of them, in the order of the rules; at least one.
    pub violations: Vec<Violation>,
}

/// One thing that ECR would refuse.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The rule's place in the list, from 0; `None` if it is about the policy as a whole.
    pub rule: Option<usize>,
    /// The field, below the rule or the policy, for example `selection.countUnit`.
    pub field: &'static str,
    /// What is wrong, as half a sentence.
    pub problem: String,
}

impl Violation {
    /// The field's path in the policy, for example `rules[2].selection.countUnit`.
    pub fn path(&self) -> String {
        match self.rule {
            Some(index) => format!("rules[{index}].{}", self.field),
            None => self.field.to_owned(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path(), self.problem)
    }
}

/// Everything that is wrong with the rules.
pub(super) fn rules(rules: &[Rule]) -> Vec<Violation> {
    let mut violations = Vec::new();
    if rules.is_empty() {
        violations.push(whole("a policy needs at least one rule".to_owned()));
    }
    if rules.len() > MOST_RULES {
        let problem = format!("{} rules, ECR takes at most {MOST_RULES}", rules.len());
        violations.push(whole(problem));
    }
    for (index, rule) in rules.iter().enumerate() {
        let mut say = |field, problem: String| {
            violations.push(Violation {
                rule: Some(index),
                field,
                problem,
            });
        };
        among_others(rules, index, &mut say);
        tags(&rule.selection, &mut say);
        count(&rule.selection, &rule.action, &mut say);
        storage(&rule.selection, &rule.action, &mut say);
    }
    violations
}

/// What is wrong with the length of the document.
pub(super) fn length(text: &str) -> Option<Violation> {
    let length = text.chars().count();
    let (least, most) = (LENGTH.start(), LENGTH.end());
    (!LENGTH.contains(&length)).then(|| {
        whole(format!(
            "the document is {length} characters long, ECR takes {least} to {most}"
        ))
    })
}

fn whole(problem: String) -> Violation {
    Violation {
        rule: None,
        field: "rules",
        problem,
    }
}

/// Rules are unique in priority and in what they select of a storage class, and one for any image
/// comes last.
fn among_others(rules: &[Rule], index: usize, say: &mut impl FnMut(&'static str, String)) {
    let rule = &rules[index];
    if rule.priority == 0 {
        say("priority", "priorities start at 1".to_owned());
    }
    let earlier = || rules[..index].iter().enumerate();
    if let Some((other, _)) = earlier().find(|(_, it)| it.priority == rule.priority) {
        let priority = rule.priority;
        say(
            "priority",
            format!("rules[{other}] has priority {priority} too"),
        );
    }
    let selects = |it: &Rule| (it.selection.tag_status, it.selection.class());
    let (tag_status, class) = selects(rule);
    let same_tags = |it: &Rule| {
        selects(it) == (tag_status, class) && it.selection.tags() == rule.selection.tags()
    };
    match tag_status {
        TagStatus::Tagged | TagStatus::Untagged => {
            if let Some((other, _)) = earlier().find(|(_, it)| same_tags(it)) {
                say(
                    "selection.tagStatus",
                    format!(
                        "rules[{other}] selects the same images, and ECR takes one rule for them"
                    ),
                );
            }
        }
        TagStatus::Any => {
            let after = rules.iter().enumerate().find(|(other, it)| {
                *other != index && it.selection.class() == class && it.priority >= rule.priority
            });
            if let Some((other, _)) = after {
                say(
                    "selection.tagStatus",
                    format!(
                        "a rule for any image comes last, so its priority number must be above that of rules[{other}]"
                    ),
                );
            }
        }
    }
}

fn tags(selection: &Selection, say: &mut impl FnMut(&'static str, String)) {
    let Selection {
        tag_status,
        tag_pattern_list: patterns,
        tag_prefix_list: prefixes,
        ..
    } = selection;
    const PATTERNS: &str = "selection.tagPatternList";
    const PREFIXES: &str = "selection.tagPrefixList";
    match tag_status {
        TagStatus::Tagged if patterns.is_empty() && prefixes.is_empty() => {
            say(
                PATTERNS,
                "tagged images are selected by patterns or by prefixes".to_owned(),
            );
        }
        TagStatus::Tagged if !patterns.is_empty() && !prefixes.is_empty() => {
            say(
                PREFIXES,
                "give tagPatternList or tagPrefixList, not both".to_owned(),
            );
        }
        TagStatus::Tagged => {}
        TagStatus::Untagged | TagStatus::Any => {
            for (field, list) in [(PATTERNS, patterns), (PREFIXES, prefixes)] {
                if !list.is_empty() {
                    say(field, "only with tagStatus tagged".to_owned());
                }
            }
        }
    }
    for (field, list) in [(PATTERNS, patterns), (PREFIXES, prefixes)] {
        if list.iter().any(String::is_empty) {
            say(field, "an empty text selects nothing".to_owned());
        }
    }
    for pattern in patterns {
        let wildcards = pattern.matches('*').count();
        if wildcards > MOST_WILDCARDS {
            say(
                PATTERNS,
                format!(
                    "{pattern:?} has {wildcards} wildcards, ECR takes at most {MOST_WILDCARDS}"
                ),
            );
        }
    }
}

fn count(selection: &Selection, action: &Action, say: &mut impl FnMut(&'static str, String)) {
    let number = selection.count_number;
    if number == 0 {
        say("selection.countNumber", "must be at least 1".to_owned());
    }
    match (selection.count_type, selection.count_unit) {
        (CountType::ImageCountMoreThan, Some(_)) => {
            say(
                "selection.countUnit",
                "images are counted without a unit".to_owned(),
            );
        }
        (
            CountType::SinceImagePushed
            | CountType::SinceImagePulled
            | CountType::SinceImageTransitioned,
            None,
        ) => say(
            "selection.countUnit",
            "a time is counted in days".to_owned(),
        ),
        (_, Some(_)) | (CountType::ImageCountMoreThan, None) => {}
    }
    match (selection.count_type, action.kind) {
        (CountType::SinceImagePulled, ActionType::Expire) => {
            say(
                "action.type",
                "sinceImagePulled can only transition".to_owned(),
            );
        }
        (CountType::SinceImageTransitioned, ActionType::Transition) => {
            say(
                "action.type",
                "sinceImageTransitioned can only expire".to_owned(),
            );
        }
        (CountType::SinceImageTransitioned, ActionType::Expire)
            if (1..FEWEST_DAYS_ARCHIVED).contains(&number) =>
        {
            say(
                "selection.countNumber",
                format!("archived images stay for at least {FEWEST_DAYS_ARCHIVED} days"),
            );
        }
        (
            CountType::ImageCountMoreThan
            | CountType::SinceImagePushed
            | CountType::SinceImagePulled
            | CountType::SinceImageTransitioned,
            ActionType::Expire | ActionType::Transition,
        ) => {}
    }
}

fn storage(selection: &Selection, action: &Action, say: &mut impl FnMut(&'static str, String)) {
    match (selection.count_type, selection.class()) {
        (CountType::SinceImageTransitioned, StorageClass::Standard) => {
            say(
                "selection.storageClass",
                "sinceImageTransitioned selects archive".to_owned(),
            );
        }
        (
            CountType::ImageCountMoreThan
            | CountType::SinceImagePushed
            | CountType::SinceImagePulled,
            StorageClass::Archive,
        ) => say(
            "selection.storageClass",
            "only sinceImageTransitioned selects archived images".to_owned(),
        ),
        (CountType::SinceImageTransitioned, StorageClass::Archive)
        | (
            CountType::ImageCountMoreThan
            | CountType::SinceImagePushed
            | CountType::SinceImagePulled,
            StorageClass::Standard,
        ) => {}
    }
    match (action.kind, action.target_storage_class) {
        (ActionType::Expire, Some(_)) => {
            say(
                "action.targetStorageClass",
                "only with type transition".to_owned(),
            );
        }
        (ActionType::Transition, None | Some(StorageClass::Standard)) => {
            say(
                "action.targetStorageClass",
                "a transition leads to archive".to_owned(),
            );
        }
        (ActionType::Expire, None) | (ActionType::Transition, Some(StorageClass::Archive)) => {}
    }
}

impl Selection {
    fn class(&self) -> StorageClass {
        self.storage_class.unwrap_or(StorageClass::Standard)
    }

    /// The tags that it asks for, in whatever order they were given.
    fn tags(&self) -> [BTreeSet<&str>; 2] {
        [&self.tag_pattern_list, &self.tag_prefix_list]
            .map(|it| it.iter().map(String::as_str).collect())
    }
}
