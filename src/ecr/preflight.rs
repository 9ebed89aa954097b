//! What IAM's policy simulator says of a role, and what our own reads say of ourselves. The simulator
//! takes in a role's policies, its permissions boundary and the organization's service control
//! policies without their conditions. It takes no resource policies for roles, no session policies and
//! no resource control policies.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>

use aws_sdk_iam::types::{
    ContextEntry, ContextKeyTypeEnum, EvaluationResult, PolicyEvaluationDecisionType,
    ResourceSpecificResult,
};

use super::error::{Error, ErrorKind};
use super::operation::Operation;
use super::registry::Registry;
use crate::domain::RepositoryName;
use crate::domain::preflight::{Answer, Denial, Judgement, Question, Resource};

/// Who cannot be found has been deleted, or was never there.
const NO_SUCH_ROLE: &str = "NoSuchEntity";

impl Registry {
    /// What the simulator says of the role or user of this ARN, in the order of the questions' actions;
    /// `None` where IAM knows nobody of this ARN.
    pub async fn simulate(
        &self,
        principal: &str,
        question: &Question,
    ) -> Result<Option<Vec<Answer>>, Error> {
        const SIMULATE: Operation = Operation::SimulatePrincipalPolicy;
        let Question {
            actions,
            resources,
            context,
        } = question;
        let entries = context.iter().map(|(key, values)| {
            ContextEntry::builder()
                .context_key_name(key)
                .context_key_type(ContextKeyTypeEnum::StringList)
                .set_context_key_values(Some(values.clone()))
                .build()
        });
        let arns: Vec<String> = resources.iter().map(|it| it.arn.clone()).collect();
        let request = self
            .session
            .iam
            .simulate_principal_policy()
            .policy_source_arn(principal)
            .set_action_names(Some(actions.iter().map(|it| (*it).to_owned()).collect()))
            .set_resource_arns((!arns.is_empty()).then_some(arns))
            .set_context_entries(Some(entries.collect()));
        let mut results = Vec::new();
        let mut marker = None;
        loop {
            let send = request.clone().set_marker(marker).send();
            let page = match self.call_elsewhere(SIMULATE, send).await {
                Ok(page) => page,
                Err(error) if error.code == NO_SUCH_ROLE => return Ok(None),
                Err(error) => return Err(error),
            };
            results.extend(page.evaluation_results.unwrap_or_default());
            marker = page.marker.filter(|_| page.is_truncated);
            if marker.is_none() {
                break;
            }
        }
        let of = |action: &&str| answers(action, resources, &results);
        Ok(Some(actions.iter().flat_map(of).collect()))
    }

    /// Makes the reads that the operator lives on, and gives those that AWS denies.
    pub async fn denied_reads(
        &self,
        example: Option<&RepositoryName>,
    ) -> Result<Vec<Answer>, Error> {
        let mut denied = Vec::new();
        let mut take = |read: Result<(), Error>| match read {
            Err(error) if error.kind == ErrorKind::AccessDenied => {
                denied.push(denial(&error));
                Ok(())
            }
            Err(error) if error.kind == ErrorKind::NotFound => Ok(()),
            other => other,
        };
        take(self.refresh().await.map(drop))?;
        take(self.rules().await.map(drop))?;
        if let Some(example) = example {
            take(self.read_documents(example).await)?;
        }
        Ok(denied)
    }
}

/// What AWS denied, from its own words: `not authorized to perform: ACTION on resource: ARN because`.
fn denial(error: &Error) -> Answer {
    let words = |after: &str| {
        let (_, rest) = error.message.split_once(after)?;
        rest.split_whitespace().next().map(str::to_owned)
    };
    let service = match error.operation {
        Operation::GetResources => "tag",
        _ => "ecr",
    };
    Answer {
        action: words("not authorized to perform: ")
            .unwrap_or_else(|| format!("{service}:{}", error.operation)),
        resource: words("on resource: ").unwrap_or_else(|| "*".to_owned()),
        judgement: Judgement::Denied(reason(&error.message)),
    }
}

