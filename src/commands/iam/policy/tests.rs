use std::collections::BTreeSet;

use expect_test::expect_file;

use super::*;

fn target(parts: &[Part]) -> Target {
    Target {
        partition: "aws",
        account: "333333333333".parse().unwrap(),
        external_id: Some("east-prod".to_owned()),
        parts: parts.to_vec(),
    }
}

fn east() -> ClusterId {
    "east".parse().unwrap()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap() + "\n"
}

#[test]
fn the_documents_are_as_reviewed() {
    let all = target(&[Part::Deletion, Part::Caches, Part::Registry]);
    let hub: RoleArn = "arn:aws:iam::999999999999:role/ecr-operator-hub"
        .parse()
        .unwrap();
    expect_file!["tests/permissions.json"].assert_eq(&pretty(&permissions(&all, &east())));
    expect_file!["tests/trust.json"].assert_eq(&pretty(&trust(&all, &hub, &east())));
    let role = "arn:aws:iam::333333333333:role/ecr-operator"
        .parse()
        .unwrap();
    expect_file!["tests/hub.json"].assert_eq(&pretty(&super::hub(&[role])));
}

#[test]
fn every_call_is_allowed_once_and_nothing_else_is_but_what_depends_on_it() {
    let all = target(&[Part::Deletion, Part::Caches, Part::Registry]);
    let document = permissions(&all, &east());
    let mut allowed = Vec::new();
    for statement in document["Statement"].as_array().unwrap() {
        let actions = statement["Action"].as_array().cloned();
        let actions = actions.unwrap_or_else(|| vec![statement["Action"].clone()]);
        if statement["Effect"] == "Allow" {
            allowed.extend(actions.iter().map(|it| it.as_str().unwrap().to_owned()));
        }
    }
    let calls = Operation::ALL.iter().map(|it| right(*it));
    let calls = calls.filter(|it| it.on != On::Nothing);
    let dependent = DEPENDENT
        .iter()
        .filter(|it| matches!(it.holder, Holder::Target(_)));
    let mut expected: Vec<String> = calls.map(|it| it.action).collect();
    expected.extend(dependent.map(|it| it.action.to_owned()));
    allowed.sort();
    expected.sort();
    assert_eq!(allowed, expected);
    assert!(NEVER.iter().all(|it| !allowed.contains(&(*it).to_owned())));
}

#[test]
fn sids_are_words_and_each_is_there_once() {
    let all = target(&[Part::Deletion, Part::Caches, Part::Registry]);
    let document = permissions(&all, &east());
    let statements = document["Statement"].as_array().unwrap();
    let sids: BTreeSet<&str> = statements
        .iter()
        .map(|it| it["Sid"].as_str().unwrap())
        .collect();
    assert_eq!(sids.len(), statements.len());
    assert!(
        sids.iter()
            .all(|it| it.bytes().all(|b| b.is_ascii_alphanumeric()))
    );
    // An inline policy of a role has at most 10,240 characters, spaces not counted:
    // https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
    assert!(document.to_string().len() < 10_240);
}

#[test]
fn what_is_not_used_is_not_allowed() {
    let document = permissions(&target(&[]), &east()).to_string();
    for action in [
        "DeleteRepository\"",
        "CreatePullThroughCacheRule",
        "iam:PassRole",
        "BatchGetImage",
    ] {
        assert!(!document.contains(action), "{action} in {document}");
    }
}

#[test]
fn every_row_names_its_page_of_aws() {
    let pages = Operation::ALL.iter().map(|it| right(*it).page);
    let pages = pages.chain(DEPENDENT.iter().map(|it| it.page));
    for page in pages {
        assert!(page.starts_with("https://docs.aws.amazon.com/"), "{page}");
    }
}
