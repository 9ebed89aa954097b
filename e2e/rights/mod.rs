//! The operator's rights, in AWS and in the cluster: what it is allowed is what it does, in both
//! directions. Every story runs with the policies that `ecr-operator iam` prints and the rules that
//! the chart installs, so one right too few fails the story; each call there is belongs to a story
//! that is asked in the end whether it was made.

use std::collections::BTreeSet;
use std::path::Path;

use ecr_operator::commands::demo::stage::{Stage, WEBHOOK_KEY};
use ecr_operator::commands::iam::policy::{self, Part, Target};
use ecr_operator::domain::pull_through::RoleArn;
use ecr_operator::domain::rights::SERVING;
use ecr_operator::ecr::Operation;
use ecr_operator::emulator::{Entry, Outcome, Seed};
use k8s_openapi::api::rbac::v1::PolicyRule;
use serde_json::{Value, json};

mod printed;

/// The user that what leads is to the API server, and an operator of one process.
pub(crate) const USER: &str = "system:serviceaccount:ecr-system:ecr-operator";
/// The user that what serves is.
pub(crate) const WEBHOOK_USER: &str = "system:serviceaccount:ecr-system:ecr-operator-webhook";
/// The role that it assumes in each account.
const ROLE: &str = "ecr-operator";
/// The role that it lists images by, in an account that has it.
const READ_ROLE: &str = "ecr-operator-read";
/// The account of the operator's own credentials.
const HUB: &str = "999999999999";
/// The condition key of the owner tag, as a JSON pointer has it.
const TAG: &str = "aws:ResourceTag~1ecr-operator.dev~1cluster";

/// What the chart grants a user, and the story that is held to each of its rights.
struct Granted {
    user: &'static str,
    rules: &'static [&'static str],
    story: fn(&str, &str) -> Story,
}

const GRANTED: [Granted; 2] = [
    Granted {
        user: USER,
        rules: &[
            include_str!("../../charts/ecr-operator/files/cluster-rules.yaml"),
            include_str!("../../charts/ecr-operator/files/namespace-rules.yaml"),
            include_str!("../../charts/ecr-operator/files/probe-rules.yaml"),
        ],
        story: story_in_cluster,
    },
    Granted {
        user: WEBHOOK_USER,
        rules: &[
            include_str!("../../charts/ecr-operator/files/webhook-cluster-rules.yaml"),
            include_str!("../../charts/ecr-operator/files/webhook-namespace-rules.yaml"),
        ],
        story: |_, _| Story::Serving,
    },
];

/// The seed of these accounts, in which the operator's roles may do what `ecr-operator iam` says that
/// cluster `east` needs, and nothing else.
pub(crate) fn granted(seed: &str) -> Seed {
    let mut seed: Value = serde_saphyr::from_str(seed).unwrap();
    for (account, it) in seed["accounts"].as_object_mut().unwrap() {
        let Some(role) = it.get_mut("roles").and_then(|it| it.get_mut(ROLE)) else {
            continue;
        };
        let target = Target {
            partition: "aws",
            account: account.parse().unwrap(),
            external_id: None,
            parts: [
                Part::Read,
                Part::Repositories,
                Part::Deletion,
                Part::Caches,
                Part::Registry,
            ]
            .into(),
        };
        let mut policy = policy::permissions(&target, &"east".parse().unwrap());
        // Clusters have a role each; those of these stories share one.
        for statement in policy["Statement"].as_array_mut().unwrap() {
            for operator in ["StringEquals", "StringNotEquals"] {
                if let Some(cluster) =
                    statement.pointer_mut(&format!("/Condition/{operator}/{TAG}"))
                {
                    *cluster = json!(["east", "west"]);
                }
            }
        }
        role["policies"] = json!([policy]);
        if let Some(role) = it["roles"].get_mut(READ_ROLE) {
            role["policies"] = json!([policy::listing(&target)]);
        }
    }
    // What serves has credentials of its own, which may assume the roles that list and nothing else.
    let roles = listing_roles(&seed);
    let roles: Vec<RoleArn> = roles.map(|it| it.parse().unwrap()).collect();
    let user = json!({"accessKey": WEBHOOK_KEY, "policies": [policy::hub(&roles)]});
    seed["accounts"][HUB] = json!({"users": {"ecr-operator-webhook": user}});
    Seed::parse(&seed.to_string()).unwrap()
}

/// The ARNs of the roles that images are listed by in the accounts of this seed.
fn listing_roles(seed: &Value) -> impl Iterator<Item = String> {
    let accounts = seed["accounts"].as_object().unwrap().iter();
    accounts.filter_map(|(account, it)| {
        let roles = [READ_ROLE, ROLE].into_iter();
        let role = roles
            .into_iter()
            .find(|role| it["roles"].get(role).is_some())?;
        Some(format!("arn:aws:iam::{account}:role/{role}"))
    })
}

