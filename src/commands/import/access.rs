//! A repository policy as `spec.access`: exactly, or not at all.

use std::collections::BTreeSet;

use crate::api::Toggle;
use crate::api::settings::Access;
use crate::api::statements::{self, StatementCondition};
use crate::domain::Registry;
use crate::domain::access::{self as domain, SID_PREFIX};
use crate::domain::names::InvalidName;
use crate::domain::policy::{Document, Effect, Principal, Statement};

/// The bounds of `spec.access.statements`, which the API server holds to.
const MOST_STATEMENTS: usize = 8;
const MOST_PRINCIPALS: usize = 16;
const MOST_ACTIONS: usize = 32;
const MOST_CONDITIONS: usize = 8;
const MOST_VALUES: usize = 32;

/// The access that makes this document in `registry`.
///
/// # Errors
/// When `spec.access` cannot say what it says.
pub(super) fn of(document: &Document, registry: &Registry) -> Result<Access, String> {
    let typed = document.typed().map_err(|it| it.to_string())?;
    let is_ours = |it: &Statement| it.sid.as_ref().is_some_and(|it| it.starts_with(SID_PREFIX));
    let (ours, others): (Vec<_>, Vec<_>) = typed.into_iter().partition(is_ours);
    if others.len() > MOST_STATEMENTS {
        return Err(format!("it has more than {MOST_STATEMENTS} statements"));
    }
    let mut access = Access {
        statements: others.iter().map(statement).collect::<Result<_, _>>()?,
        ..Access::default()
    };
    let mut words = domain::Access {
        statements: others,
        ..domain::Access::default()
    };
    for it in &ours {
        let (pull, push) = (&mut access.pull, &mut access.push);
        match it.sid.as_deref().and_then(|it| it.strip_prefix(SID_PREFIX)) {
            Some("Pull") => pull.extend(it.principals.iter().map(principal)),
            Some("Push") => push.extend(it.principals.iter().map(principal)),
            Some("PullOrganizations") => pull.extend(organizations(it)),
            Some("PushOrganizations") => push.extend(organizations(it)),
            Some("Lambda") => {
                access.lambda = Some(Toggle::Enabled);
                words.lambda = domain::Lambda::Enabled;
            }
            Some(_) | None => {}
        }
    }
    words.pull = grantees(&access.pull)?;
    words.push = grantees(&access.push)?;
    match words.document(registry) {
        Ok(Some(same)) if same == *document => Ok(access),
        Ok(_) => Err(format!("its statements {SID_PREFIX}... were edited")),
        Err(invalid) => Err(invalid.to_string()),
    }
}

fn organizations(it: &Statement) -> impl Iterator<Item = String> {
    let conditions = it.conditions.iter();
    conditions.flat_map(|it| it.values.iter().cloned())
}

fn grantees(texts: &[String]) -> Result<BTreeSet<domain::Grantee>, String> {
    let parse = |it: &String| it.parse().map_err(|it: InvalidName| it.to_string());
    texts.iter().map(parse).collect()
}

fn statement(it: &Statement) -> Result<statements::Statement, String> {
    let Statement {
        sid,
        effect,
        principals,
        actions,
        conditions,
    } = it;
    let Some(sid) = sid else {
        return Err("a statement has no Sid, by which it would be found again".to_owned());
    };
    if sid.len() > 64 || !is_word(sid) {
        return Err(format!("Sid {sid:?} is not 1 to 64 letters and digits"));
    }
    if *effect == Effect::Allow && principals.contains(&Principal::Anyone) {
        return Err(format!("statement {sid} allows everybody"));
    }
    if principals.len() > MOST_PRINCIPALS || actions.len() > MOST_ACTIONS {
        return Err(format!(
            "statement {sid} has more principals or actions than fit"
        ));
    }
    let conditions = conditions.iter().map(|it| StatementCondition {
        operator: it.operator.clone(),
        key: it.key.clone(),
        values: it.values.iter().cloned().collect(),
    });
    let conditions: Vec<_> = conditions.collect();
    let full = |it: &StatementCondition| it.values.len() > MOST_VALUES;
    if conditions.len() > MOST_CONDITIONS || conditions.iter().any(full) {
        return Err(format!("statement {sid} has more conditions than fit"));
    }
    Ok(statements::Statement {
        sid: sid.clone(),
        effect: match effect {
            Effect::Allow => statements::Effect::Allow,
            Effect::Deny => statements::Effect::Deny,
        },
        principals: principals.iter().map(principal).collect(),
        actions: actions.iter().map(ToString::to_string).collect(),
        conditions,
    })
}

fn is_word(sid: &str) -> bool {
    !sid.is_empty() && sid.bytes().all(|b| b.is_ascii_alphanumeric())
}

fn principal(it: &Principal) -> String {
    match it {
        Principal::Anyone => "*".to_owned(),
        Principal::Account(account) => account.to_string(),
        Principal::Arn(text) | Principal::Service(text) => text.clone(),
    }
}
