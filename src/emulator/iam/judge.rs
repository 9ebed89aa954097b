//! Whether policies allow a request.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use std::collections::{BTreeMap, BTreeSet};

use super::condition::{Context, hold, like};
use super::{Document, Principals, Scope, Statement, is_account};

/// Who asks for what.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    /// The account of the one who asks.
    pub(crate) account: &'a str,
    /// All names that a policy may call the one who asks: session ARN, role ARN, unique ids.
    pub(crate) names: &'a [String],
    /// The action, for example `ecr:BatchGetImage`.
    pub(crate) action: &'a str,
    /// The resource's ARN.
    pub(crate) resource: &'a str,
    /// Condition keys.
    pub(crate) context: &'a Context,
}

/// What a set of documents says about a request.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// A statement allows it, and none denies it.
    Allowed,
    /// A statement denies it.
    Denied,
    /// No statement is about it.
    Silent,
}

/// What `documents` together say about a request.
pub(crate) fn judge(documents: &[Document], question: &Question<'_>) -> Verdict {
    let matching = documents
        .iter()
        .flat_map(|it| &it.statements)
        .filter(|it| it.matches(question));
    matching.fold(Verdict::Silent, |verdict, statement| {
        match (verdict, statement.allows) {
            (Verdict::Denied, _) | (_, false) => Verdict::Denied,
            (Verdict::Allowed | Verdict::Silent, true) => Verdict::Allowed,
        }
    })
}

/// The condition keys of statements about a request that nobody has given a value.
pub(crate) fn unknown_keys(documents: &[Document], question: &Question<'_>) -> BTreeSet<String> {
    let concerned = documents
        .iter()
        .flat_map(|it| &it.statements)
        .filter(|it| it.concerns(question));
    let keys = concerned.flat_map(|it| it.conditions.values().flat_map(BTreeMap::keys));
    keys.filter(|it| !question.context.contains_key(&it.to_lowercase()))
        .cloned()
        .collect()
}

impl Statement {
    fn matches(&self, question: &Question<'_>) -> bool {
        self.concerns(question) && hold(&self.conditions, question.context)
    }

    /// Whether it is about this request, under whichever conditions.
    fn concerns(&self, question: &Question<'_>) -> bool {
        let principal = match &self.principal {
            None => true,
            Some(Scope::Only(it)) => it.includes(question),
            Some(Scope::AllBut(it)) => !it.includes(question),
        };
        principal
            && within(&self.action, |it| {
                like(
                    &it.to_ascii_lowercase(),
                    &question.action.to_ascii_lowercase(),
                )
            })
            && self
                .resource
                .as_ref()
                .is_none_or(|it| within(it, |it| like(it, question.resource)))
    }
}

fn within(scope: &Scope<Vec<String>>, test: impl FnMut(&String) -> bool) -> bool {
    match scope {
        Scope::Only(it) => it.iter().any(test),
        Scope::AllBut(it) => !it.iter().any(test),
    }
}

impl Principals {
    fn includes(&self, question: &Question<'_>) -> bool {
        match self {
            Self::Everyone => true,
            Self::Listed(kinds) => kinds.iter().any(|(kind, listed)| match kind.as_str() {
                "AWS" => listed.iter().any(|it| is(it, question)),
                _ => listed.iter().any(|it| question.names.contains(it)),
            }),
        }
    }
}

/// Whether a principal of a policy is the one who asks; an account stands for all in it.
fn is(principal: &str, question: &Question<'_>) -> bool {
    let account = if is_account(principal) {
        Some(principal)
    } else {
        principal
            .strip_suffix(":root")
            .and_then(|it| it.rsplit(':').next())
    };
    principal == "*"
        || account == Some(question.account)
        || question.names.iter().any(|it| it == principal)
}
