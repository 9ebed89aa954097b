//! Pull-through cache rules: made, changed, described, validated, deleted.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::super::call::{Answer, Call, Stop, seconds};
use super::super::super::protocol::paging::{Page, with_token};
use super::super::super::refusal::Refusal;
use super::super::super::state::{PullThroughRule, RegistryKey};
use super::super::super::upstream::{Failure, Import};
use super::ROOT;

/// A registry has at most this many rules.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>
const MOST: usize = 50;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Create {
    ecr_repository_prefix: String,
    upstream_registry_url: String,
    upstream_registry: Option<String>,
    credential_arn: Option<String>,
    custom_role_arn: Option<String>,
    upstream_repository_prefix: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Update {
    ecr_repository_prefix: String,
    credential_arn: Option<String>,
    custom_role_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Named {
    ecr_repository_prefix: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(in super::super) struct Describe {
    ecr_repository_prefixes: Option<Vec<String>>,
    next_token: Option<String>,
    max_results: Option<usize>,
}

/// `CreatePullThroughCacheRule`.
pub(in super::super) fn create(call: &mut Call<'_>, at: &RegistryKey, input: &Create) -> Answer {
    let url = &input.upstream_registry_url;
    let host = url
        .trim_start_matches("https://")
        .trim_end_matches('/')
        .to_owned();
    let kind = kind_of(&host)
        .filter(|it| {
            input
                .upstream_registry
                .as_ref()
                .is_none_or(|asked| asked == it)
        })
        .ok_or_else(|| {
            Refusal::new(
                "UnsupportedUpstreamRegistryException",
                format!("The specified upstream registry '{url}' isn't supported"),
            )
        })?;
    let rule = PullThroughRule {
        prefix: input.ecr_repository_prefix.clone(),
        url: host,
        upstream: kind.to_owned(),
        upstream_prefix: input
            .upstream_repository_prefix
            .clone()
            .unwrap_or_else(|| ROOT.to_owned()),
        credential: input.credential_arn.clone(),
        role: input.custom_role_arn.clone(),
        created: call.now,
        updated: call.now,
    };
    authenticates(call, at, &rule)?;
    let rules = &mut call.registry(at).rules;
    let same = |it: &&String| it.trim_end_matches('/') == rule.prefix.trim_end_matches('/');
    if rules.keys().any(|it| same(&it)) {
        return Err(Refusal::new(
            "PullThroughCacheRuleAlreadyExistsException",
            format!(
                "A pull through cache rule with the prefix '{}' already exists in the registry with id '{}'",
                rule.prefix, at.account
            ),
        )
        .into());
    }
    if rules.len() >= MOST {
        return Err(Refusal::new(
            "LimitExceededException",
            format!("The registry already has the maximum of {MOST} pull through cache rules"),
        )
        .into());
    }
    let mut answer = view(at, &rule);
    without(&mut answer, &["updatedAt"]);
    rules.insert(rule.prefix.clone(), rule);
    Ok(answer)
}

/// `UpdatePullThroughCacheRule`: only how it authenticates can be changed.
pub(in super::super) fn update(call: &mut Call<'_>, at: &RegistryKey, input: &Update) -> Answer {
    let mut rule = find(call, at, &input.ecr_repository_prefix)?;
    if input.credential_arn.is_none() && input.custom_role_arn.is_none() {
        return Err(
            Refusal::validation("Either credentialArn or customRoleArn must be specified").into(),
        );
    }
    rule.credential = input.credential_arn.clone().or(rule.credential);
    rule.role = input.custom_role_arn.clone().or(rule.role);
    rule.updated = call.now;
    authenticates(call, at, &rule)?;
    let mut answer = view(at, &rule);
    without(
        &mut answer,
        &["upstreamRegistryUrl", "upstreamRegistry", "createdAt"],
    );
    call.registry(at).rules.insert(rule.prefix.clone(), rule);
    Ok(answer)
}

/// `DescribePullThroughCacheRules`.
pub(in super::super) fn describe(
    call: &mut Call<'_>,
    at: &RegistryKey,
    input: &Describe,
) -> Answer {
    if let Some(prefixes) = &input.ecr_repository_prefixes {
        if input.next_token.is_some() || input.max_results.is_some() {
            return Err(Refusal::invalid(
                "ecrRepositoryPrefixes",
                "nextToken and maxResults cannot be used with ecrRepositoryPrefixes",
            )
            .into());
        }
        let found = prefixes.iter().map(|it| Ok(view(at, &find(call, at, it)?)));
        let found: Vec<Value> = found.collect::<Result<_, Refusal>>()?;
        return Ok(json!({"pullThroughCacheRules": found}));
    }
    let page = Page::new(
        format!("DescribePullThroughCacheRules {at}"),
        input.max_results,
        100,
        input.next_token.as_deref(),
    )?;
    let (listed, token) = page.take(call.registry(at).rules.values(), |it| it.prefix.clone());
    let listed: Vec<Value> = listed.into_iter().map(|it| view(at, it)).collect();
    Ok(with_token(json!({"pullThroughCacheRules": listed}), token))
}

/// `DeletePullThroughCacheRule`. The repositories of the cache stay.
pub(in super::super) fn delete(call: &mut Call<'_>, at: &RegistryKey, input: &Named) -> Answer {
    let rule = find(call, at, &input.ecr_repository_prefix)?;
    call.registry(at).rules.remove(&rule.prefix);
    let mut answer = view(at, &rule);
    without(&mut answer, &["updatedAt", "upstreamRegistry"]);
    Ok(answer)
}

/// `ValidatePullThroughCacheRule`: asks the upstream, where something stands in for it.
pub(in super::super) fn validate(call: &mut Call<'_>, at: &RegistryKey, input: &Named) -> Answer {
    let rule = find(call, at, &input.ecr_repository_prefix)?;
    let probe = Import::probe(&rule.url);
    let failure = match call.imports.get(&probe) {
        None => return Err(Stop::Needs(probe)),
        Some(Err(Failure::Upstream(code))) => Some(code.clone()),
        Some(Ok(_) | Err(Failure::NotFound)) => None,
    };
    let mut answer = view(at, &rule);
    without(&mut answer, &["createdAt", "updatedAt", "upstreamRegistry"]);
    answer["isValid"] = failure.is_none().into();
    if let Some(failure) = failure {
        answer["failure"] = failure.into();
    }
    Ok(answer)
}

/// What kind of registry a host is, in ECR's words.
fn kind_of(host: &str) -> Option<&'static str> {
    let ecr = || {
        host.split_once(".dkr.ecr.")
            .is_some_and(|(account, _)| super::super::super::iam::is_account(account))
    };
    Some(match host {
        "registry-1.docker.io" => "docker-hub",
        "quay.io" => "quay",
        "registry.k8s.io" => "k8s",
        "ghcr.io" => "github-container-registry",
        "registry.gitlab.com" => "gitlab-container-registry",
        "public.ecr.aws" => "ecr-public",
        "cgr.dev" => "chainguard",
        it if it.ends_with(".azurecr.io") => "azure-container-registry",
        _ if ecr() => "ecr",
        _ => return None,
    })
}

/// Refuses a rule that cannot authenticate: some upstreams need a secret, which must exist in the
/// rule's own account and region, and ECR needs a role.
fn authenticates(call: &Call<'_>, at: &RegistryKey, rule: &PullThroughRule) -> Result<(), Refusal> {
    let needs_secret = !matches!(
        rule.upstream.as_str(),
        "ecr" | "ecr-public" | "quay" | "k8s"
    );
    match (&rule.credential, needs_secret) {
        (None, true) => {
            return Err(Refusal::validation(format!(
                "The credentialArn is required for the upstream registry {}",
                rule.upstream
            )));
        }
        (Some(_), _) if matches!(rule.upstream.as_str(), "ecr" | "ecr-public" | "k8s") => {
            return Err(Refusal::validation(format!(
                "The credentialArn is not supported for the upstream registry {}",
                rule.upstream
            )));
        }
        _ => {}
    }
    if rule.role.is_some() && rule.upstream != "ecr" {
        return Err(Refusal::validation(
            "The customRoleArn is only supported for the upstream registry ecr",
        ));
    }
    rule.credential
        .as_deref()
        .map_or(Ok(()), |it| secret_exists(call, at, it))
}

fn secret_exists(call: &Call<'_>, at: &RegistryKey, arn: &str) -> Result<(), Refusal> {
    let mut parts = arn.splitn(7, ':').skip(3);
    let (region, account) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let name = parts.nth(1).unwrap_or_default();
    if (region, account) != (at.region.as_str(), at.account.as_str()) {
        return Err(Refusal::new(
            "UnableToAccessSecretException",
            "The secret must be in the same account and Region as the pull through cache rule",
        ));
    }
    // A complete ARN ends with a hyphen and six characters that the name does not have.
    let same = |it: &String| {
        name == it
            || name
                .strip_prefix(it.as_str())
                .is_some_and(|it| it.starts_with('-') && it.len() == 7)
    };
    let declared = call
        .state
        .accounts
        .get(account)
        .and_then(|it| it.secrets.as_ref());
    match declared.is_none_or(|it| it.iter().any(same)) {
        true => Ok(()),
        false => Err(Refusal::new(
            "SecretNotFoundException",
            format!("The secret {arn} does not exist"),
        )),
    }
}

fn find(call: &mut Call<'_>, at: &RegistryKey, prefix: &str) -> Result<PullThroughRule, Refusal> {
    call.registry(at).rules.get(prefix).cloned().ok_or_else(|| {
        Refusal::new(
            "PullThroughCacheRuleNotFoundException",
            format!(
                "The pull through cache rule with the prefix '{prefix}' does not exist in the registry with id '{}'",
                at.account
            ),
        )
    })
}

fn view(at: &RegistryKey, rule: &PullThroughRule) -> Value {
    let mut view = json!({
        "ecrRepositoryPrefix": rule.prefix,
        "upstreamRegistryUrl": rule.url,
        "createdAt": seconds(rule.created),
        "registryId": at.account,
        "upstreamRepositoryPrefix": rule.upstream_prefix,
        "upstreamRegistry": rule.upstream,
        "updatedAt": seconds(rule.updated),
    });
    if let Some(it) = &rule.credential {
        view["credentialArn"] = it.as_str().into();
    }
    if let Some(it) = &rule.role {
        view["customRoleArn"] = it.as_str().into();
    }
    view
}

/// Takes members away that this operation does not tell.
fn without(answer: &mut Value, members: &[&str]) {
    if let Some(it) = answer.as_object_mut() {
        it.retain(|name, _| !members.contains(&name.as_str()));
    }
}
