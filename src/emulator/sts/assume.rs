//! `AssumeRole`. <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use std::collections::BTreeMap;

use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::call::{Answer, Call, Caller, denied};
use super::super::iam::{Document, Question, Verdict, is_account, judge};
use super::super::refusal::Refusal;
use super::super::state::{Session, State};
use super::unique_id;

/// The input; numbers come as text.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(super) struct Assume {
    /// The role's ARN.
    pub(super) role_arn: String,
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
pub(super) struct RoleName {
    /// Its account.
    pub(super) account: String,
    /// Its name with its path.
    pub(super) name: String,
}

/// Gives credentials of a role to whoever the role trusts.
pub(super) fn role(call: &mut Call<'_>, input: &Value) -> Answer {
    let asked = Assume::read(input)?;
    let role = asked.check()?;
    let context = context(call, &asked);
    let mut actions = vec!["sts:AssumeRole"];
    if !asked.tags.is_empty() {
        actions.push("sts:TagSession");
    }
    let caller = call.caller;
    trusted(call.state, &role, &actions, |action| {
        caller.asks(action, &asked.role_arn, &context)
    })
    .map_err(|action| refused(caller, action, &asked.role_arn))?;
    identity_allows(caller, &asked, &context)?;
    give(call, &asked, role)
}

/// Makes credentials of a role up, and remembers them.
pub(super) fn give(call: &mut Call<'_>, asked: &Assume, role: RoleName) -> Answer {
    let duration = duration(asked.duration_seconds.as_deref())?;
    let policy = asked.policy.as_deref().map(session_policy).transpose()?;
    let made_up = call.state.make_up("access key").to_uppercase();
    let access_key = format!("ASIA{}", &made_up[..16]);
    let secret = call.state.make_up("secret key");
    let token = format!(
        "emulated-session-token/{}",
        call.state.make_up("session token")
    );
    let expires = call.now.checked_add(duration).unwrap_or(call.now);
    let name = &asked.role_session_name;
    let short = role.name.rsplit('/').next().unwrap_or_default();
    let answer = json!({
        "Credentials": {
            "AccessKeyId": access_key,
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": expires.round(jiff::Unit::Second).unwrap_or(expires).to_string(),
        },
        "AssumedRoleUser": {
            "AssumedRoleId": format!("{}:{name}", unique_id("AROA", &asked.role_arn)),
            "Arn": format!("arn:aws:sts::{}:assumed-role/{short}/{name}", role.account),
        },
    });
    let session = Session {
        account: role.account,
        role: role.name,
        role_arn: asked.role_arn.clone(),
        name: name.clone(),
        token,
        expires,
        tags: asked
            .tags
            .iter()
            .map(|it| (it.key.clone(), it.value.clone()))
            .collect(),
        policy,
    };
    call.state.sessions.insert(access_key, session);
    Ok(answer)
}

impl Assume {
    /// Reads the input.
    pub(super) fn read(input: &Value) -> Result<Self, Refusal> {
        Self::deserialize(input).map_err(|it| validation(&it.to_string()))
    }

    /// Refuses what the service model does not allow, and says which role is meant.
    pub(super) fn check(&self) -> Result<RoleName, Refusal> {
        let name = &self.role_session_name;
        let of_session = |it: u8| it.is_ascii_alphanumeric() || b"_+=,.@-".contains(&it);
        if !(2..=64).contains(&name.len()) || !name.bytes().all(of_session) {
            return Err(validation(&format!(
                "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy \
                 constraint: Member must satisfy regular expression pattern: [\\w+=,.@-]*"
            )));
        }
        if self.tags.len() > 50 {
            return Err(validation(
                "the number of session tags exceeds the limit of 50",
            ));
        }
        let external = self.external_id.as_deref();
        if external.is_some_and(|it| !(2..=1224).contains(&it.len())) {
            return Err(validation(
                "1 validation error detected: Value at 'externalId' failed to satisfy constraint: \
                 Member must have length between 2 and 1224",
            ));
        }
        parse(&self.role_arn).ok_or_else(|| validation(&format!("{} is invalid", self.role_arn)))
    }
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

/// The action that the role's trust policy does not allow, of those that are asked for. A role of
/// an account whose roles are not declared lets everybody in.
pub(super) fn trusted<'a>(
    state: &State,
    role: &RoleName,
    actions: &[&'a str],
    question: impl Fn(&'a str) -> Question<'a>,
) -> Result<(), &'a str> {
    let declared = state.accounts.get(&role.account);
    let Some(roles) = declared.and_then(|it| it.roles.as_ref()) else {
        return Ok(());
    };
    let trust = roles
        .get(&role.name)
        .and_then(|it| Document::from_value(&it.trust));
    let documents: Vec<Document> = trust.into_iter().collect();
    let allows = |action: &'a str| judge(&documents, &question(action)) == Verdict::Allowed;
    match actions.iter().find(|it| !allows(it)) {
        Some(action) => Err(action),
        None => Ok(()),
    }
}

/// Refuses where the caller's own policies do not let them take other roles.
fn identity_allows(
    caller: &Caller,
    asked: &Assume,
    context: &BTreeMap<String, Vec<String>>,
) -> Result<(), Refusal> {
    let question = caller.asks("sts:AssumeRole", &asked.role_arn, context);
    match caller.policies.as_deref().map(|it| judge(it, &question)) {
        None | Some(Verdict::Allowed) => Ok(()),
        // A trust policy of the same account that names the caller is enough.
        Some(Verdict::Silent) if asked.role_arn.contains(&caller.account) => Ok(()),
        Some(Verdict::Silent | Verdict::Denied) => {
            Err(refused(caller, "sts:AssumeRole", &asked.role_arn))
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
