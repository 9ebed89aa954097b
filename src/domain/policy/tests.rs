use expect_test::{Expect, expect};

use super::*;

fn canonical(text: &str) -> String {
    Document::parse(text).map_or_else(|it| it.to_string(), |it| it.to_string())
}

/// Both texts mean the same.
fn same(one: &str, other: &str) {
    assert_eq!(canonical(one), canonical(other));
}

fn check(text: &str, expected: &Expect) {
    expected.assert_eq(&canonical(text));
}

#[test]
fn an_account_is_its_root_in_every_partition() {
    let policy = |principal: &str| {
        format!(
            r#"{{"Statement":[{{"Effect":"Allow","Principal":{{"AWS":{principal}}},"Action":"ecr:GetRepositoryPolicy"}}]}}"#
        )
    };
    let bare = policy(r#""123456789012""#);
    same(&bare, &policy(r#"["arn:aws:iam::123456789012:root"]"#));
    same(
        &bare,
        &policy(r#"["arn:aws-cn:iam::123456789012:root", "123456789012"]"#),
    );
    check(
        &bare,
        &expect![[
            r#"{"Statement":[{"Action":["ecr:GetRepositoryPolicy"],"Effect":"Allow","Principal":{"AWS":["123456789012"]}}],"Version":"2008-10-17"}"#
        ]],
    );
}