/// The stories that together make every call there is, to AWS and to the API server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Story {
    /// The life of a team's repositories.
    Life,
    /// The life of a pull-through cache.
    Caches,
    /// What is told before it fails: what roles lack, and that admission is not reached.
    Told,
    /// What a registry has only one of.
    Registry,
    /// The safety catch of lifecycle policies.
    Lifecycle,
    /// What serves, before and after what leads has died.
    Serving,
}

/// The story that makes a call, and is held to it.
fn story(call: Operation) -> Story {
    match call {
        Operation::SimulatePrincipalPolicy => Story::Told,
        Operation::DescribeRegistry
        | Operation::PutReplicationConfiguration
        | Operation::GetRegistryScanningConfiguration
        | Operation::PutRegistryScanningConfiguration
        | Operation::GetSigningConfiguration
        | Operation::PutSigningConfiguration
        | Operation::DeleteSigningConfiguration
        | Operation::GetRegistryPolicy
        | Operation::PutRegistryPolicy
        | Operation::DeleteRegistryPolicy
        | Operation::GetAccountSetting
        | Operation::PutAccountSetting
        | Operation::ListPullTimeUpdateExclusions
        | Operation::RegisterPullTimeUpdateExclusion
        | Operation::DeregisterPullTimeUpdateExclusion => Story::Registry,
        Operation::StartLifecyclePolicyPreview | Operation::GetLifecyclePolicyPreview => {
            Story::Lifecycle
        }
        Operation::BatchGetImage
        | Operation::DescribePullThroughCacheRules
        | Operation::CreatePullThroughCacheRule
        | Operation::UpdatePullThroughCacheRule
        | Operation::ValidatePullThroughCacheRule
        | Operation::DescribeRepositoryCreationTemplates
        | Operation::CreateRepositoryCreationTemplate
        | Operation::UpdateRepositoryCreationTemplate
        | Operation::DeleteRepositoryCreationTemplate => Story::Caches,
        Operation::GetCallerIdentity
        | Operation::GetResources
        | Operation::DescribeRepositories
        | Operation::ListTagsForResource
        | Operation::GetRepositoryPolicy
        | Operation::GetLifecyclePolicy
        | Operation::ListImages
        | Operation::DescribeImages
        | Operation::CreateRepository
        | Operation::BatchDeleteImage
        | Operation::DeleteRepository
        | Operation::PutImageTagMutability
        | Operation::PutImageScanningConfiguration
        | Operation::SetRepositoryPolicy
        | Operation::DeleteRepositoryPolicy
        | Operation::PutLifecyclePolicy
        | Operation::DeleteLifecyclePolicy
        | Operation::TagResource
        | Operation::UntagResource => Story::Life,
    }
}

/// The story that uses a right of what leads to something of the cluster, and is held to it.
fn story_in_cluster(resource: &str, verb: &str) -> Story {
    match (resource, verb) {
        ("pullthroughrules", "get") => Story::Caches,
        ("mutatingwebhookconfigurations" | "secrets", _) | ("pods", "create") => Story::Told,
        _ => Story::Life,
    }
}

/// Checks that the operator has used every right of this story, and nothing that is no right.
pub(crate) fn check(told: Story, stage: &Stage) {
    let journal = stage.emulator.journal().entries();
    check_calls(told, &journal);
    check_serving(told, &journal);
    for granted in &GRANTED {
        check_verbs(told, granted, &stage.cluster.plane().unwrap().logs);
    }
}

/// Checks that the operator has made every call of this story, and was denied none.
fn check_calls(told: Story, journal: &[Entry]) {
    let ours = |it: &&Entry| it.caller.contains(&format!("assumed-role/{ROLE}/"));
    let used: BTreeSet<&str> = journal
        .iter()
        .filter(ours)
        .filter(|it| it.fault.is_none() && it.outcome != Outcome::Lost)
        .map(|it| it.operation.as_str())
        .collect();
    let expected = Operation::ALL.iter().filter(|it| story(**it) == told);
    let unused: Vec<&str> = expected
        .map(|it| it.as_str())
        .filter(|it| !used.contains(it))
        .collect();
    assert_eq!(unused, Vec::<&str>::new(), "allowed and never called");
    let denied = |it: &Entry| match &it.outcome {
        Outcome::Refused(code) => code.starts_with("AccessDenied") && it.fault.is_none(),
        Outcome::Done | Outcome::Lost | Outcome::DoneUnanswered => false,
    };
    let denied: Vec<&Entry> = journal
        .iter()
        .filter(ours)
        .filter(|it| denied(it))
        .collect();
    assert!(denied.is_empty(), "called and not allowed: {denied:#?}");
}

