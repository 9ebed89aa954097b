//! From the desired settings and the registry's templates to the call that closes the gap. A
//! template that is not ours is left as it is: a second one under its prefix cannot be. One that is
//! as desired is taken over by that alone, unless another object manages it.

use std::collections::BTreeMap;
use std::fmt;

use super::{
    APPLIED_FOR, Desired, Observed, SIGNED, Settings, Template, description, of_users, signature,
};
use crate::domain::owner;
use crate::domain::pull_through::{Prefix, RoleArn};
use crate::domain::repository::{Difference, Encryption, Management, Mutability, Reading, Setting};
use crate::domain::{lifecycle, policy};

/// What to do about one template, what was refused, and how it differs from what is desired.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// The call to make, if any.
    pub changes: Vec<Change>,
    /// What is desired and must not be done, for a person to read.
    pub refusals: Vec<Refusal>,
    /// Every setting that is not as desired, whether or not a change closes it.
    pub differences: Vec<Difference>,
}

/// One AWS call.
#[expect(clippy::enum_variant_names, reason = "AWS's names")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// Make the template.
    CreateRepositoryCreationTemplate(Template),
    /// Give it all its settings anew.
    UpdateRepositoryCreationTemplate(Template),
    /// Take it away. Repositories that were made by it stay as they are.
    DeleteRepositoryCreationTemplate(Prefix),
}

/// Something desired that is not done, and why.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// There is a template of this prefix that somebody else made, and it is not as desired.
    #[error(
        "the registry has a repository creation template for {prefix} that this object did not \
         make (its description: {description:?}): say the same once to take it over, delete it, or \
         take repositoryTemplate out of the spec"
    )]
    Foreign {
        /// Its prefix.
        prefix: Prefix,
        /// Its description.
        description: String,
    },
    /// There is a template of this prefix that another object manages, as desired or not.
    #[error(
        "the registry has a repository creation template for {prefix} that is {description}: remove \
         one of the two objects, or take repositoryTemplate out of one"
    )]
    Managed {
        /// Its prefix.
        prefix: Prefix,
        /// Its description, which says by whom.
        description: String,
    },
    /// Observe mode, and there is no such template.
    #[error("there is no repository creation template for {0}, and this cluster only observes")]
    Missing(Prefix),
}

/// What to do about one template, given all templates of its registry.
pub fn plan(desired: &Desired, observed: &BTreeMap<Prefix, Observed>) -> Plan {
    let observed = observed.get(&desired.prefix);
    match (&desired.settings, observed) {
        (Setting::Unmanaged, _) | (Setting::Absent, None) => Plan::default(),
        (Setting::Absent, Some(observed)) => delete(desired, observed),
        (Setting::Present(settings), None) => create(desired, settings),
        (Setting::Present(settings), Some(observed)) => correct(desired, settings, observed),
    }
}

fn delete(desired: &Desired, observed: &Observed) -> Plan {
    let may = desired.management == Management::Manage && is_ours(desired, observed);
    let delete = may.then(|| Change::DeleteRepositoryCreationTemplate(desired.prefix.clone()));
    let mut plan = Plan {
        changes: delete.into_iter().collect(),
        ..Plan::default()
    };
    if may {
        plan.differs("repositoryTemplate", "present", "absent");
    }
    plan
}

fn create(desired: &Desired, settings: &Settings) -> Plan {
    let mut plan = Plan::default();
    plan.differs("repositoryTemplate", "absent", "present");
    match desired.management {
        Management::Observe => plan.refusals.push(Refusal::Missing(desired.prefix.clone())),
        Management::Manage => {
            let template = template(desired, settings);
            plan.changes
                .push(Change::CreateRepositoryCreationTemplate(template));
        }
    }
    plan
}

fn correct(desired: &Desired, settings: &Settings, observed: &Observed) -> Plan {
    let mut plan = gap(settings, observed);
    if desired.management == Management::Observe {
        return plan;
    }
    if !is_ours(desired, observed) {
        plan.refusals.extend(refusal(&plan, desired, observed));
        return plan;
    }
    let description = description(&desired.owner);
    let is_named = observed.description.starts_with(&signature(&desired.owner));
    // An object of a file has no uid yet; and what was taken over keeps its description as long as
    // nothing else of it changes.
    if is_named && observed.description != description && !desired.owner.uid.is_empty() {
        plan.differs("owner", &observed.description, &description);
    }
    // Nor does it get the mark of the cache before that.
    if is_named && settings.tags.get(owner::CACHE) != observed.tags.get(owner::CACHE) {
        let field = "repositoryTemplate.tags";
        plan.differs(field, pairs(&observed.tags), pairs(&settings.tags));
    }
    if !plan.differences.is_empty() {
        let template = template(desired, settings);
        plan.changes
            .push(Change::UpdateRepositoryCreationTemplate(template));
    }
    plan
}

