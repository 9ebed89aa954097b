//! What each role needs, in the order in which its lack is felt: what nodes and builds do stands here,
//! what the operator calls in the table of its rights.

use std::collections::BTreeMap;

use super::{
    BTreeSet, Deletion, Management, Purpose, Question, Registry, RepositoryName, Resource,
    Template, Uses,
};
use super::{access, owner};
use crate::domain::rights::{self, DEPENDENT, Need, On};

/// Nobody pulls or pushes without it, and it is about no repository.
const SIGN_IN: &[&str] = &["ecr:GetAuthorizationToken"];
/// To bring an upstream's image into a cache, and to look whether there is a newer one.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache-iam.html>
const IMPORT: &[&str] = &["ecr:BatchImportUpstreamImage"];
/// To bring an image into a cache that does not have its repository yet.
const IMPORT_NEW: &[&str] = &["ecr:BatchImportUpstreamImage", "ecr:CreateRepository"];

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
        let mut templates = self.uses.caches.iter().map(|it| it.template);
        let has_templates = templates.any(|it| it == Template::Managed);
        let settings = self.uses.settings.get(self.registry);
        let settings = || settings.into_iter().flatten().copied();
        let nothing = Vec::new;
        let mut needs = vec![(Need::List, vec![self.all_repositories()])];
        needs.extend((!caches.is_empty()).then(|| (Need::ListCaches, nothing())));
        needs.extend(has_templates.then(|| (Need::ListTemplates, nothing())));
        needs.extend(settings().map(|it| (Need::See(it), nothing())));
        // What is prewarmed is looked for first, and imported by reading it.
        needs.push((Need::Read, [own, &self.prewarmed()].concat()));
        if self.uses.management == Management::Manage {
            needs.push((Need::Write, own.to_vec()));
            let deletes = self.uses.deletion == Deletion::Allowed;
            needs.extend(deletes.then(|| (Need::Delete, own.to_vec())));
            needs.extend((!caches.is_empty()).then(|| (Need::Caches, nothing())));
            needs.extend(has_templates.then(|| (Need::Templates, nothing())));
            needs.extend(settings().map(|it| (Need::Put(it), nothing())));
            needs.push((Need::Prewarm, self.filled()));
            needs.extend((!own.is_empty()).then(|| (Need::Encrypt, self.keys())));
        }
        let needs = needs.into_iter();
        let needed = needs.flat_map(|(need, resources)| self.needed(need, &resources));
        needed.chain(self.passes()).collect()
    }

    /// The roles that are handed to ECR, each to the service that takes it. A role is of all regions, so
    /// it is asked about in the home region.
    fn passes(&self) -> Vec<Question> {
        const PASS: &str = "iam:PassRole";
        let of = |(need, role): &(Need, String)| {
            let mut dependent = DEPENDENT.iter();
            let pass = dependent.find(|it| it.action == PASS && it.need() == Some(*need))?;
            let (_, key, service) = pass.only?;
            let role = Resource {
                arn: role.clone(),
                stands_for: role.clone(),
            };
            let mut question = self.about(&[PASS], vec![role])?;
            question
                .context
                .insert(key.to_owned(), vec![service.to_owned()]);
            Some(question)
        };
        let writes = self.uses.management == Management::Manage;
        let is_home = self.uses.registries.first() == Some(self.registry);
        let passed = self.uses.passed.iter().filter(|_| writes && is_home);
        passed.filter_map(of).collect()
    }

    /// What a need calls: about no resource in particular, and about these; and what AWS checks of the
    /// same resources beside it.
    fn needed(&self, need: Need, resources: &[Resource]) -> Vec<Question> {
        let on = |on: On| -> Vec<&'static str> {
            let rights = rights::of(need).filter(|it| it.on == on);
            rights.map(|it| it.action).collect()
        };
        let beside = DEPENDENT.iter().filter(|it| it.need() == Some(need));
        let beside = beside.map(|it| it.action);
        let mut about = on(On::Repositories);
        if !resources.is_empty() {
            about.extend(beside.filter(|it| !about.contains(it)).collect::<Vec<_>>());
        }
        let general = on(On::Anything);
        let general = (!general.is_empty()).then(|| self.general(&general));
        let about = (!about.is_empty()).then(|| self.about(&about, resources.to_vec()));
        about.flatten().into_iter().chain(general).collect()
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

    /// The caches that the operator brings images into.
    fn prewarmed(&self) -> Vec<Resource> {
        match self.uses.management {
            Management::Manage => self.filled(),
            Management::Observe => Vec::new(),
        }
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
            ("kms:ViaService".to_owned(), vec![self.registry.service()]),
        ]);
        if self.purpose == Purpose::Operator {
            let cluster = vec![self.uses.cluster.to_string()];
            for kind in ["aws:ResourceTag", "aws:RequestTag", "ecr:ResourceTag"] {
                context.insert(format!("{kind}/{}", owner::CLUSTER), cluster.clone());
            }
            let keys = owner::KEYS.into_iter().chain([owner::RELEASED_BY]);
            context.insert("aws:TagKeys".to_owned(), keys.map(str::to_owned).collect());
        }
        context
    }
}
