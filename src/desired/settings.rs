//! Settings that an object and its environment's defaults share, each checked and turned into the
//! domain's value. What cannot be is blamed on the field where it was said.

use std::collections::{BTreeMap, BTreeSet};

use super::Stopped;
use crate::api::registry::RegistryStatement;
use crate::api::settings as wire;
use crate::api::{Toggle, statements};
use crate::domain::access::{Access, Lambda};
use crate::domain::owner;
use crate::domain::policy::{Condition, Effect, Statement};
use crate::domain::repository::{Encryption, MOST_TAGS, Mutability, Setting};
use crate::domain::{Registry, policy};

const MOST_FILTERS: usize = 5;
const MOST_WILDCARDS: usize = 2;

/// A setting, and the field that says it.
pub(super) struct Said<'a, T> {
    pub(super) value: &'a T,
    pub(super) field: String,
}

pub(super) fn mutability(said: &Said<'_, wire::ImageTagMutability>) -> Result<Mutability, Stopped> {
    use wire::MutabilityMode::{Immutable, ImmutableWithExclusion, Mutable, MutableWithExclusion};
    let wire::ImageTagMutability {
        mode,
        exclusion_filters: filters,
    } = said.value;
    let field = format!("{}.exclusionFilters", said.field);
    for (i, filter) in filters.iter().enumerate() {
        check_filter(filter).map_err(|it| Stopped::invalid(format!("{field}[{i}]"), it))?;
    }
    let excepted: BTreeSet<_> = filters.iter().cloned().collect();
    match (mode, excepted.len()) {
        (Mutable, 0) => Ok(Mutability::Mutable),
        (Immutable, 0) => Ok(Mutability::Immutable),
        (Mutable | Immutable, _) => Err(Stopped::invalid(
            field,
            "filters go with MUTABLE_WITH_EXCLUSION and IMMUTABLE_WITH_EXCLUSION: change the mode, \
             or take them out",
        )),
        (MutableWithExclusion, 1..=MOST_FILTERS) => Ok(Mutability::MutableExcept(excepted)),
        (ImmutableWithExclusion, 1..=MOST_FILTERS) => Ok(Mutability::ImmutableExcept(excepted)),
        (MutableWithExclusion | ImmutableWithExclusion, _) => Err(Stopped::invalid(
            field,
            format!("give 1 to {MOST_FILTERS} filters"),
        )),
    }
}

/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageTagMutabilityExclusionFilter.html>
fn check_filter(filter: &str) -> Result<(), String> {
    let of_a_filter = |b: u8| b.is_ascii_alphanumeric() || b"._-*".contains(&b);
    let is_filter = (1..=128).contains(&filter.len())
        && filter.bytes().all(of_a_filter)
        && filter.matches('*').count() <= MOST_WILDCARDS;
    if is_filter {
        return Ok(());
    }
    Err(format!(
        "{filter:?} is no tag filter: write 1 to 128 letters, digits and . _ - with at most \
         {MOST_WILDCARDS} *, like dev-*"
    ))
}

pub(super) fn encryption(
    said: &Said<'_, wire::Encryption>,
    registry: &Registry,
) -> Result<Encryption, Stopped> {
    let wire::Encryption { type_, kms_key } = said.value;
    let field = format!("{}.kmsKey", said.field);
    if let Some(key) = kms_key {
        check_key(key, registry).map_err(|it| Stopped::invalid(&field, it))?;
    }
    match (type_, kms_key) {
        (wire::EncryptionType::Aes256, None) => Ok(Encryption::Aes256),
        (wire::EncryptionType::Aes256, Some(_)) => Err(Stopped::invalid(
            field,
            "a key goes with type KMS or KMS_DSSE: change the type, or take the key out",
        )),
        (wire::EncryptionType::Kms, key) => Ok(Encryption::Kms(key.clone())),
        (wire::EncryptionType::KmsDsse, _) if registry.partition() != "aws-us-gov" => {
            Err(Stopped::invalid(
                format!("{}.type", said.field),
                "ECR has KMS_DSSE in AWS GovCloud only: choose KMS",
            ))
        }
        (wire::EncryptionType::KmsDsse, key) => Ok(Encryption::KmsDsse(key.clone())),
    }
}

/// ECR answers with the key's ARN, so nothing else could be compared; and it uses keys of its own
/// region only.
fn check_key(key: &str, registry: &Registry) -> Result<(), String> {
    let parts: Vec<&str> = key.splitn(6, ':').collect();
    let ["arn", _, "kms", region, _, resource] = parts[..] else {
        return Err(format!("{key:?} is no ARN of a KMS key: write it in full"));
    };
    if resource.strip_prefix("key/").is_none_or(str::is_empty) {
        return Err(format!(
            "{key:?} is no ARN of a KMS key: write the key's, not an alias's"
        ));
    }
    if region != registry.region.as_str() {
        return Err(format!(
            "the key is in {region}, and the repository in {registry}: give a key of the \
             repository's region, in overrides where environments differ"
        ));
    }
    Ok(())
}

