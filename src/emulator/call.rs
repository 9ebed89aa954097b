//! One call as the operations see it: the state, the time, who calls, and what may be done.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::iam::{Document, Question, Verdict, judge};
use super::refusal::Refusal;
use super::state::{Registry, RegistryKey, Repository, State};
use super::upstream::{Import, Imports};
use super::{BareManifests, FirstPullByDigest};

/// What an operation answers.
pub(crate) type Answer = Result<Value, Stop>;

/// Why an operation has no answer.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// It refuses.
    Refused(Refusal),
    /// It needs an image of an upstream registry first; run it again with what came of that.
    Needs(Import),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The actions that a registry policy of the first version decides about.
const COVERED_BY_V1: [&str; 3] = [
    "ecr:ReplicateImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:CreateRepository",
];

/// One call.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    /// Everything there is.
    pub(crate) state: &'a mut State,
    /// The emulator's time.
    pub(crate) now: Timestamp,
    /// Who calls.
    pub(crate) caller: &'a Caller,
    /// The region that is asked.
    pub(crate) region: &'a str,
    /// Where clients reach the emulator, for example `http://127.0.0.1:4566`.
    pub(crate) endpoint: &'a str,
    /// What was fetched from upstream registries for this call.
    pub(crate) imports: &'a Imports,
    /// What a cache does on a first pull by digest.
    pub(crate) first_pull_by_digest: FirstPullByDigest,
    /// What is done with manifests whose layers were never uploaded.
    pub(crate) bare_manifests: BareManifests,
}

/// Who calls.
#[derive(Clone, Debug, Default)]
pub(crate) struct Caller {
    /// The account.
    pub(crate) account: String,
    /// The ARN that AWS tells of them.
    pub(crate) arn: String,
    /// The unique id that AWS tells of them.
    pub(crate) user_id: String,
    /// All names that a policy may call them.
    pub(crate) names: Vec<String>,
    /// What they may do; `None`: everything.
    pub(crate) policies: Option<Vec<Document>>,
    /// What their session is limited to; `None`: it is not.
    pub(crate) session_policy: Option<Document>,
    /// Their tags.
    pub(crate) tags: BTreeMap<String, String>,
}

/// A repository that exists.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct RepositoryAt {
    /// The registry it is in.
    pub(crate) registry: RegistryKey,
    /// Its name.
    pub(crate) name: String,
}

impl Call<'_> {
    /// A registry by its id, the caller's own by default, in the region that is asked.
    pub(crate) fn registry_key(&self, id: Option<&str>) -> RegistryKey {
        RegistryKey::new(id.unwrap_or(&self.caller.account), self.region)
    }

    /// What a registry holds.
    pub(crate) fn registry(&mut self, key: &RegistryKey) -> &mut Registry {
        self.state.registry(key)
    }

    /// Finds a repository.
    pub(crate) fn find(&self, registry: &RegistryKey, name: &str) -> Result<RepositoryAt, Refusal> {
        let found = self
            .state
            .registries
            .get(registry)
            .map(|it| &it.repositories);
        match found.is_some_and(|it| it.contains_key(name)) {
            true => Ok(RepositoryAt {
                registry: registry.clone(),
                name: name.to_owned(),
            }),
            false => Err(Refusal::new(
                "RepositoryNotFoundException",
                format!(
                    "The repository with name '{name}' does not exist in the registry with id '{}'",
                    registry.account
                ),
            )),
        }
    }

    /// The repository that was found.
    pub(crate) fn repository(&mut self, at: &RepositoryAt) -> &mut Repository {
        let repositories = &mut self.state.registry(&at.registry).repositories;
        repositories
            .get_mut(&at.name)
            .expect("a call that found a repository has it to itself")
    }

    /// Refuses unless the caller may do `action` on a repository, or on the registry itself where
    /// no name is given.
    pub(crate) fn permit(
        &mut self,
        action: &str,
        registry: &RegistryKey,
        name: Option<&str>,
    ) -> Result<(), Refusal> {
        let resource = match (name, action) {
            (Some(name), _) => registry.repository_arn(name),
            // The one list whose action knows resources: a policy has to name them all.
            // https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonelasticcontainerregistry.html
            (None, "ecr:DescribeRepositories") => registry.repository_arn("*"),
            (None, _) => "*".to_owned(),
        };
        let held = self.state.registries.get(registry);
        let repository = name.and_then(|name| held?.repositories.get(name));
        let scope = held.and_then(|it| it.settings.get("REGISTRY_POLICY_SCOPE"));
        // https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry-permissions.html
        let covered = scope.is_none_or(|it| it == "V2") || COVERED_BY_V1.contains(&action);
        let texts = [
            held.filter(|_| covered).and_then(|it| it.policy.as_deref()),
            repository.and_then(|it| it.policy.as_deref()),
        ];
        let attached: Vec<Document> = texts
            .into_iter()
            .flatten()
            .filter_map(Document::parse)
            .collect();
        let mut context = self.context();
        for (key, value) in repository.iter().flat_map(|it| &it.tags) {
            for name in ["aws", "ecr"] {
                context.insert(
                    format!("{name}:resourcetag/{}", key.to_lowercase()),
                    vec![value.clone()],
                );
            }
        }
        self.caller.permit(
            &self.caller.asks(action, &resource, &context),
            &attached,
            &registry.account,
        )
    }

    /// Condition keys that every request has.
    pub(crate) fn context(&self) -> BTreeMap<String, Vec<String>> {
        let organization = self
            .state
            .accounts
            .get(&self.caller.account)
            .and_then(|it| it.organization.clone());
        let principal = self.caller.names.last().unwrap_or(&self.caller.arn).clone();
        let mut context = BTreeMap::from([
            ("aws:principalarn".to_owned(), vec![principal]),
            (
                "aws:principalaccount".to_owned(),
                vec![self.caller.account.clone()],
            ),
            (
                "aws:requestedregion".to_owned(),
                vec![self.region.to_owned()],
            ),
            ("aws:securetransport".to_owned(), vec!["true".to_owned()]),
            ("aws:currenttime".to_owned(), vec![self.now.to_string()]),
        ]);
        context.extend(organization.map(|it| ("aws:principalorgid".to_owned(), vec![it])));
        for (key, value) in &self.caller.tags {
            let key = format!("aws:principaltag/{}", key.to_lowercase());
            context.insert(key, vec![value.clone()]);
        }
        context
    }
}