/// Why a template that is not ours is not taken over; `None`: it is as desired already, and nobody
/// says that it is theirs, so that to say the same once is to take it over.
fn refusal(plan: &Plan, desired: &Desired, observed: &Observed) -> Option<Refusal> {
    let (prefix, description) = (desired.prefix.clone(), observed.description.clone());
    if observed.description.starts_with(SIGNED) {
        return Some(Refusal::Managed {
            prefix,
            description,
        });
    }
    let differs = !plan.differences.is_empty();
    differs.then_some(Refusal::Foreign {
        prefix,
        description,
    })
}

/// By its description, under whatever uid, or by being exactly what status says that we put.
fn is_ours(desired: &Desired, observed: &Observed) -> bool {
    let put = || observed.settings().map(|it| it.hash());
    observed.description.starts_with(&signature(&desired.owner))
        || desired
            .recorded
            .as_ref()
            .is_some_and(|it| Some(it) == put().as_ref())
}

fn template(desired: &Desired, settings: &Settings) -> Template {
    Template {
        prefix: desired.prefix.clone(),
        description: description(&desired.owner),
        settings: settings.clone(),
    }
}

/// Every setting that is not as desired. What is not desired is to be as ECR has it by itself.
fn gap(settings: &Settings, observed: &Observed) -> Plan {
    let Settings {
        mutability,
        encryption,
        policy,
        lifecycle,
        tags,
        role,
    } = settings;
    let mut plan = Plan::default();
    let applied_for: Vec<&str> = observed.applied_for.iter().map(String::as_str).collect();
    if applied_for != [APPLIED_FOR] {
        let field = "repositoryTemplate.appliedFor";
        plan.differs(field, applied_for.join(", "), APPLIED_FOR);
    }
    let mutability = mutability.as_ref().unwrap_or(&Mutability::Mutable);
    if *mutability != observed.mutability {
        let field = "repositoryTemplate.imageTagMutability";
        plan.differs(field, &observed.mutability, mutability);
    }
    let encryption = encryption.as_ref().unwrap_or(&Encryption::Aes256);
    if !encryption.is_met_by(&observed.encryption) {
        let field = "repositoryTemplate.encryption";
        plan.differs(field, &observed.encryption, encryption);
    }
    let summary = policy::Document::summary;
    plan.document(
        "repositoryTemplate.access",
        policy.as_ref(),
        &observed.policy,
        summary,
    );
    let (field, summary) = (
        "repositoryTemplate.lifecyclePolicyRef",
        lifecycle::Document::summary,
    );
    plan.document(field, lifecycle.as_ref(), &observed.lifecycle, summary);
    if of_users(tags) != of_users(&observed.tags) {
        plan.differs(
            "repositoryTemplate.tags",
            pairs(&observed.tags),
            pairs(tags),
        );
    }
    let role = role.as_ref().map(RoleArn::as_str);
    if role != observed.role.as_deref() {
        let named = |it: Option<&str>| it.unwrap_or("absent").to_owned();
        plan.differs("roles", named(observed.role.as_deref()), named(role));
    }
    plan
}

impl Plan {
    fn differs(
        &mut self,
        field: &'static str,
        observed: impl fmt::Display,
        desired: impl fmt::Display,
    ) {
        self.differences.push(Difference {
            field,
            observed: observed.to_string(),
            desired: desired.to_string(),
        });
    }

    fn document<T: Eq>(
        &mut self,
        field: &'static str,
        desired: Option<&T>,
        observed: &Reading<T>,
        summary: fn(&T) -> String,
    ) {
        let found = match (desired, observed) {
            (None, Reading::Absent) => return,
            (Some(desired), Reading::Present(found)) if desired == found => return,
            (_, Reading::Present(found)) => summary(found),
            (_, Reading::NotRead | Reading::Absent) => "absent".to_owned(),
            (_, Reading::Foreign(text)) => format!("{} characters, not understood", text.len()),
        };
        self.differs(
            field,
            found,
            desired.map_or_else(|| "absent".to_owned(), summary),
        );
    }
}

impl Change {
    /// AWS's name for the call.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::CreateRepositoryCreationTemplate(_) => "CreateRepositoryCreationTemplate",
            Self::UpdateRepositoryCreationTemplate(_) => "UpdateRepositoryCreationTemplate",
            Self::DeleteRepositoryCreationTemplate(_) => "DeleteRepositoryCreationTemplate",
        }
    }
}

fn pairs(tags: &BTreeMap<String, String>) -> String {
    let pairs: Vec<_> = tags
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if pairs.is_empty() {
        return "none".to_owned();
    }
    pairs.join(", ")
}
