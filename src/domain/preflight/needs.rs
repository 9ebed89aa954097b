//! What each role needs, in the order in which its lack is felt.

use std::collections::BTreeMap;

use super::{
    BTreeSet, Deletion, Management, Purpose, Question, Registry, RepositoryName, Resource,
    Template, Uses,
};
use super::{access, owner};

/// Nobody pulls or pushes without it, and it is about no repository.
const SIGN_IN: &[&str] = &["ecr:GetAuthorizationToken"];
/// To bring an upstream's image into a cache, and to look whether there is a newer one.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html>
const IMPORT: &[&str] = &["ecr:BatchImportUpstreamImage"];
/// To bring an image into a cache that does not have its repository yet.
const IMPORT_NEW: &[&str] = &["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];

/// What the operator lists: all repositories, which a policy names `repository/*` or less precisely.
const LIST: &[&str] = &["ecr:DescribeRepositories"];
const LIST_TAGS: &[&str] = &["tag:GetResources"];
const LIST_CACHES: &[&str] = &["ecr:DescribePullThroughCacheRules"];
/// What it reads of a repository.
const READ: &[&str] = &[
    "ecr:ListTagsForResource",
    "ecr:GetRepositoryPolicy",
    "ecr:GetLifecyclePolicy",
    "ecr:ListImages",
    "ecr:DescribeImages",
];
/// What it writes.
const WRITE: &[&str] = &[
    "ecr:CreateRepository",
    "ecr:TagResource",
    "ecr:UntagResource",
    "ecr:PutImageTagMutability",
    "ecr:PutImageScanningConfiguration",
    "ecr:SetRepositoryPolicy",
    "ecr:DeleteRepositoryPolicy",
    "ecr:PutLifecyclePolicy",
    "ecr:DeleteLifecyclePolicy",
];
const DELETE: &[&str] = &["ecr:DeleteRepository"];
const WRITE_CACHES: &[&str] = &[
    "ecr:CreatePullThroughCacheRule",
    "ecr:UpdatePullThroughCacheRule",
    "ecr:ValidatePullThroughCacheRule",
];
const LIST_TEMPLATES: &[&str] = &["ecr:DescribeRepositoryCreationTemplates"];
const WRITE_TEMPLATES: &[&str] = &[
    "ecr:CreateRepositoryCreationTemplate",
    "ecr:UpdateRepositoryCreationTemplate",
    "ecr:DeleteRepositoryCreationTemplate",
];
const PREWARM: &[&str] = &[
    "ecr:BatchGetImage",
    "ecr:BatchImportUpstreamImage",
    "ecr:CreateRepository",
];
/// ECR encrypts and decrypts under grants of its own, which it makes as whoever creates a repository:
/// who pulls or pushes needs no permission on the key.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/encryption-at-rest.html>
const ENCRYPT: &[&str] = &["kms:CreateGrant", "kms:DescribeKey", "kms:RetireGrant"];

/// What to ask the simulator about a role for this purpose.
pub fn questions(purpose: Purpose, uses: &Uses) -> Vec<Question> {
    let mut questions = Vec::new();
    for (i, registry) in uses.registries.iter().enumerate() {
        let asked = Asked {
            purpose,
            uses,
            registry,
        };
        // Repositories of our own are made in the home region.
        let own = if i == 0 {
            asked.repositories()
        } else {
            Vec::new()
        };
        questions.extend(match purpose {
            Purpose::Operator => asked.of_operator(&own),
            Purpose::Nodes => asked.of_nodes(&own),
            Purpose::Builds => asked.of_builds(&own),
        });
    }
    questions
}

/// One role's part in one registry.
struct Asked<'a> {
    purpose: Purpose,
    uses: &'a Uses,
    registry: &'a Registry,
}