impl Caller {
    /// The question whether this caller may do something.
    pub(crate) fn asks<'a>(
        &'a self,
        action: &'a str,
        resource: &'a str,
        context: &'a BTreeMap<String, Vec<String>>,
    ) -> Question<'a> {
        Question {
            account: &self.account,
            names: &self.names,
            action,
            resource,
            context,
        }
    }

    /// Refuses unless the caller's own policies and those `attached` to the resource of the
    /// account `owner` allow what is asked. In the own account one of both is enough, across
    /// accounts both are needed, and a denial anywhere is the end of it.
    pub(crate) fn permit(
        &self,
        question: &Question<'_>,
        attached: &[Document],
        owner: &str,
    ) -> Result<(), Refusal> {
        let own = self
            .policies
            .as_deref()
            .map_or(Verdict::Allowed, |it| judge(it, question));
        let session = self.session_policy.as_ref().map_or(Verdict::Allowed, |it| {
            judge(std::slice::from_ref(it), question)
        });
        let attached = judge(attached, question);
        let action = question.action;
        let reason = match (own, session, attached) {
            (Verdict::Denied, _, _) => {
                "with an explicit deny in an identity-based policy".to_owned()
            }
            (_, Verdict::Denied, _) => "with an explicit deny in a session policy".to_owned(),
            (_, _, Verdict::Denied) => {
                "with an explicit deny in a resource-based policy".to_owned()
            }
            (_, Verdict::Silent, _) => {
                format!("because no session policy allows the {action} action")
            }
            (_, _, Verdict::Silent) if self.account != owner => {
                format!("because no resource-based policy allows the {action} action")
            }
            (Verdict::Silent, _, Verdict::Silent) => {
                format!("because no identity-based policy allows the {action} action")
            }
            (Verdict::Silent, _, Verdict::Allowed) if self.account != owner => {
                format!("because no identity-based policy allows the {action} action")
            }
            _ => return Ok(()),
        };
        Err(denied(&self.arn, action, question.resource, &reason))
    }
}

/// `AccessDeniedException` in IAM's words.
pub(crate) fn denied(who: &str, action: &str, resource: &str, reason: &str) -> Refusal {
    let message = format!(
        "User: {who} is not authorized to perform: {action} on resource: {resource} {reason}"
    );
    Refusal::new("AccessDeniedException", message.trim_end())
}

/// A time as the JSON protocol writes it: seconds with a fraction.
#[expect(
    clippy::cast_precision_loss,
    reason = "milliseconds of this era fit a double exactly"
)]
pub(crate) fn seconds(time: Timestamp) -> Value {
    json!(time.as_millisecond() as f64 / 1000.0)
}
