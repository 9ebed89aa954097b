use std::fmt::Write as _;

use expect_test::{Expect, expect};

use super::*;

fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

/// Two registries, two teams' repositories, a cache that nodes fill and one that they only refresh.
fn uses() -> Uses {
    let registry =
        |region: &str| Registry::new("333333333333".parse().unwrap(), region.parse().unwrap());
    let cache = |prefix: &str, filled: &[Purpose]| Cache {
        example: name(&format!("{prefix}/x")),
        filled: filled.iter().copied().collect(),
        template: Template::Unmanaged,
    };
    Uses {
        cluster: "east".parse().unwrap(),
        management: Management::Manage,
        deletion: Deletion::Withheld,
        registries: vec![registry("eu-central-1"), registry("us-west-2")],
        repositories: vec![name("payments/api"), name("tools")],
        caches: vec![
            cache("hub", &[Purpose::Operator]),
            cache("quay", &[Purpose::Nodes]),
        ],
        settings: BTreeMap::new(),
        keys: BTreeSet::new(),
        passed: BTreeSet::new(),
    }
}

fn role(name: &str) -> String {
    format!("arn:aws:iam::333333333333:role/{name}")
}

fn check_questions(purpose: Purpose, uses: &Uses, expected: &Expect) {
    let mut lines = String::new();
    for Question {
        actions,
        resources,
        context,
    } in questions(purpose, uses)
    {
        let region = &context["aws:RequestedRegion"][0];
        let resources: Vec<&str> = resources.iter().map(|it| short(&it.stands_for)).collect();
        writeln!(
            lines,
            "{region} {}: {}",
            resources.join(" "),
            actions.join(" ")
        )
        .unwrap();
    }
    expected.assert_eq(&lines);
}

fn short(arn: &str) -> &str {
    arn.rsplit_once(":repository/")
        .map_or(arn, |(_, name)| name)
}

