//! Repository policies.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/repository-policies.html>

use serde::Deserialize;
use serde_json::json;

use super::super::call::{Answer, Call, RepositoryAt};
use super::super::iam::{Document, Principals, Scope, Verdict, canonical, judge};
use super::super::refusal::Refusal;
use super::super::state::State;
use super::super::sts::unique_id;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Set {
    policy_text: String,
    #[serde(default)]
    force: bool,
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

/// `SetRepositoryPolicy`.
pub(super) fn set(call: &mut Call<'_>, at: &RepositoryAt, input: &Set) -> Answer {
    let document = Document::parse(&input.policy_text)
        .filter(is_repository_policy)
        .ok_or_else(|| invalid("Invalid repository policy provided"))?;
    principals_exist(call.state, &document)?;
    if !input.force && locks_out(call, at, &document) {
        return Err(invalid(
            "The policy would prevent you from setting another policy in the future; use force to set it",
        )
        .into());
    }
    let text = canonical(&document, at.registry.partition());
    call.repository(at).policy = Some(text.clone());
    Ok(answer(at, &text))
}

/// `GetRepositoryPolicy`.
pub(super) fn get(call: &mut Call<'_>, at: &RepositoryAt, _: &Nothing) -> Answer {
    let text = call
        .repository(at)
        .policy
        .clone()
        .ok_or_else(|| not_found(at))?;
    Ok(answer(at, &with_unique_ids(call.state, at, text)))
}

/// A principal that is gone is told by the unique id it had.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
fn with_unique_ids(state: &State, at: &RepositoryAt, text: String) -> String {
    let Some(mut document) = Document::parse(&text) else {
        return text;
    };
    let mut changed = false;
    for statement in &mut document.statements {
        if let Some(Scope::Only(Principals::Listed(kinds))) = &mut statement.principal {
            let principals = kinds.get_mut("AWS").into_iter().flatten();
            for it in principals.filter(|it| !exists(state, it)) {
                let kind = if it.contains(":role/") {
                    "AROA"
                } else {
                    "AIDA"
                };
                *it = unique_id(kind, it);
                changed = true;
            }
        }
    }
    if changed {
        canonical(&document, at.registry.partition())
    } else {
        text
    }
}

/// `DeleteRepositoryPolicy`.
pub(super) fn delete(call: &mut Call<'_>, at: &RepositoryAt, _: &Nothing) -> Answer {
    let text = call
        .repository(at)
        .policy
        .take()
        .ok_or_else(|| not_found(at))?;
    Ok(answer(at, &text))
}

/// A repository policy says whom it is about, and not which resource: it is its repository.
pub(super) fn is_repository_policy(document: &Document) -> bool {
    let said = |it: &super::super::iam::Statement| it.principal.is_some() && it.resource.is_none();
    !document.statements.is_empty() && document.statements.iter().all(said) && names_ecr(document)
}

/// Whether all actions are ECR's.
pub(super) fn names_ecr(document: &Document) -> bool {
    document.statements.iter().all(|it| {
        let (Scope::Only(actions) | Scope::AllBut(actions)) = &it.action;
        actions
            .iter()
            .all(|it| it == "*" || it.to_lowercase().starts_with("ecr:"))
    })
}

/// Refuses principals that a seed's declared account does not have.
pub(super) fn principals_exist(state: &State, document: &Document) -> Result<(), Refusal> {
    for statement in &document.statements {
        let Some(Scope::Only(Principals::Listed(kinds)) | Scope::AllBut(Principals::Listed(kinds))) =
            &statement.principal
        else {
            continue;
        };
        let principals = kinds.get("AWS").into_iter().flatten();
        if principals.into_iter().any(|it| !exists(state, it)) {
            return Err(invalid("Principal not found"));
        }
    }
    Ok(())
}

fn exists(state: &State, arn: &str) -> bool {
    let mut parts = arn.splitn(6, ':').skip(4);
    let (Some(account), Some(resource)) = (parts.next(), parts.next()) else {
        return true;
    };
    let declared = state.accounts.get(account);
    match (declared, resource.split_once('/')) {
        (Some(it), Some(("role", name))) => {
            it.roles.as_ref().is_none_or(|it| it.contains_key(name))
        }
        (Some(it), Some(("user", name))) => it.users.is_empty() || it.users.contains_key(name),
        _ => true,
    }
}

fn locks_out(call: &Call<'_>, at: &RepositoryAt, document: &Document) -> bool {
    let resource = at.registry.repository_arn(&at.name);
    let context = call.context();
    let question = call
        .caller
        .asks("ecr:SetRepositoryPolicy", &resource, &context);
    judge(std::slice::from_ref(document), &question) == Verdict::Denied
}

/// `InvalidParameterException` about a policy's text.
pub(super) fn invalid(constraint: &str) -> Refusal {
    Refusal::invalid("PolicyText", constraint)
}

fn answer(at: &RepositoryAt, text: &str) -> serde_json::Value {
    json!({
        "registryId": at.registry.account,
        "repositoryName": at.name,
        "policyText": text,
    })
}

fn not_found(at: &RepositoryAt) -> Refusal {
    Refusal::new(
        "RepositoryPolicyNotFoundException",
        format!(
            "Repository policy does not exist for the repository with name '{}' in the registry with id '{}'",
            at.name, at.registry.account
        ),
    )
}
