use expect_test::expect;

use super::*;

/// Tags that nobody asks for.
fn others(count: usize) -> BTreeMap<String, String> {
    (0..count)
        .map(|it| (format!("theirs-{it:02}"), String::new()))
        .collect()
}

#[test]
fn more_tags_than_ecr_takes_are_refused_before_the_call_and_others_count_too() {
    let desired = Desired {
        tags: tags([("team", "payments"), ("tier", "1")]),
        ..desired()
    };
    let with = |mut observed: Observed, count| {
        observed.tags.extend(others(count));
        let Plan {
            changes, refusals, ..
        } = plan(&desired, Some(&observed));
        let calls: Vec<_> = changes.iter().map(Change::operation).collect();
        format!("{count} others: {calls:?} {refusals:?}")
    };
    let lines = [
        with(ours(), 45),
        with(ours(), 46),
        with(found("dead uid").unwrap(), 46),
        with(ours(), 47),
    ];
    expect![[r#"
        45 others: ["TagResource", "PutImageTagMutability"] []
        46 others: ["PutImageTagMutability"] [TooManyTags { others: 46, asked: 5 }]
        46 others: [] [TooManyTags { others: 46, asked: 5 }]
        47 others: ["PutImageTagMutability"] [TooManyTags { others: 47, asked: 5 }]"#]]
    .assert_eq(&lines.join("\n"));
    let adopting = Desired {
        adoption: Adoption::IfUnowned,
        ..desired.clone()
    };
    let mut full = found("unowned").unwrap();
    full.tags = others(46);
    check(
        &adopting,
        Some(&full),
        &expect![[r#"
        refused: TooManyTags { others: 46, asked: 5 }
        owner: nobody -> cluster east, object payments/api, uid u2
        tags: team absent -> team=payments
        tags: tier absent -> tier=1
        imageTagMutability: MUTABLE -> IMMUTABLE"#]],
    );
}

#[test]
fn where_tags_are_full_those_that_go_make_room() {
    let desired = Desired {
        mutability: None,
        tags: tags([("team", "payments")]),
        retired_tags: keys(["theirs-00"]),
        ..desired()
    };
    let mut full = ours();
    full.tags.extend(others(47));
    check(
        &desired,
        Some(&full),
        &expect![[r#"
        UntagResource({"theirs-00"})
        TagResource({"team": "payments"})
        tags: team absent -> team=payments
        tags: theirs-00= -> theirs-00 absent"#]],
    );
}
