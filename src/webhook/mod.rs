//! Admission: TLS, the AdmissionReview, and the patch of a pod's images. It is handed rules and
//! facts, and calls nobody: a review is decided by what is in memory, and a replica that has loaded
//! nothing yet answers nothing at all rather than "no rules".

mod answer;
mod clients;
mod images;
mod metrics;
mod originals;
mod probe;
mod review;
mod secrets;
mod server;
mod wire;

use std::time::Instant;

use arc_swap::ArcSwapOption;

pub use clients::Unreadable;
pub use metrics::Metrics;
pub use review::{Outcome, Reviewed, Rules, Verb, review};
pub use secrets::PullSecrets;
pub use server::{InvalidAuthorities, ServingCertificate, Tls};

/// What every request is answered by: rules that are swapped under it, and counters.
#[derive(Default)]
pub struct Admission {
    /// `None` until rules and facts have been loaded once; the replica is not ready before.
    pub rules: ArcSwapOption<Rules>,
    /// What was answered.
    pub metrics: Metrics,
}

impl Admission {
    /// The answer to the review in `body` for `policy`, if there can be one.
    fn review(&self, policy: &str, body: &[u8]) -> Result<Vec<u8>, Unanswered> {
        let rules = self.rules.load();
        let rules = rules.as_deref().ok_or(Unanswered::NotLoaded)?;
        let begun = Instant::now();
        let reviewed = review(rules, policy, body);
        self.metrics.reviewed(&reviewed, begun.elapsed());
        reviewed.answer.ok_or(Unanswered::NoReview)
    }

    /// The answer to the review of a probe pod in `body`, if there can be one.
    fn review_probe(&self, body: &[u8]) -> Result<Vec<u8>, Unanswered> {
        let rules = self.rules.load();
        let rules = rules.as_deref().ok_or(Unanswered::NotLoaded)?;
        probe::answer(rules, body).ok_or(Unanswered::NoReview)
    }
}

/// Why there is no answer; the API server then admits the pod as it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Unanswered {
    /// Rules and facts are not loaded yet.
    NotLoaded,
    /// The body has not even a uid to answer to.
    NoReview,
}
