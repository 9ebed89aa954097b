use expect_test::expect;

use crate::domain::policy::Document;

const LIST: &str = r#""Effect":"Allow","Action":"ecr:ListImages""#;

fn document(statement: &str) -> Document {
    Document::parse(&format!(r#"{{"Statement":[{{{statement}}}]}}"#)).unwrap()
}

/// A statement for everybody under a condition.
fn anyone_if(condition: &str) -> String {
    format!(r#"{LIST},"Principal":"*","Condition":{condition}"#)
}

#[test]
fn every_spelling_of_public_is_public() {
    let principals = [
        r#""*""#,
        r#"{"AWS":"*"}"#,
        r#"{"AWS":["*"]}"#,
        r#"{"AWS":["123456789012","*"]}"#,
        r#"{"AWS":["*","123456789012"],"Service":"lambda.amazonaws.com"}"#,
        r#"{"AWS":"arn:aws:iam::*:root"}"#,
        r#"{"AWS":"arn:aws:iam::*:role/nodes"}"#,
        r#"{"AWS":"arn:aws:iam::12345678901?:root"}"#,
        r#"{"AWS":"arn:aws:iam::1234*:root"}"#,
        r#"{"AWS":"arn:*:iam::*:*"}"#,
        r#"{"AWS":"arn:aws:sts::*:assumed-role/a/b"}"#,
        r#"{"AWS":"arn:*"}"#,
        r#"{"AWS":"arn:aws:iam::*:user/*"}"#,
        r#"{"AWS":"arn:aws-cn:iam::*:root"}"#,
        r#"{"AWS":["arn:aws:iam::111111111111:root","arn:aws:iam::?:root"]}"#,
        r#"{"AWS":"************"}"#,
        r#"{"AWS":"????????????"}"#,
        r#"{"AWS":"1*"}"#,
        r#"{"AWS":"**"}"#,
        r#"{"AWS":"?"}"#,
        r#"{"AWS":"AROA*"}"#,
        r#"{"Service":"*"}"#,
        r#"{"Service":["lambda.amazonaws.com","*.amazonaws.com"]}"#,
        r#"{"Federated":"*"}"#,
        r#"{"Federated":["cognito-identity.amazonaws.com","*"]}"#,
        r#"{"CanonicalUser":"*"}"#,
        r#"{"Robot":"*"}"#,
        r#"{"Robot":["*"]}"#,
        r#"{"Robot":{"any":"*"}}"#,
        r#"{"Robot":[1]}"#,
    ];
    let conditions = [
        // Not about who calls.
        r#"{"Bool":{"aws:SecureTransport":"true"}}"#,
        r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#,
        r#"{"StringEquals":{"aws:RequestedRegion":"us-east-1"}}"#,
        r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#,
        r#"{"StringEquals":{"aws:PrincipalTag/team":"payments"}}"#,
        r#"{"StringEquals":{"aws:PrincipalType":"AssumedRole"}}"#,
        r#"{"StringEquals":{"aws:SourceAccount":"123456789012"}}"#,
        // About everybody but some.
        r#"{"StringNotEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
        r#"{"StringNotLike":{"aws:PrincipalOrgID":"o-*"}}"#,
        r#"{"ArnNotLike":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/a"}}"#,
        // True for callers without the key.
        r#"{"StringEqualsIfExists":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
        r#"{"StringLikeIfExists":{"aws:PrincipalArn":"arn:aws:iam::123456789012:role/a"}}"#,
        r#"{"ForAllValues:StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
        r#"{"ForAllValues:StringLike":{"aws:PrincipalOrgPaths":"o-a1b2c3d4e5/*"}}"#,
        r#"{"Null":{"aws:PrincipalOrgID":"false"}}"#,
        r#"{"Null":{"aws:PrincipalOrgID":"true"}}"#,
        // Values that hold for everybody.
        r#"{"StringLike":{"aws:PrincipalOrgID":"*"}}"#,
        r#"{"StringLike":{"aws:PrincipalOrgID":"o-*"}}"#,
        r#"{"StringLike":{"aws:PrincipalOrgID":["o-a1b2c3d4e5","o-?*"]}}"#,
        r#"{"StringEquals":{"aws:PrincipalOrgID":"${aws:PrincipalOrgID}"}}"#,
        r#"{"StringEquals":{"aws:PrincipalOrgID":""}}"#,
        r#"{"StringEquals":{"aws:PrincipalOrgID":[]}}"#,
        r#"{"StringLike":{"aws:PrincipalAccount":"*"}}"#,
        r#"{"StringLike":{"aws:PrincipalAccount":"12345678901?"}}"#,
        r#"{"StringEquals":{"aws:PrincipalAccount":"${aws:PrincipalAccount}"}}"#,
        r#"{"ArnLike":{"aws:PrincipalArn":"*"}}"#,
        r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::*:role/nodes"}}"#,
        r#"{"ArnLike":{"aws:PrincipalArn":"arn:aws:iam::12345678901?:role/nodes"}}"#,
        r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-*/r-1/*"}}"#,
        r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"*"}}"#,
        // Nothing at all.
        "{}",
        r#"{"StringEquals":{}}"#,
    ];
    let others = [
        format!(r#"{LIST},"NotPrincipal":{{"AWS":"123456789012"}}"#),
        format!(r#"{LIST},"NotPrincipal":"*""#),
        LIST.to_owned(),
    ];
    let statements = principals
        .map(|it| format!(r#"{LIST},"Principal":{it}"#))
        .into_iter()
        .chain(conditions.map(anyone_if))
        .chain(others);
    let statements: Vec<String> = statements.collect();
    assert!(
        statements.len() >= 60,
        "only {} spellings",
        statements.len()
    );
    for statement in statements {
        assert!(document(&statement).is_public(), "{statement}");
    }
}

#[test]
fn what_names_who_may_come_is_not_public() {
    let admitted = [
        r#""Principal":{"AWS":["123456789012","arn:aws:iam::123456789012:role/a"]}"#,
        r#""Principal":{"AWS":"AROAEXAMPLEID"}"#,
        r#""Principal":{"AWS":"arn:aws:iam::123456789012:role/*"}"#,
        r#""Principal":{"Service":"lambda.amazonaws.com"}"#,
        r#""Principal":{"Federated":"arn:aws:iam::123456789012:saml-provider/idp"}"#,
        r#""Principal":"*","Condition":{"StringEquals":{"AWS:principalorgid":"o-a1b2c3d4e5"}}"#,
        r#""Principal":"*","Condition":{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"o-a1b2c3d4e5/r-1/*"}}"#,
        r#""Principal":"*","Condition":{"StringEquals":{"aws:PrincipalAccount":["111111111111","222222222222"]}}"#,
        r#""Principal":"*","Condition":{"ArnLike":{"aws:PrincipalArn":["arn:aws:iam::123456789012:role/a","arn:aws:iam::222222222222:role/*"]}}"#,
        r#""Principal":"*","Condition":{"Bool":{"aws:SecureTransport":true},"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
        r#""NotPrincipal":{"AWS":"1"},"Condition":{"StringEquals":{"aws:PrincipalAccount":"111111111111"}}"#,
        r#""Principal":{"AWS":["*","111111111111"]},"Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
    ]
    .map(|it| format!("{:?}", document(&format!("{LIST},{it}")).admits()));
    expect![[r#"
        {Account(AccountId("123456789012")), Principal("arn:aws:iam::123456789012:role/a")}
        {Principal("AROAEXAMPLEID")}
        {Account(AccountId("123456789012"))}
        {Service("lambda.amazonaws.com")}
        {Principal("arn:aws:iam::123456789012:saml-provider/idp")}
        {Organization("o-a1b2c3d4e5")}
        {Organization("o-a1b2c3d4e5")}
        {Account(AccountId("111111111111")), Account(AccountId("222222222222"))}
        {Account(AccountId("222222222222")), Principal("arn:aws:iam::123456789012:role/a")}
        {Organization("o-a1b2c3d4e5")}
        {Account(AccountId("111111111111"))}
        {Organization("o-a1b2c3d4e5"), Account(AccountId("111111111111"))}"#]]
    .assert_eq(&admitted.join("\n"));
}

#[test]
fn a_service_acts_for_whom_its_condition_names_and_else_for_anybody() {
    let service = r#""Principal":{"Service":"codebuild.amazonaws.com"}"#;
    let admitted = [
        "",
        r#","Condition":{"StringEquals":{"aws:SourceAccount":"111111111111"}}"#,
        r#","Condition":{"ArnLike":{"aws:SourceArn":"arn:aws:codebuild:eu-central-1:111111111111:project/*"}}"#,
        r#","Condition":{"StringEquals":{"aws:SourceOrgID":"o-a1b2c3d4e5"}}"#,
        r#","Condition":{"StringLike":{"aws:SourceArn":"arn:aws:codebuild:*:*:project/*"}}"#,
        r#","Condition":{"StringEqualsIfExists":{"aws:SourceAccount":"111111111111"}}"#,
        r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
    ]
    .map(|it| format!("{:?}", document(&format!("{LIST},{service}{it}")).admits()));
    expect![[r#"
        {Service("codebuild.amazonaws.com")}
        {Account(AccountId("111111111111"))}
        {Account(AccountId("111111111111"))}
        {Organization("o-a1b2c3d4e5")}
        {Service("codebuild.amazonaws.com")}
        {Service("codebuild.amazonaws.com")}
        {Service("codebuild.amazonaws.com")}"#]]
    .assert_eq(&admitted.join("\n"));
}

#[test]
fn denying_everybody_admits_nobody() {
    let deny = document(r#""Effect":"Deny","Action":"ecr:*","Principal":"*""#);
    assert!(deny.admits().is_empty());
}
