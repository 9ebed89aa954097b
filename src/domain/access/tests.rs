use expect_test::{Expect, expect};

use super::*;

fn registry() -> Registry {
    Registry::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    )
}

fn grantees<const N: usize>(texts: [&str; N]) -> BTreeSet<Grantee> {
    texts.into_iter().map(|it| it.parse().unwrap()).collect()
}

fn check(access: &Access, expected: &Expect) {
    let text = match access.document(&registry()) {
        Ok(Some(document)) => {
            let value: serde_json::Value = serde_json::from_str(document.as_str()).unwrap();
            serde_json::to_string_pretty(&value["Statement"]).unwrap()
        }
        Ok(None) => "nothing granted".to_owned(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&text);
}

#[test]
fn nothing_granted_is_no_policy() {
    check(&Access::default(), &expect!["nothing granted"]);
}

#[test]
fn accounts_roles_and_organizations_may_pull() {
    let access = Access {
        pull: grantees([
            "444444444444",
            "arn:aws:iam::444444444444:role/nodes",
            "o-a1b2c3d4e5",
        ]),
        ..Access::default()
    };
    check(
        &access,
        &expect![[r#"
        [
          {
            "Action": [
              "ecr:BatchCheckLayerAvailability",
              "ecr:BatchGetImage",
              "ecr:GetDownloadUrlForLayer"
            ],
            "Effect": "Allow",
            "Principal": {
              "AWS": [
                "444444444444",
                "arn:aws:iam::444444444444:role/nodes"
              ]
            },
            "Sid": "EcrOperatorPull"
          },
          {
            "Action": [
              "ecr:BatchCheckLayerAvailability",
              "ecr:BatchGetImage",
              "ecr:GetDownloadUrlForLayer"
            ],
            "Condition": {
              "StringEquals": {
                "aws:PrincipalOrgID": [
                  "o-a1b2c3d4e5"
                ]
              }
            },
            "Effect": "Allow",
            "Principal": {
              "AWS": [
                "*"
              ]
            },
            "Sid": "EcrOperatorPullOrganizations"
          }
        ]"#]],
    );
}
