use expect_test::{Expect, expect};

use super::*;

/// A policy of one statement with these elements.
fn policy(elements: &str) -> String {
    format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{elements}}}]}}"#)
}

fn canonical(text: &str) -> String {
    Document::parse(text).map_or_else(|it| it.to_string(), |it| it.to_string())
}

fn same(one: &str, other: &str) {
    assert_eq!(canonical(one), canonical(other));
}

fn different(one: &str, other: &str) {
    assert_ne!(canonical(one), canonical(other));
}

#[test]
fn the_canonical_text_is_compact_and_in_order() {
    let text = r#"{
        "Statement": {"Sid": "Pull", "Effect": "Allow", "Condition": {},
            "Principal": {"AWS": "arn:aws:iam::123456789012:root"},
            "Action": ["ecr:getdownloadurlforlayer", "ecr:BatchGetImage", "ecr:BatchGetImage"]}
    }"#;
    expect![[r#"{"Statement":[{"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Effect":"Allow","Principal":{"AWS":["123456789012"]},"Sid":"Pull"}],"Version":"2008-10-17"}"#]]
        .assert_eq(&canonical(text));
}

#[test]
fn an_account_is_its_root_in_every_partition() {
    let account = policy(r#""Principal":{"AWS":"123456789012"},"Action":"ecr:ListImages""#);
    for root in [
        r#""arn:aws:iam::123456789012:root""#,
        r#"["arn:aws-cn:iam::123456789012:root"]"#,
        r#"["arn:aws:iam::123456789012:root","123456789012"]"#,
    ] {
        same(
            &account,
            &policy(&format!(
                r#""Principal":{{"AWS":{root}}},"Action":["ecr:ListImages"]"#
            )),
        );
    }
    for other in [
        r#""arn:aws:iam::123456789012:role/root""#,
        r#""arn:aws:sts::123456789012:root""#,
        r#""12345678901""#,
    ] {
        different(
            &account,
            &policy(&format!(
                r#""Principal":{{"AWS":{other}}},"Action":"ecr:ListImages""#
            )),
        );
    }
}

#[test]
fn everybody_has_one_spelling() {
    let star = policy(r#""Principal":"*","Action":"ecr:ListImages""#);
    same(
        &star,
        &policy(r#""Principal":{"AWS":"*"},"Action":"ecr:ListImages""#),
    );
    same(
        &star,
        &policy(r#""Principal":{"AWS":["*","*"]},"Action":"ecr:ListImages""#),
    );
    different(
        &star,
        &policy(r#""NotPrincipal":"*","Action":"ecr:ListImages""#),
    );
}

#[test]
fn order_and_repetition_mean_nothing() {
    let [a, b] = ["ListImages", "PutImage"].map(|action| {
        format!(r#"{{"Effect":"Allow","Principal":{{"AWS":["111111111111","222222222222"]}},"Action":"ecr:{action}"}}"#)
    });
    let swapped = b.replace(
        r#""111111111111","222222222222""#,
        r#""222222222222","111111111111""#,
    );
    same(
        &format!(r#"{{"Statement":[{a},{b}]}}"#),
        &format!(r#"{{"Statement":[{swapped},{a},{b}],"Version":"2008-10-17"}}"#),
    );
    different(
        &format!(r#"{{"Statement":[{a},{b}]}}"#),
        &format!(r#"{{"Statement":[{a}]}}"#),
    );
}

#[test]
fn conditions_compare_text_and_know_their_keys_in_any_case() {
    let condition = |condition: &str| {
        policy(&format!(
            r#""Principal":"*","Action":"ecr:ListImages","Condition":{condition}"#
        ))
    };
    same(
        &condition(r#"{"Bool":{"aws:SecureTransport":true},"StringLike":{}}"#),
        &condition(r#"{"Bool":{"AWS:securetransport":["true"]}}"#),
    );
    same(
        &condition(r#"{"NumericLessThan":{"s3:max":[5,"3"]}}"#),
        &condition(r#"{"NumericLessThan":{"s3:max":["3","5"]}}"#),
    );
    // What follows the slash is the name of a tag.
    different(
        &condition(r#"{"StringEquals":{"aws:PrincipalTag/Team":"a"}}"#),
        &condition(r#"{"StringEquals":{"aws:PrincipalTag/team":"a"}}"#),
    );
}

#[test]
fn an_action_that_is_not_known_is_compared_without_its_case() {
    let action = |action: &str| policy(&format!(r#""Principal":"*","Action":"{action}""#));
    same(&action("ecr:Batch*"), &action("ECR:batch*"));
    same(
        &action("ecr:NextYearsAction"),
        &action("ecr:nextyearsaction"),
    );
    different(&action("ecr:PutImage"), &action("ecr:PutImag?"));
}

#[test]
fn unknown_elements_are_kept_and_counted() {
    let document = Document::parse(
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":"*","Robot":[2,1]},"Action":"ecr:*",
            "When":"noon"}],"Colour":{"b":1,"a":2}}"#,
    )
    .unwrap();
    assert_eq!(document.unknown(), 3);
    expect![[r#"{"Colour":{"a":2,"b":1},"Statement":[{"Action":["ecr:*"],"Effect":"Allow","Principal":{"AWS":["*"],"Robot":[2,1]},"When":"noon"}],"Version":"2008-10-17"}"#]]
        .assert_eq(document.as_str());
    assert_eq!(Document::parse(document.as_str()).unwrap(), document);
}

#[test]
fn what_is_no_policy_is_an_error_that_says_where() {
    let problems = [
        "{",
        "[]",
        "{}",
        r#"{"Statement":["x"]}"#,
        r#"{"Statement":[{"Principal":"*"}]}"#,
        r#"{"Statement":[{"Effect":"allow"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":"123456789012"}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Principal":{"AWS":[null]}}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Condition":{"Bool":{"aws:SecureTransport":{}}}}]}"#,
        r#"{"Statement":[{"Effect":"Allow","Condition":{"Bool":{"aws:sourceip":"a","aws:SourceIp":"b"}}}]}"#,
    ]
    .map(canonical);
    expect![[r#"
        the document is no JSON
        document is no object
        document has no Statement
        Statement[0] is no object
        Statement[0] has no Effect
        Statement[0].Effect is neither Allow nor Deny
        Statement[0].Principal is no object
        Statement[0].Principal.AWS is no text
        Statement[0].Condition.Bool.aws:SecureTransport has a value that is no text
        Statement[0].Condition.Bool.aws:sourceip is there twice"#]]
    .assert_eq(&problems.join("\n"));
}

/// One statement that lets an account list images.
fn statement() -> Statement {
    Statement {
        sid: Some("Ours".to_owned()),
        effect: Effect::Allow,
        principals: BTreeSet::from(["123456789012".parse().unwrap()]),
        actions: BTreeSet::from(["ecr:listimages".parse().unwrap()]),
        conditions: Vec::new(),
    }
}

fn condition(operator: &str, key: &str) -> Condition {
    Condition {
        operator: operator.to_owned(),
        key: key.to_owned(),
        values: BTreeSet::from(["o-a1b2c3d4e5".to_owned()]),
    }
}

fn check(statements: &[Statement], expected: &Expect) {
    let result = Document::from_statements(statements);
    expected.assert_eq(&result.map_or_else(|it| it.to_string(), |it| it.to_string()));
}

#[test]
fn typed_statements_make_a_document() {
    check(
        &[Statement {
            effect: Effect::Deny,
            principals: [
                "*",
                "arn:aws:iam::123456789012:user/a",
                "lambda.amazonaws.com",
            ]
            .map(|it| it.parse().unwrap())
            .into(),
            conditions: vec![condition("StringNotEquals", "aws:principalorgid")],
            ..statement()
        }],
        &expect![[
            r#"{"Statement":[{"Action":["ecr:ListImages"],"Condition":{"StringNotEquals":{"aws:PrincipalOrgID":["o-a1b2c3d4e5"]}},"Effect":"Deny","Principal":{"AWS":["*","arn:aws:iam::123456789012:user/a"],"Service":["lambda.amazonaws.com"]},"Sid":"Ours"}],"Version":"2012-10-17"}"#
        ]],
    );
}

#[test]
fn what_ecr_would_refuse_is_named_before_it_is_asked() {
    check(&[], &expect!["a policy needs at least one statement"]);
    check(
        &[statement(), statement()],
        &expect![[r#"statements[1]: the sid "Ours" is already taken"#]],
    );
    let nobody = BTreeSet::new();
    check(
        &[Statement {
            principals: nobody,
            ..statement()
        }],
        &expect!["statements[0]: principals must not be empty"],
    );
    let nothing = BTreeSet::new();
    check(
        &[Statement {
            actions: nothing,
            ..statement()
        }],
        &expect!["statements[0]: actions must not be empty"],
    );
    for operator in ["StringEqual", "NullIfExists", "ForSomeValues:StringLike"] {
        let conditions = vec![condition(operator, "aws:PrincipalOrgID")];
        let result = Document::from_statements(&[Statement {
            conditions,
            ..statement()
        }]);
        assert!(
            matches!(result, Err(Invalid::UnknownOperator { .. })),
            "{operator}"
        );
    }
    let twice = ["aws:PrincipalOrgID", "aws:principalorgid"];
    let conditions = twice.map(|key| condition("StringEquals", key)).to_vec();
    check(
        &[Statement {
            conditions,
            ..statement()
        }],
        &expect![[
            r#"statements[0]: StringEquals aws:PrincipalOrgID is there twice, put the values together"#
        ]],
    );
}

#[test]
fn the_longest_policy_is_10240_characters() {
    let of_length = |sid: usize| {
        let sid = Some("é".repeat(sid));
        Document::from_statements(&[Statement { sid, ..statement() }])
    };
    let rest = of_length(1).unwrap().as_str().chars().count() - 1;
    assert!(of_length(LONGEST - rest).is_ok());
    assert_eq!(
        of_length(LONGEST - rest + 1),
        Err(Invalid::TooLong {
            length: LONGEST + 1
        })
    );
}

#[test]
fn principals_and_actions_have_a_grammar() {
    for good in [
        "*",
        "123456789012",
        "arn:aws:iam::123456789012:root",
        "arn:aws:iam::123456789012:role/path/nodes",
        "arn:aws-us-gov:sts::123456789012:assumed-role/nodes/session",
        "replication.ecr.amazonaws.com",
    ] {
        assert!(good.parse::<Principal>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "12345678901",
        "**",
        "arn:aws:iam::123456789012:role/*",
        "arn:aws:iam::*:root",
        "arn:aws:s3:::bucket/key",
        "arn:aws:iam::123456789012:role/",
        "o-a1b2c3d4e5",
        "lambda",
        ".amazonaws.com",
        "AROAEXAMPLEID",
    ] {
        assert!(bad.parse::<Principal>().is_err(), "{bad}");
    }
    for good in ["*", "ecr:*", "ecr:Get*", "ECR:PutImage", "ecr:putimag?"] {
        assert!(good.parse::<Action>().is_ok(), "{good}");
    }
    for bad in [
        "",
        "ecr",
        "ecr:",
        "s3:GetObject",
        "ecr:Put Image",
        "ecr-public:PutImage",
        "e*",
    ] {
        assert!(bad.parse::<Action>().is_err(), "{bad}");
    }
}

#[test]
fn a_summary_names_the_statements_and_tells_documents_apart() {
    let document = Document::from_statements(&[statement()]).unwrap();
    expect!["Ours sha256:488a6941"].assert_eq(&document.summary());
}
