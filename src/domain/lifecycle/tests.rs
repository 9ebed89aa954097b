use expect_test::{Expect, expect};
use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// Keeps the newest 30 images.
fn keep_30(priority: u32) -> Rule {
    Rule {
        priority,
        description: None,
        selection: Selection {
            tag_status: TagStatus::Any,
            tag_pattern_list: Vec::new(),
            tag_prefix_list: Vec::new(),
            count_type: CountType::ImageCountMoreThan,
            count_number: 30,
            count_unit: None,
            storage_class: None,
        },
        action: Action {
            kind: ActionType::Expire,
            target_storage_class: None,
        },
    }
}

fn tagged<const N: usize>(priority: u32, patterns: [&str; N]) -> Rule {
    let mut rule = keep_30(priority);
    rule.selection.tag_status = TagStatus::Tagged;
    rule.selection.tag_pattern_list = patterns.map(str::to_owned).to_vec();
    rule
}

fn untagged(priority: u32) -> Rule {
    let mut rule = keep_30(priority);
    rule.selection.tag_status = TagStatus::Untagged;
    rule
}

fn since(mut rule: Rule, count_type: CountType, days: u32) -> Rule {
    rule.selection.count_type = count_type;
    rule.selection.count_number = days;
    rule.selection.count_unit = Some(CountUnit::Days);
    rule
}

fn archive(mut rule: Rule) -> Rule {
    rule.action.kind = ActionType::Transition;
    rule.action.target_storage_class = Some(StorageClass::Archive);
    rule
}

/// Deletes what has been in the archive for so long.
fn expire_archived(rule: Rule, days: u32) -> Rule {
    let mut rule = since(rule, CountType::SinceImageTransitioned, days);
    rule.selection.storage_class = Some(StorageClass::Archive);
    rule
}

/// A rule with one thing changed.
fn with(mut rule: Rule, change: impl FnOnce(&mut Rule)) -> Rule {
    change(&mut rule);
    rule
}

/// The document, or one line for each violation.
fn check(rules: &[Rule], expected: &Expect) {
    let lines = match Document::from_rules(rules) {
        Ok(document) => document.to_string(),
        Err(Invalid { violations }) => {
            let lines: Vec<_> = violations.iter().map(ToString::to_string).collect();
            lines.join("\n")
        }
    };
    expected.assert_eq(&lines);
}

#[test]
fn rules_are_written_in_order_of_priority() {
    let documented = with(tagged(1, ["v*", "*-rc"]), |it| {
        it.description = Some("release candidates".to_owned());
    });
    check(
        &[
            archive(since(keep_30(20), CountType::SinceImagePulled, 60)),
            documented,
        ],
        &expect![[
            r#"{"rules":[{"action":{"type":"expire"},"description":"release candidates","rulePriority":1,"selection":{"countNumber":30,"countType":"imageCountMoreThan","tagPatternList":["*-rc","v*"],"tagStatus":"tagged"}},{"action":{"targetStorageClass":"archive","type":"transition"},"rulePriority":20,"selection":{"countNumber":60,"countType":"sinceImagePulled","countUnit":"days","tagStatus":"any"}}]}"#
        ]],
    );
}

#[test]
fn the_shortest_policy_is_long_enough_for_ecr() {
    check(
        &[keep_30(1)],
        &expect![[
            r#"{"rules":[{"action":{"type":"expire"},"rulePriority":1,"selection":{"countNumber":30,"countType":"imageCountMoreThan","tagStatus":"any"}}]}"#
        ]],
    );
}

#[test]
fn a_rule_for_any_image_may_close_each_storage_class() {
    let rules = [
        archive(since(keep_30(1), CountType::SinceImagePulled, 60)),
        expire_archived(keep_30(2), 365),
        expire_archived(untagged(3), 90),
    ];
    check(
        &rules[..2],
        &expect![[
            r#"{"rules":[{"action":{"targetStorageClass":"archive","type":"transition"},"rulePriority":1,"selection":{"countNumber":60,"countType":"sinceImagePulled","countUnit":"days","tagStatus":"any"}},{"action":{"type":"expire"},"rulePriority":2,"selection":{"countNumber":365,"countType":"sinceImageTransitioned","countUnit":"days","storageClass":"archive","tagStatus":"any"}}]}"#
        ]],
    );
    check(
        &rules,
        &expect![
            "rules[1].selection.tagStatus: a rule for any image comes last, so its priority number must be above that of rules[2]"
        ],
    );
}

#[test]
fn fifty_rules_are_the_most() {
    let rules: Vec<_> = (1..=51)
        .map(|it| tagged(it, [format!("v{it}-*").as_str()]))
        .collect();
    assert!(Document::from_rules(&rules[..50]).is_ok());
    check(&rules, &expect!["rules: 51 rules, ECR takes at most 50"]);
    check(&[], &expect!["rules: a policy needs at least one rule"]);
}