/// Checks that what serves has assumed the roles that list and made no other call than to list, and in its
/// story every one of those.
fn check_serving(told: Story, journal: &[Entry]) {
    let signed_in = |it: &&Entry| {
        it.caller
            .ends_with(&format!("{HUB}:user/ecr-operator-webhook"))
    };
    let assumed: BTreeSet<&str> = journal
        .iter()
        .filter(signed_in)
        .map(|it| match it.operation.as_str() {
            "AssumeRole" => it.parameters["RoleArn"].as_str().unwrap(),
            other => panic!("what serves calls {other} with its own credentials"),
        })
        .collect();
    let wrong: Vec<&str> = assumed
        .into_iter()
        .filter(|it| it.contains(":333333333333:") && !it.ends_with(READ_ROLE))
        .collect();
    assert!(wrong.is_empty(), "assumed by what serves: {wrong:?}");

    let ours = |it: &&Entry| it.caller.contains(&format!("assumed-role/{READ_ROLE}/"));
    let done = |it: &&Entry| it.fault.is_none() && it.outcome != Outcome::Lost;
    let called = journal.iter().filter(ours).filter(done);
    let called: BTreeSet<&str> = called.map(|it| it.operation.as_str()).collect();
    let allowed = SERVING.iter().map(|it| it.split_once(':').unwrap().1);
    let allowed: BTreeSet<&str> = allowed.chain(["GetCallerIdentity"]).collect();
    match told {
        Story::Serving => assert_eq!(called, allowed),
        Story::Life | Story::Caches | Story::Told | Story::Registry | Story::Lifecycle => {
            assert!(called.is_subset(&allowed), "{called:?}");
        }
    }
}

/// What was asked of the API server: group, resource and verb, and the object's name.
#[derive(Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Request {
    group: String,
    resource: String,
    verb: String,
    name: String,
}

/// Checks that a user has used every verb of this story that the chart grants it, and was refused none.
fn check_verbs(told: Story, granted: &Granted, logs: &Path) {
    let Granted { user, rules, story } = granted;
    let log = std::fs::read_to_string(logs.join("audit.log")).unwrap();
    let events = log
        .lines()
        .map(|it| serde_json::from_str::<Value>(it).unwrap());
    let events: Vec<Value> = events
        .filter(|it| it["user"]["username"] == *user)
        .collect();
    // A namespace that ends refuses new objects too, which is no matter of rights.
    let decision = "authorization.k8s.io/decision";
    let refused = events
        .iter()
        .filter(|it| it["annotations"][decision] == "forbid");
    let refused: BTreeSet<Request> = refused.map(request).collect();
    assert!(
        refused.is_empty(),
        "asked and not granted: {user}: {refused:#?}"
    );
    let failure = "validation.policy.admission.k8s.io/validation_failure";
    let denied = events
        .iter()
        .filter(|it| !it["annotations"][failure].is_null());
    let denied: Vec<&Value> = denied.collect();
    assert!(
        denied.is_empty(),
        "denied by a policy of the chart: {denied:#?}"
    );
    let used: BTreeSet<Request> = events.iter().map(request).collect();
    let rules = rules.iter().flat_map(|it| {
        let rules: Vec<PolicyRule> = serde_saphyr::from_str(it).unwrap();
        rules
    });
    let unused: Vec<String> = rules
        .flat_map(|it| unused(&it, &used, |resource, verb| story(resource, verb) == told))
        .collect();
    assert_eq!(
        unused,
        Vec::<String>::new(),
        "granted to {user} and never used"
    );
}

fn request(event: &Value) -> Request {
    let of = |field: &str| {
        event["objectRef"][field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let resource = match of("subresource").as_str() {
        "" => of("resource"),
        subresource => format!("{}/{subresource}", of("resource")),
    };
    Request {
        group: of("apiGroup"),
        resource,
        verb: event["verb"].as_str().unwrap().to_owned(),
        name: of("name"),
    }
}

/// The grants of a rule that `is_told` is about and no request has used, as `VERB RESOURCE.GROUP NAME`.
fn unused(
    rule: &PolicyRule,
    used: &BTreeSet<Request>,
    is_told: impl Fn(&str, &str) -> bool,
) -> Vec<String> {
    let any = vec![String::new()];
    let names = rule.resource_names.as_ref().unwrap_or(&any);
    let groups = rule.api_groups.iter().flatten();
    let resources =
        groups.flat_map(|group| rule.resources.iter().flatten().map(move |it| (group, it)));
    let mut unused = Vec::new();
    for (group, resource) in resources {
        let verbs = rule.verbs.iter();
        let verbs = verbs.filter(|verb| is_told(resource, verb));
        for (verb, name) in verbs.flat_map(|verb| names.iter().map(move |it| (verb, it))) {
            let uses = |it: &Request| {
                (&it.group, &it.resource, &it.verb) == (group, resource, verb)
                    && (name.is_empty() || it.name == *name)
            };
            if !used.iter().any(uses) {
                unused.push(format!("{verb} {resource}.{group} {name}"));
            }
        }
    }
    unused
}
