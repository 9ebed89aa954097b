//! `AssumeRole`. <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Caller, denied};
use super::super::iam::{Document, Verdict, is_account, judge};
use super::super::refusal::Refusal;
use super::super::state::{Role, Session};
use super::unique_id;

/// The input; numbers come as text.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Assume {
    role_arn: String,
    role_session_name: String,
    external_id: Option<String>,
    duration_seconds: Option<String>,
    policy: Option<String>,
    tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Tag {
    key: String,
    #[serde(default)]
    value: String,
}

/// A role's ARN, taken apart.
struct RoleName {
    account: String,
    name: String,
}

/// Gives credentials of a role.
pub(super) fn role(call: &mut Call<'_>, input: &Value) -> Answer {
    let asked: Assume =
        serde_json::from_value(input.clone()).map_err(|it| validation(&it.to_string()))?;
    let role = check(&asked)?;
    let duration = duration(asked.duration_seconds.as_deref())?;
    let policy = asked.policy.as_deref().map(session_policy).transpose()?;
    let tags: BTreeMap<String, String> = asked
        .tags
        .iter()
        .map(|it| (it.key.clone(), it.value.clone()))
        .collect();
    trusted(call, &asked, &role)?;
    identity_allows(call, &asked)?;
    let made_up = call.state.make_up("access key").to_uppercase();
    let access_key = format!("ASIA{}", &made_up[..16]);
    let secret = call.state.make_up("secret key");
    let token = format!(
        "emulated-session-token/{}",
        call.state.make_up("session token")
    );
    let expires = call.now.checked_add(duration).unwrap_or(call.now);
    let answer = json!({
        "Credentials": {
            "AccessKeyId": access_key,
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": expires.round(jiff::Unit::Second).unwrap_or(expires).to_string(),
        },
        "AssumedRoleUser": {
            "AssumedRoleId":
                format!("{}:{}", unique_id("AROA", &asked.role_arn), asked.role_session_name),
            "Arn": format!(
                "arn:aws:sts::{}:assumed-role/{}/{}",
                role.account,
                role.name.rsplit('/').next().unwrap_or_default(),
                asked.role_session_name
            ),
        },
    });
    let session = Session {
        account: role.account,
        role: role.name,
        role_arn: asked.role_arn,
        name: asked.role_session_name,
        token,
        expires,
        tags,
        policy,
    };
    call.state.sessions.insert(access_key, session);
    Ok(answer)
}

fn check(asked: &Assume) -> Result<RoleName, Refusal> {
    let name = &asked.role_session_name;
    let of_session = |it: u8| it.is_ascii_alphanumeric() || b"_+=,.@-".contains(&it);
    if !(2..=64).contains(&name.len()) || !name.bytes().all(of_session) {
        return Err(validation(&format!(
            "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy \
             constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
        )));
    }
    if asked.tags.len() > 50 {
        return Err(validation(
            "the number of session tags exceeds the limit of 50",
        ));
    }
    let external = asked.external_id.as_deref();
    if external.is_some_and(|it| !(2..=1224).contains(&it.len())) {
        return Err(validation(
            "1 validation error detected: Value at 'externalId' failed to satisfy constraint: \
             Member must have length between 2 and 1224",
        ));
    }
    parse(&asked.role_arn).ok_or_else(|| validation(&format!("{} is invalid", asked.role_arn)))
}

fn parse(arn: &str) -> Option<RoleName> {
    let mut parts = arn.splitn(6, ':');
    let (scheme, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
    let name = resource.strip_prefix("role/").filter(|it| !it.is_empty())?;
    let fits = scheme == "arn"
        && partition.starts_with("aws")
        && service == "iam"
        && region.is_empty()
        && is_account(account);
    fits.then(|| RoleName {
        account: account.to_owned(),
        name: name.to_owned(),
    })
}

fn duration(seconds: Option<&str>) -> Result<SignedDuration, Refusal> {
    let seconds = seconds.map_or(Some(3600), |it| it.parse().ok());
    seconds
        .filter(|it| (900..=43_200).contains(it))
        .map(SignedDuration::from_secs)
        .ok_or_else(|| {
            validation(
                "1 validation error detected: Value at 'durationSeconds' failed to satisfy \
                 constraint: Member must have value between 900 and 43200",
            )
        })
}

fn session_policy(text: &str) -> Result<Value, Refusal> {
    Document::parse(text)
        .and_then(|_| serde_json::from_str(text).ok())
        .ok_or_else(|| Refusal::new("MalformedPolicyDocument", "The policy is not valid JSON"))
}

/// Refuses unless the role's trust policy lets the caller in. A role of an account whose roles are
/// not declared lets everybody in.
fn trusted(call: &Call<'_>, asked: &Assume, role: &RoleName) -> Result<(), Refusal> {
    let Some(roles) = call
        .state
        .accounts
        .get(&role.account)
        .and_then(|it| it.roles.as_ref())
    else {
        return Ok(());
    };
    let context = context(call, asked);
    let allows = |declared: &Role, action: &str| {
        let trust = Document::from_value(&declared.trust);
        let question = call.caller.asks(action, &asked.role_arn, &context);
        trust.is_some_and(|it| judge(&[it], &question) == Verdict::Allowed)
    };
    let mut actions = vec!["sts:AssumeRole"];
    if !asked.tags.is_empty() {
        actions.push("sts:TagSession");
    }
    let declared = roles.get(&role.name);
    match actions
        .into_iter()
        .find(|it| !declared.is_some_and(|role| allows(role, it)))
    {
        Some(action) => Err(refused(call.caller, action, &asked.role_arn)),
        None => Ok(()),
    }
}

/// Refuses where the caller's own policies do not let them take other roles.
fn identity_allows(call: &Call<'_>, asked: &Assume) -> Result<(), Refusal> {
    let context = context(call, asked);
    let question = call
        .caller
        .asks("sts:AssumeRole", &asked.role_arn, &context);
    let judged = call
        .caller
        .policies
        .as_deref()
        .map(|it| judge(it, &question));
    match judged {
        None | Some(Verdict::Allowed) => Ok(()),
        // A trust policy of the same account that names the caller is enough.
        Some(Verdict::Silent) if asked.role_arn.contains(&call.caller.account) => Ok(()),
        Some(Verdict::Silent | Verdict::Denied) => {
            Err(refused(call.caller, "sts:AssumeRole", &asked.role_arn))
        }
    }
}

fn context(call: &Call<'_>, asked: &Assume) -> BTreeMap<String, Vec<String>> {
    let mut context = call.context();
    context.insert(
        "sts:rolesessionname".to_owned(),
        vec![asked.role_session_name.clone()],
    );
    if let Some(it) = &asked.external_id {
        context.insert("sts:externalid".to_owned(), vec![it.clone()]);
    }
    for tag in &asked.tags {
        let key = format!("aws:requesttag/{}", tag.key.to_lowercase());
        context.insert(key, vec![tag.value.clone()]);
        context
            .entry("aws:tagkeys".to_owned())
            .or_default()
            .push(tag.key.clone());
    }
    context
}

fn refused(caller: &Caller, action: &str, role: &str) -> Refusal {
    Refusal {
        code: "AccessDenied".to_owned(),
        ..denied(&caller.arn, action, role, "")
    }
    .with_status(403)
}

fn validation(message: &str) -> Refusal {
    Refusal::new("ValidationError", message)
}