/// AWS says which kind of policy it was, as in "with an explicit deny in a service control policy".
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html>
fn reason(message: &str) -> Denial {
    let says = |text: &str| message.contains(text);
    if says("service control policy") || says("resource control policy") {
        Denial::Organization
    } else if says("permissions boundary") {
        Denial::Boundary
    } else if says("explicit deny") {
        Denial::Statement
    } else {
        Denial::NoStatement
    }
}

/// The answers about one action: for each resource on its own where the simulator tells them so, as it
/// does since results are one for each action.
fn answers(action: &str, resources: &[Resource], results: &[EvaluationResult]) -> Vec<Answer> {
    let of_action: Vec<&EvaluationResult> = results
        .iter()
        .filter(|it| it.eval_action_name.eq_ignore_ascii_case(action))
        .collect();
    let answer = |resource: &str, judgement| Answer {
        action: action.to_owned(),
        resource: resource.to_owned(),
        judgement,
    };
    let untold = || Judgement::Unknown("the simulator said nothing of it".to_owned());
    if resources.is_empty() {
        let judgement = of_action.first().map_or_else(untold, |it| of_result(it));
        return vec![answer("*", judgement)];
    }
    let judged = |resource: &Resource| {
        let specific = of_action.iter().find_map(|result| {
            let mut specific = result.resource_specific_results().iter();
            let found = specific.find(|it| it.eval_resource_name == resource.arn)?;
            Some(of_resource(result, found))
        });
        let whole = of_action.iter().find(|it| {
            it.eval_resource_name.as_ref() == Some(&resource.arn)
                || it.resource_specific_results().is_empty()
        });
        let whole = || whole.map(|it| of_result(it));
        let judgement = specific.or_else(whole).unwrap_or_else(untold);
        answer(&resource.stands_for, judgement)
    };
    resources.iter().map(judged).collect()
}

fn of_result(result: &EvaluationResult) -> Judgement {
    let boundary = result.permissions_boundary_decision_detail.as_ref();
    judge(
        &result.eval_decision,
        result.missing_context_values(),
        left_out(
            result,
            boundary.map(|it| it.allowed_by_permissions_boundary),
        ),
    )
}

fn of_resource(result: &EvaluationResult, specific: &ResourceSpecificResult) -> Judgement {
    let boundary = specific.permissions_boundary_decision_detail.as_ref();
    judge(
        &specific.eval_resource_decision,
        specific.missing_context_values(),
        left_out(
            result,
            boundary.map(|it| it.allowed_by_permissions_boundary),
        ),
    )
}

/// What besides the role's own policies leaves an action out.
fn left_out(result: &EvaluationResult, within_boundary: Option<bool>) -> Option<Denial> {
    let organization = result.organizations_decision_detail.as_ref();
    match (
        organization.map(|it| it.allowed_by_organizations),
        within_boundary,
    ) {
        (Some(false), _) => Some(Denial::Organization),
        (_, Some(false)) => Some(Denial::Boundary),
        (Some(true) | None, Some(true) | None) => None,
    }
}

fn judge(
    decision: &PolicyEvaluationDecisionType,
    missing: &[String],
    left_out: Option<Denial>,
) -> Judgement {
    if !missing.is_empty() {
        let keys = missing.join(", ");
        return Judgement::Unknown(format!("a policy asks for {keys}, which is not known here"));
    }
    match (decision, left_out) {
        (PolicyEvaluationDecisionType::Allowed, _) => Judgement::Allowed,
        (PolicyEvaluationDecisionType::ExplicitDeny, None) => Judgement::Denied(Denial::Statement),
        (PolicyEvaluationDecisionType::ImplicitDeny, None) => {
            Judgement::Denied(Denial::NoStatement)
        }
        (
            PolicyEvaluationDecisionType::ExplicitDeny | PolicyEvaluationDecisionType::ImplicitDeny,
            Some(denial),
        ) => Judgement::Denied(denial),
        (other, _) => Judgement::Unknown(format!("the simulator says {}", other.as_str())),
    }
}

#[cfg(test)]
mod tests;
