use expect_test::{Expect, expect};
use serde_json::Value;

use super::*;

fn registry(region: &str) -> Registry {
    Registry::new("333333333333".parse().unwrap(), region.parse().unwrap())
}

fn grantees<const N: usize>(texts: [&str; N]) -> BTreeSet<Grantee> {
    texts.into_iter().map(|it| it.parse().unwrap()).collect()
}

fn statement(sid: &str) -> Statement {
    Statement {
        sid: Some(sid.to_owned()),
        principals: BTreeSet::from(["555555555555".parse().unwrap()]),
        ..allow("", &PULL)
    }
}

fn check(access: &Access, expected: &Expect) {
    check_in("eu-central-1", access, expected);
}

/// One line a statement: sid, principals, condition and actions.
fn check_in(region: &str, access: &Access, expected: &Expect) {
    let lines = match access.document(&registry(region)) {
        Ok(Some(document)) => {
            let document: Value = serde_json::from_str(document.as_str()).unwrap();
            let statements = document["Statement"].as_array().unwrap();
            statements.iter().map(line).collect::<Vec<_>>().join("\n")
        }
        Ok(None) => "no policy".to_owned(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&lines);
}

fn line(statement: &Value) -> String {
    let actions = statement["Action"].as_array().unwrap();
    let actions: Vec<_> = actions
        .iter()
        .map(|it| &it.as_str().unwrap()[4..])
        .collect();
    format!(
        "{} {} {} {}: {}",
        statement["Sid"].as_str().unwrap(),
        statement["Effect"].as_str().unwrap(),
        statement["Principal"],
        statement
            .get("Condition")
            .map_or_else(|| "always".to_owned(), |it| format!("if {it}")),
        actions.join(" ")
    )
}

#[test]
fn nothing_granted_is_no_policy() {
    check(&Access::default(), &expect!["no policy"]);
}

#[test]
fn accounts_roles_users_and_organizations_may_pull() {
    let access = Access {
        pull: grantees([
            "o-a1b2c3d4e5",
            "arn:aws:iam::444444444444:role/nodes",
            "arn:aws:iam::444444444444:user/ann",
            "arn:aws:iam::555555555555:root",
            "444444444444",
        ]),
        ..Access::default()
    };
    check(
        &access,
        &expect![[r#"
        EcrOperatorPull Allow {"AWS":["444444444444","555555555555","arn:aws:iam::444444444444:role/nodes","arn:aws:iam::444444444444:user/ann"]} always: BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer
        EcrOperatorPullOrganizations Allow {"AWS":["*"]} if {"StringEquals":{"aws:PrincipalOrgID":["o-a1b2c3d4e5"]}}: BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer"#]],
    );
    let document = access.document(&registry("eu-central-1")).unwrap().unwrap();
    assert!(!document.is_public());
}

#[test]
fn whoever_may_push_may_pull() {
    let access = Access {
        push: grantees(["o-a1b2c3d4e5", "444444444444"]),
        ..Access::default()
    };
    check(
        &access,
        &expect![[r#"
        EcrOperatorPush Allow {"AWS":["444444444444"]} always: BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload GetDownloadUrlForLayer InitiateLayerUpload PutImage UploadLayerPart
        EcrOperatorPushOrganizations Allow {"AWS":["*"]} if {"StringEquals":{"aws:PrincipalOrgID":["o-a1b2c3d4e5"]}}: BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload GetDownloadUrlForLayer InitiateLayerUpload PutImage UploadLayerPart"#]],
    );
}

#[test]
fn functions_of_this_account_and_of_those_that_may_pull_run_its_images() {
    let lambda = Access {
        lambda: Lambda::Enabled,
        ..Access::default()
    };
    check(
        &lambda,
        &expect![[
            r#"EcrOperatorLambda Allow {"Service":["lambda.amazonaws.com"]} if {"StringLike":{"aws:SourceArn":["arn:aws:lambda:eu-central-1:333333333333:function:*"]}}: BatchGetImage GetDownloadUrlForLayer"#
        ]],
    );
    let access = Access {
        pull: grantees(["444444444444"]),
        push: grantees(["555555555555", "444444444444"]),
        ..lambda
    };
    check_in(
        "cn-north-1",
        &access,
        &expect![[r#"
        EcrOperatorLambda Allow {"Service":["lambda.amazonaws.com"]} if {"StringLike":{"aws:SourceArn":["arn:aws-cn:lambda:cn-north-1:333333333333:function:*","arn:aws-cn:lambda:cn-north-1:444444444444:function:*","arn:aws-cn:lambda:cn-north-1:555555555555:function:*"]}}: BatchGetImage GetDownloadUrlForLayer
        EcrOperatorPull Allow {"AWS":["444444444444"]} always: BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer
        EcrOperatorPush Allow {"AWS":["444444444444","555555555555"]} always: BatchCheckLayerAvailability BatchGetImage CompleteLayerUpload GetDownloadUrlForLayer InitiateLayerUpload PutImage UploadLayerPart"#]],
    );
}

#[test]
fn further_statements_stand_beside_ours() {
    let access = Access {
        pull: grantees(["444444444444"]),
        statements: vec![statement("Mine")],
        ..Access::default()
    };
    check(
        &access,
        &expect![[r#"
        EcrOperatorPull Allow {"AWS":["444444444444"]} always: BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer
        Mine Allow {"AWS":["555555555555"]} always: BatchCheckLayerAvailability BatchGetImage GetDownloadUrlForLayer"#]],
    );
}

#[test]
fn our_sids_are_our_own_and_errors_count_as_the_spec_does() {
    let with = |statements: Vec<Statement>| Access {
        pull: grantees(["444444444444"]),
        statements,
        ..Access::default()
    };
    check(
        &with(vec![statement("Mine"), statement("EcrOperatorPull")]),
        &expect!["statements[1]: sids that start with EcrOperator are the operator's own"],
    );
    check(
        &with(vec![statement("Mine"), statement("Mine")]),
        &expect![[r#"statements[1]: the sid "Mine" is already taken"#]],
    );
}

#[test]
fn grantees_have_a_grammar() {
    for bad in [
        "",
        "*",
        "lambda.amazonaws.com",
        "44444444444",
        "arn:aws:iam::444444444444:role/*",
        "o-*",
        "o-a1b2c3d4e",
        "O-A1B2C3D4E5",
        "o-a1b2c3d4e5/r-1",
    ] {
        assert!(bad.parse::<Grantee>().is_err(), "{bad}");
    }
}
