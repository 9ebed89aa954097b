use std::fmt::Write as _;

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::*;
use crate::domain::usage::{Image, Pod, Usage};

const NAME: &str = "333333333333.dkr.ecr.eu-central-1.amazonaws.com/payments/api";

fn digest(number: usize) -> String {
    format!("sha256:{number:064x}")
}

fn document() -> Document {
    Document::parse(
        r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":30},"action":{"type":"expire"}}]}"#,
    )
    .unwrap()
}

fn taken(number: usize, action: ActionType) -> Taken {
    Taken {
        digest: digest(number),
        tags: vec![format!("v{number}")],
        action,
    }
}

/// Of `images` images, each with a tag of its number, those in `expiring` would expire.
fn preview(images: usize, expiring: std::ops::Range<usize>) -> Preview {
    Preview {
        document: document(),
        taken: expiring.map(|it| taken(it, ActionType::Expire)).collect(),
        inventory: Inventory {
            digests: (0..images).map(digest).collect(),
            tags: (0..images)
                .map(|it| (format!("v{it}"), digest(it)))
                .collect(),
            indexes: BTreeSet::new(),
        },
        children: Children::new(),
    }
}

/// The same where image `index` is an index of `of`.
fn with_index(mut preview: Preview, index: usize, of: &[usize]) -> Preview {
    let of = of.iter().copied().map(digest).collect();
    preview.inventory.indexes.insert(digest(index));
    preview.children.insert(digest(index), of);
    preview
}

/// What is used when `shop/api-0` names these.
fn used(suffixes: &[String]) -> Used {
    let references = suffixes.iter().map(|it| format!("{NAME}{it}")).collect();
    let pod = Pod {
        name: "shop/api-0".to_owned(),
        images: vec![Image {
            references,
            id: None,
        }],
    };
    let registry = crate::domain::Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    );
    let usage = Usage::of_pods([&pod]);
    usage
        .of(&registry, &"payments/api".parse().unwrap())
        .clone()
}

fn of_digest(number: usize) -> Used {
    used(&[format!("@{}", digest(number))])
}

fn budget(percent: u32, images: u32) -> Safety {
    Safety {
        budget: Budget { percent, images },
        ..Safety::default()
    }
}

fn says(preview: &Preview, used: &Used) -> String {
    match judge(preview, used, &budget(100, 100)) {
        Verdict::InUse(InUse(text)) => text,
        other => format!("{other:?}"),
    }
}

