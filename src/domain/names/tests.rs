use super::*;

#[test]
fn repository_names_follow_ecrs_grammar() {
    for good in [
        "aa",
        "a0/b",
        "payments/api",
        "a.b",
        "a_b",
        "a__b",
        "a---b",
        "1/2/3",
    ] {
        assert!(good.parse::<RepositoryName>().is_ok(), "{good}");
    }
    let long = "a".repeat(257);
    for bad in [
        "", "a", "A/b", "a//b", "/ab", "ab/", "a..b", "a___b", "a.-b", "-ab", "ab-", &long,
    ] {
        assert!(bad.parse::<RepositoryName>().is_err(), "{bad}");
    }
}

#[test]
fn a_registry_knows_its_host_in_every_partition() {
    let host = |region: &str| {
        Registry::new("333333333333".parse().unwrap(), region.parse().unwrap()).host()
    };
    assert_eq!(
        host("eu-central-1"),
        "333333333333.dkr.ecr.eu-central-1.amazonaws.com"
    );
    assert_eq!(
        host("cn-north-1"),
        "333333333333.dkr.ecr.cn-north-1.amazonaws.com.cn"
    );
}

#[test]
fn an_invalid_name_says_what_its_kind_allows() {
    let error = "12".parse::<AccountId>().unwrap_err();
    assert_eq!(
        error.to_string(),
        r#""12" is no account id: an AWS account id is twelve digits"#
    );
}
