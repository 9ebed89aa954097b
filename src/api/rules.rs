//! Validation rules that several fields share, as CEL for the API server. A message says what to
//! write instead; the field itself is named by the API server. Every rule reads bounded values
//! only, or the API server refuses the definition for its cost.

use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};

/// One AWS account.
pub(super) fn account_id() -> Rule {
    Rule::new("self.matches('^[0-9]{12}$')")
        .message("write the twelve digits of an AWS account, in quotes: \"333333333333\"")
}

/// AWS accounts.
pub(super) fn account_ids() -> Rule {
    Rule::new(format!("self.all(it, it.matches('^{ACCOUNT}$'))"))
        .message("write the twelve digits of AWS accounts, in quotes: \"444444444444\"; never *")
}

/// Roles and users.
pub(super) fn principal_arns() -> Rule {
    Rule::new(format!("self.all(it, it.matches(r'^{ARN}$'))"))
        .message("write IAM ARNs in full, like arn:aws:iam::444444444444:role/ci; never *")
}

/// One AWS region.
pub(super) fn region() -> Rule {
    Rule::new(format!("self.matches('{REGION}')"))
        .message("write an AWS region's code, like eu-central-1")
}

/// A list of AWS regions.
pub(super) fn regions() -> Rule {
    Rule::new(format!("self.all(it, it.matches('{REGION}'))"))
        .message("write AWS regions' codes, like eu-central-1")
}

const REGION: &str = "^[a-z]{2,}(-[a-z0-9]+)*-[0-9]+$";

/// The name of an `EnvironmentAccount`.
pub(super) fn environment() -> Rule {
    Rule::new(format!("self.matches('{LABEL}')"))
        .message("write the name of an EnvironmentAccount: lower-case letters, digits and hyphens")
}

/// Names of `EnvironmentAccount`s.
pub(super) fn environments() -> Rule {
    Rule::new(format!("self.all(it, it.matches('{LABEL}'))"))
        .message("write names of EnvironmentAccounts: lower-case letters, digits and hyphens")
}

const LABEL: &str = "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$";

/// The name of a cluster-scoped object.
pub(super) fn object_name() -> Rule {
    Rule::new("self.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')")
        .message("write the name of an object: lower-case letters, digits, dots and hyphens")
}

/// An IAM role's ARN.
pub(super) fn role_arn() -> Rule {
    Rule::new("self.matches(r'^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$')")
        .message("write an IAM role's ARN, like arn:aws:iam::333333333333:role/ecr-operator")
}

/// ARNs of IAM roles.
pub(super) fn role_arns() -> Rule {
    Rule::new(
        "self.all(it, it.matches(r'^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$'))",
    )
    .message("write IAM roles' ARNs, like arn:aws:iam::333333333333:role/eks-nodes")
}

/// An ECR repository's name.
pub(super) fn repository_name() -> Rule {
    Rule::new(format!("self.matches(r'^{COMPONENT}(/{COMPONENT})*$')")).message(
        "write 2 to 256 lower-case letters and digits, separated by one of . _ __ - or /, \
         like payments/api",
    )
}

/// The prefix of a pull-through cache rule, or of what it caches.
pub(super) fn cache_prefix() -> Rule {
    Rule::new(format!(
        "self == 'ROOT' || self.matches('^{SEGMENT}(/{SEGMENT})*/?$')"
    ))
    .message("write ROOT, or 2 to 30 lower-case letters and digits, separated by one of . _ - or /")
}

const SEGMENT: &str = "[a-z0-9]+([._-][a-z0-9]+)*";
const COMPONENT: &str = "[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*";

/// An ECR setting that its API cannot change.
pub(super) fn immutable(message: &str) -> Rule {
    Rule::new("self == oldSelf").message(message)
}

/// A field of a spec that may neither be changed nor added nor taken away.
pub(super) fn fixed(field: &str, message: &str) -> Rule {
    Rule::new(format!(
        "has(self.{field}) == has(oldSelf.{field}) && \
         (!has(self.{field}) || self.{field} == oldSelf.{field})"
    ))
    .message(message)
    .field_path(format!(".{field}"))
}

/// Who may pull or push.
pub(super) fn principals() -> Rule {
    Rule::new(format!(
        "self.all(it, it.matches(r'^({ACCOUNT}|{ARN}|o-[a-z0-9]{{10,32}})$'))"
    ))
    .message(
        "write account ids (\"444444444444\"), IAM ARNs \
         (arn:aws:iam::444444444444:role/nodes) or organization ids (o-abc1234567); never *",
    )
}

/// Who a raw statement is about.
pub(super) fn statement_principals() -> Rule {
    Rule::new(format!(
        "self.all(it, it.matches(r'^([*]|{ACCOUNT}|{ARN}|{SERVICE})$'))"
    ))
    .message(
        "write account ids (\"444444444444\"), IAM ARNs (arn:aws:iam::444444444444:role/nodes), \
         AWS services (codebuild.amazonaws.com), or * in a statement that denies",
    )
}

/// Who a statement of the registry policy is about: nobody whom a wildcard could mean.
pub(super) fn registry_principals() -> Rule {
    Rule::new(format!(
        "self.all(it, it.matches(r'^({ACCOUNT}|{ARN}|{SERVICE})$'))"
    ))
    .message(
        "write account ids (\"444444444444\"), IAM ARNs (arn:aws:iam::444444444444:role/nodes) or \
         AWS services (codebuild.amazonaws.com); never *",
    )
}

/// Names of repositories with wildcards, as scanning and signing rules take them.
pub(super) fn wildcard_filters() -> Rule {
    Rule::new("self.all(it, it.matches('^[a-z0-9*]([._/a-z0-9*-]?[a-z0-9*]+)*$'))")
        .message("write names of repositories, in which * stands for anything, like prod-*")
}

const ACCOUNT: &str = "[0-9]{12}";
const ARN: &str = "arn:aws[a-z-]*:(iam|sts)::[0-9]{12}:[A-Za-z0-9+=,.@_/-]+";
const SERVICE: &str = "[a-z0-9.-]+[.]amazonaws[.]com([.]cn)?";

/// Tag keys that nobody but AWS and we may write, compared as IAM does: without regard to case.
pub(super) fn tag_keys() -> Rule {
    Rule::new(
        "self.all(key, key.size() >= 1 && key.size() <= 128 && \
         !key.lowerAscii().startsWith('aws:') && \
         !key.lowerAscii().startsWith('ecr-operator.dev/'))",
    )
    .message(
        "write tag keys of 1 to 128 characters; those that start with aws: or ecr-operator.dev/ \
         are reserved, in upper or lower case",
    )
}

/// Resource tags: 50 a repository, of which three are the owner's.
pub(super) fn tags(_: &mut SchemaGenerator) -> Schema {
    text_map(47, 256)
}

/// Labels to match.
pub(super) fn labels(_: &mut SchemaGenerator) -> Schema {
    text_map(32, 63)
}

fn text_map(entries: u32, length: u32) -> Schema {
    json_schema!({
        "type": "object",
        "maxProperties": entries,
        "additionalProperties": { "type": "string", "maxLength": length },
    })
}
