use aws_sdk_iam::types::{OrganizationsDecisionDetail, PermissionsBoundaryDecisionDetail};

use super::*;
use crate::domain::names::Registry as Name;

fn resource(name: &str) -> Resource {
    Resource {
        arn: format!("arn/{name}/x"),
        stands_for: format!("arn/{name}/*"),
    }
}

fn result(decision: PolicyEvaluationDecisionType) -> EvaluationResult {
    EvaluationResult::builder()
        .eval_action_name("ecr:PutImage")
        .eval_decision(decision)
        .build()
        .unwrap()
}

fn specific(
    name: &str,
    decision: PolicyEvaluationDecisionType,
    missing: &[&str],
) -> ResourceSpecificResult {
    let missing = missing.iter().map(|it| (*it).to_owned()).collect();
    ResourceSpecificResult::builder()
        .eval_resource_name(format!("arn/{name}/x"))
        .eval_resource_decision(decision)
        .set_missing_context_values(Some(missing))
        .build()
        .unwrap()
}

#[test]
fn each_resource_has_its_own_answer() {
    use PolicyEvaluationDecisionType::{Allowed, ExplicitDeny, ImplicitDeny};
    let mut one = result(ExplicitDeny); // the most restrictive of all
    one.resource_specific_results = Some(vec![
        specific("a", Allowed, &[]),
        specific("b", ImplicitDeny, &[]),
        specific("c", ExplicitDeny, &[]),
        specific("d", Allowed, &["aws:SourceIp"]),
    ]);
    let resources = ["a", "b", "c", "d", "e"].map(resource);
    let judged: Vec<_> = answers("ecr:PutImage", &resources, &[one])
        .into_iter()
        .map(|it| (it.resource, it.judgement))
        .collect();
    let unknown = |text: &str| Judgement::Unknown(text.to_owned());
    let expected = [
        ("arn/a/*", Judgement::Allowed),
        ("arn/b/*", Judgement::Denied(Denial::NoStatement)),
        ("arn/c/*", Judgement::Denied(Denial::Statement)),
        (
            "arn/d/*",
            unknown("a policy asks for aws:SourceIp, which is not known here"),
        ),
        ("arn/e/*", unknown("the simulator said nothing of it")),
    ];
    assert_eq!(
        judged,
        expected.map(|(it, judgement)| (it.to_owned(), judgement))
    );
}

#[test]
fn an_answer_without_resources_is_about_all_of_them() {
    let one = result(PolicyEvaluationDecisionType::ImplicitDeny);
    let resources = ["a", "b"].map(resource);
    for answer in answers("ecr:PutImage", &resources, std::slice::from_ref(&one)) {
        assert_eq!(answer.judgement, Judgement::Denied(Denial::NoStatement));
    }
    let [answer] = &answers("ecr:PutImage", &[], &[one])[..] else {
        panic!("one answer");
    };
    assert_eq!(answer.resource, "*");
}

#[test]
fn what_leaves_an_action_out_is_named() {
    let mut one = result(PolicyEvaluationDecisionType::ImplicitDeny);
    let boundary = PermissionsBoundaryDecisionDetail::builder();
    one.permissions_boundary_decision_detail =
        Some(boundary.allowed_by_permissions_boundary(false).build());
    assert_eq!(of_result(&one), Judgement::Denied(Denial::Boundary));
    let organization = OrganizationsDecisionDetail::builder();
    one.organizations_decision_detail = Some(organization.allowed_by_organizations(false).build());
    assert_eq!(of_result(&one), Judgement::Denied(Denial::Organization));
}

#[test]
fn a_decision_that_we_do_not_know_proves_nothing() {
    let one = result(PolicyEvaluationDecisionType::from("maybe"));
    assert_eq!(
        of_result(&one),
        Judgement::Unknown("the simulator says maybe".to_owned())
    );
}

#[test]
fn aws_own_words_name_what_was_denied() {
    let registry = Name::new(
        "333333333333".parse().unwrap(),
        "eu-central-1".parse().unwrap(),
    );
    let denied = |operation, message: &str| {
        denial(&Error::new(
            ErrorKind::AccessDenied,
            operation,
            &registry,
            message,
        ))
    };
    let told = denied(
        Operation::GetRepositoryPolicy,
        "User: arn:aws:sts::333333333333:assumed-role/a/b is not authorized to perform: \
         ecr:GetRepositoryPolicy on resource: arn:aws:ecr:eu-central-1:333333333333:repository/a \
         because no identity-based policy allows the ecr:GetRepositoryPolicy action",
    );
    assert_eq!(told.action, "ecr:GetRepositoryPolicy");
    assert_eq!(
        told.resource,
        "arn:aws:ecr:eu-central-1:333333333333:repository/a"
    );
    for (why, denial) in [
        (
            "because no identity-based policy allows it",
            Denial::NoStatement,
        ),
        (
            "with an explicit deny in an identity-based policy",
            Denial::Statement,
        ),
        (
            "because no permissions boundary allows it",
            Denial::Boundary,
        ),
        (
            "with an explicit deny in a service control policy",
            Denial::Organization,
        ),
    ] {
        let told = denied(Operation::ListImages, why);
        assert_eq!(told.judgement, Judgement::Denied(denial), "{why}");
    }
    let silent = denied(Operation::GetResources, "no");
    assert_eq!(
        (silent.action.as_str(), silent.resource.as_str()),
        ("tag:GetResources", "*")
    );
}