impl Asked<'_> {
    fn of_nodes(&self, own: &[Resource]) -> Vec<Question> {
        let (all, filled) = (self.caches(|_| true), self.filled());
        let pulled = [own, &all].concat();
        [
            (!pulled.is_empty()).then(|| self.general(SIGN_IN)),
            self.about(&access::PULL, pulled),
            self.about(IMPORT_NEW, filled.clone()),
            self.about(
                IMPORT,
                all.into_iter().filter(|it| !filled.contains(it)).collect(),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    fn of_builds(&self, own: &[Resource]) -> Vec<Question> {
        let signs_in = (!own.is_empty()).then(|| self.general(SIGN_IN));
        let questions = [signs_in, self.about(&access::PUSH, own.to_vec())];
        questions.into_iter().flatten().collect()
    }

    fn of_operator(&self, own: &[Resource]) -> Vec<Question> {
        let caches = self.caches(|_| true);
        let all = vec![self.all_repositories()];
        let mut questions = vec![self.about(LIST, all), Some(self.general(LIST_TAGS))];
        if !caches.is_empty() {
            questions.push(Some(self.general(LIST_CACHES)));
        }
        let mut templates = self.uses.caches.iter().map(|it| it.template);
        let has_templates = templates.any(|it| it == Template::Managed);
        if has_templates {
            questions.push(Some(self.general(LIST_TEMPLATES)));
        }
        questions.push(self.about(READ, own.to_vec()));
        if self.uses.management == Management::Manage {
            if self.uses.deletion == Deletion::Allowed {
                questions.push(self.about(&[WRITE, DELETE].concat(), own.to_vec()));
            } else {
                questions.push(self.about(WRITE, own.to_vec()));
            }
            if !caches.is_empty() {
                questions.push(Some(self.general(WRITE_CACHES)));
            }
            if has_templates {
                questions.push(Some(self.general(WRITE_TEMPLATES)));
            }
            questions.push(self.about(PREWARM, self.filled()));
            let keys = if own.is_empty() {
                Vec::new()
            } else {
                self.keys()
            };
            questions.push(self.about(ENCRYPT, keys));
        }
        questions.into_iter().flatten().collect()
    }

    /// A question about no resource in particular.
    fn general(&self, actions: &[&'static str]) -> Question {
        Question {
            actions: actions.to_vec(),
            resources: Vec::new(),
            context: self.context(),
        }
    }

    /// A question about some resources, if there are any.
    fn about(&self, actions: &[&'static str], resources: Vec<Resource>) -> Option<Question> {
        (!resources.is_empty()).then(|| Question {
            resources,
            ..self.general(actions)
        })
    }

    fn repositories(&self) -> Vec<Resource> {
        let names = self.uses.repositories.iter();
        names.map(|it| self.repository(it)).collect()
    }

    fn caches(&self, which: impl Fn(&BTreeSet<Purpose>) -> bool) -> Vec<Resource> {
        let caches = self.uses.caches.iter().filter(|it| which(&it.filled));
        caches.map(|it| self.repository(&it.example)).collect()
    }

    /// The caches that this role brings images into.
    fn filled(&self) -> Vec<Resource> {
        self.caches(|it| it.contains(&self.purpose))
    }

    fn all_repositories(&self) -> Resource {
        let Registry { account, region } = self.registry;
        let partition = self.registry.partition();
        let arn = format!("arn:{partition}:ecr:{region}:{account}:repository/*");
        Resource {
            stands_for: arn.clone(),
            arn,
        }
    }

    fn repository(&self, name: &RepositoryName) -> Resource {
        let arn = self.registry.repository_arn(name);
        let stands_for = match name.as_str().split_once('/') {
            Some((_, rest)) => format!("{}*", &arn[..arn.len() - rest.len()]),
            None => arn.clone(),
        };
        Resource { arn, stands_for }
    }

    fn keys(&self) -> Vec<Resource> {
        let key = |it: &String| Resource {
            arn: it.clone(),
            stands_for: it.clone(),
        };
        self.uses.keys.iter().map(key).collect()
    }

    /// What every request has, and what those of the operator about its own repositories have. Keys
    /// that are not here, as an address or a tag of the role, are said to be unknown where a policy
    /// asks for them.
    fn context(&self) -> BTreeMap<String, Vec<String>> {
        let account = self.registry.account.to_string();
        let mut context = BTreeMap::from([
            ("aws:PrincipalAccount".to_owned(), vec![account.clone()]),
            (
                "aws:RequestedRegion".to_owned(),
                vec![self.registry.region.to_string()],
            ),
            ("aws:ResourceAccount".to_owned(), vec![account]),
            ("aws:SecureTransport".to_owned(), vec!["true".to_owned()]),
        ]);
        if self.purpose == Purpose::Operator {
            let cluster = vec![self.uses.cluster.to_string()];
            for kind in ["aws:ResourceTag", "aws:RequestTag", "ecr:ResourceTag"] {
                context.insert(format!("{kind}/{}", owner::CLUSTER), cluster.clone());
            }
            context.insert(
                "aws:TagKeys".to_owned(),
                owner::KEYS.map(str::to_owned).to_vec(),
            );
        }
        context
    }
}
