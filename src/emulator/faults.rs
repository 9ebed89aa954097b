//! Faults by rule: which requests suffer, and what. The first rule that hits decides.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::refusal::Refusal;
use rate::Buckets;

mod garble;
mod rate;

pub use garble::Garble;

/// Which requests suffer, and what. A field that is `None` fits every request.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
#[serde(default, rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// The caller's account.
    pub account: Option<String>,
    /// The region that is asked.
    pub region: Option<String>,
    /// `ecr`, `sts`, `tagging`, `iam` or `registry`.
    pub service: Option<String>,
    /// The operation; a `*` at its end stands for any text.
    pub operation: Option<String>,
    /// A part of the caller's ARN.
    pub caller: Option<String>,
    /// The repository that the request names.
    pub repository: Option<String>,
    /// The ARN of the role that the request would assume.
    pub role: Option<String>,
    /// What happens.
    pub effect: Effect,
    /// The share of the fitting requests that suffer, from 0 to 1; `None` is all of them. Which
    /// ones is spread as by chance, and the same in every run.
    pub share: Option<f64>,
    /// Only what comes faster than so many a second suffers, counted apart for each account, region
    /// and operation.
    pub rate: Option<f64>,
    /// Only the n-th fitting request suffers, counted from 1.
    pub nth: Option<u64>,
    /// Only what fits after so many others suffers.
    pub after: Option<u64>,
    /// After this many the rule is spent.
    pub times: Option<u64>,
}

/// What happens to a request.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// `ThrottlingException`, nothing is done.
    #[default]
    Throttle,
    /// `AccessDeniedException`, nothing is done.
    Deny,
    /// This error, nothing is done.
    Refuse {
        /// The error code.
        code: String,
        /// The message.
        #[serde(default)]
        message: String,
        /// The HTTP status.
        #[serde(default = "bad_request")]
        status: u16,
    },
    /// Answered, but only after this many milliseconds.
    Delay(u64),
    /// The connection is cut and nothing is done.
    CutBefore,
    /// It is done, and the connection is cut instead of an answer.
    CutAfter,
    /// Nothing is done and nothing is ever answered.
    Hang,
    /// It is done, and nothing is ever answered.
    HangAfter,
    /// It is done, and something else is answered.
    Garble(Garble),
    /// It is done and answered, right after somebody else of the account has done this.
    Overtaken {
        /// The other's operation.
        operation: String,
        /// What the other says about it.
        input: Value,
    },
}

/// The rules in force.
#[derive(Debug, Default)]
pub struct Faults(Mutex<Vec<Counted>>);

#[derive(Debug)]
struct Counted {
    rule: Rule,
    fitting: u64,
    suffered: u64,
    buckets: Buckets,
}

/// The part of a request that rules look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'a str,
    pub(crate) service: &'a str,
    pub(crate) operation: &'a str,
    pub(crate) caller: &'a str,
    pub(crate) repository: Option<&'a str>,
    pub(crate) role: Option<&'a str>,
}

impl Faults {
    /// Adds a rule behind those in force.
    pub fn add(&self, rule: Rule) {
        self.rules().push(Counted {
            rule,
            fitting: 0,
            suffered: 0,
            buckets: Buckets::default(),
        });
    }

    /// Takes all rules back.
    pub fn clear(&self) {
        self.rules().clear();
    }

    /// The rules in force, and how many requests each has hit.
    pub fn list(&self) -> Vec<(Rule, u64)> {
        self.rules()
            .iter()
            .map(|it| (it.rule.clone(), it.suffered))
            .collect()
    }

    /// What happens to this request; `None`: nothing.
    pub(crate) fn decide(&self, subject: &Subject<'_>) -> Option<Effect> {
        self.rules()
            .iter_mut()
            .find_map(|it| it.hits(subject).then(|| it.rule.effect.clone()))
    }

    fn rules(&self) -> MutexGuard<'_, Vec<Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counted {
    fn hits(&mut self, subject: &Subject<'_>) -> bool {
        if !self.rule.fits(subject) || self.rule.times.is_some_and(|it| self.suffered >= it) {
            return false;
        }
        self.fitting += 1;
        let chosen = self.rule.nth.is_none_or(|it| it == self.fitting)
            && self.rule.after.is_none_or(|it| it < self.fitting)
            && self.rule.share.is_none_or(|it| chance(self.fitting) < it)
            && self
                .rule
                .rate
                .is_none_or(|it| self.buckets.overflow(subject, it, Instant::now()));
        self.suffered += u64::from(chosen);
        chosen
    }
}

impl Rule {
    fn fits(&self, subject: &Subject<'_>) -> bool {
        let is =
            |wanted: &Option<String>, it: &str| wanted.as_deref().is_none_or(|wanted| wanted == it);
        is(&self.account, subject.account)
            && is(&self.region, subject.region)
            && is(&self.service, subject.service)
            && is(&self.repository, subject.repository.unwrap_or_default())
            && is(&self.role, subject.role.unwrap_or_default())
            && self
                .caller
                .as_deref()
                .is_none_or(|it| subject.caller.contains(it))
            && self
                .operation
                .as_deref()
                .is_none_or(|it| match it.strip_suffix('*') {
                    Some(beginning) => subject.operation.starts_with(beginning),
                    None => subject.operation == it,
                })
    }
}

impl Effect {
    /// The error that stands for a request; `None` where the effect is another.
    pub(crate) fn refusal(&self, subject: &Subject<'_>) -> Option<Refusal> {
        match self {
            Self::Throttle if subject.service == "sts" || subject.service == "iam" => {
                Some(Refusal::new("Throttling", "Rate exceeded"))
            }
            Self::Throttle => Some(Refusal::new("ThrottlingException", "Rate exceeded")),
            Self::Deny => Some(super::call::denied(
                subject.caller,
                &format!("{}:{}", subject.service, subject.operation),
                "*",
                "with an explicit deny in a service control policy",
            )),
            Self::Refuse {
                code,
                message,
                status,
            } => Some(Refusal::new(code, message).with_status(*status)),
            Self::Delay(_)
            | Self::CutBefore
            | Self::CutAfter
            | Self::Hang
            | Self::HangAfter
            | Self::Garble(_)
            | Self::Overtaken { .. } => None,
        }
    }

    /// How long the answer is held back.
    pub(crate) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Delay(milliseconds) => Some(Duration::from_millis(*milliseconds)),
            _ => None,
        }
    }
}

fn bad_request() -> u16 {
    400
}

/// A number from 0 to 1 that looks like chance and is the same in every run (SplitMix64).
#[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
fn chance(number: u64) -> f64 {
    let mut it = number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    it = (it ^ (it >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    it = (it ^ (it >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((it ^ (it >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
