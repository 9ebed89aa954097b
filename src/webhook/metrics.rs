//! What admission counts. Labels come from enums, so the number of series is bounded.

use std::fmt;
use std::time::Duration;

use hyper::StatusCode;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use super::review::{Outcome, Reviewed, Verb};
use crate::domain::rewrite::Reason;

/// The counters. A clone counts into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    reviews: Family<ReviewLabels, Counter>,
    images: Family<ImageLabels, Counter>,
    duration: Histogram,
    refusals: Family<RefusalLabels, Counter>,
    failed_handshakes: Counter,
    evictions: Counter,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ReviewLabels {
    outcome: Outcome,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct ImageLabels {
    /// The policy's: only reviews by a mode look at images.
    mode: Outcome,
    decision: Verb,
    reason: Word,
}

#[derive(Clone, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct RefusalLabels {
    status: u32,
}

/// A word of a closed enum of the domain, which knows nothing of metrics.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Word(Reason);

impl Default for Metrics {
    fn default() -> Self {
        Self {
            reviews: Family::default(),
            images: Family::default(),
            // 16 microseconds to half a second.
            duration: Histogram::new(exponential_buckets(16e-6, 2.0, 16)),
            refusals: Family::default(),
            failed_handshakes: Counter::default(),
            evictions: Counter::default(),
        }
    }
}

impl Metrics {
    /// Exposes the counters in `registry`.
    pub fn register(&self, registry: &mut Registry) {
        let Self {
            reviews,
            images,
            duration,
            refusals,
            failed_handshakes,
            evictions,
        } = self;
        registry.register(
            "ecr_operator_admission_reviews",
            "Admission reviews answered, dry runs left out, by what they were about",
            reviews.clone(),
        );
        registry.register(
            "ecr_operator_admission_images",
            "Images looked at in admission, dry runs left out, by what became of them and why",
            images.clone(),
        );
        registry.register_with_unit(
            "ecr_operator_admission_duration",
            "Time to decide and answer one review, once its body was there",
            Unit::Seconds,
            duration.clone(),
        );
        registry.register(
            "ecr_operator_admission_refusals",
            "Requests to the admission server that got no review, by HTTP status",
            refusals.clone(),
        );
        registry.register(
            "ecr_operator_admission_failed_handshakes",
            "TLS handshakes that failed, for instance with a client that does not trust our authority",
            failed_handshakes.clone(),
        );
        registry.register(
            "ecr_operator_admission_evictions",
            "Connections to the admission server that were closed because a limit was reached",
            evictions.clone(),
        );
    }

    /// Counts a review, and how long it took. A dry run admits nothing, so its images do not count.
    pub(super) fn reviewed(&self, reviewed: &Reviewed, took: Duration) {
        let Reviewed {
            answer: _,
            outcome,
            verdicts,
            dry_run,
        } = reviewed;
        self.duration.observe(took.as_secs_f64());
        if *dry_run {
            return;
        }
        self.reviews
            .get_or_create(&ReviewLabels { outcome: *outcome })
            .inc();
        for (decision, reason) in verdicts {
            let labels = ImageLabels {
                mode: *outcome,
                decision: *decision,
                reason: Word(*reason),
            };
            self.images.get_or_create(&labels).inc();
        }
    }

    pub(super) fn refused(&self, status: StatusCode) {
        let status = u32::from(status.as_u16());
        self.refusals.get_or_create(&RefusalLabels { status }).inc();
    }

    pub(super) fn handshake_failed(&self) {
        self.failed_handshakes.inc();
    }

    pub(super) fn evicted(&self) {
        self.evictions.inc();
    }
}

impl EncodeLabelValue for Word {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        self.0.as_str().encode(encoder)
    }
}
