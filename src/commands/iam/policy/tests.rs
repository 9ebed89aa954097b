use std::collections::BTreeSet;

use expect_test::expect_file;

use super::*;
use crate::ecr::Operation;

const ALL: [Part; 4] = [
    Part::Repositories,
    Part::Deletion,
    Part::Caches,
    Part::Registry,
];

/// A role that is used for this beside reading.
fn target(parts: &[Part]) -> Target {
    Target {
        partition: "aws",
        account: "333333333333".parse().unwrap(),
        external_id: Some("east-prod".to_owned()),
        parts: parts.iter().copied().chain([Part::Read]).collect(),
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
    let all = target(&ALL);
    let hub: RoleArn = "arn:aws:iam::999999999999:role/ecr-operator-hub"
        .parse()
        .unwrap();
    expect_file!["tests/permissions.json"].assert_eq(&pretty(&permissions(&all, &east())));
    expect_file!["tests/trust.json"].assert_eq(&pretty(&trust(&all, &[&hub], &east())));
    let role = "arn:aws:iam::333333333333:role/ecr-operator"
        .parse()
        .unwrap();
    expect_file!["tests/hub.json"].assert_eq(&pretty(&super::hub(&[role])));
}

#[test]
fn every_call_is_allowed_once_and_nothing_else_is_but_what_depends_on_it() {
    let all = target(&ALL);
    let document = permissions(&all, &east());
    let mut allowed = Vec::new();
    for statement in document["Statement"].as_array().unwrap() {
        let actions = statement["Action"].as_array().cloned();
        let actions = actions.unwrap_or_else(|| vec![statement["Action"].clone()]);
        if statement["Effect"] == "Allow" {
            allowed.extend(actions.iter().map(|it| it.as_str().unwrap().to_owned()));
        }
    }
    let dependent = DEPENDENT.iter().filter(|it| it.need().is_some());
    let mut expected: Vec<String> = RIGHTS.iter().map(|it| it.action.to_owned()).collect();
    for it in dependent {
        // Of service-linked roles there is one statement each.
        if RIGHTS.iter().all(|right| right.action != it.action) {
            expected.push(it.action.to_owned());
        }
    }
    allowed.sort();
    expected.sort();
    assert_eq!(allowed, expected);
    assert!(NEVER.iter().all(|it| !allowed.contains(&(*it).to_owned())));
}

#[test]
fn the_table_has_every_call_and_no_other() {
    let of_table = RIGHTS
        .iter()
        .map(|it| it.action.split_once(':').unwrap().1.to_owned());
    let mut of_table: Vec<String> = of_table.collect();
    let needs_none = |it: &&Operation| **it != Operation::GetCallerIdentity;
    let calls = Operation::ALL.iter().filter(needs_none);
    let mut calls: Vec<String> = calls.map(ToString::to_string).collect();
    of_table.sort();
    calls.sort();
    assert_eq!(of_table, calls);
}

#[test]
fn an_account_that_is_only_observed_is_only_read() {
    let document = permissions(&target(&[]), &east());
    for statement in document["Statement"].as_array().unwrap() {
        let sid = statement["Sid"].as_str().unwrap();
        assert!(
            sid.starts_with("Read") || statement["Effect"] == "Deny",
            "{sid}"
        );
    }
}

#[test]
fn listing_role_may_list_and_nothing_else() {
    let of_observed = permissions(&target(&[]), &east()).to_string();
    let document = listing(&target(&[]));
    let mut allowed = BTreeSet::new();
    for statement in document["Statement"].as_array().unwrap() {
        if statement["Effect"] == "Allow" {
            let actions = statement["Action"].as_array().unwrap();
            allowed.extend(actions.iter().map(|it| it.as_str().unwrap().to_owned()));
        }
    }
    let serving: BTreeSet<String> = rights::SERVING.map(str::to_owned).into();
    assert_eq!(allowed, serving);
    for action in allowed {
        assert!(
            of_observed.contains(&format!("\"{action}\"")),
            "{action} is no read"
        );
    }
}

#[test]
fn sids_are_words_and_each_is_there_once() {
    let all = target(&ALL);
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
    let document = permissions(&target(&[Part::Repositories]), &east()).to_string();
    for action in [
        "DeleteRepository\"",
        "CreatePullThroughCacheRule",
        "iam:PassRole",
        "BatchImportUpstreamImage",
    ] {
        assert!(!document.contains(action), "{action} in {document}");
    }
}

#[test]
fn every_row_names_its_page_of_aws() {
    let pages = RIGHTS.iter().map(Right::page);
    let pages = pages.chain(DEPENDENT.iter().map(|it| it.page));
    for page in pages {
        assert!(page.starts_with("https://docs.aws.amazon.com/"), "{page}");
    }
}