#[test]
fn a_share_and_a_number_are_the_budget_and_above_either_a_person_approves() {
    let mut table = String::new();
    for (images, expiring, percent, most) in [
        (312, 0, 0, 0),
        (312, 41, 20, 500),
        (312, 41, 13, 500),
        (312, 41, 14, 41),
        (312, 41, 14, 40),
        (10, 2, 20, 500),
        (10, 3, 20, 500),
        (3, 1, 20, 500),
        (3, 3, 100, 500),
        (10_000, 501, 20, 500),
    ] {
        let verdict = judge(
            &preview(images, 0..expiring),
            &Used::default(),
            &budget(percent, most),
        );
        writeln!(
            table,
            "{expiring} of {images} with {percent} % and {most}: {verdict:?}"
        )
        .unwrap();
    }
    expect![[r#"
        0 of 312 with 0 % and 0: Safe
        41 of 312 with 20 % and 500: Safe
        41 of 312 with 13 % and 500: OverBudget
        41 of 312 with 14 % and 41: Safe
        41 of 312 with 14 % and 40: OverBudget
        2 of 10 with 20 % and 500: Safe
        3 of 10 with 20 % and 500: OverBudget
        1 of 3 with 20 % and 500: OverBudget
        3 of 3 with 100 % and 500: Safe
        501 of 10000 with 20 % and 500: OverBudget
    "#]]
    .assert_eq(&table);
}

#[test]
fn ask_is_what_was_seen_and_a_tenth_and_stays_while_it_is_about_as_much() {
    let counts = |expiring| Counts {
        images: 2000,
        expiring,
        transitioning: 0,
    };
    let asked = |asked, expiring| {
        let safety = Safety {
            asked,
            ..budget(1, 500)
        };
        safety.ask(counts(expiring))
    };
    for (before, expiring, expected) in [
        (None, 20, None), // the budget allows it
        (None, 41, Some(51)),
        (None, 400, Some(440)),
        (Some(51), 45, Some(51)),
        (Some(51), 51, Some(51)),
        (Some(51), 52, Some(62)),
        (Some(440), 210, Some(440)),
        (Some(440), 190, Some(209)),
        (Some(440), 20, None),
    ] {
        assert_eq!(asked(before, expiring), expected, "{before:?} {expiring}");
    }
}

#[test]
fn approval_is_of_so_many_images_and_of_no_image_in_use() {
    let approving = |most: usize| Safety {
        approved: Some(most),
        ..budget(0, 0)
    };
    let preview = preview(10, 0..5);
    let nothing = Used::default();
    let judged = |safety: &Safety, used: &Used| judge(&preview, used, safety);
    for enough in [5, 6] {
        assert_eq!(judged(&approving(enough), &nothing), Verdict::Safe);
    }
    for too_few in [0, 4] {
        assert_eq!(judged(&approving(too_few), &nothing), Verdict::OverBudget);
    }
    let in_use = judged(&approving(10), &of_digest(3));
    assert!(matches!(in_use, Verdict::InUse(_)), "{in_use:?}");
}

#[test]
fn what_is_archived_is_in_no_budget_and_cannot_be_pulled_either() {
    let mut preview = preview(10, 0..0);
    preview.taken = (0..10)
        .map(|it| taken(it, ActionType::Transition))
        .collect();
    let nothing = Used::default();
    assert_eq!(judge(&preview, &nothing, &budget(0, 0)), Verdict::Safe);
    check(
        &preview,
        &used(&[":v4".to_owned()]),
        &expect!["v4 (sha256:000000000000) would be archived and is used by shop/api-0"],
    );
}

fn check(preview: &Preview, used: &Used, expected: &Expect) {
    expected.assert_eq(&says(preview, used));
}

#[test]
fn an_image_is_in_use_by_tag_and_by_digest_and_one_that_stays_is_no_matter() {
    let preview = preview(10, 2..6);
    let by_tag = expect!["v3 (sha256:000000000000) would expire and is used by shop/api-0"];
    check(&preview, &used(&[":v3".to_owned()]), &by_tag);
    check(&preview, &of_digest(3), &by_tag);
    check(&preview, &of_digest(7), &expect!["Safe"]);
    check(&preview, &of_digest(99), &expect!["Safe"]);
    check(&preview, &used(&[":gone".to_owned()]), &expect!["Safe"]);
    let both = used(&[":v3".to_owned(), ":v5".to_owned()]);
    check(
        &preview,
        &both,
        &expect!["v3 (sha256:000000000000) would expire and is used by shop/api-0; so are 1 more"],
    );
}

#[test]
fn an_image_without_a_tag_is_named_by_its_digest() {
    let mut preview = preview(10, 2..6);
    preview.taken[1].tags.clear();
    check(
        &preview,
        &of_digest(3),
        &expect!["sha256:000000000000 would expire and is used by shop/api-0"],
    );
}

#[test]
fn an_index_in_use_keeps_its_children_and_a_child_in_use_its_index() {
    let expiring_index = with_index(preview(10, 0..1), 0, &[7, 8]);
    let expected = expect!["v0 (sha256:000000000000) would expire and is used by shop/api-0"];
    check(&expiring_index, &of_digest(8), &expected);
    check(&expiring_index, &of_digest(9), &expect!["Safe"]);
    let expiring_child = with_index(preview(10, 0..1), 7, &[0, 8]);
    check(&expiring_child, &of_digest(7), &expected);
    check(&expiring_child, &used(&[":v7".to_owned()]), &expected);
    check(&expiring_child, &of_digest(8), &expect!["Safe"]);
}

#[test]
fn only_indexes_are_looked_into_that_may_be_of_what_is_taken_and_used() {
    let mut preview = preview(10, 0..3);
    preview.inventory.indexes = [1, 5, 6].map(digest).into();
    let matter = |used| indexes_that_matter(&preview.taken, &preview.inventory, &used);
    assert_eq!(matter(of_digest(5)), [digest(5)].into());
    assert_eq!(matter(used(&[":v6".to_owned()])), [digest(6)].into());
    assert_eq!(matter(of_digest(9)), [digest(1)].into());
    let both = used(&[":v6".to_owned(), format!("@{}", digest(9))]);
    assert_eq!(matter(both), [1, 6].map(digest).into());
    assert_eq!(matter(Used::default()), BTreeSet::new());
    let of = |taken, used| indexes_that_matter(taken, &preview.inventory, &used);
    assert_eq!(of(&[], of_digest(5)), BTreeSet::new());
    let index = [taken(1, ActionType::Expire)];
    assert_eq!(of(&index, of_digest(5)), BTreeSet::new());
}

#[test]
fn counts_read_as_a_sentence() {
    let mut archives = preview(312, 0..41);
    expect!["would expire 41 of 312 images (13.1 %)"].assert_eq(&archives.counts().to_string());
    archives.taken.push(taken(50, ActionType::Transition));
    expect!["would expire 41 of 312 images (13.1 %) and archive 1"]
        .assert_eq(&archives.counts().to_string());
    let nothing = Preview {
        inventory: Inventory::default(),
        ..preview(0, 0..0)
    };
    expect!["would expire 0 of 0 images"].assert_eq(&nothing.counts().to_string());
}

proptest! {
    #[test]
    fn nothing_in_use_is_ever_taken(
        images in 1..40_usize,
        expiring in 0..40_usize,
        names in proptest::collection::btree_set(0..40_usize, 0..6),
        percent in 0..=100_u32,
        approved in any::<bool>(),
    ) {
        let preview = preview(images, 0..expiring.min(images));
        let used = used(&names.iter().map(|it| format!("@{}", digest(*it))).collect::<Vec<_>>());
        let safety = Safety {
            approved: approved.then_some(images),
            ..budget(percent, 500)
        };
        let taken_in_use = names.iter().any(|it| *it < expiring.min(images));
        let verdict = judge(&preview, &used, &safety);
        prop_assert_eq!(matches!(verdict, Verdict::InUse(_)), taken_in_use);
        if approved && !taken_in_use {
            prop_assert_eq!(verdict, Verdict::Safe);
        }
    }

    #[test]
    fn who_may_expire_more_may_expire_less(
        images in 1..400_usize, more in 0..400_usize, less in 0..400_usize, percent in 0..=100_u32,
    ) {
        let (more, less) = (more.min(images), less.min(more).min(images));
        let of = |count| judge(&preview(images, 0..count), &Used::default(), &budget(percent, 50));
        if of(more) == Verdict::Safe {
            prop_assert_eq!(of(less), Verdict::Safe);
        }
    }
}