/// The repository policy. An access that grants nothing asks for none to be there.
pub(super) fn access(
    said: &Said<'_, wire::Access>,
    registry: &Registry,
) -> Result<Setting<policy::Document>, Stopped> {
    let wire::Access {
        pull,
        push,
        lambda,
        statements,
    } = said.value;
    let field = &said.field;
    let statements = statements.iter().enumerate();
    let access = Access {
        pull: parsed(pull, &format!("{field}.pull"))?,
        push: parsed(push, &format!("{field}.push"))?,
        lambda: match lambda {
            Some(Toggle::Enabled) => Lambda::Enabled,
            Some(Toggle::Disabled) | None => Lambda::Disabled,
        },
        statements: statements
            .map(|(i, it)| statement(it, &format!("{field}.statements[{i}]")))
            .collect::<Result<_, _>>()?,
    };
    let document = access
        .document(registry)
        .map_err(|it| Stopped::invalid(field, it))?;
    if document.as_ref().is_some_and(policy::Document::is_public) {
        let message = "this would let anybody in: name accounts, roles or organizations";
        return Err(Stopped::invalid(field, message));
    }
    Ok(document.map_or(Setting::Absent, Setting::Present))
}

fn statement(it: &statements::Statement, field: &str) -> Result<Statement, Stopped> {
    let statements::Statement {
        sid,
        effect,
        principals,
        actions,
        conditions,
    } = it;
    let condition = |it: &statements::StatementCondition| Condition {
        operator: it.operator.clone(),
        key: it.key.clone(),
        values: it.values.iter().cloned().collect(),
    };
    Ok(Statement {
        sid: Some(sid.clone()),
        effect: match effect {
            statements::Effect::Allow => Effect::Allow,
            statements::Effect::Deny => Effect::Deny,
        },
        principals: parsed(principals, &format!("{field}.principals"))?,
        actions: parsed(actions, &format!("{field}.actions"))?,
        conditions: conditions.iter().map(condition).collect(),
    })
}

/// A statement of the registry policy under the sid that it has there. A wildcard in it could mean
/// everybody, or every action, so there is none.
pub(super) fn registry_statement(
    said: &Said<'_, RegistryStatement>,
    sid: &str,
) -> Result<Statement, Stopped> {
    let RegistryStatement {
        sid: _,
        principals,
        actions,
        repositories: _,
        conditions,
    } = said.value;
    let wild = |it: &&str| it.contains(['*', '?']);
    for (field, texts) in [("principals", principals), ("actions", actions)] {
        if let Some(text) = texts.iter().map(String::as_str).find(wild) {
            let message = format!("{text:?} has a wildcard: write it in full");
            return Err(Stopped::invalid(format!("{}.{field}", said.field), message));
        }
    }
    statement(
        &statements::Statement {
            sid: sid.to_owned(),
            effect: statements::Effect::Allow,
            principals: principals.clone(),
            actions: actions.clone(),
            conditions: conditions.clone(),
        },
        &said.field,
    )
}

fn parsed<T: Ord + std::str::FromStr<Err: std::fmt::Display>>(
    texts: &[String],
    field: &str,
) -> Result<BTreeSet<T>, Stopped> {
    let parse = |(i, text): (usize, &String)| {
        text.parse()
            .map_err(|it| Stopped::invalid(format!("{field}[{i}]"), it))
    };
    texts.iter().enumerate().map(parse).collect()
}

/// Checks that ECR takes these tags beside our own.
pub(super) fn check_tags(tags: &BTreeMap<String, String>, field: &str) -> Result<(), Stopped> {
    let ours = owner::KEYS.len();
    if tags.len() + ours > MOST_TAGS {
        let message = format!(
            "with those of the environment there are {} tags, and ECR takes {MOST_TAGS}, of which \
             {ours} are the owner's: take some out",
            tags.len()
        );
        return Err(Stopped::invalid(field, message));
    }
    for (key, value) in tags {
        let of_a_tag = |c: char| c.is_alphanumeric() || " _.:/=+-@".contains(c);
        let problem = if owner::is_reserved(key) {
            format!(
                "keys that start with aws: or {} are reserved, in upper or lower case: choose another",
                owner::PREFIX
            )
        } else if !(1..=128).contains(&key.chars().count()) || value.chars().count() > 256 {
            "a key has 1 to 128 characters, and a value at most 256".to_owned()
        } else if !key.chars().chain(value.chars()).all(of_a_tag) {
            "write letters, digits, spaces and _ . : / = + - @ only".to_owned()
        } else {
            continue;
        };
        return Err(Stopped::invalid(format!("{field}[{key}]"), problem));
    }
    Ok(())
}