#[test]
fn nodes_pull_what_there_is_and_import_into_caches() {
    check_questions(
        Purpose::Nodes,
        &uses(),
        &expect![[r#"
            eu-central-1 : ecr:GetAuthorizationToken
            eu-central-1 payments/* tools hub/* quay/*: ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer
            eu-central-1 quay/*: ecr:BatchImportUpstreamImage ecr:CreateRepository
            eu-central-1 hub/*: ecr:BatchImportUpstreamImage
            us-west-2 : ecr:GetAuthorizationToken
            us-west-2 hub/* quay/*: ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:GetDownloadUrlForLayer
            us-west-2 quay/*: ecr:BatchImportUpstreamImage ecr:CreateRepository
            us-west-2 hub/*: ecr:BatchImportUpstreamImage
        "#]],
    );
}

#[test]
fn builds_push_to_the_home_region() {
    check_questions(
        Purpose::Builds,
        &uses(),
        &expect![[r#"
            eu-central-1 : ecr:GetAuthorizationToken
            eu-central-1 payments/* tools: ecr:BatchCheckLayerAvailability ecr:BatchGetImage ecr:CompleteLayerUpload ecr:GetDownloadUrlForLayer ecr:InitiateLayerUpload ecr:PutImage ecr:UploadLayerPart
        "#]],
    );
}

#[test]
fn the_operator_needs_what_its_objects_ask_of_it() {
    let everything = Uses {
        deletion: Deletion::Allowed,
        caches: vec![Cache {
            template: Template::Managed,
            ..uses().caches.remove(0)
        }],
        settings: BTreeMap::from([(
            uses().registries.remove(1),
            BTreeSet::from([Singleton::Replication, Singleton::Signing]),
        )]),
        keys: BTreeSet::from(["arn:aws:kms:eu-central-1:333333333333:key/1".to_owned()]),
        passed: BTreeSet::from([
            (Need::Caches, role("peer")),
            (Need::Templates, role("made")),
        ]),
        ..uses()
    };
    check_questions(
        Purpose::Operator,
        &everything,
        &expect![[r#"
            eu-central-1 *: ecr:DescribeRepositories
            eu-central-1 : tag:GetResources
            eu-central-1 : ecr:DescribePullThroughCacheRules
            eu-central-1 : ecr:DescribeRepositoryCreationTemplates
            eu-central-1 payments/* tools hub/*: ecr:ListTagsForResource ecr:GetRepositoryPolicy ecr:GetLifecyclePolicy ecr:ListImages ecr:DescribeImages ecr:BatchGetImage ecr:StartLifecyclePolicyPreview ecr:GetLifecyclePolicyPreview
            eu-central-1 payments/* tools: ecr:CreateRepository ecr:TagResource ecr:UntagResource ecr:PutImageTagMutability ecr:PutImageScanningConfiguration ecr:SetRepositoryPolicy ecr:DeleteRepositoryPolicy ecr:PutLifecyclePolicy ecr:DeleteLifecyclePolicy
            eu-central-1 payments/* tools: ecr:BatchDeleteImage ecr:DeleteRepository
            eu-central-1 : ecr:CreatePullThroughCacheRule ecr:UpdatePullThroughCacheRule ecr:ValidatePullThroughCacheRule
            eu-central-1 : ecr:CreateRepositoryCreationTemplate ecr:UpdateRepositoryCreationTemplate ecr:DeleteRepositoryCreationTemplate
            eu-central-1 hub/*: ecr:BatchImportUpstreamImage ecr:CreateRepository
            eu-central-1 arn:aws:kms:eu-central-1:333333333333:key/1: kms:DescribeKey kms:CreateGrant kms:RetireGrant
            eu-central-1 arn:aws:iam::333333333333:role/peer: iam:PassRole
            eu-central-1 arn:aws:iam::333333333333:role/made: iam:PassRole
            us-west-2 *: ecr:DescribeRepositories
            us-west-2 : tag:GetResources
            us-west-2 : ecr:DescribePullThroughCacheRules
            us-west-2 : ecr:DescribeRepositoryCreationTemplates
            us-west-2 : ecr:DescribeRegistry
            us-west-2 : ecr:GetSigningConfiguration
            us-west-2 hub/*: ecr:ListTagsForResource ecr:GetRepositoryPolicy ecr:GetLifecyclePolicy ecr:ListImages ecr:DescribeImages ecr:BatchGetImage ecr:StartLifecyclePolicyPreview ecr:GetLifecyclePolicyPreview
            us-west-2 : ecr:CreatePullThroughCacheRule ecr:UpdatePullThroughCacheRule ecr:ValidatePullThroughCacheRule
            us-west-2 : ecr:CreateRepositoryCreationTemplate ecr:UpdateRepositoryCreationTemplate ecr:DeleteRepositoryCreationTemplate
            us-west-2 : ecr:PutReplicationConfiguration
            us-west-2 : ecr:PutSigningConfiguration ecr:DeleteSigningConfiguration
            us-west-2 hub/*: ecr:BatchImportUpstreamImage ecr:CreateRepository
        "#]],
    );
    let observed = Uses {
        management: Management::Observe,
        caches: Vec::new(),
        ..everything
    };
    check_questions(
        Purpose::Operator,
        &observed,
        &expect![[r#"
            eu-central-1 *: ecr:DescribeRepositories
            eu-central-1 : tag:GetResources
            eu-central-1 payments/* tools: ecr:ListTagsForResource ecr:GetRepositoryPolicy ecr:GetLifecyclePolicy ecr:ListImages ecr:DescribeImages ecr:BatchGetImage ecr:StartLifecyclePolicyPreview ecr:GetLifecyclePolicyPreview
            us-west-2 *: ecr:DescribeRepositories
            us-west-2 : tag:GetResources
            us-west-2 : ecr:DescribeRegistry
            us-west-2 : ecr:GetSigningConfiguration
        "#]],
    );
}

#[test]
fn where_nothing_is_used_nothing_is_needed() {
    let nothing = Uses {
        repositories: Vec::new(),
        caches: Vec::new(),
        ..uses()
    };
    for purpose in [Purpose::Nodes, Purpose::Builds] {
        assert_eq!(questions(purpose, &nothing), []);
    }
}

fn answer(action: &str, resource: &str, judgement: Judgement) -> Answer {
    Answer {
        action: action.to_owned(),
        resource: resource.to_owned(),
        judgement,
    }
}

fn check(answers: &[Answer], expected: &Expect) {
    expected.assert_eq(&match verdict(answers) {
        Verdict::Allowed => "allowed".to_owned(),
        Verdict::Unknown(why) => format!("unknown: {why}"),
        Verdict::Missing(missing) => {
            let policy = missing.policy.as_deref().unwrap_or("no policy helps");
            format!("{missing}\n{policy}")
        }
    });
}

const NOT: Judgement = Judgement::Denied(Denial::NoStatement);

#[test]
fn the_first_that_is_missing_is_named_with_a_policy_for_all() {
    check(
        &[
            answer("ecr:GetAuthorizationToken", "*", Judgement::Allowed),
            answer("ecr:BatchGetImage", "a/*", Judgement::Allowed),
            answer("ecr:BatchGetImage", "b/*", NOT),
            answer("ecr:GetDownloadUrlForLayer", "b/*", NOT),
            answer("ecr:BatchImportUpstreamImage", "c/*", NOT),
        ],
        &expect![[r#"
            ecr:BatchGetImage on b/* and 2 more: no policy of the role allows it
            {"Statement":[{"Action":["ecr:BatchGetImage","ecr:GetDownloadUrlForLayer"],"Effect":"Allow","Resource":["b/*"]},{"Action":["ecr:BatchImportUpstreamImage"],"Effect":"Allow","Resource":["c/*"]}],"Version":"2012-10-17"}"#]],
    );
}

/// Whoever could hand a role to any service could make itself what the role is.
#[test]
fn a_role_is_to_be_handed_to_ecr_alone() {
    let peer = role("peer");
    check(
        &[answer("iam:PassRole", &peer, NOT)],
        &expect![[r#"
        iam:PassRole on arn:aws:iam::333333333333:role/peer: no policy of the role allows it
        {"Statement":[{"Action":["iam:PassRole"],"Condition":{"StringEquals":{"iam:PassedToService":["ecr.amazonaws.com","pullthroughcache.ecr.amazonaws.com"]}},"Effect":"Allow","Resource":["arn:aws:iam::333333333333:role/peer"]}],"Version":"2012-10-17"}"#]],
    );
    let uses = Uses {
        passed: BTreeSet::from([(Need::Caches, peer.clone()), (Need::Templates, peer)]),
        ..uses()
    };
    let passes = questions(Purpose::Operator, &uses);
    let services = passes.iter().filter(|it| it.actions == ["iam:PassRole"]);
    let services: Vec<&str> = services
        .map(|it| it.context["iam:PassedToService"][0].as_str())
        .collect();
    assert_eq!(
        services,
        ["pullthroughcache.ecr.amazonaws.com", "ecr.amazonaws.com"]
    );
}

#[test]
fn no_statement_helps_against_what_forbids() {
    for (denial, expected) in [
        (
            Denial::Statement,
            expect![[r#"
                ecr:PutImage on a/*: a policy of the role denies it
                no policy helps"#]],
        ),
        (
            Denial::Boundary,
            expect![[r#"
                ecr:PutImage on a/*: the role's permissions boundary leaves it out
                no policy helps"#]],
        ),
        (
            Denial::Organization,
            expect![[r#"
                ecr:PutImage on a/*: a service control policy of the organization leaves it out
                no policy helps"#]],
        ),
    ] {
        check(
            &[answer("ecr:PutImage", "a/*", Judgement::Denied(denial))],
            &expected,
        );
    }
}

#[test]
fn what_is_not_known_is_neither_allowed_nor_denied() {
    let unknown = || Judgement::Unknown("a policy asks for aws:SourceIp".to_owned());
    check(
        &[
            answer("ecr:BatchGetImage", "a/*", unknown()),
            answer("ecr:PutImage", "a/*", Judgement::Allowed),
        ],
        &expect!["unknown: ecr:BatchGetImage on a/*: a policy asks for aws:SourceIp"],
    );
    // What is known to be missing comes first.
    check(
        &[
            answer("ecr:BatchGetImage", "a/*", unknown()),
            answer("ecr:PutImage", "a/*", Judgement::Denied(Denial::Statement)),
        ],
        &expect![[r#"
            ecr:PutImage on a/*: a policy of the role denies it
            no policy helps"#]],
    );
}

#[test]
fn sessions_are_known_by_their_role() {
    for (arn, expected) in [
        (
            "arn:aws:sts::333333333333:assumed-role/ecr-operator/east",
            Some("arn:aws:iam::333333333333:role/ecr-operator"),
        ),
        (
            "arn:aws-cn:iam::333333333333:user/ops/jane",
            Some("arn:aws-cn:iam::333333333333:user/ops/jane"),
        ),
        ("arn:aws:iam::333333333333:root", None),
        ("arn:aws:sts::333333333333:federated-user/jane", None),
        ("jane", None),
    ] {
        assert_eq!(principal(arn).as_deref(), expected, "{arn}");
    }
}