#[test]
fn priorities_are_unique_and_start_at_1() {
    check(
        &[tagged(0, ["a"]), tagged(0, ["b"])],
        &expect![[r#"
        rules[0].priority: priorities start at 1
        rules[1].priority: priorities start at 1
        rules[1].priority: rules[0] has priority 0 too"#]],
    );
}

#[test]
fn a_rule_for_any_image_comes_last() {
    check(
        &[keep_30(1), tagged(2, ["a"]), keep_30(3)],
        &expect![
            "rules[0].selection.tagStatus: a rule for any image comes last, so its priority number must be above that of rules[1]"
        ],
    );
}

#[test]
fn one_rule_selects_the_same_images() {
    check(
        &[untagged(1), untagged(2)],
        &expect![
            "rules[1].selection.tagStatus: rules[0] selects the same images, and ECR takes one rule for them"
        ],
    );
    let prefix = with(tagged(1, []), |it| {
        it.selection.tag_prefix_list = vec!["a".to_owned()];
    });
    check(
        &[
            tagged(1, ["a", "b"]),
            tagged(2, ["b", "a"]),
            tagged(3, ["a"]),
            with(prefix.clone(), |it| it.priority = 4),
            with(prefix, |it| it.priority = 5),
        ],
        &expect![[r#"
            rules[1].selection.tagStatus: rules[0] selects the same images, and ECR takes one rule for them
            rules[4].selection.tagStatus: rules[3] selects the same images, and ECR takes one rule for them"#]],
    );
}

#[test]
fn tagged_images_are_selected_by_patterns_or_by_prefixes() {
    let both = with(tagged(1, ["a"]), |it| {
        it.selection.tag_prefix_list = vec!["b".to_owned()];
    });
    check(
        &[both],
        &expect![
            "rules[0].selection.tagPrefixList: give tagPatternList or tagPrefixList, not both"
        ],
    );
    check(
        &[tagged(1, [])],
        &expect![
            "rules[0].selection.tagPatternList: tagged images are selected by patterns or by prefixes"
        ],
    );
    check(
        &[tagged(1, ["a*b*c*d*e", "a*b*c*d*e*f", ""])],
        &expect![[r#"
            rules[0].selection.tagPatternList: an empty text selects nothing
            rules[0].selection.tagPatternList: "a*b*c*d*e*f" has 5 wildcards, ECR takes at most 4"#]],
    );
    let any = with(tagged(1, ["a"]), |it| {
        it.selection.tag_status = TagStatus::Any;
    });
    let none = with(tagged(2, []), |it| {
        it.selection.tag_status = TagStatus::Untagged;
        it.selection.tag_prefix_list = vec!["b".to_owned()];
    });
    check(
        &[none, with(any, |it| it.priority = 3)],
        &expect![[r#"
        rules[0].selection.tagPrefixList: only with tagStatus tagged
        rules[1].selection.tagPatternList: only with tagStatus tagged"#]],
    );
}

#[test]
fn counts_have_a_number_and_times_a_unit() {
    check(
        &[with(keep_30(1), |it| it.selection.count_number = 0)],
        &expect!["rules[0].selection.countNumber: must be at least 1"],
    );
    check(
        &[with(keep_30(1), |it| {
            it.selection.count_unit = Some(CountUnit::Days);
        })],
        &expect!["rules[0].selection.countUnit: images are counted without a unit"],
    );
    let days = since(keep_30(1), CountType::SinceImagePushed, 14);
    assert!(Document::from_rules(std::slice::from_ref(&days)).is_ok());
    check(
        &[with(days, |it| it.selection.count_unit = None)],
        &expect!["rules[0].selection.countUnit: a time is counted in days"],
    );
}

#[test]
fn pull_times_archive_and_only_archived_images_expire_by_them() {
    check(
        &[since(keep_30(1), CountType::SinceImagePulled, 60)],
        &expect!["rules[0].action.type: sinceImagePulled can only transition"],
    );
    check(
        &[archive(expire_archived(keep_30(1), 90))],
        &expect!["rules[0].action.type: sinceImageTransitioned can only expire"],
    );
    check(
        &[expire_archived(keep_30(1), 89)],
        &expect!["rules[0].selection.countNumber: archived images stay for at least 90 days"],
    );
    check(
        &[since(keep_30(1), CountType::SinceImageTransitioned, 365)],
        &expect!["rules[0].selection.storageClass: sinceImageTransitioned selects archive"],
    );
    check(
        &[with(keep_30(1), |it| {
            it.selection.storage_class = Some(StorageClass::Archive);
        })],
        &expect![
            "rules[0].selection.storageClass: only sinceImageTransitioned selects archived images"
        ],
    );
}

#[test]
fn a_transition_leads_to_the_archive_and_an_expiry_nowhere() {
    let standard = Some(StorageClass::Standard);
    check(
        &[with(archive(keep_30(1)), |it| {
            it.action.target_storage_class = standard;
        })],
        &expect!["rules[0].action.targetStorageClass: a transition leads to archive"],
    );
    check(
        &[with(archive(keep_30(1)), |it| {
            it.action.target_storage_class = None;
        })],
        &expect!["rules[0].action.targetStorageClass: a transition leads to archive"],
    );
    check(
        &[with(archive(keep_30(1)), |it| {
            it.action.kind = ActionType::Expire;
        })],
        &expect!["rules[0].action.targetStorageClass: only with type transition"],
    );
}

#[test]
fn the_longest_policy_is_30720_characters() {
    let of_length = |length: usize| {
        Document::from_rules(&[with(keep_30(1), |it| {
            it.description = Some("é".repeat(length));
        })])
    };
    let rest = of_length(1).unwrap().as_str().chars().count() - 1;
    assert!(of_length(30_720 - rest).is_ok());
    let error = of_length(30_721 - rest).unwrap_err();
    expect!["rules: the document is 30721 characters long, ECR takes 100 to 30720"]
        .assert_eq(&error.to_string());
}

#[test]
fn what_ecr_answers_is_compared_by_meaning() {
    let ours = Document::from_rules(&[tagged(1, ["a", "b"]), keep_30(2)]).unwrap();
    let answered = r#"{ "rules" : [
        {"rulePriority":2, "description":"", "action":{"type":"expire"},
         "selection":{"tagStatus":"any","tagPrefixList":[],"storageClass":"standard",
                      "countType":"imageCountMoreThan","countNumber":30}},
        {"action":{"type":"expire"}, "rulePriority":1,
         "selection":{"tagStatus":"tagged","tagPatternList":["b","a","b"],
                      "countType":"imageCountMoreThan","countNumber":30}}] }"#;
    assert_eq!(Document::parse(answered).unwrap(), ours);
    let other = answered.replace("30", "31");
    assert_ne!(Document::parse(&other).unwrap(), ours);
    assert_ne!(Document::parse(&other).unwrap().hash(), ours.hash());
    expect!["rules 1, 2 sha256:8dbe4cc9"].assert_eq(&ours.summary());
}

#[test]
fn unknown_elements_are_kept_and_counted() {
    let document = Document::parse(
        r#"{"version":2,"rules":[{"rulePriority":1,"dryRun":true,
            "selection":{"tagStatus":"any","countType":"byMoonlight","countNumber":1,"moon":"full"},
            "action":{"type":"expire","after":{"b":1,"a":2}}}]}"#,
    )
    .unwrap();
    assert_eq!(document.unknown(), 4);
    expect![[r#"{"rules":[{"action":{"after":{"a":2,"b":1},"type":"expire"},"dryRun":true,"rulePriority":1,"selection":{"countNumber":1,"countType":"byMoonlight","moon":"full","tagStatus":"any"}}],"version":2}"#]].assert_eq(document.as_str());
}

#[test]
fn what_is_no_lifecycle_policy_is_an_error_that_says_where() {
    let problems = [
        "{",
        "[]",
        "{}",
        r#"{"rules":{}}"#,
        r#"{"rules":[1]}"#,
        r#"{"rules":[{"rulePriority":1,"selection":{}}]}"#,
        r#"{"rules":[{"rulePriority":1.5,"selection":{},"action":{}}]}"#,
        r#"{"rules":[{"rulePriority":1,"selection":{"tagPatternList":"a"},"action":{}}]}"#,
        r#"{"rules":[{"rulePriority":1,"selection":{"countNumber":"1"},"action":{}}]}"#,
    ]
    .map(|it| Document::parse(it).unwrap_err().to_string());
    expect![[r#"
        the document is no JSON
        document is no object
        document has no rules
        rules is no list
        rules[0] is no object
        rules[0] lacks its priority, selection or action
        rules[0].rulePriority is no whole number
        rules[0].selection.tagPatternList is no list
        rules[0].selection.countNumber is no whole number"#]]
    .assert_eq(&problems.join("\n"));
}

proptest! {
    #[test]
    fn the_order_of_rules_and_tags_means_nothing(
        priorities in proptest::collection::btree_set(1..1000_u32, 1..8),
        seed in any::<u64>(),
    ) {
        let rules: Vec<_> = priorities
            .into_iter()
            .map(|it| tagged(it, [format!("v{it}-*").as_str(), "*-rc", "x"]))
            .collect();
        let document = Document::from_rules(&rules).unwrap();
        let mut shuffled = rules;
        let turns = usize::try_from(seed % 8).unwrap();
        let count = shuffled.len();
        shuffled.rotate_left(turns % count);
        for rule in &mut shuffled {
            rule.selection.tag_pattern_list.rotate_right(turns % 3);
        }
        prop_assert_eq!(&Document::from_rules(&shuffled).unwrap(), &document);
        let value: Value = serde_json::from_str(document.as_str()).unwrap();
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(Document::parse(&pretty).unwrap(), document);
    }
}
