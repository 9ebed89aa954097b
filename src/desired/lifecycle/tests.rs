use expect_test::{Expect, expect};

use super::super::fixture::{told, world};
use super::*;

fn check(rules: &str, expected: &Expect) {
    let text = format!("kind: LifecyclePolicy\nmetadata: {{name: it}}\nspec: {{rules: {rules}}}");
    let world = world(&[&text]);
    let shown = match lifecycle(world.lifecycle("it").unwrap()) {
        Ok(document) => document.as_str().to_owned(),
        Err(stopped) => told(&stopped),
    };
    expected.assert_eq(&shown);
}

#[test]
fn rules_become_ecrs_document_with_the_unit_that_it_wants() {
    check(
        "[{priority: 2, selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 30}, action: {type: expire}}, \
          {priority: 1, description: old, selection: {tagStatus: tagged, tagPatternList: ['v*'], countType: sinceImagePulled, countNumber: 90}, \
           action: {type: transition, targetStorageClass: archive}}]",
        &expect![[
            r#"{"rules":[{"action":{"targetStorageClass":"archive","type":"transition"},"description":"old","rulePriority":1,"selection":{"countNumber":90,"countType":"sinceImagePulled","countUnit":"days","tagPatternList":["v*"],"tagStatus":"tagged"}},{"action":{"type":"expire"},"rulePriority":2,"selection":{"countNumber":30,"countType":"imageCountMoreThan","tagStatus":"any"}}]}"#
        ]],
    );
}

#[test]
fn all_that_ecr_would_refuse_is_said_by_field() {
    check(
        "[{priority: 0, selection: {tagStatus: any, countType: imageCountMoreThan, countNumber: 30}, action: {type: expire}}]",
        &expect![" InvalidSpec spec.rules[0].priority: write a whole number from 1"],
    );
    check(
        "[{priority: 1, selection: {tagStatus: tagged, countType: sinceImagePulled, countNumber: 90}, action: {type: expire}}]",
        &expect![
            " InvalidSpec spec.rules[0].selection.tagPatternList: tagged images are selected by patterns or by prefixes; spec.rules[0].action.type: sinceImagePulled can only transition"
        ],
    );
}
