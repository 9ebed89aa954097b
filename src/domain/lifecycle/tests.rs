use expect_test::{Expect, expect};

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

fn check(rules: &[Rule], expected: &Expect) {
    expected.assert_eq(
        &Document::from_rules(rules).map_or_else(|it| it.to_string(), |it| it.to_string()),
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
