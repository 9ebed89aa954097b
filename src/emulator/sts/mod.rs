//! AWS STS: who calls, and the credentials of roles.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::DEFAULT_ACCOUNT;
use super::call::{Answer, Call, Caller};
use super::iam::{Document, is_account};
use super::protocol::{self, Asked, Credentials, Service};
use super::refusal::Refusal;
use super::state::{Session, State, hex};

mod assume;
mod web_identity;

/// Answers an operation of STS.
pub(crate) fn answer(call: &mut Call<'_>, operation: &str, input: &Value) -> Answer {
    match operation {
        "AssumeRole" => assume::role(call, input),
        "AssumeRoleWithWebIdentity" => web_identity::role(call, input),
        "GetCallerIdentity" => Ok(json!({
            "Account": call.caller.account,
            "Arn": call.caller.arn,
            "UserId": call.caller.user_id,
        })),
        _ => Err(protocol::invalid_action(operation).into()),
    }
}

/// Finds out who calls.
pub(crate) fn identify(
    state: &State,
    asked: &Asked,
    credentials: Option<&Credentials>,
    now: Timestamp,
) -> Result<Caller, Refusal> {
    // The token of the request says who asks.
    if asked.service == Service::Sts && asked.operation == "AssumeRoleWithWebIdentity" {
        return Ok(Caller::default());
    }
    let Some(credentials) = credentials else {
        return Err(match asked.service {
            Service::Ecr | Service::Tagging | Service::Registry => Refusal::new(
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ),
            Service::Sts | Service::Iam => Refusal::new(
                "MissingAuthenticationToken",
                "Request is missing Authentication Token",
            )
            .with_status(403),
        });
    };
    let key = credentials.access_key.as_str();
    if is_account(key) {
        return Ok(root(key));
    }
    if key.starts_with("ASIA") {
        let session = state
            .sessions
            .get(key)
            .filter(|it| credentials.token.as_ref() == Some(&it.token))
            .ok_or_else(|| unknown_key(asked.service))?;
        if session.expires <= now {
            return Err(expired(asked.service));
        }
        return Ok(assumed(state, key, session));
    }
    let users = state.accounts.iter().flat_map(|(id, account)| {
        account
            .users
            .iter()
            .map(move |(name, user)| (id, name, user))
    });
    let user = users
        .into_iter()
        .find(|(_, _, user)| user.access_key == key);
    Ok(user.map_or_else(
        || root(DEFAULT_ACCOUNT),
        |(account, name, user)| {
            let arn = format!("arn:aws:iam::{account}:user/{name}");
            let user_id = unique_id("AIDA", &arn);
            Caller {
                account: account.clone(),
                names: vec![user_id.clone(), arn.clone()],
                arn,
                user_id,
                policies: user.policies.as_deref().map(documents),
                session_policy: None,
                tags: user.tags.clone(),
            }
        },
    ))
}

fn root(account: &str) -> Caller {
    let arn = format!("arn:aws:iam::{account}:root");
    Caller {
        account: account.to_owned(),
        user_id: account.to_owned(),
        names: vec![arn.clone()],
        arn,
        ..Caller::default()
    }
}

fn assumed(state: &State, key: &str, session: &Session) -> Caller {
    let name = session.role.rsplit('/').next().unwrap_or_default();
    let arn = format!(
        "arn:aws:sts::{}:assumed-role/{name}/{}",
        session.account, session.name
    );
    let role_id = unique_id("AROA", &session.role_arn);
    let declared = state
        .accounts
        .get(&session.account)
        .and_then(|it| it.roles.as_ref()?.get(&session.role));
    let mut tags: BTreeMap<String, String> = declared.map(|it| it.tags.clone()).unwrap_or_default();
    tags.extend(session.tags.clone());
    tracing::trace!(key, role = session.role_arn, "session");
    Caller {
        account: session.account.clone(),
        user_id: format!("{role_id}:{}", session.name),
        names: vec![arn.clone(), role_id, session.role_arn.clone()],
        arn,
        policies: declared
            .and_then(|it| it.policies.as_deref())
            .map(documents),
        session_policy: session.policy.as_ref().and_then(Document::from_value),
        tags,
    }
}

fn documents(policies: &[Value]) -> Vec<Document> {
    policies.iter().filter_map(Document::from_value).collect()
}

/// The unique id that IAM would have given to a role or user.
pub(crate) fn unique_id(kind: &str, arn: &str) -> String {
    use sha2::Digest as _;
    let digest = hex(&sha2::Sha256::digest(arn)).to_uppercase();
    format!("{kind}{}", &digest[..17])
}

fn unknown_key(service: Service) -> Refusal {
    let message = "The security token included in the request is invalid.";
    match service {
        Service::Ecr | Service::Tagging | Service::Registry => {
            Refusal::new("UnrecognizedClientException", message)
        }
        Service::Sts | Service::Iam => {
            Refusal::new("InvalidClientTokenId", message).with_status(403)
        }
    }
}

fn expired(service: Service) -> Refusal {
    let message = "The security token included in the request is expired";
    match service {
        Service::Ecr | Service::Tagging | Service::Registry => {
            Refusal::new("ExpiredTokenException", message)
        }
        Service::Sts | Service::Iam => Refusal::new("ExpiredToken", message).with_status(403),
    }
}
